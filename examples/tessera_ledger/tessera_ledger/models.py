"""The ledger: one line for each sale."""

from django.db import models


class LedgerEntry(models.Model):
    # Not a foreign key: the storefront's tables don't depend on this package, so it can be removed.
    order_number = models.CharField("order", max_length=32, unique=True)
    amount = models.DecimalField("amount", max_digits=19, decimal_places=4)
    currency = models.CharField("currency", max_length=3)
    sold_at = models.DateTimeField("sold")

    class Meta:
        ordering = ["sold_at"]
        verbose_name = "ledger entry"
        verbose_name_plural = "ledger entries"

    def __str__(self) -> str:
        return f"{self.order_number}: {self.amount} {self.currency}"

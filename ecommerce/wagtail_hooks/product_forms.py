"""The form of products and their prices."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin.forms import WagtailAdminModelForm

from ecommerce.models import Product
from ecommerce.models.product import FIXED_ONCE_SOLD
from ecommerce.services.catalog.prices import record_price
from mitxonline.kernel import clock
from mitxonline.kernel.money import Money, read_currency


class ProductForm(WagtailAdminModelForm):
    """A product. A new price is recorded with who set it and why."""

    reason = forms.CharField(
        label=gettext_lazy("Reason for the new price"),
        max_length=255,
        required=False,
        help_text=gettext_lazy("Kept in the price history below. Buyers can’t see it."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is None:
            return
        self.initial["price"] = self.instance.money.amount  # with the decimals of its currency
        if self.instance.order_lines.exists():
            for name in FIXED_ONCE_SOLD:
                self.fields[name].disabled = True
                self.fields[name].help_text = _("Someone has bought this product, so this can’t change.")

    def clean_currency(self) -> str:
        return read_currency(self.cleaned_data["currency"])

    def save(self, commit: bool = True) -> Any:
        if not commit:
            return super().save(commit=False)
        with transaction.atomic():
            # The old price is read under the lock, so a price that someone else set meanwhile is in the history too.
            stored = Product.objects.locked().filter(pk=self.instance.pk).first() if self.instance.pk else None
            before = Money(stored.price, stored.currency) if stored is not None else None
            product = super().save()
            record_price(
                product,
                before=before,
                by_id=getattr(self.for_user, "pk", None),
                now=clock.now(),
                reason=self.cleaned_data.get("reason", ""),
            )
        return product

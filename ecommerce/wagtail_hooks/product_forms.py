"""The form with which finance prices what is on sale."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin.forms import WagtailAdminModelForm

from ecommerce.models import OrderLine, Product
from ecommerce.services.catalog.prices import money_problems, record_price
from mitxonline.kernel import clock
from mitxonline.kernel.money import Money, read_currency


class ProductForm(WagtailAdminModelForm):
    """What is sold, and for how much. A new price is written down with who set it and why."""

    reason = forms.CharField(
        label=gettext_lazy("Why the price changes"),
        max_length=255,
        required=False,
        help_text=gettext_lazy("For the history below; buyers don’t see it."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.before = Product.objects.filter(pk=self.instance.pk).first() if self.instance.pk else None
        if self.before is not None:
            self.initial["price"] = self.before.money.amount  # with as many digits as its currency has
        if self.before is not None and OrderLine.objects.filter(product=self.before).exists():
            for name in ("course_run", "program", "mode", "sku", "currency"):
                self.fields[name].disabled = True
                self.fields[name].help_text = _("Someone has bought it, so this stays.")

    def clean_currency(self) -> str:
        """Small letters are what was meant."""
        return read_currency(self.cleaned_data["currency"])

    def clean(self) -> dict[str, Any]:
        """One thing is sold, for a price there can be."""
        cleaned: dict[str, Any] = super().clean()
        if bool(cleaned.get("course_run")) == bool(cleaned.get("program")):
            self.add_error("course_run", _("Choose a course run or a program: a product sells one of them."))
        for problem in money_problems(cleaned.get("price"), cleaned.get("currency") or ""):
            self.add_error(problem.field, problem.sentence)
        return cleaned

    def save(self, commit: bool = True) -> Any:
        """The price as it was, and as it is now."""
        if not commit:
            return super().save(commit=False)
        with transaction.atomic():
            # Someone else's new price is in the history too, not overwritten unseen.
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

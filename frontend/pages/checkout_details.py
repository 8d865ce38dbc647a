"""The step between the cart and the payment of seats for a group: who buys, and what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.validators import MaxLengthValidator
from django.http import HttpRequest, QueryDict
from django.utils.functional import lazy
from django.utils.translation import gettext_lazy as _

from ecommerce.models import Order
from ecommerce.selectors.basket_prices import PricedBasket, price_current_basket
from ecommerce.selectors.business import BusinessDetails, column_of, last_business_details
from ecommerce.selectors.owner import basket_owner
from frontend.pages.pay_options import PayOption, list_pay_options
from frontend.site.parsing import account_id
from mitxonline.kernel import clock
from mitxonline.kernel.countries import list_countries

_ADDRESS = ("street", "city", "region", "postal_code", "country")


def _countries() -> list[tuple[str, str]]:
    return [("", ""), *list_countries()]


class BusinessForm(forms.Form):
    """Whom the receipt names. All of it may stay empty, but what is given has to be enough to print."""

    use_required_attribute = False  # the same message in every browser, at the field

    company = forms.CharField(
        label=_("Company or organization"),
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
    contact_name = forms.CharField(
        label=_("Contact"), required=False, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    contact_email = forms.EmailField(
        label=_("Contact’s e-mail address"),
        required=False,
        error_messages={"invalid": _("Enter an e-mail address such as name@company.com.")},
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    street = forms.CharField(
        label=_("Street address"),
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "street-address"}),
    )
    city = forms.CharField(
        label=_("City"), required=False, widget=forms.TextInput(attrs={"autocomplete": "address-level2"})
    )
    region = forms.CharField(
        label=_("State or region"), required=False, widget=forms.TextInput(attrs={"autocomplete": "address-level1"})
    )
    postal_code = forms.CharField(
        label=_("Postal code"), required=False, widget=forms.TextInput(attrs={"autocomplete": "postal-code"})
    )
    country = forms.ChoiceField(
        label=_("Country"),
        required=False,
        choices=lazy(_countries, list)(),
        error_messages={"invalid_choice": _("Choose a country from the list.")},
        widget=forms.Select(attrs={"autocomplete": "country"}),
    )
    tax_id = forms.CharField(label=_("Tax number"), required=False, help_text=_("Such as a VAT number or an EIN."))
    po_number = forms.CharField(
        label=_("Purchase order number"), required=False, help_text=_("Printed on the receipt for your accounting.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            if isinstance(field, forms.CharField):
                limit = getattr(Order._meta.get_field(column_of(name)), "max_length", None) or 255
                field.validators.append(MaxLengthValidator(limit, _("Use up to %(limit_value)d characters.")))
                field.widget.attrs["maxlength"] = str(limit)

    def clean(self) -> dict[str, Any]:
        """Ask for the company where a tax or purchase order number is given, and for the rest of an address."""
        cleaned = super().clean() or self.cleaned_data
        has_address = any(cleaned.get(name) for name in _ADDRESS)
        if not cleaned.get("company") and (cleaned.get("tax_id") or cleaned.get("po_number") or has_address):
            self.add_error("company", _("Enter the company that these details are about."))
        if has_address:
            for name, sentence in (
                ("street", _("Enter the street address too.")),
                ("city", _("Enter the city too.")),
                ("country", _("Choose the country too.")),
            ):
                if name not in self.errors and not cleaned.get(name):
                    self.add_error(name, sentence)
        return cleaned

    @property
    def details(self) -> BusinessDetails:
        return BusinessDetails(**{name: self.cleaned_data[name] for name in self.fields})


@dataclass(frozen=True, slots=True)
class DetailsPage:
    """What is bought, and the form. Its fields carry the sum that is shown here."""

    priced: PricedBasket
    form: BusinessForm
    pay_options: tuple[PayOption, ...] = ()

    @property
    def button_is_free(self) -> bool:
        return self.priced.total.is_zero


def details_page(request: HttpRequest, data: QueryDict | None = None) -> DetailsPage:
    """The cart as it is now, and the form as it was posted or with what the buyer said last."""
    user_id = account_id(request)
    priced = price_current_basket(basket_owner(request), user_id=user_id, now=clock.now())
    options = list_pay_options(request, priced.total) if priced.can_check_out else ()
    if data is not None:
        return DetailsPage(priced, BusinessForm(data), options)
    last = last_business_details(user_id)
    form = BusinessForm(initial={name: getattr(last, name) for name in BusinessForm.base_fields})
    return DetailsPage(priced, form, options)

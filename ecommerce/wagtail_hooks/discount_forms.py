"""The forms with which discounts are made and changed. What is wrong is said at its field; nothing typed is lost."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin.widgets import AdminDateTimeInput

from courses.models import Course
from ecommerce.enums import DiscountType, PaymentType, RedemptionType
from ecommerce.models import Discount, Product
from ecommerce.selectors.discount_access import DiscountAccess
from ecommerce.services.discounts.discount_checks import COURSE_PAYMENT_TYPES, CodeWish, DiscountDraft, problems_of
from ecommerce.services.discounts.discounts import draft_of
from mitxonline.kernel import clock
from mitxonline.kernel.addresses import parse_people
from mitxonline.kernel.money import read_currency

DAY = re.compile(r"\s*\d{4}-\d{2}-\d{2}\s*")


class EndField(forms.DateTimeField):
    """A moment; a day alone counts to its end (D9)."""

    def to_python(self, value: Any) -> datetime | None:
        if isinstance(value, str) and DAY.fullmatch(value):
            try:
                day = date.fromisoformat(value.strip())
            except ValueError:
                raise ValidationError(self.error_messages["invalid"], code="invalid") from None
            return timezone.make_aware(datetime.combine(day, time.max))
        return super().to_python(value)


class AddressesField(forms.CharField):
    """E-mail addresses, one in a line or with commas between them."""

    widget = forms.Textarea(attrs={"rows": 4})

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        return tuple(dict.fromkeys(person.email for person in parse_people(text)))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed("\n".join(initial or ()), data)

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else "\n".join(value or ())


class ProductsField(forms.ModelMultipleChoiceField[Product]):
    """Products by what they sell and what that costs."""

    widget = forms.CheckboxSelectMultiple(attrs={"class": "shop-products"})

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.title} · {obj.sku} · {obj.money.formatted()} · {obj.get_mode_display()}"


class DiscountForm(forms.Form):
    """A discount that is there. Its type and currency stay, and how often its codes can be used."""

    GROUPS: tuple[tuple[Any, tuple[str, ...]], ...] = (
        (gettext_lazy("What it does"), ("name", "amount", "payment_type")),
        (gettext_lazy("For what and for whom"), ("scope", "products", "audience", "people")),
        (gettext_lazy("When"), ("activates_at", "expires_at")),
    )

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=255,
        help_text=gettext_lazy("Buyers see it where the discount applies by itself."),
    )
    amount = forms.DecimalField(label=gettext_lazy("Amount"), help_text=gettext_lazy("Percent, or money."))
    payment_type = forms.ChoiceField(label=gettext_lazy("Paid from"), choices=PaymentType.choices)
    scope = forms.ChoiceField(
        label=gettext_lazy("Products"),
        choices=[("all", gettext_lazy("All products")), ("chosen", gettext_lazy("Only those chosen here"))],
        widget=forms.RadioSelect,
        initial="all",
    )
    products = ProductsField(label=gettext_lazy("Chosen products"), queryset=Product.objects.none(), required=False)
    audience = forms.ChoiceField(
        label=gettext_lazy("People"),
        choices=[("all", gettext_lazy("Everybody")), ("chosen", gettext_lazy("Only those named here"))],
        widget=forms.RadioSelect,
        initial="all",
    )
    people = AddressesField(
        label=gettext_lazy("Their e-mail addresses"),
        required=False,
        help_text=gettext_lazy("One in a line. It works once they are signed in and their address is confirmed."),
    )
    activates_at = forms.DateTimeField(label=gettext_lazy("Valid from"), required=False, widget=AdminDateTimeInput)
    expires_at = EndField(label=gettext_lazy("Valid until"), required=False, widget=AdminDateTimeInput)

    # Where a problem belongs whose field is called otherwise here.
    FIELDS = {"redemption_type": "often", "automatic": "codes", "prefix": "begins"}

    def __init__(self, *args: Any, access: DiscountAccess, discount: Discount | None = None, **kwargs: Any) -> None:
        self.access = access
        self.discount = discount
        if discount is not None:
            kwargs["initial"] = _initial(discount) | kwargs.get("initial", {})
        super().__init__(*args, **kwargs)
        self._offer_products()
        zone = _("Time zone: %(zone)s. Empty: always.") % {"zone": timezone.get_current_timezone_name()}
        self.fields["activates_at"].help_text = zone
        self.fields["expires_at"].help_text = _("A day alone counts to its end.") + " " + zone
        if discount is not None:
            self.fields["amount"].help_text = _amount_help(discount.discount_type, discount.currency)
        if access.is_of_courses:
            self._limit_to_courses()

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if self.errors:
            return cleaned
        for problem in problems_of(self.draft(), self.wish(), access=self.access, now=clock.now()):
            name = self.FIELDS.get(problem.field, problem.field)
            self.add_error(name if name in self.fields else None, problem.sentence)
        return cleaned

    def draft(self) -> DiscountDraft:
        """The discount as it was typed."""
        given = self.cleaned_data
        before = draft_of(self.discount) if self.discount is not None else None
        return DiscountDraft(
            name=given["name"],
            discount_type=before.discount_type if before else given["discount_type"],
            amount=given["amount"],
            currency=before.currency if before else _currency(given),
            payment_type=given["payment_type"],
            redemption_type=before.redemption_type if before else _redemption(given),
            max_uses=before.max_uses if before else _max_uses(given),
            activates_at=given["activates_at"],
            expires_at=given["expires_at"],
            for_all_products=given["scope"] == "all",
            product_ids=tuple(product.pk for product in given["products"]) if given["scope"] == "chosen" else (),
            for_chosen_people=given["audience"] == "chosen",
            people=given["people"] if given["audience"] == "chosen" else (),
            automatic=before.automatic if before else given["codes"] == "none",
            course_id=before.course_id if before else self._course_id(),
        )

    def wish(self) -> CodeWish | None:
        """The codes that were asked for; none where the discount has its own."""
        return None

    def grouped(self) -> list[tuple[Any, list[forms.BoundField]]]:
        """The fields as the page shows them."""
        return [(title, [self[name] for name in names if name in self.fields]) for title, names in self.GROUPS]

    def _offer_products(self) -> None:
        products = self.access.products().with_item().order_by("sku")
        if self.discount is not None and self.discount.course_id is not None:
            products = products.filter(course_run__course_id=self.discount.course_id)
        self.fields["products"].queryset = products  # type: ignore[attr-defined]

    def _limit_to_courses(self) -> None:
        """What is finance's is not offered; that no one sends it all the same, the checks see to."""
        self.fields["scope"].choices = [("chosen", _("Only those chosen here"))]  # type: ignore[attr-defined]
        self.fields["scope"].initial = "chosen"
        self.fields["payment_type"].choices = [  # type: ignore[attr-defined]
            (each.value, each.label) for each in COURSE_PAYMENT_TYPES
        ]

    def _course_id(self) -> int | None:
        course = self.cleaned_data.get("course")
        return course.pk if course is not None else None


class NewDiscountForm(DiscountForm):
    """A discount to be made, with its codes."""

    GROUPS = (
        (
            gettext_lazy("What it does"),
            ("course", "name", "discount_type", "amount", "currency", "payment_type"),
        ),
        (gettext_lazy("For what and for whom"), ("scope", "products", "audience", "people")),
        (gettext_lazy("When"), ("activates_at", "expires_at")),
        (
            gettext_lazy("Codes"),
            ("codes", "code", "count", "begins", "addresses", "often", "max_uses"),
        ),
    )

    discount_type = forms.ChoiceField(label=gettext_lazy("Type"), choices=DiscountType.choices)
    currency = forms.CharField(
        label=gettext_lazy("Currency"),
        max_length=3,
        required=False,
        help_text=gettext_lazy("Of an amount of money; leave it for a percentage."),
    )
    course = forms.ModelChoiceField(label=gettext_lazy("Course"), queryset=Course.objects.none(), empty_label=None)
    codes = forms.ChoiceField(
        label=gettext_lazy("Codes"),
        choices=[
            ("one", gettext_lazy("One code with this text")),
            ("many", gettext_lazy("So many codes, whose text the shop thinks of")),
            ("people", gettext_lazy("One code for each of these addresses, for no one else")),
            ("none", gettext_lazy("None: the discount applies by itself")),
        ],
        widget=forms.RadioSelect,
        initial="one",
    )
    code = forms.CharField(
        label=gettext_lazy("The code"),
        max_length=100,
        required=False,
        help_text=gettext_lazy("Letters A to Z and digits, with single dashes between them. Capitals don’t count."),
    )
    count = forms.IntegerField(label=gettext_lazy("How many"), required=False, min_value=0)
    begins = forms.CharField(
        label=gettext_lazy("How each begins"), max_length=60, required=False, help_text=gettext_lazy("Like SPRING.")
    )
    addresses = AddressesField(
        label=gettext_lazy("Addresses that get a code each"), required=False, help_text=gettext_lazy("One in a line.")
    )
    often = forms.ChoiceField(
        label=gettext_lazy("Each code can be used"),
        choices=[
            ("once", gettext_lazy("Once")),
            ("per_person", gettext_lazy("Once by each person")),
            ("limited", gettext_lazy("So many times in all, once by each person")),
            ("unlimited", gettext_lazy("Without limit")),
        ],
        widget=forms.RadioSelect,
        initial="per_person",
    )
    max_uses = forms.IntegerField(label=gettext_lazy("How many times in all"), required=False, min_value=0)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["currency"].initial = settings.DEFAULT_CURRENCY
        if not self.access.is_of_courses:
            del self.fields["course"]

    def wish(self) -> CodeWish:
        given = self.cleaned_data
        kind = given["codes"]
        return CodeWish(
            text=given["code"].strip() if kind == "one" else "",
            count=(given["count"] or 0) if kind == "many" else 0,
            prefix=given["begins"].strip() if kind in {"many", "people"} else "",
            addresses=given["addresses"] if kind == "people" else (),
        )

    def clean(self) -> dict[str, Any]:
        """What was chosen needs its field; the checks say the rest."""
        given = self.cleaned_data
        needed = {"one": "code", "many": "count", "people": "addresses"}.get(given.get("codes", ""))
        if needed is not None and needed not in self.errors and not given.get(needed):
            self.add_error(needed, _("This is needed for the codes chosen above."))
        if given.get("often") == "limited" and "max_uses" not in self.errors and not given.get("max_uses"):
            self.add_error("max_uses", _("Say how many times, from 1."))
        return super().clean()

    def _limit_to_courses(self) -> None:
        super()._limit_to_courses()
        self.fields["course"].queryset = Course.objects.filter(pk__in=self.access.courses)  # type: ignore[attr-defined]
        self.fields["discount_type"].choices = [  # type: ignore[attr-defined]
            each for each in DiscountType.choices if each[0] != DiscountType.FIXED_PRICE
        ]
        choices = self.fields["codes"].choices  # type: ignore[attr-defined]
        self.fields["codes"].choices = [each for each in choices if each[0] != "none"]  # type: ignore[attr-defined]


class MoreCodesForm(forms.Form):
    """More codes of the same discount."""

    count = forms.IntegerField(label=gettext_lazy("How many"), min_value=1)
    begins = forms.CharField(label=gettext_lazy("How each begins"), max_length=60, required=False)

    def wish(self) -> CodeWish:
        """The codes that were asked for."""
        return CodeWish(count=self.cleaned_data["count"], prefix=self.cleaned_data["begins"].strip())


class LimitForm(forms.Form):
    """How often one code can be used in all."""

    max_uses = forms.IntegerField(
        label=gettext_lazy("How many times in all"),
        required=False,
        min_value=1,
        max_value=1_000_000,
        help_text=gettext_lazy("Empty: without limit."),
    )


class ExtendForm(forms.Form):
    """Another end for several discounts."""

    expires_at = EndField(
        label=gettext_lazy("Valid until"),
        required=False,
        widget=AdminDateTimeInput,
        help_text=gettext_lazy("A day alone counts to its end. Empty: without end."),
    )


def _initial(discount: Discount) -> dict[str, Any]:
    draft = draft_of(discount)
    return {
        "name": draft.name,
        "amount": f"{draft.amount.normalize():f}",
        "payment_type": draft.payment_type,
        "scope": "all" if draft.for_all_products else "chosen",
        "products": list(draft.product_ids),
        "audience": "chosen" if draft.for_chosen_people else "all",
        "people": draft.people,
        "activates_at": draft.activates_at,
        "expires_at": draft.expires_at,
    }


def _amount_help(discount_type: str, currency: str) -> str:
    if discount_type == DiscountType.PERCENT_OFF:
        return _("Percent off.")
    kinds = {
        DiscountType.AMOUNT_OFF: _("off the whole cart, once"),
        DiscountType.AMOUNT_OFF_EACH: _("off each course"),
    }
    return f"{currency} {kinds.get(DiscountType(discount_type), _('as the price'))}."


def _currency(given: dict[str, Any]) -> str:
    """A percentage has none, whatever the field was left with."""
    if given["discount_type"] == DiscountType.PERCENT_OFF:
        return ""
    return read_currency(given["currency"])


def _redemption(given: dict[str, Any]) -> str:
    if given["codes"] == "none":
        return RedemptionType.UNLIMITED
    often = {"once": RedemptionType.ONE_TIME, "unlimited": RedemptionType.UNLIMITED}
    return often.get(given["often"], RedemptionType.ONE_TIME_PER_USER)


def _max_uses(given: dict[str, Any]) -> int | None:
    if given["codes"] == "none":
        return None
    return given["max_uses"] if given["often"] == "limited" else None

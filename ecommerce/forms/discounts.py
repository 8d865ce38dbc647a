"""The forms that create and change discounts, for the admin's pages and for generate_discount_code.

What makes a discount impossible is decided by `validate_discount`; a form only requires the fields of what was chosen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar, cast

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import EMPTY_VALUES
from django.db.models import Model
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from courses.models import Course
from ecommerce.enums import DiscountType, PaymentType, RedemptionType
from ecommerce.models import Discount, DiscountCode, Product
from ecommerce.models.discount import validate_max_uses
from ecommerce.selectors.discount_access import DiscountAccess
from ecommerce.services.discounts.discounts import draft_of
from ecommerce.services.discounts.validation import COURSE_PAYMENT_TYPES, DiscountDraft, NewCodes, validate_discount
from mitxonline.kernel import clock
from mitxonline.kernel.money import read_currency
from mitxonline.kernel.people.fields import PeopleInput
from mitxonline.kernel.shop import current_shop
from mitxonline.staff.conflicts import (
    NOT_SAID,
    ConflictFormMixin,
    SeenField,
    describe_authors,
    describe_difference,
    read_signed_values,
    sign_values,
    to_shown,
)
from mitxonline.staff.days import DayField, explain_days, keep_unchanged_moments
from mitxonline.staff.sites import SiteField, SiteFormMixin


class AddressesField(forms.CharField):
    """E-mail addresses as people type and paste them, one of the form's lists. Names beside them are left out."""

    widget = forms.Textarea(attrs={"rows": 4})

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed("\n".join(initial or ()), data)

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else "\n".join(value or ())


class ProductsField(forms.ModelMultipleChoiceField[Product]):
    # The script beside the form reads these texts and puts a search above the list.
    widget = forms.CheckboxSelectMultiple(
        attrs={
            "class": "shop-products",
            "data-search": gettext_lazy("Search by course, SKU or price"),
            "data-status": gettext_lazy("{shown} of {total} shown, {chosen} chosen"),
        }
    )

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.title} · {obj.sku} · {obj.money.formatted()} · {obj.get_mode_display()}"


class DiscountForm(SiteFormMixin, forms.Form):
    """Changes a discount. Its type, its currency and how often its codes can be used never change."""

    GROUPS: tuple[tuple[Any, tuple[str, ...]], ...] = (
        (gettext_lazy("Discount"), ("name", "amount", "payment_type")),
        (gettext_lazy("Applies to"), ("site", "scope", "products", "audience", "people", "for_groups")),
        (gettext_lazy("Dates"), ("activates_at", "expires_at")),
    )
    # The fields that belong to some values of another one. Beside other values they are a contradiction.
    BELONGS_TO: ClassVar[dict[str, tuple[str, tuple[str, ...]]]] = {
        "products": ("scope", ("chosen",)),
        "people": ("audience", ("chosen",)),
    }
    # The form's names of those fields of a draft that are called differently here.
    FIELDS = {"redemption_type": "often", "automatic": "codes", "prefix": "begins", "site_id": "site"}

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=255,
        help_text=gettext_lazy("Buyers see it when the discount applies automatically."),
    )
    amount = forms.DecimalField(label=gettext_lazy("Amount"), help_text=gettext_lazy("A percentage or an amount."))
    payment_type = forms.ChoiceField(label=gettext_lazy("Paid from"), choices=PaymentType.choices)
    site = SiteField(help_text=Discount._meta.get_field("site").help_text)
    scope = forms.ChoiceField(
        label=gettext_lazy("Products"),
        choices=[("all", gettext_lazy("All products")), ("chosen", gettext_lazy("Only the products chosen here"))],
        widget=forms.RadioSelect,
        initial="all",
    )
    products = ProductsField(label=gettext_lazy("Chosen products"), queryset=Product.objects.none(), required=False)
    audience = forms.ChoiceField(
        label=gettext_lazy("People"),
        choices=[("all", gettext_lazy("Everyone")), ("chosen", gettext_lazy("Only the people named here"))],
        widget=forms.RadioSelect,
        initial="all",
    )
    people = AddressesField(
        label=gettext_lazy("Their e-mail addresses"),
        required=False,
        help_text=gettext_lazy("One on each line. They must be signed in and have confirmed their address."),
    )
    for_groups = forms.BooleanField(
        label=gettext_lazy("Also for groups"),
        required=False,
        help_text=Discount._meta.get_field("for_groups").help_text,
    )
    activates_at = DayField(
        label=gettext_lazy("Valid from"), required=False, help_text=gettext_lazy("Leave it empty for no limit.")
    )
    expires_at = DayField(
        label=gettext_lazy("Valid until"),
        required=False,
        is_end=True,
        help_text=gettext_lazy("Leave it empty for no limit."),
    )

    def __init__(self, *args: Any, access: DiscountAccess, discount: Discount | None = None, **kwargs: Any) -> None:
        self.access = access
        self.discount = discount
        if discount is not None:
            kwargs["initial"] = _initial_for(discount) | kwargs.get("initial", {})
        super().__init__(*args, **kwargs)
        products = access.products().with_item().order_by("sku")
        if discount is not None and discount.course_id is not None:
            products = products.filter(course_run__course_id=discount.course_id)
        self.fields["products"].queryset = products  # type: ignore[attr-defined]
        names = [name for name, field in self.fields.items() if isinstance(field, AddressesField)]
        self.lists = {name: PeopleInput(self, name, f"{name}_") for name in names}
        explain_days(self, self.get_stored_days())
        if discount is not None:
            self.fields["amount"].help_text = _describe_amount(discount.discount_type, discount.currency)
        if access.is_of_courses:
            self.limit_to_courses()

    def _clean_fields(self) -> None:
        super()._clean_fields()  # type: ignore[misc]  # the stubs leave it out
        for name, people in self.lists.items():
            if name not in self.cleaned_data:
                continue
            people.read(self.cleaned_data[name])
            if people.doubtful_heading:
                sentence = _("“%(text)s” isn’t an e-mail address.")
                self.add_error(name, sentence % {"text": people.doubtful_heading[:80]})
            else:
                found = (person.email or person.name for person in people.listed)
                self.cleaned_data[name] = tuple(dict.fromkeys(found))

    def limit_to_courses(self) -> None:
        """Offer course staff only what they may choose. Other values are refused by `validate_discount`."""
        self.fields["scope"].choices = [("chosen", _("Only the products chosen here"))]  # type: ignore[attr-defined]
        self.fields["scope"].initial = "chosen"
        self.fields["payment_type"].choices = [  # type: ignore[attr-defined]
            (each.value, each.label) for each in COURSE_PAYMENT_TYPES
        ]

    def get_stored_days(self) -> dict[str, datetime | None]:
        discount = self.discount
        if discount is None:
            return {}
        return {"activates_at": discount.activates_at, "expires_at": discount.expires_at}

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        self.refuse_contradictions()
        keep_unchanged_moments(self, self.get_stored_days())
        if self.errors:
            return cleaned
        try:
            self.validate()
        except ValidationError as error:
            for field, messages in error.message_dict.items():
                self.add_error(self.get_field_name(field), messages)
        return cleaned

    def refuse_contradictions(self) -> None:
        """Refuse what was entered for another choice than the one made, instead of ignoring it."""
        for name, (chooser, values) in self.BELONGS_TO.items():
            chosen = self.cleaned_data.get(chooser)
            if chosen is None or chosen in values or not self.cleaned_data.get(name):
                continue
            choices = dict(cast("Any", self.fields[chooser]).choices)
            sentence = _("This doesn’t go with “%(choice)s”. Empty it, or choose otherwise.")
            self.add_error(name, sentence % {"choice": choices[chosen]})

    def validate(self) -> None:
        validate_discount(self.get_draft(), self.get_codes(), access=self.access, now=clock.now())

    def get_field_name(self, field: str) -> str | None:
        """Return this form's name of a draft's field; None for one that it doesn't have."""
        name = self.FIELDS.get(field, field)
        return name if name in self.fields else None

    def get_draft(self) -> DiscountDraft:
        assert self.discount is not None  # noqa: S101 - a new discount has a form of its own
        return replace(draft_of(self.discount), **self.get_editable_values())

    def get_editable_values(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        has_products, has_people = cleaned["scope"] == "chosen", cleaned["audience"] == "chosen"
        return {
            "name": cleaned["name"],
            "amount": cleaned["amount"],
            "payment_type": cleaned["payment_type"],
            "activates_at": cleaned["activates_at"],
            "expires_at": cleaned["expires_at"],
            "for_all_products": not has_products,
            "product_ids": tuple(product.pk for product in cleaned["products"]) if has_products else (),
            "for_chosen_people": has_people,
            "people": cleaned["people"] if has_people else (),
            "for_groups": cleaned["for_groups"],
            **({"site_id": cleaned["site"].pk if cleaned["site"] is not None else None} if "site" in cleaned else {}),
        }

    def get_codes(self) -> NewCodes | None:
        """Return the codes to create; None where the discount already has its own."""
        return None

    def get_groups(self) -> list[tuple[Any, list[tuple[forms.BoundField, str]]]]:
        """Return the headings of the page with their fields, and the choice that each field belongs to."""
        return [(title, list(self._list_fields(names))) for title, names in self.GROUPS]

    def _list_fields(self, names: Sequence[str]) -> Iterator[tuple[forms.BoundField, str]]:
        for name in names:
            chooser, values = self.BELONGS_TO.get(name, ("", ()))
            belongs_to = f"{chooser}={','.join(values)}" if chooser else ""
            if name in self.fields:
                yield self[name], belongs_to
            if name in self.lists:
                people = self.lists[name]
                for each in (people.file, *people.questions):
                    if each in self.fields and not self[each].is_hidden:
                        yield self[each], belongs_to


class ChangeDiscountForm(ConflictFormMixin, DiscountForm):
    """Changes a discount, unless someone else has since it was shown."""

    def get_stored(self) -> Discount | None:
        return self.discount

    def get_current_form(self, stored: Model) -> ChangeDiscountForm:
        return ChangeDiscountForm(access=self.access, discount=cast("Discount", stored))


class NewDiscountForm(DiscountForm):
    """Creates a discount with its codes."""

    GROUPS = (
        (gettext_lazy("Discount"), ("course", "name", "discount_type", "amount", "currency", "payment_type")),
        (gettext_lazy("Applies to"), ("site", "scope", "products", "audience", "people", "for_groups")),
        (gettext_lazy("Dates"), ("activates_at", "expires_at")),
        (gettext_lazy("Codes"), ("codes", "code", "count", "begins", "addresses", "often", "max_uses")),
    )

    BELONGS_TO: ClassVar = {
        **DiscountForm.BELONGS_TO,
        "code": ("codes", ("one",)),
        "count": ("codes", ("many",)),
        "begins": ("codes", ("many", "people")),
        "addresses": ("codes", ("people",)),
        "max_uses": ("often", ("limited",)),
    }

    scope = forms.ChoiceField(
        label=gettext_lazy("Products"),
        choices=[("all", gettext_lazy("All products")), ("chosen", gettext_lazy("Only the products chosen here"))],
        widget=forms.RadioSelect,
        error_messages={"required": gettext_lazy("Choose which products the discount is for.")},
    )
    discount_type = forms.ChoiceField(label=gettext_lazy("Type"), choices=DiscountType.choices)
    currency = forms.CharField(
        label=gettext_lazy("Currency"),
        max_length=3,
        required=False,
        help_text=gettext_lazy("Ignored for a percentage."),
    )
    course = forms.ModelChoiceField(label=gettext_lazy("Course"), queryset=Course.objects.none(), empty_label=None)
    codes = forms.ChoiceField(
        label=gettext_lazy("Codes"),
        choices=[
            ("one", gettext_lazy("One code with this text")),
            ("many", gettext_lazy("Several generated codes")),
            ("people", gettext_lazy("A personal code for each of these addresses")),
            ("none", gettext_lazy("No codes: the discount applies automatically")),
        ],
        widget=forms.RadioSelect,
        initial="one",
    )
    code = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=100,
        required=False,
        help_text=gettext_lazy("Letters A to Z and digits, with single dashes between them. Capitals don’t count."),
    )
    count = forms.IntegerField(label=gettext_lazy("Number of codes"), required=False)
    begins = forms.CharField(
        label=gettext_lazy("Prefix"), required=False, help_text=gettext_lazy("How each code starts, such as SPRING.")
    )
    addresses = AddressesField(
        label=gettext_lazy("E-mail addresses"), required=False, help_text=gettext_lazy("One on each line.")
    )
    often = forms.ChoiceField(
        label=gettext_lazy("Each code can be used"),
        choices=[
            ("once", gettext_lazy("Once")),
            ("per_person", gettext_lazy("Once per person")),
            ("limited", gettext_lazy("Once per person, up to a total")),
            ("unlimited", gettext_lazy("Unlimited")),
        ],
        widget=forms.RadioSelect,
        initial="per_person",
    )
    max_uses = forms.IntegerField(label=gettext_lazy("Total uses"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["currency"].initial = current_shop().currency
        if not self.access.is_of_courses:
            del self.fields["course"]

    def limit_to_courses(self) -> None:
        super().limit_to_courses()
        self.fields["course"].queryset = Course.objects.filter(pk__in=self.access.courses)  # type: ignore[attr-defined]
        for name, excluded in (("discount_type", DiscountType.FIXED_PRICE), ("codes", "none")):
            choices = self.fields[name].choices  # type: ignore[attr-defined]
            self.fields[name].choices = [each for each in choices if each[0] != excluded]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        needed = {"one": "code", "many": "count", "people": "addresses"}.get(cleaned.get("codes", ""))
        for name in [needed, "max_uses" if cleaned.get("often") == "limited" else None]:
            if name is not None and name not in self.errors and cleaned.get(name) in EMPTY_VALUES:
                self.add_error(name, self.fields[name].error_messages["required"])
        return super().clean()

    def get_draft(self) -> DiscountDraft:
        cleaned, course = self.cleaned_data, self.cleaned_data.get("course")
        is_percentage = cleaned["discount_type"] == DiscountType.PERCENT_OFF
        is_automatic = cleaned["codes"] == "none"
        redemptions = {
            "once": RedemptionType.ONE_TIME,
            "per_person": RedemptionType.ONE_TIME_PER_USER,
            "limited": RedemptionType.ONE_TIME_PER_USER,
            "unlimited": RedemptionType.UNLIMITED,
        }
        return DiscountDraft(
            **self.get_editable_values(),
            discount_type=cleaned["discount_type"],
            currency="" if is_percentage else read_currency(cleaned["currency"]),
            redemption_type=RedemptionType.UNLIMITED if is_automatic else redemptions[cleaned["often"]],
            max_uses=cleaned["max_uses"] if cleaned["often"] == "limited" and not is_automatic else None,
            automatic=is_automatic,
            course_id=course.pk if course is not None else None,
        )

    def get_codes(self) -> NewCodes:
        cleaned = self.cleaned_data
        kind = cleaned["codes"]
        return NewCodes(
            text=cleaned["code"] if kind == "one" else "",
            generate=(cleaned["count"] or 0) if kind == "many" else 0,
            prefix=cleaned["begins"] if kind in {"many", "people"} else "",
            addresses=cleaned["addresses"] if kind == "people" else (),
        )


class MoreCodesForm(forms.Form):
    """Creates more codes for a discount."""

    count = forms.IntegerField(label=gettext_lazy("Number of codes"))
    begins = forms.CharField(label=gettext_lazy("Prefix"), required=False)

    def get_codes(self) -> NewCodes:
        return NewCodes(generate=self.cleaned_data["count"], prefix=self.cleaned_data["begins"])


class LimitForm(ConflictFormMixin, forms.Form):
    """Limits how often one code can be used in total."""

    def __init__(self, *args: Any, code: DiscountCode, **kwargs: Any) -> None:
        self.discount_code = code
        super().__init__(*args, **{**kwargs, "initial": {"max_uses": code.max_uses}})

    def get_stored(self) -> DiscountCode:
        return self.discount_code

    def get_current_form(self, stored: Model) -> LimitForm:
        return LimitForm(code=cast("DiscountCode", stored))

    max_uses = forms.IntegerField(
        label=gettext_lazy("Total uses"),
        required=False,
        validators=[validate_max_uses],
        help_text=gettext_lazy("Leave it empty for no limit."),
    )


class ExtendForm(forms.Form):
    """Changes when several discounts end, unless someone else changed the end of one since they were shown."""

    seen = SeenField()
    expires_at = DayField(
        label=gettext_lazy("Valid until"),
        required=False,
        is_end=True,
        help_text=gettext_lazy("Leave it empty for no end."),
    )

    def __init__(self, *args: Any, discounts: Sequence[Discount], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.discounts = discounts
        explain_days(self, {})
        self.initial["seen"] = lambda: sign_values("discounts", _ends_of(self.discounts))

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if (text := self.data.get(self.add_prefix("seen"))) is None:
            return cleaned  # a script that saw nothing
        if (seen := read_signed_values("discounts", text)) is None:
            self.add_error(None, NOT_SAID)
            return cleaned
        self.discounts = list(Discount.objects.filter(pk__in=[each.pk for each in self.discounts]).locked())
        since = datetime.fromisoformat(seen["at"])
        for discount in self.discounts:
            before, end = seen["values"].get(str(discount.pk)), _ends_of([discount])[str(discount.pk)]
            if before == end:
                continue
            sentence = _("%(people)s changed the end of “%(name)s” while you had this open. %(difference)s")
            names = {
                "people": describe_authors(discount, since=since),
                "name": discount,
                "difference": describe_difference(self.fields["expires_at"], before or "", end),
            }
            self.add_error(None, sentence % names)
        if self.errors:
            data = cast("Any", self.data).copy()
            data[self.add_prefix("seen")] = self.get_initial_for_field(self.fields["seen"], "seen")
            self.data = data
        return cleaned


def _ends_of(discounts: Iterable[Discount]) -> dict[str, str]:
    return {str(each.pk): str(to_shown(ExtendForm.base_fields["expires_at"], each.expires_at)) for each in discounts}


def _initial_for(discount: Discount) -> dict[str, Any]:
    draft = draft_of(discount)
    return {
        "name": draft.name,
        "amount": f"{draft.amount.normalize():f}",
        "payment_type": draft.payment_type,
        "scope": "all" if draft.for_all_products else "chosen",
        "products": list(draft.product_ids),
        "audience": "chosen" if draft.for_chosen_people else "all",
        "people": draft.people,
        "for_groups": draft.for_groups,
        "site": draft.site_id,
        "activates_at": draft.activates_at,
        "expires_at": draft.expires_at,
    }


def _describe_amount(discount_type: str, currency: str) -> str:
    match discount_type:
        case DiscountType.PERCENT_OFF:
            return _("Percent off.")
        case DiscountType.AMOUNT_OFF:
            return _("%(currency)s off the whole cart, once.") % {"currency": currency}
        case DiscountType.AMOUNT_OFF_EACH:
            return _("%(currency)s off each course.") % {"currency": currency}
        case _other:
            return _("Price in %(currency)s.") % {"currency": currency}

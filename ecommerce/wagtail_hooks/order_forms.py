"""The forms finance decides with. What can be given back is the services' answer; the forms read what was typed."""

from __future__ import annotations

import uuid
from typing import Any, cast

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from ecommerce.enums import EnrollmentAfter
from ecommerce.selectors.order_desk import OrderAtDesk
from ecommerce.selectors.refund_plan import REASON_LENGTH
from ecommerce.services.refunds.refunds import RefundWish
from mitxonline.kernel.money import Money, minor_digits

ALL, LINES, AMOUNT = "all", "lines", "amount"


class ReasonForm(forms.Form):
    """Why someone decides so."""

    reason = forms.CharField(
        label=_("Why"),
        max_length=REASON_LENGTH,
        help_text=_("Kept in the order's log."),
        error_messages={"required": _("Say why, in a few words. It is kept with the order.")},
    )


class AnswerForm(forms.Form):
    """What a buyer is told with a refusal."""

    answer = forms.CharField(
        label=_("Answer to the buyer"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_("Mailed to the buyer as it stands here."),
        error_messages={"required": _("Write a sentence to the buyer: it is sent with the refusal.")},
    )


class UndoForm(ReasonForm):
    """Why what cost nothing is taken back, and of several lines which."""

    lines = forms.MultipleChoiceField(
        label=_("Courses"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose the courses.")},
    )
    field_order = ("lines", "reason")

    def __init__(self, *args: Any, desk: OrderAtDesk, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        lines = [(str(each.line.pk), each.line.title) for each in desk.free_lines]
        cast("forms.ChoiceField", self.fields["lines"]).choices = lines
        if len(lines) < 2:
            del self.fields["lines"]


class RefundForm(forms.Form):
    """How much goes back, why, and what follows."""

    what = forms.ChoiceField(label=_("How much"), widget=forms.RadioSelect)
    lines = forms.MultipleChoiceField(label=_("Courses"), required=False, widget=forms.CheckboxSelectMultiple)
    amount = forms.DecimalField(
        label=_("Amount"),
        required=False,
        max_digits=12,
        help_text=_("Less than the whole price of what is chosen."),
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    reason = forms.CharField(
        label=_("Why"),
        max_length=REASON_LENGTH,
        help_text=_("Kept in the order's log; the buyer doesn't read it."),
        error_messages={"required": _("Say why the money goes back.")},
    )
    courses = forms.ChoiceField(
        label=_("The courses it is for"),
        choices=EnrollmentAfter.choices,
        widget=forms.RadioSelect,
        help_text=_("A course that the buyer has in another way too stays open in any case."),
    )
    frees_codes = forms.BooleanField(
        label=_("The codes used for it can be used again"),
        required=False,
        help_text=_("With an enrollment code this frees the seat too. A code that a later order relies on stays used."),
    )
    # Names the act: a form posted twice gives the money back once.
    reference = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, desk: OrderAtDesk, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.desk = desk
        left = desk.refundable.formatted()
        choices: list[tuple[str, Any]] = [(ALL, _("All that is left: %(amount)s") % {"amount": left})]
        self.currency = desk.refundable.currency
        if desk.has_lines_to_choose:
            choices.append((LINES, _("The whole price of the courses chosen below")))
        choices.append((AMOUNT, _("The amount given below")))
        self._set_choices("what", choices)
        self._set_choices(
            "lines",
            [(str(each.line.pk), f"{each.line.title} ({each.left.formatted()})") for each in desk.lines],
        )
        if not desk.has_lines_to_choose:
            del self.fields["lines"]

    @classmethod
    def first(cls, desk: OrderAtDesk) -> RefundForm:
        """The form as it is first seen: all of it, or what the buyer asked for."""
        request = desk.open_request
        chosen = [str(line.pk) for line in request.lines.all()] if request is not None else []
        reason = str(request.get_why_display()) if request is not None else ""
        return cls(
            desk=desk,
            initial={
                "what": LINES if chosen and desk.has_lines_to_choose else ALL,
                "lines": chosen,
                "courses": EnrollmentAfter.REMOVE,
                "reason": reason,
                "reference": uuid.uuid4(),
            },
        )

    def clean(self) -> dict[str, Any]:
        """Courses or an amount, where they were chosen; to the smallest unit of the currency."""
        given = super().clean() or {}
        what, amount = given.get("what"), given.get("amount")
        if "reference" in self.errors:
            self.add_error(None, _("Something is missing from this page. Open the refund again from the order."))
        if what == LINES and not given.get("lines"):
            self.add_error("lines", _("Choose the courses."))
        if what == AMOUNT and "amount" not in self.errors:
            if amount is None or amount <= 0:
                self.add_error("amount", _("Give an amount above zero."))
            elif -amount.normalize().as_tuple().exponent > minor_digits(self.currency):
                sentence = _("Amounts in %(currency)s have %(digits)d digits after the point.")
                digits = minor_digits(self.currency)
                self.add_error("amount", sentence % {"currency": self.currency, "digits": digits})
        return given

    @property
    def wish(self) -> RefundWish:
        """What was typed, as the services take it."""
        given = self.cleaned_data
        what = given["what"]
        chosen = tuple(int(key) for key in given.get("lines") or ())
        return RefundWish(
            reason=given["reason"],
            enrollment_after=EnrollmentAfter(given["courses"]),
            frees_codes=given["frees_codes"],
            amount=Money(given["amount"], self.currency) if what == AMOUNT else None,
            line_ids=chosen if what == LINES or (what == AMOUNT and chosen) else None,
        )

    @property
    def posted(self) -> list[tuple[str, str]]:
        """What was typed, to be posted again by the page that asks whether it is meant."""
        return [(name, value) for name in self.fields for value in cast("QueryDict", self.data).getlist(name)]

    def _set_choices(self, name: str, choices: list[tuple[str, Any]]) -> None:
        cast("forms.ChoiceField", self.fields[name]).choices = choices

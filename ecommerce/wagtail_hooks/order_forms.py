"""Forms for decisions about orders. The services decide what can be refunded; the forms read what was entered."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, cast

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from ecommerce.enums import EnrollmentAfter
from ecommerce.models.fields import find_amount_problem
from ecommerce.selectors.order_desk import LineAtDesk, OrderAtDesk
from ecommerce.selectors.refund_plan import LoweredProgram, RefundChoice
from ecommerce.services.refunds.seats import SeatsOfRefund
from mitxonline.kernel.money import Money
from mitxonline.staff.pages import ReasonForm

ALL, LINES, AMOUNT, SEATS = "all", "lines", "amount", "seats"


class AnswerForm(forms.Form):
    """The answer that a buyer gets when a refund is denied."""

    answer = forms.CharField(
        label=_("Answer to the buyer"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_("E-mailed to the buyer exactly as you write it."),
        error_messages={"required": _("Write an answer. It is e-mailed to the buyer.")},
    )


class NoteForm(forms.Form):
    """What staff want to remember about an order."""

    text = forms.CharField(
        label=_("Note"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Only staff can read this."),
        error_messages={"required": _("Write a note first.")},
    )


def redeemed_field() -> forms.BooleanField:
    """Make the box without which seats of a group that were redeemed are refused."""
    return forms.BooleanField(
        label=_("Take back redeemed seats too"),
        required=False,
        help_text=_("Seats that no one has redeemed go first, then those redeemed last. You’ll see whose they are."),
    )


class UndoForm(ReasonForm):
    """Which free lines are undone, and why. With one line there is nothing to choose.

    The one line is named all the same: a form posted again must not undo what was left by the first time.
    """

    lines = forms.MultipleChoiceField(
        label=_("Courses"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={
            "required": _("Choose at least one course."),
            "invalid_choice": _("What can be undone has changed. Check the order again."),
        },
    )
    field_order = ("lines", "reason")

    def __init__(self, *args: Any, desk: OrderAtDesk, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        lines = [(str(each.line.pk), _name_line(each)) for each in desk.free_lines]
        cast("forms.ChoiceField", self.fields["lines"]).choices = lines
        if any(each.redeemed for each in desk.free_lines):
            self.fields["takes_redeemed"] = redeemed_field()
        if len(lines) < 2:
            self.fields["lines"].widget = forms.MultipleHiddenInput()
            self.fields["lines"].initial = [key for key, _title in lines]

    def clean(self) -> dict[str, Any]:
        """Say about the form what its hidden field can't show."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if self.fields["lines"].widget.is_hidden and "lines" in self.errors:
            self.add_error(None, self.errors.pop("lines"))
        return cleaned


class OrderRefundForm(ReasonForm):
    """How much is refunded, why, and what happens to the courses and codes. Nothing of it is chosen beforehand."""

    scope = forms.ChoiceField(
        label=_("How much"),
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose how much is refunded.")},
    )
    lines = forms.MultipleChoiceField(label=_("Courses"), required=False, widget=forms.CheckboxSelectMultiple)
    amount = forms.DecimalField(
        label=_("Amount"),
        required=False,
        max_digits=12,
        help_text=_("Less than the full price of the chosen courses. Only if you chose to enter an amount."),
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    enrollment_after = forms.ChoiceField(
        label=_("The refunded courses"),
        choices=EnrollmentAfter.choices,
        widget=forms.RadioSelect,
        help_text=_("The buyer keeps a course they also have some other way."),
        error_messages={"required": _("Choose what happens to the courses.")},
    )
    frees_codes = forms.BooleanField(
        label=_("The codes used for them can be used again"),
        required=False,
        help_text=_("An enrollment code frees its seat too. A code that a later order relies on stays used."),
    )
    # Only where a course that is refunded made a program cheaper.
    leaves_program_cheaper = forms.BooleanField(
        label=_("Refund it anyway: the program stays at the lower price"),
        required=False,
    )
    # Names this refund, so a form that is posted twice refunds once.
    reference = forms.UUIDField(widget=forms.HiddenInput)
    field_order = (
        "scope",
        "lines",
        "amount",
        "leaves_program_cheaper",
        "reason",
        "enrollment_after",
        "frees_codes",
        "reference",
    )

    def __init__(self, *args: Any, desk: OrderAtDesk, lowered: Sequence[LoweredProgram] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lowered = lowered
        if not lowered:
            del self.fields["leaves_program_cheaper"]
        self.currency = desk.refundable.currency
        left = desk.refundable.formatted()
        self.is_part = desk.is_part
        everything = (ALL, _("Everything that is left: %(amount)s") % {"amount": left})
        scopes: list[tuple[str, Any]] = [] if self.is_part else [everything]
        if desk.has_lines_to_choose:
            scopes.append((LINES, _("The full price of the courses chosen below")))
            cast("forms.ChoiceField", self.fields["lines"]).choices = [
                (str(each.line.pk), f"{_name_line(each)} ({each.left.formatted()})") for each in desk.lines
            ]
        else:
            del self.fields["lines"]
        if desk.group_lines:
            scopes.append((SEATS, _("The seats entered below")))
        scopes.append((AMOUNT, _("The amount entered below")))
        cast("forms.ChoiceField", self.fields["scope"]).choices = scopes
        self.seat_fields = {f"seats_{each.line.pk}": each for each in desk.group_lines}
        for name, each in self.seat_fields.items():
            self.fields[name] = _seats_field(each)
        if any(each.seats_left for each in desk.lines):
            self.fields["takes_redeemed"] = redeemed_field()
        self.order_fields(["scope", "lines", *self.seat_fields, "takes_redeemed", *self.field_order[2:]])

    @staticmethod
    def initial_for(desk: OrderAtDesk) -> dict[str, Any]:
        """Propose the buyer's reason. What is refunded, and what becomes of the courses, finance chooses."""
        request = desk.open_request
        return {
            "reason": str(request.get_why_display()) if request is not None else "",
            "reference": uuid.uuid4(),
        }

    def clean(self) -> dict[str, Any]:
        """Require the lines or the amount that the scope needs, and refuse those that contradict it."""
        cleaned = super().clean() or {}
        scope, amount = cleaned.get("scope"), cleaned.get("amount")
        if "reference" in self.errors:
            self.add_error(None, _("This page is incomplete. Open the refund again from the order."))
        # Whoever looks after some of the courses refunds no part of the others.
        if (scope == LINES or (scope == AMOUNT and self.is_part)) and not cleaned.get("lines"):
            self.add_error("lines", _("Choose at least one course."))
        if scope in {ALL, LINES} and (amount is not None or "amount" in self.errors):
            self.errors.pop("amount", None)
            sentence = _(
                "You entered an amount, but chose otherwise. Choose “The amount entered below”, or empty this."
            )
            self.add_error("amount", sentence)
        if scope == ALL and cleaned.get("lines"):
            sentence = _("You ticked courses, but chose to refund everything. Untick them, or choose them above.")
            self.add_error("lines", sentence)
        self._check_seats(cleaned, scope)
        if scope == AMOUNT and "amount" not in self.errors:
            if amount is None or amount <= 0:
                self.add_error("amount", _("Enter an amount above zero."))
            elif (problem := find_amount_problem(amount, self.currency)) is not None:
                self.add_error("amount", problem)
        if self._makes_program_cheaper() and not cleaned.get("leaves_program_cheaper"):
            sentence = _("Refunding this leaves a program at a lower price. Tick this, or refund less.")
            self.add_error("leaves_program_cheaper", sentence)
        return cleaned

    def _check_seats(self, cleaned: dict[str, Any], scope: str | None) -> None:
        """Require a number of seats where seats are refunded, and refuse one where something else is."""
        entered = [name for name in self.seat_fields if cleaned.get(name) or name in self.errors]
        if scope == SEATS and not entered:
            self.add_error(next(iter(self.seat_fields)), _("Enter how many seats are refunded."))
        if scope in {ALL, LINES, AMOUNT}:
            for name in entered:
                self.errors.pop(name, None)
                self.add_error(
                    name, _("You entered seats, but chose otherwise. Choose “The seats entered below”, or empty this.")
                )
        if scope == SEATS and (cleaned.get("amount") is not None or cleaned.get("lines")):
            name = "amount" if cleaned.get("amount") is not None else "lines"
            self.add_error(name, _("You chose to refund seats. Empty this, or choose otherwise above."))

    @property
    def leaves_cheaper(self) -> bool:
        return bool(self.cleaned_data.get("leaves_program_cheaper")) and self._makes_program_cheaper()

    def _makes_program_cheaper(self) -> bool:
        """Whether a course that made a program cheaper is refunded. An amount may be lower for that very reason."""
        scope, chosen = self.cleaned_data.get("scope"), set(self.cleaned_data.get("lines") or ())
        if scope == LINES:
            return any(str(line_id) in chosen for each in self.lowered for line_id in each.line_ids)
        return scope == ALL and bool(self.lowered)

    def to_choice(self) -> RefundChoice:
        cleaned = self.cleaned_data
        lines = tuple(int(key) for key in cleaned.get("lines") or ())
        is_amount = cleaned["scope"] == AMOUNT
        return RefundChoice(
            reason=cleaned["reason"],
            enrollment_after=EnrollmentAfter(cleaned["enrollment_after"]),
            frees_codes=cleaned["frees_codes"],
            amount=Money(cleaned["amount"], self.currency) if is_amount else None,
            line_ids=lines if cleaned["scope"] == LINES or (is_amount and lines) else None,
            seats=tuple((each.line.pk, cleaned[name]) for name, each in self.seat_fields.items() if cleaned.get(name)),
            takes_redeemed=cleaned.get("takes_redeemed", False),
        )

    @property
    def hidden_inputs(self) -> list[tuple[str, str]]:
        """Everything that was posted, so that the confirmation page can post it again."""
        return [(name, value) for name in self.fields for value in cast("QueryDict", self.data).getlist(name)]


class RefundSeatsForm(ReasonForm):
    """How many seats of each group a refund made elsewhere was for, or none. Nothing is chosen beforehand."""

    kind = forms.ChoiceField(
        label=_("What was it for?"),
        choices=[(SEATS, _("The seats entered below")), (AMOUNT, _("No seats: the price was lowered"))],
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose what it was for.")},
    )
    enrollment_after = forms.ChoiceField(
        label=_("The courses of redeemed seats"),
        choices=EnrollmentAfter.choices,
        widget=forms.RadioSelect,
        required=False,
        help_text=_("Only if you take back redeemed seats."),
    )

    def __init__(self, *args: Any, desk: OrderAtDesk, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seat_fields = {f"seats_{each.line.pk}": each for each in desk.lines if each.seats_left and each.line.due}
        for name, each in self.seat_fields.items():
            self.fields[name] = _seats_field(each)
        self.fields["takes_redeemed"] = redeemed_field()
        self.order_fields(["kind", *self.seat_fields, "takes_redeemed", "enrollment_after", "reason"])

    def clean(self) -> dict[str, Any]:
        """Require seats or none, as chosen, and say what happens to the courses of redeemed ones."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        kind, entered = cleaned.get("kind"), [name for name in self.seat_fields if cleaned.get(name)]
        if kind == SEATS and not entered and not any(name in self.errors for name in self.seat_fields):
            self.add_error(next(iter(self.seat_fields), None), _("Enter how many seats it was for."))
        if kind == AMOUNT:
            for name in entered:
                self.add_error(name, _("You chose that it was for no seats. Empty this, or choose the seats above."))
        if cleaned.get("takes_redeemed") and not cleaned.get("enrollment_after"):
            self.add_error("enrollment_after", _("Choose what happens to the courses."))
        return cleaned

    def to_choice(self) -> SeatsOfRefund:
        cleaned = self.cleaned_data
        return SeatsOfRefund(
            reason=cleaned["reason"],
            seats=tuple((each.line.pk, cleaned[name]) for name, each in self.seat_fields.items() if cleaned.get(name)),
            enrollment_after=EnrollmentAfter(cleaned.get("enrollment_after") or EnrollmentAfter.REMOVE),
            takes_redeemed=cleaned["takes_redeemed"],
        )


def _name_line(each: LineAtDesk) -> str:
    """The title, and the seats of a group: an order may have both of one course."""
    return ", ".join(part for part in (each.line.title, each.seats_text) if part)


def _seats_field(each: LineAtDesk) -> forms.IntegerField:
    """Make the field for the seats of one group that are refunded."""
    words = {
        "left": each.seats_left,
        "sold": each.line.seats,
        "free": each.seats_free,
        "price": each.seat_price.formatted(),
    }
    return forms.IntegerField(
        label=_("Seats of “%(title)s”") % {"title": each.line.title},
        required=False,
        min_value=1,
        max_value=each.seats_left,
        help_text=_("%(left)d of %(sold)d can be refunded; no one has redeemed %(free)d of them. One seat: %(price)s.")
        % words,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
        error_messages={
            "invalid": _("Enter a whole number of seats."),
            "min_value": _("Enter at least 1 seat."),
            "max_value": _("At most %(left)d can be refunded.") % words,
        },
    )

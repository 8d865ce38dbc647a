"""Whether a course is bought for oneself or for a group, and for how many."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from ecommerce.models import MAX_SEATS

ME, GROUP = "me", "group"
SEATS_OFFERED = 10  # in an empty form

_DECIMAL = re.compile(r"[+-]?\d*[.,]\d+")
_GROUPED = re.compile(r"\+?\d{1,3}([, ’']\d{3})+")
_WHOLE = re.compile(r"[+-]?\d+")


class GroupSizeField(forms.CharField):
    """A whole number from 1 to 1,000, as people write it: “40”, “1,000”. It says what is wrong with anything else."""

    default_error_messages = {
        "required": _("Enter how many seats you want, from 1 to 1,000."),
        "decimal": _("Enter a whole number of seats, without decimals."),
        "not_a_number": _("Enter the number of seats in digits, from 1 to 1,000."),
        "too_few": _("Enter at least 1 seat."),
        "too_many": _("You can buy up to 1,000 seats of a course at once. Enter a smaller number."),
        "max_length": _("You can buy up to 1,000 seats of a course at once. Enter a smaller number."),
    }

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"})
        super().__init__(label=_("Seats"), max_length=20, widget=widget, **kwargs)

    def clean(self, value: Any) -> int | None:
        text = unicodedata.normalize("NFKC", super().clean(value))
        if not text:
            return None
        if _GROUPED.fullmatch(text):
            text = re.sub(r"\D", "", text)
        if _DECIMAL.fullmatch(text):
            raise self._refuse("decimal")
        if not _WHOLE.fullmatch(text):
            raise self._refuse("not_a_number")
        number = int(text)
        if number < 1:
            raise self._refuse("too_few")
        if number > MAX_SEATS:
            raise self._refuse("too_many")
        return number

    def _refuse(self, code: str) -> forms.ValidationError:
        return forms.ValidationError(self.error_messages[code], code=code)


class SeatsForm(forms.Form):
    """For me, or for a group of so many. ``seats`` is None for the buyer."""

    use_required_attribute = False  # the same message in every browser, at the field

    who = forms.ChoiceField(
        label=_("Who is it for?"),
        choices=[(ME, _("For me")), (GROUP, _("For a group"))],
        widget=forms.RadioSelect,
        required=False,
        error_messages={"invalid_choice": _("Choose whether the course is for you or for a group.")},
    )
    seats = GroupSizeField(required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if "who" not in self.data and self.data.get("seats"):
            cleaned["who"] = GROUP  # a link that names a number
        if cleaned.get("who") != GROUP:
            self.errors.pop("seats", None)  # left behind in a field that doesn't count
            cleaned["seats"] = None
        elif "seats" in cleaned and cleaned["seats"] is None:
            self.add_error("seats", self.fields["seats"].error_messages["required"])
        return cleaned

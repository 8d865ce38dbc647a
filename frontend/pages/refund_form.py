"""The form a buyer asks for their money with."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from ecommerce.enums import RefundWhy
from ecommerce.models import OrderLine
from mitxonline.kernel.money import Money

LONGEST = 2000


class RefundForm(forms.Form):
    """Which courses, why, and in one's own words. Whether it can be asked at all is the service's answer."""

    use_required_attribute = False  # our own sentence, at the field, in every browser

    lines = forms.MultipleChoiceField(
        label=_("Which courses?"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={
            "required": _("Choose the courses you want your money back for."),
            "invalid_choice": _("Choose from the courses shown here."),
        },
    )
    why = forms.ChoiceField(
        label=_("Why do you want your money back?"),
        choices=RefundWhy.choices,
        widget=forms.RadioSelect,
        error_messages={
            "required": _("Choose why you want your money back."),
            "invalid_choice": _("Choose one of the reasons shown here."),
        },
    )
    text = forms.CharField(
        label=_("In your own words"),
        required=False,
        max_length=LONGEST,
        widget=forms.Textarea(attrs={"rows": 4}),
        error_messages={"max_length": _("Tell it in at most %(limit_value)d characters.")},
    )

    def __init__(self, *args: Any, lines: list[OrderLine], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if len(lines) < 2:
            del self.fields["lines"]
        else:
            choices = [(str(line.pk), f"{line.title} ({_format_remaining(line)})") for line in lines]
            self.fields["lines"].choices = choices  # type: ignore[attr-defined]
            self.fields["lines"].initial = [key for key, _text in choices]

    def clean(self) -> dict[str, Any]:
        """“Something else” is explained."""
        given = super().clean() or {}
        if given.get("why") == RefundWhy.OTHER and not given.get("text", "").strip() and "text" not in self.errors:
            self.add_error("text", _("Tell us in a sentence what happened."))
        return given

    @property
    def line_ids(self) -> set[int] | None:
        """The chosen lines; None where there was nothing to choose."""
        if "lines" not in self.fields:
            return None
        return {int(key) for key in self.cleaned_data["lines"]}


def _format_remaining(line: OrderLine) -> str:
    return Money(line.due - line.refunded, line.currency).formatted()

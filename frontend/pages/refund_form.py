"""The buyer’s form for a refund request."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from ecommerce.enums import RefundWhy
from ecommerce.models import OrderLine
from ecommerce.services.refunds.requests import TEXT_LENGTH
from mitxonline.kernel.money import Money


class RefundRequestForm(forms.Form):
    """Which courses, why, and an explanation. The service decides whether a request is possible."""

    use_required_attribute = False  # the same message in every browser, at the field

    lines = forms.MultipleChoiceField(
        label=_("Which courses?"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={
            "required": _("Choose the courses you want a refund for."),
            "invalid_choice": _("Choose from the courses shown here."),
        },
    )
    why = forms.ChoiceField(
        label=_("Why are you requesting a refund?"),
        choices=RefundWhy.choices,
        widget=forms.RadioSelect,
        error_messages={
            "required": _("Choose why you’re requesting a refund."),
            "invalid_choice": _("Choose one of the reasons shown here."),
        },
    )
    text = forms.CharField(
        label=_("In your own words"),
        required=False,
        max_length=TEXT_LENGTH,
        widget=forms.Textarea(attrs={"rows": 4}),
        error_messages={"max_length": _("Use up to %(limit_value)d characters.")},
    )

    def __init__(self, *args: Any, lines: list[OrderLine], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if len(lines) < 2:
            del self.fields["lines"]
        else:
            # What can still be refunded of each line.
            choices = [
                (str(line.pk), f"{line.title} ({Money(line.due - line.refunded, line.currency).formatted()})")
                for line in lines
            ]
            self.fields["lines"].choices = choices  # type: ignore[attr-defined]
            self.fields["lines"].initial = [key for key, _text in choices]

    def clean(self) -> dict[str, Any]:
        # “Something else” needs an explanation.
        data = super().clean() or {}
        if data.get("why") == RefundWhy.OTHER and not data.get("text", "").strip() and "text" not in self.errors:
            self.add_error("text", _("Tell us in a sentence what happened."))
        return data

    @property
    def line_ids(self) -> set[int] | None:
        """The chosen lines; None if the order has nothing to choose from."""
        if "lines" not in self.fields:
            return None
        return {int(key) for key in self.cleaned_data["lines"]}

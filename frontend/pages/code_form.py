"""The one form of these pages: the field a code goes into."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

# Long enough for every code there can be, with the blanks and the address a paste may bring along.
LONGEST_CODE = 400


class CodeForm(forms.Form):
    """One field for an enrollment or discount code. Whether a code works is the services' answer, not this form's."""

    use_required_attribute = False  # our own sentence, at the field, in every browser

    code = forms.CharField(
        label=_("Enrollment or discount code"),
        max_length=LONGEST_CODE,
        error_messages={
            "required": _("Enter your code first."),
            "max_length": _("That's too long. Paste only the code."),
        },
        widget=forms.TextInput(
            attrs={
                "data-code": "",
                "autocapitalize": "off",
                "autocomplete": "off",
                "autocorrect": "off",
                "spellcheck": "false",
            }
        ),
    )


class RedeemForm(CodeForm):
    """The same field where only an enrollment code leads on."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].label = _("Enrollment code")
        self.fields["code"].help_text = _(
            "From your organization’s invitation: 36 characters, in five groups. The link in the invitation works too."
        )

"""The form fields for codes that visitors type or paste."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

# Long enough for any code, pasted in a sentence or as a link that a mail program has wrapped in one of its own.
CODE_MAX_LENGTH = 2000


class CodeForm(forms.Form):
    """A field for an enrollment or discount code. Services judge whether the code works."""

    use_required_attribute = False  # the same message in every browser, at the field

    code = forms.CharField(
        label=_("Enrollment or discount code"),
        max_length=CODE_MAX_LENGTH,
        error_messages={
            "required": _("Enter your code first."),
            "max_length": _("That’s too long. Paste only the code."),
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
    """The field of pages that redeem registration and enrollment codes only."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].label = _("Your code")
        self.fields["code"].help_text = _("From the e-mail or message that invited you. The link in it works too.")

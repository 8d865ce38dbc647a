"""Forms around an account. Errors stand above their field, and what was typed stays."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib.auth.forms import AuthenticationForm as DjangoAuthenticationForm
from django.contrib.auth.password_validation import validate_password
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from mitxonline.kernel.errors import RateLimited
from mitxonline.kernel.text import normalized_email
from mitxonline.users.limits import count_mail, count_registration
from mitxonline.users.models import Theme, User


class LimitedForm(forms.Form):
    """A form that says itself, where the visitor is, that there were too many tries."""

    limited: RateLimited | None = None

    def refuse(self, refusal: RateLimited) -> None:
        """Show the refusal above the form; the view answers with its status."""
        self.limited = refusal
        self.add_error(None, forms.ValidationError(refusal.message, code=refusal.code))


class EmailField(forms.EmailField):
    """An address, brought to the form it is compared in."""

    widget = forms.EmailInput(attrs={"autocapitalize": "none", "spellcheck": "false"})

    def __init__(self, *, autocomplete: str = "email", **kwargs: Any) -> None:
        super().__init__(label=_("Email"), max_length=254, **kwargs)
        self.widget.attrs["autocomplete"] = autocomplete

    def clean(self, value: Any) -> str:
        return normalized_email(super().clean(value))


class SignInForm(LimitedForm, DjangoAuthenticationForm):
    """E-mail and password. One sentence for every way they can be wrong, also for an account switched off."""

    username = EmailField(autocomplete="username")
    error_messages = {
        "invalid_login": _("We don’t know this e-mail and password together. Check both, or set a new password."),
        "inactive": _("We don’t know this e-mail and password together. Check both, or set a new password."),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = _("Email")
        self.fields["password"].label = _("Password")

    def clean(self) -> dict[str, Any]:
        try:
            return super().clean()
        except RateLimited as refusal:
            self.refuse(refusal)
            return self.cleaned_data


class RegistrationForm(LimitedForm):
    """Name, e-mail and a password: what is needed to enroll somebody, and no more."""

    name = forms.CharField(
        label=_("Name"),
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
        help_text=_("As it should stand on your receipts and certificates."),
    )
    email = EmailField(autocomplete="username")
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("At least 8 characters, and not a common one."),
    )

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean(self) -> dict[str, Any]:
        content = super().clean() or self.cleaned_data
        if password := content.get("password"):
            person = User(email=content.get("email", ""), name=content.get("name", ""))
            try:
                validate_password(password, user=person)
            except forms.ValidationError as error:
                self.add_error("password", error)
        if not self.errors:
            try:
                count_registration(self.request)
            except RateLimited as refusal:
                self.refuse(refusal)
        return content


class PasswordResetForm(LimitedForm):
    """Whom to send a link for a new password."""

    email = EmailField(autocomplete="username")

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean(self) -> dict[str, Any]:
        content = super().clean() or self.cleaned_data
        if email := content.get("email"):
            try:
                count_mail(self.request, email=email)
            except RateLimited as refusal:
                self.refuse(refusal)
        return content


class AccountForm(forms.ModelForm[User]):
    """What people change about themselves. The address is not here: it is what they sign in with."""

    name = forms.CharField(label=_("Name"), max_length=150, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    theme = forms.ChoiceField(label=_("Colors"), choices=Theme.choices, widget=forms.RadioSelect)

    class Meta:
        model = User
        fields: ClassVar = ["name", "theme"]

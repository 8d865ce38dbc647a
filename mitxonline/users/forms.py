"""Forms around an account. Errors stand above their field, and what was typed stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from django import forms
from django.contrib.auth import authenticate
from django.contrib.auth.forms import AuthenticationForm as DjangoAuthenticationForm
from django.contrib.auth.password_validation import validate_password
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from mitxonline.kernel.errors import RateLimited
from mitxonline.kernel.forms import refusals_on
from mitxonline.kernel.text import normalize_email
from mitxonline.users.limits import count_mail, count_registration
from mitxonline.users.models import Theme, User


class LimitedForm(forms.Form):
    """A form that says itself, where the visitor is, that there were too many tries."""

    limited: RateLimited | None = None

    @contextmanager
    def limits_shown(self) -> Iterator[None]:
        """Show a limit above the form. The view answers with the status of `limited`."""
        with refusals_on(self, only=RateLimited) as caught:
            yield
        if isinstance(caught.refusal, RateLimited):
            self.limited = caught.refusal


class EmailField(forms.EmailField):
    """An address, brought to the form it is compared in."""

    widget = forms.EmailInput(attrs={"autocapitalize": "none", "spellcheck": "false"})

    def __init__(self, **kwargs: Any) -> None:
        sentence = _("Enter your e-mail address, for example name@example.org.")
        errors = {"required": sentence, "invalid": sentence}
        super().__init__(label=_("Email"), max_length=254, error_messages=errors, **kwargs)
        self.widget.attrs["autocomplete"] = "username"  # it is what one signs in with, and browsers keep it as that

    def clean(self, value: Any) -> str:
        return normalize_email(super().clean(value))


class PasswordField(forms.CharField):
    """A password one has."""

    autocomplete = "current-password"
    required_message = _("Enter your password.")

    def __init__(self, **kwargs: Any) -> None:
        errors = {"required": self.required_message}
        super().__init__(strip=False, widget=forms.PasswordInput, error_messages=errors, **kwargs)
        self.widget.attrs["autocomplete"] = self.autocomplete


class NewPasswordField(PasswordField):
    """A password one thinks up. Asked for once: who mistypes it can set another by mail."""

    autocomplete = "new-password"
    required_message = _("Enter a password.")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(help_text=_("At least 8 characters. Not all numbers, and not a common password."), **kwargs)


class SignInForm(LimitedForm, DjangoAuthenticationForm):
    """E-mail and password. One sentence for every way they can be wrong, also for an account switched off."""

    username = EmailField()
    password = PasswordField(label=_("Password"))
    error_messages = {
        "invalid_login": _("That e-mail and password don’t match. Check both, or reset your password."),
        "inactive": _("That e-mail and password don’t match. Check both, or reset your password."),
    }

    def clean(self) -> dict[str, Any]:
        with self.limits_shown():
            super().clean()
        return self.cleaned_data


class RegistrationForm(LimitedForm):
    """Name, e-mail and a password: what is needed to enroll someone, and no more."""

    name = forms.CharField(
        label=_("Name"),
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
        help_text=_("As it should appear on your receipts and certificates."),
        error_messages={"required": _("Enter your name.")},
    )
    email = EmailField()
    password = NewPasswordField(label=_("Password"))

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean(self) -> dict[str, Any]:
        content = super().clean() or self.cleaned_data
        person = User(email=content.get("email", ""), name=content.get("name", ""))
        _judge_password(self, "password", person)
        if not self.errors:
            with self.limits_shown():
                count_registration(self.request)
        return content


class PasswordResetForm(LimitedForm):
    """Whom to send a link for a new password."""

    email = EmailField()

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean(self) -> dict[str, Any]:
        content = super().clean() or self.cleaned_data
        if email := content.get("email"):
            with self.limits_shown():
                count_mail(self.request, email=email)
        return content


class NewPasswordForm(LimitedForm):
    """A new password for someone who came by a link."""

    new_password = NewPasswordField(label=_("New password"))

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        self.user = user
        super().__init__(*args, **kwargs)

    def clean(self) -> dict[str, Any]:
        content = super().clean() or self.cleaned_data
        _judge_password(self, "new_password", self.user)
        return content

    def save(self) -> User:
        """Set it; every session of the person but the one that asks ends by that."""
        self.user.set_password(self.cleaned_data["new_password"])
        self.user.save(update_fields=["password"])
        return self.user


class PasswordChangeForm(NewPasswordForm):
    """A new password for someone who knows the old one; guessing that is limited like signing in."""

    old_password = PasswordField(label=_("Current password"))
    field_order = ("old_password", "new_password")

    def __init__(self, user: User, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        self.request = request
        super().__init__(user, *args, **kwargs)

    def clean(self) -> dict[str, Any]:
        content = super().clean()
        if old := content.get("old_password"):
            with self.limits_shown():
                if authenticate(self.request, username=self.user.email, password=old) is None:
                    self.add_error("old_password", _("This is not your current password."))
        return content


class AccountForm(forms.ModelForm[User]):
    """What people change about themselves. The address is not here: it is what they sign in with."""

    name = forms.CharField(label=_("Name"), max_length=150, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    theme = forms.ChoiceField(label=_("Colors"), choices=Theme.choices, widget=forms.RadioSelect)

    class Meta:
        model = User
        fields: ClassVar = ["name", "theme"]


def _judge_password(form: forms.Form, field: str, person: User) -> None:
    """Put what the password rules say beside the field."""
    if password := form.cleaned_data.get(field):
        try:
            validate_password(password, user=person)
        except forms.ValidationError as error:
            form.add_error(field, error)

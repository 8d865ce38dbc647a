"""Forms for signing in, registering, passwords and account settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar, Protocol

from django import forms
from django.contrib.auth import authenticate
from django.contrib.auth.forms import AuthenticationForm as DjangoAuthenticationForm
from django.contrib.auth.password_validation import validate_password
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from mitxonline.kernel.errors import RateLimited
from mitxonline.kernel.forms import refusals_on
from mitxonline.kernel.names import NameField
from mitxonline.kernel.text import normalize_email
from mitxonline.kernel.zones import zone_choices
from mitxonline.users.limits import count_mail, count_registration
from mitxonline.users.models import Theme, User


class LimitedForm(forms.Form):
    """A form that shows RateLimited itself, instead of on a page of its own."""

    limited: RateLimited | None = None

    @contextmanager
    def show_limits(self) -> Iterator[None]:
        """Show a limit above the form. The view answers with the status of `limited`."""
        with refusals_on(self, only=RateLimited) as caught:
            yield
        if isinstance(caught.refusal, RateLimited):
            self.limited = caught.refusal


class EmailField(forms.EmailField):
    """Cleans to a normalized address."""

    widget = forms.EmailInput(attrs={"autocapitalize": "none", "spellcheck": "false"})

    def __init__(self, **kwargs: Any) -> None:
        sentence = _("Enter your e-mail address, for example name@example.org.")
        errors = {"required": sentence, "invalid": sentence}
        super().__init__(label=_("Email"), max_length=254, error_messages=errors, **kwargs)
        self.widget.attrs["autocomplete"] = "username"  # Browsers save it as what the person signs in with.

    def clean(self, value: Any) -> str:
        return normalize_email(super().clean(value))


class PasswordField(forms.CharField):
    autocomplete = "current-password"
    required_message = _("Enter your password.")

    def __init__(self, **kwargs: Any) -> None:
        errors = {"required": self.required_message}
        super().__init__(strip=False, widget=forms.PasswordInput, error_messages=errors, **kwargs)
        self.widget.attrs["autocomplete"] = self.autocomplete


class NewPasswordField(PasswordField):
    """A password to be set. It is asked for only once, because a link by e-mail can reset it."""

    autocomplete = "new-password"
    required_message = _("Enter a password.")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(help_text=_("At least 8 characters. Not all numbers, and not a common password."), **kwargs)


class SignInForm(LimitedForm, DjangoAuthenticationForm):
    """One error message for everything that can be wrong, so that it doesn't tell who has an account."""

    username = EmailField()
    password = PasswordField(label=_("Password"))
    stay = forms.BooleanField(
        label=_("Stay signed in"), required=False, initial=True, help_text=_("Uncheck it on a shared computer.")
    )
    error_messages = {
        "invalid_login": _("That e-mail and password don’t match. Check both, or reset your password."),
        "inactive": _("That e-mail and password don’t match. Check both, or reset your password."),
    }

    def clean(self) -> dict[str, Any]:
        with self.show_limits():
            super().clean()
        return self.cleaned_data


class RegistrationForm(LimitedForm):
    name = NameField(
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
        _check_password_rules(self, "password", person)
        if not self.errors:
            with self.show_limits():
                count_registration(self.request)
        return content


class PasswordResetForm(LimitedForm):
    email = EmailField()

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean(self) -> dict[str, Any]:
        content = super().clean() or self.cleaned_data
        if email := content.get("email"):
            with self.show_limits():
                count_mail(self.request, email=email)
        return content


class NewPasswordForm(LimitedForm):
    """Sets a password after a link sent by e-mail."""

    new_password = NewPasswordField(label=_("New password"))

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        self.user = user
        super().__init__(*args, **kwargs)

    def clean(self) -> dict[str, Any]:
        content = super().clean() or self.cleaned_data
        _check_password_rules(self, "new_password", self.user)
        return content

    def save(self) -> User:
        """Set the password, which ends all sessions of the person except the current one."""
        self.user.set_password(self.cleaned_data["new_password"])
        self.user.save(update_fields=["password"])
        return self.user


class PasswordChangeForm(NewPasswordForm):
    """Asks for the current password too. Wrong ones count like those at sign-in."""

    old_password = PasswordField(label=_("Current password"))
    field_order = ("old_password", "new_password")

    def __init__(self, user: User, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        self.request = request
        super().__init__(user, *args, **kwargs)

    def clean(self) -> dict[str, Any]:
        content = super().clean()
        if old := content.get("old_password"):
            check_own_password(self, "old_password", old)
        return content


class AddressChangeForm(LimitedForm):
    """Asks for the password: an open session alone can't take the account away. Wrong ones count as at sign-in.

    People without one confirm by a link first.
    """

    new_email = EmailField()
    password = PasswordField(label=_("Password"))

    def __init__(self, user: User, *args: Any, request: HttpRequest, asks_password: bool, **kwargs: Any) -> None:
        self.user, self.request = user, request
        super().__init__(*args, **kwargs)
        self.fields["new_email"].label = _("New e-mail address")
        self.fields["new_email"].widget.attrs["autocomplete"] = "email"
        if not asks_password:
            del self.fields["password"]

    def clean(self) -> dict[str, Any]:
        content = super().clean() or self.cleaned_data
        if password := content.get("password"):
            check_own_password(self, "password", password)
        if not self.errors:
            with self.show_limits():
                count_mail(self.request, email=content["new_email"])
                count_mail(self.request, email=self.user.email)
        return content


class DeleteAccountForm(LimitedForm):
    """Asks people who have a password for it. The others confirm by a link."""

    password = PasswordField(label=_("Password"))

    def __init__(self, user: User, *args: Any, request: HttpRequest, asks_password: bool, **kwargs: Any) -> None:
        self.user, self.request = user, request
        super().__init__(*args, **kwargs)
        if not asks_password:
            del self.fields["password"]

    def clean(self) -> dict[str, Any]:
        content = super().clean() or self.cleaned_data
        if password := content.get("password"):
            check_own_password(self, "password", password)
        return content


class AccountForm(forms.ModelForm[User]):
    name = NameField(
        widget=forms.TextInput(attrs={"autocomplete": "name"}), error_messages={"required": _("Enter your name.")}
    )
    theme = forms.ChoiceField(label=_("Appearance"), choices=Theme.choices, widget=forms.RadioSelect)
    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        required=False,
        choices=lambda: [("", _("Match my device")), *zone_choices()],
        help_text=_("For times on pages. Days and deadlines are in the shop’s time zone."),
        error_messages={"invalid_choice": _("Choose a time zone from the list.")},
    )

    class Meta:
        model = User
        fields: ClassVar = ["name", "theme", "time_zone"]


class AsksForPassword(Protocol):
    user: User
    request: HttpRequest

    def show_limits(self) -> AbstractContextManager[None]: ...

    def add_error(self, field: str | None, error: Any) -> None: ...


def check_own_password(form: AsksForPassword, field: str, password: str) -> None:
    """Add an error unless this is the password of the form's user. Wrong ones count like those at sign-in."""
    with form.show_limits():
        if authenticate(form.request, username=form.user.email, password=password) is None:
            form.add_error(field, _("This is not your current password."))


def _check_password_rules(form: forms.Form, field: str, person: User) -> None:
    if password := form.cleaned_data.get(field):
        try:
            validate_password(password, user=person)
        except forms.ValidationError as error:
            form.add_error(field, error)

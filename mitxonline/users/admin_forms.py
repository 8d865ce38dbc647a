"""Forms for people in Wagtail's admin and in Django's."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.utils.translation import gettext_lazy as _
from wagtail.users.forms import UserCreationForm as WagtailUserCreationForm
from wagtail.users.forms import UserEditForm as WagtailUserEditForm

from mitxonline.users.models import User


class EmailChangeForm(forms.ModelForm[User]):
    """Makes an address that staff changed unconfirmed."""

    def save(self, commit: bool = True) -> User:
        if "email" in self.changed_data:
            self.instance.email_verified_at = None
        return super().save(commit=commit)


class PersonCreationForm(AdminUserCreationForm[User]):
    class Meta:
        model = User
        fields: ClassVar = ("email", "name")


class PersonChangeForm(EmailChangeForm, UserChangeForm[User]):
    class Meta:
        model = User
        fields: ClassVar = "__all__"


class WagtailFormMixin(forms.ModelForm[User]):
    """Asks for one name instead of Wagtail's two."""

    first_name: ClassVar[None] = None
    last_name: ClassVar[None] = None
    name = forms.CharField(label=_("Name"), max_length=150)


class WagtailPersonCreationForm(WagtailFormMixin, WagtailUserCreationForm):
    class Meta(WagtailUserCreationForm.Meta):
        fields: ClassVar = ("email", "name", "is_superuser", "groups")


class WagtailPersonEditForm(WagtailFormMixin, EmailChangeForm, WagtailUserEditForm):
    class Meta(WagtailUserEditForm.Meta):
        fields: ClassVar = ("email", "name", "is_active", "is_superuser", "groups")


class WagtailNameForm(forms.ModelForm[User]):
    """For Wagtail's account page."""

    name = forms.CharField(label=_("Name"), max_length=150)

    class Meta:
        model = User
        fields: ClassVar = ("name",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].widget.attrs["autocomplete"] = "name"

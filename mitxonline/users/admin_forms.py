"""What staff may change about a person, in Wagtail's admin and in Django's."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.utils.translation import gettext_lazy as _
from wagtail.users.forms import UserCreationForm as WagtailUserCreationForm
from wagtail.users.forms import UserEditForm as WagtailUserEditForm

from mitxonline.users.models import User


class AddressForm(forms.ModelForm[User]):
    """An address someone else typed is not confirmed, whatever the one before it was."""

    def save(self, commit: bool = True) -> User:
        if "email" in self.changed_data:
            self.instance.email_verified_at = None
        return super().save(commit=commit)


class PersonCreationForm(AdminUserCreationForm[User]):
    """A person made in Django's admin."""

    class Meta:
        model = User
        fields: ClassVar = ("email", "name")


class PersonChangeForm(AddressForm, UserChangeForm[User]):
    """A person changed in Django's admin."""

    class Meta:
        model = User
        fields: ClassVar = "__all__"


class WagtailFormMixin(forms.ModelForm[User]):
    """One name, where Wagtail would ask for two."""

    first_name: ClassVar[None] = None
    last_name: ClassVar[None] = None
    name = forms.CharField(label=_("Name"), max_length=150)


class WagtailPersonCreationForm(WagtailFormMixin, WagtailUserCreationForm):
    """A person made in Wagtail's admin."""

    class Meta(WagtailUserCreationForm.Meta):
        fields: ClassVar = ("email", "name", "is_superuser", "groups")


class WagtailPersonEditForm(WagtailFormMixin, AddressForm, WagtailUserEditForm):
    """A person changed in Wagtail's admin."""

    class Meta(WagtailUserEditForm.Meta):
        fields: ClassVar = ("email", "name", "is_active", "is_superuser", "groups")


class WagtailNameForm(forms.ModelForm[User]):
    """One's own name, on Wagtail's account page."""

    name = forms.CharField(label=_("Name"), max_length=150)

    class Meta:
        model = User
        fields: ClassVar = ("name",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].widget.attrs["autocomplete"] = "name"

"""Forms for people in Wagtail's admin and in Django's."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group
from django.utils.translation import gettext_lazy as _
from wagtail.users.forms import GroupForm as WagtailGroupForm
from wagtail.users.forms import UserCreationForm as WagtailUserCreationForm
from wagtail.users.forms import UserEditForm as WagtailUserEditForm

from mitxonline.kernel.names import NameField
from mitxonline.staff.conflicts import ConflictFormMixin
from mitxonline.users.models import User


class EmailChangeForm(forms.ModelForm[User]):
    """Makes an address that staff changed unconfirmed."""

    def save(self, commit: bool = True) -> User:
        if "email" in self.changed_data:
            self.instance.email_verified_at = None
        return super().save(commit=commit)


class PersonCreationForm(AdminUserCreationForm[User]):
    name = NameField(required=False)

    class Meta:
        model = User
        fields: ClassVar = ("email", "name")


class PersonChangeForm(ConflictFormMixin, EmailChangeForm, UserChangeForm[User]):
    name = NameField(required=False)

    class Meta:
        model = User
        fields: ClassVar = "__all__"


class WagtailFormMixin(forms.ModelForm[User]):
    """Asks for one name instead of Wagtail's two."""

    first_name: ClassVar[None] = None
    last_name: ClassVar[None] = None
    name = NameField()


class WagtailPersonCreationForm(WagtailFormMixin, WagtailUserCreationForm):
    class Meta(WagtailUserCreationForm.Meta):
        fields: ClassVar = ("email", "name", "is_superuser", "groups")


class WagtailPersonEditForm(ConflictFormMixin, WagtailFormMixin, EmailChangeForm, WagtailUserEditForm):
    class Meta(WagtailUserEditForm.Meta):
        fields: ClassVar = ("email", "name", "is_active", "is_superuser", "groups")


class WagtailNameForm(forms.ModelForm[User]):
    """For Wagtail's account page."""

    name = NameField()

    class Meta:
        model = User
        fields: ClassVar = ("name",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].widget.attrs["autocomplete"] = "name"


class GroupForm(ConflictFormMixin, forms.ModelForm[Group]):
    """For the Django admin."""

    class Meta:
        model = Group
        fields: ClassVar = ("name", "permissions")


class WagtailGroupEditForm(ConflictFormMixin, WagtailGroupForm):
    """The page has tables beside this form, which give the group rights to pages, collections and settings."""

    def get_related_facts(self) -> dict[str, list[str]]:
        group = self.instance
        if group.pk is None:
            return {}
        pages = group.page_permissions.values_list("page__title", "permission__name")
        collections = group.collection_permissions.values_list("collection__name", "permission__name")
        sites = group.site_permissions.values_list("site__site_name", "permission__name")
        return {
            str(_("Page permissions")): sorted(f"{page}: {name}" for page, name in pages),
            str(_("Collection permissions")): sorted(f"{collection}: {name}" for collection, name in collections),
            str(_("Site permissions")): sorted(f"{site}: {name}" for site, name in sites),
        }

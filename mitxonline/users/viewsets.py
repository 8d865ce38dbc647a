"""People in Wagtail's admin."""

from __future__ import annotations

from typing import Any

from django import forms
from wagtail.users.forms import GroupForm
from wagtail.users.views.groups import EditView as WagtailGroupEditView
from wagtail.users.views.groups import GroupViewSet as WagtailGroupViewSet
from wagtail.users.views.users import EditView, IndexView, UserViewSet

from mitxonline.staff.conflicts import ConflictEditMixin
from mitxonline.users.admin_forms import WagtailGroupEditForm, WagtailPersonCreationForm, WagtailPersonEditForm


class PersonIndexView(IndexView):
    @property
    def search_fields(self) -> set[str]:
        return {"email", "name"}


class PersonEditView(ConflictEditMixin, EditView):
    pass


class PersonViewSet(UserViewSet):
    """Wagtail's pages about users, for a model with one name."""

    index_view_class = PersonIndexView
    edit_view_class = PersonEditView
    add_template_name = create_template_name = "users/wagtail/create.html"
    edit_template_name = "users/wagtail/edit.html"

    def get_form_class(self, for_update: bool = False) -> type[forms.ModelForm[Any]]:
        return WagtailPersonEditForm if for_update else WagtailPersonCreationForm


class GroupEditView(ConflictEditMixin, WagtailGroupEditView):
    pass


class GroupViewSet(WagtailGroupViewSet):
    edit_view_class = GroupEditView
    edit_template_name = "users/wagtail/edit_group.html"

    def get_form_class(self, for_update: bool = False) -> type[forms.ModelForm[Any]]:
        return WagtailGroupEditForm if for_update else GroupForm

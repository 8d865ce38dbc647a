"""People in Wagtail's admin."""

from __future__ import annotations

from typing import Any

from django import forms
from wagtail.users.views.users import IndexView, UserViewSet

from mitxonline.users.admin_forms import WagtailPersonCreationForm, WagtailPersonEditForm


class PersonIndexView(IndexView):
    @property
    def search_fields(self) -> set[str]:
        return {"email", "name"}


class PersonViewSet(UserViewSet):
    """Wagtail's pages about users, for a model with one name."""

    index_view_class = PersonIndexView
    add_template_name = create_template_name = "users/wagtail/create.html"
    edit_template_name = "users/wagtail/edit.html"

    def get_form_class(self, for_update: bool = False) -> type[forms.ModelForm[Any]]:
        return WagtailPersonEditForm if for_update else WagtailPersonCreationForm

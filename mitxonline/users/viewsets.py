"""People in Wagtail's admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from wagtail.admin.widgets.button import HeaderButton
from wagtail.users.forms import GroupForm
from wagtail.users.views.bulk_actions import DeleteBulkAction
from wagtail.users.views.groups import EditView as WagtailGroupEditView
from wagtail.users.views.groups import GroupViewSet as WagtailGroupViewSet
from wagtail.users.views.users import EditView, IndexView, UserViewSet

from mitxonline.kernel.deletion import find_protectors
from mitxonline.kernel.timeline import SubjectKind, timeline_url
from mitxonline.staff.conflicts import ConflictEditMixin
from mitxonline.users.admin_forms import WagtailGroupEditForm, WagtailPersonCreationForm, WagtailPersonEditForm
from mitxonline.users.models import User


class PersonIndexView(IndexView):
    @property
    def search_fields(self) -> set[str]:
        return {"email", "name"}


class PersonEditView(ConflictEditMixin, EditView):
    @cached_property
    def header_buttons(self) -> list[HeaderButton]:
        buttons: list[HeaderButton] = super().header_buttons
        if not self.request.user.has_perm("users.view_user"):
            return buttons
        url = timeline_url(SubjectKind.PERSON, self.object.pk)
        return [*buttons, HeaderButton(_("What happened?"), url=url, icon_name="history")]


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


class DeletePeople(DeleteBulkAction):
    """Says before the question, not only after the answer, that a person can't be deleted."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        people, _others = self.get_actionable_objects()
        for person in people:
            if (refused := refuse_to_delete(request, person)) is not None:
                return refused
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return response


def refuse_to_delete(request: HttpRequest, person: User) -> HttpResponseBase | None:
    """Lead back with a sentence where something refers to this person that has to stay, such as an order."""
    protectors = find_protectors(person)
    if not protectors:
        return None
    sentence = _("%(person)s can’t be deleted because of their %(things)s. Make the account inactive instead.")
    messages.error(request, sentence % {"person": person.display_name, "things": ", ".join(protectors)})
    return redirect("wagtailusers_users:edit", person.pk)

"""Snippets whose forms notice when someone else saved in the meantime."""

from __future__ import annotations

from typing import Any

from wagtail.snippets.views.snippets import CreateView, EditView, SnippetViewSet

from mitxonline.staff.conflicts import ConflictEditMixin
from mitxonline.staff.constraints import ConstraintFormMixin, ConstraintViewMixin


class StaffSnippetCreateView(ConstraintViewMixin, CreateView):
    def get_form_class(self) -> type[Any]:
        form_class: type[Any] = super().get_form_class()
        return type(form_class.__name__, (ConstraintFormMixin, form_class), {"reader": self.request.user})


class StaffSnippetEditView(ConflictEditMixin, EditView):
    pass


class StaffSnippetViewSet(SnippetViewSet):
    add_view_class = StaffSnippetCreateView
    edit_view_class = StaffSnippetEditView

"""Snippets whose forms notice when someone else saved in the meantime."""

from __future__ import annotations

from wagtail.snippets.views.snippets import EditView, SnippetViewSet

from mitxonline.staff.conflicts import ConflictEditMixin


class StaffSnippetEditView(ConflictEditMixin, EditView):
    pass


class StaffSnippetViewSet(SnippetViewSet):
    edit_view_class = StaffSnippetEditView

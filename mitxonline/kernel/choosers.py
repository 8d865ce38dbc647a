"""Choosing one of many: every such list of the catalog can be searched, by what its own list is searched by."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _
from wagtail.admin.forms.choosers import BaseFilterForm
from wagtail.snippets.views.chooser import ChooseResultsView, ChooseView, SnippetChooserViewSet


class WordsForm(BaseFilterForm):
    """A field for words that have to occur, each in one of the columns."""

    q = forms.CharField(
        label=_("Search term"), widget=forms.TextInput(attrs={"placeholder": _("Search")}), required=False
    )

    def __init__(self, *args: Any, columns: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.columns = columns

    def filter(self, objects: QuerySet[Any]) -> QuerySet[Any]:
        """Those with all the words."""
        words = self.cleaned_data["q"].split()
        for word in words:
            found = Q()
            for column in self.columns:
                found |= Q(**{f"{column}__icontains": word})
            objects = objects.filter(found)
        self.is_searching, self.search_query = bool(words), self.cleaned_data["q"]
        return objects


class _SearchedMixin:
    """A choice among what the list of this kind shows: contracts' own runs and products are in neither."""

    model: Any
    request: Any

    def get_object_list(self) -> QuerySet[Any]:
        objects: QuerySet[Any] | None = self.model.snippet_viewset.get_queryset(self.request)
        return objects if objects is not None else self.model.objects.all()

    def get_filter_form(self) -> WordsForm:
        return WordsForm(self.request.GET, columns=self.model.snippet_viewset.search_fields)


class SearchedChooseView(_SearchedMixin, ChooseView):
    """The dialog."""


class SearchedChooseResultsView(_SearchedMixin, ChooseResultsView):
    """The list in it, when words or the page change."""


class SearchedChooser(SnippetChooserViewSet):
    """A chooser with a search field, for models that are in no search index."""

    choose_view_class = SearchedChooseView
    choose_results_view_class = SearchedChooseResultsView

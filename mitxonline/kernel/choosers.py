"""Choosers of snippets with a search field, which Wagtail only gives to models with a search index."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _
from wagtail.admin.forms.choosers import BaseFilterForm
from wagtail.snippets.views.chooser import ChooseResultsView, ChooseView, SnippetChooserViewSet


class WordsForm(BaseFilterForm):
    """Filters by words, each of which has to occur in one of the columns."""

    q = forms.CharField(
        label=_("Search term"), widget=forms.TextInput(attrs={"placeholder": _("Search")}), required=False
    )

    def __init__(self, *args: Any, columns: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.columns = columns

    def filter(self, objects: QuerySet[Any]) -> QuerySet[Any]:
        words = self.cleaned_data["q"].split()
        for word in words:
            in_any_column = Q()
            for column in self.columns:
                in_any_column |= Q(**{f"{column}__icontains": word})
            objects = objects.filter(in_any_column)
        self.is_searching, self.search_query = bool(words), self.cleaned_data["q"]
        return objects


class _SnippetListMixin:
    """Offers and searches what the snippet's own list does, so the runs and products of contracts are in neither."""

    model: Any
    request: Any

    def get_object_list(self) -> QuerySet[Any]:
        objects: QuerySet[Any] | None = self.model.snippet_viewset.get_queryset(self.request)
        return objects if objects is not None else self.model.objects.all()

    def get_filter_form(self) -> WordsForm:
        return WordsForm(self.request.GET, columns=self.model.snippet_viewset.search_fields)


class SearchedChooseView(_SnippetListMixin, ChooseView):
    pass


class SearchedChooseResultsView(_SnippetListMixin, ChooseResultsView):
    pass


class SearchedChooser(SnippetChooserViewSet):
    choose_view_class = SearchedChooseView
    choose_results_view_class = SearchedChooseResultsView

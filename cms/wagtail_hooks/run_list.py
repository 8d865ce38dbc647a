"""The list of course runs: its filters and columns."""

from __future__ import annotations

import django_filters
from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from wagtail.admin.filters import WagtailFilterSet

from cms.selectors.needs import runs_without_page
from courses.models import CourseRun
from mitxonline.kernel import clock


class RunFilters(WagtailFilterSet):
    needs = django_filters.ChoiceFilter(
        label=_("Needs"),
        choices=[("page", _("Without a published page"))],
        empty_label=_("All"),
        method="filter_needs",
        widget=forms.RadioSelect,
    )

    class Meta:
        model = CourseRun
        fields = ["live", "is_self_paced"]

    def filter_needs(self, found: QuerySet[CourseRun], _name: str, _need: str) -> QuerySet[CourseRun]:
        return found.filter(pk__in=runs_without_page(clock.now()).values("pk"))

"""The list of course runs: its filters and columns."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import django_filters
from django import forms
from django.db.models import (
    Case,
    Count,
    DateTimeField,
    DurationField,
    F,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Coalesce
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail.admin.filters import WagtailFilterSet

from cms.selectors.needs import runs_without_page
from courses.models import CourseRun, Enrollment
from courses.models.run import SOURCE_TAG
from ecommerce.models import Product
from mitxonline.kernel import clock
from mitxonline.kernel.money import Money

OPEN, OVER, SOURCE = 1, 2, 3


def listed_runs(now: datetime) -> QuerySet[CourseRun]:
    """Return the public runs: first those that start or run, then own-pace ones, past ones, and sources.

    Each has `price`, the first of what it is sold for, and the number of its `learners`.
    """
    position = Case(
        When(run_tag=SOURCE_TAG, then=Value(SOURCE)),
        When(end_date__lt=now, then=Value(OVER)),
        When(Q(is_self_paced=True) | Q(start_date__isnull=True), then=Value(OPEN)),
        default=Value(0),
        output_field=IntegerField(),
    )
    prices = Product.objects.filter(course_run=OuterRef("pk"), is_active=True, requires_code=False).order_by("pk")
    learners = Enrollment.objects.filter(run=OuterRef("pk"), active=True).order_by().values("run")
    # Current runs begin with the next one, past runs with the last one.
    nearness = Case(
        When(end_date__lt=now, then=Value(now, output_field=DateTimeField()) - F("start_date")),
        default=F("start_date") - Value(now, output_field=DateTimeField()),
        output_field=DurationField(),
    )
    runs: QuerySet[CourseRun] = CourseRun.objects.select_related("course").annotate(
        position=position,
        nearness=nearness,
        price=Subquery(prices.values("price")[:1]),
        price_currency=Subquery(prices.values("currency")[:1]),
        learners=Coalesce(Subquery(learners.annotate(n=Count("pk")).values("n"), output_field=IntegerField()), 0),
    )
    return runs


def format_price(run: Any) -> str:
    return Money(run.price, run.price_currency).formatted() if run.price is not None else "–"


def format_places(run: CourseRun) -> str:
    """“30”, “30, full”; a dash without a limit."""
    if run.places is None:
        return "–"
    return gettext("%(places)d, full") % {"places": run.places} if run.is_full else str(run.places)


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
        fields = ["live", "is_self_paced", "is_full"]

    def filter_needs(self, found: QuerySet[CourseRun], _name: str, _need: str) -> QuerySet[CourseRun]:
        return found.filter(pk__in=runs_without_page(clock.now()).values("pk"))

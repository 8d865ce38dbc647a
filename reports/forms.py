"""What a report is asked: days, a course, and what is its own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin.widgets import AdminDateInput

from courses.models import Course
from ecommerce.roles import ShopScope
from mitxonline.kernel import clock
from reports.exports.base import Asked, Report

DAYS_SHOWN = 30
# Long enough for any books, and short enough that a mistyped year is noticed.
MAX_YEARS = 20
DAY_ERRORS = {
    "invalid": gettext_lazy("Enter a day like 2027-06-30."),
    "required": gettext_lazy("Enter a day like 2027-06-30."),
}


class ReportForm(forms.Form):
    first = forms.DateField(label=gettext_lazy("From"), widget=AdminDateInput, error_messages=DAY_ERRORS)
    last = forms.DateField(
        label=gettext_lazy("To"),
        widget=AdminDateInput,
        help_text=gettext_lazy("Both days count, in the shop’s time zone."),
        error_messages=DAY_ERRORS,
    )
    course = forms.ModelChoiceField(
        label=gettext_lazy("Course"), queryset=Course.objects.none(), required=False, empty_label=gettext_lazy("All")
    )

    def __init__(self, *args: Any, report: Report, scope: ShopScope, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.report, self.scope = report, scope
        courses = Course.objects.order_by("title", "pk")
        chosen = self.fields["course"]
        assert isinstance(chosen, forms.ModelChoiceField)  # noqa: S101  tells mypy what the class declares
        chosen.queryset = courses if scope.is_whole else courses.filter(pk__in=scope.courses)
        if not report.has_course:
            del self.fields["course"]
        if not report.has_days:
            del self.fields["first"], self.fields["last"]
        for choice in report.choices:
            self.fields[choice.name] = (
                forms.ChoiceField(label=choice.label, choices=choice.options(), required=False)
                if choice.options is not None
                else forms.CharField(label=choice.label, required=False, max_length=200)
            )

    @staticmethod
    def default_days() -> dict[str, str]:
        today = clock.today()
        return {"first": (today - timedelta(days=DAYS_SHOWN - 1)).isoformat(), "last": today.isoformat()}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        first, last = cleaned.get("first"), cleaned.get("last")
        if first and last and first > last:
            self.add_error("last", _("The last day can’t be before the first."))
        elif first and last and (last - first).days > MAX_YEARS * 366:
            self.add_error("first", _("That is more than %(years)d years. Check the year.") % {"years": MAX_YEARS})
        return cleaned

    def to_asked(self) -> Asked:
        cleaned, today = self.cleaned_data, clock.today()
        course = cleaned.get("course")
        return Asked(
            first=cleaned.get("first") or today,
            last=cleaned.get("last") or today,
            scope=ShopScope(courses=frozenset([course.pk])) if course is not None else self.scope,
            by=cleaned.get("by") or "",
            state=cleaned.get("state") or "",
            company=cleaned.get("company") or "",
            contract_id=int(cleaned["contract"]) if cleaned.get("contract") else None,
        )

"""The filters above reports and audits, one form for both."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin.widgets import AdminDateInput

from courses.models import Course
from courses.selectors.run_dates import format_run_dates
from ecommerce.roles import ShopScope
from mitxonline.kernel import clock
from mitxonline.kernel.shop import current_shop
from reports.audits.base import AuditScope
from reports.exports.base import Asked, Report

DAYS_SHOWN = 30
# Long enough for any books, and short enough that a mistyped year is noticed.
MAX_YEARS = 20
DAY_ERRORS = {
    "invalid": gettext_lazy("Enter a day like 2027-06-30."),
    "required": gettext_lazy("Enter a day like 2027-06-30."),
}


class CourseField(forms.ChoiceField):
    """A course, by its key. With ``has_runs`` also one of its runs.

    Whoever may see the whole shop may also give a key that isn't on the list, such as that of a contract's run.
    """

    def __init__(self, *, scope: ShopScope, has_runs: bool = False) -> None:
        self.scope, self.has_runs = scope, has_runs
        super().__init__(
            label=_("Course or run") if has_runs else _("Course"),
            required=False,
            error_messages={"invalid_choice": _("Choose one of your courses.")},
        )
        courses = Course.objects.order_by("title", "pk")
        if not scope.is_whole:
            courses = courses.filter(pk__in=scope.courses)
        if has_runs:
            courses = courses.prefetch_related("runs")
        self.offers = [("", _("All") if scope.is_whole else "–"), *(self._offer(course) for course in courses)]
        self.choices = self.offers

    def valid_value(self, value: Any) -> bool:
        return self.scope.is_whole or super().valid_value(value)

    def show(self, key: str) -> None:
        """Offer a key that was asked for and isn't on the list, so that the form shows what it is about."""
        if key and not super().valid_value(key):
            self.choices = [*self.offers, (key, key)]

    def _offer(self, course: Course) -> tuple[Any, Any]:
        name = f"{course.title} ({course.readable_id})"
        if not self.has_runs:
            return course.readable_id, name
        runs = [
            (run.courseware_id, f"{format_run_dates(run, clock.now())} ({run.courseware_id})")
            for run in course.runs.all()
        ]
        return name, [(course.readable_id, _("All runs of %(course)s") % {"course": course.title}), *runs]


class BooksForm(forms.Form):
    """The filters above a report or an audit: days, both of which count, and a course."""

    first = forms.DateField(
        label=gettext_lazy("From"), required=False, widget=AdminDateInput, error_messages=DAY_ERRORS
    )
    last = forms.DateField(
        label=gettext_lazy("To"),
        required=False,
        widget=AdminDateInput,
        help_text=gettext_lazy("Both days count, in the shop’s time zone."),
        error_messages=DAY_ERRORS,
    )

    def __init__(self, data: Any = None, *, scope: ShopScope, has_runs: bool = False, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.scope = scope
        course = CourseField(scope=scope, has_runs=has_runs)
        course.show(str((data or {}).get("course", "")).strip() if scope.is_whole else "")
        self.fields["course"] = course

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        first, last = cleaned.get("first"), cleaned.get("last")
        if first and last and first > last:
            self.add_error("last", _("The last day can’t be before the first."))
        elif first and last and (last - first).days > MAX_YEARS * 366:
            self.add_error("first", _("That is more than %(years)d years. Check the year.") % {"years": MAX_YEARS})
        return cleaned


class AuditForm(BooksForm):
    """What an audit is about. Without days it is about all time; whoever may audit only some courses chooses one."""

    def __init__(self, data: Any = None, *, scope: ShopScope, has_currency: bool, **kwargs: Any) -> None:
        super().__init__(data, scope=scope, has_runs=True, **kwargs)
        if has_currency:
            currencies = [("", _("All")), *((each, each) for each in current_shop().currencies)]
            self.fields["currency"] = forms.ChoiceField(label=_("Currency"), required=False, choices=currencies)
        self.fields["course"].required = not scope.is_whole
        self.fields["course"].error_messages["required"] = _("Choose one of your courses.")

    def to_scope(self) -> AuditScope:
        said = self.cleaned_data
        return AuditScope(said["course"], said.get("first"), said.get("last"), said.get("currency", ""))


class ReportForm(BooksForm):
    """What a report is asked: days, a course, and what is its own."""

    def __init__(self, data: Any = None, *, report: Report, scope: ShopScope, **kwargs: Any) -> None:
        super().__init__(data, scope=scope, **kwargs)
        self.report = report
        self.fields["first"].required = self.fields["last"].required = True
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

    def clean_course(self) -> Course | None:
        key = self.cleaned_data["course"]
        if not key:
            return None
        course = Course.objects.filter(readable_id=key).first()
        if course is None:
            raise ValidationError(_("No course has the key “%(key)s”.") % {"key": key})
        return course

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

"""The courseware of a contract: what it covers with the runs that were made for it, and adding and removing it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.functional import cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail.admin import messages
from wagtail.admin.widgets.button import HeaderButton
from wagtail.snippets.widgets import AdminSnippetChooser

from b2b.models import ContractCourseware, ContractRun
from b2b.selectors.contracts import courseware_of, reconciles_of, runs_with_dates, waits_for_course_site
from b2b.services.contracts.wording import summarize
from b2b.services.courseware.courseware import (
    AddCourseware,
    RemoveCourseware,
    add_courseware,
    assigned_codes,
    plan_add_courseware,
    plan_remove_courseware,
    remove_courseware,
)
from b2b.services.courseware.wording import addition_lines, removal_lines
from b2b.wagtail_hooks.base import ContractFormView, ContractPageView, contract_url
from b2b.wagtail_hooks.terms import describe_waiting
from courses.models import Course, CourseRun, Program
from mitxonline.kernel import clock
from mitxonline.kernel.fingerprint import fingerprint
from mitxonline.kernel.forms import refusals_on
from mitxonline.staff.pages import has_confirmed, run_and_redirect


def title_of(row: ContractCourseware) -> str:
    item = row.program or row.course or row.course_run
    return item.title if item is not None else ""


@dataclass(frozen=True, slots=True)
class CoveredRow:
    """A course, program or run with the contract's runs that were made for it."""

    row: ContractCourseware
    runs: tuple[ContractRun, ...]

    @property
    def kind(self) -> str:
        if self.row.program is not None:
            return gettext("Program")
        return gettext("Course") if self.row.course is not None else gettext("Run")

    @property
    def title(self) -> str:
        return title_of(self.row)

    @property
    def waits(self) -> bool:
        """Whether the course site has yet to create one of the runs."""
        return any(waits_for_course_site(run.course_run.lms_state) for run in self.runs)


class CoursewareView(ContractPageView):
    tab = "courseware"
    template_name = "b2b/admin/courseware.html"

    @property
    def header_buttons(self) -> list[HeaderButton]:
        if self.terms is None or not self.can_edit:
            return []
        url = contract_url("add_courseware", self.contract.pk)
        return [HeaderButton(gettext("Add courseware"), url=url, icon_name="plus")]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        runs: dict[int | None, list[ContractRun]] = {}
        for run in runs_with_dates(self.contract.pk):
            runs.setdefault(run.courseware_id, []).append(run)
        rows = [CoveredRow(row=row, runs=tuple(runs.get(row.pk, ()))) for row in courseware_of(self.contract.pk)]
        return super().get_context_data(
            covered=[each for each in rows if each.row.removed_at is None],
            removed=[each for each in rows if each.row.removed_at is not None],
            **describe_waiting(list(reconciles_of(self.contract.pk)[:1]), now=clock.now()),
            **kwargs,
        )


class CoursewareForm(forms.Form):
    """A course, a program, or an existing run: exactly one of them."""

    create_runs = forms.BooleanField(
        label=_("Create runs, products and codes"),
        required=False,
        initial=True,
        help_text=_("Otherwise the contract only lists what it covers."),
    )
    rerun = forms.BooleanField(
        label=_("Create another run with this year’s key"),
        required=False,
        help_text=_("For courses that the contract already has."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The choosers' addresses are known once Wagtail has read every app's hooks, not when this module is imported.
        querysets = {
            "course": (Course.objects.all(), _("Course")),
            "program": (Program.objects.all(), _("Program")),
            "course_run": (CourseRun.objects.all(), _("Existing run")),
        }
        for name, (queryset, label) in querysets.items():
            widget = AdminSnippetChooser(model=queryset.model, show_edit_link=False)
            self.fields[name] = forms.ModelChoiceField(queryset=queryset, label=label, required=False, widget=widget)
        self.order_fields(["course", "program", "course_run", "create_runs", "rerun"])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        chosen = [item for name in ("course", "program", "course_run") if (item := cleaned.get(name)) is not None]
        if not self.errors and not chosen:
            raise forms.ValidationError(_("Choose a course, a program or a run."))
        if not self.errors and len(chosen) > 1:
            raise forms.ValidationError(_("Choose only one at a time."))
        if chosen:
            item = chosen[0]
            cleaned["readable_id"] = item.courseware_id if isinstance(item, CourseRun) else item.readable_id
        return cleaned


class AddCoursewareView(ContractFormView):
    """Add courseware: choose it, check the plan, confirm."""

    tab = "courseware"
    page_subtitle = _("Add courseware")
    form_class = CoursewareForm
    template_name = "b2b/admin/add_courseware.html"

    def get_initial(self) -> dict[str, Any]:
        """Choose removed courseware again, where “Add again” led here."""
        row_id = self.request.GET.get("again", "")
        if not row_id.isdecimal():
            return {}
        row = get_object_or_404(ContractCourseware, pk=int(row_id), contract_id=self.contract.pk)
        return {
            "course": row.course_id,
            "program": row.program_id,
            "course_run": row.course_run_id,
            "create_runs": row.create_runs,
        }

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        form = kwargs.setdefault("form", self.get_form())
        return super().get_context_data(media=form.media, **kwargs)

    def form_valid(self, form: CoursewareForm) -> HttpResponse:
        now = clock.now()
        wanted = AddCourseware(
            contract_id=self.contract.pk,
            readable_id=form.cleaned_data["readable_id"],
            create_runs=form.cleaned_data["create_runs"],
            rerun=form.cleaned_data["rerun"],
        )
        with refusals_on(form):
            addition, plan = plan_add_courseware(wanted, now=now)
            lines = addition_lines(addition, plan)
            seen = fingerprint(wanted.readable_id, lines)
            if has_confirmed(self.request, seen):
                add_courseware(wanted, now=now, user_id=self.request.user.pk)
                messages.success(self.request, gettext("Added. Runs and codes will follow in a moment."))
                return redirect(self.tab_url)
        if not form.is_valid():
            return self.form_invalid(form)
        context = self.get_context_data(
            form=form,
            lines=lines,
            summary=summarize(lines),
            warnings=tuple(dict.fromkeys((*addition.warnings, *plan.warnings))),
            seen=seen,
            changes_nothing=not addition.changes_anything and plan.is_empty,
        )
        return self.render_to_response(context)


class RemoveCoursewareView(ContractPageView):
    """Remove courseware: check which runs close and whose codes stop working, confirm."""

    requires_edit = True
    tab = "courseware"
    page_subtitle = _("Remove courseware")
    template_name = "b2b/admin/remove_courseware.html"

    @cached_property
    def row(self) -> ContractCourseware:
        rows = courseware_of(self.contract.pk).filter(removed_at__isnull=True)
        return get_object_or_404(rows, pk=self.kwargs["row_id"])

    @cached_property
    def wanted(self) -> RemoveCourseware:
        return RemoveCourseware(contract_id=self.contract.pk, readable_id=self.row.readable_id)

    @cached_property
    def plan(self) -> dict[str, Any]:
        removal, plan = plan_remove_courseware(self.wanted, now=clock.now())
        assigned = assigned_codes(removal.runs)
        lines = removal_lines(removal, plan, assigned=assigned)
        return {
            "lines": lines,
            "summary": summarize(lines),
            "assigned": assigned,
            "warnings": plan.warnings,
            "seen": fingerprint(self.wanted.readable_id, lines),
        }

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(title=title_of(self.row), **self.plan, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not has_confirmed(request, self.plan["seen"]):
            return self.render_to_response(self.get_context_data())

        def remove() -> str:
            remove_courseware(self.wanted, now=clock.now(), user_id=request.user.pk)
            return gettext("Removed. Its codes will stop working in a moment.")

        return run_and_redirect(request, remove, self.tab_url)

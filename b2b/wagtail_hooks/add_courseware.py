"""Adding and removing courseware: at once, but after the plan was shown."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.functional import cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail.admin import messages
from wagtail.snippets.widgets import AdminSnippetChooser

from b2b.models import ContractCourseware
from b2b.selectors.contracts import courseware_of
from b2b.services.courseware.courseware import (
    AddCourseware,
    RemoveCourseware,
    add_courseware,
    assigned_codes,
    plan_add_courseware,
    plan_remove_courseware,
    remove_courseware,
)
from b2b.services.courseware.wording import addition_lines, removal_lines, summary
from b2b.wagtail_hooks.contracts import contract_url
from b2b.wagtail_hooks.courseware import CoveredRow
from b2b.wagtail_hooks.workbench import ContractTemplateView
from courses.models import Course, CourseRun, Program
from mitxonline.kernel import clock
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.fingerprint import PlanChanged, fingerprint, refuse_unless_seen


class Chooser(AdminSnippetChooser):
    """A chooser that shows nothing chosen for a value that is no number, and leaves the refusal to the field."""

    def get_instance(self, value: Any) -> Any:
        """None where there can't be one."""
        return None if isinstance(value, str) and not value.isdecimal() else super().get_instance(value)


class CoursewareForm(forms.Form):
    """One thing to cover: a course, a program, or a run that exists already."""

    create_runs = forms.BooleanField(
        label=_("Make runs, products and codes"),
        required=False,
        initial=True,
        help_text=_("Without it the contract only lists what it covers."),
    )
    rerun = forms.BooleanField(
        label=_("Make another run with this year's key"),
        required=False,
        help_text=_("For courses the contract has already."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The choosers' addresses are known once Wagtail has read every app's hooks.
        things = {
            "course": (Course.objects.all(), _("Course")),
            "program": (Program.objects.all(), _("Program")),
            "course_run": (CourseRun.objects.all(), _("Run that exists already")),
        }
        for name, (found, label) in things.items():
            widget = Chooser(model=found.model, show_edit_link=False)
            self.fields[name] = forms.ModelChoiceField(queryset=found, label=label, required=False, widget=widget)
        self.order_fields(["course", "program", "course_run", "create_runs", "rerun"])

    def clean(self) -> dict[str, Any]:
        """Exactly one."""
        given = super().clean() or {}
        chosen = [each for name in ("course", "program", "course_run") if (each := given.get(name)) is not None]
        if len(chosen) != 1 and not self.errors:
            sentence = _("Choose one: a course, a program or a run.") if not chosen else _("Choose only one at a time.")
            raise forms.ValidationError(sentence)
        if chosen:
            thing = chosen[0]
            given["readable_id"] = thing.courseware_id if isinstance(thing, CourseRun) else thing.readable_id
        return given


class PlannedView(ContractTemplateView):
    """Something that is done once its plan was seen: confirming says which plan that was."""

    works = True
    tab = "courseware"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(back_url=contract_url("courseware", self.contract.pk), **kwargs)

    def is_confirmed(self, request: HttpRequest, current: str) -> bool:
        """Whether the current plan was confirmed; warn where another one was."""
        seen = request.POST.get("seen", "")
        if not seen:
            return False
        try:
            refuse_unless_seen(seen, current)
        except PlanChanged as refusal:
            messages.warning(request, str(refusal))
            return False
        return True


class AddCoursewareView(PlannedView):
    """Cover something: choose, look what that makes, confirm."""

    template_name = "b2b/admin/add_courseware.html"

    def get_page_subtitle(self) -> str:
        return gettext("Add courseware")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        form = kwargs.setdefault("form", CoursewareForm(initial=self._initial_choice()))
        return super().get_context_data(media=form.media, **kwargs)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        form = CoursewareForm(request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form), status=422)
        now = clock.now()
        wanted = AddCourseware(
            contract_id=pk,
            readable_id=form.cleaned_data["readable_id"],
            create_runs=form.cleaned_data["create_runs"],
            rerun=form.cleaned_data["rerun"],
        )
        try:
            addition, plan = plan_add_courseware(wanted, now=now)
            lines = addition_lines(addition, plan)
            seen = fingerprint(wanted.readable_id, lines)
            if self.is_confirmed(request, seen):
                add_courseware(wanted, now=now, user_id=request.user.pk)
                messages.success(request, gettext("Added. Runs and codes follow as soon as the worker gets to them."))
                return redirect(contract_url("courseware", pk))
        except DomainError as refusal:
            form.add_error(None, str(refusal))
            return self.render_to_response(self.get_context_data(form=form), status=422)
        warnings = tuple(dict.fromkeys((*addition.warnings, *plan.warnings)))
        nothing = not addition.changes_anything and plan.is_empty
        return self.render_to_response(
            self.get_context_data(
                form=form, lines=lines, summary=summary(lines), warnings=warnings, seen=seen, nothing=nothing
            )
        )

    def _initial_choice(self) -> dict[str, Any]:
        """What “Give back” has chosen already."""
        again = self.request.GET.get("again", "")
        if not again.isdecimal():
            return {}
        row = get_object_or_404(ContractCourseware, pk=int(again), contract_id=self.contract.pk)
        chosen = {"course": row.course_id, "program": row.program_id, "course_run": row.course_run_id}
        return chosen | {"create_runs": row.create_runs}


class RemoveCoursewareView(PlannedView):
    """Take something out: look which runs close and whose codes go off, confirm."""

    template_name = "b2b/admin/remove_courseware.html"

    def get_page_subtitle(self) -> str:
        return gettext("Remove courseware")

    @cached_property
    def row(self) -> ContractCourseware:
        """The courseware of this address."""
        rows = courseware_of(self.contract.pk).filter(removed_at__isnull=True)
        return get_object_or_404(rows, pk=self.kwargs["row_id"])

    def get(self, request: HttpRequest, pk: int, row_id: int) -> HttpResponse:
        return self._render_plan(self._plan(clock.now()))

    def post(self, request: HttpRequest, pk: int, row_id: int) -> HttpResponse:
        now, readable_id = clock.now(), self.row.readable_id
        plan = self._plan(now)
        if not self.is_confirmed(request, plan["seen"]):
            return self._render_plan(plan)
        try:
            remove_courseware(
                RemoveCourseware(contract_id=pk, readable_id=readable_id), now=now, user_id=request.user.pk
            )
        except DomainError as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, gettext("Removed. Codes go off as soon as the worker gets to them."))
        return redirect(contract_url("courseware", pk))

    def _plan(self, now: datetime) -> dict[str, Any]:
        removal, plan = plan_remove_courseware(
            RemoveCourseware(contract_id=self.contract.pk, readable_id=self.row.readable_id), now=now
        )
        given = assigned_codes(removal.runs)
        lines = removal_lines(removal, plan, assigned=given)
        return {
            "lines": lines,
            "summary": summary(lines),
            "given": given,
            "warnings": plan.warnings,
            "seen": fingerprint(self.row.readable_id, lines),
        }

    def _render_plan(self, plan: dict[str, Any]) -> HttpResponse:
        return self.render_to_response(self.get_context_data(title=CoveredRow(row=self.row, runs=()).title, **plan))

"""What a contract covers, with the runs that were made for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext
from wagtail.admin.widgets.button import HeaderButton

from b2b.models import ContractCourseware, ContractRun
from b2b.selectors.contracts import courseware_of, reconciles_of, runs_with_dates, waits_for_course_site
from b2b.wagtail_hooks.contracts import contract_url
from b2b.wagtail_hooks.terms import waiting
from b2b.wagtail_hooks.workbench import ContractTemplateView
from mitxonline.kernel import clock


@dataclass(frozen=True, slots=True)
class CoveredRow:
    """A course, program or run with the contract's runs that were made for it."""

    row: ContractCourseware
    runs: tuple[ContractRun, ...]

    @property
    def kind(self) -> str:
        """What it is."""
        if self.row.program is not None:
            return gettext("Program")
        return gettext("Course") if self.row.course is not None else gettext("Run")

    @property
    def title(self) -> str:
        """What it is called."""
        thing = self.row.program or self.row.course or self.row.course_run
        return thing.title if thing is not None else ""

    @property
    def waits(self) -> bool:
        """Whether the course site has still to make one of the runs."""
        return any(waits_for_course_site(run.course_run.lms_state) for run in self.runs)


class CoursewareView(ContractTemplateView):
    """Everything the contract covers or covered, with its runs."""

    tab = "courseware"
    template_name = "b2b/admin/courseware.html"

    @property
    def header_buttons(self) -> list[HeaderButton]:
        if self.terms is None or not self.may_work:
            return []
        url = contract_url("add_courseware", self.contract.pk)
        return [HeaderButton(gettext("Add courseware"), url=url, icon_name="plus")]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        runs: dict[int | None, list[ContractRun]] = {}
        for run in runs_with_dates(self.contract.pk):
            runs.setdefault(run.courseware_id, []).append(run)
        rows = [CoveredRow(row=row, runs=tuple(runs.get(row.pk, ()))) for row in courseware_of(self.contract.pk)]
        return context | {
            "covered": [each for each in rows if each.row.removed_at is None],
            "removed": [each for each in rows if each.row.removed_at is not None],
            **waiting(list(reconciles_of(self.contract.pk)[:1]), now=clock.now()),
        }

"""The contracts of a course, on the course's own page."""

from __future__ import annotations

from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext as _
from wagtail import hooks

from b2b.enums import ContractStanding
from b2b.models import ContractCourseware, ContractRun
from b2b.selectors.needs import contracts_for
from b2b.wagtail_hooks.base import SEE_CONTRACTS, TONES, contract_url
from b2b.wagtail_hooks.contracts import format_day, format_price, format_seats
from courses.models import Course
from mitxonline.kernel import clock
from mitxonline.staff.courses import COURSE_SECTIONS, CourseSection, SectionCell


@hooks.register(COURSE_SECTIONS, order=40)
def add_contracts(request: HttpRequest, course: Course) -> CourseSection | None:
    if not request.user.has_perm(SEE_CONTRACTS):
        return None
    runs = ContractRun.objects.current().filter(course_run__course=course)
    # The run of a course that was just added is made a little later.
    covered = ContractCourseware.objects.filter(course=course, removed_at__isnull=True)
    has_course = Q(pk__in=runs.values("contract")) | Q(pk__in=covered.values("contract"))
    contracts = contracts_for(request.user, today=clock.today()).filter(has_course)
    rows = tuple(
        (
            SectionCell(page.name, contract_url("terms", page.pk)),
            SectionCell(page.organization_name),
            SectionCell(ContractStanding(page.state).label, tone=TONES.get(ContractStanding(page.state), "plain")),
            SectionCell(format_seats(page)),
            SectionCell(format_day(page.terms.end if hasattr(page, "terms") else page.contract_end) or "–"),
            SectionCell(format_price(page)),
        )
        for page in contracts.order_by("organization_name", "name", "pk")
    )
    columns = (_("Contract"), _("Organization"), _("State"), _("Seats taken"), _("Last day"), _("Price"))
    return CourseSection("contracts", _("Contracts"), columns, rows, _("No contract has this course."))

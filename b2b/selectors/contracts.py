"""What operators list: organizations, contracts, what they cover, who is in them. Constant queries each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db.models import Count, Q, QuerySet
from wagtail.models import Page

from b2b.enums import MembershipState, ReconcileState
from b2b.errors.contracts import ContractNotPublished, ContractUnknown
from b2b.models import (
    ContractCourseware,
    ContractMembership,
    ContractPage,
    ContractRun,
    ContractTerms,
    OrganizationPage,
    Reconcile,
)
from courses.enums import LmsState
from mitxonline.kernel.clock import date_of
from mitxonline.kernel.money import Money


@dataclass(frozen=True, slots=True)
class OrganizationRow:
    """An organization as it is listed."""

    id: int
    name: str
    slug: str
    key: str
    contracts: int


@dataclass(frozen=True, slots=True)
class ContractRow:
    """A contract as it is listed; no cap and no price are None."""

    id: int
    name: str
    slug: str
    organization: str
    type: str
    start: date | None
    end: date | None
    active: bool
    max_learners: int | None
    members: int
    price: Decimal | None
    currency: str


@dataclass(frozen=True, slots=True)
class CoursewareRow:
    """A program, a course that has no run (yet), or a run of a contract."""

    id: int
    contract_id: int
    contract: str
    type: str
    readable_id: str
    name: str
    start: date | None = None
    end: date | None = None
    course_site: str = ""


@dataclass(frozen=True, slots=True)
class LearnerRow:
    """Someone's seat in a contract."""

    email: str
    name: str
    contract_id: int
    contract: str
    source: str
    since: date


@dataclass(frozen=True, slots=True)
class ReconcileRow:
    """One bringing-in-line of a contract; ``seconds`` is None while it isn't over."""

    contract_id: int
    contract: str
    state: str
    requested: datetime
    by: str
    reason: str
    seconds: float | None
    codes_before: int | None
    codes_after: int | None
    error: str


def reconcile_rows(
    *, organization: OrganizationPage | None = None, contract_id: int | None = None, limit: int = 100
) -> list[ReconcileRow]:
    """The newest records of bringing these contracts in line."""
    contracts = {page.pk: page.name for page in _contracts(organization, contract_id)}
    records = Reconcile.objects.filter(contract_id__in=contracts).select_related("requested_by")
    return [
        ReconcileRow(
            contract_id=record.contract_id,
            contract=contracts[record.contract_id],
            state=record.state,
            requested=record.requested_at,
            by=record.requested_by.email if record.requested_by else "",
            reason=record.reason,
            seconds=round(record.took.total_seconds(), 1) if record.took is not None else None,
            codes_before=record.before.get("codes"),
            codes_after=record.after.get("codes"),
            error=record.error,
        )
        for record in records.order_by("-requested_at", "-pk")[:limit]
    ]


def organization_rows(*, organization_id: int | None = None) -> list[OrganizationRow]:
    """All organizations, or the one, with how many contracts they have."""
    organizations = OrganizationPage.objects.order_by("pk")
    if organization_id is not None:
        organizations = organizations.filter(pk=organization_id)
    counts: dict[str, int] = {}
    for path in ContractPage.objects.values_list("path", flat=True):
        counts[_parent(path)] = counts.get(_parent(path), 0) + 1
    return [
        OrganizationRow(id=pk, name=name, slug=slug, key=key, contracts=counts.get(path, 0))
        for pk, name, slug, key, path in organizations.values_list("pk", "name", "slug", "org_key", "path")
    ]


def contract_rows(*, organization: OrganizationPage | None = None, contract_id: int | None = None) -> list[ContractRow]:
    """All contracts, an organization's, or the one."""
    contracts = _contracts(organization, contract_id).annotate(
        members=Count("memberships", filter=Q(memberships__state=MembershipState.ACTIVE))
    )
    names = dict(OrganizationPage.objects.values_list("path", "name"))
    return [
        ContractRow(
            id=page.pk,
            name=page.name,
            slug=page.slug,
            organization=names.get(_parent(page.path), ""),
            type=page.integration_type,
            start=page.contract_start,
            end=page.contract_end,
            active=page.active and page.live,
            max_learners=page.max_learners or None,
            members=page.members,
            price=Money(page.enrollment_fixed_price, page.currency).amount if page.enrollment_fixed_price else None,
            currency=page.currency,
        )
        for page in contracts.order_by("pk")
    ]


def courseware_rows(
    *, organization: OrganizationPage | None = None, contract_id: int | None = None
) -> list[CoursewareRow]:
    """What contracts cover: their programs, courses without a run, and runs; nothing that was removed."""
    contracts = {page.pk: page for page in _contracts(organization, contract_id)}
    runs = list(
        ContractRun.objects.current()
        .filter(contract_id__in=contracts)
        .select_related("course_run")
        .order_by("contract_id", "pk")
    )
    with_runs = {(run.contract_id, run.course_run.course_id) for run in runs}
    covered = ContractCourseware.objects.filter(contract_id__in=contracts, removed_at__isnull=True)
    rows = [
        _courseware_row(row, contracts[row.contract_id].name)
        for row in covered.select_related("course", "program").order_by("contract_id", "position", "pk")
        if row.program is not None or (row.course is not None and (row.contract_id, row.course_id) not in with_runs)
    ]
    rows += [_run_row(run, contracts[run.contract_id].name) for run in runs]
    return sorted(rows, key=lambda row: row.contract_id)


def learner_rows(*, organization: OrganizationPage | None = None, contract_id: int | None = None) -> list[LearnerRow]:
    """Who has joined these contracts; seats that an order only holds are not theirs yet."""
    contracts = {page.pk: page.name for page in _contracts(organization, contract_id)}
    seats = (
        ContractMembership.objects.filter(contract_id__in=contracts, state=MembershipState.ACTIVE)
        .select_related("user")
        .order_by("contract_id", "user__email")
    )
    return [
        LearnerRow(
            email=seat.user.email,
            name=seat.user.name,
            contract_id=seat.contract_id,
            contract=contracts[seat.contract_id],
            source=seat.source,
            since=date_of(seat.since),
        )
        for seat in seats
    ]


def is_being_brought_in_line(contract_id: int) -> bool:
    """Whether the worker still has something to do for this contract."""
    at_it = (ReconcileState.WAITING, ReconcileState.RUNNING)
    return Reconcile.objects.filter(contract_id=contract_id, state__in=at_it).exists()


def _contracts(organization: OrganizationPage | None, contract_id: int | None) -> QuerySet[ContractPage]:
    contracts: QuerySet[ContractPage] = ContractPage.objects.all()
    if organization is not None:
        contracts = contracts.filter(path__startswith=organization.path)
    return contracts if contract_id is None else contracts.filter(pk=contract_id)


def _parent(path: str) -> str:
    """The place of a page's parent in the tree."""
    return path[: -Page.steplen]


def _courseware_row(row: ContractCourseware, contract: str) -> CoursewareRow:
    is_program = row.program is not None
    return CoursewareRow(
        id=row.program_id or row.course_id or 0,
        contract_id=row.contract_id,
        contract=contract,
        type="program" if is_program else "course",
        readable_id=row.readable_id,
        name=row.program.title if row.program is not None else row.course.title if row.course is not None else "",
    )


def _run_row(run: ContractRun, contract: str) -> CoursewareRow:
    return CoursewareRow(
        id=run.course_run_id,
        contract_id=run.contract_id,
        contract=contract,
        type="run",
        readable_id=run.course_run.courseware_id,
        name=run.course_run.title,
        start=_day(run.course_run.start_date),
        end=_day(run.course_run.end_date),
        course_site="" if run.course_run.lms_state == LmsState.NOT_NEEDED else run.course_run.get_lms_state_display(),
    )


def _day(moment: datetime | None) -> date | None:
    return date_of(moment) if moment else None


def terms_in_force(contract_id: int) -> ContractTerms:
    """The contract's terms with its organization; ContractUnknown, ContractNotPublished."""
    terms = ContractTerms.objects.filter(pk=contract_id).select_related("organization").first()
    if terms is None:
        raise ContractNotPublished(find_contract(contract_id).name)
    return terms


def find_contract(contract_id: int) -> ContractPage:
    """The contract; ContractUnknown if there is none."""
    page: ContractPage | None = ContractPage.objects.filter(pk=contract_id).first()
    if page is None:
        raise ContractUnknown(contract_id)
    return page

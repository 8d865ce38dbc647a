"""Organizations and contracts, read for the workbench and for commands. Every list costs constant queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar

from django.db.models import (
    Case,
    CharField,
    Count,
    Exists,
    F,
    IntegerField,
    Model,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Left, Length
from wagtail.images import get_image_model
from wagtail.models import Page, PageLogEntry

from b2b.enums import ContractStanding, MembershipState, ReconcileState
from b2b.errors.contracts import ContractNotPublished, ContractUnknown
from b2b.models import (
    ContractCourseware,
    ContractMembership,
    ContractPage,
    ContractRun,
    ContractTerms,
    HandOut,
    HandOutMail,
    KeycloakOrganization,
    OrganizationIndexPage,
    OrganizationMembership,
    OrganizationPage,
    Reconcile,
)
from b2b.models.terms import standing_case
from b2b.seats import SeatCount, count_seats, with_seats
from courses.enums import RunLmsState
from ecommerce.models import CodeUse
from mitxonline.kernel.clock import date_of
from mitxonline.kernel.money import Money

M = TypeVar("M", bound=Model)

# The size of logos in lists; each rendition is made once.
LOGO = "max-64x64"


def terms_in_force(contract_id: int) -> ContractTerms:
    """Return the contract's terms with its organization; raises ContractUnknown, ContractNotPublished."""
    terms = ContractTerms.objects.filter(pk=contract_id).select_related("organization").first()
    if terms is None:
        raise ContractNotPublished(name=find_contract(contract_id).name)
    return terms


def find_contract(contract_id: int) -> ContractPage:
    """Return the contract; raises ContractUnknown."""
    page: ContractPage | None = ContractPage.objects.filter(pk=contract_id).first()
    if page is None:
        raise ContractUnknown(contract_id=contract_id)
    return page


def find_page_in_use(page: Page) -> Page | None:
    """Return the first page at or below this one that must not be deleted, or None.

    In use are contracts that were in force or cover something, organizations with members, and the index page.
    """
    contracts = ContractPage.objects.descendant_of(page, inclusive=True)
    used = contracts.filter(terms__isnull=False) | contracts.filter(courseware__isnull=False)
    if (contract := used.order_by("path").first()) is not None:
        return contract
    organizations = OrganizationPage.objects.descendant_of(page, inclusive=True)
    if (organization := organizations.filter(memberships__isnull=False).order_by("path").first()) is not None:
        return organization
    return OrganizationIndexPage.objects.descendant_of(page, inclusive=True).first()


# --- The workbench --------------------------------------------------------------------------------------------------


def list_organizations() -> QuerySet[OrganizationPage]:
    """Return organizations with the numbers of their contracts and members, and prefetched logos."""
    pictures = get_image_model().objects.prefetch_renditions(LOGO)
    found: QuerySet[OrganizationPage] = (
        OrganizationPage.objects.filter(alias_of__isnull=True)
        .annotate(members=_count_of(OrganizationMembership, "organization"), contracts=F("numchild"))
        .prefetch_related(Prefetch("logo", queryset=pictures))
    )
    return found


def with_valid_contracts(
    organizations: QuerySet[OrganizationPage], *, today: date, has: bool
) -> QuerySet[OrganizationPage]:
    """Keep only the organizations with a contract that people can join today, or only those without."""
    valid = Exists(ContractTerms.objects.valid_on(today).filter(organization=OuterRef("pk")))
    return organizations.filter(valid) if has else organizations.filter(~valid)


def list_contracts(*, today: date) -> QuerySet[ContractPage]:
    """Return contracts with their organization, seats and today's standing, leaving out aliases."""
    parent = OrganizationPage.objects.filter(path=OuterRef("organization_path"))
    pages: QuerySet[ContractPage] = ContractPage.objects.filter(alias_of__isnull=True)
    found: QuerySet[ContractPage] = (
        with_seats(pages.select_related("terms"))
        .annotate(organization_path=Left("path", Length("path") - Page.steplen))
        .annotate(
            organization_name=Subquery(parent.values("name")[:1], output_field=CharField()),
            organization_id=Subquery(parent.values("pk")[:1], output_field=IntegerField()),
        )
        .annotate(state=_state(today))
    )
    return found


def contracts_of(organization: OrganizationPage, *, today: date) -> QuerySet[ContractPage]:
    return list_contracts(today=today).filter(path__startswith=organization.path).order_by("name", "pk")


def seats_of(contract_id: int) -> SeatCount:
    """Return the contract's seats; zero for one that was never in force."""
    return count_seats([contract_id]).get(contract_id, SeatCount())


def managers_of(organization_id: int) -> QuerySet[OrganizationMembership]:
    return (
        OrganizationMembership.objects.filter(organization_id=organization_id, is_manager=True)
        .select_related("user")
        .order_by("user__name", "pk")
    )


def keycloak_of(organization_id: int) -> KeycloakOrganization | None:
    """Return the organization in Keycloak as the synchronization last saw it."""
    return KeycloakOrganization.objects.filter(organization_id=organization_id).first()


def members_of(contract_id: int) -> QuerySet[ContractMembership]:
    return ContractMembership.objects.filter(contract_id=contract_id).select_related("user", "added_by")


def invitations_of(contract_id: int, *, used: bool | None = None) -> QuerySet[HandOut]:
    """Return invitations with `came` (whether the person joined) and the state of the last e-mail."""
    came = CodeUse.objects.live().filter(code=OuterRef("code"), user__email=OuterRef("email"))
    last = HandOutMail.objects.filter(hand_out=OuterRef("pk")).order_by("-pk")
    found = (
        HandOut.objects.filter(contract_run__contract_id=contract_id, is_shared=True)
        .select_related("contract_run__course_run", "given_by")
        .annotate(came=Exists(came), mail_state=Subquery(last.values("state")[:1]))
    )
    return found if used is None else found.filter(came=used)


def reconciles_of(contract_id: int) -> QuerySet[Reconcile]:
    """Return the updates of the contract, newest first."""
    return Reconcile.objects.filter(contract_id=contract_id).select_related("requested_by").order_by("-pk")


def activity_of(contract_id: int) -> QuerySet[PageLogEntry]:
    """Return the log entries of the contract, newest first."""
    entries: QuerySet[PageLogEntry] = (
        PageLogEntry.objects.filter(page_id=contract_id).select_related("user").order_by("-timestamp", "-pk")
    )
    return entries


def courseware_of(contract_id: int) -> QuerySet[ContractCourseware]:
    """Return the courseware of the contract in its order, including removed items."""
    rows = ContractCourseware.objects.filter(contract_id=contract_id)
    return rows.select_related("course", "program", "course_run").order_by("position", "pk")


def runs_with_dates(contract_id: int) -> QuerySet[ContractRun]:
    """Return the contract's runs with their course runs, including removed ones."""
    runs = ContractRun.objects.filter(contract_id=contract_id).select_related("course_run")
    return runs.order_by("course_run__title", "generation", "pk")


def initials(name: str) -> str:
    """Return two letters for an organization without a logo."""
    return "".join(word[0] for word in name.split()[:2]).upper()


def waits_for_course_site(state: str) -> bool:
    """Tell whether the course site still has to create the run."""
    return state not in (RunLmsState.NOT_NEEDED, RunLmsState.THERE)


def _count_of(model: type[M], column: str) -> Any:
    """Count the rows that refer to this one, in a subquery so that other joins can't multiply them."""
    rows = model._default_manager.filter(**{column: OuterRef("pk")}).order_by().values(column)
    return Coalesce(Subquery(rows.annotate(n=Count("pk")).values("n"), output_field=IntegerField()), 0)


def _state(today: date) -> Case:
    return Case(
        When(terms__isnull=True, then=Value(ContractStanding.DRAFT.value)),
        default=standing_case(today, path="terms__", full=Q(is_full=True)),
        output_field=CharField(),
    )


# --- Rows for commands ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OrganizationRow:
    id: int
    name: str
    slug: str
    key: str
    contracts: int


@dataclass(frozen=True, slots=True)
class ContractRow:
    """A contract; `max_learners` and `price` are None if there is no limit or no price."""

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
    """A program, a course without a run yet, or a run of a contract."""

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
    email: str
    name: str
    contract_id: int
    contract: str
    source: str
    since: date


@dataclass(frozen=True, slots=True)
class ReconcileRow:
    """One update of a contract; `seconds` is None until it has finished."""

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
    """Return the newest updates of these contracts."""
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
    """Return all organizations, or one, with the number of their contracts."""
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
    """Return all contracts, those of an organization, or one."""
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
    """Return the current courseware of contracts: programs, courses without a run, and runs."""
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
    """Return the members of these contracts. Seats held for an order don't count."""
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


def is_reconciling(contract_id: int) -> bool:
    """Tell whether the worker still has something to do for this contract."""
    unfinished = (ReconcileState.WAITING, ReconcileState.RUNNING)
    return Reconcile.objects.filter(contract_id=contract_id, state__in=unfinished).exists()


def _contracts(organization: OrganizationPage | None, contract_id: int | None) -> QuerySet[ContractPage]:
    contracts: QuerySet[ContractPage] = ContractPage.objects.all()
    if organization is not None:
        contracts = contracts.filter(path__startswith=organization.path)
    return contracts if contract_id is None else contracts.filter(pk=contract_id)


def _parent(path: str) -> str:
    """Return the tree path of a page's parent."""
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
        course_site=""
        if run.course_run.lms_state == RunLmsState.NOT_NEEDED
        else run.course_run.get_lms_state_display(),
    )


def _day(moment: datetime | None) -> date | None:
    return date_of(moment) if moment else None

"""What those who look after contracts see: organizations and contracts as they stand, in constant queries."""

from __future__ import annotations

from datetime import date
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

from b2b.enums import ContractStanding
from b2b.models import (
    ContractCourseware,
    ContractMembership,
    ContractPage,
    ContractRun,
    ContractTerms,
    HandOut,
    HandOutMail,
    KeycloakOrganization,
    OrganizationMembership,
    OrganizationPage,
    Reconcile,
)
from b2b.models.terms import standing_case
from b2b.seats import SeatCount, count_seats, with_seats
from courses.enums import LmsState
from ecommerce.models import CodeUse

M = TypeVar("M", bound=Model)

# The size in which a logo stands in lists; made once for each picture.
LOGO = "max-64x64"


def organizations() -> QuerySet[OrganizationPage]:
    """Organizations with how many contracts and members they have, and their logos ready to be shown."""
    pictures = get_image_model().objects.prefetch_renditions(LOGO)
    found: QuerySet[OrganizationPage] = (
        OrganizationPage.objects.filter(alias_of__isnull=True)
        .annotate(members=_count_of(OrganizationMembership, "organization"), contracts=F("numchild"))
        .prefetch_related(Prefetch("logo", queryset=pictures))
    )
    return found


def with_valid_contracts(found: QuerySet[OrganizationPage], *, today: date, has: bool) -> QuerySet[OrganizationPage]:
    """Only the organizations with a contract one can come into today, or only those without."""
    valid = Exists(ContractTerms.objects.valid_on(today).filter(organization=OuterRef("pk")))
    return found.filter(valid) if has else found.filter(~valid)


def contracts(*, today: date) -> QuerySet[ContractPage]:
    """Contracts with their organization, seats, and where they stand today; an alias is none."""
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
    """One organization's contracts, by name."""
    return contracts(today=today).filter(path__startswith=organization.path).order_by("name", "pk")


def seats_of(contract_id: int) -> SeatCount:
    """The contract's seats; none where it was never in force."""
    return count_seats([contract_id]).get(contract_id, SeatCount())


def managers_of(organization_id: int) -> QuerySet[OrganizationMembership]:
    """Who hands out the organization's seats."""
    return (
        OrganizationMembership.objects.filter(organization_id=organization_id, is_manager=True)
        .select_related("user")
        .order_by("user__name", "pk")
    )


def keycloak_of(organization_id: int) -> KeycloakOrganization | None:
    """The organization in Keycloak that it stands for, as the synchronization last saw it."""
    return KeycloakOrganization.objects.filter(organization_id=organization_id).first()


def members_of(contract_id: int) -> QuerySet[ContractMembership]:
    """Who has a seat or is about to, with who added them."""
    return ContractMembership.objects.filter(contract_id=contract_id).select_related("user", "added_by")


def invitations_of(contract_id: int, *, used: bool | None = None) -> QuerySet[HandOut]:
    """Who was invited with the shared code, whether they came, and what became of the last mail."""
    came = CodeUse.objects.live().filter(code=OuterRef("code"), user__email=OuterRef("email"))
    last = HandOutMail.objects.filter(hand_out=OuterRef("pk")).order_by("-pk")
    found = (
        HandOut.objects.filter(contract_run__contract_id=contract_id, is_shared=True)
        .select_related("contract_run__course_run", "given_by")
        .annotate(came=Exists(came), mail_state=Subquery(last.values("state")[:1]))
    )
    return found if used is None else found.filter(came=used)


def reconciles_of(contract_id: int) -> QuerySet[Reconcile]:
    """What was done to bring the contract in line, the newest first."""
    return Reconcile.objects.filter(contract_id=contract_id).select_related("requested_by").order_by("-pk")


def acts_on(contract_id: int) -> QuerySet[PageLogEntry]:
    """What people did with the contract, the newest first."""
    acts: QuerySet[PageLogEntry] = (
        PageLogEntry.objects.filter(page_id=contract_id).select_related("user").order_by("-timestamp", "-pk")
    )
    return acts


def courseware_of(contract_id: int) -> QuerySet[ContractCourseware]:
    """What a contract covers or covered, in its order."""
    rows = ContractCourseware.objects.filter(contract_id=contract_id)
    return rows.select_related("course", "program", "course_run").order_by("position", "pk")


def runs_with_dates(contract_id: int) -> QuerySet[ContractRun]:
    """The contract's runs, removed ones too, with their dates and where the course site stands."""
    runs = ContractRun.objects.filter(contract_id=contract_id).select_related("course_run")
    return runs.order_by("course_run__title", "generation", "pk")


def initials(name: str) -> str:
    """Two letters for an organization without a logo."""
    return "".join(word[0] for word in name.split()[:2]).upper()


def waits_for_course_site(state: str) -> bool:
    """Whether the course site has still to make a run."""
    return state not in (LmsState.NOT_NEEDED, LmsState.SENT)


def _count_of(model: type[M], column: str) -> Any:
    """How many rows point at this one; counted apart, so that other joins can't multiply it."""
    rows = model._default_manager.filter(**{column: OuterRef("pk")}).order_by().values(column)
    return Coalesce(Subquery(rows.annotate(n=Count("pk")).values("n"), output_field=IntegerField()), 0)


def _state(today: date) -> Case:
    return Case(
        When(terms__isnull=True, then=Value(ContractStanding.DRAFT.value)),
        default=standing_case(today, path="terms__", full=Q(are_gone=True)),
        output_field=CharField(),
    )

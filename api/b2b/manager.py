"""Operations of the people who manage an organization. What isn't theirs doesn't exist: 404."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Query, Router
from pydantic import Field

from api.b2b import schemas
from api.b2b.drawing import draw_contracts, draw_organizations, draw_short_contracts
from api.http.callers import CONTRACTS, person
from api.http.contract import DetailError
from api.http.errors import refuse_fields
from api.http.paging import PageNumbers, PageOfList, paginate
from api.http.shapes import LEFT_OUT, Id
from b2b.enums import MailState, ManagedCodeState
from b2b.errors.handouts import (
    CodeNotRevocable,
    HandOutUnknown,
    NoCodesHere,
)
from b2b.models import ContractTerms, HandOut
from b2b.selectors.lots import ContractLot
from b2b.selectors.managers import (
    PER_PAGE,
    ManagedCode,
    ManagedRun,
    code_lines,
    count_codes,
    count_invitations,
    find_code_id,
    find_line,
    find_line_of_code,
    handed_out_codes,
    handed_out_invitations,
    invitation_lines,
    lines_of,
    managed_contract,
    managed_runs,
)
from b2b.selectors.managers import managed_contracts as contracts_with_seats
from b2b.selectors.visible import (
    contracts_of_organization,
    count_learners,
    enrollments_of_run,
    managed_organizations,
    runs_with_course_runs,
)
from b2b.services.handouts.assign import (
    HandOutRequest,
    assign_code,
    hand_out_while_any,
    reassign_code,
    reinvite,
    remind_code,
    remind_invited,
)
from b2b.services.handouts.mails import request_example
from b2b.services.handouts.recipients import Recipient
from b2b.services.handouts.revoke import revoke_code, take_back
from mitxonline.kernel import clock
from mitxonline.kernel.errors import NotFound
from mitxonline.kernel.names import ADDRESS_IN_NAME, has_address
from mitxonline.kernel.people.lines import is_email_address
from mitxonline.kernel.text import normalize_email

router = Router(auth=CONTRACTS.signed_in, tags=["b2b"])

ORGANIZATION = "/v0/b2b/manager/organizations/{parent_lookup_organization}/contracts/"
CONTRACT = ORGANIZATION + "{id}/"
CODE = CONTRACT + "codes/{code}/"
MOST_PEOPLE = 5000

_WAITING = (ManagedCodeState.INVITED, ManagedCodeState.FAILED, ManagedCodeState.HELD)
_USED = (ManagedCodeState.JOINED, ManagedCodeState.WITHDRAWN)
_STATES = {"assigned": _WAITING, "redeemed": _USED, "failed": (ManagedCodeState.FAILED,)}
_EMAIL_STATUS: dict[MailState, Literal["accepted", "failed", "pending"]] = {
    MailState.QUEUED: "pending",
    MailState.SENDING: "pending",
    MailState.UNKNOWN: "pending",
    MailState.SENT: "accepted",
    MailState.FAILED: "failed",
}


class ManagerPages(PageNumbers):
    """The page number and size."""

    page_size: int = Field(PER_PAGE, description="Number of results to return per page.")


class AskedOrganizations(ManagerPages):
    sso_organization_id: str = Field(
        LEFT_OUT,
        description="Only the organization with this id in Keycloak. An answer with one says that you manage it.",
        json_schema_extra={"format": "uuid"},
    )


class AskedCodes(ManagerPages):
    search_term: str = Field(LEFT_OUT, description="A part of an address or a name, or the beginning of a code.")
    status: Literal["assigned", "failed", "redeemed"] = Field(
        LEFT_OUT, description="Codes waiting for their people, those whose e-mail failed, or used ones."
    )


@dataclass(frozen=True, slots=True)
class ManagedPlace:
    """A contract that the caller manages, with its courses."""

    terms: ContractTerms
    runs: Sequence[ManagedRun]
    by_id: int
    now: datetime

    @property
    def has_own_codes(self) -> bool:
        return self.terms.max_learners is not None

    def find_code(self, text: str) -> ManagedCode:
        return find_line(self.terms, self.runs, text, now=self.now)

    def draw(self, code: str) -> schemas.ManagerEnrollmentCode:
        return draw_code(self.find_code(code))

    def draw_hand_outs(self, hand_outs: Sequence[HandOut]) -> list[schemas.ManagerEnrollmentCode]:
        return [draw_code(line) for line in lines_of(self.terms, self.runs, hand_outs, now=self.now)]


def find_contract(request: HttpRequest, organization_id: int, contract_id: int) -> ContractTerms:
    user = person(request)
    terms = managed_contract(user_id=user.pk, organization_id=organization_id, contract_id=contract_id)
    if terms is None:
        raise NotFound
    return terms


def find_place(request: HttpRequest, organization_id: int, contract_id: int) -> ManagedPlace:
    terms, now = find_contract(request, organization_id, contract_id), clock.now()
    return ManagedPlace(terms, managed_runs(terms.pk, now=now), person(request).pk, now)


# --- Organizations and contracts -------------------------------------------------------------------------------------


@router.get(
    "/v0/b2b/manager/organizations/",
    operation_id="b2b_manager_organizations_list",
    response=schemas.PaginatedOrganizationPageList,
)
def list_organizations(
    request: HttpRequest, filters: Query[AskedOrganizations]
) -> PageOfList[schemas.OrganizationPage]:
    """List the organizations you manage."""
    organizations = managed_organizations(person(request), now=clock.now())
    if "sso_organization_id" in filters.model_fields_set:
        found = _parse_uuid(filters.sso_organization_id)
        organizations = organizations.filter(keycloak__keycloak_id=found) if found else organizations.none()
    return paginate(request, organizations, filters, lambda rows: draw_organizations(request, rows))


@router.get(
    "/v0/b2b/manager/organizations/{id}/",
    operation_id="b2b_manager_organizations_detail",
    response=schemas.OrganizationPage,
)
def get_organization(request: HttpRequest, id: Id) -> schemas.OrganizationPage:
    """Get an organization you manage."""
    found = managed_organizations(person(request), now=clock.now()).filter(pk=id)
    for drawn in draw_organizations(request, list(found)):
        return drawn
    raise NotFound


@router.get(
    ORGANIZATION,
    operation_id="b2b_manager_organizations_contracts_list",
    response=schemas.PaginatedBaseContractPageList,
)
def list_contracts(
    request: HttpRequest, parent_lookup_organization: Id, pages: Query[ManagerPages]
) -> PageOfList[schemas.BaseContractPage]:
    """List the contracts of an organization you manage, also those that aren't open."""
    managed = managed_organizations(person(request), now=clock.now())
    if not managed.filter(pk=parent_lookup_organization).exists():
        raise NotFound
    return paginate(request, contracts_of_organization(parent_lookup_organization), pages, draw_short_contracts)


@router.get(
    CONTRACT,
    operation_id="b2b_manager_organizations_contracts_retrieve",
    response=schemas.ManagerContractDetail,
)
def get_contract(request: HttpRequest, parent_lookup_organization: Id, id: Id) -> schemas.ManagerContractDetail:
    """Get a contract with its numbers."""
    terms, now = find_contract(request, parent_lookup_organization, id), clock.now()
    (contract,) = contracts_with_seats(terms.organization_id, now=now, contract_id=terms.pk)
    cap = terms.max_learners
    counts = count_invitations(terms.pk, now=now) if cap is None else count_codes(ContractLot(terms.pk), now=now)
    assigned = sum(counts.get(state.value, 0) for state in (ManagedCodeState.INVITED, ManagedCodeState.FAILED))
    redeemed = counts.get(ManagedCodeState.JOINED.value, 0)
    (drawn,) = draw_contracts([terms])
    return schemas.ManagerContractDetail(
        **drawn.model_dump(),
        attachment_percentage=None if not cap else round(100 * contract.seats.joined / cap, 2),
        total_enrollments=count_learners(terms.pk),
        total_codes=cap,
        assigned_codes=assigned,
        redeemed_codes=redeemed,
        unassigned_codes=None if cap is None else max(0, cap - assigned - redeemed),
    )


@router.get(
    CONTRACT + "course_runs/",
    operation_id="b2b_manager_organizations_contracts_course_runs_list",
    response=schemas.PaginatedManagerCourseRunList,
)
def list_course_runs(
    request: HttpRequest, parent_lookup_organization: Id, id: Id, pages: Query[ManagerPages]
) -> PageOfList[schemas.ManagerCourseRun]:
    """List the courses of a contract."""
    terms = find_contract(request, parent_lookup_organization, id)
    return paginate(
        request,
        runs_with_course_runs(terms.pk),
        pages,
        lambda rows: [
            schemas.ManagerCourseRun(
                readable_id=run.courseware_id,
                title=run.title,
                start_date=run.start_date,
                end_date=run.end_date,
                enrollment_start=run.enrollment_start,
                enrollment_end=run.enrollment_end,
                certificate_available_date=run.certificate_available_date,
                live=run.live,
            )
            for run in (row.course_run for row in rows)
        ],
    )


@router.get(
    CONTRACT + "course_runs/{course_run_id}/enrollments/",
    operation_id="b2b_manager_organizations_contracts_course_runs_enrollments_list",
    response=schemas.PaginatedManagerEnrollmentList,
)
def list_enrollments(
    request: HttpRequest,
    parent_lookup_organization: Id,
    id: Id,
    course_run_id: str,
    pages: Query[ManagerPages],
) -> PageOfList[schemas.ManagerEnrollment]:
    """List who is or was in a course of a contract, the latest first."""
    terms = find_contract(request, parent_lookup_organization, id)
    run = runs_with_course_runs(terms.pk).filter(course_run__courseware_id=course_run_id).first()
    if run is None:
        raise NotFound
    return paginate(
        request,
        enrollments_of_run(run.course_run_id),
        pages,
        lambda rows: [
            schemas.ManagerEnrollment(
                learner_name=each.user.name,
                learner_email=each.user.email,
                enrollment_date=each.enrolled_at,
                enrollment_type=each.mode,
                enrollment_status="enrolled" if each.active else "unenrolled",
                active=each.active,
            )
            for each in rows
        ],
    )


# --- Codes -----------------------------------------------------------------------------------------------------------


@router.get(
    CONTRACT + "codes/",
    operation_id="b2b_manager_organizations_contracts_codes_list",
    response=schemas.PaginatedManagerEnrollmentCodeList,
)
def list_codes(
    request: HttpRequest, parent_lookup_organization: Id, id: Id, filters: Query[AskedCodes]
) -> PageOfList[schemas.ManagerEnrollmentCode]:
    """List the codes that someone has or has used; where everyone shares a code, the invitations."""
    place = find_place(request, parent_lookup_organization, id)
    states = _STATES.get(filters.status, (*_WAITING, *_USED))
    contract_id, words, now = place.terms.pk, filters.search_term or "", place.now
    if place.has_own_codes:
        codes = handed_out_codes(contract_id, states, words, now=now)
        return paginate(
            request, codes, filters, lambda rows: [draw_code(each) for each in code_lines(rows, place.runs, now=now)]
        )
    invitations = handed_out_invitations(contract_id, states, words, now=now)
    return paginate(
        request,
        invitations,
        filters,
        lambda rows: [draw_code(each) for each in invitation_lines(rows, place.runs, now=now)],
    )


@router.post(
    CONTRACT + "codes/bulk_assign/",
    operation_id="b2b_manager_organizations_contracts_codes_bulk_assign_create",
    response={200: schemas.BulkAssignResult, 400: DetailError, 500: DetailError},
)
def bulk_assign(
    request: HttpRequest,
    parent_lookup_organization: Id,
    id: Id,
    people: list[schemas.AssignRevokeCodeRequestRequest],
) -> schemas.BulkAssignResult:
    """Send a code to each of these people, as far as codes and seats go. One wrong line, and nothing is sent."""
    place = find_place(request, parent_lookup_organization, id)
    if len(people) > MOST_PEOPLE:
        raise refuse_fields(people=_("Give at most {most} people.").format(most=MOST_PEOPLE))
    recipients = [_read_person(each, place=f"{n}.") for n, each in enumerate(people)]
    run = next((each for each in place.runs if each.is_open), None)
    if run is None:
        raise NoCodesHere
    given = hand_out_while_any(
        HandOutRequest(contract_run_id=run.pk, recipients=recipients), by_id=place.by_id, now=place.now
    )
    errors = [schemas.BulkAssignError(email=row.email, name=row.name, detail=row.sentence) for row in given.refused]
    errors += [
        schemas.BulkAssignError(email=row.email, name=row.name, detail=_("There is no code left."))
        for row in given.left_over
    ]
    return schemas.BulkAssignResult(assigned=place.draw_hand_outs(given.hand_outs), errors=errors)


@router.post(
    CONTRACT + "codes/send_test_email/",
    operation_id="b2b_manager_organizations_contracts_codes_send_test_email_create",
    response={200: None, 400: DetailError},
)
def send_test_email(
    request: HttpRequest, parent_lookup_organization: Id, id: Id, body: schemas.SendTestEmailRequest
) -> None:
    """E-mail what invited people get, with a code that opens nothing."""
    place = find_place(request, parent_lookup_organization, id)
    course = next((run.title for run in place.runs), place.terms.page.name)
    request_example(terms=place.terms, course=course, email=_read_email(body.email), sender=person(request))


@router.post(
    CODE + "assign/",
    operation_id="b2b_manager_organizations_contracts_codes_assign_create",
    response={200: schemas.ManagerEnrollmentCode, 400: DetailError, 409: DetailError, 500: DetailError},
)
def assign(
    request: HttpRequest,
    parent_lookup_organization: Id,
    id: Id,
    code: str,
    body: schemas.AssignRevokeCodeRequestRequest,
) -> schemas.ManagerEnrollmentCode:
    """Send this code to a person. Where everyone shares it, they are invited."""
    place = find_place(request, parent_lookup_organization, id)
    recipient = _read_person(body)
    code_id = find_code_id(place.terms.pk, code)
    if code_id is None:
        raise HandOutUnknown
    given = assign_code(
        code_id=code_id,
        email=recipient.email,
        name=recipient.name,
        by_id=place.by_id,
        now=place.now,
        is_staff=False,
    )
    return place.draw_hand_outs([given])[0]


@router.put(
    CODE + "reassign/",
    operation_id="b2b_manager_organizations_contracts_codes_reassign_update",
    response={200: schemas.ManagerEnrollmentCode, 400: DetailError, 404: DetailError, 409: DetailError},
)
def reassign(
    request: HttpRequest,
    parent_lookup_organization: Id,
    id: Id,
    code: str,
    body: schemas.AssignRevokeCodeRequestRequest,
) -> schemas.ManagerEnrollmentCode:
    """Take an unused code from a person and send it to another, with a new text."""
    place = find_place(request, parent_lookup_organization, id)
    recipient = _read_person(body)
    line = _find_waiting(place, code)
    if place.has_own_codes:
        given = reassign_code(
            code_id=line.pk, email=recipient.email, name=recipient.name, by_id=place.by_id, now=place.now
        )
    else:
        given = reinvite(
            hand_out_id=line.pk, email=recipient.email, name=recipient.name, by_id=place.by_id, now=place.now
        )
    return place.draw_hand_outs([given])[0]


@router.post(
    CODE + "remind/",
    operation_id="b2b_manager_organizations_contracts_codes_remind_create",
    response={200: schemas.ManagerEnrollmentCode, 404: DetailError, 409: DetailError},
)
def send_reminder(
    request: HttpRequest, parent_lookup_organization: Id, id: Id, code: str
) -> schemas.ManagerEnrollmentCode:
    """Remind someone of their unused code, at most once a day."""
    place = find_place(request, parent_lookup_organization, id)
    line = _find_waiting(place, code)
    if place.has_own_codes:
        remind_code(code_id=line.pk, by_id=place.by_id, now=place.now)
    else:
        remind_invited(hand_out_id=line.pk, by_id=place.by_id, now=place.now)
    return place.draw(code)


@router.delete(
    CODE + "revoke/",
    operation_id="b2b_manager_organizations_contracts_codes_revoke_destroy",
    response={200: schemas.ManagerEnrollmentCode, 404: DetailError, 409: DetailError},
)
def revoke(request: HttpRequest, parent_lookup_organization: Id, id: Id, code: str) -> schemas.ManagerEnrollmentCode:
    """Take an unused code from a person. It is free again and has a new text, so that the old link opens nothing."""
    place = find_place(request, parent_lookup_organization, id)
    line = _find_waiting(place, code)
    if place.has_own_codes:
        revoke_code(code_id=line.pk, by_id=place.by_id, now=place.now)
        return draw_code(find_line_of_code(place.terms, place.runs, line.pk, now=place.now))
    take_back(ContractLot(place.terms.pk), hand_out_ids=[line.pk], by_id=place.by_id, now=place.now)
    return draw_code(replace(line, state=ManagedCodeState.FREE, email="", name="", given_at=None, mail=None))


# --- Lines -----------------------------------------------------------------------------------------------------------


def draw_code(line: ManagedCode) -> schemas.ManagerEnrollmentCode:
    is_used = line.state in _USED
    status: Literal["unassigned", "assigned", "redeemed"] = "assigned" if line.email else "unassigned"
    return schemas.ManagerEnrollmentCode(
        id=line.pk,
        code=line.text,
        redemption_status="redeemed" if is_used else status,
        assigned_to=line.email or None,
        assigned_on=line.given_at,
        assigned_name=line.name or None,
        redeemed_on=line.used_at if is_used else None,
        redeemed_by=line.used_by or None if is_used else None,
        last_sent=line.mail_at if line.mail == MailState.SENT else None,
        email_status=_EMAIL_STATUS.get(line.mail) if line.mail is not None else None,
        email_status_event_timestamp=line.mail_at if line.mail in (MailState.SENT, MailState.FAILED) else None,
    )


def _find_waiting(place: ManagedPlace, code: str) -> ManagedCode:
    """Return the line of a code that someone has and hasn't used; raises HandOutUnknown, CodeNotRevocable."""
    line = place.find_code(code)
    if line.state in (*_USED, ManagedCodeState.HELD):
        raise CodeNotRevocable
    if not line.email:
        raise HandOutUnknown
    return line


def _read_person(body: schemas.AssignRevokeCodeRequestRequest, *, place: str = "") -> Recipient:
    if has_address(body.name):
        raise refuse_fields(**{f"{place}name": str(ADDRESS_IN_NAME)})
    return Recipient(_read_email(body.email, place=place), body.name)


def _read_email(text: str, *, place: str = "") -> str:
    email = normalize_email(text)
    if not is_email_address(email):
        raise refuse_fields(**{f"{place}email": _("This address is incomplete.")})
    return email


def _parse_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None

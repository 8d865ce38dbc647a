"""Operations of learners on their organizations and contracts."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from ninja import Body, Query, Router, Status

from api.b2b import schemas
from api.b2b.drawing import draw_contracts, draw_organizations
from api.catalog.schemas import BaseCourseRun
from api.http.callers import CONTRACTS, person
from api.http.errors import refuse
from api.http.shapes import LEFT_OUT
from b2b.errors.seats import (
    ContractClosed,
    ContractEnded,
    ContractInactive,
    ContractNotStarted,
    CourseRemoved,
    NotAMember,
)
from b2b.selectors.visible import find_contract_run, named_by, visible_contracts, visible_organizations
from b2b.services.seats.redemption import attach_by_code, start_or_pay
from courses.errors import EnrollmentRefused
from ecommerce.errors.codes import (
    CodeBelongsInCart,
    CodeExpired,
    CodeMissing,
    CodeNotYetValid,
    CodeRefused,
    CodeSwitchedOff,
    CodeUnknown,
    CodeUsed,
)
from ecommerce.services.checkout.limits import limit_code_failures
from mitxonline.kernel import clock
from mitxonline.kernel.errors import DomainError, NotFound

router = Router(auth=CONTRACTS.signed_in, tags=["b2b"])

# Codes that are none, or none any more. Others are right, and only this person can't use them, or not now.
_INVALID = (
    *(CodeUnknown, CodeMissing, CodeBelongsInCart, CodeUsed, CodeSwitchedOff, CodeNotYetValid, CodeExpired),
    *(ContractInactive, ContractNotStarted, ContractEnded, CourseRemoved),
)
NOT_FOUND = 404


class InvalidContract(DomainError):
    """No contract that is open and in which the caller has a seat."""

    code = "invalid_contract"
    status = 400
    message = _("This is no contract of yours that is open today.")


@router.get("/v0/b2b/organizations/", operation_id="b2b_organizations_list", response=list[schemas.OrganizationPage])
def list_organizations(request: HttpRequest) -> list[schemas.OrganizationPage]:
    """List your organizations, with those of their contracts in which you have a seat."""
    return draw_organizations(request, list(visible_organizations(person(request), now=clock.now())))


@router.get(
    "/v0/b2b/organizations/{organization_slug}/",
    operation_id="b2b_organizations_retrieve",
    response=schemas.OrganizationPage,
)
def get_organization(request: HttpRequest, organization_slug: str) -> schemas.OrganizationPage:
    """Get one of your organizations."""
    found = visible_organizations(person(request), now=clock.now()).filter(slug=organization_slug)[:1]
    for drawn in draw_organizations(request, list(found)):
        return drawn
    raise NotFound


@router.get("/v0/b2b/contracts/", operation_id="b2b_contracts_list", response=list[schemas.ContractPage])
def list_contracts(request: HttpRequest) -> list[schemas.ContractPage]:
    """List the contracts that are open today and in which you have a seat."""
    return draw_contracts(list(visible_contracts(person(request), now=clock.now())))


@router.get("/v0/b2b/contracts/{contract_slug}/", operation_id="b2b_contracts_retrieve", response=schemas.ContractPage)
def get_contract(request: HttpRequest, contract_slug: str) -> schemas.ContractPage:
    """Get one of your contracts."""
    found = visible_contracts(person(request), now=clock.now()).filter(page__slug=contract_slug)[:1]
    for drawn in draw_contracts(list(found)):
        return drawn
    raise NotFound


@router.get(
    "/v0/b2b/contracts/{contract_slug}/all_variant_runs/",
    operation_id="b2b_contracts_all_variant_runs_list",
    response={200: list[BaseCourseRun], 400: schemas.ContractPageVariantRunBadRequest},
)
def list_variant_runs(
    request: HttpRequest, contract_slug: str, asked: Query[schemas.AskedVariants]
) -> list[BaseCourseRun]:
    """List the variants of a contract's courses. Courses here have none."""
    contracts = visible_contracts(person(request), now=clock.now())
    if not contracts.filter(named_by(contract_slug)).exists():
        raise InvalidContract
    return []


@router.post(
    "/v0/b2b/attach/{enrollment_code}/",
    operation_id="b2b_attach_create",
    response={200: list[schemas.ContractPage], 201: list[schemas.ContractPage]},
)
def attach(request: HttpRequest, enrollment_code: str) -> Status[list[schemas.ContractPage]] | HttpResponse:
    """Use an enrollment code to get a seat in its contract; you start courses afterwards.

    201: you have the seat. 200: you had one already, and the code wasn't used. 404: the code doesn't work, or its
    contract isn't open. 409: the code is right and there is no seat left, or it has to be paid for in the cart.
    """
    user = person(request)
    try:
        with limit_code_failures(request):
            found = attach_by_code(text=enrollment_code, user_id=user.pk, now=clock.now())
    except CodeRefused as refusal:
        return refuse(request, refusal, status=NOT_FOUND if isinstance(refusal, _INVALID) else None)
    return Status(201 if found.is_new else 200, draw_contracts([found.terms]))


@router.post(
    "/v0/b2b/enroll/{readable_id}/",
    operation_id="b2b_enroll_create",
    response={201: schemas.CreateB2BEnrollment, 400: schemas.CreateB2BEnrollment},
    exclude_unset=True,
)
def enroll(
    request: HttpRequest,
    readable_id: str,
    body: Annotated[schemas.B2BEnrollRequestRequest, Body()] = LEFT_OUT,
) -> Status[schemas.CreateB2BEnrollment]:
    """Enroll in a course of a contract in which you have a seat. No code is used for it.

    If the contract has a price, nothing is enrolled: the course is in your cart, with the code that was sent to you.
    """
    run = find_contract_run(readable_id)
    if run is None:
        return _not_enrolled("b2b-error-no-product")
    try:
        started = start_or_pay(contract_run_id=run.pk, user=person(request), now=clock.now())
    except EnrollmentRefused:
        return _not_enrolled("b2b-error-not-enrollable")
    except (NotAMember, ContractClosed):
        return _not_enrolled("b2b-error-no-contract")
    if started.price is not None:
        needs = schemas.CreateB2BEnrollment(result="b2b-error-requires-checkout", price=started.price.amount)
        return Status(400, needs)
    answer = schemas.CreateB2BEnrollment(result="b2b-enroll-success")
    if started.order_id is not None:
        answer.order = started.order_id
    return Status(201, answer)


def _not_enrolled(result: schemas.EnrollResult) -> Status[schemas.CreateB2BEnrollment]:
    return Status(400, schemas.CreateB2BEnrollment(result=result))

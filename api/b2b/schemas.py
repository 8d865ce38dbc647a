"""What operations on organizations and contracts take and answer."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from api.catalog.variants import SupportedVariant
from api.http.paging import Paginated
from api.http.shapes import LEFT_OUT, DecimalText, Email, Ids, Input, Omittable, Reply, Uri

NAME_MAX_LENGTH = 255


class BaseContractPage(Reply):
    """A contract."""

    id: int
    name: str
    description: str = Field(description="HTML.")
    membership_type: str = Field(
        description="How people join: code (enrollment codes) or managed (sign-in through the organization)."
    )
    organization: int
    contract_start: date | None = Field(description="The first day.")
    contract_end: date | None = Field(description="The last day.")
    slug: str


class ContractPage(BaseContractPage):
    """A contract, with its welcome and its programs."""

    welcome_message: str
    welcome_message_extra: str = Field(description="HTML.")
    programs: list[int] = Field(description="Ids of its programs, in the contract's order.")
    variant_options: list[SupportedVariant]


class OrganizationPage(Reply):
    """An organization, with its contracts."""

    id: int
    name: str
    description: str = Field(description="HTML.")
    logo: Uri | None
    slug: str
    sso_organization_id: UUID | None = Field(description="Its id in Keycloak.")
    contracts: list[ContractPage]


class ContractPageVariantRunBadRequest(Reply):
    """Why there are no runs to list."""

    detail: str


class AskedVariants(Input):
    course_id: Ids = Field(LEFT_OUT, description="Course ID(s) to use")


class GenerateCheckoutPayload(Reply):
    """Why a checkout couldn't begin."""

    country_blocked: bool | None = False
    purchased_same_courserun: bool | None = False
    purchased_non_upgradeable_courserun: bool | None = False
    invalid_discounts: bool | None = False
    no_checkout: bool | None = False


EnrollResult = Literal[
    "b2b-disallowed",
    "b2b-error-already-enrolled",
    "b2b-error-no-contract",
    "b2b-error-no-product",
    "b2b-error-missing-enrollment-code",
    "b2b-error-invalid-enrollment-code",
    "b2b-error-requires-checkout",
    "b2b-error-not-enrollable",
    "b2b-enroll-success",
]


class CreateB2BEnrollment(Reply):
    """What became of an enrollment. `order` is the purchase it rests on; `price` is what has to be paid first."""

    result: EnrollResult
    order: int = LEFT_OUT
    price: DecimalText = LEFT_OUT
    checkout_result: Omittable[GenerateCheckoutPayload] = LEFT_OUT


class B2BEnrollRequestRequest(Input):
    """Enroll in a course of a contract; `program_id` is the readable id of the program that it is taken for."""

    program_id: str = LEFT_OUT


# --- Managers --------------------------------------------------------------------------------------------------------


class ManagerContractDetail(ContractPage):
    """A contract with its numbers. Without a cap nothing is left to count down."""

    attachment_percentage: float | None = Field(description="How much of the cap is taken, in percent.")
    total_enrollments: int
    total_codes: int | None = Field(description="How many seats there are.")
    assigned_codes: int
    unassigned_codes: int | None
    redeemed_codes: int


class ManagerCourseRun(Reply):
    """A course of a contract."""

    readable_id: str
    title: str
    start_date: Omittable[datetime | None]
    end_date: Omittable[datetime | None]
    enrollment_start: Omittable[datetime | None]
    enrollment_end: Omittable[datetime | None]
    certificate_available_date: Omittable[datetime | None]
    live: Omittable[bool]


class ManagerEnrollment(Reply):
    """A learner in a course of a contract."""

    learner_name: str
    learner_email: str
    enrollment_date: datetime
    enrollment_type: str
    enrollment_status: str
    active: Omittable[bool]


class ManagerEnrollmentCode(Reply):
    """A code that was handed out or used, or an invitation by the code that everyone shares."""

    id: int
    code: str
    redemption_status: Literal["unassigned", "assigned", "redeemed"]
    assigned_to: str | None
    assigned_on: datetime | None
    assigned_name: str | None
    redeemed_on: datetime | None
    redeemed_by: str | None
    last_sent: datetime | None
    email_status: Literal["delivered", "accepted", "opened", "clicked", "failed", "pending"] | None
    email_status_event_timestamp: datetime | None


class AssignRevokeCodeRequestRequest(Input):
    """Whom to send a code."""

    email: Email = Field(min_length=1)
    name: str = Field("", max_length=NAME_MAX_LENGTH)


class SendTestEmailRequest(Input):
    """Where to send an example."""

    email: Email = Field(min_length=1)


class BulkAssignError(Reply):
    """Someone who got no code, and why."""

    email: str
    name: str
    detail: str


class BulkAssignResult(Reply):
    """Codes that were assigned, and people who got none."""

    assigned: list[ManagerEnrollmentCode]
    errors: list[BulkAssignError]


class PaginatedOrganizationPageList(Paginated[OrganizationPage]):
    """A page of organizations."""


class PaginatedBaseContractPageList(Paginated[BaseContractPage]):
    """A page of contracts."""


class PaginatedManagerCourseRunList(Paginated[ManagerCourseRun]):
    """A page of courses."""


class PaginatedManagerEnrollmentList(Paginated[ManagerEnrollment]):
    """A page of learners."""


class PaginatedManagerEnrollmentCodeList(Paginated[ManagerEnrollmentCode]):
    """A page of codes."""


class OrganizationManagerCheck(Reply):
    """Whether someone manages an organization."""

    is_manager: bool


class ServiceDetailError(Reply):
    """Why a service got no answer."""

    detail: str

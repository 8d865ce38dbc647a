"""What operations on enrollments take and answer."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import Field

from api.catalog.schemas import (
    BaseCourseRun,
    CourseRunV2,
    Number,
    V1CourseRunWithCourse,
    V1Program,
    V2Course,
    V2Program,
)
from api.http.shapes import LEFT_OUT, DecimalText, Id, Input, Omittable, Reply

Mode = Literal["audit", "verified"]


class CourseRunCertificate(Reply):
    """A certificate. None are issued here."""

    uuid: UUID
    link: str


class V3CourseRunCertificate(CourseRunCertificate):
    """A certificate. None are issued here."""


class CourseRunGrade(Reply):
    """A grade. They are on the course site."""

    grade: float
    letter_grade: str | None
    passed: bool
    set_by_admin: bool
    grade_percent: float


class CourseV3(Reply):
    """A course, in short."""

    id: int
    title: str
    readable_id: str
    type: str
    include_in_learn_catalog: bool


class V2CourseRunWithCourse(CourseRunV2):
    """A run with its course."""

    course: V2Course


class CourseRunWithCourseV3(BaseCourseRun):
    """A run with its course, and the product that gives more than an audit enrollment."""

    upgrade_product_id: int | None
    upgrade_product_price: DecimalText | None
    upgrade_product_is_active: bool | None
    course: CourseV3


class CourseRunEnrollment(Reply):
    """An enrollment. Who gets the course's e-mails is known on the course site alone."""

    id: int
    edx_emails_subscription: bool = LEFT_OUT
    certificate: CourseRunCertificate | None
    enrollment_mode: Mode
    grades: list[CourseRunGrade]
    approved_flexible_price_exists: bool
    run: V1CourseRunWithCourse


class CourseRunEnrollmentRequestV2(Reply):
    """An enrollment, with the contract that its run belongs to."""

    id: int
    edx_emails_subscription: bool = LEFT_OUT
    certificate: CourseRunCertificate | None
    enrollment_mode: Mode
    grades: list[CourseRunGrade]
    approved_flexible_price_exists: bool
    run: V2CourseRunWithCourse
    b2b_organization_id: int | None
    b2b_contract_id: int | None


class CourseRunEnrollmentV3(Reply):
    """An enrollment in short, with the contract that its run belongs to."""

    id: int
    edx_emails_subscription: bool = LEFT_OUT
    certificate: V3CourseRunCertificate | None
    enrollment_mode: Mode
    grades: list[CourseRunGrade]
    run: CourseRunWithCourseV3
    b2b_organization_id: int | None
    b2b_contract_id: int | None


class CourseRunEnrollmentRequest(Input):
    """Which run to enroll in."""

    edx_emails_subscription: bool = LEFT_OUT
    run_id: Id


class CourseRunEnrollmentRequestV2Request(CourseRunEnrollmentRequest):
    """Which run to enroll in."""


class CourseRunEnrollmentV3Request(CourseRunEnrollmentRequest):
    """Which run to enroll in."""


class PatchedUpdateCourseRunEnrollmentRequest(Input):
    """Whether to get the course's e-mails."""

    receive_emails: bool = LEFT_OUT


class EnrollmentFilters(Input):
    """Which of your enrollments to list."""

    exclude_b2b: bool = Field(LEFT_OUT, description="Leave out those in runs of contracts.")
    org_id: Number = Field(LEFT_OUT, description="Only those in runs of this organization's contracts.")


class V1ProgramCertificate(Reply):
    """A certificate. None are issued here."""

    uuid: UUID
    link: str


class ProgramCertificate(V1ProgramCertificate):
    """A certificate. None are issued here."""


class V3ProgramCertificate(V1ProgramCertificate):
    """A certificate. None are issued here."""


class UserProgramEnrollmentDetail(Reply):
    """One of your programs, with your enrollments in its courses."""

    program: V1Program
    enrollments: list[CourseRunEnrollment]
    certificate: V1ProgramCertificate | None


class V2UserProgramEnrollmentDetail(Reply):
    """One of your programs, with your enrollments in its courses."""

    program: V2Program
    enrollments: list[CourseRunEnrollmentRequestV2]
    certificate: ProgramCertificate | None


class V3SimpleProgram(Reply):
    """A program in short."""

    title: str
    readable_id: str
    id: int
    program_type: Omittable[str | None]
    live: Omittable[bool]
    display_mode: Omittable[Literal["course", ""] | None]


class V3UserProgramEnrollment(Reply):
    """One of your programs. The mode is “verified” if you bought it or have a seat in a contract with it."""

    program: V3SimpleProgram
    certificate: V3ProgramCertificate | None
    enrollment_mode: Omittable[str]


class V3ProgramEnrollmentRequestRequest(Input):
    """Which program to enroll in."""

    program_id: Id

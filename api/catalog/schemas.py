"""What operations on courses, programs and departments answer, and what they are asked."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from api.catalog.products import BaseProduct, ProductFlexibilePrice
from api.catalog.variants import Industry, Language, Length, SupportedVariant
from api.http.paging import PageNumbers, Paginated
from api.http.shapes import LEFT_OUT, DecimalText, Id, Ids, Input, Omittable, Reply, Uri

Number = float  # a whole number, which the API calls a number


class Department(Reply):
    name: str


class DepartmentWithCount(Department):
    """A department, with how many courses and programs visitors find in it."""

    courses: int
    programs: int


class DepartmentWithCoursesAndPrograms(Reply):
    """A department, with the courses and programs that visitors find in it."""

    id: int
    name: str
    slug: str
    course_ids: list[int]
    program_ids: list[int]


class BaseProgram(Reply):
    """A program, as a course names it."""

    title: str
    readable_id: str
    id: int
    type: str
    display_mode: Literal["course"] | None


class Program(Reply):
    """A program, as the first version names it."""

    id: int
    title: str
    readable_id: str


class TopicName(Reply):
    name: Omittable[str]


class CourseInstructor(Reply):
    """Who teaches a course."""

    name: str
    bio: str


class CoursePage(Reply):
    """What a course's page says."""

    feature_image_src: str | None
    page_url: Uri
    description: str
    live: bool
    length: str
    effort: str | None
    financial_assistance_form_url: str
    current_price: float | None
    instructors: list[CourseInstructor]


class ProgramPage(Reply):
    """What a program's page says."""

    feature_image_src: str | None
    page_url: Uri
    financial_assistance_form_url: str
    description: str
    live: bool
    include_in_learn_catalog: Omittable[bool | None]
    length: Omittable[str]
    effort: Omittable[str | None]
    price: str
    list_price: DecimalText | None


class EnrollmentMode(Reply):
    """A way to be enrolled: free, or paid."""

    mode_slug: Omittable[str]
    mode_display_name: Omittable[str]
    requires_payment: Omittable[bool]


class BaseCourseRun(Reply):
    """A run of a course."""

    title: str
    start_date: Omittable[datetime | None]
    end_date: Omittable[datetime | None]
    enrollment_start: Omittable[datetime | None]
    enrollment_end: Omittable[datetime | None]
    expiration_date: Omittable[datetime | None]
    courseware_url: str | None
    courseware_id: str
    certificate_available_date: Omittable[datetime | None]
    upgrade_deadline: Omittable[datetime | None]
    is_upgradable: bool
    is_enrollable: bool
    is_archived: bool
    is_self_paced: Omittable[bool]
    run_tag: str
    id: int
    live: Omittable[bool]
    course_number: str
    enrollment_modes: list[EnrollmentMode]
    language: Omittable[Language | Literal[""]]
    is_primary_language: Omittable[bool]
    language_label: str
    variant_industry: Omittable[Industry]
    variant_length: Omittable[Length]
    course_id: int


class CourseRunV2(BaseCourseRun):
    """A run with what it costs, and its contract if it belongs to one."""

    products: list[BaseProduct]
    approved_flexible_price_exists: bool
    b2b_contract: Omittable[int | None]


class V1BaseCourseRun(BaseCourseRun):
    """A run with what it costs."""

    products: list[ProductFlexibilePrice]
    approved_flexible_price_exists: bool


class Course(Reply):
    """A course."""

    id: int
    title: str
    readable_id: str
    next_run_id: int | None
    departments: list[Department]
    page: CoursePage
    programs: list[Program]


class V1CourseRunWithCourse(V1BaseCourseRun):
    """A run with its course."""

    course: Course


class V1CourseWithCourseRuns(Course):
    """A course with its runs."""

    courseruns: list[V1BaseCourseRun]


class V2Course(Reply):
    """A course."""

    id: int
    title: str
    readable_id: str
    next_run_id: int | None
    departments: list[Department]
    page: CoursePage | None
    programs: list[BaseProgram]
    topics: list[TopicName]
    certificate_type: str
    certificate_available: bool
    required_prerequisites: bool
    duration: str
    min_weeks: int | None
    max_weeks: int | None
    min_price: float | None
    max_price: float | None
    time_commitment: str | None
    availability: str
    min_weekly_hours: str | None
    max_weekly_hours: str | None
    include_in_learn_catalog: bool
    ingest_content_files_for_ai: bool
    possible_variant_sets: list[SupportedVariant]


class CourseWithCourseRunsSerializerV2(V2Course):
    """A course with its runs."""

    courseruns: list[CourseRunV2]


class V1ProgramRequirementData(Reply):
    """What a node of a program's requirements says."""

    node_type: Literal["operator", "course", "program"]
    course: Omittable[str | None]
    required_program: Omittable[str | None]
    program: Omittable[str]
    title: Omittable[str | None]
    operator: Omittable[str | None]
    operator_value: Omittable[str | None]
    elective_flag: Omittable[bool | None]


class V1ProgramRequirement(Reply):
    """A node of a program's requirements."""

    id: Omittable[int | None]
    data: V1ProgramRequirementData
    children: Omittable[list[V1ProgramRequirement]]


class V2ProgramRequirementData(Reply):
    """What a node of a program's requirements says."""

    node_type: Literal["operator", "course", "program"]
    course: Omittable[int | None]
    program: Omittable[int | None]
    required_program: Omittable[int | None]
    title: Omittable[str | None]
    operator: Omittable[str | None]
    operator_value: Omittable[str | None]
    elective_flag: Omittable[bool | None]


class V2ProgramRequirement(Reply):
    """A node of a program's requirements."""

    id: Omittable[int | None]
    data: V2ProgramRequirementData
    children: Omittable[list[V2ProgramRequirement]]


class RequiredIds(Reply):
    """Ids of what everyone needs, and of what can be chosen."""

    required: Omittable[list[int]]
    electives: Omittable[list[int]]


class RequiredCourse(Reply):
    id: Omittable[int]
    readable_id: Omittable[str]


class RequiredCourses(Reply):
    """What everyone needs, and what can be chosen."""

    required: Omittable[list[RequiredCourse]]
    electives: Omittable[list[RequiredCourse]]


class Requirements(Reply):
    """What a program asks for. Programs don't ask for programs here."""

    courses: Omittable[RequiredCourses]
    programs: Omittable[RequiredCourses]


class V1Program(Reply):
    """A program with its courses."""

    title: str
    readable_id: str
    id: int
    courses: list[V1CourseWithCourseRuns]
    requirements: RequiredIds
    req_tree: list[V1ProgramRequirement]
    page: ProgramPage
    program_type: Omittable[str | None]
    departments: list[Department]
    live: Omittable[bool]
    enrollment_modes: list[EnrollmentMode]


class V2Program(Reply):
    """A program."""

    title: str
    readable_id: str
    id: int
    courses: list[int]
    collections: list[int]
    programs: list[BaseProgram] | None
    requirements: Requirements
    req_tree: list[V2ProgramRequirement]
    page: ProgramPage | None
    program_type: Omittable[str | None]
    certificate_type: str
    certificate_available: bool
    departments: list[Department]
    live: Omittable[bool]
    display_mode: Omittable[Literal["course", ""] | None]
    topics: list[TopicName]
    availability: Omittable[Literal["anytime", "dated"]]
    start_date: str | None
    end_date: Omittable[datetime | None]
    enrollment_start: Omittable[datetime | None]
    enrollment_end: Omittable[datetime | None]
    required_prerequisites: bool
    duration: str | None
    min_weeks: int | None
    max_weeks: int | None
    min_price: float | None
    max_price: float | None
    time_commitment: str | None
    min_weekly_hours: str | None
    max_weekly_hours: str | None
    enrollment_modes: list[EnrollmentMode]


class V2ProgramDetail(V2Program):
    """A program with what sells it."""

    products: list[BaseProduct]


class CourseVariantRunsResponse(Reply):
    """The runs of a course in a variant."""

    id: int
    courseruns: list[BaseCourseRun]


class CourseVariantRunBadRequest(Reply):
    """Why there are no runs to list."""

    detail: str


class ProgramOfCollection(Reply):
    """A program in a collection. The order counts from 0."""

    id: Omittable[int]
    title: Omittable[str]
    order: Omittable[int]


class V2ProgramCollection(Reply):
    """Programs that are shown together."""

    id: int
    title: str
    description: str
    programs: list[ProgramOfCollection]
    created_on: datetime
    updated_on: datetime


class PaginatedV2ProgramCollectionList(Paginated[V2ProgramCollection]):
    """Collections."""


class PaginatedV1CourseWithCourseRunsList(Paginated[V1CourseWithCourseRuns]):
    """Courses."""


class PaginatedCourseWithCourseRunsSerializerV2List(Paginated[CourseWithCourseRunsSerializerV2]):
    """Courses."""


class PaginatedV1ProgramList(Paginated[V1Program]):
    """Programs."""


class PaginatedV2ProgramDetailList(Paginated[V2ProgramDetail]):
    """Programs."""


class SubjectFilters(PageNumbers):
    """Which courses or programs to list. Only those that visitors find are listed, so what isn't live never is."""

    live: bool = LEFT_OUT
    readable_id: str = LEFT_OUT


class V1ProgramFilters(SubjectFilters):
    """Which programs to list."""

    id: Id = LEFT_OUT


class CourseFilters(SubjectFilters):
    """Which courses to list."""

    courserun_is_enrollable: bool = Field(LEFT_OUT, description="Whether a run can be enrolled in now.")
    page__live: bool = LEFT_OUT


class V1CourseFilters(CourseFilters):
    """Which courses to list."""

    id: Id = LEFT_OUT


class V2CourseFilters(CourseFilters):
    """Which courses to list. Those of a contract, and its runs, are for its members."""

    id: Ids = Field(LEFT_OUT, description="Multiple values may be separated by commas.")
    contract_id: Number = Field(LEFT_OUT, description="Only courses of this contract.")
    org_id: Number = Field(LEFT_OUT, description="Only courses of this organization's contracts.")
    courseruns__language: Language = LEFT_OUT
    courseruns__variant_industry: Industry = LEFT_OUT
    courseruns__variant_length: Length = LEFT_OUT
    include_approved_financial_aid: bool = Field(LEFT_OUT, description="There is none here.")


class V2ProgramFilters(SubjectFilters):
    """Which programs to list."""

    id: Ids = Field(LEFT_OUT, description="Multiple values may be separated by commas.")
    contract_id: Number = Field(LEFT_OUT, description="Only programs of this contract.")
    org_id: Number = Field(LEFT_OUT, description="Only programs of this organization's contracts.")
    page__live: bool = LEFT_OUT


class RunFilters(Input):
    """Which runs to list."""

    id: Id = LEFT_OUT
    live: bool = LEFT_OUT


class VariantRunFilters(Input):
    """Which variants of a course to list."""

    contract: Id
    course_id: Ids
    industry: str = LEFT_OUT
    language: str = LEFT_OUT
    length: str = LEFT_OUT

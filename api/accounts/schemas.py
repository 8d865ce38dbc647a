"""What operations on people and countries answer."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from api.b2b.schemas import OrganizationPage
from api.http.paging import PAGE_SIZE, Paginated
from api.http.shapes import LEFT_OUT, Email, Input, Omittable, Reply


class State(Reply):
    """A state or province; `code` is that of ISO 3166-2."""

    code: str
    name: str


class Country(Reply):
    """A country; `code` is its two letters of ISO 3166."""

    code: str
    name: str
    states: list[State]


class PublicUser(Reply):
    """What others may know of a person. People have no user names here, and rows don't say when they changed."""

    id: int
    username: Omittable[str | None]
    name: Omittable[str]
    created_on: datetime
    updated_on: datetime


class LegalAddress(Reply):
    """A person's address. Always empty: orders have addresses, accounts don't."""

    country: str
    first_name: Omittable[str]
    last_name: Omittable[str]
    street_address_1: Omittable[str]
    street_address_2: Omittable[str]
    city: Omittable[str]
    state: Omittable[str | None]
    postal_code: Omittable[str]


Education = Literal[
    "Doctorate",
    "Master's or professional degree",
    "Bachelor's degree",
    "Associate degree",
    "Secondary/high school",
    "Junior secondary/junior high/middle school",
    "Elementary/primary school",
    "No formal education",
    "Other education",
    "",
]


class UserProfile(Reply):
    """A person's profile. Always empty: accounts have none."""

    gender: Omittable[Literal["m", "f", "t", "nb", "o", ""] | None]
    year_of_birth: Omittable[int | None]
    addl_field_flag: Omittable[bool]
    company: Omittable[str | None]
    job_title: Omittable[str | None]
    industry: Omittable[str | None]
    job_function: Omittable[str | None]
    company_size: Omittable[Literal[1, 9, 99, 999, 9999, 10000, 0] | None]
    years_experience: Omittable[Literal[2, 5, 10, 15, 20, 21, 0] | None]
    leadership_level: Omittable[str | None]
    highest_education: Omittable[Education | None]
    type_is_student: Omittable[bool | None]
    type_is_professional: Omittable[bool | None]
    type_is_educator: Omittable[bool | None]
    type_is_other: Omittable[bool | None]


class User(Reply):
    """An account. `grants` are permissions; `email` is what they sign in with.

    Of someone else it doesn't say what they may do and where they belong: these lists are empty.
    """

    id: int
    username: Omittable[str | None]
    name: Omittable[str]
    email: Omittable[Email | None]
    legal_address: LegalAddress | None
    user_profile: Omittable[UserProfile | None]
    is_anonymous: bool
    is_authenticated: bool
    is_editor: bool
    is_staff: bool
    is_superuser: bool
    created_on: datetime
    updated_on: datetime
    grants: list[str]
    is_active: Omittable[bool]
    b2b_organizations: list[OrganizationPage]
    global_id: str | None
    compliance_missing_fields: list[str]


class UserProfileRequest(Input):
    """What a person says about themselves. It is read and not kept."""

    gender: Literal["m", "f", "t", "nb", "o", ""] | None = None
    year_of_birth: int | None = Field(None, ge=-2147483648, le=2147483647)
    addl_field_flag: bool = LEFT_OUT
    company: str | None = Field(None, max_length=128)
    job_title: str | None = Field(None, max_length=128)
    industry: str | None = Field(None, max_length=60)
    job_function: str | None = Field(None, max_length=60)
    company_size: Literal[1, 9, 99, 999, 9999, 10000, 0] | None = None
    years_experience: Literal[2, 5, 10, 15, 20, 21, 0] | None = None
    leadership_level: str | None = Field(None, max_length=60)
    highest_education: Education | None = None
    type_is_student: bool | None = None
    type_is_professional: bool | None = None
    type_is_educator: bool | None = None
    type_is_other: bool | None = None


class LegalAddressRequest(Input):
    """Where a person lives. It is read and not kept."""

    country: str = Field(max_length=2, min_length=1)
    first_name: str = Field(LEFT_OUT, max_length=60)
    last_name: str = Field(LEFT_OUT, max_length=60)
    street_address_1: str = Field(LEFT_OUT, max_length=255)
    street_address_2: str = Field(LEFT_OUT, max_length=255)
    city: str = Field(LEFT_OUT, max_length=255)
    state: str | None = Field(None, max_length=10)
    postal_code: str = Field(LEFT_OUT, max_length=20)


class PatchedUserRequest(Input):
    """What to change in one's own account."""

    username: str | None = Field(None, max_length=30, min_length=1)
    name: str = Field(LEFT_OUT, max_length=255)
    email: Email | None = Field(None, min_length=1)
    password: str = Field(LEFT_OUT, min_length=1)
    legal_address: LegalAddressRequest | None = None
    user_profile: UserProfileRequest | None = None
    is_active: bool = True


class UserRequest(PatchedUserRequest):
    """A person, as clients describe one."""

    legal_address: LegalAddressRequest | None


class StaffDashboardUser(Reply):
    """A person as staff find them. `username` is the e-mail address, with which people sign in."""

    id: int
    username: str
    name: Omittable[str]
    email: Email
    legal_address: LegalAddress | None
    is_staff: Omittable[bool]
    is_superuser: Omittable[bool]


class PaginatedStaffDashboardUserList(Paginated[StaffDashboardUser]):
    """People as staff find them."""


class UserSearch(Input):
    """Which people to find: those whose name or address has every word."""

    search: str = Field(LEFT_OUT, max_length=200, description="A search term.")
    l: int = Field(PAGE_SIZE, description="Number of results to return per page.")  # noqa: E741  # the API's name
    o: int = Field(0, description="The initial index from which to return the results.")

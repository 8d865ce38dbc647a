"""What operations on people and countries answer."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

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
    """Where a person lives. It is asked for with orders and isn't part of an account, so there is none."""

    country: str
    first_name: Omittable[str]
    last_name: Omittable[str]
    street_address_1: Omittable[str]
    street_address_2: Omittable[str]
    city: Omittable[str]
    state: Omittable[str | None]
    postal_code: Omittable[str]


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

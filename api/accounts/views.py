"""Operations on people and countries."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Query, Router

from api.accounts import schemas
from api.http.callers import ACCOUNTS, person
from api.http.paging import PageOfList, paginate_by_offset
from api.http.shapes import Id
from mitxonline.kernel.countries import list_countries as list_all
from mitxonline.kernel.countries import list_states
from mitxonline.kernel.errors import NotFound
from mitxonline.users.models import User
from mitxonline.users.selectors import find_person, search_people

router = Router(auth=ACCOUNTS.signed_in)


@router.get(
    "/v0/countries/",
    operation_id="countries_list",
    tags=["countries"],
    auth=ACCOUNTS.anyone,
    response=list[schemas.Country],
)
def list_countries(request: HttpRequest) -> list[schemas.Country]:
    """List the countries, with states of the United States and provinces of Canada."""
    return [schemas.Country(code=code, name=name, states=_states(code)) for code, name in list_all()]


def _states(country: str) -> list[schemas.State]:
    return [schemas.State(code=code, name=name) for code, name in list_states(country)]


@router.get("/v0/users/{id}/", operation_id="users_retrieve", tags=["users"], response=schemas.PublicUser)
def get_user(request: HttpRequest, id: Id) -> schemas.PublicUser:  # the API's name
    """Return oneself; staff may read about everyone."""
    return draw_public_user(find_person(id, viewer=person(request)))


@router.get(
    "/v0/user_search/",
    operation_id="user_search_list",
    tags=["user_search"],
    response=schemas.PaginatedStaffDashboardUserList,
)
def list_people(request: HttpRequest, asked: Query[schemas.UserSearch]) -> PageOfList[schemas.StaffDashboardUser]:
    """Find people, for staff who may view them."""
    people = search_people(asked.search or "", viewer=person(request))
    return paginate_by_offset(request, people, _draw_staff, limit=asked.l, offset=asked.o, names=("l", "o"))


@router.get(
    "/v0/user_search/{id}/",
    operation_id="user_search_retrieve",
    tags=["user_search"],
    response=schemas.StaffDashboardUser,
)
def get_person(request: HttpRequest, id: Id) -> schemas.StaffDashboardUser:  # the API's name
    """Return a person, for staff who may view them."""
    found = search_people("", viewer=person(request)).filter(pk=id).first()
    if found is None:
        raise NotFound
    return _draw_staff([found])[0]


def draw_public_user(user: User) -> schemas.PublicUser:
    return schemas.PublicUser(
        id=user.pk, username=None, name=user.name, created_on=user.date_joined, updated_on=user.date_joined
    )


def _draw_staff(people: list[User]) -> list[schemas.StaffDashboardUser]:
    return [
        schemas.StaffDashboardUser(
            id=each.pk,
            username=each.email,
            name=each.name,
            email=each.email,
            legal_address=None,
            is_staff=each.is_staff,
            is_superuser=each.is_superuser,
        )
        for each in people
    ]

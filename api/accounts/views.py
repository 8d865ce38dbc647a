"""Operations on people and countries."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.utils.translation import gettext as _
from ninja import Query, Router

from api.accounts import schemas
from api.accounts.drawing import draw_me, draw_public_user, draw_staff
from api.http.callers import ACCOUNTS, person
from api.http.errors import refuse_fields
from api.http.paging import PageOfList, paginate_by_offset
from api.http.shapes import Id
from mitxonline.kernel.countries import list_countries as list_all
from mitxonline.kernel.countries import list_states
from mitxonline.kernel.errors import NotFound
from mitxonline.kernel.names import NameField
from mitxonline.kernel.text import normalize_email
from mitxonline.users.selectors import find_person, search_people
from mitxonline.users.services import rename

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


@router.get("/v0/users/me", operation_id="users_me_retrieve", tags=["users"], response=schemas.User)
def get_me(request: HttpRequest) -> schemas.User:
    """Return the caller's own account, and give a browser the token it needs to change something."""
    get_token(request)
    return draw_me(request, person(request))


@router.patch("/v0/users/me", operation_id="users_me_partial_update", tags=["users"], response=schemas.User)
def change_me(request: HttpRequest, body: schemas.PatchedUserRequest) -> schemas.User:
    """Change the caller's name. Address and password are changed on the account page, which asks for proof."""
    return _change(request, body)


@router.get(
    "/v0/users/current_user/", operation_id="users_current_user_retrieve", tags=["users"], response=schemas.User
)
def get_current_user(request: HttpRequest) -> schemas.User:
    """Return the caller's own account, as `/users/me` does."""
    return get_me(request)


@router.patch(
    "/v0/users/current_user/",
    operation_id="users_current_user_partial_update",
    tags=["users"],
    response=schemas.User,
)
def change_current_user(request: HttpRequest, body: schemas.PatchedUserRequest) -> schemas.User:
    """Change the caller's name, as `/users/me` does."""
    return _change(request, body)


@router.get("/v0/userinfo/", operation_id="userinfo_retrieve", tags=["userinfo"], response=schemas.User)
def get_userinfo(request: HttpRequest) -> schemas.User:
    """Return the caller's own account, as `/users/me` does."""
    return get_me(request)


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
    return paginate_by_offset(request, people, draw_staff, limit=asked.l, offset=asked.o, names=("l", "o"))


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
    return draw_staff([found])[0]


def _change(request: HttpRequest, body: schemas.PatchedUserRequest) -> schemas.User:
    me, sent = person(request), body.model_fields_set
    errors = {}
    if "email" in sent and normalize_email(body.email or "") != me.email:
        errors["email"] = _("Change the address on the account page, where both addresses confirm it.")
    if "password" in sent:
        errors["password"] = _("Change the password on the account page, which asks for the old one.")
    if "is_active" in sent and not body.is_active:
        errors["is_active"] = _("Delete the account on the account page.")
    name = me.name
    if "name" in sent:
        try:
            name = NameField(error_messages={"required": _("Enter your name.")}).clean(body.name)
        except ValidationError as error:
            errors["name"] = " ".join(error.messages)
    if errors:
        raise refuse_fields(**errors)
    if name != me.name:
        me = rename(user_id=me.pk, name=name)
    return draw_me(request, me)

"""Operations on people and countries."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Router

from api.accounts import schemas
from api.http.callers import ACCOUNTS
from mitxonline.kernel.countries import list_countries as list_all
from mitxonline.kernel.countries import list_states

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

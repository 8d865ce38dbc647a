"""Operations of other services."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Query, Router
from pydantic import Field

from api.b2b import schemas
from api.http.callers import CONTRACTS
from api.http.errors import refuse_fields
from b2b.selectors.visible import manages_by_keycloak

router = Router(tags=["b2b"])


@router.get(
    "/v0/b2b/service/organization-manager-check/",
    operation_id="b2b_service_organization_manager_check",
    auth=CONTRACTS.service("b2b:manager-check"),
    response={200: schemas.OrganizationManagerCheck, 400: schemas.ServiceDetailError},
)
def check_manager(
    request: HttpRequest,
    sso_organization_id: Query[Annotated[UUID, Field()]],
    user_global_id: Query[Annotated[str, Field(description="The person's subject in Keycloak.")]],
) -> schemas.OrganizationManagerCheck:
    """Tell whether a person manages an organization. Unknown people and organizations get false."""
    if not user_global_id.strip():
        raise refuse_fields(user_global_id=_("Give the person’s subject in Keycloak."))
    is_manager = manages_by_keycloak(organization_id=sso_organization_id, subject=user_global_id.strip())
    return schemas.OrganizationManagerCheck(is_manager=is_manager)

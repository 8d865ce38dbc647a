"""People as answers."""

from __future__ import annotations

from django.http import HttpRequest

from api.accounts import schemas
from api.b2b.drawing import draw_organizations
from b2b.selectors.visible import joined_organizations
from mitxonline.kernel import clock
from mitxonline.users.models import User
from mitxonline.users.sso.connections import find_subject
from mitxonline.users.sso.keycloak import issuer


def draw_me(request: HttpRequest, me: User) -> schemas.User:
    return draw_account(me).model_copy(
        update={
            "is_editor": me.has_perm("wagtailadmin.access_admin"),
            "grants": sorted(me.get_all_permissions()),
            "b2b_organizations": draw_organizations(request, list(joined_organizations(me, now=clock.now()))),
            "global_id": find_subject(me, issuer()) if issuer() else None,
        }
    )


def draw_account(user: User) -> schemas.User:
    """Draw someone else's account: without what they may do and where they belong. No queries."""
    return schemas.User(
        id=user.pk,
        username=user.email,
        name=user.name,
        email=user.email,
        legal_address=None,
        user_profile=None,
        is_anonymous=False,
        is_authenticated=True,
        is_editor=False,
        is_staff=user.is_staff,
        is_superuser=user.is_superuser,
        created_on=user.date_joined,
        updated_on=user.date_joined,
        grants=[],
        is_active=user.is_active,
        b2b_organizations=[],
        global_id=None,
        compliance_missing_fields=[],
    )


def draw_public_user(user: User) -> schemas.PublicUser:
    return schemas.PublicUser(
        id=user.pk, username=None, name=user.name, created_on=user.date_joined, updated_on=user.date_joined
    )


def draw_staff(people: list[User]) -> list[schemas.StaffDashboardUser]:
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

"""Appointing the managers of an organization."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from b2b.enums import MembershipSource
from b2b.models import OrganizationMembership, OrganizationPage
from mitxonline.kernel.audit import record


def set_manager(
    *, organization_id: int, user_id: int, is_manager: bool, by_id: int | None, now: datetime
) -> OrganizationMembership:
    """Make someone a manager of an organization, or no longer one. A person who isn't a member becomes one."""
    with transaction.atomic():
        membership, _is_new = OrganizationMembership.objects.select_for_update(no_key=True).get_or_create(
            organization_id=organization_id,
            user_id=user_id,
            defaults={"source": MembershipSource.STAFF, "since": now},
        )
        if membership.is_manager != is_manager:
            membership.is_manager = is_manager
            membership.save(update_fields=["is_manager"])
            organization = OrganizationPage.objects.get(pk=organization_id)
            record(organization, "b2b.manager.set", by_id=by_id, data={"user": user_id, "is_manager": is_manager})
    return membership

"""Leaving every organization and contract, because the account is deleted. All in the caller's transaction."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q, QuerySet

from b2b.models import HandOut, OrganizationMembership
from b2b.selectors.accounts import find_obstacles
from b2b.services.organizations.sign_in import SIGN_IN_LOCK
from b2b.services.seats.membership import leave_contracts
from mitxonline.kernel.db import transaction_lock
from mitxonline.users.closing import AccountNeeded
from mitxonline.users.models import User


def leave_everything(*, user_id: int, email: str, now: datetime) -> None:
    """Free the person's seats and end their memberships. Raises AccountNeeded for the last manager.

    ``email`` is their confirmed address, or empty: nothing is taken back from an address that may be someone else's.
    """
    # A sign-in that follows its claim at this moment is waited for: it takes this lock before the contracts' too.
    transaction_lock(SIGN_IN_LOCK, user_id)
    leave_contracts(user_id=user_id, email=email, now=now)
    mine = OrganizationMembership.objects.filter(user_id=user_id)
    # Two managers who leave at the same moment wait for each other here, and the second one is the only one then.
    lock_managers(mine.filter(is_manager=True))
    if obstacles := find_obstacles(User.objects.get(pk=user_id)):
        raise AccountNeeded(obstacles=tuple(obstacles))
    mine.delete()


def lock_managers(managed: QuerySet[OrganizationMembership]) -> None:
    """Lock all managers of these organizations, in the order of their keys."""
    managers = OrganizationMembership.objects.filter(organization__in=managed.values("organization"), is_manager=True)
    list(managers.order_by("pk").select_for_update(of=("self",), no_key=True))


def rename_hand_outs(*, user_id: int, email: str, alias: str) -> None:
    """Put the alias in place of the address and name that codes were handed out to."""
    used = Q(code__code_uses__user=user_id, is_shared=False)
    given = HandOut.objects.filter(used | Q(email=email) if email else used)
    HandOut.objects.filter(pk__in=list(given.values_list("pk", flat=True))).update(email=alias, name="")

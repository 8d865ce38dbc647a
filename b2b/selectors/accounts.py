"""What organizations and contracts have on a person, for that person. Reasons staff noted for themselves stay out."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from b2b.models import ContractMembership, HandOut, OrganizationMembership, SeatRequest, SignInFact, Withdrawal
from ecommerce.enums import UseState
from ecommerce.models import CodeUse
from mitxonline.users.closing import Obstacle
from mitxonline.users.models import User


def data_of_account(user: User) -> dict[str, Any]:
    """Return someone's organizations and seats, what changed them, and the codes handed out to their address."""
    return {
        "memberships": _describe_memberships(user),
        "seats": _describe_seats(user),
        "withdrawals": _describe_withdrawals(user),
        "changes_at_sign_in": _describe_sign_in_facts(user),
        "codes_handed_out_to_you": _describe_hand_outs(user),
        "seats_you_asked_for": _describe_seat_requests(user),
    }


def find_obstacles(user: User) -> list[Obstacle]:
    """Return the organizations that would have no manager without this person."""
    others = OrganizationMembership.objects.filter(
        organization=OuterRef("organization"), is_manager=True, user__is_active=True
    ).exclude(user=user)
    managed = OrganizationMembership.objects.filter(~Exists(others), user=user, is_manager=True)
    sentence = _("You are the only manager of %(organization)s. Someone else has to become one first: write to us.")
    names = managed.order_by("organization__name", "pk").values_list("organization__name", "organization__slug")
    return [
        Obstacle(sentence % {"organization": name}, url=reverse("manage", args=[slug]), link=_("Open the organization"))
        for name, slug in names
    ]


def losses_of_account(user: User) -> list[str]:
    """Return what someone loses with their account, in sentences."""
    seats = ContractMembership.objects.filter(user=user).order_by("contract__name", "pk")
    seat = _("Your seat in “%(contract)s” becomes free for someone else. A code you used can’t be used again.")
    organizations = OrganizationMembership.objects.filter(user=user).order_by("organization__name", "pk")
    member = _("You leave %(organization)s.")
    unused = find_unused_hand_outs(user.email).count() if user.is_email_verified else 0
    code = ngettext(
        "A code you were sent and didn’t use is revoked.",
        "%(count)d codes you were sent and didn’t use are revoked.",
        unused,
    )
    return [
        *(member % {"organization": name} for name in organizations.values_list("organization__name", flat=True)),
        *(seat % {"contract": name} for name in seats.values_list("contract__name", flat=True)),
        *([code % {"count": unused}] if unused else []),
    ]


def find_unused_hand_outs(email: str) -> QuerySet[HandOut]:
    """Return the codes handed out to an address that its person hasn't used."""
    used = CodeUse.objects.filter(code=OuterRef("code"), user__email=OuterRef("email")).exclude(state=UseState.RELEASED)
    return HandOut.objects.open().filter(~Exists(used), email=email)


def _describe_memberships(user: User) -> list[dict[str, Any]]:
    rows = OrganizationMembership.objects.filter(user=user).select_related("organization").order_by("pk")
    return [
        {
            "organization": each.organization.name,
            "is_manager": each.is_manager,
            "source": each.source,
            "since": each.since,
        }
        for each in rows
    ]


def _describe_seats(user: User) -> list[dict[str, Any]]:
    rows = ContractMembership.objects.filter(user=user).select_related("contract").order_by("pk")
    return [
        {"contract": each.contract.name, "state": each.state, "source": each.source, "since": each.since}
        for each in rows
    ]


def _describe_withdrawals(user: User) -> list[dict[str, Any]]:
    rows = Withdrawal.objects.filter(user=user).select_related("contract").order_by("pk")
    return [{"contract": each.contract.name, "at": each.at, "lifted_at": each.lifted_at} for each in rows]


def _describe_sign_in_facts(user: User) -> list[dict[str, Any]]:
    rows = SignInFact.objects.filter(user=user).select_related("organization", "contract").order_by("pk")
    return [
        {
            "at": each.at,
            "change": each.change,
            "organization": each.organization.name if each.organization else None,
            "contract": each.contract.name if each.contract else None,
        }
        for each in rows
    ]


def _describe_hand_outs(user: User) -> list[dict[str, Any]]:
    if not user.is_email_verified:
        return []
    rows = HandOut.objects.filter(email=user.email).select_related("contract_run__contract", "contract_run__course_run")
    return [
        {
            "contract": each.contract_run.contract.name,
            "course": each.contract_run.course_run.title,
            "name": each.name,
            "handed_out_at": each.given_at,
            "last_reminded_on": each.reminded_on,
            "revoked_at": each.ended_at,
        }
        for each in rows.order_by("pk")
    ]


def _describe_seat_requests(user: User) -> list[dict[str, Any]]:
    rows = SeatRequest.objects.filter(asked_by=user).select_related("contract").order_by("pk")
    return [
        {
            "contract": each.contract.name,
            "seats": each.seats,
            "message": each.message,
            "asked_at": each.asked_at,
            "answer": each.answer,
        }
        for each in rows
    ]

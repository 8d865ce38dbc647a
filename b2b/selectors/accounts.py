"""What organizations and contracts have on a person, for that person. Reasons staff noted for themselves stay out."""

from __future__ import annotations

from typing import Any

from b2b.models import ContractMembership, HandOut, OrganizationMembership, SeatRequest, SignInFact, Withdrawal
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

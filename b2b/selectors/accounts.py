"""What organizations and contracts have on a person, for that person. Reasons staff noted for themselves stay out."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from b2b.models import (
    CompanyList,
    ContractMembership,
    HandOut,
    Helper,
    OrganizationMembership,
    SeatRequest,
    SignInFact,
    Withdrawal,
)
from b2b.selectors.groups import count_seats_of
from ecommerce.enums import UseState
from ecommerce.models import CodeUse, SeatSale
from mitxonline.kernel import clock
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
        "group_purchases": _describe_group_sales(user),
        "company_lists": _describe_company_lists(user),
        "group_purchases_you_help_with": _describe_helping(user),
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
    # A closed account has lost them, although the codes stay as they are.
    sales = list(user.seat_sales.all()) if user.closed_at is None else []
    free = sum(counts.free for counts in count_seats_of(sales, now=clock.now()).values())
    seat_code = ngettext(
        "A code of your group purchases isn’t handed out yet. You and your helpers can’t do so any more.",
        "%(count)d codes of your group purchases aren’t handed out yet. You and your helpers can’t do so any more.",
        free,
    )
    lists = user.company_lists.order_by("name", "pk").values_list("name", flat=True)
    company_list = _("The company list “%(name)s” is deleted.")
    code = ngettext(
        "A code you were sent and didn’t use is revoked.",
        "%(count)d codes you were sent and didn’t use are revoked.",
        unused,
    )
    return [
        *(member % {"organization": name} for name in organizations.values_list("organization__name", flat=True)),
        *(seat % {"contract": name} for name in seats.values_list("contract__name", flat=True)),
        *([code % {"count": unused}] if unused else []),
        *([seat_code % {"count": free}] if free else []),
        *(company_list % {"name": name} for name in lists),
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
    rows = HandOut.objects.filter(email=user.email).select_related(
        "contract_run__contract", "contract_run__course_run", "seat_sale__course_run"
    )
    return [
        {
            "contract": each.contract_run.contract.name if each.contract_run is not None else None,
            "course": each.course_run.title,
            "name": each.name,
            "handed_out_at": each.given_at,
            "last_reminded_on": each.reminded_on,
            "revoked_at": each.ended_at,
        }
        for each in rows.order_by("pk")
    ]


def _describe_group_sales(user: User) -> list[dict[str, Any]]:
    rows = SeatSale.objects.filter(buyer=user).select_related("course_run", "listed__company_list").order_by("pk")
    return [
        {
            "course": each.course_run.title,
            "seats": each.seats,
            "bought_at": each.sold_at,
            "company_list": each.listed.company_list.name if hasattr(each, "listed") else None,
            "helpers": list(each.helpers.values_list("email", flat=True)),
        }
        for each in rows
    ]


def _describe_company_lists(user: User) -> list[dict[str, Any]]:
    return [
        {
            "name": each.name,
            "created_at": each.created_at,
            "people": list(each.helpers.values_list("email", flat=True)),
        }
        for each in CompanyList.objects.filter(owner=user).order_by("pk")
    ]


def _describe_helping(user: User) -> list[dict[str, Any]]:
    if not user.is_email_verified:
        return []
    rows = Helper.objects.filter(email=user.email).select_related("seat_sale__course_run", "company_list")
    return [
        {
            "course": each.seat_sale.course_run.title if each.seat_sale is not None else None,
            "company_list": each.company_list.name if each.company_list is not None else None,
            "since": each.named_at,
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

"""Managers ask for more seats; staff answer. Both are e-mailed."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.contrib.auth.models import Permission
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.urls import reverse

from b2b.errors.seats import SeatsAskedAlready, SeatsUnlimited, TooManySeatsAsked
from b2b.events import SeatRequestClosed, SeatsRequested
from b2b.models import ContractPage, ContractTerms, SeatRequest
from b2b.models.seat_request import MAX_SEATS
from mitxonline.coordinator.bus import publish
from mitxonline.kernel import clock
from mitxonline.kernel.audit import record
from mitxonline.kernel.mail import send_email
from mitxonline.users.models import User


def ask_for_seats(*, contract_id: int, seats: int, message: str, by_id: int, now: datetime) -> SeatRequest:
    """Record a manager's request for more seats and tell staff.

    Raises SeatsUnlimited for a contract without a cap, SeatsAskedAlready while a request is open, TooManySeatsAsked.
    """
    if not 1 <= seats <= MAX_SEATS:
        raise TooManySeatsAsked(most=MAX_SEATS)
    terms = ContractTerms.objects.select_related("page").get(pk=contract_id)
    if terms.max_learners is None:
        raise SeatsUnlimited
    try:
        with transaction.atomic():
            asked = SeatRequest.objects.create(
                contract_id=contract_id, seats=seats, message=message[:500], asked_at=now, asked_by_id=by_id
            )
            record(terms.page, "b2b.seats.ask", by_id=by_id, data={"seats": seats})
            publish(SeatsRequested(request_id=asked.pk))
    except IntegrityError as error:
        if "seat_request_open_once" not in str(error):
            raise
        # If staff closed it at this very moment, what was asked for last is still the better answer than an error.
        earlier = SeatRequest.objects.filter(contract_id=contract_id).latest("asked_at")
        raise SeatsAskedAlready(seats=earlier.seats, asked=clock.date_of(earlier.asked_at)) from error
    return asked


def close_seat_request(*, request_id: int, answer: str, by_id: int | None, now: datetime) -> None:
    """Close a request and tell the person who asked. Closing a closed one changes nothing."""
    with transaction.atomic():
        is_closed_now = (
            SeatRequest.objects.open()
            .filter(pk=request_id)
            .update(closed_at=now, closed_by_id=by_id, answer=answer[:500])
        )
        if not is_closed_now:
            return
        asked = SeatRequest.objects.select_related("contract").get(pk=request_id)
        record(asked.contract, "b2b.seats.answer", by_id=by_id, data={"seats": asked.seats})
        publish(SeatRequestClosed(request_id=request_id))


def email_seat_request(request_id: int) -> None:
    """Tell everyone who may change this contract. Without such people it waits on the first page of the admin."""
    asked = SeatRequest.objects.select_related("contract__terms__organization", "asked_by").get(pk=request_id)
    addresses = find_contract_staff(asked.contract)
    if addresses:
        url = reverse("b2b_contracts:seat_request", args=[asked.contract_id, asked.pk])
        send_email(
            "b2b/emails/seats_requested", to=addresses, context=_describe(asked, f"{settings.SITE_BASE_URL}{url}")
        )


def email_seat_answer(request_id: int) -> None:
    asked = SeatRequest.objects.select_related("contract__terms__organization", "asked_by").get(pk=request_id)
    if asked.asked_by is not None and asked.asked_by.is_active:
        url = reverse("manage-codes", args=[asked.contract.terms.organization.slug, asked.contract_id])
        link = f"{settings.SITE_BASE_URL}{url}"
        send_email("b2b/emails/seats_answered", to=[asked.asked_by.email], context=_describe(asked, link))


def find_contract_staff(contract: ContractPage) -> list[str]:
    """Return the addresses of the people who may change contracts and this contract's page."""
    rights = Permission.objects.filter(content_type__app_label="b2b", codename="change_contractpage")
    holds = Q(groups__permissions__in=rights) | Q(user_permissions__in=rights)
    people = User.objects.filter(holds, is_active=True).exclude(email="").distinct().order_by("email")
    return [person.email for person in people if contract.permissions_for_user(person).can_edit()]


def _describe(asked: SeatRequest, link: str) -> dict[str, object]:
    return {
        "person": asked.asked_by.display_name if asked.asked_by is not None else "",
        "organization": asked.contract.terms.organization.name,
        "contract": asked.contract.name,
        "seats": asked.seats,
        "message": asked.message,
        "answer": asked.answer,
        "link": link,
    }

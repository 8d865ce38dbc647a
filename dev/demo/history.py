"""Sales of the year before today, so that reports have months to compare. The real services place and pay them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from dev.demo.orders import Story, pay, tell_story
from dev.demo.people import Account, email_of, ensure_people
from ecommerce.enums import EnrollmentAfter
from ecommerce.models import Order
from ecommerce.selectors.business import BusinessDetails
from ecommerce.selectors.refund_plan import RefundChoice
from ecommerce.services.refunds.refunds import refund_order
from mitxonline.users.models import User

DOMAIN = "mail.example"


def ensure_history(*, now: datetime) -> None:
    """Tell each story whose buyer has no order yet, from the oldest on."""
    ensure_people([story.buyer.name for story in STORIES], DOMAIN, now=now)
    users = {user.email: user for user in User.objects.filter(email__in=[each.buyer.email for each in STORIES])}
    have_orders = set(Order.objects.filter(purchaser__in=users.values()).values_list("purchaser__email", flat=True))
    for story in STORIES:
        if story.buyer.email not in have_orders:
            tell_story(story, users[story.buyer.email], now=now)


def pay_and_change_mind(order: Order, now: datetime) -> None:
    """Pay, and get all of it back a week later."""
    pay(order, now)
    lines = tuple(order.lines.values_list("pk", flat=True))
    choice = RefundChoice(
        line_ids=lines, enrollment_after=EnrollmentAfter.REMOVE, reason="Asked within two weeks of buying"
    )
    refund_order(order_id=order.pk, choice=choice, now=order.placed_at + timedelta(days=7), by_id=None)


_NAMES = (
    "Aylin Kaya", "Bastien Roux", "Chidi Okeke", "Dana Petrov", "Emil Sand", "Farida Noor", "Gaspar Silva", "Hana Mori",
    "Ivo Babic", "Jana Novak", "Kemal Aydin", "Livia Conti", "Malik Diop", "Nora Lund", "Otto Braun", "Pilar Ortiz",
    "Quentin Blanc", "Rosa Vidal", "Sven Dahlin", "Tara Singh", "Ugo Ferri", "Vera Kolar", "Wim de Boer", "Xenia Papas",
)  # fmt: skip
# Courses that are open at any time. More are bought in autumn and spring than in summer.
_COURSES = ("WR101", "PY101", "ST120", "BU210", "DE105")
_DAYS_AGO = (
    355, 348, 330, 318, 300, 291, 282, 270, 262, 251, 240, 228, 205, 190, 160, 133, 118, 104, 92, 81, 70, 62, 51, 41,
)  # fmt: skip
_CONFERENCE = BusinessDetails(
    company="Conti & Partners",
    contact_name="Livia Conti",
    contact_email="livia.conti@mail.example",
    street="Via Roma 8",
    postal_code="20121",
    city="Milan",
    country="IT",
    tax_id="IT01234567890",
)


def _list_stories() -> Iterator[Story]:
    for number, (name, days) in enumerate(zip(_NAMES, _DAYS_AGO, strict=True)):
        buyer = Account(email_of(name, DOMAIN), name, "Buyer")
        courses = (_COURSES[number % 5], _COURSES[(number + 2) % 5]) if number % 4 == 1 else (_COURSES[number % 5],)
        if name == "Livia Conti":
            yield Story(buyer, courses[:1], days, pay, seats=8, details=_CONFERENCE)
        else:
            yield Story(buyer, courses, days, pay_and_change_mind if number % 7 == 3 else pay)


STORIES = tuple(_list_stories())

"""A client for each of eight roles, and the objects example addresses refer to."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any

from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import transaction
from django.test import Client
from django.utils.crypto import get_random_string
from wagtail.models import Site

from b2b.models import OrganizationMembership, SeatRequest
from b2b.services.groups.lists import create_list
from b2b.services.seats.membership import add_member
from cms.services.groups import B2B_MANAGERS, EDITORS, FINANCE
from courses.services.enrollments import enroll
from ecommerce.enums import AttemptState, OrderState
from ecommerce.models import Customer, Order, PaymentAttempt, Refund, ShopRole, ShopSettings
from ecommerce.services.refunds.ledger import mark_for_refund
from mitxonline.coordinator.models import Delivery, DeliveryState
from mitxonline.kernel import clock
from mitxonline.users.models import User
from tests.factories import (
    NOON,
    codes_of,
    make_code,
    make_contract,
    make_contract_run,
    make_organization,
    make_product,
    make_run,
    make_user,
)
from tests.factories.invoices import line_of, make_draft, make_invoice
from tests.factories.orders import make_paid_order, make_payment
from tests.factories.seats import make_seat_sale

# The order of the letters in the table.
ROLES = ("anonymous", "learner", "other", "manager", "editor", "contracts", "finance", "admin")
SIGN_IN = ("/login/", "/admin/login/", "/cms/login/", "/_util/login/")
LETTERS = {400: "b", 403: "f", 404: "n", 405: "m", 409: "c", 410: "g", 422: "u", 429: "t"}

# What stands for a part of a route that varies, where a row gives no example of its own.
EXAMPLES = {
    "int": "1",
    "str": "1",
    "slug": "x",
    "path": "x",
    "uuid": "11111111-1111-4111-8111-111111111111",
    "hex32": "0" * 8,
    "filekind": "csv",
}


@dataclass(frozen=True)
class World:
    """The roles' cookies, and the objects of the example addresses."""

    cookies: Mapping[str, dict[str, str]]
    order: Order
    attempt: PaymentAttempt
    marked: Refund
    things: Mapping[str, str]

    def answer(self, role: str, method: str, path: str) -> str:
        """Return the letter of the answer this role gets; everything the request did is rolled back."""
        client = Client()
        client.cookies = SimpleCookie(self.cookies[role])  # a copy: whoever signs out does so this once
        before = transaction.savepoint()  # no block of ours: gateways are called outside of one
        response: Any = client.get(path) if method == "GET" else client.post(path, {})
        for close in response._resource_closers:  # closing the answer itself would end the database's connection too
            close()
        transaction.savepoint_rollback(before)
        return letter(response)


def letter(response: Any) -> str:
    """Return the answer's letter: o(k), l(ogin), r(edirect), n(ot found), f(orbidden), m(ethod not allowed) …"""
    code = response.status_code
    if 200 <= code < 300:
        return "o"
    if 300 <= code < 400:
        return "l" if response.headers["Location"].partition("?")[0] in SIGN_IN else "r"
    return LETTERS.get(code, str(code))


def make_world() -> World:
    """Set up the site with a user for each role; the learner has an order, the manager an organization."""
    call_command("configure_wagtail", verbosity=0)
    people = {
        "learner": make_user("learner@people.example"),
        "other": make_user("other@people.example"),
        "manager": make_user("manager@people.example"),
        "editor": _in_group(EDITORS),
        "contracts": _in_group(B2B_MANAGERS),
        "finance": _in_group(FINANCE, is_staff=True),
        "admin": make_user("admin@people.example", is_staff=True, is_superuser=True),
    }
    ShopSettings.objects.create(site=Site.objects.get(is_default_site=True), refund_window_days=0)
    organization = make_organization("Northgate Health")
    OrganizationMembership.objects.create(
        organization=organization, user=people["manager"], source="staff", is_manager=True, since=NOON
    )
    contract = make_contract(organization, seats=5)
    run = make_contract_run(contract, codes=2)
    order = make_paid_order(make_product(), buyer=people["learner"])
    second = make_payment(order)
    with transaction.atomic():
        marked = mark_for_refund(attempt_id=second.pk, reason="x", now=NOON)
    attempt = _open_attempt(people["learner"])
    discount_code = make_code()
    seat = add_member(contract_id=contract.pk, user_id=make_user().pk, now=NOON)
    asked = SeatRequest.objects.create(contract=contract, seats=5, asked_at=NOON, asked_by=people["manager"])
    enrollment = enroll(user_id=people["learner"].pk, run_id=make_run().pk, mode="audit", source="free", now=NOON)
    dead = Delivery.objects.create(
        event_type="ecommerce.events.OrderFulfilled",
        payload={},
        handler="ecommerce.receivers.email_receipt",
        state=DeliveryState.DEAD,
        finished_at=NOON,
    )
    sale = make_seat_sale(seats=2, buyer=people["learner"])
    company_list = create_list(owner_id=people["learner"].pk, name="Acme", now=NOON)
    things = {
        "sale": str(sale.pk),
        "draft": str(make_draft(line_of(make_product(make_run()))).pk),
        "invoice": str(make_invoice(line_of(make_product(make_run())), now=clock.now()).pk),
        "customer": str(Customer.objects.order_by("pk")[0].pk),
        "company_list": str(company_list.pk),
        "enrollment": str(enrollment.pk),
        "order": str(order.pk),
        "number": order.number,
        "reference": str(attempt.reference),
        "marked": str(marked.pk),
        "organization": str(organization.pk),
        "slug": organization.slug,
        "contract": str(contract.pk),
        "run": str(run.pk),
        "code": codes_of(run)[0].text,
        "code_id": str(codes_of(run)[0].pk),
        "discount": str(discount_code.discount_id),
        "discount_code": str(discount_code.pk),
        "courseware": str(run.courseware_id),
        "seat": str(seat.pk),
        "course": str(run.course_run.course_id),
        "department": str(run.course_run.course.department_id),
        "product": str(order.lines.get().product_id),
        "public_run": str(order.lines.get().product.course_run_id),
        "member": str(seat.user_id),
        "asked": str(asked.pk),
        "dead": str(dead.pk),
        "registration_code": str(make_seat_sale().discount.codes.order_by("pk")[0].pk),
        "role": str(ShopRole.objects.create(user=make_user(), role="sales_admin", given_at=NOON).pk),
    }
    return World(cookies=_signed_in(people), order=order, attempt=attempt, marked=marked, things=things)


def example(route: str, path: str, things: Mapping[str, str]) -> str:
    """Return an address for a route: the row's own example, or the default arguments."""
    if path:
        return "/" + path.format(**things).lstrip("/")
    return "/" + re.sub(r"<(?:(\w+):)?\w+>", lambda match: EXAMPLES[match[1] or "str"], route)


def _in_group(name: str, **options: Any) -> User:
    user = make_user(f"{get_random_string(6).lower()}@staff.example", **options)
    user.groups.add(Group.objects.get(name=name))
    return user


def _signed_in(people: Mapping[str, User]) -> dict[str, dict[str, str]]:
    cookies: dict[str, dict[str, str]] = {"anonymous": {}}
    for role, user in people.items():
        client = Client()
        client.force_login(user)
        cookies[role] = {name: morsel.value for name, morsel in client.cookies.items()}
    return cookies


def _open_attempt(buyer: User) -> PaymentAttempt:
    """Make a payment attempt whose page is open."""
    order = make_paid_order(make_product(), buyer=buyer, state=OrderState.PENDING)
    attempt = order.attempts.get()
    attempt.reference = uuid.uuid4()
    attempt.session_id = f"sandbox_{attempt.reference}"
    attempt.state, attempt.settled_at, attempt.payment_id = AttemptState.STARTED, None, ""
    attempt.save()
    return attempt

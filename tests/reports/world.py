"""A shop with two courses, two currencies, a purchase for a group, refunds of other days, and who may see what."""

from __future__ import annotations

import csv
import uuid
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from io import StringIO
from typing import Any

from bs4 import BeautifulSoup
from django.test import Client

from courses.models import Course
from ecommerce.enums import EnrollmentAfter, RefundState
from ecommerce.models import Order, Product, Refund, RefundLine, SeatSale, ShopRole
from mitxonline.kernel import clock
from mitxonline.users.models import User
from tests.factories import NOON, make_course, make_product, make_run, make_user
from tests.factories.orders import make_paid_order
from tests.factories.seats import make_group_order
from tests.support.reading import words

BASE = "/cms/shop/reports/"


def product_of(title: str, price: str, **fields: Any) -> Product:
    course = make_course(title=title)
    return make_product(make_run(course, title=title), price=price, **fields)


def course_id_of(product: Product) -> int:
    assert product.course_run is not None
    return product.course_run.course_id


def course_key_of(product: Product) -> str:
    return Course.objects.get(pk=course_id_of(product)).readable_id


def sell_at(moment: datetime, *products: Product, **fields: Any) -> Order:
    order = make_paid_order(*products, **fields)
    Order.objects.filter(pk=order.pk).update(placed_at=moment, fulfilled_at=moment)
    order.refresh_from_db()
    return order


def sell_seats_at(moment: datetime, product: Product, seats: int, company: str) -> Order:
    order = make_group_order(product, seats=seats)
    Order.objects.filter(pk=order.pk).update(placed_at=moment, fulfilled_at=moment, company=company, po_number="PO-7")
    SeatSale.objects.filter(order_line__order=order).update(sold_at=moment)
    order.refresh_from_db()
    return order


def refund_at(moment: datetime, order: Order, amounts: dict[Product, str], *, whole: str = "") -> Refund:
    """Refund these parts of the order's lines; ``whole`` is the refund's amount, if it is more than its parts."""
    total = sum((Decimal(value) for value in amounts.values()), start=Decimal(0))
    refund = Refund.objects.create(
        order=order,
        attempt=order.attempts.get(),
        idempotency_key=str(uuid.uuid4()),
        gateway="sandbox",
        amount=Decimal(whole) if whole else total,
        currency=order.currency,
        reason="=1+1 Ill",
        state=RefundState.SUCCEEDED,
        enrollment_after=EnrollmentAfter.REMOVE,
        recorded_at=moment,
        settled_at=moment,
    )
    for product, value in amounts.items():
        RefundLine.objects.create(refund=refund, line=order.lines.get(product=product), amount=Decimal(value))
    return refund


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def holder(role: str, product: Product | None = None) -> Client:
    user = make_user()
    course_id = course_id_of(product) if product is not None else None
    ShopRole.objects.create(user=user, role=role, course_id=course_id, given_at=NOON)
    return client_of(user)


def text_of(response: Any) -> str:
    return words(BeautifulSoup(response.content.decode(), "html.parser"))


def file_of(client: Client, slug: str, **asked: str) -> list[dict[str, str]]:
    """Return the rows of a report's CSV file, by their headings."""
    response: Any = client.get(f"{BASE}{slug}/", {"file": "csv", **asked})
    assert response.status_code == 200, text_of(response)
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(StringIO(text)))


@dataclass(frozen=True)
class Shop:
    botany: Product
    zoology: Product
    yen: Product
    group: Order
    both: Order


def moment(day: str, time: str = "12:00:00") -> datetime:
    local = datetime.fromisoformat(f"{day}T{time}")
    return local.replace(tzinfo=clock.start_of_day(local.date()).tzinfo)


MARCH = {"first": "2026-03-01", "last": "2026-03-31"}


def make_shop() -> Shop:
    """In March: Botany 200, both 200 + 300, 3 seats of Botany for Acme, Yen 5000; 50 of both's Botany went back."""
    botany, zoology = product_of("Botany", "200"), product_of("Zoology", "300")
    yen = product_of("Yen course", "5000", currency="JPY")
    sell_at(moment("2026-02-28", "23:59:59"), botany)  # the day before
    sell_at(moment("2026-03-01", "00:00:00"), botany)
    both = sell_at(moment("2026-03-31", "23:59:59"), botany, zoology)
    sell_at(moment("2026-04-01", "00:00:00"), zoology)
    group = sell_seats_at(moment("2026-03-10"), botany, 3, "Acme")
    sell_at(moment("2026-03-10"), yen, currency="JPY")
    refund_at(moment("2026-03-31", "23:59:59"), both, {botany: "50"})
    refund_at(moment("2026-04-02"), both, {zoology: "300"})
    return Shop(botany=botany, zoology=zoology, yen=yen, group=group, both=both)

"""The registration codes of seat sales: made with the sale, and switched off while no one has used them.

They are codes of the sale's own discount (price 0, one use each, that product only). 1,000 codes take as many queries
as 10.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from courses.places import claim_places
from ecommerce.enums import CodeChangeKind, DiscountType, PaymentType, RedemptionType
from ecommerce.events import RegistrationCodesSwitched
from ecommerce.models import Discount, DiscountCode, InvoiceLine, OrderLine, Product, SeatSale
from mitxonline.coordinator.bus import publish
from mitxonline.kernel.db import fetch_sql
from mitxonline.kernel.trace import trace_id

# Without vowels, so that no code is a word, and without 0, 1, L and O, so that none is misread. Y counts as a vowel.
ALPHABET = "BCDFGHJKMNPQRSTVWXZ23456789"
LENGTH = 8

MAKE = """
INSERT INTO ecommerce_discountcode
    (discount_id, text, max_uses, uses, active, assigned_email, assigned_name, created_at)
SELECT %(discount)s, text, 1, 0, true, '', '', %(now)s FROM unnest(%(texts)s::text[]) AS drawn (text)
ON CONFLICT DO NOTHING
RETURNING id
"""

# Codes that no one was given come first, and of them the newest. One that is redeemed while this waits for its lock is
# passed over, and the next one taken.
SWITCH_OFF = """
WITH picked AS MATERIALIZED (
    SELECT id FROM ecommerce_discountcode
    WHERE discount_id = %(discount)s AND active AND uses = 0
    ORDER BY assigned_email <> '', id DESC LIMIT %(seats)s
    FOR NO KEY UPDATE
), changed AS (
    UPDATE ecommerce_discountcode AS code SET active = false FROM picked WHERE code.id = picked.id RETURNING code.id
)
INSERT INTO ecommerce_registrationcodechange (code_id, kind, reason, at, by_id, trace_id)
SELECT id, %(kind)s, %(reason)s, %(now)s, %(by)s, %(trace)s FROM changed
RETURNING code_id
"""


@dataclass(frozen=True, slots=True)
class SoldSeats:
    """Seats of one run that were just sold, by an order line or an invoice line. ``name`` is the discount's, for staff.

    Only a customer who is invoiced may have no account (``buyer_id`` None).
    """

    product: Product
    seats: int
    buyer_id: int | None
    name: str
    order_line: OrderLine | None = None
    invoice_line: InvoiceLine | None = None

    @property
    def site_id(self) -> int | None:
        """Where its codes work: the order's site; of an invoice where the course is sold."""
        return self.order_line.order.site_id if self.order_line is not None else self.product.site_id


def sell_seats(sold: SoldSeats, *, now: datetime) -> SeatSale:
    """Create a seat sale with its discount and its codes. Its caller makes sure that it is sold only once.

    Raises RunFull if the run hasn't a place for each seat.
    """
    run = sold.product.course_run
    if run is None:
        raise ValueError("seats are sold of runs only")
    with transaction.atomic():
        sale = SeatSale.objects.create(
            product=sold.product,
            course_run=run,
            mode=sold.product.mode,
            seats=sold.seats,
            buyer_id=sold.buyer_id,
            order_line=sold.order_line,
            invoice_line=sold.invoice_line,
            discount=make_seat_discount(sold.product, name=sold.name, site_id=sold.site_id),
            sold_at=now,
        )
        create_registration_codes(sale, now=now)
        if run.places is not None:
            claim_places([run.pk])
    return sale


def sell_seats_of(lines: Iterable[OrderLine], *, now: datetime) -> list[SeatSale]:
    """Create the seat sales of an order's group lines that don't have theirs yet, while the order is locked."""
    return [
        sell_seats(
            SoldSeats(
                product=line.product,
                seats=line.seats,
                buyer_id=line.order.purchaser_id,
                name=_("Seats of order %(number)s") % {"number": line.order.number},
                order_line=line,
            ),
            now=now,
        )
        for line in lines
        if line.seats is not None and not hasattr(line, "seat_sale")
    ]


def make_seat_discount(product: Product, *, name: str, site_id: int | None = None) -> Discount:
    """Create the discount of a seat sale: its codes give this product for nothing, once each, where it was sold."""
    discount = Discount.objects.create(
        name=name[:255],
        discount_type=DiscountType.FIXED_PRICE,
        amount=0,
        currency=product.currency,
        redemption_type=RedemptionType.ONE_TIME,
        payment_type=PaymentType.SALES,
        is_bulk=True,
        site_id=site_id,
    )
    discount.products.add(product)
    return discount


def create_registration_codes(sale: SeatSale, *, now: datetime) -> int:
    """Create the codes that the sale doesn't have yet, one for each seat. Return how many."""
    missing = sale.seats - sale.discount.codes.count()
    made = 0
    while made < missing:  # a text that exists is drawn again
        texts = list(draw_texts(missing - made))
        made += len(fetch_sql(MAKE, {"discount": sale.discount_id, "texts": texts, "now": now}))
    return max(made, 0)


def switch_off_unredeemed(sale: SeatSale, *, seats: int | None, reason: str, by_id: int | None, now: datetime) -> int:
    """Switch off this many codes that no one has used, or all of them. Return how many, which may be fewer.

    Codes that no one was given go first.
    """
    values = {
        "discount": sale.discount_id,
        "seats": seats,
        "kind": CodeChangeKind.SWITCHED_OFF,
        "reason": reason[:255],
        "by": by_id,
        "trace": trace_id(),
        "now": now,
    }
    with transaction.atomic():
        SeatSale.objects.locked().get(pk=sale.pk)  # two of these would lock the same codes in different orders
        switched = tuple(code_id for (code_id,) in fetch_sql(SWITCH_OFF, values))
        if switched:
            publish(RegistrationCodesSwitched(code_ids=switched, is_on=False, by_id=by_id, at=now))
    return len(switched)


def draw_texts(count: int) -> Collection[str]:
    """Draw different texts of registration codes, each as likely as any other."""
    texts: set[str] = set()
    while len(texts) < count:
        texts.add("".join(_letters()))
    return texts


def draw_unused_texts(count: int) -> list[str]:
    """Draw texts that no code has. Should another transaction take one meanwhile, the database refuses the second."""
    texts = draw_texts(count)
    while taken := set(DiscountCode.objects.filter(normalized__in=texts).values_list("normalized", flat=True)):
        texts = {*texts} - taken | {*draw_texts(len(taken))}
    return list(texts)


def _letters() -> Iterator[str]:
    return (secrets.choice(ALPHABET) for _letter in range(LENGTH))

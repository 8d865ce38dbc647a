"""At the desk for codes, no code of an invoice works for a seat that the invoice doesn't have any more."""

from __future__ import annotations

import uuid

import pytest

from ecommerce.enums import DeskAction
from ecommerce.errors.registration import SeatNotInvoiced
from ecommerce.models import DiscountCode, Invoice, SeatSale
from ecommerce.selectors.invoice_seats import CreditRequest
from ecommerce.services.invoices.entries import issue_credit_note, plan_credit_note, plan_voiding, void_invoice
from ecommerce.services.registration.desk import ChangeCode, change_code, plan_change_code
from ecommerce.services.registration.redemption import redeem_registration_code
from mitxonline.kernel import clock
from tests.factories import make_product, make_run, make_user
from tests.factories.invoices import line_of, make_invoice

pytestmark = pytest.mark.django_db


def sell(seats: int = 3) -> tuple[Invoice, list[DiscountCode]]:
    product = make_product(make_run(enrollment_end=None))
    make_invoice(line_of(product, seats=2), now=clock.now())
    invoice = make_invoice(line_of(product, seats=seats), now=clock.now())
    sale = SeatSale.objects.get(invoice_line__invoice=invoice)
    return invoice, list(sale.discount.codes.order_by("pk"))


def do(code: DiscountCode, action: DeskAction) -> None:
    request = ChangeCode(code_id=code.pk, action=action)
    seen = plan_change_code(request, now=clock.now()).fingerprint()
    change_code(request, reason="asked to", by_id=None, now=clock.now(), seen=seen)


def void(invoice: Invoice) -> None:
    seen = plan_voiding(invoice_id=invoice.pk).fingerprint()
    void_invoice(invoice_id=invoice.pk, reason="wrong", keeps_used=True, seen=seen, by_id=None, now=clock.now())


def credit(invoice: Invoice, seats: int) -> None:
    line = invoice.lines.get()
    request = CreditRequest(seats={line.pk: seats}, reason="fewer people", takes_used=True)
    seen = plan_credit_note(request, invoice_id=invoice.pk).fingerprint()
    issue_credit_note(request, invoice_id=invoice.pk, seen=seen, posted_as=uuid.uuid4(), by_id=None, now=clock.now())


def redeem(code: DiscountCode) -> None:
    redeem_registration_code(text=code.text, user_id=make_user().pk, now=clock.now())


def test_codes_of_a_void_invoice_are_neither_restored_nor_freed() -> None:
    invoice, (used, free, _other) = sell()
    redeem(used)
    void(invoice)
    with pytest.raises(SeatNotInvoiced, match=invoice.number):
        do(free, DeskAction.RESTORE)
    with pytest.raises(SeatNotInvoiced):
        do(used, DeskAction.FREE)


def test_as_many_codes_work_as_seats_are_left_after_a_credit_note() -> None:
    invoice, codes = sell(seats=3)
    redeem(codes[0])
    do(codes[1], DeskAction.CANCEL)
    credit(invoice, 1)
    off = list(DiscountCode.objects.filter(pk__in=[code.pk for code in codes], active=False))
    assert len(off) == 1  # the one canceled before counts towards the credited seat
    with pytest.raises(SeatNotInvoiced):
        do(off[0], DeskAction.RESTORE)
    do(codes[2], DeskAction.CANCEL)
    do(off[0], DeskAction.RESTORE)
    do(codes[0], DeskAction.FREE)
    with pytest.raises(SeatNotInvoiced):
        do(codes[2], DeskAction.RESTORE)


def test_a_code_used_beyond_the_seats_that_are_left_is_not_freed() -> None:
    invoice, codes = sell(seats=2)
    for code in codes:
        redeem(code)
    credit(invoice, 1)
    with pytest.raises(SeatNotInvoiced):
        do(codes[0], DeskAction.FREE)

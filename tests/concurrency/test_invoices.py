"""Two people at one invoice, and many issuing at once: one number each, none left out."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from ecommerce.errors.invoices import InvoiceIssuedAlready, PaymentTooLarge
from ecommerce.models import DiscountCode, Invoice, InvoiceEntry
from ecommerce.services.invoices import issuing, numbers
from ecommerce.services.invoices.entries import record_payment
from ecommerce.services.invoices.issuing import issue_invoice, plan_invoice
from tests.factories import NOON
from tests.factories.invoices import make_draft, make_invoice, moved, set_seller
from tests.support.together import MeetAt, Together

pytestmark = pytest.mark.django_db(transaction=True)


class ChangedMind(Exception):
    """Undoes an issue after its number was allocated."""


def issuer(draft: Invoice) -> Callable[[], Invoice]:
    seen = plan_invoice(invoice_id=draft.pk, now=NOON).fingerprint()
    return partial(issue_invoice, invoice_id=draft.pk, seen=seen, by_id=None, now=NOON)


def undone(issue: Callable[[], Invoice]) -> None:
    with transaction.atomic():
        issue()
        raise ChangedMind


def used_sequences() -> list[int | None]:
    return list(Invoice.objects.exclude(number="").order_by("sequence").values_list("sequence", flat=True))


def test_two_clicks_on_issue_issue_once(together: Together, meet_at: MeetAt) -> None:
    set_seller()
    draft = make_draft()
    meet_at(issuing, "shop_settings", parties=2)
    click = issuer(draft)
    first, second = together(click, click)
    refusals = [each for each in (first, second) if isinstance(each, InvoiceIssuedAlready)]
    assert len(refusals) == 1
    assert used_sequences() == [1]
    assert DiscountCode.objects.count() == 3


def test_issuers_at_once_leave_no_gap_though_some_are_undone(together: Together) -> None:
    set_seller()
    issuers = [issuer(make_draft()) for _number in range(6)]
    calls: list[Callable[[], Any]] = [
        partial(undone, each) if position % 3 == 1 else each for position, each in enumerate(issuers)
    ]
    results = together(*calls)
    assert sum(isinstance(each, ChangedMind) for each in results) == 2
    assert used_sequences() == [1, 2, 3, 4]
    assert issuers[1]().sequence == 5


def test_without_the_lock_two_issuers_want_the_same_number(
    together: Together, meet_at: MeetAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the constraint refuses the second, so the lock is what makes both succeed."""
    set_seller()
    first, second = issuer(make_draft()), issuer(make_draft())
    monkeypatch.setattr(numbers, "transaction_lock", lambda *_names: None)
    meeting = meet_at(numbers, "next_number", parties=2)
    results = together(first, second)
    assert meeting.happened
    assert sum(isinstance(each, IntegrityError) for each in results) == 1
    assert used_sequences() == [1]


def test_two_payments_at_once_never_exceed_the_balance(together: Together) -> None:
    invoice = make_invoice()
    payments = [
        partial(record_payment, invoice_id=invoice.pk, moved=moved("200"), by_id=None, now=NOON) for _number in range(2)
    ]
    results = together(*payments)
    assert sum(isinstance(each, PaymentTooLarge) for each in results) == 1
    invoice.refresh_from_db()
    assert (invoice.paid_total, InvoiceEntry.objects.count()) == (200, 1)


def test_one_form_posted_twice_at_once_is_one_payment(together: Together) -> None:
    invoice = make_invoice()
    payment = partial(record_payment, invoice_id=invoice.pk, moved=moved("50"), by_id=None, now=NOON)
    first, second = together(payment, payment)
    assert isinstance(first, InvoiceEntry)
    assert first == second
    assert isinstance(first.posted_as, uuid.UUID)
    invoice.refresh_from_db()
    assert invoice.paid_total == 50

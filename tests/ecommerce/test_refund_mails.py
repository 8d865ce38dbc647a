"""E-mails about money to buyers and the shop, and receipts as plain data."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.mail import EmailMultiAlternatives
from wagtail.models import Site

from b2b.enums import MembershipState
from b2b.models import ContractMembership
from b2b.seats import claim_seat, lock_terms
from ecommerce.enums import EnrollmentAfter, OrderState
from ecommerce.events import MoneyReturned, OrderInReview, ReceiptWanted, RefundAsked, RefundDenied
from ecommerce.models import CodeUse, Order, RefundRequest, ShopSettings
from ecommerce.receivers import (
    email_receipt_again,
    email_refund,
    email_refund_asked,
    email_refund_denied,
    email_refund_request,
    email_review,
)
from ecommerce.selectors.receipts import receipt_data, receipt_for
from ecommerce.selectors.refund_plan import RefundChoice
from ecommerce.services.refunds.refunds import refund_order
from ecommerce.services.refunds.requests import deny_request
from mitxonline.event_routes import ROUTES
from mitxonline.kernel.money import Money
from tests.factories import NOON, codes_of, make_contract, make_contract_run, make_product
from tests.factories.orders import make_paid_order

pytestmark = pytest.mark.django_db

Outbox = list[EmailMultiAlternatives]


def told(outbox: Outbox) -> tuple[EmailMultiAlternatives, str, str]:
    """Return the text and HTML of the only e-mail."""
    (mail,) = outbox
    return mail, str(mail.body), str(mail.alternatives[0][0])


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (EnrollmentAfter.REMOVE, "You no longer have access to this course"),
        (EnrollmentAfter.AUDIT, "You can still read this course, without a certificate."),
        (EnrollmentAfter.KEEP, ""),
    ],
)
def test_the_refund_e_mail_says_what_happens_to_the_course(mailoutbox: Outbox, after: Any, words: str) -> None:
    order = make_paid_order(make_product())
    choice = RefundChoice(reason="secret reason", enrollment_after=after)
    refund = refund_order(order_id=order.pk, choice=choice, now=NOON, by_id=None)
    email_refund(MoneyReturned(refund_id=refund.pk, order_id=order.pk))
    mail, text, html = told(mailoutbox)
    assert (mail.subject, mail.to) == (f"Your refund for order {order.number}", [order.purchaser.email])
    for body in (text, html):
        assert "$249.00 is on its way back to you" in body
        assert words in body
        assert "secret reason" not in body
        assert f"/checkout/receipt/?order_number={order.number}" in body
    assert ("no longer have access" in text) == (after == EnrollmentAfter.REMOVE)


def test_a_refund_without_courses_is_e_mailed_at_once(mailoutbox: Outbox) -> None:
    order = make_paid_order(make_product(), state=OrderState.REVIEW)
    email_review(OrderInReview(order_id=order.pk, purchaser_id=order.purchaser_id))
    _mail, text, html = told(mailoutbox)
    for body in (text, html):
        assert "We have your payment, Amara" in body
        assert "Please don’t pay again." in body


def test_a_refusal_and_a_request_reach_whom_they_concern(mailoutbox: Outbox) -> None:
    order = make_paid_order(make_product())
    request = RefundRequest.objects.create(order=order, why="no_time", text="Shifts <b>changed</b>", asked_at=NOON)
    email_refund_asked(RefundAsked(request_id=request.pk, order_id=order.pk))
    assert mailoutbox == []  # no one to tell
    shop = Site.objects.get(is_default_site=True)
    ShopSettings.objects.create(site=shop, support_email="orders@tessera.example")
    email_refund_asked(RefundAsked(request_id=request.pk, order_id=order.pk))
    mail, text, html = told(mailoutbox)
    assert mail.to == ["orders@tessera.example"]
    assert f"/cms/orders/{order.pk}/" in text
    assert "Shifts &lt;b&gt;changed" in html
    mailoutbox.clear()
    deny_request(request_id=request.pk, answer="The course is over.", now=NOON, by_id=None)
    email_refund_denied(RefundDenied(request_id=request.pk, order_id=order.pk))
    mail, text, html = told(mailoutbox)
    assert (mail.to, mail.reply_to) == ([order.purchaser.email], ["orders@tessera.example"])
    assert "The course is over." in text
    assert "The course is over." in html


def test_a_refund_request_is_confirmed_to_its_buyer(mailoutbox: Outbox) -> None:
    ShopSettings.objects.create(
        site=Site.objects.get(is_default_site=True), support_email="orders@tessera.example", seller_name="Tessera"
    )
    order = make_paid_order(make_product(), make_product(price="149.00"))
    chosen, other = order.lines.all()
    request = RefundRequest.objects.create(order=order, why="other", text="Not for me <b>", asked_at=NOON)
    request.lines.set([chosen])
    event = RefundAsked(request_id=request.pk, order_id=order.pk)
    email_refund_request(event)
    mail, text, html = told(mailoutbox)
    assert (mail.subject, mail.to) == (f"Your refund request for order {order.number}", [order.purchaser.email])
    assert mail.reply_to == ["orders@tessera.example"]
    for body in (text, html):
        assert "We have your refund request" in body
        assert "We’ll reply by e-mail. You keep access until then." in body
        assert "$249.00" in body
        assert "$149.00" not in body
        assert f"order_number={order.number}" in body
    assert "Not for me <b>" in text
    assert "Not for me &lt;b&gt;" in html
    assert other.title
    assert email_refund_request in ROUTES[RefundAsked].after_commit


def test_the_receipt_is_sent_again(mailoutbox: Outbox) -> None:
    order = make_paid_order(make_product())
    email_receipt_again(ReceiptWanted(order_id=order.pk))
    assert told(mailoutbox)[0].subject == f"Your receipt {order.number}"


def test_receipt_context_is_plain_data() -> None:
    order = make_paid_order(make_product(), make_product(price="149.00"))
    choice = RefundChoice(reason="x", amount=Money("39.80", "USD"), enrollment_after=EnrollmentAfter.KEEP)
    refund_order(order_id=order.pk, choice=choice, now=NOON, by_id=None)
    data = receipt_data(receipt_for(user_id=order.purchaser_id, number=order.number), now=NOON)
    assert (data.number, data.state, str(data.totals.due)) == (order.number, "partially_refunded", "398.00 USD")
    assert [str(line.refunded) for line in data.lines] == ["24.90 USD", "14.90 USD"]
    assert [(str(each.amount), each.state) for each in data.refunds] == [("39.80 USD", "succeeded")]
    assert (str(data.totals.refunded), str(data.totals.kept)) == ("39.80 USD", "358.20 USD")
    assert (data.may_ask_for_refund, str(data.refund_until)) == (True, "2026-03-16")
    assert data.buyer_email == order.purchaser.email


@pytest.mark.parametrize("number", [1, 4])
def test_the_lines_of_all_refunds_are_one_query(number: int, django_assert_num_queries: Any) -> None:
    order = make_paid_order(make_product(), make_product(price="149.00"))
    choice = RefundChoice(reason="x", amount=Money("1.00", "USD"), enrollment_after=EnrollmentAfter.KEEP)
    for _each in range(number):
        refund_order(order_id=order.pk, choice=choice, now=NOON, by_id=None)
    receipt = receipt_for(user_id=order.purchaser_id, number=order.number)
    with django_assert_num_queries(1):
        data = receipt_data(receipt, now=NOON, shop=ShopSettings())
    assert [len(refund.line_ids) for refund in data.refunds] == [2] * number


def seated_order() -> Order:
    """A learner in a contract by a code they paid for themselves."""
    contract = make_contract(seats=2, price="49")
    run = make_contract_run(contract, codes=1)
    assert run.product is not None
    order = make_paid_order(run.product, code=codes_of(run)[0])
    claim_seat(
        terms=lock_terms([contract.pk])[contract.pk],
        user_id=order.purchaser_id,
        state=MembershipState.ACTIVE,
        source="code",
        code_use_id=CodeUse.objects.get(order=order).pk,
        now=NOON,
    )
    return order


@pytest.mark.parametrize(("frees", "seats"), [(True, 0), (False, 1)])
def test_the_seat_goes_with_the_code_and_only_with_it(frees: bool, seats: int) -> None:
    order = seated_order()
    refund_order(order_id=order.pk, choice=RefundChoice(reason="x", frees_codes=frees), now=NOON, by_id=None)
    assert ContractMembership.objects.filter(user_id=order.purchaser_id).count() == seats

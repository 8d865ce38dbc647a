"""The signed answer of a payment page: by the browser, by the gateway's server, and the sweep, all at once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from courses.models import Enrollment
from ecommerce.enums import AttemptState, OrderState
from ecommerce.models import GatewayNotice, Refund
from ecommerce.services.payment.pending import check_due_payments
from mitxonline.coordinator.models import Delivery
from tests.ecommerce.paying import latest_attempt, place_order
from tests.support.cybersource import CyberSourceServer, encode
from tests.support.together import Together

pytestmark = pytest.mark.django_db(transaction=True)

FORM = "application/x-www-form-urlencoded"


def test_all_ways_at_once_open_the_course_once(cybersource_api: CyberSourceServer, together: Together) -> None:
    order = place_order(now=timezone.now())
    attempt = latest_attempt(order)
    buyer = Client()
    buyer.force_login(order.purchaser)
    form = buyer.get(f"/payment/cybersource/form/{attempt.reference}/").context["form"]
    cybersource_api.open_page(dict(form.fields))
    body = encode(cybersource_api.decide(str(attempt.reference)))

    def browser() -> int:
        return Client().post("/payment/cybersource/return/", body, content_type=FORM).status_code

    def server() -> int:
        return Client().post("/payment/cybersource/webhook/", body, content_type=FORM).status_code

    def sweep() -> int:
        return check_due_payments(now=timezone.now() + timedelta(minutes=6))

    answers = together(*[browser] * 8, *[server] * 8, *[sweep] * 2)
    assert not [each for each in answers if isinstance(each, BaseException)]
    assert (answers[:8], answers[8:16]) == ([303] * 8, [200] * 8)
    order.refresh_from_db()
    assert (order.state, latest_attempt(order).state) == (OrderState.FULFILLED, AttemptState.PAID)
    receipts = Delivery.objects.filter(handler="ecommerce.receivers.email_receipt", payload__order_id=order.pk)
    assert receipts.count() == Enrollment.objects.count() == GatewayNotice.objects.count() == 1
    assert not Refund.objects.exists()

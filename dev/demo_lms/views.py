"""Three addresses for developers: each publishes an event, and answers what its receivers made of it.

The events take the same way as any other: route table, outbox, deliveries with their attempts. An answer is empty, or
what the receiver returned, or its exception and traceback, by the receiver as Python shows it.
"""

from __future__ import annotations

import time
import traceback
from uuid import uuid4

from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dev.demo_lms.events import CeleryTestAsked, PurchaseCompleted, TestAsked
from mitxonline.coordinator.bus import publish
from mitxonline.coordinator.claims import claim_delivery
from mitxonline.coordinator.deliveries import Attempt
from mitxonline.coordinator.events import Event
from mitxonline.coordinator.models import Delivery, DeliveryAttempt
from mitxonline.coordinator.replay import give_up
from mitxonline.coordinator.routes import find_receiver
from mitxonline.kernel import clock
from mitxonline.kernel.trace import open_trace, trace_id

WORKER_SECONDS = 10.0
_NO_WORKER = "No worker has taken it yet. It waits in the outbox; start one with: manage.py celery"

Answers = dict[str, str]


@never_cache
@require_safe
def test(request: HttpRequest) -> JsonResponse:
    """Call two receivers in this process, one of which fails."""
    with open_trace(), transaction.atomic():
        # Claimed before the commit, so that no worker is faster, and the log lines are this process's.
        claimed = [
            claim_delivery(delivery_id=each.pk, now=clock.now()) for each in _publish(TestAsked(sender="Something"))
        ]
    return JsonResponse({key: answer for each in claimed if each for key, answer in _make(each).items()})


@never_cache
@require_safe
def test_celery_signal(request: HttpRequest) -> JsonResponse:
    """Have a worker call a receiver."""
    return _answer_by_worker(CeleryTestAsked(sender="Something"))


@never_cache
@require_safe
def demo_purchase_complete(request: HttpRequest) -> JsonResponse:
    """Have workers call the three receivers of a purchase."""
    skus = ("course-v1:DemoX+1+2026", "course-v1:DemoX+2+2026", "course-v1:DemoX+3+2026")
    return _answer_by_worker(PurchaseCompleted(f"DEMO-{uuid4().hex[:8].upper()}", "demo_learner", skus))


def _publish(event: Event) -> list[Delivery]:
    last = Delivery.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    publish(event)
    # Only this event's: its trace begins here.
    return list(Delivery.objects.filter(pk__gt=last, trace_id=trace_id(), event_type=event.type_name()).order_by("pk"))


def _make(delivery: Delivery) -> Answers:
    event, receiver = find_receiver(delivery.event_type, delivery.handler)
    answer = ""
    with open_trace(delivery.trace_id), Attempt(delivery) as attempt:
        try:
            attempt.result = receiver(event.from_payload(delivery.payload))
            answer = str(attempt.result or "")
        except Exception as error:
            answer = f"{error}\n{''.join(traceback.format_exception(error))}"
            raise
    if answer:
        # What always fails would be tried again for a day, and then stand on the admin's first page.
        give_up(delivery_id=delivery.pk, reason="A demonstration", by_id=None, now=clock.now())
    return {repr(receiver): answer}


def _answer_by_worker(event: Event) -> JsonResponse:
    with open_trace(), transaction.atomic():
        deliveries = _publish(event)
    deadline = time.monotonic() + WORKER_SECONDS
    while (ended := _find_ended(deliveries)).keys() < {each.pk for each in deliveries} and time.monotonic() < deadline:
        time.sleep(0.1)
    answers: Answers = {}
    for each in deliveries:
        _event, receiver = find_receiver(each.event_type, each.handler)
        answers[repr(receiver)] = ended[each.pk].result if each.pk in ended else _NO_WORKER
    return JsonResponse(answers)


def _find_ended(deliveries: list[Delivery]) -> dict[int, DeliveryAttempt]:
    """Return the first attempts that ended, by their delivery."""
    ended = DeliveryAttempt.objects.filter(delivery__in=deliveries, number=1, ended_at__isnull=False)
    return {each.delivery_id: each for each in ended}

"""Work in progress of the demo: a draft, a page waiting for approval, a scheduled one, a delivery that failed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from wagtail.models import Page, Workflow

from b2b.models import ContractPage
from cms.models import ContentPage, HomePage
from dev.demo.people import EDITOR
from ecommerce.enums import OrderState
from ecommerce.models import Order
from mitxonline.coordinator.models import AttemptOutcome, Delivery, DeliveryAttempt, DeliveryState
from mitxonline.users.models import User

DRAFT, APPROVAL, SCHEDULED = "winter-term", "teaching-with-us", "summer-school"


def ensure_draft(contract: ContractPage) -> None:
    """Leave terms of next year's contract unpublished."""
    if not contract.has_unpublished_changes:
        contract.max_learners = 60
        contract.save_revision()


def ensure_work_in_progress(people: Mapping[str, User], *, now: datetime) -> None:
    home = HomePage.objects.live().first()
    editor = people[EDITOR.email]
    if home is None or ContentPage.objects.filter(slug=DRAFT).exists():
        return
    _make_draft(home, DRAFT, "Winter term: what’s new", editor)
    submitted = _make_draft(home, APPROVAL, "Teaching with us", editor)
    workflow = Workflow.objects.active().first()
    if workflow is not None:
        workflow.start(submitted, editor)
    scheduled = _make_draft(home, SCHEDULED, "Summer school", editor)
    scheduled.go_live_at = now + timedelta(days=14)
    scheduled.save_revision(user=editor).publish(user=editor)
    dead = Delivery.objects.create(
        event_type="ecommerce.events.ReceiptWanted",
        payload={"order_id": _first_order_id(), "by_id": None},
        handler="ecommerce.receivers.email_receipt_again",
        state=DeliveryState.DEAD,
        attempts=30,
        last_error="ConnectionRefusedError at kernel/mail.py:57",
        created_at=now - timedelta(days=1),
        finished_at=now - timedelta(hours=2),
    )
    # The last two of its attempts, an hour apart.
    for number, hours in ((29, 3), (30, 2)):
        ended = now - timedelta(hours=hours)
        DeliveryAttempt.objects.create(
            delivery=dead,
            number=number,
            started_at=ended - timedelta(seconds=1),
            ended_at=ended,
            process="worker-1:17",
            outcome=AttemptOutcome.FAILED,
            result=f"{dead.last_error}: [Errno 111] Connection refused",
            next_attempt_at=None if number == dead.attempts else ended + timedelta(hours=1),
        )


def _first_order_id() -> int:
    """Return an order whose receipt can be sent once someone replays the delivery."""
    return Order.objects.filter(state=OrderState.FULFILLED).order_by("pk").values_list("pk", flat=True).first() or 0


def _make_draft(home: Page, slug: str, title: str, owner: User) -> ContentPage:
    page = ContentPage(slug=slug, title=title, introduction="", live=False, owner=owner)
    home.add_child(instance=page)
    page.save_revision(user=owner, log_action=True)
    return page

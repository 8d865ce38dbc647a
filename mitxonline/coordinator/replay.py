"""What staff decide about deliveries: replay one that is dead or waits, or give it up for a reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.db.models import F
from django.utils.translation import ngettext

from mitxonline.coordinator.deliveries import send_next
from mitxonline.coordinator.errors import (
    DeliveryDone,
    DeliveryGivenUp,
    DeliveryRefused,
    DeliveryRunning,
    NoSuchDelivery,
    NotItsTurn,
    ReasonMissing,
    ReceiverGone,
)
from mitxonline.coordinator.models import Delivery, DeliveryState
from mitxonline.coordinator.routes import UnroutedReceiver, find_receiver
from mitxonline.coordinator.sending import by_queue, send_after_commit
from mitxonline.kernel import audit

REPLAY = "coordinator.replay"
GIVE_UP = "coordinator.give_up"

_SENTENCES = 5


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many deliveries are sent again, why others are not, and how many are left for another time."""

    count: int = 0
    refusals: list[DeliveryRefused] = field(default_factory=list)
    left: int = 0


def find_refusal(delivery: Delivery) -> DeliveryRefused | None:
    """Return why the delivery can't be replayed. None if it can: it is dead, or waits for its next attempt."""
    return _refuse_state(delivery) or _refuse_receiver(delivery) or _refuse_turn(delivery)


def find_blocker(delivery: Delivery) -> Delivery | None:
    """Return the delivery that this one waits for, the earliest with its order key that isn't settled."""
    if not delivery.order_key:
        return None
    return Delivery.objects.ahead_of(delivery.order_key, delivery.pk).order_by("pk").first()


def replay_delivery(*, delivery_id: int, by_id: int | None, now: datetime) -> None:
    """Send a delivery again, with all its attempts anew. Earlier attempts stay in its history.

    Raises DeliveryRefused and NoSuchDelivery.
    """
    with transaction.atomic():
        delivery = _lock(delivery_id)
        if (refusal := find_refusal(delivery)) is not None:
            raise refusal
        _replay([delivery], by_id=by_id, now=now)


def replay_deliveries(*, ids: Sequence[int], by_id: int | None, now: datetime) -> Replayed:
    """Send those of the deliveries again that can be, at most `DELIVERY_SWEEP_SIZE` of them."""
    chosen, left = ids[: settings.DELIVERY_SWEEP_SIZE], max(len(ids) - settings.DELIVERY_SWEEP_SIZE, 0)
    with transaction.atomic():
        again, refusals = [], []
        for delivery in Delivery.objects.filter(pk__in=chosen).locked():
            refusal = find_refusal(delivery)
            if refusal is None:
                again.append(delivery)
            else:
                refusals.append(refusal)
        _replay(again, by_id=by_id, now=now)
    return Replayed(len(again), refusals, left)


def replay_receiver(*, receiver: str, by_id: int | None, now: datetime) -> Replayed:
    """Send the dead deliveries of a receiver again, the oldest first."""
    dead = Delivery.objects.filter(handler=receiver, state=DeliveryState.DEAD)
    oldest = list(dead.order_by("pk").values_list("pk", flat=True)[: settings.DELIVERY_SWEEP_SIZE])
    left = max(dead.count() - len(oldest), 0)
    return replace(replay_deliveries(ids=oldest, by_id=by_id, now=now), left=left)


def describe_replayed(replayed: Replayed) -> Iterator[tuple[int, str]]:
    """Say what became of several: each sentence with its level of Django's messages."""
    sentence = ngettext(
        "%(count)d delivery will be made again.", "%(count)d deliveries will be made again.", replayed.count
    )
    yield messages.SUCCESS if replayed.count else messages.WARNING, sentence % {"count": replayed.count}
    for refusal in replayed.refusals[:_SENTENCES]:
        yield messages.WARNING, str(refusal)
    if (others := len(replayed.refusals) - _SENTENCES) > 0:
        sentence = ngettext(
            "%(count)d more was refused. Its page says why.",
            "%(count)d more were refused. Their pages say why.",
            others,
        )
        yield messages.WARNING, sentence % {"count": others}
    if replayed.left:
        sentence = ngettext(
            "%(count)d delivery is left for the next time.", "%(count)d deliveries are left for the next time.",
            replayed.left,
        )  # fmt: skip
        yield messages.WARNING, sentence % {"count": replayed.left}


def give_up(*, delivery_id: int, reason: str, by_id: int | None, now: datetime) -> None:
    """Decide that a dead or waiting delivery won't be made. Later ones of its order no longer wait for it.

    Raises DeliveryRefused, NoSuchDelivery and ReasonMissing.
    """
    if not reason.strip():
        raise ReasonMissing
    with transaction.atomic():
        delivery = _lock(delivery_id)
        if (refusal := _refuse_state(delivery)) is not None:
            raise refusal
        delivery.state, delivery.finished_at, delivery.sent_at = DeliveryState.GIVEN_UP, now, None
        delivery.reason, delivery.given_up_by_id = reason.strip()[:255], by_id
        delivery.save(update_fields=["state", "finished_at", "sent_at", "reason", "given_up_by"])
        audit.record(delivery, GIVE_UP, by_id=by_id, data={"reason": delivery.reason})
        transaction.on_commit(lambda: send_next(delivery, now=now))


def _lock(delivery_id: int) -> Delivery:
    delivery = Delivery.objects.filter(pk=delivery_id).locked().first()
    if delivery is None:
        raise NoSuchDelivery(number=delivery_id)
    return delivery


def _replay(deliveries: Sequence[Delivery], *, by_id: int | None, now: datetime) -> None:
    Delivery.objects.filter(pk__in=[delivery.pk for delivery in deliveries]).update(
        state=DeliveryState.PENDING,
        attempts_before_replay=F("attempts"),
        next_attempt_at=now,
        finished_at=None,
        sent_at=now,
    )
    for delivery in deliveries:
        audit.record(delivery, REPLAY, by_id=by_id)
    for queue, ids in by_queue((delivery.pk, delivery.handler) for delivery in deliveries).items():
        send_after_commit(ids, queue=queue)


def _refuse_state(delivery: Delivery) -> DeliveryRefused | None:
    match delivery.state:
        case DeliveryState.DONE:
            return DeliveryDone(number=delivery.pk)
        case DeliveryState.RUNNING:
            return DeliveryRunning(number=delivery.pk)
        case DeliveryState.GIVEN_UP:
            return DeliveryGivenUp(number=delivery.pk, reason=delivery.reason)
    return None


def _refuse_receiver(delivery: Delivery) -> DeliveryRefused | None:
    try:
        find_receiver(delivery.event_type, delivery.handler)
    except UnroutedReceiver:
        return ReceiverGone(number=delivery.pk, receiver=delivery.handler)
    return None


def _refuse_turn(delivery: Delivery) -> DeliveryRefused | None:
    blocker = find_blocker(delivery)
    return NotItsTurn(number=delivery.pk, earlier=blocker.pk) if blocker is not None else None

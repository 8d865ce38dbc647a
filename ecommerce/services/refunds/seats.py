"""Saying which seats of a group a refund was for that was made at the gateway or taken by a bank."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from ecommerce.enums import EnrollmentAfter, RefundState
from ecommerce.errors.refunds import RefundDecided
from ecommerce.models import Refund
from ecommerce.selectors.refund_plan import REASON_LENGTH, refuse_impossible_seats
from ecommerce.services.refunds.ledger import divide_by_seats, log_refund
from ecommerce.services.refunds.refunds import lock_refund
from ecommerce.services.registration.taking_back import end_seats, find_taken_uses
from mitxonline.kernel.text import require_text


@dataclass(frozen=True, slots=True)
class SeatsOfRefund:
    """Line ids with a number of seats of theirs; none if the refund only lowered the price.

    ``enrollment_after`` is for learners whose seats go; those are taken only with ``takes_redeemed``.
    """

    reason: str
    seats: tuple[tuple[int, int], ...] = ()
    enrollment_after: EnrollmentAfter = EnrollmentAfter.REMOVE
    takes_redeemed: bool = False


def assign_seats(*, refund_id: int, choice: SeatsOfRefund, now: datetime, by_id: int | None) -> Refund:
    """Record which seats a refund made elsewhere was for, and switch their codes off.

    Raises RefundUnknown, RefundDecided where someone has said so or the money went on, TooManySeats, SeatsRedeemed.
    """
    reason = require_text(choice.reason)[:REASON_LENGTH]
    with transaction.atomic():
        refund = lock_refund(refund_id, RefundState.SUCCEEDED)
        if not Refund.objects.without_seats().filter(pk=refund.pk).exists():
            raise RefundDecided
        if choice.seats:
            chosen = dict(choice.seats)
            lines = list(refund.order.lines.filter(pk__in=chosen).order_by("pk"))
            refuse_impossible_seats(refund.order, lines, chosen)
            taken = set(find_taken_uses(refund))
            divide_by_seats(refund, chosen, takes_redeemed=choice.takes_redeemed, now=now)
            uses = set(find_taken_uses(refund)) - taken
            end_seats(uses, to=choice.enrollment_after, reason=reason, by_id=by_id, now=now)
        refund.seats_decided_at = now
        refund.save(update_fields=["seats_decided_at"])
        log_refund(refund, "ecommerce.refund.seats", by_id=by_id, reason=reason)
    return refund

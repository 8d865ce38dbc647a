"""Staff's notes on orders."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from ecommerce.models import Order, OrderNote

# A note that says the same so soon is the same form, sent twice.
REPEATED_WITHIN = timedelta(minutes=10)


def add_note(*, order_id: int, text: str, by_id: int | None, now: datetime) -> OrderNote:
    """Add a note, or return the order's newest one if the same person has just written it."""
    with transaction.atomic():
        order = Order.objects.locked().get(pk=order_id)
        newest = order.notes.first()
        if newest is not None and _is_repeated(newest, text=text, by_id=by_id, now=now):
            return newest
        return OrderNote.objects.create(order=order, text=text, written_at=now, written_by_id=by_id)


def _is_repeated(note: OrderNote, *, text: str, by_id: int | None, now: datetime) -> bool:
    return (note.text, note.written_by_id) == (text, by_id) and now - note.written_at < REPEATED_WITHIN

"""Staff's notes on orders."""

from __future__ import annotations

from datetime import datetime

from ecommerce.models import OrderNote


def add_note(*, order_id: int, text: str, by_id: int | None, now: datetime) -> OrderNote:
    return OrderNote.objects.create(order_id=order_id, text=text, written_at=now, written_by_id=by_id)

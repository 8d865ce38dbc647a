"""Hand-outs of the demo's group purchase, and a helper."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

from b2b.errors.handouts import HandOutRefused
from b2b.services.groups.helpers import name_helper
from b2b.services.handouts.assign import SaleHandOutRequest, hand_out
from b2b.services.handouts.recipients import Recipient
from dev.demo.people import LEA, MIRA, email_of
from ecommerce.models import SeatSale

NAMES = ("Ayla Demir", "Bruno Salas", "Cecilia Holm", "Davit Sarkisian")


def ensure_hand_outs(*, now: datetime) -> None:
    """Hand codes out of Mira's purchase to colleagues, and let Lea help, unless that was done before."""
    sale = SeatSale.objects.filter(buyer__email=MIRA.email).order_by("pk").first()
    if sale is None or sale.buyer_id is None or sale.hand_outs.exists():
        return
    given = [Recipient(email_of(name, "harborclinic.example"), name) for name in NAMES]
    with suppress(HandOutRefused):  # an operator has refunded seats, or enrollment has closed
        hand_out(SaleHandOutRequest(sale.pk, recipients=given), by_id=sale.buyer_id, now=now - timedelta(days=2))
    if not sale.helpers.exists():
        name_helper(user_id=sale.buyer_id, sale_id=sale.pk, email=LEA.email, now=now - timedelta(days=2))

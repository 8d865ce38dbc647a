"""What a registration code gives a visitor."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Sum
from django.utils.translation import gettext as _

from courses.errors import EnrollmentRefused
from courses.models import CourseRun
from courses.places import refuse_if_full
from courses.rules import refuse_unless_enrollable
from ecommerce.enums import LIVE_USE_STATES, CodeChangeKind, InvoiceState, UseState
from ecommerce.errors.codes import CodeRefused, course_not_open
from ecommerce.errors.registration import (
    CourseBeingPaid,
    CourseOwnedAlready,
    RegistrationCodeOff,
    RegistrationCodeUsed,
    SeatRefunded,
    SeatTakenBack,
)
from ecommerce.models import CodeUse, DiscountCode, InvoiceLine, RegistrationCodeChange, SeatSale
from ecommerce.ownership import find_enrolled_runs, find_owned_courses, find_unsettled_orders, has_mode
from ecommerce.selectors.codes import find_person_refusal, find_site_refusal, guard_refusals
from ecommerce.selectors.offers import find_buyer
from mitxonline.kernel.shop import current_site_id


@dataclass(frozen=True, slots=True)
class RegistrationOffer:
    """The seat that a registration code gives this visitor. `is_mine`: they have redeemed the code and the course."""

    code: DiscountCode
    sale: SeatSale
    run: CourseRun
    giver: str
    is_mine: bool = False


def find_seat_sale(code: DiscountCode) -> SeatSale | None:
    """Return the seat sale of a registration code, None of another code; no query after `find_code`."""
    sale: SeatSale | None = getattr(code.discount, "seat_sale", None)
    return sale


def find_opened_run(code: DiscountCode, sale: SeatSale) -> CourseRun:
    """Return the run that a registration code gives: the one that was sold, or the one staff moved the code to."""
    return code.moved_to or sale.course_run


def name_giver(sale: SeatSale) -> str:
    """Name the company that bought the seats, or the person; empty where only an address is known."""
    if sale.invoice_line is not None:
        return sale.invoice_line.invoice.company
    company = sale.order_line.order.company if sale.order_line is not None else ""
    return company or ("" if sale.buyer is None or sale.buyer.closed_at else sale.buyer.name)


def offer_seat(code: DiscountCode, sale: SeatSale, *, user_id: int | None, now: datetime) -> RegistrationOffer:
    """Return what the code gives this visitor, or raise the CodeRefused that says why it gives nothing.

    A signed-out visitor gets CodeUnknown for every code that doesn't work, so that codes can't be probed.
    """
    with guard_refusals(code, user_id=user_id):
        return judge_seat(code, sale, user_id=user_id, now=now)


def judge_seat(code: DiscountCode, sale: SeatSale, *, user_id: int | None, now: datetime) -> RegistrationOffer:
    """Judge a registration code as `offer_seat` does, without hiding anything from signed-out visitors."""
    run, giver = find_opened_run(code, sale), name_giver(sale)
    offer = RegistrationOffer(code=code, sale=sale, run=run, giver=giver)
    if (elsewhere := find_site_refusal(code, current_site_id())) is not None:
        raise elsewhere
    own = _find_own_use_state(code, user_id)
    enrolled = find_enrolled_runs(user_id, [run.course_id], now=now) if user_id is not None else {}
    runs_here = [each for each in enrolled.get(run.course_id, ()) if each.run_id == run.pk]
    if own in LIVE_USE_STATES and any(has_mode(each, sale.product) for each in runs_here):
        return RegistrationOffer(code=code, sale=sale, run=run, giver=giver, is_mine=True)
    if (refusal := _find_code_refusal(code, own=own, giver=giver)) is not None:
        raise refusal
    buyer = find_buyer(user_id, discounts=[code.discount], codes=[code])
    if own is None and (refusal := find_person_refusal(code, buyer)) is not None:
        raise refusal
    if find_owned_courses(sale.product, {run.course_id: run.pk}, enrolled):
        raise CourseOwnedAlready
    if (number := _find_order_in_payment(run, user_id)) is not None:
        raise CourseBeingPaid(number=number)
    try:
        refuse_unless_enrollable(run, now=now)
        if not runs_here:
            refuse_if_full(run, places=0)
    except EnrollmentRefused as closed:
        raise course_not_open(closed, hint=_hint_when_closed(giver)) from closed
    return offer


def _find_code_refusal(code: DiscountCode, *, own: str | None, giver: str) -> CodeRefused | None:
    if own == UseState.RETIRED:
        return SeatTakenBack()
    if not code.active or not code.discount.is_active:
        return SeatRefunded(giver=giver) if is_refunded(code) else RegistrationCodeOff(giver=giver)
    if own is None and code.max_uses is not None and code.uses >= code.max_uses:
        return RegistrationCodeUsed(giver=giver)
    return None


def is_refunded(code: DiscountCode) -> bool:
    """Whether a registration code is off because its seat was refunded."""
    if code.active:
        return False
    last = RegistrationCodeChange.objects.filter(code=code).exclude(kind=CodeChangeKind.MOVED).order_by("-pk").first()
    return last is not None and last.kind == CodeChangeKind.REFUNDED


def count_seats_of_invoice(line: InvoiceLine) -> int:
    """Return how many seats of a line are left: none of a void invoice, fewer after credit notes."""
    if line.invoice.state == InvoiceState.VOID:
        return 0
    credited: int | None = line.credit_note_lines.aggregate(seats=Sum("seats"))["seats"]
    return max(line.seats - (credited or 0), 0)


def _find_own_use_state(code: DiscountCode, user_id: int | None) -> str | None:
    """Return the state of the visitor's last use that counts."""
    if user_id is None:
        return None
    uses = CodeUse.objects.filter(code=code, user_id=user_id).exclude(state=UseState.RELEASED)
    return uses.order_by("-pk").values_list("state", flat=True).first()


def _find_order_in_payment(run: CourseRun, user_id: int | None) -> str | None:
    """Return the number of the visitor's order whose payment for this course is under way."""
    if user_id is None:
        return None
    orders = find_unsettled_orders(user_id)
    return next((order.number for order in orders if run.course_id in order.course_ids), None)


def _hint_when_closed(giver: str) -> str:
    if giver:
        return _("Ask {giver} about another start.").format(giver=giver)
    return _("Ask whoever gave it to you about another start.")

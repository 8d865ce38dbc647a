"""What a code with one use is at the moment, and the address where it is redeemed.

Lists, pages, files and hand-outs all ask here, so that a code can't be free on one page and used on another.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Value, When

from ecommerce.enums import CodeState, UseState
from ecommerce.models import CodeUse, DiscountCode

# Released uses leave the code as it was; all others count against it.
COUNTED_USE_STATES = (UseState.HELD, UseState.CONFIRMED, UseState.RETIRED)
# Narrower than the state says, because this is the condition of the index `code_free`: a limited code that was never
# used has a counter of 0.
NEVER_TAKEN = Q(active=True, max_uses=1, uses=0, assigned_email="")
# Assigned or used at some time. With millions of free codes, what is left is looked at more closely.
EVER_TAKEN = ~Q(assigned_email="") | Q(uses__gt=0)
SHARED = Q(active=True, max_uses__isnull=True, assigned_email="")
# Of codes that have the facts of `with_code_facts`.
CAN_BE_USED = Q(is_spent=False, is_off=False)

# The first of these facts that holds decides; a code with none of them is free. A spent code without a confirmed or
# held use was used by someone whose access was withdrawn.
_STATES = (
    ("is_used", CodeState.USED),
    ("is_held", CodeState.HELD),
    ("is_spent", CodeState.WITHDRAWN),
    ("is_off", CodeState.OFF),
    ("is_assigned", CodeState.ASSIGNED),
)


def with_code_facts(codes: QuerySet[DiscountCode], *, is_removed: Q | None = None) -> QuerySet[DiscountCode]:
    """Annotate the codes with the facts that `code_state` and `in_state` read.

    `is_removed` says which codes are off although they are active.
    """
    uses = CodeUse.objects.filter(code=OuterRef("pk"))
    # The counter of a limited code tells that it has no uses, so of a million free codes none is looked up.
    may_have_uses = Q(uses__gt=0) | Q(max_uses__isnull=True)
    found: QuerySet[DiscountCode] = codes.annotate(
        is_used=Case(When(may_have_uses, then=Exists(uses.filter(state=UseState.CONFIRMED))), default=Value(False)),
        is_held=Case(When(may_have_uses, then=Exists(uses.filter(state=UseState.HELD))), default=Value(False)),
        is_spent=Q(max_uses__isnull=False, uses__gte=F("max_uses")),
        is_off=Q(active=False) | (is_removed or Q()),
        is_assigned=~Q(assigned_email=""),
    )
    return found


def code_state(row: Any) -> CodeState:
    """Return the state of a row that has the facts."""
    return next((state for fact, state in _STATES if getattr(row, fact)), CodeState.FREE)


def in_state(*states: CodeState) -> Q:
    """Match rows that have the facts and are in one of these states."""
    chosen = Q()
    earlier: dict[str, bool] = {}
    for fact, state in _STATES:
        if state in states:
            chosen |= Q(**earlier, **{fact: True})
        earlier[fact] = False
    return chosen | Q(**earlier) if CodeState.FREE in states else chosen


def redeem_url(text: str) -> str:
    """Return the address where a learner takes their seat by pressing a button."""
    return f"{settings.SITE_BASE_URL}/enrollmentcode/{text}/"

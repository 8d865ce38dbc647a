"""Uses of codes: held, confirmed, released, retired. Each change is one conditional statement (design 3.7)."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, connection, transaction

from ecommerce.enums import UseState
from ecommerce.errors import CodeSwitchedOff, CodeUsed
from ecommerce.models import CodeUse, DiscountCode

# The count and the row move together or not at all: whoever finds the last use taken gets no row. An unlimited code
# has no counter to fight over.
CLAIM = """
WITH claimed AS (
    UPDATE ecommerce_discountcode SET uses = uses + 1
    WHERE id = %(code)s AND active AND uses < max_uses
    RETURNING id
), unlimited AS (
    SELECT id FROM ecommerce_discountcode WHERE id = %(code)s AND active AND max_uses IS NULL
)
INSERT INTO ecommerce_codeuse (code_id, user_id, order_id, state, held_until, created_at, changed_at)
SELECT id, %(user)s, %(order)s, %(state)s, %(until)s, %(now)s, %(now)s
FROM (SELECT id FROM claimed UNION ALL SELECT id FROM unlimited) AS won
RETURNING id
"""

# Only rows that are still held are released, and the counters follow exactly those: two releases can't subtract twice.
RELEASE = """
WITH released AS (
    UPDATE ecommerce_codeuse SET state = 'released', changed_at = %(now)s, held_until = NULL
    WHERE order_id = %(order)s AND state = 'held'
    RETURNING code_id
), counted AS (
    SELECT code_id, count(*) AS n FROM released GROUP BY code_id
), returned AS (
    UPDATE ecommerce_discountcode AS code SET uses = code.uses - counted.n
    FROM counted WHERE code.id = counted.code_id AND code.max_uses IS NOT NULL
    RETURNING code.id
)
SELECT code_id FROM released
"""


def hold_code(*, code: DiscountCode, user_id: int, order_id: int, until: datetime, now: datetime) -> CodeUse:
    """Hold one use for a pending order; the learner's own live use serves again.

    Raises CodeUsed where every use is taken, CodeSwitchedOff where the code is off.
    """
    return _claim(code=code, user_id=user_id, order_id=order_id, state=UseState.HELD, until=until, now=now)


def use_code(*, code: DiscountCode, user_id: int, now: datetime) -> CodeUse:
    """Use a code at once, without an order; a use of the learner's own that is held or confirmed serves again.

    Raises CodeUsed or CodeSwitchedOff.
    """
    return _claim(code=code, user_id=user_id, order_id=None, state=UseState.CONFIRMED, until=None, now=now)


def confirm_uses(*, order_id: int, now: datetime) -> int:
    """Confirm what is held for the order; how many uses that were."""
    return CodeUse.objects.filter(order_id=order_id, state=UseState.HELD).update(
        state=UseState.CONFIRMED, held_until=None, changed_at=now
    )


def release_uses(*, order_id: int, now: datetime) -> list[int]:
    """Give back what is held for the order; the ids of the codes that are free again."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(RELEASE, {"order": order_id, "now": now})
        return [row[0] for row in cursor.fetchall()]


def _claim(
    *,
    code: DiscountCode,
    user_id: int,
    order_id: int | None,
    state: UseState,
    until: datetime | None,
    now: datetime,
) -> CodeUse:
    if (own := own_live_use(code_id=code.pk, user_id=user_id)) is not None:
        return own
    try:
        with transaction.atomic():
            claimed = _claim_row(code_id=code.pk, user_id=user_id, order_id=order_id, state=state, until=until, now=now)
    except IntegrityError:
        # The same learner's other tab claimed it between our look and our claim; its use is theirs as well.
        if (own := own_live_use(code_id=code.pk, user_id=user_id)) is not None:
            return own
        raise
    if claimed is None:
        raise _why_not(code)
    return CodeUse.objects.get(pk=claimed)


def _claim_row(
    *,
    code_id: int,
    user_id: int,
    order_id: int | None,
    state: UseState,
    until: datetime | None,
    now: datetime,
) -> int | None:
    """Take a use with the one conditional write; the new row's id, or None where nothing was left."""
    with connection.cursor() as cursor:
        cursor.execute(
            CLAIM,
            {
                "code": code_id,
                "user": user_id,
                "order": order_id,
                "state": str(state),
                "until": until,
                "now": now,
            },
        )
        row = cursor.fetchone()
    return None if row is None else int(row[0])


def own_live_use(*, code_id: int, user_id: int) -> CodeUse | None:
    """The learner's own held or confirmed use of this code."""
    return CodeUse.objects.live().filter(code_id=code_id, user_id=user_id).first()


def _why_not(code: DiscountCode) -> CodeUsed | CodeSwitchedOff:
    code.refresh_from_db(fields=["active", "uses", "max_uses"])
    return CodeUsed() if code.active else CodeSwitchedOff()

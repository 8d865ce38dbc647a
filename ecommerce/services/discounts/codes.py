"""Uses of codes: held, confirmed, released, retired. Each change is one conditional statement (design 3.7)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from django.db import IntegrityError, transaction

from ecommerce.enums import UseState
from ecommerce.errors.codes import CodeInUse, CodeRefused, CodeSwitchedOff, CodeUsed, CodeUsedByYou
from ecommerce.models import CodeUse, DiscountCode
from mitxonline.kernel.db import fetch_sql, run_sql

# The count and the row move together or not at all: whoever finds the last use taken gets no row. A use belongs to one
# order: the learner's own live use serves again only for its order, and is confirmed where it was only held. Without an
# order (a code's own link) it serves too, and is no order's from then on; so does a confirmed one of an enrollment
# code, because the seat is theirs. An unlimited code has no counter to fight over; those who use it share its row, all
# orders of one learner their one row, and no one can give it a limit and count its uses meanwhile.
CLAIM = """
WITH rule AS (
    SELECT discount.unlocks_id IS NOT NULL AS opens,
        code.max_uses IS NULL AND discount.unlocks_id IS NULL AND discount.redemption_type = 'unlimited' AS is_shared
    FROM ecommerce_discountcode AS code JOIN ecommerce_discount AS discount ON discount.id = code.discount_id
    WHERE code.id = %(code)s
), mine AS (
    SELECT id FROM ecommerce_codeuse
    WHERE code_id = %(code)s AND user_id = %(user)s AND state IN ('held', 'confirmed')
    FOR NO KEY UPDATE
), own AS (
    UPDATE ecommerce_codeuse AS use
    SET state = CASE WHEN %(state)s = 'confirmed' THEN 'confirmed' ELSE state END,
        held_until = CASE WHEN %(state)s = 'confirmed' THEN NULL ELSE held_until END,
        changed_at = CASE WHEN %(state)s = 'confirmed' AND state = 'held' THEN %(now)s ELSE changed_at END,
        order_id = CASE WHEN %(order)s::bigint IS NULL AND state = 'held' THEN NULL ELSE order_id END
    FROM mine, rule
    WHERE use.id = mine.id AND (
        %(order)s::bigint IS NULL OR use.order_id = %(order)s
        OR rule.is_shared OR (rule.opens AND use.state = 'confirmed')
    )
    RETURNING use.id
), claimed AS (
    UPDATE ecommerce_discountcode SET uses = uses + 1
    WHERE id = %(code)s AND active AND uses < max_uses AND NOT EXISTS (SELECT FROM mine)
    RETURNING id
), unlimited AS (
    SELECT id FROM ecommerce_discountcode
    WHERE id = %(code)s AND active AND max_uses IS NULL AND NOT EXISTS (SELECT FROM mine)
    FOR KEY SHARE
), made AS (
    INSERT INTO ecommerce_codeuse (code_id, user_id, order_id, state, held_until, created_at, changed_at)
    SELECT id, %(user)s, %(order)s, %(state)s, %(until)s, %(now)s, %(now)s
    FROM (SELECT id FROM claimed UNION ALL SELECT id FROM unlimited) AS won
    RETURNING id
)
SELECT id FROM own UNION ALL SELECT id FROM made
"""

# Only rows that are still in the state are released, and the counters follow exactly those: two releases can't subtract
# twice. Codes are locked in the order of their keys, as everywhere.
RELEASE = """
WITH released AS (
    UPDATE ecommerce_codeuse SET state = 'released', changed_at = %(now)s, held_until = NULL
    WHERE order_id = %(order)s AND state = %(state)s
        AND (%(codes)s::bigint[] IS NULL OR code_id = ANY(%(codes)s::bigint[]))
    RETURNING code_id
), counted AS (
    SELECT code_id, count(*) AS n FROM released GROUP BY code_id
), locked AS (
    SELECT id FROM ecommerce_discountcode WHERE id IN (SELECT code_id FROM counted)
    ORDER BY id FOR NO KEY UPDATE
), returned AS (
    UPDATE ecommerce_discountcode AS code SET uses = code.uses - counted.n
    FROM counted JOIN locked ON locked.id = counted.code_id
    WHERE code.id = counted.code_id AND code.max_uses IS NOT NULL
    RETURNING code.id
)
SELECT code_id FROM released
"""

# A retired use is counted already. A code has one live use by each person, and an order that was never paid none.
RESTORE = """
UPDATE ecommerce_codeuse SET state = 'confirmed', changed_at = %(now)s
WHERE state = 'retired' AND id IN (
    SELECT max(use.id) FROM ecommerce_codeuse AS use
    JOIN ecommerce_discountcode AS code ON code.id = use.code_id
    JOIN ecommerce_discount AS discount ON discount.id = code.discount_id
    LEFT JOIN ecommerce_order AS bought ON bought.id = use.order_id
    WHERE use.user_id = %(user)s AND discount.unlocks_id = ANY(%(products)s) AND use.state = 'retired'
    AND (bought.id IS NULL OR bought.fulfilled_at IS NOT NULL)
    AND NOT EXISTS (
        SELECT FROM ecommerce_codeuse AS other
        WHERE other.code_id = use.code_id AND other.user_id = use.user_id AND other.state IN ('held', 'confirmed')
    )
    GROUP BY use.code_id
)
"""


def hold_code(*, code: DiscountCode, user_id: int, order_id: int, until: datetime, now: datetime) -> int:
    """Hold one use for a pending order; the id of the use. One that is held for it already serves again.

    Raises CodeUsed where every use is taken, CodeInUse where the learner's own is another order's, CodeSwitchedOff
    where the code is off.
    """
    return _claim(code, user_id=user_id, order_id=order_id, state=UseState.HELD, until=until, now=now)


def use_code(*, code: DiscountCode, user_id: int, order_id: int | None = None, now: datetime) -> int:
    """Use a code at once, for an order whose hold is over or without one; the id of the use.

    Without an order a live use of the learner's own serves again. Raises CodeUsed, CodeInUse or CodeSwitchedOff.
    """
    return _claim(code, user_id=user_id, order_id=order_id, state=UseState.CONFIRMED, until=None, now=now)


def confirm_uses(*, order_id: int, now: datetime) -> int:
    """Confirm what is held for the order; how many uses that were."""
    return CodeUse.objects.filter(order_id=order_id, state=UseState.HELD).update(
        state=UseState.CONFIRMED, held_until=None, changed_at=now
    )


def prolong_uses(*, order_id: int, until: datetime) -> int:
    """Hold longer what is held for the order; how many uses that were."""
    return CodeUse.objects.filter(order_id=order_id, state=UseState.HELD).update(held_until=until)


def release_uses(*, order_id: int, now: datetime) -> list[int]:
    """Give back what is held for the order; the ids of the codes that are free again."""
    return _release(order_id, UseState.HELD, code_ids=None, now=now)


def free_uses(*, order_id: int, code_ids: Collection[int], now: datetime) -> list[int]:
    """Give back confirmed uses of a fulfilled order whose money went back; the ids of the codes that are free again.

    A use that staff took away (retired) stays as it is.
    """
    return _release(order_id, UseState.CONFIRMED, code_ids=sorted(code_ids), now=now)


def _release(order_id: int, state: UseState, *, code_ids: list[int] | None, now: datetime) -> list[int]:
    values = {"order": order_id, "state": str(state), "codes": code_ids, "now": now}
    return [code_id for (code_id,) in fetch_sql(RELEASE, values)]


def retire_uses(*, user_id: int, product_ids: Sequence[int], now: datetime) -> int:
    """Take someone's uses of these products' codes away for good; how many. A retired use stays spent."""
    live = CodeUse.objects.live().filter(user_id=user_id, code__discount__unlocks__in=product_ids)
    ids = list(live.values_list("pk", flat=True))
    # Asked again without the joins, in the statement that changes it: one that was released meanwhile stays so.
    still_live = CodeUse.objects.live().filter(pk__in=ids)
    return still_live.update(state=UseState.RETIRED, held_until=None, changed_at=now)


def restore_uses(*, user_id: int, product_ids: Sequence[int], now: datetime) -> int:
    """Give back what ``retire_uses`` took, one use of each code; how many. What was only held stays taken away."""
    return run_sql(RESTORE, {"user": user_id, "products": list(product_ids), "now": now})


def _claim(
    code: DiscountCode, *, user_id: int, order_id: int | None, state: UseState, until: datetime | None, now: datetime
) -> int:
    values = {"code": code.pk, "user": user_id, "order": order_id, "state": str(state), "until": until, "now": now}
    try:
        with transaction.atomic():
            claimed = claim_row(values)
    except IntegrityError:
        # The same learner's other tab claimed it in the same moment; its use is seen now, whichever order it is for.
        claimed = claim_row(values)
    if claimed is None and _is_free(code):
        # It got its limit, or lost it, between our look and our lock: by the other way it can be had.
        claimed = claim_row(values)
    if claimed is None:
        raise _refusal(code, user_id)
    return claimed


def claim_row(values: Mapping[str, object]) -> int | None:
    """Take a use with the one conditional write; its id, or None where nothing was left."""
    found = fetch_sql(CLAIM, values)
    return int(found[0][0]) if found else None


def _refusal(code: DiscountCode, user_id: int) -> CodeRefused:
    own = CodeUse.objects.live().filter(code=code, user_id=user_id, order__isnull=False).select_related("order").first()
    if own is not None and own.order is not None:
        number = own.order.number
        return CodeInUse(number=number) if own.state == UseState.HELD else CodeUsedByYou(number=number)
    return CodeUsed() if code.active else CodeSwitchedOff()


def _is_free(code: DiscountCode) -> bool:
    """Whether the code, as it is by now, can be used after all."""
    code.refresh_from_db(fields=["active", "uses", "max_uses"])
    return code.active and (code.max_uses is None or code.uses < code.max_uses)

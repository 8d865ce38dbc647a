"""The uses of codes: held, confirmed, released, retired. Each change is one conditional statement."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from django.db import IntegrityError, transaction

from ecommerce.enums import UseState
from ecommerce.errors.codes import CodeInUse, CodeRefused, CodeUsedByYou
from ecommerce.models import CodeUse, DiscountCode
from ecommerce.selectors.codes import CodeVerdict, ask_contract, make_off_refusal, make_used_refusal
from mitxonline.kernel.db import fetch_sql, run_sql

# Claims one use. The counter and the row change together or not at all, so whoever comes after the last use gets none.
#
# A use belongs to one order. The learner's own live use is claimed again only for that order, and is confirmed if it
# was held. Without an order (through a code's link) it is claimed too, and then belongs to no order. So is a confirmed
# use of an enrollment code, because the seat is already the learner's.
#
# An unlimited code has no counter to compete for. Its users share a key lock on its row, so no one can set a limit and
# count its uses at the same time. All orders of a learner share one use of it.
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

# Releases only rows that are still in the given state, and lowers the counters by exactly those, so that two releases
# can't subtract twice. Codes are locked in the order of their keys, as everywhere.
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
-- The database runs a SELECT in WITH only as far as its rows are asked for: joined here, every code is locked.
SELECT released.code_id FROM released JOIN locked ON locked.id = released.code_id
"""

# Counters stay as they are, because a retired use is counted already. At most one use of each code comes back, as a
# person has one live use of a code, and none of an order that was never paid.
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
    """Hold one use for a pending order and return its id. Holding twice returns the same use.

    Raises CodeUsed if no use is left, CodeInUse if the learner's use belongs to another order, and CodeSwitchedOff.
    """
    return _claim(code, user_id=user_id, order_id=order_id, state=UseState.HELD, until=until, now=now)


def use_code(*, code: DiscountCode, user_id: int, order_id: int | None = None, now: datetime) -> int:
    """Confirm one use at once and return its id, for an order whose hold has ended or without an order.

    Without an order the learner's live use is confirmed, if there is one. Raises CodeUsed, CodeInUse, CodeSwitchedOff.
    """
    return _claim(code, user_id=user_id, order_id=order_id, state=UseState.CONFIRMED, until=None, now=now)


def confirm_uses(*, order_id: int, now: datetime) -> int:
    """Confirm the uses held for an order. Return how many."""
    return CodeUse.objects.filter(order_id=order_id, state=UseState.HELD).update(
        state=UseState.CONFIRMED, held_until=None, changed_at=now
    )


def prolong_uses(*, order_id: int, until: datetime) -> int:
    """Extend the hold of the uses held for an order. Return how many."""
    return CodeUse.objects.filter(order_id=order_id, state=UseState.HELD).update(held_until=until)


def release_uses(*, order_id: int, now: datetime) -> list[int]:
    """Release the uses held for an order. Return the ids of their codes."""
    return _release(order_id, UseState.HELD, code_ids=None, now=now)


def free_uses(*, order_id: int, code_ids: Collection[int], now: datetime) -> list[int]:
    """Release confirmed uses of an order that was refunded. Return the ids of their codes.

    Retired uses, which staff took away, stay as they are.
    """
    return _release(order_id, UseState.CONFIRMED, code_ids=sorted(code_ids), now=now)


def _release(order_id: int, state: UseState, *, code_ids: list[int] | None, now: datetime) -> list[int]:
    values = {"order": order_id, "state": str(state), "codes": code_ids, "now": now}
    return [code_id for (code_id,) in fetch_sql(RELEASE, values)]


def retire_uses(*, user_id: int, product_ids: Sequence[int], now: datetime) -> int:
    """Retire someone's uses of the codes of these products. Return how many. A retired use still counts."""
    live = CodeUse.objects.live().filter(user_id=user_id, code__discount__unlocks__in=product_ids)
    ids = list(live.values_list("pk", flat=True))
    # The update checks the state again, so a use that was released since the look-up stays released.
    still_live = CodeUse.objects.live().filter(pk__in=ids)
    return still_live.update(state=UseState.RETIRED, held_until=None, changed_at=now)


def restore_uses(*, user_id: int, product_ids: Sequence[int], now: datetime) -> int:
    """Undo `retire_uses` for one use of each code. Return how many. Uses that were only held stay retired."""
    return run_sql(RESTORE, {"user": user_id, "products": list(product_ids), "now": now})


def _claim(
    code: DiscountCode, *, user_id: int, order_id: int | None, state: UseState, until: datetime | None, now: datetime
) -> int:
    values = {"code": code.pk, "user": user_id, "order": order_id, "state": str(state), "until": until, "now": now}
    try:
        with transaction.atomic():
            claimed = claim_row(values)
    except IntegrityError:
        # Another tab of the learner claimed it at the same time. Its use is visible now, whichever order it is for.
        claimed = claim_row(values)
    if claimed is None and _is_free(code):
        # Its limit was set or removed between our look-up and our lock. The other branch of the statement applies now.
        claimed = claim_row(values)
    if claimed is None:
        raise _make_refusal(code, user_id, now=now)
    return claimed


def claim_row(values: Mapping[str, object]) -> int | None:
    """Claim a use with the conditional statement. Return its id, or None if no use was left."""
    found = fetch_sql(CLAIM, values)
    return int(found[0][0]) if found else None


def _make_refusal(code: DiscountCode, user_id: int, *, now: datetime) -> CodeRefused:
    """Return what anyone who comes a moment later is told too."""
    own = CodeUse.objects.live().filter(code=code, user_id=user_id, order__isnull=False).select_related("order").first()
    if own is not None and own.order is not None:
        number = own.order.number
        return CodeInUse(number=number) if own.state == UseState.HELD else CodeUsedByYou(number=number)
    refusal = make_used_refusal(code) if code.active else make_off_refusal(code)
    return ask_contract(CodeVerdict(code, refusal), user_id=user_id, now=now).refusal or refusal


def _is_free(code: DiscountCode) -> bool:
    code.refresh_from_db(fields=["active", "uses", "max_uses"])
    return code.active and (code.max_uses is None or code.uses < code.max_uses)

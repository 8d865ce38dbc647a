"""Create, count and change the codes of many discounts in bulk.

No row is read into Python. Every statement changes at most `BATCH` codes, so the caller's lock is held only briefly at
a time, and returns how many it changed for each discount. The statement that changes codes also chooses them. b2b
decides how many codes of which kind; only ecommerce writes their tables.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from django.db.models import F, QuerySet

from ecommerce.enums import DiscountType, PaymentType, RedemptionType
from ecommerce.models import Basket, BasketCode, Discount, DiscountCode
from mitxonline.kernel.db import fetch_sql, run_sql
from mitxonline.kernel.money import Money

BATCH = 10_000

# Numbers of codes by discount id.
Counts: TypeAlias = "dict[int, int]"

# A use counts against its code unless it was released. “R” are the codes that are redeemed or held: those with a held
# or confirmed use, or an assigned address.
_UNUSED = """NOT EXISTS (
    SELECT FROM ecommerce_codeuse AS use WHERE use.code_id = code.id AND use.state IN ('held', 'confirmed', 'retired')
)"""
_NOT_IN_R = """code.assigned_email = '' AND NOT EXISTS (
    SELECT FROM ecommerce_codeuse AS use WHERE use.code_id = code.id AND use.state IN ('held', 'confirmed')
)"""
_NAMED = """(
    EXISTS (SELECT FROM ecommerce_codeuse AS use WHERE use.code_id = code.id)
    OR EXISTS (SELECT FROM ecommerce_orderline AS line WHERE line.code_id = code.id)
)"""

SPARE = f"NOT code.active AND code.assigned_email = '' AND {_UNUSED}"
# `uses = 0` repeats `_UNUSED` for limited codes, so that the index `code_free` can be used.
IDLE = f"code.active AND code.uses = 0 AND code.assigned_email = '' AND {_UNUSED}"
UNWANTED = f"code.assigned_email = '' AND NOT {_NAMED}"
PAST = f"code.active AND {_NOT_IN_R} AND {_NAMED}"
UNREDEEMED = """code.active AND NOT EXISTS (
    SELECT FROM ecommerce_codeuse AS use WHERE use.code_id = code.id AND use.state = 'confirmed'
)"""
LIMITED = "code.active AND code.max_uses IS NOT NULL"
LOOSE = "code.active AND (code.max_uses IS NULL OR (code.max_uses > 1 AND code.max_uses > greatest(1, code.uses)))"
# The counter of a limited code agrees with its uses unless someone wrote to the tables by hand.
MISCOUNTED = """code.max_uses IS NOT NULL AND code.uses <> (
    SELECT count(*) FROM ecommerce_codeuse AS use
    WHERE use.code_id = code.id AND use.state IN ('held', 'confirmed', 'retired')
)"""


@dataclass(frozen=True, slots=True)
class Change:
    """A kind of change: which codes it may choose, from which end, and what it does to them."""

    which: str
    statement: str
    also: str = ""
    newest_first: bool = False

    @property
    def sql(self) -> str:
        """The statement that chooses up to `counts` codes of each discount beyond `after` and changes them."""
        # The codes are chosen and locked once and then found by id. With the condition in a join, a server with old
        # statistics might scan all matching codes for each one of them.
        beyond, direction, edge = ("<", "DESC", "min") if self.newest_first else (">", "ASC", "max")
        return f"""
        WITH wanted AS (
            SELECT * FROM unnest(%(discounts)s::bigint[], %(counts)s::bigint[], %(after)s::bigint[])
                AS wanted (discount_id, n, after)
        ), picked AS MATERIALIZED (
            SELECT one.id FROM wanted CROSS JOIN LATERAL (
                SELECT code.id FROM ecommerce_discountcode AS code
                WHERE code.discount_id = wanted.discount_id AND code.id {beyond} wanted.after AND {self.which}
                ORDER BY code.id {direction} LIMIT wanted.n
                FOR NO KEY UPDATE OF code
            ) AS one
        ), {self.also} changed AS (
            {self.statement} RETURNING code.id, code.discount_id
        )
        SELECT discount_id, count(*), {edge}(id) FROM changed GROUP BY discount_id
        """  # noqa: S608  put together from the constants of this module


SWITCH_ON = Change(
    which=SPARE,
    statement="""
        UPDATE ecommerce_discountcode AS code SET active = true, uses = 0, max_uses = %(max_uses)s
        FROM picked WHERE code.id = picked.id
    """,
)
SWITCH_OFF = Change(
    which=IDLE,
    statement="""
        UPDATE ecommerce_discountcode AS code SET active = false FROM picked WHERE code.id = picked.id
    """,
    newest_first=True,
)
UNLIMIT = Change(
    which=LIMITED,
    statement="UPDATE ecommerce_discountcode AS code SET max_uses = NULL FROM picked WHERE code.id = picked.id",
)
# An unlimited code has no counter, so the rows of its uses are counted: one that was used k times gets the limit k. The
# rows are locked so that none is released meanwhile. Locked rows are skipped instead of waited for, because their
# owner may be waiting for the lock on the terms, which we hold. A code with a skipped use stays as it is until the next
# run.
_COUNT_ROWS = """locked AS (
            SELECT use.code_id FROM ecommerce_codeuse AS use JOIN picked ON picked.id = use.code_id
            WHERE use.state IN ('held', 'confirmed', 'retired') FOR SHARE OF use SKIP LOCKED
        ), used AS (
            SELECT picked.id, count(use.id) AS n FROM picked
            LEFT JOIN ecommerce_codeuse AS use
                ON use.code_id = picked.id AND use.state IN ('held', 'confirmed', 'retired')
            GROUP BY picked.id
            HAVING count(use.id) = (SELECT count(*) FROM locked WHERE locked.code_id = picked.id)
        ),"""
LIMIT = Change(
    which=LOOSE,
    also=_COUNT_ROWS,
    statement="""
        UPDATE ecommerce_discountcode AS code SET uses = used.n, max_uses = greatest(1, used.n)
        FROM used WHERE code.id = used.id
    """,
)
RECOUNT = Change(
    which=MISCOUNTED,
    also=_COUNT_ROWS,
    statement="""
        UPDATE ecommerce_discountcode AS code SET uses = used.n, max_uses = greatest(code.max_uses, used.n)
        FROM used WHERE code.id = used.id
    """,
)
# A deleted code leaves the carts it was applied to.
DELETE = Change(
    which=UNWANTED,
    also="""emptied AS (
            DELETE FROM ecommerce_basketcode AS applied USING picked WHERE applied.code_id = picked.id
        ),""",
    statement="DELETE FROM ecommerce_discountcode AS code USING picked WHERE code.id = picked.id",
)
RETIRE = Change(
    which=PAST,
    statement="UPDATE ecommerce_discountcode AS code SET active = false FROM picked WHERE code.id = picked.id",
)
WITHDRAW = Change(
    which=UNREDEEMED,
    statement="UPDATE ecommerce_discountcode AS code SET active = false FROM picked WHERE code.id = picked.id",
)

MAKE = """
    INSERT INTO ecommerce_discountcode
        (discount_id, text, max_uses, uses, active, assigned_email, assigned_name, created_at)
    SELECT wanted.discount_id, gen_random_uuid()::text, %(max_uses)s, 0, true, '', '', %(now)s
    FROM unnest(%(discounts)s::bigint[], %(counts)s::bigint[]) AS wanted (discount_id, n)
    CROSS JOIN generate_series(1, wanted.n)
"""

# A subquery for each number, each answered from an index: on a million codes this is several times as fast as one pass
# over the rows.
COUNTED = """
    SELECT discount_id,
        (SELECT count(*) FROM ecommerce_discountcode AS code
            WHERE code.discount_id = asked.discount_id AND code.active),
        (SELECT count(*) FROM ecommerce_discountcode AS code
            WHERE code.discount_id = asked.discount_id AND NOT code.active),
        (SELECT count(*) FROM ecommerce_discountcode AS code
            WHERE code.discount_id = asked.discount_id AND code.active AND code.max_uses IS NULL),
        (SELECT count(*) FROM ecommerce_discountcode AS code
            WHERE code.discount_id = asked.discount_id AND code.active
                AND code.max_uses > 1 AND code.max_uses > greatest(1, code.uses)),
        (SELECT min(code.id) FROM ecommerce_discountcode AS code WHERE code.discount_id = asked.discount_id),
        (SELECT max(code.id) FROM ecommerce_discountcode AS code WHERE code.discount_id = asked.discount_id)
    FROM unnest(%(discounts)s::bigint[]) AS asked (discount_id)
"""

ASSIGN = """
UPDATE ecommerce_discountcode AS code
SET assigned_email = given.email, assigned_name = given.name, assigned_at = %(now)s, assigned_by_id = %(by)s,
    text = CASE WHEN code.id = ANY(%(renew)s::bigint[]) THEN gen_random_uuid()::text ELSE code.text END
FROM unnest(%(codes)s::bigint[], %(emails)s::text[], %(names)s::text[]) AS given (code_id, email, name)
WHERE code.id = given.code_id AND code.active AND code.uses = 0 AND code.assigned_email = ''
"""
# The counter of a limited code is checked too: after waiting for a row, the counter is fresh and the subquery isn't.
UNASSIGN = """
UPDATE ecommerce_discountcode AS code
SET text = coalesce(fresh.text, gen_random_uuid()::text),
    assigned_email = '', assigned_name = '', assigned_at = NULL, assigned_by_id = NULL
FROM unnest(%(codes)s::bigint[], %(texts)s::text[]) AS fresh (code_id, text)
WHERE code.id = fresh.code_id AND code.assigned_email <> '' AND (code.max_uses IS NULL OR code.uses = 0)
AND NOT EXISTS (
    SELECT FROM ecommerce_codeuse AS use WHERE use.code_id = code.id AND use.state IN ('held', 'confirmed', 'retired')
)
RETURNING code.id
"""

# Opens a short transaction that holds the lock on the terms. Entering it may raise to stop the run.
Step: TypeAlias = "Callable[[], AbstractContextManager[object]]"
Progress: TypeAlias = "Callable[[int], None]"


@dataclass(frozen=True, slots=True)
class Assignment:
    """A code and the person it is assigned to."""

    code_id: int
    email: str
    name: str


def make_codes(wants: Counts, *, max_uses: int | None, now: datetime, step: Step, progress: Progress) -> int:
    """Create codes for each discount. Return how many."""
    made = 0
    for portion in _portions(wants):
        with step():
            done = run_sql(
                MAKE,
                {
                    "discounts": list(portion),
                    "counts": list(portion.values()),
                    "max_uses": max_uses,
                    "now": now,
                },
            )
        made += done
        progress(done)
    return made


def change_codes(change: Change, wants: Counts, *, max_uses: int | None = None, step: Step, progress: Progress) -> int:
    """Change up to the given number of codes of each discount. Return how many were changed."""
    open_end = 2**63 - 1 if change.newest_first else 0
    after = dict.fromkeys(wants, open_end)
    left, changed = dict(wants), 0
    while left:
        portion = next(_portions(left))
        params = {
            "discounts": list(portion),
            "counts": list(portion.values()),
            "after": [after[pk] for pk in portion],
            "max_uses": max_uses,
        }
        with step():
            done = {pk: (count, edge) for pk, count, edge in fetch_sql(change.sql, params)}
        for pk, asked in portion.items():
            count, edge = done.get(pk, (0, open_end))
            after[pk] = edge
            left[pk] -= count
            if count < asked or not left[pk]:
                del left[pk]
            changed += count
        progress(sum(count for count, _edge in done.values()))
    return changed


def _portions(wants: Mapping[int, int]) -> Iterator[Counts]:
    portion: Counts = {}
    room = BATCH
    for pk, wanted in wants.items():
        rest = wanted
        while rest:
            portion[pk] = min(rest, room)
            rest -= portion[pk]
            room -= portion[pk]
            if not room:
                yield portion
                portion, room = {}, BATCH
    if portion:
        yield portion


def count_miscounted(discount_ids: Sequence[int]) -> Counts:
    """Count the codes of each discount whose counter is wrong. Reads every code and every use."""
    return count_matching(MISCOUNTED, discount_ids)


def count_matching(which: str, discount_ids: Sequence[int]) -> Counts:
    """Count the codes of each discount that meet a condition of this module."""
    if not discount_ids:
        return {}
    sql = f"""
        SELECT code.discount_id, count(*) FROM ecommerce_discountcode AS code
        WHERE code.discount_id = ANY(%(discounts)s) AND {which} GROUP BY code.discount_id
    """  # noqa: S608  put together from the constants of this module
    return dict(fetch_sql(sql, {"discounts": list(discount_ids)}))


def create_discounts(discounts: Iterable[Discount]) -> list[Discount]:
    """Create discounts in one statement."""
    return Discount.objects.bulk_create(discounts)


def set_discount_prices(
    discount_ids: Sequence[int],
    *,
    price: Money,
    payment_type: PaymentType,
    redemption_type: RedemptionType | None = None,
    now: datetime,
) -> None:
    """Make these discounts sell their product at this price to anyone with a code, at any time.

    Without a `redemption_type` they keep theirs.
    """
    Discount.objects.filter(pk__in=discount_ids).update(
        amount=price.amount,
        currency=price.currency,
        discount_type=DiscountType.FIXED_PRICE,
        is_bulk=True,
        is_active=True,
        for_chosen_people=False,
        activates_at=None,
        expires_at=None,
        payment_type=payment_type,
        redemption_type=redemption_type or F("redemption_type"),
        updated_at=now,
    )


def assign_codes(
    assignments: Sequence[Assignment], *, renew_text_of: Collection[int] = (), by_id: int | None, now: datetime
) -> int:
    """Assign codes to people, skipping codes that aren't free. Return how many were assigned.

    The codes in `renew_text_of`, whose texts are known to others, get new texts in the same statement.
    """
    return run_sql(
        ASSIGN,
        {
            "codes": [each.code_id for each in assignments],
            "emails": [each.email for each in assignments],
            "names": [each.name for each in assignments],
            "renew": sorted(renew_text_of),
            "by": by_id,
            "now": now,
        },
    )


def unassign_codes(code_ids: Sequence[int], *, texts: Sequence[str] = ()) -> list[int]:
    """Free the unused ones of these assigned codes. Return their ids.

    Each gets a new text, its own of `texts` or a long one, so the old link no longer works. They are also removed from
    baskets, which refer to the code and not to its text.
    """
    ids = sorted(pk for (pk,) in fetch_sql(UNASSIGN, {"codes": list(code_ids), "texts": list(texts)}))
    remove_from_baskets(ids)
    return ids


def switch_on(code_ids: Sequence[int]) -> None:
    """Switch codes on."""
    DiscountCode.objects.filter(pk__in=code_ids).update(active=True)


def switch_off(codes: QuerySet[DiscountCode]) -> int:
    """Switch these codes off; how many."""
    return codes.update(active=False)


def replace_code(old: DiscountCode) -> DiscountCode:
    """Replace the text of an unlimited code. If the code was used, it is switched off and a new one takes its place."""
    if old.code_uses.exists() or old.order_lines.exists():
        DiscountCode.objects.filter(pk=old.pk).update(active=False)
        new = DiscountCode.objects.create(discount=old.discount, text=_new_text(), max_uses=None)
    else:
        old.text = _new_text()
        old.save(update_fields=["text"])
        new = old
    return new


def remove_from_baskets(code_ids: Sequence[int]) -> None:
    """Remove codes from every basket."""
    BasketCode.objects.filter(code__in=code_ids).delete()


def apply_to_basket(codes: QuerySet[DiscountCode], *, basket: Basket, now: datetime) -> None:
    """Apply codes to a basket. Codes that are already applied stay."""
    BasketCode.objects.bulk_create(
        [BasketCode(basket=basket, code=code, applied_at=now) for code in codes], ignore_conflicts=True
    )


def _new_text() -> str:
    return str(fetch_sql("SELECT gen_random_uuid()::text")[0][0])

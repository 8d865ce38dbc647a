"""The codes of contract products, counted and changed set by set.

No row is brought into Python. Every change takes at most ``BATCH`` codes in one statement, so that the terms' lock,
which learners wait for, is held for a moment at a time, and says for each product how many it changed. Where codes are
chosen, the choice is made by the statement that changes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from b2b.models import ContractTerms
from b2b.services.products.targets import Stock
from mitxonline.kernel.db import fetch_sql, run_sql

BATCH = 10_000

# How many codes of which discount.
Counts: TypeAlias = "dict[int, int]"

# A use counts against its code unless it was released. Redeemed or held (design 5.2's R, with an assigned address):
# held, or confirmed and not retired.
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
# A limited code that was used says so itself, which is what the index of free codes is about.
IDLE = f"code.active AND code.uses = 0 AND code.assigned_email = '' AND {_UNUSED}"
UNWANTED = f"code.assigned_email = '' AND NOT {_NAMED}"
PAST = f"code.active AND {_NOT_IN_R} AND {_NAMED}"
UNREDEEMED = """code.active AND NOT EXISTS (
    SELECT FROM ecommerce_codeuse AS use WHERE use.code_id = code.id AND use.state = 'confirmed'
)"""
LIMITED = "code.active AND code.max_uses IS NOT NULL"
LOOSE = "code.active AND (code.max_uses IS NULL OR (code.max_uses > 1 AND code.max_uses > greatest(1, code.uses)))"
# Of a limited code the counter and its uses say the same, unless someone wrote past the services.
MISCOUNTED = """code.max_uses IS NOT NULL AND code.uses <> (
    SELECT count(*) FROM ecommerce_codeuse AS use
    WHERE use.code_id = code.id AND use.state IN ('held', 'confirmed', 'retired')
)"""


@dataclass(frozen=True, slots=True)
class Change:
    """One way of changing codes: which ones may be taken, from which end, and what happens to them."""

    which: str
    statement: str
    also: str = ""
    newest_first: bool = False

    @property
    def sql(self) -> str:
        """The statement that picks up to so many codes of each discount, beyond the last ones, and changes them.

        Picked once and locked, then found by their numbers: joined with what they are like, the server might look
        through all such codes for each one of them while its statistics are old.
        """
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
# An unlimited code counts no uses: its rows are counted here, and a code that was used k times is spent with k. No one
# may give one of them back meanwhile, so they are locked; but not waited for, because who has one may come for the
# terms' lock, which we hold. A code whose uses can't all be had stays as it is, and the next round finds it.
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

# One count for each question, each from an index that holds the answer: on a million codes that is several times as
# fast as one pass over the rows.
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

# Active codes whose every use is that of someone who holds no seat any more. There are few of those, and many uses: so
# who holds none is looked for among the uses first, then their codes. The uses of many codes are read as one stretch,
# from the lowest to the highest number; those of few codes one code after the other.
_WITHOUT_SEAT = """use.state IN ('held', 'confirmed') AND NOT EXISTS (
    SELECT FROM b2b_contractmembership AS seat WHERE seat.contract_id = %(contract)s AND seat.user_id = use.user_id
)"""
_TAIL = """
    SELECT code.discount_id, count(DISTINCT code.id) FROM gone
    JOIN ecommerce_discountcode AS code ON code.id = gone.code_id
    WHERE code.active AND code.discount_id = ANY(%(discounts)s::bigint[]) AND NOT EXISTS (
        SELECT FROM ecommerce_codeuse AS use WHERE use.code_id = code.id AND (use.state = 'held' OR (
            use.state = 'confirmed' AND EXISTS (
                SELECT FROM b2b_contractmembership AS seat
                WHERE seat.contract_id = %(contract)s AND seat.user_id = use.user_id
            )
        ))
    )
    GROUP BY code.discount_id
"""
LEFT_BEHIND_OF_MANY = f"""
    WITH gone AS (
        SELECT use.code_id FROM ecommerce_codeuse AS use
        WHERE use.code_id BETWEEN %(first)s AND %(last)s AND {_WITHOUT_SEAT}
        UNION ALL
        SELECT use.code_id FROM ecommerce_codeuse AS use
        WHERE use.code_id BETWEEN %(first)s AND %(last)s AND use.state = 'retired'
    ) {_TAIL}
"""  # noqa: S608  put together from the constants of this module
LEFT_BEHIND_OF_FEW = f"""
    WITH gone AS (
        SELECT use.code_id FROM ecommerce_discountcode AS code JOIN ecommerce_codeuse AS use ON use.code_id = code.id
        WHERE code.active AND code.discount_id = ANY(%(discounts)s::bigint[])
            AND (use.state = 'retired' OR ({_WITHOUT_SEAT}))
    ) {_TAIL}
"""  # noqa: S608  put together from the constants of this module
FEW = 20_000

# A short transaction that holds the terms' lock; entering it may refuse to go on.
Step: TypeAlias = "Callable[[], AbstractContextManager[object]]"
Progress: TypeAlias = "Callable[[int], None]"


def count_stock(*, terms: ContractTerms, discount_ids: Sequence[int]) -> dict[int, Stock]:
    """The stock of each discount, as far as these terms ask after it."""
    if not discount_ids:
        return {}
    stocks = _count_from_indexes(terms, discount_ids)
    if not terms.active:
        return stocks
    if not terms.needs_codes:
        return _add_leftovers(terms, stocks)
    if terms.max_learners is None:
        lacking = [pk for pk, stock in stocks.items() if stock.total and not stock.active]
        return _replace_counts(stocks, spare=_matching(SPARE, lacking))
    cap = terms.max_learners
    lacking = [pk for pk, stock in stocks.items() if stock.counting < cap and stock.active < stock.total]
    crowded = [pk for pk, stock in stocks.items() if stock.counting > cap]
    return _replace_counts(_replace_counts(stocks, spare=_matching(SPARE, lacking)), idle=_matching(IDLE, crowded))


def count_removed(discount_ids: Sequence[int]) -> dict[int, Stock]:
    """The stock of runs that were removed, as far as it has to be switched off."""
    unredeemed = _matching(UNREDEEMED, discount_ids)
    return {pk: Stock(unredeemed=unredeemed.get(pk, 0)) for pk in discount_ids}


def make_codes(wants: Counts, *, max_uses: int | None, now: datetime, step: Step, progress: Progress) -> int:
    """Make so many codes under each discount; how many were made."""
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
    """Change up to so many codes of each discount; how many were changed."""
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
    """The wants in portions of at most BATCH codes, one discount after the other."""
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
    """How many codes of each discount say another number of uses than they have; reads every code and every use."""
    return _matching(MISCOUNTED, discount_ids)


def _count_from_indexes(terms: ContractTerms, discount_ids: Sequence[int]) -> dict[int, Stock]:
    """What the indexes tell, and which of the used codes no longer serve a seat."""
    stocks = dict.fromkeys(discount_ids, Stock())
    rows = fetch_sql(COUNTED, {"discounts": list(discount_ids)})
    left_behind = _count_left_behind(terms, rows)
    for pk, active, off, unlimited, too_often, _first, _last in rows:
        stocks[pk] = Stock(
            total=active + off,
            active=active,
            counting=active - left_behind.get(pk, 0),
            limited=active - unlimited,
            loose=unlimited + too_often,
        )
    return stocks


def _count_left_behind(terms: ContractTerms, rows: Sequence[tuple[int, ...]]) -> Counts:
    """Of each discount: active codes that were redeemed by people without a seat. Only a cap asks after them."""
    counted = [row for row in rows if row[1]]
    if terms.max_learners is None or not counted:
        return {}
    few = sum(row[1] for row in counted) <= FEW
    params = {
        "contract": terms.pk,
        "discounts": [row[0] for row in counted],
        "first": min(row[5] for row in counted),
        "last": max(row[6] for row in counted),
    }
    return dict(fetch_sql(LEFT_BEHIND_OF_FEW if few else LEFT_BEHIND_OF_MANY, params))


def _add_leftovers(terms: ContractTerms, stocks: dict[int, Stock]) -> dict[int, Stock]:
    """Only without a cap does anyone ask which codes no one uses."""
    if terms.max_learners is not None:
        return stocks
    there = [pk for pk, stock in stocks.items() if stock.total]
    active = [pk for pk in there if stocks[pk].active]
    return _replace_counts(_replace_counts(stocks, unwanted=_matching(UNWANTED, there)), past=_matching(PAST, active))


def _replace_counts(stocks: Mapping[int, Stock], **counts: Counts) -> dict[int, Stock]:
    ((name, numbers),) = counts.items()
    return {pk: replace(stock, **{name: numbers.get(pk, 0)}) for pk, stock in stocks.items()}


def _matching(which: str, discount_ids: Sequence[int]) -> Counts:
    """How many codes of each discount are such; asks nothing where there is none to ask after."""
    if not discount_ids:
        return {}
    sql = f"""
        SELECT code.discount_id, count(*) FROM ecommerce_discountcode AS code
        WHERE code.discount_id = ANY(%(discounts)s) AND {which} GROUP BY code.discount_id
    """  # noqa: S608  put together from the constants of this module
    return dict(fetch_sql(sql, {"discounts": list(discount_ids)}))

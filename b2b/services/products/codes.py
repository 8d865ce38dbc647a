"""Count the codes of a contract's products, as far as its terms need the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from b2b.models import ContractTerms
from b2b.services.products.targets import Stock
from ecommerce.services.discounts.batches import (
    COUNTED,
    IDLE,
    PAST,
    SPARE,
    UNREDEEMED,
    UNWANTED,
    Counts,
    count_matching,
)
from mitxonline.kernel.db import fetch_sql

# Active codes all of whose users have no seat any more. There are few of them among many uses, so the query first finds
# uses without a seat, then their codes. It reads the uses of many codes as one range of code ids, and those of few
# codes code by code.
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


def count_stock(*, terms: ContractTerms, discount_ids: Sequence[int]) -> dict[int, Stock]:
    """Count the codes of each discount, leaving out numbers these terms don't need."""
    if not discount_ids:
        return {}
    stocks = _count_from_indexes(terms, discount_ids)
    if not terms.active:
        return stocks
    if not terms.needs_codes:
        return _add_leftovers(terms, stocks)
    if terms.max_learners is None:
        lacking = [pk for pk, stock in stocks.items() if stock.total and not stock.active]
        return _replace_counts(stocks, spare=count_matching(SPARE, lacking))
    cap = terms.max_learners
    lacking = [pk for pk, stock in stocks.items() if stock.counting < cap and stock.active < stock.total]
    crowded = [pk for pk, stock in stocks.items() if stock.counting > cap]
    return _replace_counts(
        _replace_counts(stocks, spare=count_matching(SPARE, lacking)), idle=count_matching(IDLE, crowded)
    )


def count_removed(discount_ids: Sequence[int]) -> dict[int, Stock]:
    """Count the codes of removed runs that have to be switched off."""
    unredeemed = count_matching(UNREDEEMED, discount_ids)
    return {pk: Stock(unredeemed=unredeemed.get(pk, 0)) for pk in discount_ids}


def _count_from_indexes(terms: ContractTerms, discount_ids: Sequence[int]) -> dict[int, Stock]:
    """Count from indexes alone, and find the used codes that no longer serve a seat."""
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
    """Count by discount the active codes of people without a seat. Only a contract with a cap needs this."""
    counted = [row for row in rows if row[1]]
    if terms.max_learners is None or not counted:
        return {}
    are_few = sum(row[1] for row in counted) <= FEW
    params = {
        "contract": terms.pk,
        "discounts": [row[0] for row in counted],
        "first": min(row[5] for row in counted),
        "last": max(row[6] for row in counted),
    }
    return dict(fetch_sql(LEFT_BEHIND_OF_FEW if are_few else LEFT_BEHIND_OF_MANY, params))


def _add_leftovers(terms: ContractTerms, stocks: dict[int, Stock]) -> dict[int, Stock]:
    """Add the codes that no one uses. With a cap they all stay, so they aren't counted."""
    if terms.max_learners is not None:
        return stocks
    existing = [pk for pk, stock in stocks.items() if stock.total]
    active = [pk for pk in existing if stocks[pk].active]
    return _replace_counts(
        _replace_counts(stocks, unwanted=count_matching(UNWANTED, existing)), past=count_matching(PAST, active)
    )


def _replace_counts(stocks: Mapping[int, Stock], **counts: Counts) -> dict[int, Stock]:
    ((name, numbers),) = counts.items()
    return {pk: replace(stock, **{name: numbers.get(pk, 0)}) for pk, stock in stocks.items()}

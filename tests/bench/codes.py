"""Codes: making them, finding nothing to do, changing the price, exporting (the budgets of docs/contracts.md)."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from decimal import Decimal
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from django.db import connection, transaction

from b2b.models import ContractPage
from b2b.selectors.export import write_codes
from ecommerce.enums import DiscountType, PaymentType
from ecommerce.models import Discount, DiscountCode
from mitxonline.kernel.db import fetch_sql, run_sql
from tests.b2b.worlds import NOW, change, contract, course, discounts_of, program, settle
from tests.bench.harness import Cost, Result, bench, best_of, measured

TRIES = 5
MILLION_RUNS, MILLION_CAP = 20, 50_000

RAW_INSERT = """
    INSERT INTO ecommerce_discountcode
        (discount_id, text, max_uses, uses, active, assigned_email, assigned_name, created_at)
    SELECT discount.id, gen_random_uuid()::text, 1, 0, true, '', '', %s
    FROM unnest(%s::bigint[]) AS discount (id) CROSS JOIN generate_series(1, %s)
"""
COUNT = "SELECT count(*) FROM ecommerce_discountcode WHERE discount_id = ANY(%s)"

_names = count(1)
_million: list[ContractPage] = []


def unsettled(*, runs: int, cap: int) -> ContractPage:
    """A contract whose runs and codes are still to be made."""
    courses = program(*[course() for _ in range(runs)])
    return contract(courses, cap=cap, name=f"Bench {next(_names)}", settled=False)


def raw_insert(*, discounts: int, codes: int) -> Cost:
    """The same rows by one statement, in one transaction; they are taken away again."""
    made = Discount.objects.bulk_create(
        Discount(discount_type=DiscountType.FIXED_PRICE, amount=0, currency="USD", payment_type=PaymentType.SALES)
        for _ in range(discounts)
    )
    ids = [one.pk for one in made]
    with measured(counting=False) as cost, transaction.atomic():
        run_sql(RAW_INSERT, [NOW, ids, codes])
    DiscountCode.objects.filter(discount_id__in=ids)._raw_delete("default")
    return cost


def raw_count(discount_ids: Sequence[int]) -> Cost:
    with measured(counting=False) as cost:
        fetch_sql(COUNT, [list(discount_ids)])
    return cost


@bench("4,000 codes for a new contract (20 runs × 200)")
def new_contract() -> Result:
    costs, floors = [], []
    for number in range(TRIES):
        page = unsettled(runs=20, cap=200)
        with measured(counting=number == 0) as cost:
            settle(page)
        costs.append(cost)
        floors.append(raw_insert(discounts=20, codes=200))
    return Result(
        cost=best_of(costs),
        floor=best_of(floors),
        floor_name="raw INSERT … SELECT",
        ratio_budget=3,
        query_budget=60,
        note="runs, products, discounts and codes",
    )


@bench("the same again, nothing to do")
def again() -> Result:
    page = unsettled(runs=20, cap=200)
    settle(page)
    ids = [discount.pk for discount in discounts_of(page)]
    costs = []
    for number in range(TRIES):
        with measured(counting=number == 0) as cost:
            settle(page)
        costs.append(cost)
    return Result(
        cost=best_of(costs),
        floor=best_of([raw_count(ids) for _ in range(TRIES)]),
        floor_name="count(*)",
        query_budget=25,
        row_budget=0,
    )


@bench("price change with 6,000 codes (30 runs × 200)")
def price_change() -> Result:
    page = unsettled(runs=30, cap=200)
    settle(page)
    ids = [discount.pk for discount in discounts_of(page)]
    costs, floors = [], []
    for number in range(TRIES):
        change(page, enrollment_fixed_price=Decimal(10 + number), settled=False)
        with measured(counting=number == 0) as cost:
            settle(page)
        costs.append(cost)
        with measured(counting=False) as floor:
            run_sql("UPDATE ecommerce_discountcode SET assigned_name = '' WHERE discount_id = ANY(%s)", [ids])
        floors.append(floor)
    return Result(
        cost=best_of(costs),
        floor=best_of(floors),
        floor_name="touching every code",
        ratio_budget=1,
        row_budget=3 * 30 + 10,
        note="writes per product: record, price, discount",
    )


@bench("cap lowered by 90,000 codes and raised again", slow=True)
def cap_down_and_up() -> Result:
    page = unsettled(runs=20, cap=5_000)
    settle(page)
    change(page, max_learners=500, settled=False)
    with measured() as down:
        settle(page)
    change(page, max_learners=5_000, settled=False)
    with measured() as cost:
        settle(page)
    ids = [discount.pk for discount in discounts_of(page)]
    with measured(counting=False) as floor:
        run_sql("UPDATE ecommerce_discountcode SET active = true WHERE discount_id = ANY(%s)", [ids])
    note = f"lowering took {down.seconds:.1f} s"
    return Result(cost=cost, floor=floor, floor_name="one UPDATE", memory_budget=150, note=note)


@bench("1,000,000 codes for a new contract (20 runs × 50,000)", slow=True)
def a_million() -> Result:
    page = unsettled(runs=MILLION_RUNS, cap=MILLION_CAP)
    with measured() as cost:
        settle(page)
    _million.append(page)
    floor = raw_insert(discounts=MILLION_RUNS, codes=MILLION_CAP // 10)
    floor.seconds *= 10
    return Result(
        cost=cost,
        floor=floor,
        floor_name="10 × raw, 100,000 rows",
        ratio_budget=3,
        memory_budget=150,
        note=f"{cost.seconds:.0f} µs for each code",
    )


@bench("1,000,000 codes again, nothing to do", slow=True)
def a_million_again() -> Result:
    page = million()
    ids = [discount.pk for discount in discounts_of(page)]
    run_sql("ANALYZE ecommerce_discountcode")
    with measured() as cost:
        settle(page)
    return Result(
        cost=cost,
        floor=best_of([raw_count(ids) for _ in range(3)]),
        floor_name="count(*)",
        ratio_budget=3,
        query_budget=25,
        row_budget=0,
        memory_budget=150,
    )


@bench("export of 4,000 codes")
def export() -> Result:
    page = unsettled(runs=20, cap=200)
    settle(page)
    return _export(page, codes=4_000)


@bench("export of 1,000,000 codes", slow=True)
def export_a_million() -> Result:
    return _export(million(), codes=MILLION_RUNS * MILLION_CAP)


def million() -> ContractPage:
    """The contract with a million codes, made if it isn't there."""
    if not _million:
        a_million()
    return _million[0]


def _export(page: ContractPage, *, codes: int) -> Result:
    with TemporaryDirectory() as folder:
        with measured() as cost, Path(folder, "codes.csv").open("w", newline="") as file:
            written = write_codes(file, contract_id=page.pk)
        assert written == codes
        ids = [discount.pk for discount in discounts_of(page)]
        with measured() as floor, Path(folder, "raw.csv").open("w", newline="") as file:
            _write_raw(file, ids)
    return Result(
        cost=cost,
        floor=floor,
        floor_name="reading and writing the texts",
        query_budget=3,
        row_budget=0,
        memory_budget=150,
    )


def _write_raw(file: object, discount_ids: Sequence[int]) -> None:
    writer = csv.writer(file)  # type: ignore[arg-type]
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute("SELECT text FROM ecommerce_discountcode WHERE discount_id = ANY(%s)", [list(discount_ids)])
        while rows := cursor.fetchmany(5_000):
            writer.writerows(rows)

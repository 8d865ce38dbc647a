"""Codes of contracts of three sizes: made, left alone, switched, priced, listed, exported (docs/contracts.md)."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from django.db import connection, transaction

from b2b.models import ContractPage
from b2b.selectors.codes import CodeFilter, code_page, runs_of, write_codes
from ecommerce.enums import DiscountType, PaymentType
from ecommerce.models import Discount, DiscountCode
from mitxonline.kernel.db import fetch_sql, run_sql
from tests.b2b.worlds import (
    NOW,
    change_terms,
    discounts_of,
    make_program_of,
    make_source_course,
    publish_contract,
    reconcile_contract,
)
from tests.bench.harness import Cost, Result, bench, best_of, measured

TRIES = 5
RUNS = 20
VALUE = 1_000
PAGES = 20

RAW_INSERT = """
    INSERT INTO ecommerce_discountcode
        (discount_id, text, max_uses, uses, active, assigned_email, assigned_name, created_at)
    SELECT discount.id, gen_random_uuid()::text, 1, 0, true, '', '', %s
    FROM unnest(%s::bigint[]) AS discount (id) CROSS JOIN generate_series(1, %s)
"""
COUNT = "SELECT count(*) FROM ecommerce_discountcode WHERE discount_id = ANY(%s)"

# Half of each product's codes redeemed, every learner in all of the courses, and a seat for each learner.
LEARNERS = """
    INSERT INTO users_user (password, is_superuser, email, name, is_active, is_staff, date_joined, theme)
    SELECT '', false, %(mark)s || n || '@bench.example', '', true, false, %(now)s, 'auto'
    FROM generate_series(1, %(learners)s) AS n
"""
REDEEM = """
    WITH half AS (
        SELECT id, n FROM (
            SELECT id, row_number() OVER (PARTITION BY discount_id ORDER BY id) AS n
            FROM ecommerce_discountcode WHERE discount_id = ANY(%(discounts)s)
        ) AS code WHERE n <= %(learners)s
    ), used AS (
        UPDATE ecommerce_discountcode AS code SET uses = 1 FROM half WHERE code.id = half.id RETURNING code.id, half.n
    )
    INSERT INTO ecommerce_codeuse (code_id, user_id, state, created_at, changed_at)
    SELECT used.id, learner.id, 'confirmed', %(now)s, %(now)s FROM used
    JOIN users_user AS learner ON learner.email = %(mark)s || used.n || '@bench.example'
"""
SEATS = """
    INSERT INTO b2b_contractmembership (contract_id, user_id, state, source, since)
    SELECT %(contract)s, id, 'active', 'code', %(now)s FROM users_user WHERE email LIKE %(mark)s || '%%@bench.example'
"""

_names = count(1)


@dataclass(slots=True)
class Size:
    """A contract of twenty runs with this many seats, made once for all measurements."""

    cap: int
    page: ContractPage | None = None
    is_used: bool = False

    @property
    def codes(self) -> int:
        return RUNS * self.cap

    @property
    def is_slow(self) -> bool:
        """Whether this takes long."""
        return self.codes > 10_000

    @property
    def name(self) -> str:
        return f"{self.codes:,} codes"

    def contract(self) -> ContractPage:
        """The contract with all its codes."""
        if self.page is None:
            self.page = unsettled(runs=RUNS, cap=self.cap)
            reconcile_contract(self.page)
        return self.page

    def used(self) -> ContractPage:
        """The contract with half of its codes redeemed."""
        page = self.contract()
        if not self.is_used:
            facts = {
                "contract": page.pk,
                "discounts": ids_of(page),
                "learners": self.cap // 2,
                "mark": f"learner-{page.pk}-",
                "now": NOW,
            }
            for statement in (LEARNERS, REDEEM, SEATS):
                run_sql(statement, facts)
            self.is_used = True
        tidy()
        return page


SIZES = (Size(200), Size(5_000), Size(50_000))


def tidy() -> None:
    """Vacuum and analyze, as the server does after a while; counts made before measure something else."""
    for table in ("ecommerce_discountcode", "ecommerce_codeuse", "b2b_contractmembership"):
        run_sql(f"VACUUM ANALYZE {table}")


def ids_of(page: ContractPage) -> list[int]:
    return [discount.pk for discount in discounts_of(page)]


def unsettled(*, runs: int, cap: int) -> ContractPage:
    """A contract whose runs and codes are still to be made."""
    courses = make_program_of(*[make_source_course() for _ in range(runs)])
    return publish_contract(courses, cap=cap, name=f"Bench {next(_names)}", settled=False)


def raw_insert(*, codes: int) -> Cost:
    """Insert the same rows with one statement, in a transaction that is rolled back."""
    made = Discount.objects.bulk_create(
        Discount(discount_type=DiscountType.FIXED_PRICE, amount=0, currency="USD", payment_type=PaymentType.SALES)
        for _ in range(RUNS)
    )
    ids = [one.pk for one in made]
    with measured(counting=False) as cost, transaction.atomic():
        run_sql(RAW_INSERT, [NOW, ids, codes])
    DiscountCode.objects.filter(discount_id__in=ids)._raw_delete("default")
    tidy()
    return cost


def raw_count(page: ContractPage) -> Cost:
    """One count of the same rows, the best of several."""
    ids, costs = ids_of(page), []
    for _ in range(TRIES):
        with measured(counting=False) as cost:
            fetch_sql(COUNT, [ids])
        costs.append(cost)
    return best_of(costs)


def new_contract(size: Size) -> Result:
    """Runs, products, discounts and codes of a new contract, beside the codes by one raw statement."""
    costs, floors = [], []
    for number in range(1 if size.is_slow else TRIES):
        page = unsettled(runs=RUNS, cap=size.cap)
        with measured(counting=number == 0) as cost:
            reconcile_contract(page)
        size.page = size.page or page
        costs.append(cost)
        floors.append(raw_insert(codes=size.cap))
    cost = best_of(costs)
    return Result(
        cost=cost,
        floor=best_of(floors),
        floor_name="raw INSERT … SELECT",
        ratio_budget=3,
        query_budget=60 if not size.is_slow else None,
        memory_budget=150,
        note=f"{cost.seconds * 1e6 / size.codes:.0f} µs for each code",
    )


def nothing_to_do(size: Size) -> Result:
    """Reconcile again with half of the codes redeemed."""
    page = size.used()
    costs = []
    for number in range(TRIES):
        with measured(counting=number == 0) as cost:
            reconcile_contract(page)
        costs.append(cost)
    return Result(
        cost=best_of(costs),
        floor=raw_count(page),
        floor_name="count(*)",
        # Of few codes the count takes no time, and what is left is the price of a statement.
        ratio_budget=3 if size.codes >= 1_000_000 else None,
        query_budget=25,
        row_budget=0,
        memory_budget=150,
        note="half of them redeemed",
    )


def cap_down(size: Size) -> Result:
    """Switch off what no one has; then everything is as before."""
    page = size.used()
    change_terms(page, max_learners=size.cap // 2, settled=False)
    with measured() as cost:
        reconcile_contract(page)
    return _beside_one_update(page, size, cost, note=f"{size.codes // 2:,} switched off")


def cap_up(size: Size) -> Result:
    """Switch them on again."""
    page = size.used()
    change_terms(page, max_learners=size.cap // 2)
    change_terms(page, max_learners=size.cap, settled=False)
    with measured() as cost:
        reconcile_contract(page)
    return _beside_one_update(page, size, cost, note=f"{size.codes // 2:,} switched on again")


def _beside_one_update(page: ContractPage, size: Size, cost: Cost, *, note: str) -> Result:
    change_terms(page, max_learners=size.cap)
    half = """
        UPDATE ecommerce_discountcode SET active = active
        WHERE discount_id = ANY(%s) AND uses = 0
    """
    with measured(counting=False) as floor:
        run_sql(half, [ids_of(page)])
    return Result(cost=cost, floor=floor, floor_name="one UPDATE", ratio_budget=6, memory_budget=150, note=note)


def price_change(size: Size) -> Result:
    """Another price: published, in force, and followed. Writes grow with products, not with codes."""
    page = size.used()
    costs = []
    for number in range(TRIES):
        with measured(counting=number == 0) as cost:
            change_terms(page, enrollment_fixed_price=Decimal(VALUE + number))
        costs.append(cost)
    change_terms(page, enrollment_fixed_price=None)
    return Result(
        cost=best_of(costs),
        floor=raw_count(page),
        floor_name="count(*)",
        row_budget=3 * RUNS + 40,
        memory_budget=150,
        note="record, price and discount of each product; the rest is Wagtail's",
    )


def export(size: Size) -> Result:
    """The file of all codes, beside reading and writing their texts."""
    page = size.used()
    with TemporaryDirectory() as folder:
        with measured() as cost, Path(folder, "codes.csv").open("w", newline="") as file:
            written = write_codes(file, contract_id=page.pk)
        assert written == size.codes
        with measured(counting=False) as floor, Path(folder, "raw.csv").open("w", newline="") as file:
            _write_raw(file, ids_of(page))
    return Result(
        cost=cost,
        floor=floor,
        floor_name="reading and writing the texts",
        query_budget=3,
        row_budget=0,
        memory_budget=150,
        note=f"{cost.seconds * 1e6 / size.codes:.0f} µs for each code",
    )


def code_list(size: Size) -> Result:
    """The admin's list of codes: its first page, and the one behind it."""
    page = size.used()
    with measured() as cost:
        runs = runs_of(page.pk)
        first = code_page(runs=runs, code_filter=CodeFilter(), now=NOW)
        code_page(runs=runs, code_filter=CodeFilter(), now=NOW, after=first.after)
    return Result(
        cost=cost,
        floor=raw_count(page),
        floor_name="count(*)",
        query_budget=PAGES,
        row_budget=0,
        memory_budget=150,
        note="two pages",
    )


for _size in SIZES:
    for _what, _run in (
        ("new contract", new_contract),
        ("again, nothing to do", nothing_to_do),
        ("price change", price_change),
        ("code list", code_list),
        ("export", export),
        ("cap down", cap_down),
        ("cap up", cap_up),
    ):
        bench(f"{_size.name}: {_what}", slow=_size.is_slow)(partial(_run, _size))


def _write_raw(file: object, discount_ids: Sequence[int]) -> None:
    writer = csv.writer(file)  # type: ignore[arg-type]
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute("SELECT text FROM ecommerce_discountcode WHERE discount_id = ANY(%s)", [list(discount_ids)])
        while rows := cursor.fetchmany(5_000):
            writer.writerows(rows)

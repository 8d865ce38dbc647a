"""A report of a million lines: written as CSV in flat memory, beside reading the lines' texts alone."""

from __future__ import annotations

import itertools
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from django.db.models import Model

from ecommerce.models import Order, OrderLine
from ecommerce.roles import WHOLE_SHOP
from mitxonline.kernel import clock
from mitxonline.kernel.db import run_sql
from mitxonline.kernel.spreadsheets import csv_pieces
from reports.exports.base import Asked
from reports.exports.catalog import REPORTS
from tests.bench.harness import Result, bench, measured
from tests.factories import NOON, make_product
from tests.factories.orders import make_paid_order

LINES = 1_000_000


@bench(f"itemized purchases of {LINES:,} lines, as CSV", slow=True)
def write_purchases() -> Result:
    _sell(LINES)
    day = clock.date_of(NOON)
    asked = Asked(first=day - timedelta(days=1), last=day, scope=WHOLE_SHOP)
    report = REPORTS["purchases"]
    with TemporaryDirectory() as folder:
        with measured() as cost, Path(folder, "purchases.csv").open("w", newline="") as file:
            for piece in csv_pieces(itertools.chain([report.head(asked)], report.rows(asked))):
                file.write(piece)
        with measured(counting=False) as floor, Path(folder, "raw.csv").open("w", newline="") as file:
            raw = OrderLine.objects.order_by("order__fulfilled_at", "pk").values_list("order__number", "title", "due")
            for row in raw.iterator(chunk_size=2000):
                file.write(",".join(map(str, row)) + "\n")
    return Result(
        cost=cost,
        floor=floor,
        floor_name="reading and writing three columns",
        query_budget=2,
        row_budget=0,
        memory_budget=150,
        note=f"{cost.seconds * 1e6 / LINES:.0f} µs for each line",
    )


def _sell(count: int) -> None:
    """Copy an order and its line in the database, as often as this."""
    order = make_paid_order(make_product())
    line = order.lines.get()
    of_order = ", ".join(_columns(Order, "id", "number"))
    run_sql(
        f"INSERT INTO ecommerce_order (number, {of_order}) SELECT 'B-' || n, {of_order} "  # noqa: S608 - our own columns
        "FROM ecommerce_order, generate_series(1, %s) AS n WHERE id = %s",
        [count, order.pk],
    )
    columns = _columns(OrderLine, "id", "order_id")
    of_line, copied = ", ".join(columns), ", ".join(f"line.{name}" for name in columns)
    run_sql(
        f"INSERT INTO ecommerce_orderline (order_id, {of_line}) SELECT sold.id, {copied} "  # noqa: S608 - our own columns
        "FROM ecommerce_order AS sold, ecommerce_orderline AS line WHERE line.id = %s AND sold.number LIKE 'B-%%'",
        [line.pk],
    )
    run_sql("ANALYZE ecommerce_order, ecommerce_orderline")


def _columns(model: type[Model], *but: str) -> list[str]:
    return [str(field.column) for field in model._meta.concrete_fields if field.column not in but]

"""The three audits beside one raw GROUP BY over the same rows (docs/finance.md)."""

from __future__ import annotations

from functools import partial

from django.db import connection

from mitxonline.kernel.db import run_sql
from reports.audits.base import Audit, AuditScope, RowChoice, open_audit
from reports.audits.registry import AUDITS
from reports.enums import AuditName
from tests.bench.harness import Result, bench, best_of, measured
from tests.factories import NOON, make_product

TRIES = 3
COURSES = 50
# With fewer orders, planning the statement is more of its time.
BUDGETED_ORDERS = 1_000_000
TABLES = (
    "users_user",
    "courses_enrollment",
    "courses_enrollmentgrant",
    "ecommerce_order",
    "ecommerce_orderline",
    "ecommerce_paymentattempt",
    "reports_gatewayentry",
)

# Each order has a line, a payment, what the gateway reports of it, an enrollment and its grant. Buyers have ten orders.
ROWS = """
WITH RECURSIVE person AS (
    INSERT INTO users_user (password, is_superuser, email, name, is_active, is_staff, date_joined, theme)
    SELECT '', false, 'audit-' || n || '@bench.example', '', true, false, %(now)s, 'auto'
    FROM generate_series(1, %(orders)s / 10) AS n RETURNING id
), numbered AS (
    SELECT id, row_number() OVER (ORDER BY id) - 1 AS n FROM person
), product AS (
    SELECT id, course_run_id, row_number() OVER (ORDER BY id) - 1 AS n FROM ecommerce_product
), sold AS MATERIALIZED (
    SELECT numbered.id AS user_id, product.id AS product_id, product.course_run_id AS run_id,
        'B-' || numbered.n || '-' || step AS number, %(now)s::timestamptz - (numbered.n %% 365) * interval '1 day' AS at
    FROM numbered CROSS JOIN generate_series(0, 9) AS step
    JOIN product ON product.n = (numbered.n + step) %% %(courses)s
), bought AS (
    INSERT INTO ecommerce_order (number, purchaser_id, state, currency, list_total, discount_total, total, fingerprint,
        placed_at, fulfilled_at, state_reason, updated_at, trace_id)
    SELECT number, user_id, 'fulfilled', 'USD', 100, 0, 100, '', at, at, '', at, '' FROM sold RETURNING id, number
), line AS (
    INSERT INTO ecommerce_orderline (order_id, product_id, title, item_id, sku, mode, list_price, discount_amount, due,
        currency, requires_code, discount_label, entitlement)
    SELECT bought.id, product_id, '', '', '', 'verified', 100, 0, 100, 'USD', false, '', ''
    FROM bought JOIN sold USING (number)
), attempt AS (
    INSERT INTO ecommerce_paymentattempt (order_id, gateway, reference, idempotency_key, session_id, payment_id, amount,
        currency, state, started_at, settled_at, note, trace_id)
    SELECT bought.id, 'stripe', gen_random_uuid(), number, number, 'pi_' || number, 100, 'USD', 'paid', at, at, '', ''
    FROM bought JOIN sold USING (number)
), entry AS (
    INSERT INTO reports_gatewayentry (gateway, account, entry_id, kind, payment_id, source_id, amount, currency, fee,
        fee_currency, at)
    SELECT 'stripe', '', 'txn_' || number, 'payment', 'pi_' || number, 'ch_' || number, 100, 'USD', 3.2, 'USD', at
    FROM sold
), enrollment AS (
    INSERT INTO courses_enrollment (user_id, run_id, mode, active, lms_state, enrolled_at, changed_at)
    SELECT user_id, run_id, 'verified', true, 'there', at, at FROM sold RETURNING id, user_id, run_id
)
INSERT INTO courses_enrollmentgrant
    (enrollment_id, mode, source, reference, reason, granted_at, revoked_reason, trace_id)
SELECT enrollment.id, 'verified', 'order', number, '', at, '', '' FROM enrollment JOIN sold USING (user_id, run_id)
"""

FLOORS = {
    AuditName.ENROLLMENTS: """
        SELECT g.source, bought.state, count(*)
        FROM ecommerce_orderline AS line
        JOIN ecommerce_order AS bought ON bought.id = line.order_id
        JOIN ecommerce_product AS product ON product.id = line.product_id
        JOIN courses_enrollment AS e ON e.user_id = bought.purchaser_id AND e.run_id = product.course_run_id
        JOIN courses_enrollmentgrant AS g ON g.enrollment_id = e.id AND g.reference = bought.number
        GROUP BY g.source, bought.state
    """,
    AuditName.PAYMENTS: """
        SELECT entry.kind, line.currency, count(*), sum(entry.amount), sum(line.due)
        FROM ecommerce_orderline AS line
        JOIN ecommerce_order AS bought ON bought.id = line.order_id
        JOIN ecommerce_product AS product ON product.id = line.product_id
        JOIN ecommerce_paymentattempt AS attempt ON attempt.order_id = bought.id
        JOIN reports_gatewayentry AS entry ON entry.gateway = attempt.gateway AND entry.payment_id = attempt.payment_id
        GROUP BY entry.kind, line.currency
    """,
    AuditName.SEATS: """
        SELECT product.course_run_id, count(*), sum(line.due)
        FROM ecommerce_orderline AS line
        JOIN ecommerce_order AS bought ON bought.id = line.order_id
        JOIN ecommerce_product AS product ON product.id = line.product_id
        GROUP BY product.course_run_id
    """,
}
_made = 0


def make_orders(count: int) -> None:
    """Have this many orders, and their statistics."""
    global _made
    if _made >= count:
        return
    if not _made:
        for _number in range(COURSES):
            make_product(price="100")
    run_sql("TRUNCATE ecommerce_order, courses_enrollment, reports_gatewayentry CASCADE")
    run_sql("DELETE FROM users_user WHERE email LIKE 'audit-%%@bench.example'")
    run_sql(ROWS, {"now": NOON, "orders": count, "courses": COURSES})
    _made = count
    for table in TABLES:
        run_sql(f"VACUUM ANALYZE {table}")


def read(audit: Audit) -> None:
    with open_audit(audit, AuditScope(), RowChoice()) as (result, rows):
        assert list(rows) == []
        assert result.is_balanced


def audit(name: AuditName, orders: int) -> Result:
    make_orders(orders)
    costs, floors = [], []
    for number in range(TRIES):
        with measured(counting=number == 0) as cost:
            read(AUDITS[name])
        with measured(counting=False) as floor:
            _group(FLOORS[name])
        costs.append(cost)
        floors.append(floor)
    return Result(
        cost=best_of(costs),
        floor=best_of(floors),
        floor_name="raw GROUP BY",
        ratio_budget=3 if orders >= BUDGETED_ORDERS else None,
        query_budget=10,
        memory_budget=50,
        note=f"{orders:,} orders",
    )


def _group(sql: str) -> None:
    # With the memory an audit gives itself.
    with connection.cursor() as cursor:
        cursor.execute("BEGIN; SET LOCAL work_mem = '64MB'")
        cursor.execute(sql)
        cursor.fetchall()
        cursor.execute("COMMIT")


for _orders in (100_000, BUDGETED_ORDERS):
    for _name in AuditName:
        bench(f"audit of {_name.value}, {_orders:,} orders", slow=_orders > 100_000)(partial(audit, _name, _orders))

"""How many seats were sold: single purchases and registration codes, whoever bought them.

Course staff aren't taken out, and refunded seats stay in the sum: they are told beside it. A program is as many seats
as courses it gave.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext_lazy as _

from reports.audits.base import Audit, AuditScope, Section, Term, Total
from reports.enums import AuditName

SOLD = {
    "single": _("Single purchases"),
    "ordered": _("Registration codes of orders"),
    "invoiced": _("Registration codes of invoices"),
}
APART = {
    "refunded": _("Single purchases refunded in full"),
    "off": _("Registration codes refunded, void or canceled"),
    "redeemed": _("Registration codes redeemed"),
    "unused": _("Registration codes not used yet"),
}

_STATEMENT = """
WITH line AS (
    SELECT line.id, line.product_id, line.seats, line.due, line.currency, bought.number, bought.id AS order_id,
        bought.purchaser_id AS user_id, bought.fulfilled_at AS at, product.course_run_id, product.program_id,
        bought.state = 'refunded' OR line.refunded = line.due AND line.due > 0 OR line.undone_at IS NOT NULL AS is_over
    FROM ecommerce_orderline AS line
    JOIN ecommerce_order AS bought ON bought.id = line.order_id
    JOIN ecommerce_product AS product ON product.id = line.product_id
    WHERE bought.fulfilled_at IS NOT NULL {listed}
        AND (%(currency)s::text IS NULL OR line.currency = %(currency)s)
        AND (%(since)s::timestamptz IS NULL OR bought.fulfilled_at >= %(since)s)
        AND (%(until)s::timestamptz IS NULL OR bought.fulfilled_at < %(until)s)
), single AS (
    SELECT id, order_id, number, user_id, at, currency, is_over, course_run_id AS run_id FROM line
    WHERE seats IS NULL AND course_run_id IS NOT NULL
        AND (%(runs)s::bigint[] IS NULL OR course_run_id = ANY(%(runs)s::bigint[]))
    UNION ALL
    SELECT line.id, order_id, number, user_id, at, currency, is_over, course.run_id
    FROM line JOIN ecommerce_orderlinecourse AS course ON course.line_id = line.id AND course.run_id IS NOT NULL
    WHERE line.program_id IS NOT NULL AND (%(runs)s::bigint[] IS NULL OR course.run_id = ANY(%(runs)s::bigint[]))
    UNION ALL
    SELECT line.id, order_id, number, user_id, at, currency, is_over, NULL
    FROM line WHERE line.program_id IS NOT NULL AND %(runs)s::bigint[] IS NULL
        AND NOT EXISTS (SELECT FROM ecommerce_orderlinecourse AS course WHERE course.line_id = line.id)
), code AS (
    SELECT code.discount_id, count(*) AS made, count(*) FILTER (WHERE use.code_id IS NOT NULL) AS redeemed,
        count(*) FILTER (WHERE use.code_id IS NULL AND NOT code.active) AS off,
        count(*) FILTER (WHERE use.code_id IS NULL AND code.active) AS unused,
        count(*) FILTER (WHERE NOT code.active AND change.kind = 'refunded') AS returned
    FROM ecommerce_discountcode AS code
    JOIN ecommerce_seatsale AS sale ON sale.discount_id = code.discount_id
    LEFT JOIN (
        SELECT DISTINCT code_id FROM ecommerce_codeuse WHERE state IN ('confirmed', 'retired')
    ) AS use ON use.code_id = code.id
    LEFT JOIN (
        SELECT DISTINCT ON (code_id) code_id, kind FROM ecommerce_registrationcodechange
        WHERE kind <> 'moved' ORDER BY code_id, id DESC
    ) AS change ON change.code_id = code.id
    GROUP BY code.discount_id
), sale AS (
    SELECT sale.id, sale.seats, sale.course_run_id AS run_id, sale.buyer_id AS user_id, sale.sold_at AS at,
        sale.order_line_id, coalesce(code.made, 0) AS made, coalesce(code.redeemed, 0) AS redeemed,
        coalesce(code.off, 0) AS off, coalesce(code.unused, 0) AS unused,
        coalesce(code.returned, 0) AS returned, line.seats_refunded, discount.name, discount.currency,
        coalesce(line.seats, invoiced.seats) AS line_seats, coalesce(bought.number, invoice.number) AS number,
        bought.id AS order_id,
        coalesce(
            line.due > 0 AND (line.refunded = line.due OR bought.state = 'refunded') OR line.undone_at IS NOT NULL,
            invoice.state = 'void'
        ) AS is_over,
        line.undone_at IS NOT NULL AS is_undone,
        CASE WHEN sale.order_line_id IS NULL THEN 'invoiced' ELSE 'ordered' END AS term
    FROM ecommerce_seatsale AS sale
    JOIN ecommerce_discount AS discount ON discount.id = sale.discount_id
    LEFT JOIN code ON code.discount_id = sale.discount_id
    LEFT JOIN ecommerce_orderline AS line ON line.id = sale.order_line_id
    LEFT JOIN ecommerce_order AS bought ON bought.id = line.order_id
    LEFT JOIN ecommerce_invoiceline AS invoiced ON invoiced.id = sale.invoice_line_id
    LEFT JOIN ecommerce_invoice AS invoice ON invoice.id = invoiced.invoice_id
    WHERE (%(runs)s::bigint[] IS NULL OR sale.course_run_id = ANY(%(runs)s::bigint[]))
        AND (%(currency)s::text IS NULL OR discount.currency = %(currency)s)
        AND (%(since)s::timestamptz IS NULL OR sale.sold_at >= %(since)s)
        AND (%(until)s::timestamptz IS NULL OR sale.sold_at < %(until)s)
), {changed}), fact AS (
    SELECT 'single' AS term, 'counted' AS standing, '' AS cause, '' AS currency, NULL::numeric AS gateway,
        NULL::numeric AS shop, 1 AS units, at, user_id, run_id, order_id, NULL::bigint AS enrollment_id, number AS key,
        '' AS note
    FROM single
    {singles}
    UNION ALL
    SELECT 'refunded', 'apart', '', '', NULL, NULL, 1, at, user_id, run_id, order_id, NULL, number, '' FROM single
    WHERE is_over
    UNION ALL
    SELECT term, 'counted', '', '', NULL, NULL, made, at, user_id, run_id, order_id, NULL, coalesce(number, name), name
    FROM sale
    UNION ALL
    SELECT state.term, 'apart', '', '', NULL, NULL, state.units, at, user_id, run_id, order_id, NULL,
        coalesce(number, name), name
    FROM sale CROSS JOIN LATERAL (
        VALUES ('off', off), ('redeemed', redeemed), ('unused', unused)
    ) AS state (term, units) WHERE state.units > 0
    UNION ALL
    SELECT 'difference', 'difference', problem.cause, '', NULL, NULL, problem.units, at, user_id, run_id, order_id,
        NULL, coalesce(number, name), name
    FROM sale CROSS JOIN LATERAL (VALUES
        ('codes_differ', CASE WHEN made <> seats THEN made - seats END),
        ('seats_differ', CASE WHEN line_seats IS DISTINCT FROM seats THEN seats END),
        ('still_open', CASE WHEN is_over AND unused > 0 THEN unused END),
        ('refunds_differ', CASE WHEN NOT is_undone AND returned <> seats_refunded THEN returned - seats_refunded END)
    ) AS problem (cause, units) WHERE problem.units IS NOT NULL
    UNION ALL
    SELECT 'difference', 'difference', 'sale_missing', '', NULL, NULL, line.seats, at, user_id, course_run_id,
        order_id, NULL, number, ''
    FROM line WHERE seats IS NOT NULL AND (%(runs)s::bigint[] IS NULL OR course_run_id = ANY(%(runs)s::bigint[]))
        AND NOT is_over AND NOT EXISTS (SELECT FROM ecommerce_seatsale AS sale WHERE sale.order_line_id = line.id)
    UNION ALL
    SELECT 'difference', 'difference', 'sale_missing', '', NULL, NULL, invoiced.seats, invoice.issued_at, NULL,
        product.course_run_id, NULL, NULL, invoice.number, ''
    FROM ecommerce_invoiceline AS invoiced
    JOIN ecommerce_invoice AS invoice ON invoice.id = invoiced.invoice_id AND invoice.state NOT IN ('draft', 'void')
    JOIN ecommerce_product AS product ON product.id = invoiced.product_id
    WHERE (%(runs)s::bigint[] IS NULL OR product.course_run_id = ANY(%(runs)s::bigint[]))
        AND (%(currency)s::text IS NULL OR invoice.currency = %(currency)s)
        AND (%(since)s::timestamptz IS NULL OR invoice.issued_at >= %(since)s)
        AND (%(until)s::timestamptz IS NULL OR invoice.issued_at < %(until)s)
        AND NOT EXISTS (SELECT FROM ecommerce_seatsale AS sale WHERE sale.invoice_line_id = invoiced.id)
    UNION ALL
    SELECT 'difference', 'difference', 'not_assigned', line.currency, NULL, -part.amount, 1, refund.settled_at,
        line.user_id, line.course_run_id, line.order_id, NULL, line.number, refund.gateway_refund_id
    FROM ecommerce_refund AS refund
    JOIN ecommerce_paymentattempt AS attempt ON attempt.id = refund.attempt_id AND NOT attempt.is_surplus
    JOIN ecommerce_refundline AS part ON part.refund_id = refund.id AND part.amount > 0 AND part.seats = 0
    JOIN line ON line.id = part.line_id
    JOIN ecommerce_orderline AS sold ON sold.id = line.id AND sold.seats > sold.seats_refunded
    WHERE refund.state = 'succeeded' AND refund.is_counted AND refund.origin <> 'ours'
        AND refund.seats_decided_at IS NULL
        AND (%(runs)s::bigint[] IS NULL OR line.course_run_id = ANY(%(runs)s::bigint[]))
    UNION ALL
    SELECT 'difference', 'difference', 'lines_differ', '', NULL, NULL, 1, at, user_id, NULL, order_id, NULL, number, ''
    FROM changed
)
"""
# Every line by itself, and the orders whose total isn't that of their lines.
FACT = _STATEMENT.format(
    listed="",
    singles="",
    changed="""changed AS (
    SELECT bought.id AS order_id, bought.number, bought.purchaser_id AS user_id, bought.fulfilled_at AS at,
        bought.currency
    FROM ecommerce_order AS bought
    LEFT JOIN (
        SELECT order_id, sum(due) AS total FROM ecommerce_orderline GROUP BY order_id
    ) AS line ON line.order_id = bought.id
    WHERE bought.fulfilled_at IS NOT NULL AND bought.total <> coalesce(line.total, 0) AND %(runs)s::bigint[] IS NULL
        AND (%(currency)s::text IS NULL OR bought.currency = %(currency)s)
        AND (%(since)s::timestamptz IS NULL OR bought.fulfilled_at >= %(since)s)
        AND (%(until)s::timestamptz IS NULL OR bought.fulfilled_at < %(until)s)
""",
)
# Most lines are single purchases of one course: they are counted in the pass that compares them with their orders.
SUMMED = _STATEMENT.format(
    listed="AND (line.seats IS NOT NULL OR product.program_id IS NOT NULL)",
    singles="""
    UNION ALL
    SELECT 'single', 'counted', '', '', NULL, NULL, singles, NULL, NULL, NULL, NULL, NULL, '', ''
    FROM passed WHERE singles > 0
    UNION ALL
    SELECT 'refunded', 'apart', '', '', NULL, NULL, ended, NULL, NULL, NULL, NULL, NULL, '', ''
    FROM passed WHERE ended > 0""",
    changed="""passed AS MATERIALIZED (
    SELECT sum(line.singles) AS singles,
        sum(CASE WHEN bought.state = 'refunded' THEN line.singles ELSE line.ended END) AS ended,
        array_agg(bought.id) FILTER (WHERE bought.total <> coalesce(line.total, 0)) AS changed
    FROM ecommerce_order AS bought
    LEFT JOIN (
        SELECT order_id, sum(due) AS total, count(*) FILTER (WHERE is_single) AS singles,
            count(*) FILTER (WHERE is_single AND (refunded = due AND due > 0 OR undone_at IS NOT NULL)) AS ended
        FROM (
            SELECT line.order_id, line.due, line.refunded, line.undone_at,
                line.seats IS NULL AND product.course_run_id IS NOT NULL
                AND (%(currency)s::text IS NULL OR line.currency = %(currency)s) AS is_single
            FROM ecommerce_orderline AS line JOIN ecommerce_product AS product ON product.id = line.product_id
        ) AS line
        GROUP BY order_id
    ) AS line ON line.order_id = bought.id
    WHERE bought.fulfilled_at IS NOT NULL
        AND (%(since)s::timestamptz IS NULL OR bought.fulfilled_at >= %(since)s)
        AND (%(until)s::timestamptz IS NULL OR bought.fulfilled_at < %(until)s)
), changed AS (
    SELECT bought.* FROM passed CROSS JOIN unnest(changed) AS changed_id CROSS JOIN LATERAL (
        SELECT id AS order_id, number, purchaser_id AS user_id, fulfilled_at AS at FROM ecommerce_order
        WHERE id = changed_id AND (%(currency)s::text IS NULL OR currency = %(currency)s)
        LIMIT 1
    ) AS bought
""",
)


def build_sections(totals: Sequence[Total], scope: AuditScope) -> list[Section]:
    units: dict[str, int] = {}
    for total in totals:
        units[total.term] = units.get(total.term, 0) + total.units
    codes = units.get("ordered", 0) + units.get("invoiced", 0)
    share = round(100 * units.get("redeemed", 0) / codes) if codes else 0
    terms = [Term(key, label, units.get(key, 0), rows=key) for key, label in SOLD.items()]
    terms.append(Term("sold", _("Seats sold"), units.get("single", 0) + codes, sign="="))
    for key, label in APART.items():
        parts = ((_("percent of all codes"), share),) if key == "redeemed" and codes else ()
        terms.append(Term(key, label, units.get(key, 0), sign="", parts=parts, rows=key))
    return [Section(AuditName.SEATS.label, tuple(terms))]


SEATS = Audit(AuditName.SEATS, FACT, build_sections, summed=SUMMED)

"""Whether the money that gateways report is the money that orders say was paid.

The shop's side is the sum of order lines, not of what payments say of themselves. A payment is matched by its id; one
from a file without ids by its amount. Invoices are paid elsewhere and aren't part of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal

from django.utils.translation import gettext_lazy as _

from mitxonline.kernel.money import Money
from reports.audits.base import Audit, AuditScope, Section, Term, Total
from reports.enums import AuditName

# A gateway may report a movement this much later than it happened.
LAG = timedelta(days=1)
# Payments without ids are matched by their amount within this time.
MATCH_WITHIN = timedelta(days=3)

SHOP = {
    "single": _("Single purchases"),
    "registration": _("Seats for groups"),
    "other": _("Other courses in the same orders"),
    "second": _("Second payments"),
    "unsold": _("Paid, and not fulfilled"),
    "refunds": _("Refunds"),
    "chargebacks": _("Chargebacks"),
    "won": _("Disputes won"),
    "fees": _("Fees"),
}
GATEWAY = {
    "payment": _("Payments"),
    "refund": _("Refunds"),
    "chargeback": _("Chargebacks"),
    "won_dispute": _("Disputes won"),
    "fee": _("Fees"),
    "other_movement": _("Other movements"),
}

# `pair` has one row for each payment, refund and dispute: what the gateway says beside what the shop says. Where both
# name a payment but not the currency, there is a row for either. In the summed statement, `passed` has the payments
# that agree in everything, added up, and the ids of the orders and entries of all others.
_STATEMENT = f"""
WITH {{passed}} payment AS (
    SELECT attempt.id, attempt.order_id, attempt.gateway, attempt.account, attempt.payment_id, attempt.is_surplus,
        coalesce(attempt.paid_amount, attempt.amount) AS amount, attempt.paid_amount IS NOT NULL AS is_told,
        coalesce(nullif(attempt.paid_currency, ''), attempt.currency) AS currency,
        coalesce(attempt.settled_at, attempt.started_at) AS at
    FROM ecommerce_paymentattempt AS attempt WHERE attempt.state = 'paid' {{of_orders}}
), chosen AS (
    SELECT DISTINCT line.order_id FROM ecommerce_orderline AS line
    JOIN ecommerce_product AS product ON product.id = line.product_id
    LEFT JOIN ecommerce_orderlinecourse AS course ON course.line_id = line.id
    WHERE product.course_run_id = ANY(%(runs)s::bigint[]) OR course.run_id = ANY(%(runs)s::bigint[])
), first_payment AS (
    SELECT order_id, min(id) AS id FROM payment WHERE NOT is_surplus GROUP BY order_id
), line AS (
    SELECT line.order_id, sum(line.due) AS total,
        sum(line.due) FILTER (WHERE line.seats IS NULL AND is_chosen) AS single,
        sum(line.due) FILTER (WHERE line.seats IS NOT NULL AND is_chosen) AS registration,
        sum(line.due) FILTER (WHERE NOT is_chosen) AS other
    FROM (
        SELECT line.*, %(runs)s::bigint[] IS NULL OR product.course_run_id = ANY(%(runs)s::bigint[]) OR EXISTS (
            SELECT FROM ecommerce_orderlinecourse AS course
            WHERE course.line_id = line.id AND course.run_id = ANY(%(runs)s::bigint[])
        ) AS is_chosen
        FROM ecommerce_orderline AS line JOIN ecommerce_product AS product ON product.id = line.product_id
        WHERE true {{of_orders}}
    ) AS line
    GROUP BY line.order_id
), sold AS (
    SELECT bought.id, bought.number, bought.currency, bought.fulfilled_at, line.total, line.single, line.registration,
        line.other, first_payment.id AS payment_id
    FROM ecommerce_order AS bought
    JOIN line ON line.order_id = bought.id
    LEFT JOIN first_payment ON first_payment.order_id = bought.id
    WHERE bought.fulfilled_at IS NOT NULL AND line.total > 0
        AND (%(runs)s::bigint[] IS NULL OR bought.id IN (SELECT order_id FROM chosen))
), expected AS (
    SELECT sold.id AS order_id, sold.number, payment.gateway, coalesce(payment.account, '') AS account,
        payment.payment_id, sold.currency, coalesce(payment.at, sold.fulfilled_at) AS at, sold.total AS shop,
        coalesce(sold.single, 0) AS single, coalesce(sold.registration, 0) AS registration,
        coalesce(sold.other, 0) AS other, 0 AS second, 0 AS unsold,
        payment.amount AS told, payment.currency AS told_currency, payment.is_told
    FROM sold LEFT JOIN payment ON payment.id = sold.payment_id
    UNION ALL
    SELECT payment.order_id, bought.number, payment.gateway, payment.account, payment.payment_id, payment.currency,
        payment.at, payment.amount, 0, 0, 0,
        CASE WHEN bought.fulfilled_at IS NOT NULL THEN payment.amount ELSE 0 END,
        CASE WHEN bought.fulfilled_at IS NULL THEN payment.amount ELSE 0 END,
        payment.amount, payment.currency, payment.is_told
    FROM payment JOIN ecommerce_order AS bought ON bought.id = payment.order_id
    WHERE NOT EXISTS (SELECT FROM sold WHERE sold.payment_id = payment.id)
        AND (%(runs)s::bigint[] IS NULL OR bought.id IN (SELECT order_id FROM chosen))
), entry AS (
    SELECT gateway, kind, CASE
            WHEN kind = 'payment' AND payment_id <> '' THEN payment_id
            WHEN kind IN ('refund', 'chargeback', 'won_dispute') AND source_id <> '' THEN source_id
            ELSE 'entry ' || entry_id
        END AS key, currency, sum(amount) AS amount, min(at) AS at, min(payment_id) AS payment_id,
        min(account) AS account, bool_or(is_from_file) AS is_from_file
    FROM reports_gatewayentry AS entry
    WHERE kind IN ('payment', 'refund', 'chargeback', 'won_dispute', 'other') {{of_entries}} AND (
        %(runs)s::bigint[] IS NULL OR EXISTS (
            SELECT FROM payment WHERE payment.gateway = entry.gateway AND payment.payment_id = entry.payment_id
            AND payment.order_id IN (SELECT order_id FROM chosen)
        )
    )
    GROUP BY 1, 2, 3, 4
    HAVING sum(amount) <> 0
), matched AS MATERIALIZED (
    SELECT coalesce(entry.gateway, expected.gateway, '') AS gateway,
        coalesce(expected.account, entry.account) AS account,
        coalesce(entry.key, expected.payment_id, '') AS key, coalesce(entry.currency, expected.currency) AS currency,
        entry.amount AS reported, entry.at AS reported_at, coalesce(entry.is_from_file, false) AS is_from_file,
        expected.order_id, expected.number, expected.shop, expected.at AS shop_at, expected.payment_id,
        single, registration, other, second, unsold, told, told_currency, is_told
    FROM (SELECT * FROM entry WHERE kind = 'payment') AS entry
    FULL JOIN expected ON expected.gateway = entry.gateway AND expected.payment_id = entry.key
        AND expected.currency = entry.currency
), loose_entry AS (
    SELECT gateway, key, currency, reported, reported_at, is_from_file,
        row_number() OVER (PARTITION BY gateway, currency, reported ORDER BY reported_at, key) AS n
    FROM matched WHERE shop IS NULL AND (is_from_file OR key LIKE 'entry %%')
), loose_payment AS (
    SELECT gateway, order_id, payment_id, currency, shop, shop_at,
        row_number() OVER (PARTITION BY gateway, currency, shop ORDER BY shop_at, order_id) AS n
    FROM matched WHERE reported IS NULL AND payment_id IS NOT NULL
), by_amount AS (
    SELECT entry.gateway, entry.key, entry.currency, entry.reported, entry.reported_at, payment.order_id,
        payment.payment_id
    FROM loose_entry AS entry JOIN loose_payment AS payment
        ON payment.gateway = entry.gateway AND payment.currency = entry.currency AND payment.shop = entry.reported
        AND payment.n = entry.n
        AND entry.reported_at BETWEEN payment.shop_at - %(match_within)s AND payment.shop_at + %(match_within)s
), payment_pair AS (
    SELECT 'payment' AS kind, matched.gateway, account, matched.key, matched.currency,
        coalesce(matched.reported, by_amount.reported) AS reported,
        coalesce(matched.reported_at, by_amount.reported_at) AS reported_at, matched.order_id, number, shop, shop_at,
        single, registration, other, second, unsold, told, told_currency, is_told,
        by_amount.key IS NOT NULL AS is_by_amount
    FROM matched LEFT JOIN by_amount ON matched.reported IS NULL AND by_amount.gateway = matched.gateway
        AND by_amount.order_id = matched.order_id AND by_amount.payment_id = matched.payment_id
        AND by_amount.currency = matched.currency
    WHERE NOT (matched.shop IS NULL AND EXISTS (
        SELECT FROM by_amount WHERE by_amount.gateway = matched.gateway AND by_amount.key = matched.key
        AND by_amount.currency = matched.currency
    ))
), returned AS (
    SELECT 'refund' AS kind, refund.gateway, attempt.account, refund.gateway_refund_id AS key,
        coalesce(nullif(refund.told_currency, ''), refund.currency) AS currency,
        -coalesce(refund.told_amount, refund.amount) AS amount,
        coalesce(refund.sent_at, refund.settled_at, refund.recorded_at) AS at, refund.order_id
    FROM ecommerce_refund AS refund JOIN ecommerce_paymentattempt AS attempt ON attempt.id = refund.attempt_id
    WHERE refund.state IN ('pending', 'succeeded', 'differs') AND refund.origin <> 'bank'
    UNION ALL
    SELECT 'chargeback', dispute.gateway, attempt.account, dispute.dispute_id, dispute.currency, -dispute.amount,
        coalesce(dispute.funds_withdrawn_at, dispute.closed_at, dispute.opened_at), dispute.order_id
    FROM ecommerce_dispute AS dispute JOIN ecommerce_paymentattempt AS attempt ON attempt.id = dispute.attempt_id
    WHERE dispute.funds_withdrawn_at IS NOT NULL OR dispute.state = 'lost'
    UNION ALL
    SELECT 'won_dispute', dispute.gateway, attempt.account, dispute.dispute_id, dispute.currency, dispute.amount,
        coalesce(dispute.funds_reinstated_at, dispute.closed_at), dispute.order_id
    FROM ecommerce_dispute AS dispute JOIN ecommerce_paymentattempt AS attempt ON attempt.id = dispute.attempt_id
    WHERE dispute.funds_reinstated_at IS NOT NULL
        OR dispute.state = 'won' AND dispute.funds_withdrawn_at IS NOT NULL
), returned_pair AS (
    SELECT coalesce(entry.kind, returned.kind) AS kind, coalesce(entry.gateway, returned.gateway) AS gateway,
        coalesce(returned.account, entry.account) AS account, coalesce(entry.key, returned.key) AS key,
        coalesce(entry.currency, returned.currency) AS currency, entry.amount AS reported, entry.at AS reported_at,
        coalesce(returned.order_id, (
            SELECT min(payment.order_id) FROM ecommerce_paymentattempt AS payment
            WHERE payment.gateway = entry.gateway AND payment.payment_id = entry.payment_id
            AND payment.payment_id <> ''
        )) AS order_id, returned.amount AS shop, returned.at AS shop_at
    FROM (SELECT * FROM entry WHERE kind IN ('refund', 'chargeback', 'won_dispute')) AS entry
    FULL JOIN (
        SELECT * FROM returned WHERE %(runs)s::bigint[] IS NULL OR order_id IN (SELECT order_id FROM chosen)
    ) AS returned ON returned.kind = entry.kind AND returned.gateway = entry.gateway AND returned.key = entry.key
        AND returned.key <> '' AND returned.currency = entry.currency
), pair AS (
    SELECT kind, gateway, account, key, currency, reported, reported_at, order_id, number, shop, shop_at, single,
        registration, other, second, unsold, told, told_currency, is_told, is_by_amount
    FROM payment_pair
    UNION ALL
    SELECT kind, gateway, account, key, currency, reported, reported_at, order_id, NULL, shop, shop_at, 0, 0, 0, 0, 0,
        NULL, NULL, false, false
    FROM returned_pair
    UNION ALL
    SELECT 'other_movement', gateway, account, key, currency, amount, at, NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0, NULL,
        NULL, false, false
    FROM entry WHERE kind = 'other'
), dated AS (
    SELECT pair.*,
        (%(since)s::timestamptz IS NULL OR reported_at >= %(since)s)
            AND (%(until)s::timestamptz IS NULL OR reported_at < %(until)s) AS is_reported_then,
        (%(since)s::timestamptz IS NULL OR shop_at >= %(since)s)
            AND (%(until)s::timestamptz IS NULL OR shop_at < %(until)s) AS is_sold_then
    FROM pair WHERE %(currency)s::text IS NULL OR currency = %(currency)s
), judged AS MATERIALIZED (
    SELECT kind, gateway, key, currency, reported_at, shop_at, number,
        CASE WHEN kind = 'payment' AND shop IS NULL THEN (
            SELECT min(payment.order_id) FROM ecommerce_paymentattempt AS payment
            WHERE payment.gateway = dated.gateway AND payment.payment_id = dated.key AND payment.state = 'paid'
        ) ELSE order_id END AS order_id,
        CASE WHEN is_reported_then THEN reported END AS reported, CASE WHEN is_sold_then THEN shop END AS shop,
        CASE WHEN is_sold_then THEN single ELSE 0 END AS single,
        CASE WHEN is_sold_then THEN registration ELSE 0 END AS registration,
        CASE WHEN is_sold_then THEN other ELSE 0 END AS other,
        CASE WHEN is_sold_then THEN second ELSE 0 END AS second,
        CASE WHEN is_sold_then THEN unsold ELSE 0 END AS unsold,
        CASE
            WHEN kind = 'other_movement' THEN 'other_movement'
            WHEN shop IS NULL AND kind = 'payment' THEN CASE
                WHEN EXISTS (
                    SELECT FROM payment WHERE payment.gateway = dated.gateway AND payment.payment_id = dated.key
                    AND payment.currency = dated.currency AND payment.amount = dated.reported
                ) THEN 'accepted_amount'
                WHEN EXISTS (
                    SELECT FROM payment WHERE payment.gateway = dated.gateway AND payment.payment_id = dated.key
                ) THEN 'wrong_currency'
                ELSE 'no_order'
            END
            WHEN shop IS NULL AND kind = 'refund' THEN 'refund_unknown'
            WHEN shop IS NULL THEN 'chargeback_unknown'
            WHEN reported IS NULL AND told_currency <> currency AND EXISTS (
                SELECT FROM entry WHERE entry.kind = 'payment' AND entry.gateway = dated.gateway
                AND entry.key = dated.key AND entry.currency = dated.told_currency AND entry.amount = dated.told
            ) THEN 'accepted_amount'
            WHEN reported IS NULL AND gateway = '' THEN 'no_money'
            WHEN reported IS NULL THEN CASE
                WHEN shop_at >= coalesce((
                    SELECT max(report.until) FROM reports_gatewayreport AS report
                    WHERE report.gateway = dated.gateway AND report.account = dated.account
                ), 'infinity') - %(lag)s THEN 'late'
                WHEN NOT EXISTS (
                    SELECT FROM reports_gatewayreport AS report
                    WHERE report.gateway = dated.gateway AND report.account = dated.account
                    AND report.since <= dated.shop_at AND report.until > dated.shop_at
                ) THEN 'not_reported'
                WHEN kind = 'payment' THEN 'no_money'
                WHEN kind = 'refund' THEN 'refund_missing'
                ELSE 'chargeback_missing'
            END
            WHEN told IS NOT NULL AND told_currency = currency AND reported <> told THEN 'wrong_amount'
            WHEN reported <> shop AND is_told THEN 'accepted_amount'
            WHEN reported <> shop THEN 'wrong_amount'
            WHEN is_by_amount THEN 'by_amount'
            WHEN is_reported_then <> is_sold_then THEN 'other_day'
            WHEN second > 0 THEN 'paid_twice'
            ELSE ''
        END AS cause
    FROM dated WHERE is_reported_then OR is_sold_then
), fee AS (
    SELECT fee_currency AS currency, CASE WHEN kind = 'fee' THEN amount ELSE 0 END - fee AS amount, at, gateway,
        entry_id, payment_id
    FROM reports_gatewayentry AS entry
    WHERE (fee <> 0 OR kind = 'fee') {{of_entries}}
        AND (%(currency)s::text IS NULL OR fee_currency = %(currency)s)
        AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)
        AND (%(until)s::timestamptz IS NULL OR at < %(until)s)
        AND (%(runs)s::bigint[] IS NULL OR EXISTS (
            SELECT FROM payment WHERE payment.gateway = entry.gateway AND payment.payment_id = entry.payment_id
            AND payment.order_id IN (SELECT order_id FROM chosen)
        ))
), fact AS (
    SELECT kind AS term, 'gateway' AS standing, '' AS cause, currency, reported AS gateway, NULL::numeric AS shop,
        1 AS units, reported_at AS at, NULL::bigint AS user_id, NULL::bigint AS run_id, order_id,
        NULL::bigint AS enrollment_id, key, gateway AS note
    FROM judged WHERE reported IS NOT NULL
    UNION ALL
    {
    " UNION ALL ".join(
        f"SELECT '{name}', 'shop', '', currency, NULL, {name}, 1, shop_at, NULL, NULL, order_id, NULL, number, key "
        f"FROM judged WHERE {name} <> 0"
        for name in ("single", "registration", "other", "second", "unsold")
    )
}
    UNION ALL
    SELECT CASE kind WHEN 'refund' THEN 'refunds' WHEN 'chargeback' THEN 'chargebacks' ELSE 'won' END, 'shop', '',
        currency, NULL, shop, 1, shop_at, NULL, NULL, order_id, NULL, key, gateway
    FROM judged WHERE kind <> 'payment' AND shop IS NOT NULL
    UNION ALL
    SELECT 'fee', 'gateway', '', currency, amount, NULL, 1, at, NULL, NULL, NULL, NULL, entry_id, gateway FROM fee
    UNION ALL
    SELECT 'fees', 'shop', '', currency, NULL, amount, 1, at, NULL, NULL, NULL, NULL, entry_id, gateway FROM fee
    UNION ALL
    SELECT 'difference', kind, cause, currency, reported, shop, 1, coalesce(reported_at, shop_at), NULL, NULL,
        order_id, NULL, coalesce(number, (SELECT number FROM ecommerce_order WHERE id = judged.order_id), key),
        concat_ws(' ', nullif(gateway, ''), key)
    FROM judged WHERE cause <> ''
    {{sums}}
)
"""  # noqa: S608  the names are this module's own
FACT = _STATEMENT.format(passed="", of_orders="", of_entries="", sums="")

_WITHIN = (
    "(%(since)s::timestamptz IS NULL OR {at} >= %(since)s) AND (%(until)s::timestamptz IS NULL OR {at} < %(until)s)"
)
_SUM = """
    UNION ALL
    SELECT '{term}', '{standing}', '', currency, {gateway}, {shop}, units, day, NULL, NULL, NULL, NULL, '', ''
    FROM passed WHERE is_same AND is_within AND (%(currency)s::text IS NULL OR currency = %(currency)s)
"""
# A payment passes if it is the only one of its order, the gateway reported it once, and either says the very total of
# the order's lines, in its currency, within the same time. Nothing else needs its order or its entry then.
PASSED = f"""passed AS MATERIALIZED (
    SELECT is_same, is_within, CASE WHEN is_same THEN currency END AS currency,
        CASE WHEN %(by_day)s AND is_same THEN day END AS day, count(*) AS units, sum(reported) AS reported,
        sum(single) AS single, sum(registration) AS registration, sum(fee) AS fee,
        array_agg(order_id) FILTER (WHERE NOT is_same) AS order_ids,
        array_agg(entry_id) FILTER (WHERE NOT is_same) AS entry_ids
    FROM (
        SELECT sold.order_id, entry.id AS entry_id, entry.currency, entry.amount AS reported, entry.fee, sold.single,
            sold.registration, {_WITHIN.format(at="entry.at")} AS is_within,
            CASE WHEN %(by_day)s THEN date_trunc('day', entry.at AT TIME ZONE %(zone)s) AT TIME ZONE %(zone)s END
                AS day,
            coalesce(
                sold.is_only AND entry.is_only AND sold.amount = entry.amount AND sold.currency = entry.currency
                AND (entry.fee = 0 OR entry.fee_currency = entry.currency)
                AND ({_WITHIN.format(at="entry.at")}) = ({_WITHIN.format(at="sold.at")})
                AND (NOT %(by_day)s OR date_trunc('day', entry.at AT TIME ZONE %(zone)s)
                    = date_trunc('day', sold.at AT TIME ZONE %(zone)s)),
                false
            ) AS is_same
        FROM (
            SELECT bought.id AS order_id, payment.gateway, payment.payment_id, payment.amount, payment.currency,
                payment.at, line.single, line.registration,
                payment.is_only AND bought.fulfilled_at IS NOT NULL AND payment.amount = line.total
                    AND payment.currency = bought.currency AS is_only
            FROM ecommerce_order AS bought
            LEFT JOIN (
                SELECT order_id, sum(due) AS total, coalesce(sum(due) FILTER (WHERE seats IS NULL), 0) AS single,
                    coalesce(sum(due) FILTER (WHERE seats IS NOT NULL), 0) AS registration
                FROM ecommerce_orderline GROUP BY order_id
            ) AS line ON line.order_id = bought.id
            LEFT JOIN (
                SELECT order_id, gateway, nullif(payment_id, '') AS payment_id, coalesce(paid_amount, amount) AS amount,
                    coalesce(nullif(paid_currency, ''), currency) AS currency, coalesce(settled_at, started_at) AS at,
                    NOT is_surplus AND payment_id <> '' AND count(*) OVER (PARTITION BY order_id) = 1 AS is_only
                FROM ecommerce_paymentattempt WHERE state = 'paid'
            ) AS payment ON payment.order_id = bought.id
            WHERE payment.order_id IS NOT NULL OR bought.fulfilled_at IS NOT NULL AND line.total > 0
        ) AS sold
        FULL JOIN (
            SELECT id, gateway, payment_id, amount, currency, fee, fee_currency, at,
                count(*) OVER (PARTITION BY gateway, payment_id) = 1 AS is_only
            FROM reports_gatewayentry WHERE kind = 'payment'
        ) AS entry ON entry.gateway = sold.gateway AND entry.payment_id = sold.payment_id
    ) AS paired
    GROUP BY 1, 2, 3, 4
),"""  # noqa: S608  the names are this module's own
SUMMED = _STATEMENT.format(
    passed=PASSED,
    of_orders="AND order_id IN (SELECT unnest(order_ids) FROM passed)",
    of_entries="AND (kind <> 'payment' OR id IN (SELECT unnest(entry_ids) FROM passed))",
    sums="".join(
        _SUM.format(term=term, standing=standing, gateway=gateway, shop=shop)
        for term, standing, gateway, shop in (
            ("payment", "gateway", "reported", "NULL"),
            ("single", "shop", "NULL", "single"),
            ("registration", "shop", "NULL", "registration"),
            ("fee", "gateway", "-fee", "NULL"),
            ("fees", "shop", "NULL", "-fee"),
        )
    ),
)


def build_sections(totals: Sequence[Total], scope: AuditScope) -> list[Section]:
    """Return an equation for each currency, the shop's side first."""
    sums: dict[str, dict[tuple[str, str], Decimal]] = {}
    for total in totals:
        if total.standing in ("shop", "gateway"):
            amount = total.gateway if total.standing == "gateway" else total.shop
            known = sums.setdefault(total.currency, {})
            known[total.standing, total.term] = known.get((total.standing, total.term), Decimal(0)) + amount
        elif total.cause:
            sums.setdefault(total.currency, {})
    return [
        Section(currency, tuple(_list_terms(sums[currency], currency, has_course=bool(scope.course))), currency)
        for currency in sorted(sums)
    ]


def _list_terms(amounts: Mapping[tuple[str, str], Decimal], currency: str, *, has_course: bool) -> list[Term]:
    def money(standing: str, term: str) -> Money:
        return Money(amounts.get((standing, term), Decimal(0)), currency)

    shop = [(key, label, money("shop", key)) for key, label in SHOP.items() if key != "other" or has_course]
    gateway = [(key, label, money("gateway", key)) for key, label in GATEWAY.items()]
    in_shop = Money.sum((figure for *_words, figure in shop), currency)
    at_gateway = Money.sum((figure for *_words, figure in gateway), currency)
    return [
        *(Term(key, label, figure, rows=key) for key, label, figure in shop),
        Term("shop", _("What gateways should report"), in_shop, sign="="),
        *(Term(key, label, figure, rows=key) for key, label, figure in gateway),
        Term("gateway", _("What gateways report"), at_gateway, sign="="),
        Term("difference", _("Difference"), at_gateway - in_shop, sign="="),
    ]


PAYMENTS = Audit(
    AuditName.PAYMENTS,
    FACT,
    build_sections,
    summed=SUMMED,
    has_money=True,
    params={"lag": LAG, "match_within": MATCH_WITHIN},
)

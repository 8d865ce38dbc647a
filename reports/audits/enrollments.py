"""Whether every enrollment has its reason: a purchase, a code, a seat, staff or a decision by someone.

The terms are counted from orders, uses of codes and seats, not from the grants. So a grant without its order is found,
and an order without its enrollment. An active enrollment is counted once, under the first term that gives it; course
staff come first, because they often buy or redeem something to try it.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext_lazy as _

from reports.audits.base import Audit, AuditScope, Section, Term, Total
from reports.enums import AuditName

# In the order in which they count.
TERMS = {
    "staff": _("Course staff"),
    "purchase": _("Single purchases"),
    "registration": _("Registration codes redeemed"),
    "code": _("Enrollment codes redeemed"),
    "contract": _("Contract members"),
    "left": _("Left their contract and kept the course"),
    "refunded": _("Refunded and kept, whole or for auditing"),
    "manual": _("Enrolled by staff"),
    "free": _("Free enrollments to audit"),
}
NO_REASON, TOTAL = "unexplained", "total"

# A line that was refunded in full, or undone, gives nothing any more, unless the refund left the course.
# An order placed before its program's courses were kept has no rows of them: its grants are all that is known.
FACT = """
WITH line AS (
    SELECT line.id, bought.purchaser_id AS user_id, product.course_run_id, bought.number, bought.id AS order_id,
        bought.fulfilled_at AS at, product.program_id,
        CASE WHEN line.entitlement <> '' THEN 'contract' WHEN line.requires_code THEN 'code' ELSE 'order' END AS source,
        bought.state = 'refunded' OR line.refunded = line.due AND line.due > 0 OR line.undone_at IS NOT NULL AS is_over
    FROM ecommerce_orderline AS line
    JOIN ecommerce_order AS bought ON bought.id = line.order_id
    JOIN ecommerce_product AS product ON product.id = line.product_id
    WHERE bought.state IN ('fulfilled', 'partially_refunded', 'refunded') AND line.seats IS NULL
), given AS (
    SELECT id, user_id, course_run_id AS run_id, source, number, order_id, at, is_over FROM line
    WHERE course_run_id IS NOT NULL AND (%(runs)s::bigint[] IS NULL OR course_run_id = ANY(%(runs)s::bigint[]))
    UNION ALL
    SELECT line.id, user_id, course.run_id, source, number, order_id, at, is_over FROM line
    JOIN ecommerce_orderlinecourse AS course ON course.line_id = line.id AND course.run_id IS NOT NULL
    WHERE line.program_id IS NOT NULL AND (%(runs)s::bigint[] IS NULL OR course.run_id = ANY(%(runs)s::bigint[]))
    UNION ALL
    SELECT line.id, line.user_id, e.run_id, line.source, line.number, line.order_id, line.at, line.is_over FROM line
    JOIN courses_enrollment AS e ON e.user_id = line.user_id
    JOIN courses_enrollmentgrant AS g ON g.enrollment_id = e.id AND g.source = line.source
        AND g.reference = line.number AND g.revoked_at IS NULL
    WHERE line.program_id IS NOT NULL AND (%(runs)s::bigint[] IS NULL OR e.run_id = ANY(%(runs)s::bigint[]))
        AND NOT EXISTS (SELECT FROM ecommerce_orderlinecourse AS course WHERE course.line_id = line.id)
        AND NOT EXISTS (
            SELECT FROM ecommerce_orderline AS other JOIN ecommerce_product AS product ON product.id = other.product_id
            WHERE other.order_id = line.order_id AND product.course_run_id = e.run_id
        )
), kept AS (
    SELECT given.* FROM given WHERE is_over AND (
        EXISTS (
            SELECT FROM ecommerce_refundline AS part JOIN ecommerce_refund AS refund ON refund.id = part.refund_id
            WHERE part.line_id = given.id AND refund.state = 'succeeded' AND refund.enrollment_after <> 'remove'
        ) OR EXISTS (
            SELECT FROM ecommerce_orderline AS line WHERE line.id = given.id AND line.undone_at IS NOT NULL
        ) AND EXISTS (
            SELECT FROM courses_enrollment AS e JOIN courses_enrollmentgrant AS g ON g.enrollment_id = e.id
            WHERE e.user_id = given.user_id AND e.run_id = given.run_id AND g.source = given.source
            AND g.reference = given.number AND g.revoked_at IS NULL
        )
    )
), evidence AS (
    SELECT 'staff' AS term, 1 AS rank, e.user_id, e.run_id, '' AS source, '' AS reference, NULL::bigint AS order_id,
        staff.added_at AS at, '' AS note
    FROM courses_coursestaff AS staff
    JOIN courses_courserun AS run ON run.course_id = staff.course_id
    JOIN courses_enrollment AS e ON e.run_id = run.id AND e.user_id = staff.user_id AND e.active
    UNION ALL
    SELECT CASE source WHEN 'order' THEN 'purchase' ELSE source END,
        CASE source WHEN 'order' THEN 2 WHEN 'code' THEN 4 ELSE 5 END,
        user_id, run_id, source, number, order_id, at, ''
    FROM given WHERE NOT is_over
    UNION ALL
    SELECT 'refunded', 7, user_id, run_id, source, number, order_id, at, '' FROM kept
    UNION ALL
    SELECT 'code', 4, use.user_id, product.course_run_id, 'code', 'use ' || use.id, use.order_id, use.changed_at, ''
    FROM ecommerce_codeuse AS use
    JOIN ecommerce_discountcode AS code ON code.id = use.code_id
    JOIN ecommerce_discount AS discount ON discount.id = code.discount_id
    JOIN ecommerce_product AS product ON product.id = discount.unlocks_id
    WHERE use.state = 'confirmed' AND (
        use.order_id IS NULL OR EXISTS (
            SELECT FROM courses_enrollment AS e JOIN courses_enrollmentgrant AS g ON g.enrollment_id = e.id
            WHERE e.user_id = use.user_id AND e.run_id = product.course_run_id AND g.source = 'code'
            AND g.reference = 'use ' || use.id AND g.revoked_at IS NULL
        )
    )
    UNION ALL
    SELECT 'registration', 3, use.user_id, coalesce(code.moved_to_id, sale.course_run_id), 'registration',
        'use ' || use.id, NULL, use.changed_at, ''
    FROM ecommerce_codeuse AS use
    JOIN ecommerce_discountcode AS code ON code.id = use.code_id
    JOIN ecommerce_seatsale AS sale ON sale.discount_id = code.discount_id
    WHERE use.state = 'confirmed'
    UNION ALL
    SELECT 'contract', 5, e.user_id, e.run_id, 'contract', 'contract ' || seat.contract_id, NULL, seat.since,
        seat.source
    FROM b2b_contractmembership AS seat
    JOIN b2b_contractrun AS link ON link.contract_id = seat.contract_id
    JOIN courses_enrollment AS e ON e.run_id = link.course_run_id AND e.user_id = seat.user_id AND e.active
    WHERE seat.state = 'active'
    UNION ALL
    SELECT 'left', 6, e.user_id, e.run_id, 'contract', g.reference, NULL, g.granted_at, ''
    FROM courses_enrollmentgrant AS g
    JOIN courses_enrollment AS e ON e.id = g.enrollment_id AND e.active
    JOIN b2b_contractrun AS link ON link.course_run_id = e.run_id AND g.reference = 'contract ' || link.contract_id
    WHERE g.source = 'contract' AND g.revoked_at IS NULL AND EXISTS (
        SELECT FROM b2b_signinfact AS fact
        WHERE fact.user_id = e.user_id AND fact.contract_id = link.contract_id AND fact.change = 'left_contract'
    ) AND NOT EXISTS (
        SELECT FROM b2b_contractmembership AS seat
        WHERE seat.user_id = e.user_id AND seat.contract_id = link.contract_id AND seat.state = 'active'
    )
    UNION ALL
    SELECT g.source, CASE g.source WHEN 'manual' THEN 8 ELSE 9 END, e.user_id, e.run_id, g.source, g.reference, NULL,
        g.granted_at, g.reason
    FROM courses_enrollmentgrant AS g JOIN courses_enrollment AS e ON e.id = g.enrollment_id
    WHERE g.source IN ('manual', 'free') AND g.revoked_at IS NULL
), matched AS (
    SELECT ev.*, e.id AS enrollment_id, coalesce(e.active, false) AS is_active, live.id AS grant_id,
        coalesce(e.enrolled_at, ev.at) AS began
    FROM evidence AS ev
    LEFT JOIN courses_enrollment AS e ON e.user_id = ev.user_id AND e.run_id = ev.run_id
    LEFT JOIN courses_enrollmentgrant AS live ON live.enrollment_id = e.id AND live.source = ev.source
        AND live.reference = ev.reference AND live.revoked_at IS NULL
    WHERE (%(runs)s::bigint[] IS NULL OR ev.run_id = ANY(%(runs)s::bigint[]))
), judged AS (
    SELECT matched.*, CASE
        WHEN grant_id IS NOT NULL OR term = 'staff' THEN CASE WHEN is_active THEN 'holds' ELSE 'missing' END
        WHEN EXISTS (
            SELECT FROM courses_enrollmentgrant AS g WHERE g.enrollment_id = matched.enrollment_id
            AND g.source = matched.source AND g.reference = matched.reference AND g.revoked_at IS NOT NULL
        ) THEN 'ended'
        WHEN is_active THEN 'holds'
        ELSE 'missing'
    END AS verdict
    FROM matched
    WHERE (%(since)s::timestamptz IS NULL OR began >= %(since)s)
        AND (%(until)s::timestamptz IS NULL OR began < %(until)s)
), counted AS MATERIALIZED (
    SELECT judged.*, verdict = 'holds' AND row_number() OVER (
        PARTITION BY enrollment_id ORDER BY verdict <> 'holds', rank, at, reference
    ) = 1 AS counts
    FROM judged
), astray AS (
    SELECT g.*, e.user_id, e.run_id, e.active, e.enrolled_at
    FROM courses_enrollmentgrant AS g JOIN courses_enrollment AS e ON e.id = g.enrollment_id
    WHERE g.revoked_at IS NULL
        AND (%(runs)s::bigint[] IS NULL OR e.run_id = ANY(%(runs)s::bigint[]))
        AND (%(since)s::timestamptz IS NULL OR e.enrolled_at >= %(since)s)
        AND (%(until)s::timestamptz IS NULL OR e.enrolled_at < %(until)s)
        AND NOT EXISTS (SELECT FROM counted WHERE counted.grant_id = g.id)
), baseless AS (
    SELECT e.* FROM courses_enrollment AS e
    WHERE e.active
        AND (%(runs)s::bigint[] IS NULL OR e.run_id = ANY(%(runs)s::bigint[]))
        AND (%(since)s::timestamptz IS NULL OR e.enrolled_at >= %(since)s)
        AND (%(until)s::timestamptz IS NULL OR e.enrolled_at < %(until)s)
        AND NOT EXISTS (SELECT FROM counted WHERE counted.enrollment_id = e.id AND counted.verdict = 'holds')
), fact AS MATERIALIZED (
    SELECT term,
        CASE WHEN counts THEN 'counted' WHEN verdict = 'holds' THEN 'elsewhere' ELSE verdict END AS standing,
        CASE
            WHEN verdict = 'missing' AND grant_id IS NOT NULL THEN 'flag_wrong'
            WHEN verdict = 'missing' THEN 'not_enrolled'
            WHEN verdict = 'ended' THEN 'ended'
            WHEN grant_id IS NULL AND term <> 'staff' AND (counts OR term <> 'contract') THEN 'grant_missing'
            ELSE ''
        END AS cause,
        '' AS currency, NULL::numeric AS gateway, NULL::numeric AS shop, 1 AS units,
        began AS at, user_id, run_id, order_id, enrollment_id, reference AS key, note
    FROM counted
    UNION ALL
    SELECT 'unexplained', 'counted', 'no_reason', '', NULL, NULL, 1, enrolled_at, user_id, run_id, NULL, id, '',
        coalesce((
            SELECT string_agg(g.source || ' ' || g.reference, ', ' ORDER BY g.id) FROM courses_enrollmentgrant AS g
            WHERE g.enrollment_id = baseless.id AND g.revoked_at IS NULL
        ), '')
    FROM baseless
    UNION ALL
    SELECT 'astray', 'astray', 'grant_astray', '', NULL, NULL, 1, granted_at, user_id, run_id, NULL, enrollment_id,
        reference, source
    FROM astray WHERE NOT EXISTS (SELECT FROM baseless WHERE baseless.id = astray.enrollment_id)
    UNION ALL
    SELECT 'total', 'total', '', '', NULL, NULL, count(*), NULL, NULL, NULL, NULL, NULL, '', ''
    FROM courses_enrollment AS e
    WHERE e.active
        AND (%(runs)s::bigint[] IS NULL OR e.run_id = ANY(%(runs)s::bigint[]))
        AND (%(since)s::timestamptz IS NULL OR e.enrolled_at >= %(since)s)
        AND (%(until)s::timestamptz IS NULL OR e.enrolled_at < %(until)s)
)
"""


def build_sections(totals: Sequence[Total], scope: AuditScope) -> list[Section]:
    """Return the equation: what there is of each term, what of it is counted, and what is left over."""
    units: dict[tuple[str, str], int] = {}
    for total in totals:
        units[total.term, total.standing] = units.get((total.term, total.standing), 0) + total.units
    terms = [_make_term(key, units) for key in TERMS]
    terms.append(
        Term(NO_REASON, _("Without a reason"), units.get((NO_REASON, "counted"), 0), rows=NO_REASON, standing="counted")
    )
    terms.append(Term(TOTAL, _("Active enrollments"), units.get((TOTAL, TOTAL), 0), sign="="))
    return [Section(AuditName.ENROLLMENTS.label, tuple(terms))]


def _make_term(key: str, units: dict[tuple[str, str], int]) -> Term:
    counted = units.get((key, "counted"), 0)
    apart = {
        "elsewhere": _("counted under an earlier term"),
        "ended": _("unenrolled"),
        "missing": _("not enrolled"),
    }
    found = sum(units.get((key, standing), 0) for standing in ("counted", *apart))
    parts = [(label, -units[key, standing]) for standing, label in apart.items() if units.get((key, standing))]
    return Term(
        key,
        TERMS[key],
        counted,
        parts=((_("found"), found), *parts) if parts else (),
        rows=key,
    )


ENROLLMENTS = Audit(AuditName.ENROLLMENTS, FACT, build_sections)

"""Enrollment detail: who is in which course, why, and what was paid for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar

from django.db.models import Count, Prefetch, Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from courses.enums import EnrollmentSource
from courses.models import CourseStaff, Enrollment, EnrollmentGrant
from ecommerce.models import CodeUse, OrderLine
from mitxonline.kernel.money import Money
from reports.exports.base import ROWS_AT_ONCE, Asked, Report, ReportAnswer, ReportFact, Row, amount

# The reason that counts where there are several: what was paid for, before what was given.
_FIRST = (
    EnrollmentSource.ORDER,
    EnrollmentSource.REGISTRATION,
    EnrollmentSource.CODE,
    EnrollmentSource.CONTRACT,
    EnrollmentSource.MANUAL,
    EnrollmentSource.FREE,
)
# The longest names that `use 17` and numbers of orders have are far below what a query takes.
_AT_ONCE = 500
_USE = "use "


def _name_source(source: str) -> str:
    return {
        EnrollmentSource.ORDER: _("Bought"),
        EnrollmentSource.REGISTRATION: _("Used registration code"),
        EnrollmentSource.CODE: _("Used enrollment code"),
        EnrollmentSource.CONTRACT: _("Contract"),
        EnrollmentSource.MANUAL: _("Manually enrolled"),
        EnrollmentSource.FREE: _("Free enrollment"),
    }.get(EnrollmentSource(source), source)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a portion of enrollments refers to: the lines of orders by number and run, and the lines behind uses."""

    lines: dict[tuple[str, int | None], OrderLine]
    uses: dict[int, CodeUse]
    staff: set[tuple[int, int]]


class Enrollments(Report):
    slug = "enrollments"
    title = gettext_lazy("Enrollment detail")
    about = gettext_lazy(
        "Everyone who was enrolled on these days, with the reason that counts, and what was paid. Of a seat bought for "
        "a group, and of a course in a program, the buyer’s order is named."
    )
    numbers: ClassVar[frozenset[int]] = frozenset({14, 15})

    def head(self, asked: Asked) -> list[str]:
        return [
            _("Enrolled"), _("Name"), _("E-mail"), _("Role"), _("Course"), _("Course key"), _("Mode"), _("Active"),
            _("Source"), _("Reference"), _("By"), _("Reason"), _("Payment"), _("Coupon"), _("List price"), _("Paid"),
            _("Currency"),
        ]  # fmt: skip

    def enrollments(self, asked: Asked) -> QuerySet[Enrollment]:
        found: QuerySet[Enrollment] = Enrollment.objects.filter(asked.within("enrolled_at"))
        return found if asked.scope.is_whole else found.filter(run__course_id__in=asked.scope.courses)

    def count(self, asked: Asked) -> int:
        return self.enrollments(asked).count()

    def rows(self, asked: Asked, *, limit: int | None = None) -> Iterator[Row]:
        grants = EnrollmentGrant.objects.select_related("granted_by").order_by("granted_at", "pk")
        found = (
            self.enrollments(asked)
            .select_related("user", "run")
            .prefetch_related(Prefetch("grants", grants))
            .order_by("enrolled_at", "pk")
        )
        rows = iter(found[:limit]) if limit is not None else found.iterator(chunk_size=ROWS_AT_ONCE)
        while portion := list(islice(rows, _AT_ONCE)):
            facts = _find_facts(portion)
            for enrollment in portion:
                yield _to_row(enrollment, facts)

    def answer(self, asked: Asked) -> ReportAnswer:
        counts = self.enrollments(asked).aggregate(all=Count("pk"), active=Count("pk", filter=Q(active=True)))
        return ReportAnswer(
            facts=(
                ReportFact(_("Enrollments"), str(counts["all"])),
                ReportFact(_("Still active"), str(counts["active"])),
            )
        )


def _find_facts(portion: Sequence[Enrollment]) -> Facts:
    """Read in three queries what the portion’s grants refer to."""
    grants = [grant for each in portion for grant in each.grants.all()]
    numbers = {grant.reference for grant in grants if grant.source == EnrollmentSource.ORDER}
    lines = OrderLine.objects.filter(order__number__in=numbers).select_related("order", "product", "code__discount")
    uses = CodeUse.objects.filter(pk__in={int(grant.reference[4:]) for grant in grants if _is_use(grant.reference)})
    staff = CourseStaff.objects.filter(
        course_id__in={each.run.course_id for each in portion}, user_id__in={each.user_id for each in portion}
    )
    return Facts(
        lines={(line.order.number, line.product.course_run_id): line for line in lines if line.seats is None},
        uses={use.pk: use for use in uses.select_related("code__discount__seat_sale__order_line__order", "order")},
        staff=set(staff.values_list("course_id", "user_id")),
    )


def _is_use(reference: str) -> bool:
    return reference.startswith(_USE) and reference[len(_USE) :].isdigit()


def _to_row(enrollment: Enrollment, facts: Facts) -> Row:
    user, run = enrollment.user, enrollment.run
    grant = _find_grant(enrollment)
    is_staff = (run.course_id, user.pk) in facts.staff
    return (
        enrollment.enrolled_at, "" if user.closed_at else user.name, user.email,
        _("Course staff") if is_staff else _("Learner"), run.title, run.courseware_id, enrollment.get_mode_display(),
        enrollment.active, *_describe_grant(grant), *_describe_payment(grant, run.pk, facts),
    )  # fmt: skip


def _find_grant(enrollment: Enrollment) -> EnrollmentGrant | None:
    """Return the reason that counts: of those not revoked the first by kind, or else the one revoked last."""
    grants = list(enrollment.grants.all())
    live = [grant for grant in grants if grant.revoked_at is None]
    if live:
        return min(live, key=lambda grant: _FIRST.index(EnrollmentSource(grant.source)))
    return max(grants, key=lambda grant: (grant.revoked_at, grant.pk), default=None)


def _describe_grant(grant: EnrollmentGrant | None) -> tuple[Any, ...]:
    if grant is None:
        return "", "", "", ""
    by = grant.granted_by.email if grant.granted_by is not None else ""
    return _name_source(grant.source), grant.reference, by, grant.reason


def _describe_payment(grant: EnrollmentGrant | None, run_id: int, facts: Facts) -> tuple[Any, ...]:
    """Return how it was paid, the coupon, list price, price and currency; empty where nothing of it is known."""
    nothing = ("", "", None, None, "")
    if grant is None:
        return nothing
    if grant.source == EnrollmentSource.ORDER:
        own = facts.lines.get((grant.reference, run_id))
        if own is not None:
            return _describe_line(own, _state_of(own))
        program = facts.lines.get((grant.reference, None))
        return (_("In a program"), _coupon(program), None, None, program.currency) if program is not None else nothing
    use = facts.uses.get(int(grant.reference[len(_USE) :])) if _is_use(grant.reference) else None
    if grant.source == EnrollmentSource.REGISTRATION and use is not None:
        sale = getattr(use.code.discount, "seat_sale", None)
        line = sale.order_line if sale is not None else None
        if line is None:
            return (_("By invoice"), "", None, None, "")
        paid_by = _("In order %(number)s") % {"number": line.order.number}
        each = line.seats or 1
        return (
            paid_by, _coupon(line), amount(line.list_price / each, line.currency),
            amount(line.due / each, line.currency), line.currency,
        )  # fmt: skip
    if grant.source in {EnrollmentSource.CONTRACT, EnrollmentSource.CODE}:
        return (_("By contract"), "", None, None, "")
    return (_("Nothing to pay"), "", None, None, "")


def _describe_line(line: OrderLine, state: str) -> tuple[Any, ...]:
    return state, _coupon(line), amount(line.list_price, line.currency), amount(line.due, line.currency), line.currency


def _coupon(line: OrderLine) -> str:
    if line.code is not None:
        return line.code.text
    return line.discount_label


def _state_of(line: OrderLine) -> str:
    if Money(line.due, line.currency).is_zero:
        return _("Free")
    if line.refunded >= line.due:
        return _("Refunded")
    return _("Partly refunded") if line.refunded else _("Paid")

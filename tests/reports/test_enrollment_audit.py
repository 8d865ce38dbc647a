"""The audit of enrollments: every active one has one reason, and whatever has none is found and named."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from b2b.models import ContractMembership
from b2b.services.seats.membership import add_member
from b2b.services.seats.redemption import redeem_enrollment_code, start_course
from courses.enums import EnrollmentSource
from courses.models import CourseRun, Enrollment, EnrollmentGrant
from courses.services.enrollments import enroll, enroll_free, revoke
from courses.services.staff import appoint
from ecommerce.enums import EnrollmentAfter
from ecommerce.models import CodeUse, Order, OrderLine
from ecommerce.selectors.refund_plan import RefundChoice
from ecommerce.services.refunds.refunds import refund_order
from mitxonline.users.models import User
from reports.audits.base import AuditScope, RowChoice
from reports.enums import Cause
from reports.errors import CourseKeyUnknown, DaysReversed
from tests.factories import (
    NOON,
    codes_of,
    make_contract,
    make_contract_run,
    make_course,
    make_product,
    make_run,
    make_user,
)
from tests.factories.orders import make_paid_order
from tests.reports.readings import Reading, read_enrollments

pytestmark = pytest.mark.django_db


def refund(order: Order, after: EnrollmentAfter, *lines: OrderLine) -> None:
    choice = RefundChoice(reason="x", enrollment_after=after, line_ids=tuple(line.pk for line in lines) or None)
    refund_order(order_id=order.pk, choice=choice, now=NOON, by_id=None)


def enroll_by_hand(user: User, run_id: int, *, by: User) -> None:
    enroll(
        user_id=user.pk,
        run_id=run_id,
        mode="verified",
        source=EnrollmentSource.MANUAL,
        now=NOON,
        granted_by_id=by.pk,
        reason="Scholarship",
    )


def figures(reading: Reading) -> dict[str, int]:
    return {key: figure for key, figure in reading.figures().items() if figure}


def test_every_reason_is_a_term_and_they_add_up() -> None:
    by = make_user()
    one, two = make_product(price="100"), make_product(price="80")
    make_paid_order(one), make_paid_order(one, two), make_paid_order(two)
    contract = make_contract(seats=9)
    first, second = make_contract_run(contract, codes=2), make_contract_run(contract, make_course())
    redeemer, member = make_user(), make_user()
    redeem_enrollment_code(text=codes_of(first)[0].text, user_id=redeemer.pk, now=NOON)
    start_course(contract_run_id=second.pk, user_id=redeemer.pk, now=NOON)
    add_member(contract_id=contract.pk, user_id=member.pk, now=NOON)
    start_course(contract_run_id=second.pk, user_id=member.pk, now=NOON)
    enroll_by_hand(make_user(), one.course_run_id or 0, by=by)
    enroll_free(user_id=make_user().pk, run_id=make_run().pk, now=NOON)
    reading = read_enrollments()
    assert figures(reading) == {"purchase": 4, "code": 1, "contract": 2, "manual": 1, "free": 1, "total": 9}
    assert reading.rows == []
    assert reading.result.is_balanced


def test_course_staff_who_bought_or_redeemed_are_counted_once_as_staff() -> None:
    product = make_product(price="100")
    buyer, tester, elsewhere = make_user(), make_user(), make_user()
    for person in (buyer, tester, elsewhere):
        make_paid_order(product, buyer=person)
    course = product.course_run.course  # type: ignore[union-attr]
    appoint(course_id=course.pk, user_id=tester.pk, by_id=None)
    appoint(course_id=make_course().pk, user_id=elsewhere.pk, by_id=None)  # staff of another course is a buyer here
    reading = read_enrollments()
    assert figures(reading) == {"staff": 1, "purchase": 2, "total": 3}
    assert reading.parts("purchase") == {"found": 3, "counted under an earlier term": -1}
    assert reading.rows == []


def test_someone_who_was_granted_a_course_twice_is_counted_once() -> None:
    product = make_product(price="100")
    buyer = make_user()
    make_paid_order(product, buyer=buyer)
    enroll_by_hand(buyer, product.course_run_id or 0, by=make_user())
    make_paid_order(product)
    reading = read_enrollments()
    assert figures(reading) == {"purchase": 2, "total": 2}
    assert reading.parts("manual") == {"found": 1, "counted under an earlier term": -1}


def test_a_refund_that_takes_the_course_takes_the_purchase_out_of_the_sum() -> None:
    one, two = make_product(price="100"), make_product(price="80")
    order, other = make_paid_order(one, two), make_paid_order(one, two)
    refund(order, EnrollmentAfter.REMOVE, order.lines.get(product=one))
    assert figures(read_enrollments()) == {"purchase": 3, "total": 3}
    refund(other, EnrollmentAfter.REMOVE)
    reading = read_enrollments()
    assert figures(reading) == {"purchase": 1, "total": 1}
    assert reading.rows == []


@pytest.mark.parametrize("after", [EnrollmentAfter.AUDIT, EnrollmentAfter.KEEP])
def test_a_course_kept_after_a_refund_has_a_term_of_its_own(after: EnrollmentAfter) -> None:
    one, two = make_product(price="100"), make_product(price="80")
    order = make_paid_order(one, two)
    make_paid_order(one)
    refund(order, after, order.lines.get(product=one))
    reading = read_enrollments()
    assert figures(reading) == {"purchase": 2, "refunded": 1, "total": 3}
    assert reading.rows == []


def test_unenrolled_and_enrolled_again() -> None:
    product = make_product(price="100")
    gone, back = make_paid_order(product), make_paid_order(product)
    for order in (gone, back):
        revoke(
            user_id=order.purchaser_id,
            run_id=product.course_run_id or 0,
            source="order",
            reference=order.number,
            now=NOON,
            reason="Asked to leave",
        )
    enroll(
        user_id=back.purchaser_id,
        run_id=product.course_run_id or 0,
        mode="verified",
        source="order",
        reference=back.number,
        now=NOON,
    )
    reading = read_enrollments()
    assert figures(reading) == {"purchase": 1, "total": 1}
    assert reading.parts("purchase") == {"found": 2, "unenrolled": -1}
    assert [(row.cause, row.key, row.is_explained) for row in reading.rows] == [(Cause.ENDED, gone.number, True)]
    assert reading.result.is_balanced


class TestSabotage:
    """One row is changed by hand each time, and the audit names it."""

    @pytest.fixture
    def order(self) -> Order:
        product = make_product(price="100")
        make_paid_order(product)
        return make_paid_order(product)

    def found(self) -> list[tuple[str, str]]:
        reading = read_enrollments()
        assert reading.result.is_balanced == (not reading.rows)
        return [(row.cause, row.key) for row in reading.rows]

    def test_the_control_finds_nothing(self, order: Order) -> None:
        assert self.found() == []

    def test_a_grant_was_deleted(self, order: Order) -> None:
        EnrollmentGrant.objects.filter(reference=order.number).delete()
        assert self.found() == [(Cause.GRANT_MISSING, order.number)]

    def test_an_enrollment_was_deleted(self, order: Order) -> None:
        EnrollmentGrant.objects.filter(reference=order.number).delete()
        Enrollment.objects.filter(user=order.purchaser).delete()
        assert self.found() == [(Cause.NOT_ENROLLED, order.number)]

    def test_an_enrollment_was_ended_without_its_grant(self, order: Order) -> None:
        Enrollment.objects.filter(user=order.purchaser).update(active=False)
        assert self.found() == [(Cause.FLAG_WRONG, order.number)]

    def test_an_enrollment_was_added(self, order: Order) -> None:
        run = CourseRun.objects.get(products__order_lines__order=order)
        Enrollment.objects.create(user=make_user("mallory@example.test"), run=run, mode="verified", enrolled_at=NOON)
        reading = read_enrollments()
        assert [(row.cause, row.email) for row in reading.rows] == [(Cause.NO_REASON, "mallory@example.test")]
        assert figures(reading) == {"purchase": 2, "unexplained": 1, "total": 3}

    def test_an_order_line_was_deleted(self, order: Order) -> None:
        order.lines.all().delete()
        assert [cause for cause, _key in self.found()] == [Cause.NO_REASON]
        assert read_enrollments().rows[0].note == f"order {order.number}"

    def test_a_grant_names_an_order_that_is_not_theirs(self, order: Order) -> None:
        enrollment = Enrollment.objects.get(user=order.purchaser)
        EnrollmentGrant.objects.create(
            enrollment=enrollment, mode="verified", source="order", reference="TS-0", granted_at=NOON
        )
        assert self.found() == [(Cause.GRANT_ASTRAY, "TS-0")]

    @pytest.mark.parametrize(
        ("act", "cause"),
        [
            (lambda: CodeUse.objects.update(state="released"), Cause.NO_REASON),
            (lambda: EnrollmentGrant.objects.all().delete(), Cause.GRANT_MISSING),
        ],
    )
    def test_a_use_or_its_grant_is_gone(self, act: Callable[[], object], cause: Cause) -> None:
        run = make_contract_run(make_contract(seats=2), codes=1)
        redeem_enrollment_code(text=codes_of(run)[0].text, user_id=make_user().pk, now=NOON)
        act()
        if cause == Cause.NO_REASON:
            ContractMembership.objects.all().delete()
        assert [found for found, _key in self.found()] == [cause]


class TestScope:
    def test_a_course_and_a_run_are_chosen_by_their_keys(self) -> None:
        course = make_course()
        one, two = make_product(make_run(course)), make_product(make_run(course))
        other = make_product()
        for product in (one, two, other):
            make_paid_order(product)
        assert figures(read_enrollments()) == {"purchase": 3, "total": 3}
        assert figures(read_enrollments(course=course.readable_id)) == {"purchase": 2, "total": 2}
        assert figures(read_enrollments(course=two.item_id)) == {"purchase": 1, "total": 1}

    def test_a_course_without_runs_has_no_enrollments(self) -> None:
        make_paid_order(make_product())
        assert figures(read_enrollments(course=make_course().readable_id)) == {}

    def test_both_days_belong_to_the_time(self) -> None:
        product = make_product()
        make_paid_order(product), make_paid_order(product)
        late = Enrollment.objects.latest("pk")
        Enrollment.objects.filter(pk=late.pk).update(enrolled_at=NOON + timedelta(days=1))
        day = NOON.date()
        assert figures(read_enrollments(first=day, last=day)) == {"purchase": 1, "total": 1}
        assert figures(read_enrollments(first=day)) == {"purchase": 2, "total": 2}
        assert figures(read_enrollments(last=day - timedelta(days=1))) == {}

    def test_what_cannot_be_meant_is_refused(self) -> None:
        with pytest.raises(CourseKeyUnknown):
            read_enrollments(course="course-v1:No+such")
        with pytest.raises(DaysReversed):
            read_enrollments(first=date(2026, 2, 1), last=date(2026, 1, 31))


def test_the_rows_of_a_term_are_listed_in_portions() -> None:
    product = make_product()
    orders = [make_paid_order(product) for _number in range(3)]
    every = read_enrollments(rows=RowChoice(term="purchase")).rows
    assert {row.key for row in every} == {order.number for order in orders}
    assert read_enrollments(rows=RowChoice(term="purchase", offset=1, limit=1)).rows == every[1:2]
    assert read_enrollments(rows=RowChoice(term="purchase", standing="ended")).rows == []


def test_the_scope_is_a_value() -> None:
    assert AuditScope() == AuditScope(course="")

"""Random histories through the real services: all three audits balance, and any row sabotaged afterwards is named."""

from __future__ import annotations

import os
import random
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import pytest
from django.db.models import F, Model, QuerySet, Sum
from django.db.models.functions import Coalesce
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from b2b.enums import MembershipSource
from b2b.models import ContractMembership
from b2b.services.seats.membership import add_member, remove_member
from b2b.services.seats.redemption import redeem_enrollment_code, start_course
from courses.enums import EnrollmentSource
from courses.models import CourseStaff, Enrollment, EnrollmentGrant
from courses.services.enrollments import enroll, enroll_free, revoke
from courses.services.staff import appoint, dismiss
from ecommerce.enums import (
    UNSETTLED_STATES,
    AttemptState,
    DeskAction,
    DisputeState,
    EnrollmentAfter,
    MovementKind,
    OrderState,
    RefundOrigin,
    RefundState,
)
from ecommerce.gateways.base import DisputeNotice, PaymentNotice, PaymentOutcome
from ecommerce.models import (
    CodeUse,
    DiscountCode,
    Dispute,
    Invoice,
    Order,
    OrderLine,
    OrderLineCourse,
    PaymentAttempt,
    Refund,
    SeatSale,
)
from ecommerce.roles import WHOLE_SHOP
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.selectors.refund_plan import RefundChoice
from ecommerce.services.baskets.baskets import add_products
from ecommerce.services.checkout.checkout import begin_checkout
from ecommerce.services.checkout.review import cancel_from_review, fulfill_from_review
from ecommerce.services.payment.payments import settle_notice
from ecommerce.services.payment.sandbox import answer_sandbox
from ecommerce.services.refunds.disputes import follow_dispute
from ecommerce.services.refunds.refunds import (
    follow_refund,
    keep_second_payment,
    refund_order,
    refund_second_payment,
    undo_free_order,
)
from ecommerce.services.refunds.seats import SeatsOfRefund, assign_seats
from ecommerce.services.registration.codes import switch_off_unredeemed
from ecommerce.services.registration.desk import ChangeCode, change_code, find_other_runs, plan_change_code
from ecommerce.services.registration.redemption import redeem_registration_code
from mitxonline.kernel import clock
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.money import Money
from reports.audits.statements import fetch_reports
from reports.enums import Cause
from reports.exports.base import Asked
from reports.exports.base import Row as ReportRow
from reports.exports.catalog import REPORTS
from reports.exports.refunds import refunded_totals
from reports.exports.summary import Sold, summarize
from reports.models import GatewayEntry
from tests.ecommerce.tills import make_refund_notice
from tests.factories import (
    NOON,
    codes_of,
    make_contract,
    make_contract_run,
    make_course,
    make_product,
    make_program_product,
    make_run,
    make_user,
)
from tests.factories.invoices import line_of, make_invoice
from tests.factories.orders import make_paid_order
from tests.reports.bank import BANK, Bank
from tests.reports.readings import Reading, read_enrollments, read_payments, read_seats
from tests.reports.voiding import void_unpaid
from tests.support.undoing import undone

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(1800)]

Row = TypeVar("Row", bound=Model)


class World:
    """Four learners, three courses, a program, a free run and a contract with two courses."""

    def __init__(self) -> None:
        Bank.open()
        self.random = random.Random(0)  # noqa: S311  the same history each time
        self.now: datetime = NOON
        self.people = [make_user() for _number in range(4)]
        self.staff = make_user()
        courses = [make_course() for _number in range(4)]
        self.products = [
            make_product(make_run(course), price=price)
            for course, price in zip(courses, ("100", "80", "49", "30"), strict=True)
        ]
        self.program = make_program_product(*courses[:2], price="150")
        for course in courses[:2]:  # other starts, which staff move codes to
            make_product(make_run(course), price="100")
        self.free = make_run()
        self.contract = make_contract(seats=9)
        self.contract_runs = [make_contract_run(self.contract, make_course(), codes=4) for _number in range(2)]
        self.log: list[str] = []

    def step(self, name: str, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311
        self.now += timedelta(minutes=1)
        Bank.now = self.now
        try:
            result = ACTS[name](self)
        except DomainError as refusal:
            result = f"refused: {type(refusal).__name__}"
        self.log.append(f"{name}: {result}")

    def one(self, rows: QuerySet[Row]) -> Row | None:
        found = list(rows.order_by("pk").distinct())
        return self.random.choice(found) if found else None

    # What people do

    def buy(self) -> object:
        person, product = self.random.choice(self.people), self.random.choice([*self.products, self.program])
        owner = BasketOwner(user_id=person.pk)
        add_products(owner=owner, product_ids=[product.pk], now=self.now)
        return begin_checkout(owner=owner, user_id=person.pk, now=self.now).order.number

    def pay(self) -> object:
        attempt = self.one(PaymentAttempt.objects.filter(state__in=UNSETTLED_STATES))
        if attempt is None:
            return None
        word = self.random.choice(["accept", "accept", "accept", "later", "decline"])
        buyer = attempt.order.purchaser_id
        return word, answer_sandbox(reference=attempt.reference, user_id=buyer, answer=word, now=self.now).state

    def pay_wrongly(self) -> object:
        attempt = self.one(PaymentAttempt.objects.filter(state__in=UNSETTLED_STATES))
        if attempt is None:
            return None
        money = self.random.choice([attempt.money + attempt.money, Money("1", "USD"), Money("700", "JPY")])
        payment_id = f"pi_{attempt.reference}"
        notice = PaymentNotice(
            event_id=uuid.uuid4().hex,
            outcome=PaymentOutcome.PAID,
            reference=attempt.reference,
            session_id=attempt.session_id,
            payment_id=payment_id,
            paid=money,
        )
        Bank.enter(MovementKind.PAYMENT, payment_id, payment_id, money)
        return str(money), settle_notice(notice=notice, gateway_name="sandbox", now=self.now).state

    def buy_for_a_group(self) -> object:
        person, product = self.random.choice(self.people), self.random.choice(self.products)
        owner = BasketOwner(user_id=person.pk)
        add_products(owner=owner, product_ids=[product.pk], seats=self.random.randint(1, 4), now=self.now)
        return begin_checkout(owner=owner, user_id=person.pk, now=self.now).order.number

    def invoice(self) -> object:
        return make_invoice(line_of(self.random.choice(self.products), seats=2), now=self.now).number

    def void(self) -> object:
        invoice = self.one(Invoice.objects.exclude(state__in=["draft", "void"]))
        return invoice and void_unpaid(invoice, now=self.now).number

    def redeem_seat(self) -> object:
        code = self.one(DiscountCode.objects.filter(discount__seat_sale__isnull=False))
        if code is None:
            return None
        person = self.random.choice(self.people)
        return redeem_registration_code(text=code.text, user_id=person.pk, now=self.now).enrollment.pk

    def switch_off(self) -> object:
        sale = self.one(SeatSale.objects.all())
        return sale and switch_off_unredeemed(sale, seats=1, reason="x", by_id=None, now=self.now)

    def change_code(self) -> object:
        """Staff cancel a registration code, restore it, mark it as unused or move it, its learner with it."""
        code = self.one(DiscountCode.objects.filter(discount__seat_sale__isnull=False))
        if code is None:
            return None
        action = self.random.choice(list(DeskAction))
        runs = find_other_runs(code, code.discount.seat_sale, now=self.now)
        request = ChangeCode(
            code_id=code.pk,
            action=action,
            unenrolls=self.random.random() < 0.5,
            gives_back=self.random.random() < 0.5,
            run_id=runs[0].pk if runs else None,
        )
        seen = plan_change_code(request, now=self.now).fingerprint()
        change_code(request, reason="x", by_id=self.staff.pk, now=self.now, seen=seen)
        return action, code.pk

    def redeem_code(self) -> object:
        code = self.random.choice(codes_of(self.random.choice(self.contract_runs)))
        person = self.random.choice(self.people)
        return redeem_enrollment_code(text=code.text, user_id=person.pk, now=self.now).enrollment.pk

    def join_contract(self) -> object:
        source = self.random.choice([MembershipSource.SSO, MembershipSource.STAFF])
        person = self.random.choice(self.people)
        return add_member(contract_id=self.contract.pk, user_id=person.pk, now=self.now, source=source).pk

    def start_contract_course(self) -> object:
        seat = self.one(ContractMembership.objects.all())
        if seat is None:
            return None
        run = self.random.choice(self.contract_runs)
        return start_course(contract_run_id=run.pk, user_id=seat.user_id, now=self.now).pk

    def withdraw(self) -> object:
        seat = self.one(ContractMembership.objects.all())
        if seat is None:
            return None
        remove_member(contract_id=self.contract.pk, user_id=seat.user_id, reason="x", now=self.now)
        return seat.user_id

    def enroll_free(self) -> object:
        return enroll_free(user_id=self.random.choice(self.people).pk, run_id=self.free.pk, now=self.now).pk

    # What staff do

    def enroll_by_hand(self) -> object:
        person, product = self.random.choice(self.people), self.random.choice(self.products)
        return enroll(
            user_id=person.pk,
            run_id=product.course_run_id or 0,
            mode="verified",
            source=EnrollmentSource.MANUAL,
            now=self.now,
            granted_by_id=self.staff.pk,
            reason="Scholarship",
        ).pk

    def unenroll(self) -> object:
        grant = self.one(EnrollmentGrant.objects.filter(revoked_at=None))
        if grant is None:
            return None
        revoke(
            user_id=grant.enrollment.user_id,
            run_id=grant.enrollment.run_id,
            source=grant.source,
            reference=grant.reference,
            now=self.now,
            revoked_by_id=self.staff.pk,
            reason="Asked to leave",
        )
        return grant.pk

    def enroll_again(self) -> object:
        """Give back what was taken by hand, unless its order was refunded or its use withdrawn since."""
        grant = self.one(EnrollmentGrant.objects.filter(revoked_reason="Asked to leave", source="order"))
        if grant is None:
            return None
        line = OrderLine.objects.standing().filter(
            order__number=grant.reference,
            order__state__in=[OrderState.FULFILLED, OrderState.PARTIALLY_REFUNDED],
            product__course_run=grant.enrollment.run,
        )
        if not line.exists():
            return None
        return enroll(
            user_id=grant.enrollment.user_id,
            run_id=grant.enrollment.run_id,
            mode=grant.mode,
            source=grant.source,
            reference=grant.reference,
            now=self.now,
        ).pk

    def change_staff(self) -> object:
        known = self.one(CourseStaff.objects.all())
        if known is not None and self.random.random() < 0.5:
            dismiss(course_id=known.course_id, user_id=known.user_id, by_id=None)
            return "dismissed", known.user_id
        person, product = self.random.choice(self.people), self.random.choice(self.products)
        assert product.course_run is not None
        return appoint(course_id=product.course_run.course_id, user_id=person.pk, by_id=None).pk

    def refund(self) -> object:
        order = self.one(Order.objects.filter(attempts__state="paid"))
        if order is None:
            return None
        after = self.random.choice([EnrollmentAfter.REMOVE, EnrollmentAfter.AUDIT, EnrollmentAfter.KEEP])
        lines = list(order.lines.values_list("pk", flat=True))
        chosen = (self.random.choice(lines),) if self.random.random() < 0.5 else None
        amount = Money("5", order.currency) if self.random.random() < 0.3 else None
        choice = RefundChoice(
            reason="x",
            enrollment_after=after,
            frees_codes=after == EnrollmentAfter.REMOVE,
            line_ids=chosen,
            amount=amount,
            takes_redeemed=self.random.random() < 0.7,
        )
        return order.number, after, refund_order(order_id=order.pk, choice=choice, now=self.now, by_id=None).state

    def refund_seats(self) -> object:
        line = self.one(OrderLine.objects.filter(seats__isnull=False, order__attempts__state="paid"))
        if line is None:
            return None
        choice = RefundChoice(
            reason="x",
            enrollment_after=self.random.choice(list(EnrollmentAfter)),
            seats=((line.pk, self.random.randint(1, 3)),),
            takes_redeemed=self.random.random() < 0.5,
        )
        return (
            line.pk,
            choice.seats,
            refund_order(order_id=line.order_id, choice=choice, now=self.now, by_id=None).state,
        )

    def fail_refund(self) -> object:
        refund = self.one(Refund.objects.filter(state=RefundState.SUCCEEDED, origin="ours"))
        if refund is None:
            return None
        Bank.enter(MovementKind.REFUND, refund.attempt.payment_id, refund.gateway_refund_id, refund.money)
        notice = make_refund_notice(refund, refund_id=refund.gateway_refund_id, state=RefundState.FAILED)
        follow_refund(notice, gateway_name="sandbox", now=self.now)
        return refund.pk, Order.objects.get(pk=refund.order_id).state

    def refund_at_gateway(self) -> object:
        """Someone refunds part of a payment, or all that is left, in the gateway's dashboard."""
        attempt = self.one(PaymentAttempt.objects.filter(state=AttemptState.PAID, is_surplus=False))
        if attempt is None or attempt.refundable.is_zero:
            return None
        left = attempt.refundable
        money = left if self.random.random() < 0.3 else min(left, Money("20", left.currency))
        refund_id = f"re_{uuid.uuid4().hex}"
        Bank.enter(MovementKind.REFUND, attempt.payment_id, refund_id, -money)
        notice = make_refund_notice(attempt=attempt, refund_id=refund_id)
        follow_refund(replace(notice, amount=money), gateway_name="sandbox", now=self.now)
        return attempt.order_id, str(money)

    def say_which_seats(self) -> object:
        """Staff say which seats such a refund was for."""
        refund = self.one(Refund.objects.without_seats())
        if refund is None:
            return None
        lines = refund.order.lines.filter(seats__gt=F("seats_refunded"), due__gt=0).order_by("pk")
        seats = tuple((line.pk, 1) for line in lines[:1]) if self.random.random() < 0.7 else ()
        choice = SeatsOfRefund(reason="x", seats=seats, takes_redeemed=True)
        return seats, assign_seats(refund_id=refund.pk, choice=choice, now=self.now, by_id=None).pk

    def undo(self) -> object:
        line = self.one(OrderLine.objects.filter(due=0))
        if line is None:
            return None
        choice = RefundChoice(reason="x", frees_codes=True, line_ids=(line.pk,))
        return undo_free_order(order_id=line.order_id, choice=choice, now=self.now, by_id=None).pk

    def decide(self) -> object:
        order = self.one(Order.objects.filter(state=OrderState.REVIEW))
        if order is None:
            return None
        act = self.random.choice([fulfill_from_review, fulfill_from_review, cancel_from_review])
        return act.__name__, act(order_id=order.pk, reason="x", by_id=None, now=self.now).state

    def decide_second_payment(self) -> object:
        refund = self.one(Refund.objects.filter(state=RefundState.MARKED))
        if refund is None:
            return None
        if self.random.random() < 0.5:
            return refund_second_payment(refund_id=refund.pk, now=self.now, by_id=None).state
        return "kept", keep_second_payment(refund_id=refund.pk, reason="x", now=self.now, by_id=None).pk

    def dispute(self) -> object:
        """A buyer's bank takes money, and decides later who gets it."""
        paid = PaymentAttempt.objects.filter(state=AttemptState.PAID)
        attempt = self.one(paid)
        if attempt is None:
            return None
        dispute_id = f"dp_{attempt.pk}"
        known = Dispute.objects.filter(dispute_id=dispute_id).first()
        if known is None:
            state, funds = self.random.choice([DisputeState.NEEDS_RESPONSE, DisputeState.LOST]), "withdrawn"
            Bank.enter(MovementKind.CHARGEBACK, attempt.payment_id, dispute_id, -attempt.paid_money, fee="15")
        elif known.funds_reinstated_at is None:
            state, funds = self.random.choice([DisputeState.WON, DisputeState.LOST]), "withdrawn"
            if state == DisputeState.WON:
                funds = "reinstated"
                Bank.enter(MovementKind.WON_DISPUTE, attempt.payment_id, dispute_id, attempt.paid_money)
        else:
            return None
        notice = DisputeNotice(
            event_id=uuid.uuid4().hex,
            dispute_id=dispute_id,
            payment_id=attempt.payment_id,
            amount=attempt.paid_money,
            reason="fraudulent",
            state=state,
            funds=funds,  # type: ignore[arg-type]
        )
        follow_dispute(notice, gateway_name="sandbox", now=self.now)
        return attempt.order_id, state

    # What holds

    def audit(self) -> dict[str, Reading]:
        outcome = fetch_reports(now=self.now + timedelta(seconds=1))
        assert [each.failure for each in outcome] == [""]
        return {"enrollments": read_enrollments(), "payments": read_payments(), "seats": read_seats()}

    def check(self) -> None:
        while Refund.objects.without_seats().exists():  # listed, as long as no one has decided
            assert {row.cause for row in read_seats().rows if not row.is_explained} == {Cause.NOT_ASSIGNED}
            self.step("say_which_seats", self.random.randint(0, 99))
        readings = self.audit()
        for name, reading in readings.items():
            rows = [row for row in reading.rows if not row.is_explained]
            assert rows == [], f"{name}: {rows}"
        figures = readings["enrollments"].figures()
        total = figures.pop("total")
        assert total == sum(figures.values()) == Enrollment.objects.filter(active=True).count()
        assert figures["unexplained"] == 0
        for section in readings["payments"].result.sections:
            of_section = readings["payments"].figures(section.currency)
            rows = [row for row in readings["payments"].rows if row.currency == section.currency]
            assert sum((row.difference or Decimal(0) for row in rows), Decimal(0)) == of_section["difference"]
        sold = readings["seats"].figures()
        made = DiscountCode.objects.filter(discount__seat_sale__isnull=False)
        assert sold["ordered"] + sold["invoiced"] == made.count()
        redeemed = made.filter(code_uses__state__in=["confirmed", "retired"]).distinct().count()
        assert sold["redeemed"] == redeemed
        assert sold["redeemed"] + sold["unused"] + sold["off"] == made.count()
        self.check_summary(readings)

    def check_summary(self, readings: dict[str, Reading]) -> None:
        """The executive summary says of seats, revenue and refunds what the audits and the report of refunds say."""
        first, last = clock.date_of(NOON) - timedelta(days=30), clock.date_of(self.now) + timedelta(days=30)
        asked = Asked(first=first, last=last, scope=WHOLE_SHOP)
        summary, returned = summarize(asked), list(REPORTS["refunds"].rows(asked))
        sold = readings["seats"].figures()
        of_programs = OrderLine.objects.filter(order__fulfilled_at__isnull=False, product__program__isnull=False)
        courses = OrderLineCourse.objects.filter(line__in=of_programs, run__isnull=False)
        assert sum(each.single for each in summary) == sold["single"] - courses.count() + of_programs.count()
        assert sum(each.group for each in summary) == sold["ordered"]
        assert sum(each.invoiced for each in summary) == sold["invoiced"]
        assert sum(each.unused or 0 for each in summary) == sold["unused"]
        for section in readings["payments"].result.sections:
            figures = readings["payments"].figures(section.currency)
            revenue = sum((each.revenue for each in summary if each.currency == section.currency), Decimal(0))
            assert revenue == figures["single"] + figures["registration"]
            self.check_refunds(section.currency, summary, returned, asked, audited=-figures["refunds"])

    @staticmethod
    def check_refunds(
        currency: str, summary: list[Sold], returned: list[ReportRow], asked: Asked, *, audited: Decimal
    ) -> None:
        amounts = [(bool(row[5]), Decimal(str(row[7]))) for row in returned if row[8] == currency]
        of_courses = sum((amount for is_of_course, amount in amounts if is_of_course), Decimal(0))
        assert sum((each.refunded for each in summary if each.currency == currency), Decimal(0)) == of_courses
        total = sum((amount for _is_of_course, amount in amounts), Decimal(0))
        assert refunded_totals(asked).get(currency, Decimal(0)) == total
        # The audit counts those under way, and the bank's among the chargebacks.
        refunds = Refund.objects.filter(currency=currency)
        ours = refunds.exclude(origin=RefundOrigin.BANK)
        under_way = ours.filter(state__in=[RefundState.PENDING, RefundState.DIFFERS])
        by_bank = refunds.filter(origin=RefundOrigin.BANK, state=RefundState.SUCCEEDED)
        told = Coalesce("told_amount", "amount")
        differs = ours.filter(state=RefundState.SUCCEEDED).annotate(more=told - F("amount"))
        assert audited == (
            total
            - (by_bank.aggregate(sum=Sum("amount"))["sum"] or 0)
            + (under_way.aggregate(sum=Sum(told))["sum"] or 0)
            + (differs.aggregate(sum=Sum("more"))["sum"] or 0)
        )


ACTS: dict[str, Callable[[World], object]] = {
    name: act
    for name, act in vars(World).items()
    if callable(act)
    and not name.startswith("_")
    and not name.startswith("check")
    and name not in {"step", "one", "audit"}
}
# What makes something is done more often than what undoes it.
WEIGHTS = {
    "buy": 6,
    "pay": 8,
    "buy_for_a_group": 3,
    "redeem_seat": 4,
    "redeem_code": 2,
    "refund": 3,
    "refund_seats": 2,
    "change_code": 2,
    "dispute": 2,
}
names = st.sampled_from([name for name in ACTS for _times in range(WEIGHTS.get(name, 1))])
histories = st.lists(st.tuples(names, st.integers(0, 2**16)), min_size=15, max_size=45)


@pytest.fixture(autouse=True)
def bank(settings: Any) -> None:
    settings.PAYMENT_GATEWAYS = [BANK]


@settings(max_examples=int(os.environ.get("HISTORIES", "5")), deadline=None, suppress_health_check=list(HealthCheck))
@given(histories)
def test_the_books_balance_after_any_history(history: list[tuple[str, int]]) -> None:
    """With HISTORIES=200 there are more of them, which takes minutes."""
    with undone():
        world = World()
        try:
            for name, seed in history:
                world.step(name, seed)
            world.check()
        except Exception as error:
            error.add_note("\n".join(world.log))
            raise


def _delete_grant(world: World) -> str:
    grant = EnrollmentGrant.objects.filter(source="order", revoked_at=None).latest("pk")
    grant.delete()
    return grant.reference


def _change_line(world: World) -> str:
    line = OrderLine.objects.filter(due__gt=10, refunded=0, order__state=OrderState.FULFILLED).latest("pk")
    OrderLine.objects.filter(pk=line.pk).update(list_price=line.list_price - 7, due=line.due - 7)
    return line.order.number


def _add_enrollment(world: World) -> str:
    stranger = make_user("mallory@example.test")
    Enrollment.objects.create(user=stranger, run=world.free, mode="audit", enrolled_at=world.now)
    return stranger.email


def _delete_use(world: World) -> str:
    use = CodeUse.objects.filter(code__discount__seat_sale__isnull=False, state="confirmed").latest("pk")
    use.delete()
    return use.user.email


def _delete_code(world: World) -> str:
    code = DiscountCode.objects.filter(discount__seat_sale__isnull=False, uses=0).latest("pk")
    number = code.discount.name.rpartition(" ")[2]
    code.delete()
    return str(number)


def _forget_refund(world: World) -> str:
    refund = Refund.objects.filter(state="succeeded").latest("pk")
    Refund.objects.filter(pk=refund.pk).update(state="failed")
    return refund.order.number


def _forget_payment(world: World) -> str:
    attempt = PaymentAttempt.objects.filter(state="paid", refunds=None, order__state=OrderState.FULFILLED).latest("pk")
    PaymentAttempt.objects.filter(pk=attempt.pk).update(state="expired")
    return attempt.order.number


def _add_entry(world: World) -> str:
    entry = GatewayEntry.objects.filter(kind="payment").latest("pk")
    entry.pk, entry.entry_id, entry.payment_id = None, "txn_forged", "pi_forged"
    entry.save()
    return "pi_forged"


def _change_entry(world: World) -> str:
    attempt = PaymentAttempt.objects.filter(state="paid", refunds=None, order__state=OrderState.FULFILLED).latest("pk")
    GatewayEntry.objects.filter(payment_id=attempt.payment_id, kind="payment").update(amount=1)
    return attempt.order.number


def _end_enrollment(world: World) -> str:
    grant = EnrollmentGrant.objects.filter(source="registration", revoked_at=None).latest("pk")
    Enrollment.objects.filter(pk=grant.enrollment_id).update(active=False)
    return grant.enrollment.user.email


def _change_reference(world: World) -> str:
    grant = EnrollmentGrant.objects.filter(source="order", revoked_at=None).latest("pk")
    EnrollmentGrant.objects.filter(pk=grant.pk).update(reference="TS-0000")
    return "TS-0000"


def _change_sale(world: World) -> str:
    sale = SeatSale.objects.filter(order_line__isnull=False).latest("pk")
    SeatSale.objects.filter(pk=sale.pk).update(seats=F("seats") + 1)
    assert sale.order_line is not None
    return sale.order_line.order.number


def _hide_refund_there(world: World) -> str:
    """A refund of a group's line in the gateway's dashboard, of which no one says which seats it was for."""
    attempt = PaymentAttempt.objects.filter(state="paid", refunds=None, order__lines__seats=2).latest("pk")
    notice = make_refund_notice(attempt=attempt, amount="20")
    # Longer ago than a gateway's report may be late.
    follow_refund(notice, gateway_name="sandbox", now=world.now - timedelta(days=2))
    return attempt.order.number


@pytest.mark.parametrize(
    ("sabotage", "audit", "cause"),
    [
        (_delete_grant, "enrollments", Cause.GRANT_MISSING),
        (_add_enrollment, "enrollments", Cause.NO_REASON),
        (_delete_use, "enrollments", Cause.NO_REASON),
        (_change_line, "payments", Cause.WRONG_AMOUNT),
        (_change_line, "seats", Cause.LINES_DIFFER),
        (_forget_refund, "payments", Cause.REFUND_UNKNOWN),
        (_forget_payment, "payments", Cause.NO_MONEY),
        (_add_entry, "payments", Cause.NO_ORDER),
        (_change_entry, "payments", Cause.WRONG_AMOUNT),
        (_delete_code, "seats", Cause.CODES_DIFFER),
        (_end_enrollment, "enrollments", Cause.FLAG_WRONG),
        (_change_reference, "enrollments", Cause.GRANT_ASTRAY),
        (_change_sale, "seats", Cause.SEATS_DIFFER),
        (_hide_refund_there, "seats", Cause.NOT_ASSIGNED),
        (_hide_refund_there, "payments", Cause.REFUND_MISSING),
    ],
)
def test_a_sabotaged_row_is_found_and_named(sabotage: Callable[[World], str], audit: str, cause: Cause) -> None:
    """The control: one row is changed behind the services' back in a history that balances."""
    world = World()
    story = ["buy", "pay", "buy_for_a_group", "redeem_seat", "redeem_code", "enroll_by_hand", "refund", "buy", "pay"]
    for seed in range(4):
        for name in story:
            world.step(name, seed)
    for _more in range(3):
        make_group_of_one(world)
    world.check()
    world.now += timedelta(days=2)  # beyond what a gateway may be late
    world.audit()
    named = sabotage(world)
    outcome = {"enrollments": read_enrollments, "payments": read_payments, "seats": read_seats}[audit]()
    found = {(row.cause, row.key) for row in outcome.rows} | {(row.cause, row.email) for row in outcome.rows}
    assert (cause, named) in found
    assert not outcome.result.is_balanced


def make_group_of_one(world: World) -> None:
    """A paid order of someone new, a group order and a redeemed seat, whatever the story came to."""
    buyer, learner = make_user(), make_user()
    single = make_paid_order(world.products[0], buyer=buyer)
    group = make_paid_order(world.products[1], buyer=buyer, seats=2)
    for order in (single, group):
        attempt = order.attempts.get()
        PaymentAttempt.objects.filter(pk=attempt.pk).update(settled_at=world.now)
        Bank.enter(MovementKind.PAYMENT, attempt.payment_id, attempt.payment_id, attempt.money)
    choice = RefundChoice(reason="x", enrollment_after=EnrollmentAfter.KEEP, amount=Money("5", "USD"))
    refund_order(order_id=single.pk, choice=choice, now=world.now, by_id=None)
    code = DiscountCode.objects.filter(discount__seat_sale__order_line__order=group).first()
    assert code is not None
    redeem_registration_code(text=code.text, user_id=learner.pk, now=world.now)

"""Random histories of carts, codes, payments and refunds: the ledger and the rules always hold."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

import pytest
from django.db import connection
from django.db.models import Model, QuerySet, Sum

from courses.enums import EnrollmentSource
from courses.services.enrollments import enroll
from ecommerce.enums import (
    UNSETTLED_STATES,
    AttemptState,
    DisputeState,
    EnrollmentAfter,
    OrderState,
    RedemptionType,
    RefundState,
)
from ecommerce.gateways.base import DisputeNotice, PaymentNotice, PaymentOutcome
from ecommerce.models import Order, OrderLine, PaymentAttempt, Refund
from ecommerce.selectors.audit import find_discrepancies
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.selectors.refund_plan import RefundChoice
from ecommerce.services.baskets.baskets import add_products, apply_code, remove_code, remove_product
from ecommerce.services.checkout.checkout import begin_checkout, release_lapsed_orders
from ecommerce.services.checkout.review import cancel_from_review, fulfill_from_review
from ecommerce.services.orders.enrollment import find_rights
from ecommerce.services.payment.payments import finish_interrupted, settle_notice
from ecommerce.services.payment.pending import check_due_payments
from ecommerce.services.payment.sandbox import answer_sandbox
from ecommerce.services.refunds.disputes import follow_dispute
from ecommerce.services.refunds.refunds import (
    follow_refund,
    keep_second_payment,
    refund_order,
    refund_second_payment,
    undo_free_order,
)
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.money import Money
from tests.ecommerce.tills import make_refund_notice
from tests.factories import NOON, make_code, make_discount, make_product, make_user

pytestmark = pytest.mark.django_db

STEPS = 50

Row = TypeVar("Row", bound=Model)


class World:
    """Two learners, four courses and codes of each kind; every step is drawn at random."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311  the same seed is the same history
        self.now: datetime = NOON
        self.users = [make_user(), make_user()]
        self.products = [make_product(price=price) for price in ("100", "80", "49", "3")]
        half = make_discount(amount="50", redemption_type=RedemptionType.ONE_TIME)
        personal = make_discount(amount="30", redemption_type=RedemptionType.ONE_TIME_PER_USER)
        free = make_discount(amount="100", products=self.products[:2])
        voucher = make_discount(kind="amount_off", amount="60", currency="USD")
        each = make_discount(kind="amount_off_each", amount="3", currency="USD")
        self.codes = [
            make_code(half, max_uses=1),
            make_code(personal, max_uses=None),
            make_code(free, max_uses=1),
            make_code(voucher, max_uses=2),
            make_code(each, max_uses=None),
        ]
        self.log: list[str] = []

    def steps(self) -> list[tuple[int, Callable[[], object]]]:
        return [
            (8, self.add),
            (2, self.remove),
            (6, self.apply),
            (1, self.unapply),
            (8, self.check_out),
            (10, self.answer),
            (1, self.pay_wrongly),
            (1, self.staff_enroll),
            (2, self.let_time_pass),
            (4, self.refund),
            (2, self.fail_refund),
            (2, self.undo),
            (3, self.decide),
            (2, self.dispute),
            (2, self.decide_marked),
        ]

    def step(self) -> None:
        weights, acts = zip(*self.steps(), strict=True)
        (act,) = self.random.choices(acts, weights)
        try:
            result = act()
        except DomainError as refusal:
            result = f"refused: {type(refusal).__name__}"
        self.log.append(f"{act.__name__}: {result}")

    def owner(self) -> BasketOwner:
        return BasketOwner(user_id=self.random.choice(self.users).pk)

    def add(self) -> object:
        owner, product = self.owner(), self.random.choice(self.products)
        add_products(owner=owner, product_ids=[product.pk], now=self.now)
        return owner.user_id, product.pk

    def remove(self) -> object:
        owner, product = self.owner(), self.random.choice(self.products)
        remove_product(owner=owner, product_id=product.pk, now=self.now)
        return owner.user_id, product.pk

    def apply(self) -> object:
        owner, code = self.owner(), self.random.choice(self.codes)
        apply_code(owner=owner, text=code.text, user_id=owner.user_id, now=self.now)
        return owner.user_id, code.pk

    def unapply(self) -> object:
        owner, code = self.owner(), self.random.choice(self.codes)
        remove_code(owner=owner, code_id=code.pk, now=self.now)
        return owner.user_id, code.pk

    def check_out(self) -> object:
        owner = self.owner()
        found = begin_checkout(owner=owner, user_id=owner.user_id or 0, now=self.now)
        return owner.user_id, found.order.pk, str(found.order.money), found.order.state

    def answer(self) -> object:
        attempt = self.one(PaymentAttempt.objects.filter(state__in=UNSETTLED_STATES))
        if attempt is None:
            return None
        word = self.random.choice(["accept", "accept", "accept", "later", "decline", "abandon"])
        order = answer_sandbox(
            reference=attempt.reference, user_id=attempt.order.purchaser_id, answer=word, now=self.now
        )
        return order.pk, attempt.pk, word, order.state, order.review_cause

    def pay_wrongly(self) -> object:
        attempt = self.one(PaymentAttempt.objects.filter(state__in=UNSETTLED_STATES))
        if attempt is None:
            return None
        money = self.random.choice([attempt.money + attempt.money, Money("1", "USD"), Money("700", "JPY")])
        notice = PaymentNotice(
            event_id=uuid.uuid4().hex,
            outcome=PaymentOutcome.PAID,
            reference=attempt.reference,
            session_id=attempt.session_id,
            payment_id=f"pi_{attempt.reference}",
            paid=money,
        )
        order = settle_notice(notice=notice, gateway_name="sandbox", now=self.now)
        return order.pk, attempt.pk, str(money), order.state

    def staff_enroll(self) -> object:
        user, product = self.random.choice(self.users), self.random.choice(self.products)
        enroll(
            user_id=user.pk,
            run_id=product.course_run_id or 0,
            mode="verified",
            source=EnrollmentSource.CONTRACT,
            reference="contract 1",
            now=self.now,
        )
        return user.pk, product.pk

    def let_time_pass(self) -> object:
        self.now += timedelta(minutes=self.random.choice([5, 61, 60 * 26]))
        return check_due_payments(now=self.now), release_lapsed_orders(now=self.now), finish_interrupted(now=self.now)

    def refund(self) -> object:
        order = self.one(Order.objects.filter(attempts__state="paid"))
        if order is None:
            return None
        after = self.random.choice([EnrollmentAfter.REMOVE, EnrollmentAfter.REMOVE, EnrollmentAfter.KEEP])
        choice = RefundChoice(reason="x", enrollment_after=after, frees_codes=after == EnrollmentAfter.REMOVE)
        how = self.random.choice(["all", "line"])
        if how == "line":
            lines = list(order.lines.values_list("pk", flat=True))
            choice = RefundChoice(
                reason="x",
                enrollment_after=after,
                frees_codes=choice.frees_codes,
                line_ids=(self.random.choice(lines),),
            )
        found = refund_order(order_id=order.pk, choice=choice, now=self.now, by_id=None)
        return order.pk, found.pk, str(found.money), found.state, how, after

    def fail_refund(self) -> object:
        refund = self.one(Refund.objects.filter(state=RefundState.SUCCEEDED, origin="ours"))
        if refund is None:
            return None
        notice = make_refund_notice(refund, refund_id=refund.gateway_refund_id, state=RefundState.FAILED)
        follow_refund(notice, gateway_name="sandbox", now=self.now)
        return refund.pk, Order.objects.get(pk=refund.order_id).state

    def undo(self) -> object:
        line = self.one(OrderLine.objects.filter(due=0))
        if line is None:
            return None
        choice = RefundChoice(reason="x", frees_codes=True, line_ids=(line.pk,))
        return undo_free_order(order_id=line.order_id, choice=choice, now=self.now, by_id=None).pk, line.pk

    def decide(self) -> object:
        order = self.one(Order.objects.filter(state=OrderState.REVIEW))
        if order is None:
            return None
        act = self.random.choice([fulfill_from_review, fulfill_from_review, cancel_from_review])
        return act.__name__, act(order_id=order.pk, reason="x", by_id=None, now=self.now).pk

    def dispute(self) -> object:
        attempt = self.one(PaymentAttempt.objects.filter(state="paid"))
        if attempt is None:
            return None
        notice = DisputeNotice(
            event_id=uuid.uuid4().hex,
            dispute_id=f"dp_{attempt.pk}",
            payment_id=attempt.payment_id,
            amount=attempt.paid_money,
            reason="fraudulent",
            state=self.random.choice([DisputeState.LOST, DisputeState.WON, DisputeState.NEEDS_RESPONSE]),
        )
        follow_dispute(notice, gateway_name="sandbox", now=self.now)
        return attempt.order_id, notice.state

    def decide_marked(self) -> object:
        refund = self.one(Refund.objects.filter(state=RefundState.MARKED))
        if refund is None:
            return None
        if self.random.random() < 0.5:
            return refund_second_payment(refund_id=refund.pk, now=self.now, by_id=None).pk
        return "kept", keep_second_payment(refund_id=refund.pk, reason="x", now=self.now, by_id=None).pk

    def one(self, rows: QuerySet[Row]) -> Row | None:
        found = list(rows.order_by("pk").distinct())
        return self.random.choice(found) if found else None

    # What holds after every step

    def check(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        lapsed = set(Refund.objects.filter(state=RefundState.FAILED).values_list("order__number", flat=True))
        found = [each for each in find_discrepancies() if not (each.check == "use" and each.subject in lapsed)]
        assert found == []
        self.check_codes()
        self.check_lines()
        self.check_money()
        self.check_courses()

    def check_codes(self) -> None:
        """No code has more live uses than its limit."""
        lines = OrderLine.objects.standing().filter(order__state="fulfilled", takes_use=True)
        rows = set(lines.values_list("code", "order", "order__purchaser"))
        by_code = Counter(code for code, _order, _user in rows)
        by_person = Counter((code, user) for code, _order, user in rows)
        for code in self.codes:
            if code.max_uses is not None:
                assert by_code[code.pk] <= code.max_uses, f"code {code.pk} serves {by_code[code.pk]}"
        for (code_id, user_id), count in by_person.items():
            assert count == 1, f"user {user_id} has {count} orders with code {code_id}"

    def check_lines(self) -> None:
        for line in OrderLine.objects.all():
            alive = line.refund_lines.exclude(refund__state__in=["failed", "canceled", "marked"])
            booked = alive.aggregate(sum=Sum("amount"))["sum"] or Decimal(0)
            assert booked == line.refunded, f"line {line.pk}: {line.refunded} but {booked}"

    def check_money(self) -> None:
        """Money of an order that gives nothing for it is refunded or awaits a decision."""
        for attempt in PaymentAttempt.objects.filter(state=AttemptState.PAID).select_related("order"):
            if attempt.refundable.is_zero or attempt.order.state in {"fulfilled", "partially_refunded", "review"}:
                continue
            asked = attempt.refunds.filter(state="marked").exists()
            kept = attempt.refunds.filter(state="canceled").exists()
            assert asked or kept, f"{attempt.refundable} of order {attempt.order_id} ({attempt.order.state}) lies there"

    def check_courses(self) -> None:
        for order in Order.objects.filter(state="fulfilled"):
            lines = list(order.lines.standing().select_related("product"))
            rights = find_rights(order, lines)
            for line in lines:
                assert rights[line.pk], f"order {order.pk} is fulfilled without the course of line {line.pk}"


@pytest.mark.parametrize("seed", range(8))
def test_the_ledger_holds_after_any_history(seed: int) -> None:
    world = World(seed)
    for _step in range(STEPS):
        try:
            world.step()
            world.check()
        except Exception as error:
            error.add_note("\n".join(world.log))
            raise

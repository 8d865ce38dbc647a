"""Races for a registration code: two learners, two codes of one learner, and staff who switch it off meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from b2b.models import HandOut
from b2b.services.handouts.assign import SaleHandOutRequest, hand_out
from b2b.services.handouts.recipients import Recipient
from courses.models import Enrollment, EnrollmentGrant
from ecommerce.enums import DeskAction, EnrollmentAfter, UseState
from ecommerce.errors.registration import CodeOffAlready, RegistrationCodeOff, SeatsRedeemed
from ecommerce.models import CodeUse, DiscountCode, Order, Refund, SeatSale
from ecommerce.selectors.refund_plan import RefundChoice
from ecommerce.selectors.seats import choose_seats
from ecommerce.services.discounts import codes as code_services
from ecommerce.services.refunds.refunds import refund_order
from ecommerce.services.registration import desk, redemption, taking_back
from ecommerce.services.registration.codes import switch_off_unredeemed
from ecommerce.services.registration.desk import ChangeCode, CodePlan, change_code, plan_change_code
from ecommerce.services.registration.redemption import SeatRedemption, redeem_registration_code
from mitxonline.kernel.db import LockableQuerySet
from mitxonline.kernel.fingerprint import PlanChanged, refuse_unless_seen
from mitxonline.users.models import User
from tests.ecommerce.tills import install_till
from tests.factories import NOON, make_product, make_user
from tests.factories.orders import make_paid_order
from tests.factories.seats import make_seat_sale
from tests.support.together import MeetAt, Together

pytestmark = pytest.mark.django_db(transaction=True)


def kinds(results: list[Any]) -> Counter[str]:
    return Counter(type(each).__name__ for each in results)


def redeeming(learner: User, code: DiscountCode) -> Callable[[], Any]:
    return lambda: redeem_registration_code(text=code.text, user_id=learner.pk, now=NOON)


def switching_off(sale: SeatSale, seats: int) -> Callable[[], Any]:
    return lambda: switch_off_unredeemed(sale, seats=seats, reason="Refunded", by_id=None, now=NOON)


def codes_of(sale: SeatSale) -> list[DiscountCode]:
    return list(sale.discount.codes.order_by("pk"))


def test_one_code_eight_learners(together: Together, meet_at: MeetAt) -> None:
    make_seat_sale(seats=2)
    sale = make_seat_sale(seats=2)
    code, other = codes_of(sale)
    meeting = meet_at(code_services, "claim_row", parties=8, before=True, patience=20.0)
    answers = kinds(together(*(redeeming(make_user(), code) for _each in range(8))))
    assert meeting.happened
    assert answers == {"SeatRedemption": 1, "RegistrationCodeUsed": 7}
    assert CodeUse.objects.count() == Enrollment.objects.count() == 1
    assert list(DiscountCode.objects.filter(pk__in=[code.pk, other.pk]).order_by("pk").values_list("uses")) == [
        (1,),
        (0,),
    ]


def test_two_codes_of_one_learner_for_one_course_use_one(together: Together) -> None:
    sale, learner = make_seat_sale(seats=2), make_user()
    answers = kinds(together(*(redeeming(learner, code) for code in codes_of(sale))))
    assert answers == {"SeatRedemption": 1, "CourseOwnedAlready": 1}
    assert CodeUse.objects.count() == EnrollmentGrant.objects.filter(enrollment__user=learner).count() == 1


def test_without_the_learners_lock_two_codes_are_used(
    together: Together, meet_at: MeetAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    sale, learner = make_seat_sale(seats=2), make_user()
    monkeypatch.setattr(redemption, "lock_courses_of", lambda user_id: None)
    meeting = meet_at(code_services, "claim_row", parties=2, before=True, patience=20.0)
    together(*(redeeming(learner, code) for code in codes_of(sale)))
    assert meeting.happened
    assert CodeUse.objects.count() == 2  # if this fails, the test above proves nothing


@pytest.mark.parametrize("learners", [1, 2, 3])
def test_a_seat_is_redeemed_or_switched_off_never_both(together: Together, meet_at: MeetAt, learners: int) -> None:
    sale = make_seat_sale(seats=3)
    codes = codes_of(sale)
    meet_at(code_services, "claim_row", parties=learners, before=True, patience=20.0)
    redemptions = [redeeming(make_user(), code) for code in codes[:learners]]
    answers = together(*redemptions, switching_off(sale, 3))
    redeemed, off = kinds(answers)["SeatRedemption"], answers[-1]
    assert redeemed + off == 3
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM ecommerce_discountcode WHERE uses > 0 AND NOT active")
        assert cursor.fetchone() == (0,)
    assert Enrollment.objects.count() == CodeUse.objects.count() == redeemed


def refunding(sale: SeatSale, refund_of: Order) -> Callable[[], Any]:
    line = refund_of.lines.get()
    wanted = RefundChoice(
        reason="Fewer people", enrollment_after=EnrollmentAfter.REMOVE, seats=((line.pk, sale.seats),)
    )
    return lambda: refund_order(order_id=refund_of.pk, choice=wanted, now=NOON, by_id=None)


def canceling(code: DiscountCode) -> Callable[[], Any]:
    request = ChangeCode(code_id=code.pk, action=DeskAction.CANCEL)
    seen = plan_change_code(request, now=NOON).fingerprint()
    return lambda: change_code(request, reason="Phone call", by_id=None, now=NOON, seen=seen)


@pytest.fixture
def given(settings: Any) -> SeatSale:
    """One seat, handed out, beside another purchase."""
    install_till(settings)
    make_seat_sale(seats=2)
    order = make_paid_order(make_product(price="100"), seats=1, gateway="till")
    sale = SeatSale.objects.get(order_line__order=order)
    recipients = [Recipient("ann@x.example")]
    hand_out(SaleHandOutRequest(sale.pk, recipients=recipients), by_id=order.purchaser_id, now=NOON)
    return sale


def order_of(sale: SeatSale) -> Order:
    assert sale.order_line is not None
    return sale.order_line.order


@pytest.mark.parametrize("_round", range(4))
def test_redeemed_refunded_and_canceled_at_once(together: Together, given: SeatSale, _round: int) -> None:
    (code,) = codes_of(given)
    learner = make_user("ann@x.example")
    answers = together(redeeming(learner, code), refunding(given, order_of(given)), canceling(code))
    redeemed, refund, canceled = answers
    code.refresh_from_db()
    is_redeemed = isinstance(redeemed, SeatRedemption)
    assert is_redeemed is CodeUse.objects.filter(code=code, state=UseState.CONFIRMED).exists()
    assert is_redeemed is Enrollment.objects.active().filter(user=learner).exists()
    assert not (is_redeemed and isinstance(refund, Refund))
    assert code.active is (not isinstance(refund, Refund) and not isinstance(canceled, CodePlan))
    assert HandOut.objects.open().exists() is code.active
    possible = (SeatRedemption, Refund, CodePlan, RegistrationCodeOff, SeatsRedeemed, PlanChanged, CodeOffAlready)
    assert all(isinstance(each, possible) for each in answers), answers


def test_without_the_lock_of_its_codes_a_refund_takes_a_seat_that_is_redeemed_meanwhile(
    together: Together, given: SeatSale, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = codes_of(given)
    redeemed: list[Any] = []
    learner = make_user("ann@x.example")

    def choose_then_redeem(*args: Any, **options: Any) -> Any:
        chosen = choose_seats(*args, **options)
        redeemed.extend(together(redeeming(learner, code)))
        return chosen

    monkeypatch.setattr(taking_back, "lock_codes", lambda sale: None)
    monkeypatch.setattr(taking_back, "choose_seats", choose_then_redeem)
    refunding(given, order_of(given))()
    code.refresh_from_db()
    # If this fails, the test above proves nothing.
    assert (kinds(redeemed), code.active, code.uses) == ({"SeatRedemption": 1}, False, 1)


def test_without_the_desks_locks_a_code_is_canceled_that_is_redeemed_meanwhile(
    together: Together, given: SeatSale, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = codes_of(given)
    redeemed: list[Any] = []
    learner, cancel = make_user("ann@x.example"), canceling(code)

    def judge_then_redeem(seen: str, plan: str) -> None:
        refuse_unless_seen(seen, plan)
        redeemed.extend(together(redeeming(learner, code)))

    monkeypatch.setattr(LockableQuerySet, "locked", lambda self: self)
    monkeypatch.setattr(desk, "refuse_unless_seen", judge_then_redeem)
    cancel()
    code.refresh_from_db()
    # If this fails, the test of all three at once proves nothing about the desk.
    assert (kinds(redeemed), code.active, code.uses) == ({"SeatRedemption": 1}, False, 1)

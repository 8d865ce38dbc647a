"""Races for a registration code: two learners, two codes of one learner, and staff who switch it off meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from courses.models import Enrollment, EnrollmentGrant
from ecommerce.models import CodeUse, DiscountCode, SeatSale
from ecommerce.services.discounts import codes as code_services
from ecommerce.services.registration import redemption
from ecommerce.services.registration.codes import switch_off_unredeemed
from ecommerce.services.registration.redemption import redeem_registration_code
from mitxonline.users.models import User
from tests.factories import NOON, make_user
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

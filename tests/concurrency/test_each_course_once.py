"""Two orders for one course fulfilled at once: one enrolls, the other goes to review."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from courses.enums import EnrollmentSource
from courses.models import Enrollment
from courses.services.enrollments import enroll
from ecommerce.enums import OrderState, ReviewCause
from ecommerce.models import Order, Product
from ecommerce.services.orders import fulfillment
from ecommerce.services.orders.fulfillment import fulfill_or_review
from mitxonline.users.models import User
from tests.factories import NOON, make_course, make_product, make_program_product, make_run, make_user
from tests.factories.orders import make_paid_order
from tests.support.together import MeetAt, Together

pytestmark = pytest.mark.django_db(transaction=True)


def pending(buyer: User, product: Product) -> Order:
    order = make_paid_order(product, buyer=buyer, state=OrderState.PENDING)
    return Order.objects.get(pk=order.pk)


def fulfilling(order: Order) -> Callable[[], Any]:
    return lambda: fulfill_or_review(order_id=order.pk, now=NOON)


def orders_for_one_course(buyer: User) -> list[Order]:
    """A program, and another run of one of its courses: the two share no row but the learner's."""
    course, other = make_course(), make_course()
    soon, _other = make_run(course), make_run(other)
    later = make_product(make_run(course))
    assert soon != later.course_run
    return [pending(buyer, make_program_product(course, other, sku="P1")), pending(buyer, later)]


@pytest.mark.parametrize("turned", [False, True])
def test_two_orders_for_one_course_at_once(together: Together, *, turned: bool) -> None:
    buyer, stranger = make_user(), make_user()
    orders = orders_for_one_course(buyer)
    other = pending(stranger, make_product())
    calls = [fulfilling(order) for order in [*(reversed(orders) if turned else orders), other]]
    answers = together(*calls)
    assert not [each for each in answers if isinstance(each, BaseException)]
    states = Counter(Order.objects.filter(purchaser=buyer).values_list("state", "review_cause"))
    assert states == {(OrderState.FULFILLED, ""): 1, (OrderState.REVIEW, ReviewCause.HAS_COURSE): 1}
    courses = Enrollment.objects.of(buyer.pk).values_list("run__course_id", flat=True)
    assert len(courses) == len(set(courses))
    assert Order.objects.get(pk=other.pk).state == OrderState.FULFILLED


def test_without_the_lock_both_would_be_fulfilled(
    together: Together, meet_at: MeetAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: both have asked what the learner has before either gives anything."""
    monkeypatch.setattr(fulfillment, "lock_courses_of", lambda user_id: None)
    buyer = make_user()
    orders = orders_for_one_course(buyer)
    meeting = meet_at(fulfillment, "_refuse_owned_courses", parties=2, patience=20.0)
    together(*map(fulfilling, orders))
    assert meeting.happened
    assert set(Order.objects.values_list("state", flat=True)) == {OrderState.FULFILLED}


def test_staff_who_enroll_the_buyer_in_that_moment_are_seen(together: Together) -> None:
    """Staff take no lock of the shop's: the learner's row in the run is what both meet at."""
    buyer, staff = make_user(), make_user()
    product = make_product()
    order = pending(buyer, product)
    original = fulfillment._refuse_owned_courses

    def asked_before(*args: Any, **kwargs: Any) -> None:
        original(*args, **kwargs)
        together(
            lambda: enroll(
                user_id=buyer.pk, run_id=product.course_run_id or 0, mode="verified",
                source=EnrollmentSource.MANUAL, granted_by_id=staff.pk, reason="asked us", now=NOON,
            )
        )  # fmt: skip

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fulfillment, "_refuse_owned_courses", asked_before)
        fulfill_or_review(order_id=order.pk, now=NOON)
    order.refresh_from_db()
    assert (order.state, order.review_cause) == (OrderState.REVIEW, ReviewCause.HAS_COURSE)

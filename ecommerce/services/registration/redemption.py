"""Redeeming a registration code: one use, one enrollment, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from courses.enums import EnrollmentSource
from courses.models import CourseRun, Enrollment
from courses.services.enrollments import enroll
from ecommerce.errors.codes import CodeRefused, CodeUnknown
from ecommerce.errors.registration import RegistrationCodeUsed
from ecommerce.models import DiscountCode
from ecommerce.rules import lock_courses_of
from ecommerce.selectors.codes import find_code, find_person_refusal
from ecommerce.selectors.offers import find_buyer
from ecommerce.selectors.registration import find_opened_run, find_seat_sale, judge_seat, name_giver
from ecommerce.services.baskets.baskets import drop_bought_course, lock_baskets_of
from ecommerce.services.discounts.codes import use_code


@dataclass(frozen=True, slots=True)
class SeatRedemption:
    """The result of redeeming a registration code; `was_redeemed_before` if it had given the course already."""

    enrollment: Enrollment
    run: CourseRun
    was_redeemed_before: bool


def use_reference(use_id: int) -> str:
    """Name a use of a code in the grant that it gave."""
    return f"use {use_id}"


def _refuse_another_person(code: DiscountCode, *, user_id: int) -> None:
    """Raise CodeForSomebodyElse if the code was handed out to someone else meanwhile."""
    if (refusal := find_person_refusal(code, find_buyer(user_id, discounts=[code.discount], codes=[code]))) is not None:
        raise refusal


def redeem_registration_code(*, text: str, user_id: int, now: datetime) -> SeatRedemption:
    """Redeem a registration code: one use and one enrollment, all or nothing. May be repeated.

    The course leaves the learner's cart. A learner who audits it is upgraded, one who was unenrolled is enrolled again.
    Raises CodeUnknown, or the CodeRefused that says why the code gives nothing.
    """
    with transaction.atomic():
        lock_baskets_of(user_id)
        # Two codes of one learner for the same course: the second finds the course, and stays free.
        lock_courses_of(user_id)
        code = find_code(text)
        sale = find_seat_sale(code)
        if sale is None:
            raise CodeUnknown
        judge_seat(code, sale, user_id=user_id, now=now)
        try:
            use_id = use_code(code=code, user_id=user_id, now=now)
        except CodeRefused as lost:
            # Someone was faster. Judged again, the code says why it doesn't work any more.
            judge_seat(find_code(text), sale, user_id=user_id, now=now)
            raise RegistrationCodeUsed(giver=name_giver(sale)) from lost
        # The use locks the code, so staff can't move it to another run any more, nor its buyer give it to someone. They
        # may have until now.
        given_before, code = code.assigned_email, find_code(text)
        if code.assigned_email != given_before:
            _refuse_another_person(code, user_id=user_id)
        offer = judge_seat(code, sale, user_id=user_id, now=now)
        run = find_opened_run(code, sale)
        enrollment = enroll(
            user_id=user_id,
            run_id=run.pk,
            mode=sale.mode,
            source=EnrollmentSource.REGISTRATION,
            reference=use_reference(use_id),
            now=now,
        )
        drop_bought_course(user_id=user_id, run_id=run.pk)
    return SeatRedemption(enrollment=enrollment, run=run, was_redeemed_before=offer.is_mine)

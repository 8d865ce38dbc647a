"""Enrollments: given, repeated and ended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from courses.enums import EnrollmentMode, EnrollmentSource, RunAccess
from courses.errors import EnrollmentClosed, EnrollmentNotOpen, RunNotLive, RunUnknown
from courses.models import Course, CourseRun, Enrollment, EnrollmentGrant
from courses.models.keys import validate_course_id, validate_program_id, validate_run_key
from courses.services.enrollments import enroll, enroll_free, revoke
from mitxonline.users.models import User
from tests.factories import NOON, make_course, make_run, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def learner() -> User:
    return make_user()


def give(learner: User, run: CourseRun, *, mode: str = EnrollmentMode.VERIFIED, reference: str = "TS-1") -> Enrollment:
    return enroll(
        user_id=learner.pk, run_id=run.pk, mode=mode, source=EnrollmentSource.ORDER, reference=reference, now=NOON
    )


def take(learner: User, run: CourseRun, *, reference: str = "TS-1") -> Enrollment | None:
    return revoke(user_id=learner.pk, run_id=run.pk, source=EnrollmentSource.ORDER, reference=reference, now=NOON)


def test_the_same_enrollment_twice_is_one(learner: User) -> None:
    run = make_run()
    assert give(learner, run) == give(learner, run)
    assert EnrollmentGrant.objects.count() == 1


def test_enrollments_paid_by_another_order_stay(learner: User) -> None:
    run = make_run()
    give(learner, run, reference="TS-1")
    give(learner, run, reference="TS-2")
    take(learner, run, reference="TS-1")
    assert Enrollment.objects.get().active
    take(learner, run, reference="TS-2")
    assert not Enrollment.objects.get().active


def test_the_strongest_right_that_holds_decides(learner: User) -> None:
    run = make_run()
    give(learner, run, mode=EnrollmentMode.AUDIT, reference="TS-1")
    give(learner, run, mode=EnrollmentMode.VERIFIED, reference="TS-2")
    assert Enrollment.objects.get().mode == EnrollmentMode.VERIFIED
    take(learner, run, reference="TS-2")
    enrollment = Enrollment.objects.get()
    assert (enrollment.active, enrollment.mode) == (True, EnrollmentMode.AUDIT)


def test_coming_back_after_everything_was_taken(learner: User) -> None:
    run = make_run()
    give(learner, run)
    take(learner, run)
    give(learner, run)
    assert Enrollment.objects.get().active
    assert EnrollmentGrant.objects.count() == 2


def test_nothing_by_hand_without_who_and_why(learner: User) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        enroll(
            user_id=learner.pk, run_id=make_run().pk, mode=EnrollmentMode.AUDIT,
            source=EnrollmentSource.MANUAL, now=NOON,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({}, None),
        ({"enrollment_start": NOON, "enrollment_end": NOON}, None),
        ({"live": False}, RunNotLive),
        ({"enrollment_start": NOON + timedelta(seconds=1)}, EnrollmentNotOpen),
        ({"enrollment_end": NOON - timedelta(seconds=1)}, EnrollmentClosed),
        ({"end_date": NOON - timedelta(seconds=1)}, EnrollmentClosed),
        ({"access": RunAccess.CONTRACT}, RunUnknown),
    ],
)
def test_free_enrollment_depends_on_access_and_dates(
    learner: User, fields: dict[str, Any], refusal: type[Exception] | None
) -> None:
    run = make_run(**fields)
    if refusal is None:
        assert enroll_free(user_id=learner.pk, run_id=run.pk, now=NOON).mode == EnrollmentMode.AUDIT
        return
    with pytest.raises(refusal):
        enroll_free(user_id=learner.pk, run_id=run.pk, now=NOON)
    assert not Enrollment.objects.exists()


def test_contract_runs_are_hidden_unless_asked_for(learner: User) -> None:
    course = make_course()
    public, hidden = make_run(course), make_run(course, access=RunAccess.CONTRACT)
    assert list(CourseRun.objects.all()) == list(course.runs.all()) == [public]
    assert set(CourseRun.all_objects.all()) == {public, hidden}
    assert give(learner, hidden).run == hidden
    assert Enrollment.objects.select_related("run").get().run == hidden
    assert list(Course.objects.filter(runs__isnull=False).distinct()) == [course]


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (validate_run_key, "course-v1:MITx+6.00.1x+2026_C19", "course-v1:MITx+6.00.1x"),
        (validate_run_key, "course-v1:UAI_MIT+12.345x+2025_C19-2", "course-v1:MITx+6 00+R"),
        (validate_run_key, "course-v1:A+B+C", "MITx/6.00/R"),
        (validate_course_id, "course-v1:MITx+6.00.1x", "course-v1:MITx+6.00.1x+R"),
        (validate_course_id, "course-v1:MITx+6.00.1x", "course-v1:MITx"),
        (validate_program_id, "program-v1:MITx+DEDP", "course-v1:MITx+DEDP"),
        (validate_program_id, "program-v1:MITx+DEDP", "program-v1:MITx"),
    ],
)
def test_keys_that_open_edx_would_refuse_are_refused(check, good: str, bad: str) -> None:  # type: ignore[no-untyped-def]
    check(good)
    with pytest.raises(Exception, match="isn’t a"):
        check(bad)

"""The places of a run: who takes one, who is refused, and what pages say."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from courses.enums import EnrollmentMode, EnrollmentSource
from courses.errors import RunFull
from courses.models import CourseRun, Enrollment, EnrollmentGrant
from courses.places import count_left, refuse_if_full, update_full_runs
from courses.services.copies import copy_run
from courses.services.enrollments import enroll, revoke
from courses.tasks import update_full_runs as task
from tests.factories import NOON, make_run, make_user
from tests.support.counting import queries

pytestmark = pytest.mark.django_db


def enter(run: CourseRun, user_id: int | None = None, **fields: Any) -> Enrollment:
    values = {"mode": EnrollmentMode.AUDIT, "source": EnrollmentSource.FREE, "now": NOON, **fields}
    return enroll(user_id=user_id or make_user().pk, run_id=run.pk, **values)


def leave(enrollment: Enrollment) -> None:
    revoke(user_id=enrollment.user_id, run_id=enrollment.run_id, source=EnrollmentSource.FREE, reference="", now=NOON)


def is_full(run: CourseRun) -> bool:
    return CourseRun.objects.get(pk=run.pk).is_full


def test_a_full_run_refuses_the_next_learner_and_keeps_nothing_of_them() -> None:
    run, other = make_run(places=2), make_run(places=1)
    enter(run)
    assert not is_full(run)
    enter(run)
    assert is_full(run)
    with pytest.raises(RunFull) as refused:
        enter(run)
    assert str(refused.value) == f"“{run.title}” is full."
    assert Enrollment.objects.filter(run=run).count() == EnrollmentGrant.objects.count() == 2
    enter(other)
    assert count_left([run.pk, other.pk, make_run().pk]) == {run.pk: 0, other.pk: 0}


def test_learners_of_a_full_run_are_upgraded_and_granted_more() -> None:
    run = make_run(places=1)
    learner = enter(run).user_id
    enter(run, learner, mode=EnrollmentMode.VERIFIED, source=EnrollmentSource.ORDER, reference="T-1")
    enter(run, learner)
    assert Enrollment.objects.get().mode == EnrollmentMode.VERIFIED


def test_who_left_comes_back_only_if_a_place_is_left() -> None:
    run = make_run(places=1)
    first = enter(run)
    leave(first)
    second = enter(run)
    with pytest.raises(RunFull):
        enter(run, first.user_id)
    assert not Enrollment.objects.get(pk=first.pk).active
    leave(second)
    enter(run, first.user_id)
    assert Enrollment.objects.get(pk=first.pk).active


def test_the_sweep_shows_a_place_that_was_given_up() -> None:
    run, other = make_run(places=1), make_run(places=1)
    left = enter(run)
    enter(other)
    leave(left)
    assert is_full(run)
    task()
    assert not is_full(run)
    assert is_full(other)
    assert update_full_runs() == 0


def test_pages_follow_the_number_of_places_at_once() -> None:
    run = make_run(places=1)
    enter(run)
    run.refresh_from_db()
    run.places = 2
    run.save()
    assert not is_full(run)
    run.places = 1
    run.save()
    assert is_full(run)
    run.refresh_from_db()
    run.places = None
    run.save()
    assert not is_full(run)


def test_a_run_without_a_number_costs_nothing_more() -> None:
    run = make_run()
    with queries(exactly=0):
        refuse_if_full(run)


def test_a_copy_has_as_many_places_and_is_empty() -> None:
    run = make_run(places=1)
    enter(run)
    copy = copy_run(run_id=run.pk, tag="NEXT", start=None)
    assert (copy.places, is_full(copy)) == (1, False)


def check_deferred() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def insert(run: CourseRun, **fields: Any) -> Enrollment:
    return Enrollment.objects.create(user=make_user(), run=run, enrolled_at=NOON, **fields)


class TestTheDatabase:
    """What no code of ours can get around."""

    def test_it_refuses_one_learner_too_many(self) -> None:
        run = make_run(places=1)
        insert(run)
        insert(run, active=False)
        insert(make_run())
        check_deferred()
        with pytest.raises(IntegrityError, match="more learners than its 1 places"), transaction.atomic():
            insert(run)

    def test_it_refuses_one_who_comes_back_or_is_moved(self) -> None:
        run = make_run(places=1)
        insert(run)
        away, elsewhere = insert(run, active=False), insert(make_run())
        check_deferred()
        for row, change in ((away, {"active": True}), (elsewhere, {"run": run})):
            with pytest.raises(IntegrityError), transaction.atomic():
                Enrollment.objects.filter(pk=row.pk).update(**change)

    def test_it_refuses_fewer_places_than_learners(self) -> None:
        run = make_run()
        insert(run)
        insert(run)
        check_deferred()
        CourseRun.objects.filter(pk=run.pk).update(places=2)
        for places in (1, 0):
            with pytest.raises(IntegrityError), transaction.atomic():
                CourseRun.objects.filter(pk=run.pk).update(places=places)

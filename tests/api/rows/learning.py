"""Enrollments."""

from __future__ import annotations

from typing import Any

from courses.models import Enrollment
from courses.services.enrollments import enroll_free
from mitxonline.kernel import clock
from tests.api.world import Row, World
from tests.factories import make_run

ENROLLMENT = {"id": "{enrollment}"}


def other_run(world: World) -> dict[str, Any]:
    return {"run_id": int(world.things["free_run"])}


def same_run(world: World) -> dict[str, Any]:
    return {"run_id": int(world.things["taken_run"])}


ROWS: tuple[Row, ...] = (
    Row("enrollments_list", "fooooofo"),
    Row("enrollments_create", "fooooofo", body=other_run),
    Row("enrollments_update", "fonnnnfn", ENROLLMENT, body=same_run),
    Row("enrollments_update", "fbnnnnfn", ENROLLMENT, body=other_run),
    Row("enrollments_partial_update", "fonnnnfn", ENROLLMENT, body={}),
    Row("enrollments_partial_update", "fcnnnnfn", ENROLLMENT, body={"receive_emails": False}),
    Row("enrollments_destroy", "fonnnnfn", ENROLLMENT),
    Row("user_enrollments_list_v2", "fooooofo"),
    Row("user_enrollments_create_v2", "fooooofo", body=other_run),
    Row("user_enrollments_destroy_v2", "fonnnnfn", ENROLLMENT),
    Row("user_enrollments_list_v3", "fooooofo"),
    Row("user_enrollments_create_v3", "fooooofo", body=other_run),
    Row("enrollments_retrieve", "fonnnnfn", ENROLLMENT),
    Row("user_enrollments_destroy_v3", "fonnnnfn", ENROLLMENT),
)


def make_things(world: World) -> None:
    """The learner is in a free run; nobody else is. Another free run waits for them."""
    taken = make_run()
    enroll_free(user_id=world.people["learner"].pk, run_id=taken.pk, now=clock.now())
    world.things |= {
        "enrollment": str(Enrollment.objects.get(run=taken).pk),
        "taken_run": str(taken.pk),
        "free_run": str(make_run().pk),
    }

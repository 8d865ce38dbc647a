"""Enrollments in courses and programs."""

from __future__ import annotations

from typing import Any

from courses.models import Enrollment
from courses.services.enrollments import enroll_free
from courses.services.program_enrollments import enroll_in_program
from mitxonline.kernel import clock
from tests.api.world import Row, World
from tests.factories import make_run
from tests.factories.pages import make_program, make_program_page

ENROLLMENT = {"id": "{enrollment}"}
PROGRAM = {"id": "{own_program}"}


def program(world: World) -> dict[str, Any]:
    return {"program_id": int(world.things["own_program"])}


def program_key(world: World) -> list[str]:
    return [world.things["own_program_key"]]


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
    Row("program_enrollments_list", "fooooofo"),
    Row("program_enrollments_retrieve", "fonnnnfn", PROGRAM),
    Row("program_enrollments_destroy", "fonnnnfn", PROGRAM),
    Row("v2_program_enrollments_list", "fooooofo"),
    Row("v2_program_enrollments_retrieve", "fonnnnfn", PROGRAM),
    # Taking a program off a list where it isn't changes nothing.
    Row("v2_program_enrollments_destroy", "fooooofo", PROGRAM),
    Row("v3_program_enrollments_list", "fooooofo"),
    Row("v3_program_enrollments_create", "fooooofo", body=program),
    Row("v3_program_enrollments_create", "fbbbbbfb", body={"program_id": 0}),
    Row("v3_program_enrollments_retrieve", "fonnnnfn", {"program_id": "{own_program}"}),
    Row("v3_program_enrollments_destroy", "fooooofo", {"program_id": "{own_program}"}),
    Row("v3_program_enrollments_destroy", "fnnnnnfn", {"program_id": "{hidden_program}"}),
    Row("verified_program_enrollments_create", "fonnnnfn", {"courserun_id": "{free_run_key}"}, body=program_key),
)


def make_things(world: World) -> None:
    """The learner is in a free run and in a program; nobody else is. Another free run waits for them."""
    taken, free, followed = make_run(), make_run(), make_program("OWN")
    make_program_page(followed)
    learner = world.people["learner"].pk
    enroll_free(user_id=learner, run_id=taken.pk, now=clock.now())
    enroll_in_program(user_id=learner, program_id=followed.pk, now=clock.now())
    world.things |= {
        "enrollment": str(Enrollment.objects.get(run=taken).pk),
        "taken_run": str(taken.pk),
        "free_run": str(free.pk),
        "free_run_key": free.courseware_id,
        "own_program": str(followed.pk),
        "own_program_key": followed.readable_id,
        "hidden_program": str(make_program("NOPAGE").pk),
    }

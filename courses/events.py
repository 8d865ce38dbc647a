"""Events about enrollments and runs."""

from __future__ import annotations

from dataclasses import dataclass

from mitxonline.coordinator.events import Event


@dataclass(frozen=True)
class LearnerEnrolled(Event):
    """A learner was enrolled or re-enrolled, or their mode changed."""

    enrollment_id: int
    user_id: int
    run_id: int
    mode: str


@dataclass(frozen=True)
class LearnerUnenrolled(Event):
    """A learner's last grant for a run was revoked."""

    enrollment_id: int
    user_id: int
    run_id: int


@dataclass(frozen=True)
class RunsRequested(Event):
    """Runs were created, or have new dates, that the course site (Open edX) has to have too."""

    run_ids: tuple[int, ...]


@dataclass(frozen=True)
class RunRequested(Event):
    """One of the requested runs, which is made and dated on its own."""

    run_id: int


@dataclass(frozen=True)
class RequirementsChanged(Event):
    """A program asks for other courses than before."""

    program_id: int


@dataclass(frozen=True)
class EnrollmentAskedAgain(Event):
    """The course site is to be told of an enrollment again, because it refused or didn't know the learner."""

    enrollment_id: int

"""What happens to learners and runs, for those above and for the course site."""

from __future__ import annotations

from dataclasses import dataclass

from mitxonline.coordinator.events import Event


@dataclass(frozen=True)
class LearnerEnrolled(Event):
    """Someone came into a run, or came back, or may now do more in it."""

    enrollment_id: int
    user_id: int
    run_id: int
    mode: str


@dataclass(frozen=True)
class LearnerUnenrolled(Event):
    """Nothing gives someone the right to be in a run any more."""

    enrollment_id: int
    user_id: int
    run_id: int


@dataclass(frozen=True)
class RunsRequested(Event):
    """Runs were made here that the course site (Open edX) shall make too."""

    run_ids: tuple[int, ...]

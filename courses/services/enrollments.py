"""Coming into a run and leaving it."""

from __future__ import annotations

from datetime import datetime

from courses.enums import EnrollmentMode, EnrollmentSource, LmsState
from courses.errors import AlreadyInRun, RunUnknown
from courses.events import LearnerEnrolled, LearnerUnenrolled
from courses.models import CourseRun, Enrollment, EnrollmentGrant
from courses.rules import refuse_unless_enrollable, refuse_unless_public
from mitxonline.coordinator.bus import publish
from mitxonline.kernel.db import all_or_nothing

_STRENGTH = {mode: place for place, mode in enumerate(EnrollmentMode.values)}


def enroll(
    *,
    user_id: int,
    run_id: int,
    mode: str,
    source: str,
    now: datetime,
    reference: str = "",
    granted_by_id: int | None = None,
    reason: str = "",
    adds_something: bool = False,
) -> Enrollment:
    """Give a learner a right to be in a run; the same right twice is one.

    Asks no policy: the caller has judged who may come in. Staff say who and why (design: nothing by hand without
    a trace), which the database enforces. With ``adds_something`` AlreadyInRun is raised where another right gives as
    much, judged under the row's lock: of two who come at once the second is told.
    """
    with all_or_nothing():
        enrollment = _one_locked(Enrollment(user_id=user_id, run_id=run_id, mode=mode, active=True, enrolled_at=now))
        earlier = list(enrollment.grants.all())
        if any(g.revoked_at is None and (g.source, g.reference) == (source, reference) for g in earlier):
            return enrollment
        if adds_something and any(g.revoked_at is None and _STRENGTH[g.mode] >= _STRENGTH[mode] for g in earlier):
            raise AlreadyInRun
        EnrollmentGrant.objects.create(
            enrollment=enrollment,
            mode=mode,
            source=source,
            reference=reference,
            granted_at=now,
            granted_by_id=granted_by_id,
            reason=reason,
        )
        if earlier:
            enrollment.refresh_from_db()
        if not earlier or _follow_grants(enrollment):
            publish(
                LearnerEnrolled(enrollment_id=enrollment.pk, user_id=user_id, run_id=run_id, mode=str(enrollment.mode))
            )
    return enrollment


def enroll_free(*, user_id: int, run_id: int, now: datetime) -> Enrollment:
    """Let a learner into a public run as an auditor; whether the run has a price is the caller's question.

    Raises RunUnknown, RunNotLive, EnrollmentNotOpen, EnrollmentClosed.
    """
    run = CourseRun.all_objects.filter(pk=run_id).first()
    if run is None:
        raise RunUnknown
    refuse_unless_public(run)
    refuse_unless_enrollable(run, now=now)
    return enroll(user_id=user_id, run_id=run.pk, mode=EnrollmentMode.AUDIT, source=EnrollmentSource.FREE, now=now)


def revoke(
    *,
    user_id: int,
    run_id: int,
    source: str,
    reference: str,
    now: datetime,
    revoked_by_id: int | None = None,
    reason: str = "",
) -> Enrollment | None:
    """Take one right away; the learner stays in the run as long as another one holds (K3)."""
    with all_or_nothing():
        enrollment = Enrollment.objects.locked().filter(user_id=user_id, run_id=run_id).first()
        if enrollment is None:
            return None
        revoked = enrollment.grants.filter(source=source, reference=reference, revoked_at=None).update(
            revoked_at=now, revoked_by_id=revoked_by_id, revoked_reason=reason
        )
        if revoked and _follow_grants(enrollment) and not enrollment.active:
            publish(LearnerUnenrolled(enrollment_id=enrollment.pk, user_id=user_id, run_id=run_id))
    return enrollment


def downgrade(
    *,
    user_id: int,
    run_id: int,
    source: str,
    reference: str,
    now: datetime,
    changed_by_id: int | None = None,
    reason: str = "",
) -> Enrollment | None:
    """Turn one right into a right to audit; what another right gives stays. None where there was no such right."""
    with all_or_nothing():
        enrollment = Enrollment.objects.locked().filter(user_id=user_id, run_id=run_id).first()
        if enrollment is None:
            return None
        held = enrollment.grants.filter(source=source, reference=reference, revoked_at=None)
        if not held.exclude(mode=EnrollmentMode.AUDIT).update(
            revoked_at=now, revoked_by_id=changed_by_id, revoked_reason=reason
        ):
            return enrollment
        EnrollmentGrant.objects.create(
            enrollment=enrollment,
            mode=EnrollmentMode.AUDIT,
            source=source,
            reference=reference,
            granted_at=now,
            granted_by_id=changed_by_id,
            reason=reason,
        )
        if _follow_grants(enrollment):
            publish(
                LearnerEnrolled(enrollment_id=enrollment.pk, user_id=user_id, run_id=run_id, mode=str(enrollment.mode))
            )
    return enrollment


def _one_locked(wanted: Enrollment) -> Enrollment:
    """The learner's one row for the run, made or found, and locked until the transaction ends."""
    return Enrollment.objects.bulk_create(
        [wanted], update_conflicts=True, unique_fields=["user", "run"], update_fields=["user"]
    )[0]


def _follow_grants(enrollment: Enrollment) -> bool:
    """Bring ``active`` and ``mode`` in line with the grants that hold; whether anything changed."""
    modes = enrollment.grants.filter(revoked_at=None).values_list("mode", flat=True)
    strongest = max(modes, key=_STRENGTH.__getitem__, default=None)
    active, mode = strongest is not None, strongest or enrollment.mode
    if (enrollment.active, enrollment.mode) == (active, mode):
        return False
    enrollment.active, enrollment.mode, enrollment.lms_state = active, mode, LmsState.PENDING
    enrollment.save(update_fields=["active", "mode", "lms_state", "changed_at"])
    return True

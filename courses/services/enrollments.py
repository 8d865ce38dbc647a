"""Granting and revoking access to runs."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _

from courses.enums import EnrollmentLmsState, EnrollmentMode, EnrollmentSource
from courses.errors import AlreadyInRun, EnrollmentNotUndone, EnrollmentUnknown, RunUnknown
from courses.events import LearnerEnrolled, LearnerUnenrolled
from courses.models import CourseRun, Enrollment, EnrollmentGrant
from courses.places import claim_places
from courses.rules import refuse_unless_enrollable, refuse_unless_free, refuse_unless_public
from mitxonline.coordinator.bus import publish
from mitxonline.kernel.db import all_or_nothing
from mitxonline.kernel.shop import current_site_id

_STRENGTH = {mode: strength for strength, mode in enumerate(EnrollmentMode.values)}


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
    """Grant a learner access to a run. Granting again with the same source and reference changes nothing.

    Callers have checked that the learner may enroll. Grants by staff need ``granted_by_id`` and ``reason``, which a
    constraint enforces. Raises RunFull if the learner isn't in the run and it has no place left; with
    ``adds_something``, AlreadyInRun if another grant already gives as much.
    """
    with all_or_nothing():
        # The row lock serializes concurrent grants: the second of two sees the first when it looks at earlier grants.
        enrollment = _upsert_locked(Enrollment(user_id=user_id, run_id=run_id, mode=mode, active=True, enrolled_at=now))
        earlier, has_limit = _load_grants(enrollment)
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
        was_active = False
        if earlier:
            enrollment.refresh_from_db()
            was_active = enrollment.active
        if not earlier or _apply_grants(enrollment):
            _publish(enrollment)
        if has_limit and not was_active:
            claim_places([run_id])
    return enrollment


def enroll_free(*, user_id: int, run_id: int, now: datetime) -> Enrollment:
    """Enroll a learner in a free public run as an auditor. Callers check that no one sells it.

    Raises RunUnknown, RunHasNoPrice, RunNotLive, EnrollmentNotOpen, EnrollmentClosed, RunFull.
    """
    run = CourseRun.all_objects.of_site(current_site_id()).filter(pk=run_id).first()
    if run is None:
        raise RunUnknown
    refuse_unless_public(run)
    refuse_unless_free(run)
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
    """Revoke one grant. The learner stays enrolled as long as another grant holds."""
    with all_or_nothing():
        enrollment = Enrollment.objects.locked().filter(user_id=user_id, run_id=run_id).first()
        if enrollment is None:
            return None
        revoked = enrollment.grants.filter(source=source, reference=reference, revoked_at=None).update(
            revoked_at=now, revoked_by_id=revoked_by_id, revoked_reason=reason
        )
        if revoked and _apply_grants(enrollment):
            _publish(enrollment)
    return enrollment


def leave_run(*, enrollment_id: int, user_id: int, can_return: bool, now: datetime) -> None:
    """End an enrollment because the learner wants to leave. Whatever gave it to them is revoked.

    ``can_return`` says that they could enroll again without paying. Who audits can leave in any case. Raises
    EnrollmentUnknown for an enrollment that isn't theirs or has ended, EnrollmentNotUndone.
    """
    with all_or_nothing():
        found = Enrollment.objects.locked().active().of(user_id).filter(pk=enrollment_id).first()
        if found is None:
            raise EnrollmentUnknown
        if found.mode != EnrollmentMode.AUDIT and not can_return:
            raise EnrollmentNotUndone(title=found.run.title)
        found.grants.filter(revoked_at=None).update(
            revoked_at=now, revoked_by_id=user_id, revoked_reason=_("The learner left the course")
        )
        if _apply_grants(found):
            _publish(found)


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
    """Replace one grant by a grant to audit, and leave other grants alone. None if the learner isn't enrolled."""
    with all_or_nothing():
        enrollment = Enrollment.objects.locked().filter(user_id=user_id, run_id=run_id).first()
        if enrollment is None:
            return None
        grants = enrollment.grants.filter(source=source, reference=reference, revoked_at=None)
        if not grants.exclude(mode=EnrollmentMode.AUDIT).update(
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
        if _apply_grants(enrollment):
            _publish(enrollment)
    return enrollment


def _publish(enrollment: Enrollment) -> None:
    row, user, run = enrollment.pk, enrollment.user_id, enrollment.run_id
    if enrollment.active:
        publish(LearnerEnrolled(enrollment_id=row, user_id=user, run_id=run, mode=str(enrollment.mode)))
    else:
        publish(LearnerUnenrolled(enrollment_id=row, user_id=user, run_id=run))


def _upsert_locked(enrollment: Enrollment) -> Enrollment:
    """Insert the learner's row for the run, or update the existing one, which locks it either way."""
    return Enrollment.objects.bulk_create(
        [enrollment], update_conflicts=True, unique_fields=["user", "run"], update_fields=["user"]
    )[0]


def _load_grants(enrollment: Enrollment) -> tuple[list[EnrollmentGrant], bool]:
    """Return the enrollment's grants, and whether its run has a number of places, in one query."""
    fields = ("pk", "mode", "source", "reference", "revoked_at")
    joined = Enrollment.objects.filter(pk=enrollment.pk).order_by()
    rows = list(joined.values_list("run__places", *(f"grants__{name}" for name in fields)))
    grants = [EnrollmentGrant(**dict(zip(fields, values, strict=True))) for _places, *values in rows if values[0]]
    return grants, any(places is not None for places, *_values in rows)


def _apply_grants(enrollment: Enrollment) -> bool:
    """Derive ``active`` and ``mode`` from the grants that aren't revoked; return whether anything changed."""
    modes = enrollment.grants.filter(revoked_at=None).values_list("mode", flat=True)
    strongest = max(modes, key=_STRENGTH.__getitem__, default=None)
    active, mode = strongest is not None, strongest or enrollment.mode
    if (enrollment.active, enrollment.mode) == (active, mode):
        return False
    enrollment.active, enrollment.mode = active, mode
    enrollment.lms_state, enrollment.lms_error = EnrollmentLmsState.PENDING, ""
    if not active:  # Whoever comes back later isn't forced into a run that has closed since.
        enrollment.forced_at, enrollment.forced_reason = None, ""
    enrollment.save(
        update_fields=["active", "mode", "lms_state", "lms_error", "forced_at", "forced_reason", "changed_at"]
    )
    return True

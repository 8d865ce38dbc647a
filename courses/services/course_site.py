"""Telling the course site (Open edX) what enrollments say.

The row decides: what is sent is what it says at that moment, so a repeated or an old event does no harm. After each
call the row is compared with what was sent, in the same write that records the answer. Where it has changed meanwhile
the course site is told again, so that whoever calls last sends what the row says last.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import CharField, Exists, F, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Cast, Concat

from courses.enums import EnrollmentLmsState
from courses.errors import (
    CourseSiteRefused,
    EnrollmentKeepsChanging,
    EnrollmentNotForceable,
    EnrollmentUnknown,
    LearnerInactive,
    LearnerUnknown,
)
from courses.events import EnrollmentAskedAgain
from courses.gateways.openedx.client import OpenEdxClient
from courses.gateways.openedx.enrollments import SiteEnrollment, enroll, find_username, read_enrollment, unenroll
from courses.models import Enrollment
from courses.models.enrollment import EnrollmentQuerySet
from courses.selectors.course_sites import is_at_course_site
from mitxonline.coordinator.bus import publish
from mitxonline.coordinator.models import UNSETTLED, Delivery, DeliveryState
from mitxonline.coordinator.replay import replay_deliveries
from mitxonline.kernel import audit
from mitxonline.kernel.shop import current_shop
from mitxonline.users.sso.connections import find_subject

logger = logging.getLogger(__name__)

SEND_AGAIN, FORCE = "courses.enrollment.send_again", "courses.enrollment.force"
# Deliveries about one enrollment are made one after another.
SEQUENCE = "courses.enrollment"

# So often a row may change while the course site is told of it.
_ROUNDS = 5
# How many enrollments a sweep sends. It runs every five minutes.
BATCH = 500
# A learner whom the course site doesn't know is asked about so often: those who enrolled in the last two days, others.
_NEW = timedelta(days=2)
_ASK_AGAIN_NEW, _ASK_AGAIN = timedelta(minutes=15), timedelta(days=1)
# By then the delivery of a change has been made, unless there was no course site.
_UNSENT_AFTER = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of a call: the row's new state, and a few words for the history of the delivery."""

    state: EnrollmentLmsState
    words: str
    error: str = ""
    username: str = ""


def send_enrollment(*, enrollment_id: int, client: OpenEdxClient, now: datetime) -> str:
    """Make the course site say what the row says, and return what came of it in a few words. Safe to repeat.

    Never inside a transaction. Raises CourseSiteUnavailable, CourseSiteSecretWrong, CourseSiteDenied and
    EnrollmentKeepsChanging, after which the delivery is repeated.
    """
    for round_ in range(_ROUNDS):
        row = Enrollment.objects.select_related("user", "run").filter(pk=enrollment_id).first()
        if row is None:
            return "gone"
        # In a later round our own call may have come last, after the one that this state is from.
        if row.lms_state == EnrollmentLmsState.THERE and not round_:
            return "there already"
        outcome = _tell(client, row)
        if _record(row, outcome, now=now):
            return outcome.words
    raise EnrollmentKeepsChanging


def send_again(*, ids: Iterable[int], by_id: int | None, now: datetime) -> int:
    """Send enrollments again that aren't there: refused ones, and those that wait. Return how many there were."""
    with transaction.atomic():
        rows = list(Enrollment.objects.locked().filter(pk__in=ids).exclude(lms_state=EnrollmentLmsState.THERE))
        for row in rows:
            audit.record(row, SEND_AGAIN, by_id=by_id, data={"error": row.lms_error})
        return _ask([row.pk for row in rows], now=now)


def ask_about(ids: Iterable[int], *, now: datetime) -> int:
    """Send these enrollments once more, whatever the course site has said of them; return how many there were."""
    with transaction.atomic():
        return _ask(list(Enrollment.objects.locked().filter(pk__in=ids).values_list("pk", flat=True)), now=now)


def force_enrollment(*, enrollment_id: int, by_id: int | None, reason: str, now: datetime) -> None:
    """Have the course site take a learner although the run is closed there, and send the enrollment again.

    Raises EnrollmentUnknown and EnrollmentNotForceable.
    """
    with transaction.atomic():
        row = Enrollment.objects.locked().filter(pk=enrollment_id).first()
        if row is None:
            raise EnrollmentUnknown
        if not row.active or row.lms_state == EnrollmentLmsState.THERE:
            raise EnrollmentNotForceable
        row.forced_at, row.forced_reason = now, reason
        row.save(update_fields=["forced_at", "forced_reason"])
        audit.record(row, FORCE, by_id=by_id, data={"reason": reason, "error": row.lms_error})
        _ask([row.pk], now=now)


def ask_for_learner(*, user_id: int, now: datetime) -> int:
    """Send what waits for this learner, who may have an account on the course site by now. Return how many there were.

    One query for a learner for whom nothing waits.
    """
    waiting = Enrollment.objects.of(user_id).filter(lms_state=EnrollmentLmsState.WAITING)
    if not waiting.exists():
        return 0
    with transaction.atomic():
        return _ask(list(_without_delivery(waiting).locked().values_list("pk", flat=True)), now=now)


def sweep_enrollments(*, now: datetime) -> int:
    """Send enrollments that wait for their learner, and those that no delivery is left for. Return how many."""
    with transaction.atomic():
        here = Enrollment.objects.filter(_is_due(now), is_at_course_site("run__course__site"))
        due = _without_delivery(here).order_by(F("lms_asked_at").asc(nulls_first=True))
        chosen = list(due.values_list("pk", flat=True)[:BATCH])
        # Of two sweeps at once, the second finds none that the first hasn't asked for.
        rows = Enrollment.objects.filter(_is_due(now), pk__in=chosen).locked()
        return _ask(list(rows.values_list("pk", flat=True)), now=now)


def _is_due(now: datetime) -> Q:
    is_new = Q(changed_at__gte=now - _NEW)
    waits = Q(lms_state=EnrollmentLmsState.WAITING) & (
        (is_new & Q(lms_asked_at__lt=now - _ASK_AGAIN_NEW))
        | Q(lms_asked_at__lt=now - _ASK_AGAIN)
        | Q(user__email_verified_at__gt=F("lms_asked_at"))
    )
    unsent = Q(lms_state=EnrollmentLmsState.PENDING, changed_at__lt=now - _UNSENT_AFTER) & (
        Q(lms_asked_at=None) | Q(lms_asked_at__lt=now - _UNSENT_AFTER)
    )
    return waits | unsent


def _without_delivery(rows: EnrollmentQuerySet) -> EnrollmentQuerySet:
    key = Concat(Value(f"{SEQUENCE}:"), Cast(OuterRef("pk"), CharField()))
    return rows.filter(~Exists(Delivery.objects.filter(order_key=key, state__in=UNSETTLED)))


def _ask(ids: list[int], *, now: datetime) -> int:
    """Mark the rows as to be sent, and send them by the delivery that is left for each, or by a new one."""
    Enrollment.objects.filter(pk__in=ids).update(lms_state=EnrollmentLmsState.PENDING, lms_error="", lms_asked_at=now)
    keys = {f"{SEQUENCE}:{pk}": pk for pk in ids}
    unsettled = dict(Delivery.objects.filter(order_key__in=keys, state__in=UNSETTLED).values_list("pk", "order_key"))
    stopped = Delivery.objects.filter(pk__in=unsettled).exclude(state=DeliveryState.RUNNING).order_by("pk")
    replay_deliveries(ids=list(stopped.values_list("pk", flat=True)), by_id=None, now=now)
    for pk in sorted(set(ids) - {keys[key] for key in unsettled.values()}):
        publish(EnrollmentAskedAgain(enrollment_id=pk))
    return len(ids)


def _tell(client: OpenEdxClient, row: Enrollment) -> _Outcome:
    try:
        return _tell_of(client, row)
    except CourseSiteRefused as refusal:
        logger.warning("enrollment refused", extra={"enrollment": row.pk, "status": refusal.http_status})
        return _refuse(refusal.said)


def _tell_of(client: OpenEdxClient, row: Enrollment) -> _Outcome:
    """Tell of the account that was enrolled before, if there is one, or else of the one with the learner's address."""
    send = _enroll if row.active else _unenroll
    if row.lms_username:
        with suppress(LearnerUnknown):
            return send(client, row, row.lms_username)
    lms_user_id = find_subject(row.user, current_shop().sign_in_public_url) or ""
    if not lms_user_id and not row.user.is_email_verified:
        # Anyone can enter an address; the account with it there may be someone else's.
        return _await_learner(row, "their address isn’t confirmed")
    try:
        username = find_username(client, email=row.user.email, lms_user_id=lms_user_id)
        if row.active:
            # Its answer may be lost, and whose address this is be forgotten before it is asked again.
            Enrollment.objects.filter(pk=row.pk, lms_username="").update(lms_username=username)
        return send(client, row, username)
    except LearnerInactive:
        return _await_learner(row, "their account on the course site isn’t activated")
    except LearnerUnknown:
        return _await_learner(row, "the course site doesn’t know them")


def _enroll(client: OpenEdxClient, row: Enrollment, username: str) -> _Outcome:
    key, wanted = row.run.courseware_id, SiteEnrollment(mode=row.mode, is_active=True)
    try:
        found = enroll(client, username=username, run_key=key, mode=row.mode, is_forced=row.forced_at is not None)
    except CourseSiteRefused as refusal:
        # A run that is closed or full by now also refuses those who are in it already.
        if _read_if_told(client, username, key) != wanted:
            raise refusal from None
        found = wanted
    if found != wanted:
        return _refuse(f"It left the learner {found.mode if found.is_active else 'unenrolled'}, without a reason.")
    return _Outcome(EnrollmentLmsState.THERE, f"enrolled, {found.mode}", username=username)


def _read_if_told(client: OpenEdxClient, username: str, run_key: str) -> SiteEnrollment | None:
    try:
        return read_enrollment(client, username=username, run_key=run_key)
    except CourseSiteRefused:
        return None


def _unenroll(client: OpenEdxClient, row: Enrollment, username: str) -> _Outcome:
    # Whoever deleted their account here and came back with a new one still has the one there.
    others = Enrollment.objects.active().filter(run=row.run_id, lms_username=username).exclude(pk=row.pk)
    if others.exists():
        return _Outcome(EnrollmentLmsState.THERE, "stays for another account here")
    key = row.run.courseware_id
    # Ending what never was would create it first, and be refused if the run is closed.
    before = read_enrollment(client, username=username, run_key=key)
    if before is None or not before.is_active:
        return _Outcome(EnrollmentLmsState.THERE, "wasn’t enrolled there")
    if unenroll(client, username=username, run_key=key).is_active:
        return _refuse("It left the learner enrolled, without a reason.")
    return _Outcome(EnrollmentLmsState.THERE, "unenrolled")


def _await_learner(row: Enrollment, why: str) -> _Outcome:
    if not row.active:
        return _Outcome(EnrollmentLmsState.THERE, f"nothing to end: {why}")
    return _Outcome(EnrollmentLmsState.WAITING, f"waits for the learner: {why}")


def _refuse(sentence: str) -> _Outcome:
    return _Outcome(EnrollmentLmsState.REFUSED, f"refused: {sentence}", error=sentence)


def _record(row: Enrollment, outcome: _Outcome, *, now: datetime) -> bool:
    """Record the answer, unless the row says something else by now. One conditional write, which needs no lock."""
    as_sent: QuerySet[Enrollment] = Enrollment.objects.filter(
        pk=row.pk, active=row.active, mode=row.mode, forced_at=row.forced_at
    )
    # Refused or waiting, whoever was enrolled before may still be.
    username = outcome.username if outcome.state == EnrollmentLmsState.THERE else row.lms_username
    return bool(
        as_sent.update(lms_state=outcome.state, lms_error=outcome.error, lms_username=username, lms_asked_at=now)
    )

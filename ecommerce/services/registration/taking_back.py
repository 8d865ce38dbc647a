"""Seats that are taken back with a refund, and given back where it fails.

The caller has locked the order and its payment. Codes are locked here, so a seat is either redeemed before, and counts
as redeemed, or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import F, OuterRef, Subquery

from courses.enums import EnrollmentMode, EnrollmentSource
from courses.errors import RunFull
from courses.models import CourseRun, Enrollment, EnrollmentGrant
from courses.services.enrollments import downgrade, enroll, revoke
from ecommerce.enums import CodeChangeKind, EnrollmentAfter, UseState
from ecommerce.events import RegistrationCodesSwitched, SeatTakenFromLearner
from ecommerce.models import CodeUse, DiscountCode, OrderLine, Refund, RegistrationCodeChange, SeatSale
from ecommerce.selectors.registration import find_opened_run
from ecommerce.selectors.seats import SeatsToTakeBack, choose_seats
from ecommerce.services.registration.redemption import use_reference
from mitxonline.coordinator.bus import publish


def lock_codes(sale: SeatSale) -> None:
    """Lock the codes of a sale: from here on no one redeems one of them."""
    SeatSale.objects.locked().get(pk=sale.pk)
    list(DiscountCode.objects.locked().filter(discount=sale.discount_id).values_list("pk"))


def take_back_seats(
    line: OrderLine,
    *,
    seats: int,
    takes_redeemed: bool,
    reason: str,
    by_id: int | None,
    now: datetime,
    refund: Refund | None = None,
) -> SeatsToTakeBack:
    """Switch off the codes of this many seats, with the refund as their reason. Raises SeatsRedeemed.

    Learners keep their courses until the refund takes effect (`end_seats`).
    """
    sale = SeatSale.objects.filter(order_line=line).first()
    if sale is None:  # never fulfilled: there are no codes
        return SeatsToTakeBack(line, ())
    lock_codes(sale)
    chosen = choose_seats(line, sale, seats=seats, takes_redeemed=takes_redeemed)
    DiscountCode.objects.filter(pk__in=[each.code_id for each in chosen.seats]).update(active=False)
    kind = CodeChangeKind.SWITCHED_OFF if refund is None else CodeChangeKind.REFUNDED
    RegistrationCodeChange.objects.bulk_create(
        RegistrationCodeChange(
            code_id=each.code_id, kind=kind, reason=reason, at=now, by_id=by_id, use_id=each.use_id, refund=refund
        )
        for each in chosen.seats
    )
    publish_switch([each.code_id for each in chosen.seats], is_on=False, by_id=by_id, now=now)
    return chosen


def publish_switch(code_ids: Iterable[int], *, is_on: bool, by_id: int | None, now: datetime) -> None:
    """Tell that these codes were switched, if there are any."""
    if switched := tuple(code_ids):
        publish(RegistrationCodesSwitched(code_ids=switched, is_on=is_on, by_id=by_id, at=now))


def end_seats(
    use_ids: Iterable[int], *, to: EnrollmentAfter, reason: str, by_id: int | None, now: datetime
) -> list[CodeUse]:
    """Take the courses of these uses back, or turn them into auditing; with KEEP, learners keep them.

    Learners whose course goes get an e-mail.
    """
    if to == EnrollmentAfter.KEEP:
        return []
    uses = CodeUse.objects.filter(pk__in=list(use_ids), state=UseState.CONFIRMED).order_by("pk")
    ended = []
    for use in uses.select_related("code__discount__seat_sale__course_run", "code__moved_to"):
        run = find_opened_run(use.code, use.code.discount.seat_sale)
        if to == EnrollmentAfter.AUDIT:
            if not _gives_more_than_audit(use, run):
                continue
            downgrade(
                user_id=use.user_id,
                run_id=run.pk,
                source=EnrollmentSource.REGISTRATION,
                reference=use_reference(use.pk),
                now=now,
                changed_by_id=by_id,
                reason=reason,
            )
        else:
            revoke_seat(use, run, reason=reason, by_id=by_id, now=now)
            use.state, use.changed_at = UseState.RETIRED, now
            use.save(update_fields=["state", "changed_at"])
        publish(SeatTakenFromLearner(use_id=use.pk, run_id=run.pk, is_audit=to == EnrollmentAfter.AUDIT))
        ended.append(use)
    return ended


def _gives_more_than_audit(use: CodeUse, run: CourseRun) -> bool:
    grants = EnrollmentGrant.objects.filter(
        enrollment__user=use.user_id, enrollment__run=run, reference=use_reference(use.pk), revoked_at=None
    )
    return grants.filter(source=EnrollmentSource.REGISTRATION).exclude(mode=EnrollmentMode.AUDIT).exists()


def revoke_seat(use: CodeUse, run: CourseRun, *, reason: str, by_id: int | None, now: datetime) -> None:
    """Revoke what a use gave its learner. They stay enrolled if they have the course in another way too."""
    revoke(
        user_id=use.user_id,
        run_id=run.pk,
        source=EnrollmentSource.REGISTRATION,
        reference=use_reference(use.pk),
        now=now,
        revoked_by_id=by_id,
        reason=reason,
    )


def grant_seat(use: CodeUse, run: CourseRun, *, mode: str, now: datetime) -> Enrollment:
    """Enroll the learner of a use in the run."""
    return enroll(
        user_id=use.user_id,
        run_id=run.pk,
        mode=mode,
        source=EnrollmentSource.REGISTRATION,
        reference=use_reference(use.pk),
        now=now,
    )


def find_taken_uses(refund: Refund) -> list[int]:
    """Return the uses whose codes a refund switched off."""
    changes = refund.code_changes.filter(kind=CodeChangeKind.REFUNDED, use__isnull=False)
    return list(changes.values_list("use_id", flat=True))


def switch_on_after_failure(refund: Refund, *, now: datetime) -> list[int]:
    """Switch on the codes that a refund had switched off, because it failed. Return the uses of redeemed ones.

    Codes that staff had switched off before stay off, and can be restored again.
    """
    last = RegistrationCodeChange.objects.filter(code=OuterRef("code")).exclude(kind=CodeChangeKind.MOVED)
    before = last.exclude(kind=CodeChangeKind.FREED).filter(pk__lt=OuterRef("pk"))
    changes = refund.code_changes.filter(
        kind=CodeChangeKind.REFUNDED, pk=Subquery(last.order_by("-pk").values("pk")[:1])
    ).annotate(kind_before=Subquery(before.order_by("-pk").values("kind")[:1]))
    rows = list(changes.order_by("code"))
    stay_off = {row.code_id for row in rows if row.kind_before == CodeChangeKind.SWITCHED_OFF}
    codes = DiscountCode.objects.filter(pk__in=[row.code_id for row in rows])
    list(codes.locked().values_list("pk"))
    codes.exclude(pk__in=stay_off).update(active=True)
    publish_switch([row.code_id for row in rows if row.code_id not in stay_off], is_on=True, by_id=None, now=now)
    RegistrationCodeChange.objects.bulk_create(
        RegistrationCodeChange(
            code_id=row.code_id,
            kind=CodeChangeKind.SWITCHED_OFF if row.code_id in stay_off else CodeChangeKind.SWITCHED_ON,
            reason=row.reason,
            at=now,
            use_id=row.use_id,
            refund=refund,
        )
        for row in rows
    )
    return [row.use_id for row in rows if row.use_id is not None]


def give_back_seats(use_ids: Iterable[int], *, gives_courses: bool, reason: str, now: datetime) -> int:
    """Give learners back the courses that a failed refund had taken, or free their codes. Return how many got them.

    Freed are also the codes of learners who deleted their account, have the course in another way by now, or find no
    place in the run any more.
    """
    given = 0
    for use in CodeUse.objects.filter(pk__in=list(use_ids)).select_related("user", "code__discount__seat_sale"):
        sale = use.code.discount.seat_sale
        run = find_opened_run(use.code, sale)
        is_open = gives_courses and use.user.closed_at is None
        enrolled = Enrollment.objects.active().of(use.user_id).filter(run=run)
        if use.state == UseState.CONFIRMED:  # the course stayed, perhaps for auditing
            audits = EnrollmentGrant.objects.filter(
                enrollment__in=enrolled, source=EnrollmentSource.REGISTRATION, reference=use_reference(use.pk)
            ).filter(revoked_at=None)
            if is_open and audits.exclude(mode=sale.mode).exists():
                given += _give_back_seat(use, run, mode=sale.mode, reason=reason, now=now)
        elif is_open and not enrolled.filter(mode=sale.mode).exists():
            is_given = _give_back_seat(use, run, mode=sale.mode, reason=reason, now=now)
            given += is_given
            if not is_given:
                free_retired_use(use, now=now)
        else:
            free_retired_use(use, now=now)
    return given


def _give_back_seat(use: CodeUse, run: CourseRun, *, mode: str, reason: str, now: datetime) -> bool:
    """Give a learner their course back, in place of the auditing that may have been left of it; not in a full run."""
    try:
        with transaction.atomic():
            CodeUse.objects.filter(pk=use.pk, state=UseState.RETIRED).update(state=UseState.CONFIRMED, changed_at=now)
            revoke_seat(use, run, reason=reason, by_id=None, now=now)
            grant_seat(use, run, mode=mode, now=now)
    except RunFull:
        return False
    return True


def free_retired_use(use: CodeUse, *, now: datetime) -> None:
    """Release a use that was taken back, so that someone else can redeem its code."""
    released = CodeUse.objects.filter(pk=use.pk, state=UseState.RETIRED).update(state=UseState.RELEASED, changed_at=now)
    if released:
        DiscountCode.objects.filter(pk=use.code_id).update(uses=F("uses") - 1)

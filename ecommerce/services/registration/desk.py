"""What staff do with one registration code: cancel it, restore it, mark it as unused, move it to another run.

Each is planned first, and done only if the plan is still the one that was confirmed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from courses.errors import EnrollmentRefused, RunFull
from courses.models import CourseRun, Enrollment
from courses.models.run import SOURCE_TAG
from courses.places import claim_places, refuse_if_full
from courses.rules import refuse_unless_enrollable
from ecommerce.enums import CodeChangeKind, DeskAction, UseState
from ecommerce.errors.registration import (
    CodeNotUsed,
    CodeOffAlready,
    CodeOfRefundedSeat,
    CodeOnAlready,
    LearnerHasCourse,
    RegistrationCodeUnknown,
    RunHasNoPlace,
    RunNotPossible,
    SeatNotInvoiced,
)
from ecommerce.events import SeatMoved, SeatTakenFromLearner
from ecommerce.models import CodeUse, DiscountCode, RegistrationCodeChange, SeatSale
from ecommerce.rules import lock_courses_of
from ecommerce.selectors.registration import count_seats_of_invoice, find_opened_run, is_refunded
from ecommerce.services.registration.taking_back import free_retired_use, grant_seat, publish_switch, revoke_seat
from mitxonline.coordinator.bus import publish
from mitxonline.kernel import audit
from mitxonline.kernel.fingerprint import fingerprint, refuse_unless_seen
from mitxonline.kernel.text import require_text
from mitxonline.users.models import User


@dataclass(frozen=True, slots=True)
class ChangeCode:
    """What staff want to do with a registration code.

    ``unenrolls``: canceling takes the course from its learner too. ``gives_back``: restoring gives it back to them;
    otherwise the code is free for anyone. ``run_id`` is where the code is moved.
    """

    code_id: int
    action: DeskAction
    unenrolls: bool = False
    gives_back: bool = False
    run_id: int | None = None


@dataclass(frozen=True, slots=True)
class CodePlan:
    """What would happen to a code now. ``use`` is its use that counts, of ``learner``."""

    request: ChangeCode
    code: DiscountCode
    sale: SeatSale
    run: CourseRun
    use: CodeUse | None
    run_after: CourseRun | None = None

    @property
    def learner(self) -> User | None:
        return self.use.user if self.use is not None else None

    @property
    def is_redeemed(self) -> bool:
        return self.use is not None and self.use.state == UseState.CONFIRMED

    @property
    def effects(self) -> list[str]:
        """Say what will happen, a sentence each."""
        words = {
            "learner": self.learner.display_name if self.learner is not None else "",
            "run": self.run.title,
            "key": self.run.courseware_id,
            "after": self.run_after.courseware_id if self.run_after is not None else "",
        }
        return [sentence % words for sentence in _EFFECTS[self.request.action](self)]

    def fingerprint(self) -> str:
        """Digest what the plan says."""
        request, use = self.request, self.use
        return fingerprint(
            (request.code_id, request.action.value, request.unenrolls, request.gives_back, request.run_id),
            (self.code.active, self.code.uses, self.run.pk),
            (use.pk, use.user_id, use.state) if use is not None else None,
        )


def plan_change_code(request: ChangeCode, *, now: datetime) -> CodePlan:
    """Plan what staff want to do. Raises RegistrationCodeUnknown, or the CodeDeskRefused that says why it can't be."""
    sale = SeatSale.objects.filter(discount__codes=request.code_id).select_related("course_run__course").first()
    if sale is None:
        raise RegistrationCodeUnknown
    code = DiscountCode.objects.select_related("moved_to__course", "discount").get(pk=request.code_id)
    use = code.code_uses.exclude(state=UseState.RELEASED).select_related("user").order_by("-pk").first()
    plan = CodePlan(request=request, code=code, sale=sale, run=find_opened_run(code, sale), use=use)
    return _CHECKS[request.action](plan, now)


def change_code(request: ChangeCode, *, reason: str, by_id: int | None, now: datetime, seen: str) -> CodePlan:
    """Do what was planned. ``seen`` is the fingerprint of the plan that was confirmed.

    Raises PlanChanged if the plan is another one by now, and what `plan_change_code` raises.
    """
    reason = require_text(reason)[:255]
    with transaction.atomic():
        before = plan_change_code(request, now=now)
        if before.learner is not None:
            lock_courses_of(before.learner.pk)
        SeatSale.objects.locked().get(pk=before.sale.pk)  # credit notes and voiding lock it before its codes too
        DiscountCode.objects.locked().get(pk=request.code_id)
        plan = plan_change_code(request, now=now)
        refuse_unless_seen(seen, plan.fingerprint())
        _act(plan, reason, by_id, now)
        data: dict[str, audit.Detail] = {"reason": reason, "action": str(request.action)}
        if plan.learner is not None:
            data["user"] = plan.learner.pk
        audit.record(plan.code, "ecommerce.code.change", by_id=by_id, data=data)
    return plan


def find_other_runs(code: DiscountCode, sale: SeatSale, *, now: datetime) -> list[CourseRun]:
    """Return the starts of the course that a code can be moved to: public ones that aren't over."""
    run = find_opened_run(code, sale)
    runs = CourseRun.objects.not_over(now).filter(course=run.course_id).exclude(pk=run.pk)
    return list(runs.exclude(run_tag=SOURCE_TAG).order_by("start_date", "pk"))


def _check_cancel(plan: CodePlan, now: datetime) -> CodePlan:
    if not plan.code.active:
        raise CodeOffAlready
    return plan


def _check_restore(plan: CodePlan, now: datetime) -> CodePlan:
    if plan.code.active:
        raise CodeOnAlready
    _refuse_if_refunded(plan)
    _refuse_if_not_invoiced(plan, more=1)
    if plan.request.gives_back and (plan.use is None or plan.use.state != UseState.RETIRED):
        raise CodeNotUsed
    if plan.request.gives_back:
        _refuse_if_enrolled(plan, plan.run)
    if not plan.is_redeemed:
        _refuse_if_full(plan.run)
    return plan


def _refuse_if_refunded(plan: CodePlan) -> None:
    """Raise CodeOfRefundedSeat, also for free seats that were undone without a refund."""
    line = plan.sale.order_line
    if is_refunded(plan.code) or (line is not None and line.undone_at is not None):
        raise CodeOfRefundedSeat


def _check_free(plan: CodePlan, now: datetime) -> CodePlan:
    if plan.use is None:
        raise CodeNotUsed
    _refuse_if_refunded(plan)
    if plan.code.active:
        _refuse_if_not_invoiced(plan, more=0)
        if not plan.is_redeemed:
            _refuse_if_full(plan.run)
    return plan


def _check_move(plan: CodePlan, now: datetime) -> CodePlan:
    if is_refunded(plan.code):
        raise CodeOfRefundedSeat
    possible = {run.pk: run for run in find_other_runs(plan.code, plan.sale, now=now)}
    after = possible.get(plan.request.run_id or 0)
    if after is None:
        raise RunNotPossible
    moved = CodePlan(request=plan.request, code=plan.code, sale=plan.sale, run=plan.run, use=plan.use, run_after=after)
    if moved.is_redeemed:
        _refuse_if_enrolled(moved, after)
        try:
            refuse_unless_enrollable(after, now=now)
        except EnrollmentRefused as closed:
            raise RunNotPossible from closed
    if plan.is_redeemed or plan.code.active:
        _refuse_if_full(after)
    return moved


def _refuse_if_full(run: CourseRun) -> None:
    try:
        refuse_if_full(run)
    except RunFull as full:
        raise RunHasNoPlace(title=run.title, key=run.courseware_id) from full


def _act(plan: CodePlan, reason: str, by_id: int | None, now: datetime) -> None:
    """Do what was planned. Raises RunHasNoPlace where it takes a place that someone else took meanwhile."""
    run = plan.run_after or plan.run
    try:
        _ACTS[plan.request.action](plan, reason, by_id, now)
        if run.places is not None and plan.request.action != DeskAction.CANCEL:
            claim_places([run.pk])
    except RunFull as full:
        raise RunHasNoPlace(title=run.title, key=run.courseware_id) from full


def _refuse_if_not_invoiced(plan: CodePlan, *, more: int) -> None:
    """Raise SeatNotInvoiced if the codes that are on, and so many more, are more than the seats of the invoice."""
    line = plan.sale.invoice_line
    if line is None:
        return
    active = DiscountCode.objects.filter(discount=plan.sale.discount_id, active=True).count()
    if active + more > count_seats_of_invoice(line):
        raise SeatNotInvoiced(number=line.invoice.number)


def _refuse_if_enrolled(plan: CodePlan, run: CourseRun) -> None:
    """Raise LearnerHasCourse where the code's learner has this run in another way."""
    learner = plan.learner
    if learner is not None:
        enrolled = Enrollment.objects.active().of(learner.pk).filter(run=run, mode=plan.sale.mode)
        if enrolled.exists():
            raise LearnerHasCourse(learner=learner.display_name)


def _cancel(plan: CodePlan, reason: str, by_id: int | None, now: datetime) -> None:
    _switch(plan, active=False, by_id=by_id, now=now)
    use = plan.use if plan.is_redeemed and plan.request.unenrolls else None
    _record(plan, CodeChangeKind.SWITCHED_OFF, reason, by_id, now, use=use)
    if use is not None:
        revoke_seat(use, plan.run, reason=reason, by_id=by_id, now=now)
        CodeUse.objects.filter(pk=use.pk).update(state=UseState.RETIRED, changed_at=now)
        publish(SeatTakenFromLearner(use_id=use.pk, run_id=plan.run.pk))


def _restore(plan: CodePlan, reason: str, by_id: int | None, now: datetime) -> None:
    _switch(plan, active=True, by_id=by_id, now=now)
    _record(plan, CodeChangeKind.SWITCHED_ON, reason, by_id, now, use=plan.use)
    use = plan.use
    if use is None or use.state != UseState.RETIRED:
        return
    if plan.request.gives_back:
        CodeUse.objects.filter(pk=use.pk).update(state=UseState.CONFIRMED, changed_at=now)
        grant_seat(use, plan.run, mode=plan.sale.mode, now=now)
    else:
        free_retired_use(use, now=now)


def _free(plan: CodePlan, reason: str, by_id: int | None, now: datetime) -> None:
    use = plan.use
    if use is None:
        raise CodeNotUsed
    _record(plan, CodeChangeKind.FREED, reason, by_id, now, use=use)
    if plan.is_redeemed:
        revoke_seat(use, plan.run, reason=reason, by_id=by_id, now=now)
        publish(SeatTakenFromLearner(use_id=use.pk, run_id=plan.run.pk))
    CodeUse.objects.filter(pk=use.pk).update(state=UseState.RETIRED, changed_at=now)
    free_retired_use(use, now=now)


def _move(plan: CodePlan, reason: str, by_id: int | None, now: datetime) -> None:
    after = plan.run_after
    if after is None:
        raise RunNotPossible
    is_home = after.pk == plan.sale.course_run_id
    DiscountCode.objects.filter(pk=plan.code.pk).update(moved_to=None if is_home else after)
    RegistrationCodeChange.objects.create(
        code=plan.code,
        kind=CodeChangeKind.MOVED,
        reason=reason,
        at=now,
        by_id=by_id,
        use=plan.use if plan.is_redeemed else None,
        run_before=plan.run,
        run_after=after,
    )
    if plan.use is not None and plan.is_redeemed:
        revoke_seat(plan.use, plan.run, reason=reason, by_id=by_id, now=now)
        grant_seat(plan.use, after, mode=plan.sale.mode, now=now)
        publish(SeatMoved(use_id=plan.use.pk, run_before_id=plan.run.pk, run_after_id=after.pk))


def _switch(plan: CodePlan, *, active: bool, by_id: int | None, now: datetime) -> None:
    DiscountCode.objects.filter(pk=plan.code.pk).update(active=active)
    publish_switch([plan.code.pk], is_on=active, by_id=by_id, now=now)


def _record(
    plan: CodePlan, kind: CodeChangeKind, reason: str, by_id: int | None, now: datetime, *, use: CodeUse | None
) -> None:
    RegistrationCodeChange.objects.create(code=plan.code, kind=kind, reason=reason, at=now, by_id=by_id, use=use)


def _cancel_effects(plan: CodePlan) -> list[str]:
    if not plan.is_redeemed:
        return [_("No one can redeem the code any more. Nothing is refunded.")]
    if plan.request.unenrolls:
        return [
            _("The code is switched off. Nothing is refunded."),
            _("%(learner)s loses “%(run)s” unless they have it in another way, and gets an e-mail."),
        ]
    return [_("The code is switched off. Nothing is refunded."), _("%(learner)s keeps “%(run)s”.")]


def _restore_effects(plan: CodePlan) -> list[str]:
    if plan.request.gives_back:
        return [_("The code is good again."), _("%(learner)s is enrolled in “%(run)s” again.")]
    if plan.is_redeemed:
        return [_("The code is good again, and %(learner)s keeps having used it.")]
    return [_("Anyone who has the code can redeem it again.")]


def _free_effects(plan: CodePlan) -> list[str]:
    free = _("Anyone who has the code can redeem it.")
    if not plan.code.active:
        free = _("The code stays switched off until you restore it.")
    if not plan.is_redeemed:
        return [free]
    return [_("%(learner)s loses “%(run)s” unless they have it in another way, and gets an e-mail."), free]


def _move_effects(plan: CodePlan) -> list[str]:
    moved = [_("The code gives %(after)s instead of %(key)s.")]
    if plan.is_redeemed:
        moved.append(_("%(learner)s is moved too: out of %(key)s, into %(after)s, and gets an e-mail."))
    return [*moved, _("Nothing is paid or refunded.")]


_CHECKS = {
    DeskAction.CANCEL: _check_cancel,
    DeskAction.RESTORE: _check_restore,
    DeskAction.FREE: _check_free,
    DeskAction.MOVE: _check_move,
}
_ACTS = {DeskAction.CANCEL: _cancel, DeskAction.RESTORE: _restore, DeskAction.FREE: _free, DeskAction.MOVE: _move}
_EFFECTS = {
    DeskAction.CANCEL: _cancel_effects,
    DeskAction.RESTORE: _restore_effects,
    DeskAction.FREE: _free_effects,
    DeskAction.MOVE: _move_effects,
}

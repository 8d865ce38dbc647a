"""Asking gateways about payments that no notice told us of."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from django.conf import settings
from django.db import DatabaseError
from django.db.models import F, QuerySet

from ecommerce.enums import UNSETTLED_STATES, AttemptState
from ecommerce.gateways.base import AVOIDED, PaymentFailed, PaymentOutcome
from ecommerce.gateways.outages import UnresponsiveAccounts
from ecommerce.models import PaymentAttempt
from ecommerce.services.payment.payments import (
    confirm_attempt,
    end_session,
    find_gateway,
    next_ask_time,
    record_missing,
)
from ecommerce.services.payment.sessions import make_session
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.remote import Patience, patience

logger = logging.getLogger(__name__)

NOT_KNOWN = "resource_missing"


@dataclass(frozen=True, slots=True)
class PaymentCheck:
    """A payment attempt before and after its gateway was asked. ``failure`` says why the gateway didn't answer."""

    number: str
    gateway: str
    session_id: str
    state_before: str
    outcome: PaymentOutcome | None
    state_after: str
    order_state: str
    failure: str = ""


def check_due_payments(*, now: datetime, limit: int = 50) -> int:
    """Ask about attempts that are due, within the time of a sweep; return how many were asked about."""
    end_unstarted_attempts(now=now)
    due = PaymentAttempt.objects.filter(ask_at__lte=now, state__in=UNSETTLED_STATES).exclude(session_id="")
    with patience(settings.REMOTE_SWEEP_SECONDS) as sweep:
        return sum(1 for _each in islice(_check_attempts(due.order_by("ask_at", "pk"), now=now, sweep=sweep), limit))


def check_unsettled_payments(*, now: datetime, older_than: timedelta, dry_run: bool) -> Iterator[PaymentCheck]:
    """Ask about all unsettled attempts that started longer ago, due or not; ``dry_run`` asks and changes nothing."""
    if not dry_run:
        end_unstarted_attempts(now=now)
    unsettled = PaymentAttempt.objects.filter(state__in=UNSETTLED_STATES, started_at__lte=now - older_than)
    attempts = unsettled.exclude(session_id="").order_by("started_at", "pk")
    return _look_only(attempts) if dry_run else _check_attempts(attempts, now=now, sweep=None)


def end_unstarted_attempts(*, now: datetime) -> int:
    """End attempts whose call to the gateway was interrupted: they have no page, so no one can have paid."""
    call = timedelta(seconds=settings.PAYMENT_START_SECONDS)
    unstarted = PaymentAttempt.objects.filter(state=AttemptState.STARTED, session_id="", started_at__lt=now - call)
    return unstarted.update(state=AttemptState.FAILED, settled_at=now, ask_at=None, note="never reached the gateway")


def _check_attempts(
    attempts: QuerySet[PaymentAttempt], *, now: datetime, sweep: Patience | None
) -> Iterator[PaymentCheck]:
    unresponsive = UnresponsiveAccounts()  # the rest of such an account waits for the next run
    for attempt in attempts.select_related("order"):
        if sweep is not None and sweep.is_over:
            logger.warning("payments left for the next run: gateways were slow")
            return
        account = (attempt.gateway, attempt.account)
        if account in unresponsive or not _claim_turn(attempt, now=now):
            continue
        reason, failure = _check_attempt(attempt, now=now)
        unresponsive.record(account, failure)
        if failure is not None and failure.code == AVOIDED:
            _return_turn(attempt)
        yield _report_on(attempt, reason)


def _claim_turn(attempt: PaymentAttempt, *, now: datetime) -> bool:
    # One conditional write, so that of two workers one asks.
    mine = PaymentAttempt.objects.filter(pk=attempt.pk, asked=attempt.asked, state=attempt.state)
    return bool(mine.update(asked=F("asked") + 1, ask_at=next_ask_time(attempt, now=now)))


def _return_turn(attempt: PaymentAttempt) -> None:
    # The gateway wasn't asked, so this doesn't count towards asking less often.
    mine = PaymentAttempt.objects.filter(pk=attempt.pk, asked=attempt.asked + 1, state__in=UNSETTLED_STATES)
    mine.update(asked=attempt.asked, ask_at=attempt.ask_at)


def _check_attempt(attempt: PaymentAttempt, *, now: datetime) -> tuple[str, PaymentFailed | None]:
    """Ask about one attempt; return why it couldn't be settled, and the gateway's failure if it was that."""
    try:
        if attempt.state == AttemptState.CLOSING:
            end_session(attempt_id=attempt.pk, now=now)
        else:
            confirm_attempt(attempt_id=attempt.pk, now=now)
    except PaymentFailed as failure:
        logger.warning("gateway check failed", extra={"attempt": attempt.pk, "retriable": failure.retriable})
        if failure.code == NOT_KNOWN:
            record_missing(attempt_id=attempt.pk, now=now)
        return str(failure), failure
    except (DatabaseError, DomainError):  # one faulty payment must not hold up the others
        logger.exception("payment not settled", extra={"attempt": attempt.pk})
        return "could not be settled; see the log", None
    return "", None


def _report_on(attempt: PaymentAttempt, failure: str) -> PaymentCheck:
    after = PaymentAttempt.objects.select_related("order").get(pk=attempt.pk)
    return PaymentCheck(
        number=after.order.number,
        gateway=after.gateway,
        session_id=after.session_id,
        state_before=attempt.state,
        outcome=None,
        state_after=after.state,
        order_state=after.order.state,
        failure=failure,
    )


def _look_only(attempts: QuerySet[PaymentAttempt]) -> Iterator[PaymentCheck]:
    for attempt in attempts.select_related("order"):
        outcome, failure = None, ""
        try:
            outcome = find_gateway(attempt).look_up(make_session(attempt)).outcome
        except PaymentFailed as error:
            failure = str(error)
        yield PaymentCheck(
            number=attempt.order.number,
            gateway=attempt.gateway,
            session_id=attempt.session_id,
            state_before=attempt.state,
            outcome=outcome,
            state_after=attempt.state,
            order_state=attempt.order.state,
            failure=failure,
        )

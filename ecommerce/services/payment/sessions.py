"""Opening payment pages: at most one for each order.

The attempt's row, with its idempotency key, is committed before the gateway is called, and the call is made outside any
transaction. So a crash at any point leaves a row that the sweep can ask about.
"""

from __future__ import annotations

import logging
import uuid
from datetime import datetime, timedelta
from urllib.parse import urljoin

from django.conf import settings
from django.db import transaction
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from ecommerce.enums import PAYING_STATES, AttemptState, OrderState
from ecommerce.errors.checkout import PaymentUnavailable, TotalNotPayable
from ecommerce.gateways.base import PaymentFailed, PaymentGateway, PaymentLine, PaymentRequest, Redirect, Session
from ecommerce.gateways.registry import gateways
from ecommerce.models import Order, PaymentAttempt
from ecommerce.services.discounts.codes import prolong_uses
from ecommerce.services.orders.attempts import give_up_attempts
from mitxonline.kernel.db import in_transaction
from mitxonline.kernel.shop import shop_of_site

logger = logging.getLogger(__name__)

# Addresses of pages that belong to an upper app.
COMPLETED = "/payment/completed/{reference}/"
CANCELED = "/payment/canceled/{reference}/"

OPEN_STATES = (AttemptState.STARTED, AttemptState.PROCESSING)

# Codes of amounts that no gateway can charge; trying again is no use.
NOT_PAYABLE = frozenset({"amount_too_small", "amount_uncounted", "amount_too_large"})


def open_attempt(order: Order, *, gateway: PaymentGateway, host: str, now: datetime) -> PaymentAttempt:
    """Return the attempt with which the buyer goes on paying an order that this transaction has locked or created.

    An open attempt is reused while it is young. Otherwise it is given up for a new one, which starts the hold over.
    """
    account = gateway.account_for(host)
    current = order.attempts.filter(state=AttemptState.STARTED).first()
    if current is not None:
        if _can_reuse(current, gateway=gateway, account=account, now=now):
            return current
        give_up_attempts(order.attempts.filter(pk=current.pk), now=now, note=_("replaced by a newer attempt"))
    _extend_hold(order, now=now)
    reference = uuid.uuid4()
    return PaymentAttempt.objects.create(
        order=order,
        gateway=gateway.name,
        account=account,
        reference=reference,
        idempotency_key=f"checkout:{reference}",
        locale=(get_language() or settings.LANGUAGE_CODE)[:20],
        amount=order.total,
        currency=order.currency,
        started_at=now,
        expires_at=now + timedelta(seconds=settings.PAYMENT_SESSION_SECONDS),
        ask_at=now + timedelta(seconds=settings.PAYMENT_FIRST_ASK_SECONDS),
    )


def begin_session(attempt: PaymentAttempt, *, now: datetime) -> str:
    """Return the address of the payment page, which the gateway opens now unless it has before.

    Two windows that call at once send the same idempotency key and get the same page. Raises PaymentUnavailable where
    the gateway opened none, TotalNotPayable where it can't for this amount.
    """
    refuse_in_transaction()
    if attempt.pay_url:
        return attempt.pay_url
    gateway = gateways()[attempt.gateway]
    try:
        redirect = gateway.start(make_request(attempt))
    except PaymentFailed as failure:
        _record_failure(attempt, failure, now)
        if failure.code in NOT_PAYABLE:
            raise TotalNotPayable(total=attempt.money.formatted()) from failure
        raise PaymentUnavailable from failure
    if not _record_session(attempt, redirect):
        raise PaymentUnavailable
    return redirect.url


def make_request(attempt: PaymentAttempt) -> PaymentRequest:
    """Describe an attempt to its gateway, to open its payment page."""
    # From the rows alone: a repeated call with the same key has to ask for the same.
    order = attempt.order
    shop = shop_of_site(order.site_id)
    base = shop.base_url if attempt.account in ("", shop.hostname) else f"https://{attempt.account}"
    return PaymentRequest(
        reference=attempt.reference,
        order_number=order.number,
        total=attempt.money,
        lines=tuple(PaymentLine(title=line.title, due=line.money, seats=line.seats or 1) for line in order.lines.all()),
        buyer_email=order.purchaser.email,
        return_url=urljoin(base, COMPLETED.format(reference=attempt.reference)),
        cancel_url=urljoin(base, CANCELED.format(reference=attempt.reference)),
        idempotency_key=attempt.idempotency_key,
        locale=attempt.locale,
        expires_at=attempt.expires_at or attempt.started_at,
        account=attempt.account,
    )


def make_session(attempt: PaymentAttempt) -> Session:
    """Describe an attempt to its gateway, to ask about it or to end it."""
    return Session(
        session_id=attempt.session_id,
        reference=attempt.reference,
        total=attempt.money,
        account=attempt.account,
        idempotency_key=attempt.closing_key,
        expires_at=attempt.expires_at,
        is_given_up=attempt.state == AttemptState.CLOSING,
        came_back_at=attempt.came_back_at,
    )


def refuse_in_transaction() -> None:
    """Raise RuntimeError inside a transaction: a gateway may take half a minute, with rows locked all the while."""
    if in_transaction():
        raise RuntimeError("A gateway is called outside any transaction")


def _can_reuse(attempt: PaymentAttempt, *, gateway: PaymentGateway, account: str, now: datetime) -> bool:
    is_same = attempt.gateway == gateway.name and attempt.account == account and attempt.money == attempt.order.money
    # Without a page yet, another window's call to the gateway may still be running.
    seconds = settings.PAYMENT_SESSION_REUSE_SECONDS if attempt.pay_url else settings.PAYMENT_START_SECONDS
    return is_same and now < attempt.started_at + timedelta(seconds=seconds)


def _extend_hold(order: Order, *, now: datetime) -> None:
    # Longer than the payment page lives, so that money paid at the last moment still finds its codes and seats.
    until = now + timedelta(seconds=settings.ORDER_HOLD_SECONDS)
    if order.hold_until is None or order.hold_until < until:
        order.hold_until = until
        order.save(update_fields=["hold_until", "updated_at"])
        prolong_uses(order_id=order.pk, until=until)


def _record_failure(attempt: PaymentAttempt, failure: PaymentFailed, now: datetime) -> None:
    """End an attempt that got no page, unless another window got one meanwhile with the same key."""
    logger.warning(
        "payment not started",
        extra={"attempt": attempt.pk, "order": attempt.order_id, "code": failure.code, "retriable": failure.retriable},
    )
    PaymentAttempt.objects.filter(pk=attempt.pk, state=AttemptState.STARTED, session_id="").update(
        state=AttemptState.FAILED, settled_at=now, ask_at=None, note=str(failure)[:255]
    )


def _record_session(attempt: PaymentAttempt, redirect: Redirect) -> bool:
    """Record the page that the gateway opened, and return whether the buyer may go there.

    Where the attempt was given up during the call, its page is to be ended again; no buyer was sent there.
    """
    with transaction.atomic():
        order = Order.objects.locked().get(pk=attempt.order_id)
        current = PaymentAttempt.objects.locked().get(pk=attempt.pk)
        is_alone = not order.attempts.filter(state__in=(*PAYING_STATES, *OPEN_STATES)).exclude(pk=attempt.pk).exists()
        may_be_paid = order.state == OrderState.PENDING and is_alone
        current.session_id, current.pay_url = redirect.session_id, redirect.url
        if current.state == AttemptState.FAILED and may_be_paid:  # another window's call failed, this one didn't
            current.state, current.settled_at, current.note = AttemptState.STARTED, None, ""
        elif current.state == AttemptState.FAILED:
            current.state, current.closing_key = AttemptState.CLOSING, f"expire:{current.reference}"
        if current.state in (AttemptState.STARTED, AttemptState.CLOSING):
            current.ask_at = current.started_at + timedelta(seconds=settings.PAYMENT_FIRST_ASK_SECONDS)
        current.save()
    return current.state == AttemptState.STARTED

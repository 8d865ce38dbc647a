"""Payment pages that the buyer's browser opens by a signed form of ours, and whose answer it brings back."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError

from ecommerce.enums import AttemptState, OrderState
from ecommerce.errors.checkout import GatewayUnknown
from ecommerce.gateways.base import FormGateway, PageForm, PaymentFailed, PaymentOutcome
from ecommerce.gateways.registry import gateways
from ecommerce.models import PaymentAttempt
from ecommerce.services.payment.notices import process_notice, receive_notice
from ecommerce.services.payment.payments import find_buyers_attempt
from ecommerce.services.payment.sessions import make_request
from mitxonline.kernel.errors import DomainError

logger = logging.getLogger(__name__)


def find_page_form(
    *, gateway_name: str, reference: UUID, user_id: int, now: datetime
) -> tuple[PaymentAttempt, PageForm | None]:
    """Return a buyer's attempt, and the form that takes them to pay it; None where it can't be paid any more.

    Raises GatewayUnknown, and OrderUnknown for someone else's attempt.
    """
    gateway = form_gateway(gateway_name)
    attempt = find_buyers_attempt(reference=reference, user_id=user_id, gateway=gateway.name)
    is_open = attempt.state == AttemptState.STARTED and attempt.order.state == OrderState.PENDING
    if not (is_open and attempt.session_id and now < attempt.started_at + gateway.form_time):
        return attempt, None
    # Signed as of the start, however often it is shown: the gateway refuses a second payment of one form.
    form = gateway.make_form(make_request(attempt), session_id=attempt.session_id, signed_at=attempt.started_at)
    return attempt, form


def take_answer(
    *, gateway_name: str, body: bytes, headers: Mapping[str, str], host: str, now: datetime
) -> tuple[UUID | None, PaymentOutcome]:
    """Store and process the answer that a browser brings; return the reference in it, and what it says.

    It is the notice that also comes from the gateway's server, and whichever comes first counts. Where processing it
    fails, the worker does it again. Raises GatewayUnknown, NoticeForged.
    """
    gateway = form_gateway(gateway_name)
    reference, outcome = gateway.read_return(body, account=gateway.account_for(host))
    notice = receive_notice(gateway_name=gateway.name, body=body, headers=headers, host=host, now=now)
    if outcome is PaymentOutcome.OPEN and reference is not None:
        _wait_for_result(gateway.name, reference, now=now)
    try:
        process_notice(notice_id=notice.pk, now=now)
    except PaymentFailed as failure:
        logger.warning("answer left to the worker", extra={"notice": notice.pk, "code": failure.code})
    except (DatabaseError, DomainError):
        logger.exception("answer left to the worker", extra={"notice": notice.pk})
    return reference, outcome


def form_gateway(name: str) -> FormGateway:
    """Return a gateway that is reached by a form. Raises GatewayUnknown."""
    gateway = gateways().get(name)
    if not isinstance(gateway, FormGateway):
        raise GatewayUnknown
    return gateway


def _wait_for_result(gateway_name: str, reference: UUID, *, now: datetime) -> None:
    """Record that the buyer came back without a result, so that no page says that nothing was charged."""
    started = PaymentAttempt.objects.filter(gateway=gateway_name, reference=reference, state=AttemptState.STARTED)
    soon = now + timedelta(seconds=settings.PAYMENT_START_SECONDS)
    started.filter(came_back_at=None).update(came_back_at=now, ask_at=soon)

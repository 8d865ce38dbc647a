"""E-mails about codes: queued with the hand-out, claimed before they are sent, and never sent twice automatically.

A conditional write claims an e-mail right before it goes to the mail server; the result is recorded afterwards. If a
worker is killed in between, the e-mail stays claimed: it may have been sent, so only a person sends it again.
"""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta

from django.conf import settings
from django.core.mail import get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import translation
from django.utils.translation import get_language, gettext_noop
from django.utils.translation import gettext as _

from b2b.enums import MailKind, MailState
from b2b.errors.handouts import MailServerAway, TooManyMails, TooManySaleMails
from b2b.events import ExampleRequested, HandOutMailsQueued
from b2b.models import ContractTerms, HandOut, HandOutMail, OrganizationMembership
from b2b.selectors.groups import may_hand_out
from b2b.selectors.handouts import used_hand_outs
from b2b.selectors.lots import Lot
from ecommerce.codes import redeem_url
from ecommerce.models import SeatSale
from ecommerce.selectors.registration import find_opened_run, name_giver
from mitxonline.coordinator.bus import publish
from mitxonline.kernel import clock
from mitxonline.kernel.mail import build_email, send_email
from mitxonline.kernel.names import clean_name, has_address, order_name
from mitxonline.kernel.ratelimit import RateLimit
from mitxonline.kernel.remote import RemoteAvoided
from mitxonline.users.models import User

logger = logging.getLogger(__name__)

EXAMPLES = RateLimit("example_mails")
# E-mails in one delivery: few enough for its time limit even if the mail server is slow.
BATCH = 50
# After temporary errors an e-mail is tried for about half an hour. Then a person has to look.
MAX_ATTEMPTS = 8
TEMPORARY = range(400, 500)

# A day's e-mails about a group purchase: the invitation, a reminder and another try for each seat.
MAILS_A_SEAT = 3
SPARE_MAILS = 10

Connect = Callable[[], BaseEmailBackend]


def queue_mails(hand_outs: Sequence[HandOut], *, kind: MailKind, by_id: int | None, now: datetime) -> int:
    """Queue an e-mail for each hand-out in the caller's transaction and return how many; workers send them after it.

    Raises TooManyMails, with nothing written, if the sender has reached the hourly limit.
    """
    refuse_too_many(len(hand_outs), by_id=by_id, now=now)
    mails = HandOutMail.objects.bulk_create(
        [
            HandOutMail(
                hand_out=each,
                kind=kind,
                language=get_language() or settings.LANGUAGE_CODE,
                requested_by_id=by_id,
                queued_at=now,
            )
            for each in hand_outs
        ]
    )
    _publish([mail.pk for mail in mails])
    return len(mails)


def refuse_too_many(count: int, *, by_id: int | None, now: datetime) -> None:
    """Raise TooManyMails if the person would exceed the hourly limit. Commands have no limit."""
    if by_id is None:
        return
    most, seconds = settings.RATE_LIMITS["hand_outs"]["user"]
    window = timedelta(seconds=seconds)
    recent = HandOutMail.objects.filter(requested_by_id=by_id, queued_at__gt=now - window)
    if recent.count() + count <= most:
        return
    # There is room again once the e-mail at this place has left the window. A list above the limit never fits.
    place = max(0, recent.count() + count - most - 1)
    leaves = recent.order_by("queued_at").values_list("queued_at", flat=True)[place : place + 1].first()
    wait = (leaves + window - now) if leaves is not None else window
    raise TooManyMails(retry_after=max(1, int(wait.total_seconds())), most=most)


def refuse_too_many_for_sale(count: int, *, sale: SeatSale, now: datetime) -> None:
    """Raise TooManySaleMails above three e-mails a seat and day, and a few: taken back and handed out again and again,
    one seat could otherwise e-mail anyone. The caller holds the lock of the sale.
    """
    most, window = MAILS_A_SEAT * sale.seats + SPARE_MAILS, timedelta(days=1)
    recent = HandOutMail.objects.filter(hand_out__seat_sale=sale, queued_at__gt=now - window)
    if recent.count() + count <= most:
        return
    first = recent.order_by("queued_at").values_list("queued_at", flat=True).first() or now
    raise TooManySaleMails(retry_after=max(1, int((first + window - now).total_seconds())), most=most)


def send_again(*, hand_out_ids: Sequence[int], by_id: int | None, now: datetime) -> int:
    """Queue the last e-mail of each hand-out again if it failed or may have failed; return how many.

    Earlier failed e-mails stay as they are: a later one took their place, and no one should get two at once.
    """
    with transaction.atomic():
        unsent = HandOutMail.objects.to_send_again(now=now).filter(hand_out__in=hand_out_ids)
        chosen = [mail.pk for mail in unsent.order_by("pk").select_for_update(of=("self",), no_key=True)]
        refuse_too_many(len(chosen), by_id=by_id, now=now)
        HandOutMail.objects.filter(pk__in=chosen).update(
            state=MailState.QUEUED,
            reason="",
            attempts=0,
            requested_by_id=by_id,
            queued_at=now,
            claimed_at=None,
            finished_at=None,
        )
        _publish(chosen)
    return len(chosen)


def request_example(*, terms: ContractTerms, course: str, email: str, sender: User) -> None:
    """Have what invited people get sent to an address, with a code that opens nothing. Raises RateLimited."""
    EXAMPLES.check_and_count({"user": sender.pk})
    language = get_language() or settings.LANGUAGE_CODE
    asked = ExampleRequested(contract_id=terms.pk, course=course, email=email, sender_id=sender.pk, language=language)
    with transaction.atomic():
        publish(asked)


def send_example(event: ExampleRequested) -> None:
    """E-mail the example. Raises OSError where the mail server refuses it or doesn't answer."""
    terms = ContractTerms.objects.select_related("page", "organization").get(pk=event.contract_id)
    sender = User.objects.get(pk=event.sender_id)
    with translation.override(event.language):
        text = _("YOUR-CODE")
    is_shared, today = terms.max_learners is None, clock.date_of(clock.now())
    context: dict[str, object] = {
        "kind": MailKind.INVITATION,
        "name": "",
        "sender": "" if has_address(sender.name) else order_name(sender.name),
        "code": text,
        "link": redeem_url(text),
        "address": event.email if terms.codes_only_for_assignee and not is_shared else "",
        **_describe_terms(terms, course=event.course, is_shared=is_shared, on=today),
    }
    reply_to = [sender.email] if sender.is_active else []
    send_email("b2b/emails/invitation", to=[event.email], context=context, language=event.language, reply_to=reply_to)


def open_hand_outs_of(lot: Lot, *, hand_out_ids: Sequence[int] = (), code_ids: Sequence[int] = ()) -> list[int]:
    """Return the open hand-outs of this lot among these ids, or of these codes."""
    chosen = Q(pk__in=hand_out_ids) | Q(code__in=code_ids, is_shared=False)
    return list(lot.hand_outs().filter(chosen).order_by("pk").values_list("pk", flat=True))


def send_mails(mail_ids: Sequence[int], *, connect: Connect = get_connection) -> None:
    """Send the queued ones of these e-mails, each at most once; raises MailServerAway if some have to wait."""
    waiting = HandOutMail.objects.filter(pk__in=mail_ids, state=MailState.QUEUED)
    if not waiting.exists():
        return
    connection = connect()
    try:
        connection.open()
    except RemoteAvoided as error:  # known to be down, so this doesn't count as an attempt
        raise MailServerAway from error
    except (OSError, smtplib.SMTPException) as error:
        _record_unreachable_server(mail_ids, error)
        raise MailServerAway from error
    try:
        for mail_id in mail_ids:
            _send(mail_id, connection)
    except _ConnectionLost as lost:
        logger.warning(
            "e-mails about codes wait for another connection", extra={"error": type(lost.__cause__).__name__}
        )
    finally:
        _close(connection)
    if waiting.exists():
        raise MailServerAway


def _publish(mail_ids: Sequence[int]) -> None:
    for start in range(0, len(mail_ids), BATCH):
        publish(HandOutMailsQueued(mail_ids=tuple(mail_ids[start : start + BATCH])))


class _ConnectionLost(Exception):
    """Stops the batch: it would be unclear whether later e-mails on this connection were sent."""


def _send(mail_id: int, connection: BaseEmailBackend) -> None:
    """Send one e-mail if it is still needed; it stays queued after a temporary error. Raises _ConnectionLost."""
    mail = _find_queued(mail_id)
    if mail is None:
        return
    if (reason := _reason_to_cancel(mail)) is not None:
        _record_state(mail_id, MailState.QUEUED, MailState.CANCELED, reason=reason)
        return
    message = build_email(
        "b2b/emails/invitation",
        to=[mail.hand_out.email],
        context=_build_context(mail),
        language=mail.language,
        reply_to=_reply_to(mail.hand_out),
        connection=connection,
    )
    if not _claim(mail):  # taken by another worker, or its link was just replaced and it is queued for the new one
        return
    try:
        sent_count = connection.send_messages([message])
    except smtplib.SMTPRecipientsRefused as refused:
        code, _text = next(iter(refused.recipients.values()))
        _record_rejection(mail, code, gettext_noop("The address was rejected."))
        return
    except smtplib.SMTPResponseException as refused:
        _record_rejection(mail, refused.smtp_code, gettext_noop("The mail server rejected the e-mail."))
        return
    except RemoteAvoided as error:  # out of time before sending began, so this doesn't count as an attempt
        HandOutMail.objects.filter(pk=mail_id, state=MailState.SENDING).update(
            state=MailState.QUEUED, attempts=F("attempts") - 1
        )
        raise _ConnectionLost from error
    except (OSError, smtplib.SMTPException) as error:  # it may have been sent, so a person decides
        logger.warning("e-mail about a code may have been sent", extra={"mail": mail_id, "error": type(error).__name__})
        _record_state(
            mail_id,
            MailState.SENDING,
            MailState.UNKNOWN,
            reason=gettext_noop("The connection was lost while it was being sent."),
        )
        raise _ConnectionLost from error
    if sent_count:
        _record_state(mail_id, MailState.SENDING, MailState.SENT)
    else:
        _record_state(
            mail_id, MailState.SENDING, MailState.FAILED, reason=gettext_noop("The mail server rejected the e-mail.")
        )


def _claim(mail: HandOutMail) -> bool:
    """Claim the e-mail; False if another worker has it, the hand-out ended or the link was replaced."""
    # A subquery, not a join: the condition on the state must be part of the update, or two workers could claim it.
    text = mail.hand_out.code.text if mail.hand_out.code is not None else ""
    is_current = Exists(HandOut.objects.open().filter(pk=OuterRef("hand_out"), code__text=text))
    queued = HandOutMail.objects.filter(is_current, pk=mail.pk, state=MailState.QUEUED)
    return bool(queued.update(state=MailState.SENDING, claimed_at=clock.now(), attempts=F("attempts") + 1))


def _record_state(mail_id: int, before: MailState, after: MailState, *, reason: str = "") -> None:
    """Change the state unless another worker has changed it meanwhile."""
    finished_at = None if after == MailState.QUEUED else clock.now()
    HandOutMail.objects.filter(pk=mail_id, state=before).update(state=after, reason=reason, finished_at=finished_at)


def _record_rejection(mail: HandOutMail, code: int, reason: str) -> None:
    """Queue the e-mail again after a temporary rejection, or mark it failed. The server never accepted it."""
    logger.warning("e-mail about a code rejected", extra={"mail": mail.pk, "smtp_code": code})
    if code in TEMPORARY and mail.attempts + 1 < MAX_ATTEMPTS:
        _record_state(mail.pk, MailState.SENDING, MailState.QUEUED)
    else:
        _record_state(mail.pk, MailState.SENDING, MailState.FAILED, reason=reason)


def _record_unreachable_server(mail_ids: Sequence[int], error: Exception) -> None:
    """Count an attempt for each e-mail; those with too many have failed, the others wait."""
    logger.warning("mail server unreachable", extra={"mails": len(mail_ids), "error": type(error).__name__})
    queued = HandOutMail.objects.filter(pk__in=mail_ids, state=MailState.QUEUED)
    queued.update(attempts=F("attempts") + 1)
    queued.filter(attempts__gte=MAX_ATTEMPTS).update(
        state=MailState.FAILED, reason=gettext_noop("The mail server didn’t answer."), finished_at=clock.now()
    )


def _close(connection: BaseEmailBackend) -> None:
    try:
        connection.close()
    except (OSError, smtplib.SMTPException) as error:  # the e-mails have been sent already
        logger.warning("mail server connection not closed properly", extra={"error": type(error).__name__})


def _find_queued(mail_id: int) -> HandOutMail | None:
    return (
        HandOutMail.objects.filter(pk=mail_id, state=MailState.QUEUED)
        .select_related(
            "hand_out__code__moved_to",
            "hand_out__given_by",
            "hand_out__contract_run__course_run",
            "hand_out__contract_run__contract__terms__organization",
            "hand_out__contract_run__contract__terms__page",
            "hand_out__seat_sale__course_run",
            "hand_out__seat_sale__buyer",
            "hand_out__seat_sale__order_line__order",
            "hand_out__seat_sale__invoice_line__invoice",
        )
        .first()
    )


def _reason_to_cancel(mail: HandOutMail) -> str | None:
    hand_out = mail.hand_out
    code = hand_out.code
    if hand_out.ended_at is not None or code is None or not code.active:
        return gettext_noop("The code was revoked.")
    if hand_out.is_shared and code.max_uses is not None:  # the contract has a cap now, so the code is no longer shared
        return gettext_noop("The code was revoked.")
    if used_hand_outs([hand_out]):
        return gettext_noop("The code was used meanwhile.")
    return None


def _build_context(mail: HandOutMail) -> dict[str, object]:
    hand_out = mail.hand_out
    text = hand_out.code.text if hand_out.code is not None else ""
    return {
        "kind": mail.kind,
        # The e-mail is sent in our name, so a "name" must not smuggle in a link.
        "name": "" if has_address(hand_out.name) else order_name(hand_out.name),
        "sender": _sender_name(hand_out),
        "code": text,
        "link": redeem_url(text),
        **(_describe_contract(mail) if hand_out.seat_sale is None else _describe_sale(mail, hand_out.seat_sale)),
    }


def _describe_contract(mail: HandOutMail) -> dict[str, object]:
    run = mail.hand_out.contract_run
    if run is None:
        raise ValueError("a hand-out is of a contract or of a sale")
    terms, is_shared = run.contract.terms, mail.hand_out.is_shared
    described = _describe_terms(
        terms, course=run.course_run.title, is_shared=is_shared, on=clock.date_of(mail.queued_at)
    )
    return described | {"address": mail.hand_out.email if terms.codes_only_for_assignee and not is_shared else ""}


def _describe_terms(terms: ContractTerms, *, course: str, is_shared: bool, on: date) -> dict[str, object]:
    return {
        "course": course,
        "organization": terms.organization.name,
        "contract": terms.page.name,
        "keeps_seat": not is_shared and terms.max_learners is not None,
        "starts": terms.start if terms.start is not None and terms.start > on else None,
        "ends": terms.end,
        "price": None if terms.is_free else terms.money,
    }


def _describe_sale(mail: HandOutMail, sale: SeatSale) -> dict[str, object]:
    code = mail.hand_out.code
    run = find_opened_run(code, sale) if code is not None else sale.course_run
    giver = clean_name(name_giver(sale))
    ends = [moment for moment in (run.enrollment_end, run.end_date) if moment is not None]
    opens = run.enrollment_start
    return {
        "course": run.title,
        # Buyers write their company themselves. Their own name is the sender's.
        "organization": "" if has_address(giver) or giver == _buyer_name(sale) else giver,
        "keeps_seat": True,
        "starts": clock.date_of(opens) if opens is not None and opens > mail.queued_at else None,
        "ends": clock.date_of(min(ends)) if ends else None,
        "price": None,
        "address": mail.hand_out.email,
    }


def _buyer_name(sale: SeatSale) -> str:
    return sale.buyer.name if sale.buyer is not None else ""


def _sender_name(hand_out: HandOut) -> str:
    """Our staff aren't part of the organization, so they aren't named as senders."""
    sender: User | None = hand_out.given_by
    if sender is None or has_address(sender.name) or not _gives_codes(hand_out):
        return ""
    return order_name(sender.name)


def _reply_to(hand_out: HandOut) -> list[str]:
    """Replies go to the person who sent the invitation; staff don't show their address."""
    sender: User | None = hand_out.given_by
    if sender is None or not sender.is_active:
        return []
    return [sender.email] if _gives_codes(hand_out) else []


def _gives_codes(hand_out: HandOut) -> bool:
    """Tell whether the sender manages the organization, or is the buyer of the seats or a helper."""
    if hand_out.given_by is None:
        return False
    if hand_out.contract_run is None:
        return may_hand_out(user_id=hand_out.given_by.pk, sale_id=hand_out.seat_sale_id or 0)
    managed = OrganizationMembership.objects.filter(
        organization_id=hand_out.contract_run.contract.terms.organization_id,
        user=hand_out.given_by,
        is_manager=True,
    )
    return managed.exists()

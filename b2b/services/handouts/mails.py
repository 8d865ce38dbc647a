"""The mails about codes: queued with the hand-out, claimed before they are sent, never sent twice by themselves.

A mail is claimed by one conditional write just before it goes to the mail server. What becomes of it is noted after. A
worker killed in between leaves it claimed: no one knows whether it left, so only a person sends it again.
"""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.core.mail import get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils.translation import get_language, gettext_noop

from b2b.codes import redeem_url
from b2b.enums import MailKind, MailState
from b2b.errors.handouts import MailServerAway, TooManyMails
from b2b.events import HandOutMailsQueued
from b2b.models import HandOut, HandOutMail, OrganizationMembership
from b2b.selectors.handouts import used_hand_outs
from mitxonline.coordinator.bus import publish
from mitxonline.kernel import clock
from mitxonline.kernel.mail import build_email
from mitxonline.kernel.remote import RemoteAvoided
from mitxonline.users.models import User

logger = logging.getLogger(__name__)

# So many mails are one delivery: well within its time, also where the mail server is slow.
BATCH = 50
# A mail the server turned away for the moment is tried for about half an hour, then a person has to look.
MOST_ATTEMPTS = 8
TEMPORARY = range(400, 500)

Connect = Callable[[], BaseEmailBackend]


def queue_mails(hand_outs: Sequence[HandOut], *, kind: MailKind, by_id: int | None, now: datetime) -> int:
    """Write down a mail for each hand-out, in the caller's transaction; the worker sends them after the commit.

    Raises TooManyMails, and nothing is written, where the sender had so many sent in the last hour.
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
    """Raise TooManyMails if one person would have more mails sent than the limit allows; commands are not limited."""
    if by_id is None:
        return
    most, seconds = settings.RATE_LIMITS["hand_outs"]["user"]
    window = timedelta(seconds=seconds)
    recent = HandOutMail.objects.filter(requested_by_id=by_id, queued_at__gt=now - window)
    if recent.count() + count <= most:
        return
    # Room comes when the mail leaves the window that makes one too many; a list that is too long never fits.
    place = max(0, recent.count() + count - most - 1)
    leaves = recent.order_by("queued_at").values_list("queued_at", flat=True)[place : place + 1].first()
    wait = (leaves + window - now) if leaves is not None else window
    raise TooManyMails(retry_after=max(1, int(wait.total_seconds())), most=most)


def send_again(*, hand_out_ids: Sequence[int], by_id: int | None, now: datetime) -> int:
    """Queue the last mail of each of these hand-outs if it failed or no one knows of it; how many.

    An earlier one that failed stays as it is: a later mail took its place, and no one gets two at once.
    """
    with transaction.atomic():
        later = HandOutMail.objects.filter(hand_out=OuterRef("hand_out"), pk__gt=OuterRef("pk"))
        unsent = HandOutMail.objects.unsent(now=now).filter(
            ~Exists(later), hand_out__in=hand_out_ids, hand_out__ended_at__isnull=True
        )
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


def open_hand_outs_of(*, contract_id: int, hand_out_ids: Sequence[int] = (), code_ids: Sequence[int] = ()) -> list[int]:
    """Those of these hand-outs, or of these codes', that are open and of this contract."""
    mine = HandOut.objects.open().filter(contract_run__contract_id=contract_id)
    asked = Q(pk__in=hand_out_ids) | Q(code__in=code_ids, is_shared=False)
    return list(mine.filter(asked).order_by("pk").values_list("pk", flat=True))


def send_mails(mail_ids: Sequence[int], *, connect: Connect = get_connection) -> None:
    """Send the queued ones of these mails, each at most once. Raises MailServerAway if some have to wait."""
    waiting = HandOutMail.objects.filter(pk__in=mail_ids, state=MailState.QUEUED)
    if not waiting.exists():
        return
    connection = connect()
    try:
        connection.open()
    except RemoteAvoided as error:  # known to be away: that is no try
        raise MailServerAway from error
    except (OSError, smtplib.SMTPException) as error:
        _give_up_or_wait(mail_ids, error)
        raise MailServerAway from error
    try:
        for mail_id in mail_ids:
            _send(mail_id, connection)
    except _ConnectionLost as lost:
        logger.warning("mails about codes wait for another connection", extra={"error": type(lost.__cause__).__name__})
    finally:
        _close(connection)
    if waiting.exists():
        raise MailServerAway


def _publish(mail_ids: Sequence[int]) -> None:
    for start in range(0, len(mail_ids), BATCH):
        publish(HandOutMailsQueued(mail_ids=tuple(mail_ids[start : start + BATCH])))


class _ConnectionLost(Exception):
    """The mails that follow would be lost with it, and no one would know whether they left."""


def _send(mail_id: int, connection: BaseEmailBackend) -> None:
    """Send one mail if it is still to be sent; it stays queued if the server wants it later. Raises _ConnectionLost."""
    mail = _with_all(mail_id)
    if mail is None:
        return
    if (over := _why_not(mail)) is not None:
        _note(mail_id, MailState.QUEUED, MailState.CANCELED, reason=over)
        return
    message = build_email(
        "b2b/emails/invitation",
        to=[mail.hand_out.email],
        context=_context(mail),
        language=mail.language,
        reply_to=_reply_to(mail.hand_out),
        connection=connection,
    )
    if not _claim(mail):  # where its link was replaced in this moment it stays queued, for the new one
        return
    try:
        taken = connection.send_messages([message])
    except smtplib.SMTPRecipientsRefused as refused:
        code, _words = next(iter(refused.recipients.values()))
        _note_refusal(mail, code, gettext_noop("The address was refused."))
        return
    except smtplib.SMTPResponseException as refused:
        _note_refusal(mail, refused.smtp_code, gettext_noop("The mail server refused the mail."))
        return
    except RemoteAvoided as error:  # the time is over, and it wasn't even begun
        HandOutMail.objects.filter(pk=mail_id, state=MailState.SENDING).update(
            state=MailState.QUEUED, attempts=F("attempts") - 1
        )
        raise _ConnectionLost from error
    except (OSError, smtplib.SMTPException) as error:  # it may have left all the same: a person decides
        logger.warning("mail about a code: outcome unknown", extra={"mail": mail_id, "error": type(error).__name__})
        _note(
            mail_id,
            MailState.SENDING,
            MailState.UNKNOWN,
            reason=gettext_noop("The connection was lost while it was sent."),
        )
        raise _ConnectionLost from error
    if taken:
        _note(mail_id, MailState.SENDING, MailState.SENT)
    else:
        _note(mail_id, MailState.SENDING, MailState.FAILED, reason=gettext_noop("The mail server refused the mail."))


def _claim(mail: HandOutMail) -> bool:
    """Take the mail for sending; False if someone else has it, its hand-out ended or its link was replaced."""
    # Not by a join: the state has to stand in the very statement that changes it, or two workers claim one mail.
    text = mail.hand_out.code.text if mail.hand_out.code is not None else ""
    given = Exists(HandOut.objects.open().filter(pk=OuterRef("hand_out"), code__text=text))
    queued = HandOutMail.objects.filter(given, pk=mail.pk, state=MailState.QUEUED)
    return bool(queued.update(state=MailState.SENDING, claimed_at=clock.now(), attempts=F("attempts") + 1))


def _note(mail_id: int, before: MailState, after: MailState, *, reason: str = "") -> None:
    """Write down what became of a mail, if no one else has meanwhile."""
    done = None if after == MailState.QUEUED else clock.now()
    HandOutMail.objects.filter(pk=mail_id, state=before).update(state=after, reason=reason, finished_at=done)


def _note_refusal(mail: HandOutMail, code: int, reason: str) -> None:
    """Note what the server said: for good, or for the moment. It never took the mail."""
    logger.warning("mail about a code refused", extra={"mail": mail.pk, "smtp_code": code})
    if code in TEMPORARY and mail.attempts + 1 < MOST_ATTEMPTS:
        _note(mail.pk, MailState.SENDING, MailState.QUEUED)
    else:
        _note(mail.pk, MailState.SENDING, MailState.FAILED, reason=reason)


def _give_up_or_wait(mail_ids: Sequence[int], error: Exception) -> None:
    """Nothing was sent: the mails wait, those that waited too often have failed."""
    logger.warning("mail server away", extra={"mails": len(mail_ids), "error": type(error).__name__})
    queued = HandOutMail.objects.filter(pk__in=mail_ids, state=MailState.QUEUED)
    queued.update(attempts=F("attempts") + 1)
    queued.filter(attempts__gte=MOST_ATTEMPTS).update(
        state=MailState.FAILED, reason=gettext_noop("The mail server didn’t answer."), finished_at=clock.now()
    )


def _close(connection: BaseEmailBackend) -> None:
    try:
        connection.close()
    except (OSError, smtplib.SMTPException) as error:  # the mails are gone already
        logger.warning("mail server: not closed properly", extra={"error": type(error).__name__})


def _with_all(mail_id: int) -> HandOutMail | None:
    return (
        HandOutMail.objects.filter(pk=mail_id, state=MailState.QUEUED)
        .select_related(
            "hand_out__code",
            "hand_out__given_by",
            "hand_out__contract_run__course_run",
            "hand_out__contract_run__contract__terms__organization",
        )
        .first()
    )


def _why_not(mail: HandOutMail) -> str | None:
    """Why the mail isn't needed any more, or None."""
    hand_out = mail.hand_out
    code = hand_out.code
    if hand_out.ended_at is not None or code is None or not code.active:
        return gettext_noop("The code was taken back.")
    if hand_out.is_shared and code.max_uses is not None:  # the contract has a cap by now: it is no link for everyone
        return gettext_noop("The code was taken back.")
    if used_hand_outs([hand_out]):
        return gettext_noop("The code was used meanwhile.")
    return None


def _context(mail: HandOutMail) -> dict[str, object]:
    hand_out = mail.hand_out
    run, terms = hand_out.contract_run.course_run, hand_out.contract_run.contract.terms
    text = hand_out.code.text if hand_out.code is not None else ""
    return {
        "kind": mail.kind,
        # The mail bears our name: an address to click on shall not stand where a person's name does.
        "name": "" if "/" in hand_out.name else hand_out.name,
        "course": run.title,
        "organization": terms.organization.name,
        "contract": hand_out.contract_run.contract.name,
        # Staff of ours are no one of the organization: it gave the seat, by our hands.
        "sender": hand_out.given_by.name if hand_out.given_by and _is_manager(hand_out) else "",
        "keeps_seat": not hand_out.is_shared and terms.max_learners is not None,
        "starts": terms.start if terms.start is not None and terms.start > clock.date_of(mail.queued_at) else None,
        "ends": terms.end,
        "price": None if terms.is_free else terms.money,
        "address": hand_out.email if terms.codes_only_for_assignee and not hand_out.is_shared else "",
        "code": text,
        "link": redeem_url(text),
    }


def _reply_to(hand_out: HandOut) -> list[str]:
    """Whoever answers an invitation writes to the manager who sent it; staff stay behind the site's own address."""
    sender: User | None = hand_out.given_by
    if sender is None or not sender.is_active:
        return []
    return [sender.email] if _is_manager(hand_out) else []


def _is_manager(hand_out: HandOut) -> bool:
    """Whether who gave the code out manages the organization it was given for."""
    if hand_out.given_by is None:
        return False
    managed = OrganizationMembership.objects.filter(
        organization_id=hand_out.contract_run.contract.terms.organization_id,
        user=hand_out.given_by,
        is_manager=True,
    )
    return managed.exists()

"""The one way e-mails leave: from a template's three files, in the reader's language, by a backend with a deadline."""

from __future__ import annotations

import logging
import smtplib
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend
from django.db.models import Model
from django.template import Context, Engine
from django.utils import translation

from mitxonline.kernel import audit
from mitxonline.kernel.remote import RemoteAway, call_remote, cut_at_deadline
from mitxonline.kernel.shop import current_shop
from mitxonline.kernel.text import encode_domain

logger = logging.getLogger(__name__)

REMOTE = "mail"
MAIL_SENT = "email.send"  # the action in the history of what an e-mail was about

# The addresses of deleted accounts. The top-level domain can't exist (RFC 2606), so nothing is ever sent there.
UNREACHABLE_DOMAIN = "deleted.invalid"

# Errors that mean no answer. A refusal is an answer: the server is there.
_NO_ANSWER = (smtplib.SMTPServerDisconnected, TimeoutError, ConnectionError, socket.gaierror)


@dataclass(frozen=True, slots=True)
class MailFile:
    """A file that goes with an e-mail; ``kind`` is its media type."""

    name: str
    content: bytes
    kind: str


def send_email(
    template: str,
    *,
    to: Iterable[str],
    context: Mapping[str, object],
    language: str = "",
    reply_to: Iterable[str] = (),
    about: Model | None = None,
    files: Iterable[MailFile] = (),
) -> None:
    """Send one e-mail now, and record it in the history of what it is ``about``. Call it from a worker, not a page.

    Raises OSError where the mail server refuses it or doesn't answer. The record has no address: an order and an
    account say whose they are.
    """
    message = build_email(template, to=to, context=context, language=language, reply_to=reply_to)
    if not message.to:
        logger.info("e-mail not sent: its account was deleted", extra={"template": template})
        return
    for file in files:
        message.attach(file.name, file.content, file.kind)
    message.send()
    logger.info("e-mail sent", extra={"template": template, "recipients": len(message.to)})
    if about is not None:
        audit.record(about, MAIL_SENT, by_id=None, data={"subject": str(message.subject)})


def build_email(
    template: str,
    *,
    to: Iterable[str],
    context: Mapping[str, object],
    language: str = "",
    reply_to: Iterable[str] = (),
    connection: BaseEmailBackend | None = None,
) -> EmailMultiAlternatives:
    """Render ``<template>_subject.txt``, ``.txt`` and ``.html``; without a language, in the site's own.

    Only the HTML is escaped. Addresses of deleted accounts are left out, so there may be no one to send it to; Django
    then sends nothing.
    """
    engine, values = Engine.get_default(), dict(context)
    with translation.override(language or settings.LANGUAGE_CODE):
        subject = engine.get_template(f"{template}_subject.txt").render(Context(values, autoescape=False))
        text = engine.get_template(f"{template}.txt").render(Context(values, autoescape=False))
        html = engine.get_template(f"{template}.html").render(Context(values))
    message = EmailMultiAlternatives(
        subject=" ".join(subject.split()),  # a line break would start another header
        body=text,
        from_email=current_shop().sender,
        to=[encode_domain(address) for address in to if not address.endswith(f"@{UNREACHABLE_DOMAIN}")],
        reply_to=list(reply_to),
        headers={"Auto-Submitted": "auto-generated"},  # asks mailboxes not to send an absence note (RFC 3834)
        connection=connection,
    )
    message.attach_alternative(html, "text/html")
    return message


class PatientEmailBackend(EmailBackend):
    """SMTP with a deadline, for EMAIL_BACKEND: a server that hangs or trickles blocks no worker.

    Raises RemoteAway, an OSError like smtplib's own errors, where no answer came in time.
    """

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return _SecureSMTP if self.use_ssl else _PlainSMTP

    def open(self) -> bool | None:
        return call_remote(REMOTE, super().open, silences=_NO_ANSWER)

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        send = super().send_messages

        def work() -> int:
            if self.connection is not None and self.connection.sock is not None:
                cut_at_deadline(self.connection.sock)
            return send(email_messages) or 0

        try:
            return call_remote(REMOTE, work, silences=_NO_ANSWER)
        except RemoteAway:
            self.connection = None  # cut off midway: what it says next would answer the e-mail before
            raise


class _PlainSMTP(smtplib.SMTP):
    def _get_socket(self, *args: Any, **kwargs: Any) -> socket.socket:
        made: socket.socket = super()._get_socket(*args, **kwargs)  # type: ignore[misc]
        cut_at_deadline(made)
        return made


class _SecureSMTP(smtplib.SMTP_SSL, _PlainSMTP):
    """`SMTP_SSL` opens its socket through the next class, so the deadline covers the TLS handshake too."""

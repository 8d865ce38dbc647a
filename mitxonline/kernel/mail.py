"""Django's way to a mail server, with a deadline: one that hangs or trickles holds no worker, and no page at all."""

from __future__ import annotations

import smtplib
import socket
from collections.abc import Sequence
from typing import Any

from django.core.mail import EmailMessage
from django.core.mail.backends.smtp import EmailBackend

from mitxonline.kernel.remote import RemoteAway, call_remote, cut_at_deadline

REMOTE = "mail"

# What a server answers in words is no silence.
_NO_ANSWER = (smtplib.SMTPServerDisconnected, TimeoutError, ConnectionError, socket.gaierror)


class PatientEmailBackend(EmailBackend):
    """For EMAIL_BACKEND. Raises `RemoteAway` (an OSError, as smtplib's own errors are) where no answer came in time."""

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
            self.connection = None  # cut in the middle: what it says next belongs to the mail before
            raise


class _PlainSMTP(smtplib.SMTP):
    def _get_socket(self, *args: Any, **kwargs: Any) -> socket.socket:
        made: socket.socket = super()._get_socket(*args, **kwargs)  # type: ignore[misc]
        cut_at_deadline(made)
        return made


class _SecureSMTP(smtplib.SMTP_SSL, _PlainSMTP):
    """`SMTP_SSL` takes the socket of the next class, so the handshake is watched too."""

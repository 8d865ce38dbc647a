"""What happened to accounts, for those who have to do something about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mitxonline.coordinator.events import Event


@dataclass(frozen=True)
class AccountMailQueued(Event):
    """An e-mail about an account is to be sent: ``kind`` is one of `users.mails`, its link leads on to ``next_page``.

    ``asked`` and ``provider`` are for links; ``language`` is the reader's. ``to`` is the address it goes to,
    where that isn't the account's. ``site_id`` is the site that sends it; None is the default one.
    """

    kind: str
    user_id: int
    next_page: str = ""
    asked: str = ""
    provider: str = ""
    language: str = ""
    to: str = ""
    site_id: int | None = None


@dataclass(frozen=True)
class AccountClosed(Event):
    """A person deletes their account; published in the transaction of that, while the row still names them.

    ``email`` is their confirmed address, or empty: one that isn't confirmed may be someone else's. ``alias`` is what
    stands in its place from now on.
    """

    user_id: int
    email: str
    alias: str
    at: datetime


@dataclass(frozen=True)
class ConnectionUndone(Event):
    """An account isn't connected any more with who it was at a provider; published in the transaction of that."""

    user_id: int
    provider: str
    issuer: str
    at: datetime

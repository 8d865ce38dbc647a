"""What happened to accounts, for those who have to do something about it."""

from __future__ import annotations

from dataclasses import dataclass

from mitxonline.coordinator.events import Event


@dataclass(frozen=True)
class AccountMailQueued(Event):
    """A mail about an account is to be sent: ``kind`` is one of `users.mails`, its link leads on to ``next_page``.

    ``asked`` and ``provider`` are for the link that connects a provider.
    """

    kind: str
    user_id: int
    next_page: str = ""
    asked: str = ""
    provider: str = ""

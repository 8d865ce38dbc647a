"""The session engine: Django's database sessions, whose provider rows follow them.

Django gives a session a new key when the password changes. The row that ties a session to the provider's has to follow
the key, and to go with the session. Done here, below all code that touches sessions, no case can be forgotten.
"""

from __future__ import annotations

from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef

from mitxonline.users.models import ProviderSession

# Is in every session that began at a provider. Sessions without it cost no query.
MARK = "users.provider"


class SessionStore(DatabaseStore):
    def cycle_key(self) -> None:
        before = self.session_key
        super().cycle_key()
        if MARK in self:
            ProviderSession.objects.filter(session_key=before).update(session_key=self.session_key)

    def flush(self) -> None:
        key = self.session_key if MARK in self else None
        super().flush()
        if key:
            ProviderSession.objects.filter(session_key=key).delete()

    @classmethod
    def clear_expired(cls) -> None:
        super().clear_expired()
        alive = Session.objects.filter(session_key=OuterRef("session_key"))
        ProviderSession.objects.filter(~Exists(alive)).delete()

"""Sessions in the database, of which those begun at a provider can be found by it.

Django gives a session a new key when the password changes. The row that ties it to the provider's session has to follow
that, and to go when the session goes; here, below everyone who does such things, nothing is forgotten.
"""

from __future__ import annotations

from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef

from mitxonline.users.models import ProviderSession

# Stands in a session that began at a provider; others cost no query.
MARK = "users.provider"


class SessionStore(DatabaseStore):
    """Django's own, with the provider's row beside it."""

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

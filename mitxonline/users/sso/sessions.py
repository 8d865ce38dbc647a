"""Sessions that began at a provider: writing them down, ending them when the provider says so, leaving both."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib.sessions.models import Session
from django.db import transaction
from django.http import HttpRequest

from mitxonline.users.models import ProviderSession, SeenLogoutToken, User
from mitxonline.users.sso.claims import Identity
from mitxonline.users.sso.session_store import MARK


@dataclass(frozen=True, slots=True)
class LogoutNotice:
    """A provider's word that a session there has ended, or all of someone's; after `until` it can't be replayed."""

    issuer: str
    jti: str
    until: datetime
    sid: str = ""
    subject: str = ""


def remember_session(
    request: HttpRequest, *, user: User, identity: Identity, sid: str, id_token: str, now: datetime
) -> None:
    """Tie the signed-in session to the one at the provider."""
    request.session[MARK] = identity.provider
    if request.session.session_key is None:
        request.session.save()
    ProviderSession.objects.update_or_create(
        session_key=request.session.session_key,
        defaults={
            "user": user,
            "provider": identity.provider,
            "issuer": identity.issuer,
            "subject": identity.subject,
            "sid": sid,
            "id_token": id_token,
            "started_at": now,
        },
    )


def provider_session(request: HttpRequest) -> ProviderSession | None:
    """Where the request's session began, if at a provider; no query for any other."""
    if MARK not in request.session:
        return None
    return ProviderSession.objects.filter(session_key=request.session.session_key).first()


def end_sessions(notice: LogoutNotice) -> int | None:
    """End what the notice names, and nothing else; how many sessions it were, None for a notice seen before."""
    with transaction.atomic():
        _token, is_first = SeenLogoutToken.objects.get_or_create(
            issuer=notice.issuer, jti=notice.jti, defaults={"until": notice.until}
        )
        if not is_first:
            return None
        rows = ProviderSession.objects.filter(issuer=notice.issuer)
        if notice.sid:
            rows = rows.filter(sid=notice.sid)
        if notice.subject:
            rows = rows.filter(subject=notice.subject)
        keys = list(rows.select_for_update().values_list("session_key", flat=True))
        Session.objects.filter(session_key__in=keys).delete()
        ProviderSession.objects.filter(session_key__in=keys).delete()
        return len(keys)


def end_sessions_of(*, user_id: int, uid: str, besides: str | None) -> None:
    """End the account's sessions that began as this person at a provider, but for the one with the key `besides`."""
    issuer, _mark, subject = uid.partition("#")
    rows = ProviderSession.objects.filter(user_id=user_id, issuer=issuer, subject=subject)
    keys = list(rows.exclude(session_key=besides or "").values_list("session_key", flat=True))
    if keys:
        Session.objects.filter(session_key__in=keys).delete()
        ProviderSession.objects.filter(session_key__in=keys).delete()


def drop_seen_tokens(*, now: datetime) -> int:
    """Forget notices that are too old to be believed again."""
    count, _details = SeenLogoutToken.objects.filter(until__lt=now).delete()
    return count

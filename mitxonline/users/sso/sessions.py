"""Sessions that began at a provider, and their end when the provider says so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from mitxonline.users.models import ProviderSession, SeenLogoutToken, User
from mitxonline.users.sso.identity import ProviderIdentity, issuer_of
from mitxonline.users.sso.session_store import MARK


@dataclass(frozen=True, slots=True)
class LogoutNotice:
    """A provider's word that a session (`sid`) or all sessions of a person (`subject`) have ended.

    After `until` the token is too old to be accepted, so its `jti` needn't be remembered longer.
    """

    issuer: str
    jti: str
    until: datetime
    sid: str = ""
    subject: str = ""


def remember_session(
    request: HttpRequest, *, user: User, identity: ProviderIdentity, sid: str, id_token: str, now: datetime
) -> None:
    """Tie the session to the provider's session `sid`."""
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


def find_provider_session(request: HttpRequest) -> ProviderSession | None:
    """Return where the request's session began, if at a provider. Other sessions cost no query."""
    if MARK not in request.session:
        return None
    return ProviderSession.objects.filter(session_key=request.session.session_key).first()


def end_sessions(notice: LogoutNotice) -> int | None:
    """End the sessions that the notice names. Return how many, or None for a notice that was acted on before."""
    with transaction.atomic():
        _token, is_first = SeenLogoutToken.objects.get_or_create(
            issuer=notice.issuer, jti=notice.jti, defaults={"until": notice.until}
        )
        if not is_first:
            return None
        sessions = ProviderSession.objects.filter(issuer=notice.issuer)
        if notice.sid:
            sessions = sessions.filter(sid=notice.sid)
        if notice.subject:
            sessions = sessions.filter(subject=notice.subject)
        return _end(sessions.select_for_update())


def end_sessions_of(*, user_id: int, uid: str, besides: str | None) -> None:
    """End the account's sessions that began as this person at a provider, except the one with the key `besides`."""
    issuer = issuer_of(uid)
    sessions = ProviderSession.objects.filter(user_id=user_id, issuer=issuer, subject=uid.removeprefix(f"{issuer}#"))
    _end(sessions.exclude(session_key=besides or ""))


def delete_old_logout_tokens(*, now: datetime) -> None:
    """Forget the notices that are too old to be accepted again."""
    SeenLogoutToken.objects.filter(until__lt=now).delete()


def _end(sessions: QuerySet[ProviderSession]) -> int:
    keys = list(sessions.values_list("session_key", flat=True))
    if keys:
        Session.objects.filter(session_key__in=keys).delete()
        ProviderSession.objects.filter(session_key__in=keys).delete()
    return len(keys)

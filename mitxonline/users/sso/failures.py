"""What a visitor is told when a sign-in through a provider comes to nothing."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _
from social_core.exceptions import AuthAssociationError, AuthCanceled, AuthConfigurationError, SocialAuthBaseException

from mitxonline.users.sso.errors import SignInRefused

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


@dataclass(frozen=True, slots=True)
class Failure:
    """A page: what happened, one sentence, and which ways on it offers. `sentence` may name the %(provider)s.

    `contact` leads to the support address, and is said only where there is one.
    """

    code: str
    status: int
    heading: StrOrPromise
    sentence: StrOrPromise
    contact: StrOrPromise = ""
    retry_helps: bool = True
    password_helps: bool = True
    account_helps: bool = False
    mail_helps: bool = False
    is_ours: bool = False  # something only an operator can fix, so the log says it louder


_IF_THAT_FAILS = _("If that doesn’t help, write to us:")


_STOPPED = Failure(
    "declined",
    HTTPStatus.FORBIDDEN,
    _("You aren’t signed in"),
    _("You stopped at %(provider)s. Nothing has changed here; you can try again whenever you like."),
)
_STALE = Failure(
    "stale",
    HTTPStatus.BAD_REQUEST,
    _("This sign-in has ended"),
    _("It was begun too long ago, in another browser, or was used already. Start it again; it takes a moment."),
)
_AWAY = Failure(
    "provider_away",
    HTTPStatus.SERVICE_UNAVAILABLE,
    _("%(provider)s isn’t answering"),
    _("We can’t reach %(provider)s just now. Wait a few minutes, then try again."),
)
_CLOCKS = Failure(
    "clocks_differ",
    HTTPStatus.BAD_GATEWAY,
    _("Clocks don’t match"),
    _("%(provider)s dated its answer to another time than ours: a clock is wrong. Try again in a moment."),
    _IF_THAT_FAILS,
    is_ours=True,
)
_UNSOUND = Failure(
    "answer_unsound",
    HTTPStatus.BAD_GATEWAY,
    _("We can’t accept this answer"),
    _("What %(provider)s told us about you couldn’t be verified, so we haven’t signed you in. Try again."),
    _IF_THAT_FAILS,
    is_ours=True,
)
_MISCONFIGURED = Failure(
    "misconfigured",
    HTTPStatus.BAD_GATEWAY,
    _("Signing in through %(provider)s doesn’t work"),
    _("%(provider)s and this site aren’t set up for each other as they should be."),
    _("Write to us, and we’ll fix it:"),
    is_ours=True,
)
_OTHER = Failure(
    "failed",
    HTTPStatus.BAD_GATEWAY,
    _("Signing in didn’t work"),
    _("Something went wrong between %(provider)s and this site. Try again."),
    _IF_THAT_FAILS,
    is_ours=True,
)

_BY_CODE = {
    "authorization_declined": _STOPPED,
    "missing_parameter": _STALE,
    "session_context_missing": _STALE,
    "state_mismatch": _STALE,
    "user_mismatch": _STALE,
    "authorization_code_rejected": _STALE,
    "connection_failed": _AWAY,
    "timeout": _AWAY,
    "rate_limited": _AWAY,
    "unavailable": _AWAY,
    "response_expired": _CLOCKS,
    "response_not_yet_valid": _CLOCKS,
    "nonce_mismatch": _UNSOUND,
    "invalid_signature": _UNSOUND,
    "invalid_claim": _UNSOUND,
    "missing_claim": _UNSOUND,
    "malformed_response": _UNSOUND,
    "credential_rejected": _MISCONFIGURED,
    "tls_error": _MISCONFIGURED,
    "http_error": _MISCONFIGURED,
}


def failure_of(error: SocialAuthBaseException | SignInRefused) -> Failure:
    """The page for an error. What the provider wrote in its own words is never shown: anyone can put it there."""
    if isinstance(error, SignInRefused):
        return Failure(
            error.code,
            error.status,
            error.heading,
            error.message,
            error.contact,
            retry_helps=error.retry_helps,
            password_helps=error.password_helps,
            account_helps=error.account_helps,
            mail_helps=error.mail_helps,
        )
    if isinstance(error, AuthCanceled):
        return _STOPPED
    if isinstance(error, AuthConfigurationError):
        return _MISCONFIGURED
    if isinstance(error, AuthAssociationError):
        return _OTHER
    return _BY_CODE.get(error.code, _OTHER)


def ends_here(failure: Failure) -> bool:
    """Whether it only says that this return to us is over: harmless for someone who is signed in already."""
    return failure is _STALE

"""Which refusal a failed sign-in is, by the code social-core gives the error."""

from __future__ import annotations

from social_core.exceptions import AuthAssociationError, AuthCanceled, AuthConfigurationError, SocialAuthBaseException

from mitxonline.users.sso import errors

_BY_CODE: dict[str, type[errors.SignInRefused]] = {
    "authorization_declined": errors.SignInStopped,
    "missing_parameter": errors.SignInStale,
    "session_context_missing": errors.SignInStale,
    "state_mismatch": errors.SignInStale,
    "user_mismatch": errors.SignInStale,
    "authorization_code_rejected": errors.SignInStale,
    "connection_failed": errors.ProviderAway,
    "timeout": errors.ProviderAway,
    "rate_limited": errors.ProviderAway,
    "unavailable": errors.ProviderAway,
    "response_expired": errors.ClocksDiffer,
    "response_not_yet_valid": errors.ClocksDiffer,
    "nonce_mismatch": errors.AnswerUnsound,
    "invalid_signature": errors.AnswerUnsound,
    "invalid_claim": errors.AnswerUnsound,
    "missing_claim": errors.AnswerUnsound,
    "malformed_response": errors.AnswerUnsound,
    "credential_rejected": errors.ProviderMisconfigured,
    "tls_error": errors.ProviderMisconfigured,
    "http_error": errors.ProviderMisconfigured,
}


def refusal_of(error: SocialAuthBaseException, provider_title: str) -> errors.SignInRefused:
    """The refusal for an error. The provider’s own words are never shown: anyone can put theirs there."""
    return _kind_of(error)(provider=provider_title)


def _kind_of(error: SocialAuthBaseException) -> type[errors.SignInRefused]:
    if isinstance(error, AuthCanceled):
        return errors.SignInStopped
    if isinstance(error, AuthConfigurationError):
        return errors.ProviderMisconfigured
    if isinstance(error, AuthAssociationError):
        return errors.SignInBroken
    return _BY_CODE.get(error.code, errors.SignInBroken)

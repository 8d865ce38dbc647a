"""Asking the providers whether they and this site are set up for each other. One sentence for each thing that isn't."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from django.conf import settings
from django.contrib.auth.models import Group
from django.urls import reverse

from mitxonline.kernel.remote import RemoteSession, patience
from mitxonline.users.sso.findings import Finding, Sayer, State, further_findings
from mitxonline.users.sso.keycloak import KeycloakBackend
from mitxonline.users.sso.providers import EDX, KEYCLOAK, find_provider, missing_settings
from mitxonline.users.sso.rights import group_names

_PATIENCE = 10  # seconds, for each question
_WELL_KNOWN = ".well-known/openid-configuration"
_NEEDED = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri")
# Something to send where a real value would stand; whoever answers as if it were one is not well.
_MADE_UP = "made-up-to-ask-whether-the-client-is-known"


def diagnose(*, now: datetime) -> list[Finding]:
    """Everything there is to say about both providers; about one that isn't configured, that and no more."""
    return [*_keycloak(now), *_edx(), *further_findings()]


# Keycloak


def _keycloak(now: datetime) -> Iterator[Finding]:
    say = Sayer(KEYCLOAK)
    if find_provider(KEYCLOAK) is None:
        yield _not_configured(say, "SOCIAL_AUTH_KEYCLOAK")
        return
    endpoint = settings.SOCIAL_AUTH_KEYCLOAK_OIDC_ENDPOINT
    answer = _ask("GET", f"{endpoint}/{_WELL_KNOWN}")
    document = _json(answer) if answer is not None and answer.ok else {}
    if not document:
        yield say.missing("discovery", f"{endpoint}/{_WELL_KNOWN} {_trouble(answer)}. Is the realm's name right?")
        return
    yield say.fine("discovery", f"{endpoint} answers.")
    yield from _clock(say, answer, now)
    yield _issuer(say, document)
    if lacking := [name for name in _NEEDED if not isinstance(document.get(name), str)]:
        yield say.missing("addresses", f"The discovery document lacks {', '.join(lacking)}. Is this OpenID Connect?")
        return
    yield _keys(say, document)
    yield _check_listed(
        say, "PKCE", document, "code_challenge_methods_supported", "S256", "The provider doesn't offer PKCE with S256."
    )
    yield from _scope(say, document)
    yield _secret(say, document["token_endpoint"], settings.SOCIAL_AUTH_KEYCLOAK_KEY, "SOCIAL_AUTH_KEYCLOAK")
    yield _redirect(say, document["authorization_endpoint"])
    yield from _logout(say, document)
    yield from _roles(say, settings.KEYCLOAK_STAFF_ROLES, "KEYCLOAK_STAFF_ROLES")


def _issuer(say: Sayer, document: Mapping[str, Any]) -> Finding:
    told, ours = document.get("issuer"), settings.SOCIAL_AUTH_KEYCLOAK_ISSUER
    if told == ours:
        return say.fine("issuer", f"{ours} signs.")
    return say.missing(
        "issuer",
        f"The provider calls itself {told}, we expect {ours}. Set SOCIAL_AUTH_KEYCLOAK_ISSUER to what it calls itself, "
        "if that is your Keycloak's public address; else set the hostname in Keycloak.",
    )


def _keys(say: Sayer, document: Mapping[str, Any]) -> Finding:
    answer = _ask("GET", document["jwks_uri"])
    keys = _json(answer).get("keys")
    usable = [
        key
        for key in (keys if isinstance(keys, list) else [])
        if isinstance(key, dict)
        and key.get("use", "sig") == "sig"
        and key.get("alg", "RS256") in KeycloakBackend.JWT_ALGORITHMS
    ]
    if usable:
        return say.fine("keys", f"{len(usable)} to check signatures with.")
    return say.missing("keys", f"{document['jwks_uri']} {_trouble(answer)}: there is no key to check signatures with.")


def _scope(say: Sayer, document: Mapping[str, Any]) -> Iterator[Finding]:
    if not any(each.partition(":")[0] == "organization" for each in settings.SOCIAL_AUTH_KEYCLOAK_SCOPE):
        yield say.unknown("organizations", "SOCIAL_AUTH_KEYCLOAK_SCOPE asks for no organizations: none is followed.")
        return
    yield _check_listed(
        say,
        "organizations",
        document,
        "scopes_supported",
        "organization",
        "The realm has no scope “organization”. Switch on Organizations in the realm settings.",
    )


def _secret(say: Sayer, token_endpoint: str, client: str, prefix: str) -> Finding:
    """A made-up code is refused as such by a provider that knows the client, and not looked at by one that doesn't."""
    form = {
        "grant_type": "authorization_code",
        "code": _MADE_UP,
        "redirect_uri": _public("sso_complete", say.provider),
        "code_verifier": "x" * 43,
    }
    answer = _ask("POST", token_endpoint, data=form, auth=(client, getattr(settings, f"{prefix}_SECRET")))
    error = _json(answer).get("error")
    if error == "invalid_grant":
        return say.fine("client", f"{client} is known, and its secret is right.")
    if error in ("invalid_client", "unauthorized_client"):
        return say.missing(
            "client",
            f"{prefix}_KEY or {prefix}_SECRET is wrong, or the client is off or has no client authentication.",
        )
    return say.missing("client", f"{token_endpoint} {_trouble(answer)} when asked about the client.")


def _redirect(say: Sayer, authorization_endpoint: str) -> Finding:
    """Begin a sign-in and don't go on: the provider looks at the client's settings before it asks who someone is."""
    back = _public("sso_complete", say.provider)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(b"x" * 43).digest()).rstrip(b"=").decode()
    asked = {
        "client_id": settings.SOCIAL_AUTH_KEYCLOAK_KEY,
        "redirect_uri": back,
        "response_type": "code",
        "scope": " ".join(["openid", "profile", "email", *settings.SOCIAL_AUTH_KEYCLOAK_SCOPE]),
        "state": _MADE_UP,
        "nonce": _MADE_UP,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    answer = _ask("GET", authorization_endpoint, params=asked, allow_redirects=False)
    if answer is None or answer.status_code >= 400:
        return say.missing(
            "redirect", f"The provider refuses to send people back. Add {back} to the client's valid redirect URIs."
        )
    told = answer.headers.get("Location", "")
    error = parse_qs(urlsplit(told).query).get("error", [""])[0]
    if told.startswith(back) and error == "invalid_scope":
        return say.missing(
            "redirect",
            f"The client may not ask for {' '.join(settings.SOCIAL_AUTH_KEYCLOAK_SCOPE)}. Add the client scope "
            "“organization” to it as optional.",
        )
    if told.startswith(back) and error:
        return say.missing("redirect", f"The provider answers a sign-in with {error}. Is the standard flow on?")
    return say.fine("redirect", f"People are sent back to {back}.")


def _logout(say: Sayer, document: Mapping[str, Any]) -> Iterator[Finding]:
    address = document.get("end_session_endpoint")
    if not isinstance(address, str):
        yield say.missing("logout", "The provider has no end-session address: signing out here doesn't sign out there.")
    else:
        back = _public("logged_out")
        asked = {"client_id": settings.SOCIAL_AUTH_KEYCLOAK_KEY, "post_logout_redirect_uri": back}
        answer = _ask("GET", address, params=asked, allow_redirects=False)
        if answer is None or answer.status_code >= 400:
            yield say.missing("logout", f"Add {back} to the client's valid post logout redirect URIs.")
        else:
            yield say.fine("logout", f"Signing out here signs out there, and leads back to {back}.")
    told = _public("sso_backchannel_logout", say.provider)
    if document.get("backchannel_logout_supported") is True:
        yield say.unknown("back-channel logout", f"The client's back-channel logout URL can't be checked; it is {told}")
    else:
        yield say.missing("back-channel logout", "The provider can't tell us when a session there has ended.")


def _roles(say: Sayer, mapping: Mapping[str, list[str]], variable: str) -> Iterator[Finding]:
    names = group_names(mapping)
    known = set(Group.objects.filter(name__in=names).values_list("name", flat=True))
    if missing := sorted(names - known):
        yield say.missing(
            "roles",
            f"{variable} names groups that aren't here: {', '.join(missing)}. Run configure_wagtail, or mend it.",
        )
    elif mapping:
        yield say.fine("roles", f"{', '.join(sorted(mapping))} give rights here.")


# The course site


def _edx() -> Iterator[Finding]:
    say = Sayer(EDX)
    if find_provider(EDX) is None:
        yield _not_configured(say, "SOCIAL_AUTH_EDX_OAUTH2")
        return
    root = settings.SOCIAL_AUTH_EDX_OAUTH2_URL_ROOT
    finding = _secret(say, f"{root}/oauth2/access_token", settings.SOCIAL_AUTH_EDX_OAUTH2_KEY, "SOCIAL_AUTH_EDX_OAUTH2")
    yield finding
    if finding.state is State.FINE:
        back = _public("sso_complete", EDX)
        yield say.unknown("redirect", f"The client's redirect address can't be checked; it is {back}")
    yield from _roles(say, settings.EDX_STAFF_ROLES, "EDX_STAFF_ROLES")


# Both


def _not_configured(say: Sayer, prefix: str) -> Finding:
    if missing := missing_settings(prefix):
        return say.unknown("settings", f"Not configured: nothing stands in {', '.join(missing)}.")
    return say.unknown("settings", "Not configured: its backend is not among AUTHENTICATION_BACKENDS.")


def _check_listed(
    say: Sayer, subject: str, document: Mapping[str, Any], name: str, wanted: str, sentence: str
) -> Finding:
    values = document.get(name)
    if values is None:
        return say.unknown(subject, f"The provider doesn't say ({name}).")
    if isinstance(values, list) and wanted in values:
        return say.fine(subject, f"{wanted} is offered.")
    return say.missing(subject, sentence)


def _clock(say: Sayer, answer: requests.Response | None, now: datetime) -> Iterator[Finding]:
    told = answer.headers.get("Date") if answer is not None else None
    if not told:
        return
    try:
        apart = abs((parsedate_to_datetime(told) - now).total_seconds())
    except ValueError:
        return
    allowed: int = settings.SIGN_IN_CLOCK_SKEW
    if apart > allowed:
        yield say.missing(
            "clock",
            f"The clocks are {round(apart)} seconds apart, more than SIGN_IN_CLOCK_SKEW ({allowed}) allows. "
            "Set them by a time server.",
        )
    else:
        yield say.fine("clock", "The clocks agree.")


def _ask(method: str, address: str, **more: Any) -> requests.Response | None:
    """The answer, or None if there is none within the patience."""
    try:
        with patience(_PATIENCE):
            return _session(urlsplit(address).netloc).request(method, address, **more)
    except requests.RequestException:
        return None


@cache
def _session(host: str) -> RemoteSession:
    """Apart from the sessions that people sign in by: what is found silent here closes no door to them."""
    return RemoteSession(f"check_sso/{host}")


def _trouble(answer: requests.Response | None) -> str:
    return "doesn't answer" if answer is None else f"answers with status {answer.status_code}"


def _json(answer: requests.Response | None) -> Mapping[str, Any]:
    if answer is None:
        return {}
    try:
        content = answer.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _public(name: str, *arguments: str) -> str:
    return f"{settings.SITE_BASE_URL}{reverse(name, args=arguments)}"

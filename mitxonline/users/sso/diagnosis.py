"""Asking the providers whether they and this site are set up for each other, for `check_sso`."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from django.conf import settings
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from mitxonline.kernel.remote import RemoteSession, patience
from mitxonline.kernel.shop import current_shop
from mitxonline.users.sso.findings import ProviderReport, SetupFinding, State
from mitxonline.users.sso.keycloak import KeycloakBackend
from mitxonline.users.sso.providers import EDX, KEYCLOAK, find_provider, missing_settings
from mitxonline.users.sso.rights import group_names

_PATIENCE = 10  # seconds for each call
_WELL_KNOWN = ".well-known/openid-configuration"
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri")
# Sent in place of a real code, state or nonce. A provider that accepts it as a code is broken.
_MADE_UP = "made-up-to-ask-whether-the-client-is-known"
_CODE_VERIFIER = "x" * 43


def diagnose(*, now: datetime) -> list[SetupFinding]:
    """Check both providers, and what other apps check (`SSO_CHECKS`). Changes nothing."""
    findings = [*_check_keycloak(now), *_check_edx()]
    for path in settings.SSO_CHECKS:
        check: Callable[[], Iterable[SetupFinding]] = import_string(path)
        findings += check()
    return findings


def _check_keycloak(now: datetime) -> Iterator[SetupFinding]:
    report = ProviderReport(KEYCLOAK)
    if find_provider(KEYCLOAK) is None:
        yield _report_missing_settings(report, "SOCIAL_AUTH_KEYCLOAK")
        return
    endpoint = settings.SOCIAL_AUTH_KEYCLOAK_OIDC_ENDPOINT
    answer = _call("GET", f"{endpoint}/{_WELL_KNOWN}")
    document = _read_json(answer) if answer is not None and answer.ok else {}
    if answer is None or not document:
        yield report.missing(
            "discovery",
            _("%(endpoint)s/%(path)s %(answer)s. Is the realm’s name right?")
            % {"endpoint": endpoint, "path": _WELL_KNOWN, "answer": _describe(answer)},
        )
        return
    yield report.fine("discovery", _("%(endpoint)s answers.") % {"endpoint": endpoint})
    yield from _check_clock(report, answer, now)
    yield _check_issuer(report, document)
    if lacking := [name for name in _ENDPOINTS if not isinstance(document.get(name), str)]:
        yield report.missing(
            "addresses",
            _("The discovery document lacks %(names)s. Is this OpenID Connect?") % {"names": ", ".join(lacking)},
        )
        return
    yield _check_keys(report, document["jwks_uri"])
    yield _check_support(
        report,
        "PKCE",
        document,
        "code_challenge_methods_supported",
        "S256",
        _("The provider doesn’t offer PKCE with S256."),
    )
    if any(each.partition(":")[0] == "organization" for each in settings.SOCIAL_AUTH_KEYCLOAK_SCOPE):
        yield _check_support(
            report,
            "organizations",
            document,
            "scopes_supported",
            "organization",
            _("The realm has no scope “organization”. Switch on Organizations in the realm settings."),
        )
    else:
        yield report.unknown(
            "organizations", _("SOCIAL_AUTH_KEYCLOAK_SCOPE asks for no organizations, so no one joins or leaves any.")
        )
    keys = (settings.SOCIAL_AUTH_KEYCLOAK_KEY, settings.SOCIAL_AUTH_KEYCLOAK_SECRET)
    yield _check_client(report, document["token_endpoint"], keys, "SOCIAL_AUTH_KEYCLOAK")
    yield _check_redirect(report, document["authorization_endpoint"])
    yield _check_logout(report, document.get("end_session_endpoint"))
    notice_url = _public_url("sso_backchannel_logout", report.provider)
    if document.get("backchannel_logout_supported") is True:
        yield report.unknown(
            "back-channel logout",
            _("The client’s back-channel logout URL can’t be checked. It should be %(notice_url)s")
            % {"notice_url": notice_url},
        )
    else:
        yield report.missing("back-channel logout", _("The provider can’t notify us when a session there has ended."))
    yield from _check_roles(report, settings.KEYCLOAK_STAFF_ROLES, "KEYCLOAK_STAFF_ROLES")


def _check_edx() -> Iterator[SetupFinding]:
    report = ProviderReport(EDX)
    if find_provider(EDX) is None:
        yield _report_missing_settings(report, "SOCIAL_AUTH_EDX_OAUTH2")
        return
    shop = current_shop()
    token_endpoint = f"{shop.sign_in_url}/oauth2/access_token"
    keys = (shop.sso_client_id, shop.sso_client_secret)
    client = _check_client(report, token_endpoint, keys, "SOCIAL_AUTH_EDX_OAUTH2")
    yield client
    if client.state is State.FINE:
        back = _public_url("sso_complete", EDX)
        yield report.unknown(
            "redirect", _("The client’s redirect URI can’t be checked. It should be %(back)s") % {"back": back}
        )
    yield from _check_roles(report, settings.EDX_STAFF_ROLES, "EDX_STAFF_ROLES")


def _report_missing_settings(report: ProviderReport, prefix: str) -> SetupFinding:
    if missing := missing_settings(prefix):
        return report.unknown("settings", _("Not configured: %(names)s are empty.") % {"names": ", ".join(missing)})
    return report.unknown("settings", _("Not configured: its backend isn’t in AUTHENTICATION_BACKENDS."))


def _check_clock(report: ProviderReport, answer: requests.Response, now: datetime) -> Iterator[SetupFinding]:
    try:
        difference = abs((parsedate_to_datetime(answer.headers.get("Date", "")) - now).total_seconds())
    except ValueError:
        return
    allowed: int = settings.SIGN_IN_CLOCK_SKEW
    if difference > allowed:
        yield report.missing(
            "clock",
            _(
                "The clocks are %(seconds)s seconds apart, more than SIGN_IN_CLOCK_SKEW (%(allowed)s) allows. Set "
                "them by a time server."
            )
            % {"seconds": round(difference), "allowed": allowed},
        )
    else:
        yield report.fine("clock", _("The clocks agree."))


def _check_issuer(report: ProviderReport, document: Mapping[str, Any]) -> SetupFinding:
    theirs, ours = document.get("issuer"), settings.SOCIAL_AUTH_KEYCLOAK_ISSUER
    if theirs == ours:
        return report.fine("issuer", _("%(ours)s signs.") % {"ours": ours})
    return report.missing(
        "issuer",
        _(
            "The provider calls itself %(theirs)s, but %(ours)s is expected. If that is your Keycloak’s public "
            "address, set SOCIAL_AUTH_KEYCLOAK_ISSUER to it. Otherwise set the hostname in Keycloak."
        )
        % {"theirs": theirs, "ours": ours},
    )


def _check_keys(report: ProviderReport, uri: str) -> SetupFinding:
    answer = _call("GET", uri)
    keys = _read_json(answer).get("keys")
    usable = [
        key
        for key in (keys if isinstance(keys, list) else [])
        if isinstance(key, dict)
        and key.get("use", "sig") == "sig"
        and key.get("alg", "RS256") in KeycloakBackend.JWT_ALGORITHMS
    ]
    if usable:
        return report.fine("keys", _("Keys to check signatures with: %(n)s.") % {"n": len(usable)})
    return report.missing(
        "keys",
        _("%(uri)s %(answer)s: there is no key to check signatures with.") % {"uri": uri, "answer": _describe(answer)},
    )


def _check_support(
    report: ProviderReport, subject: str, document: Mapping[str, Any], name: str, value: str, sentence: str
) -> SetupFinding:
    supported = document.get(name)
    if supported is None:
        return report.unknown(subject, _("The provider doesn’t say (%(name)s).") % {"name": name})
    if isinstance(supported, list) and value in supported:
        return report.fine(subject, _("%(value)s is offered.") % {"value": value})
    return report.missing(subject, sentence)


def _check_client(report: ProviderReport, token_endpoint: str, keys: tuple[str, str], prefix: str) -> SetupFinding:
    client = keys[0]
    # A provider that knows the client refuses the made-up code. One that doesn't never looks at the code.
    form = {
        "grant_type": "authorization_code",
        "code": _MADE_UP,
        "redirect_uri": _public_url("sso_complete", report.provider),
        "code_verifier": _CODE_VERIFIER,
    }
    answer = _call("POST", token_endpoint, data=form, auth=keys)
    error = _read_json(answer).get("error")
    if error == "invalid_grant":
        return report.fine("client", _("%(client)s is known, and its secret is right.") % {"client": client})
    if error in ("invalid_client", "unauthorized_client"):
        return report.missing(
            "client",
            _("%(prefix)s_KEY or %(prefix)s_SECRET is wrong, or the client is off or has no client authentication.")
            % {"prefix": prefix},
        )
    return report.missing(
        "client",
        _("%(token_endpoint)s %(answer)s when asked about the client.")
        % {"token_endpoint": token_endpoint, "answer": _describe(answer)},
    )


def _check_redirect(report: ProviderReport, authorization_endpoint: str) -> SetupFinding:
    # Begins a sign-in without following it: the provider checks the client's settings before it asks who someone is.
    back = _public_url("sso_complete", report.provider)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(_CODE_VERIFIER.encode()).digest()).rstrip(b"=").decode()
    query = {
        "client_id": settings.SOCIAL_AUTH_KEYCLOAK_KEY,
        "redirect_uri": back,
        "response_type": "code",
        "scope": " ".join(["openid", "profile", "email", *settings.SOCIAL_AUTH_KEYCLOAK_SCOPE]),
        "state": _MADE_UP,
        "nonce": _MADE_UP,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    answer = _call("GET", authorization_endpoint, params=query, allow_redirects=False)
    if answer is None or answer.status_code >= 400:
        return report.missing(
            "redirect",
            _("The provider refuses to send people back. Add %(back)s to the client’s valid redirect URIs.")
            % {"back": back},
        )
    location = answer.headers.get("Location", "")
    error = parse_qs(urlsplit(location).query).get("error", [""])[0]
    if location.startswith(back) and error == "invalid_scope":
        return report.missing(
            "redirect",
            _("The client may not ask for %(scopes)s. Add the client scope “organization” to it as optional.")
            % {"scopes": " ".join(settings.SOCIAL_AUTH_KEYCLOAK_SCOPE)},
        )
    if location.startswith(back) and error:
        return report.missing(
            "redirect", _("The provider answers a sign-in with %(error)s. Is the standard flow on?") % {"error": error}
        )
    return report.fine("redirect", _("People are sent back to %(back)s.") % {"back": back})


def _check_logout(report: ProviderReport, endpoint: object) -> SetupFinding:
    if not isinstance(endpoint, str):
        return report.missing(
            "logout", _("The provider has no end-session address, so signing out here doesn’t sign out there.")
        )
    back = _public_url("logged_out")
    query = {"client_id": settings.SOCIAL_AUTH_KEYCLOAK_KEY, "post_logout_redirect_uri": back}
    answer = _call("GET", endpoint, params=query, allow_redirects=False)
    if answer is None or answer.status_code >= 400:
        return report.missing(
            "logout", _("Add %(back)s to the client’s valid post logout redirect URIs.") % {"back": back}
        )
    return report.fine("logout", _("Signing out here signs out there, and leads back to %(back)s.") % {"back": back})


def _check_roles(report: ProviderReport, mapping: Mapping[str, list[str]], variable: str) -> Iterator[SetupFinding]:
    names = group_names(mapping)
    existing = set(Group.objects.filter(name__in=names).values_list("name", flat=True))
    if missing := sorted(names - existing):
        yield report.missing(
            "roles",
            _("%(variable)s names groups that don’t exist here: %(names)s. Run configure_wagtail, or fix it.")
            % {"variable": variable, "names": ", ".join(missing)},
        )
    elif mapping:
        yield report.fine("roles", _("%(roles)s give rights here.") % {"roles": ", ".join(sorted(mapping))})


def _call(method: str, address: str, **options: Any) -> requests.Response | None:
    """Return the answer, or None if there is none in time."""
    try:
        with patience(_PATIENCE):
            return _session(urlsplit(address).netloc).request(method, address, **options)
    except requests.RequestException:
        return None


@cache
def _session(host: str) -> RemoteSession:
    # With a breaker of its own, so that a silence found here doesn't stop people from signing in.
    return RemoteSession(f"check_sso/{host}")


def _describe(answer: requests.Response | None) -> str:
    return (
        _("doesn’t answer") if answer is None else _("answers with status %(status)d") % {"status": answer.status_code}
    )


def _read_json(answer: requests.Response | None) -> Mapping[str, Any]:
    try:
        content = answer.json() if answer is not None else None
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _public_url(name: str, *arguments: str) -> str:
    return f"{current_shop().base_url}{reverse(name, args=arguments)}"

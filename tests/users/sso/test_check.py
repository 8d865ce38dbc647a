"""What operators are told at start and by `check_sso`."""

import json
import subprocess
import sys
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command

from dev.embedded.places import PROJECT
from mitxonline.kernel import clock
from mitxonline.users.checks import check_sign_in
from mitxonline.users.sso import diagnosis
from mitxonline.users.sso.findings import State
from tests.ops.deploy_check import COMPLETE
from tests.support.oidc import FakeProvider
from tests.users.sso.conftest import KEYCLOAK_BACKEND

EDX_BACKEND = "mitxonline.users.sso.edx.EdxBackend"
ROLES_BACKEND = "ecommerce.backends.ShopRolesBackend"
pytestmark = pytest.mark.django_db

KEYCLOAK = {
    "SOCIAL_AUTH_KEYCLOAK_OIDC_ENDPOINT": "https://sso.school.edu/realms/learning/",
    "SOCIAL_AUTH_KEYCLOAK_KEY": "storefront",
    "SOCIAL_AUTH_KEYCLOAK_SECRET": "x",
}


@pytest.fixture
def sound(provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> FakeProvider:
    """A provider at which everything is set up, also for beginning and ending sessions."""
    for name in ("Editors", "Finance", "B2B managers"):
        Group.objects.get_or_create(name=name)
    provider.answers |= {"authorize": (200, {}), "logout": (200, {})}
    return provider


def ask(**options: Any) -> tuple[list[dict[str, str]], str]:
    """Return the command's rows and its error message."""
    out, error = StringIO(), ""
    try:
        call_command("check_sso", "--format", "json", stdout=out, stderr=StringIO(), **options)
    except CommandError as refusal:
        error = str(refusal)
    return json.loads(out.getvalue()), error


def sentences(rows: list[dict[str, str]], state: str) -> dict[str, str]:
    return {row["subject"]: row["sentence"] for row in rows if row["provider"] == "keycloak" and row["state"] == state}


def test_a_complete_configuration_passes(sound: FakeProvider) -> None:
    rows, error = ask()
    assert error == ""
    assert list(sentences(rows, "fine")) == [
        "discovery",
        "clock",
        "issuer",
        "keys",
        "PKCE",
        "organizations",
        "client",
        "redirect",
        "logout",
        "roles",
    ]
    assert list(sentences(rows, "unknown")) == ["back-channel logout", "service account"]
    assert sentences(rows, "unknown")["service account"].startswith("Not configured: KEYCLOAK_URL, ")
    assert "http://testserver/sso/keycloak/logout/" in sentences(rows, "unknown")["back-channel logout"]


def test_people_get_a_table(sound: FakeProvider) -> None:
    out = StringIO()
    call_command("check_sso", stdout=out)
    assert "storefront is known, and its secret is right." in out.getvalue()


@pytest.mark.parametrize(
    ("answers", "subject", "sentence"),
    [
        (
            {"openid-configuration": (404, {"error": "Realm does not exist"})},
            "discovery",
            "answers with status 404. Is the realm’s name right?",
        ),
        ({"openid-configuration": (200, b"<html>")}, "discovery", "Is the realm’s name right?"),
        ({"keys": (200, {"keys": []})}, "keys", "there is no key to check signatures with"),
        ({"keys": (500, {})}, "keys", "answers with status 500"),
        (
            {"authorize": (400, {})},
            "redirect",
            "Add http://testserver/complete/keycloak/ to the client’s valid redirect",
        ),
        ({"logout": (400, {})}, "logout", "Add http://testserver/logout/done/ to the client’s valid post logout"),
        ({"token": (500, {})}, "client", "answers with status 500 when asked about the client."),
    ],
)
def test_wrong_answers_of_the_provider_are_reported(
    sound: FakeProvider, answers: dict[str, Any], subject: str, sentence: str
) -> None:
    sound.answers |= answers
    rows, error = ask()
    assert sentence in sentences(rows, "missing")[subject]
    assert "checks failed" in error


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("userinfo_endpoint", "addresses"),
        ("jwks_uri", "addresses"),
        ("end_session_endpoint", "logout"),
        ("backchannel_logout_supported", "back-channel logout"),
    ],
)
def test_missing_endpoints_are_reported(sound: FakeProvider, name: str, subject: str) -> None:
    sound.left_out = {name}
    rows, _error = ask()
    assert subject in sentences(rows, "missing")


@pytest.mark.parametrize(
    ("name", "subject"),
    [("code_challenge_methods_supported", "PKCE"), ("scopes_supported", "organizations")],
)
def test_unsupported_features_are_reported(sound: FakeProvider, name: str, subject: str) -> None:
    document = sound.discovery()
    sound.answers["openid-configuration"] = (200, {**document, name: ["plain", "openid"]})
    assert subject in sentences(ask()[0], "missing")
    sound.answers["openid-configuration"] = (200, {key: value for key, value in document.items() if key != name})
    assert subject in sentences(ask()[0], "unknown")


def test_another_issuer_is_reported(sound: FakeProvider, settings: Any) -> None:
    settings.SOCIAL_AUTH_KEYCLOAK_ISSUER = "https://sso.school.edu/realms/tessera"
    sentence = sentences(ask()[0], "missing")["issuer"]
    assert f"calls itself {sound.issuer}, but https://sso.school.edu/realms/tessera is expected" in sentence


def test_a_wrong_secret(sound: FakeProvider, settings: Any) -> None:
    settings.SOCIAL_AUTH_KEYCLOAK_SECRET = "wrong"
    assert "SOCIAL_AUTH_KEYCLOAK_SECRET is wrong" in sentences(ask()[0], "missing")["client"]


def test_a_clock_that_is_wrong(sound: FakeProvider) -> None:
    found = diagnosis.diagnose(now=clock.now() + timedelta(seconds=300))
    (finding,) = [each for each in found if each.subject == "clock"]
    assert finding.state is State.MISSING
    assert "Set them by a time server." in finding.sentence


def test_a_missing_group_is_reported(sound: FakeProvider, settings: Any) -> None:
    settings.KEYCLOAK_STAFF_ROLES = {"storefront-editor": ["Writers"], "storefront-admin": ["superuser"]}
    assert "names groups that don’t exist here: Writers." in sentences(ask()[0], "missing")["roles"]


def test_an_unreachable_provider_is_reported(sound: FakeProvider, settings: Any) -> None:
    settings.SOCIAL_AUTH_KEYCLOAK_OIDC_ENDPOINT = "http://127.0.0.1:9/realms/x"
    rows, error = ask()
    assert "doesn’t answer" in sentences(rows, "missing")["discovery"]
    assert error.startswith("1 of ")


def test_missing_configuration_is_reported() -> None:
    rows, error = ask()
    assert [row["state"] for row in rows] == ["unknown", "unknown", "unknown"]
    assert error.startswith("No provider is configured.")


def test_half_a_service_account(sound: FakeProvider, settings: Any) -> None:
    settings.KEYCLOAK_URL, settings.KEYCLOAK_REALM = sound.url, "tessera"
    sentence = sentences(ask()[0], "missing")["service account"]
    assert "set KEYCLOAK_CLIENT_ID, KEYCLOAK_CLIENT_SECRET" in sentence


def test_no_keycloak_where_the_service_account_is_to_ask(sound: FakeProvider, settings: Any) -> None:
    settings.KEYCLOAK_URL, settings.KEYCLOAK_REALM = "http://127.0.0.1:9", "tessera"
    settings.KEYCLOAK_CLIENT_ID, settings.KEYCLOAK_CLIENT_SECRET = "sync", "secret"
    assert "didn’t answer as expected" in sentences(ask()[0], "missing")["service account"]


# At start


def ids() -> list[str | None]:
    return [message.id for message in check_sign_in()]


def test_nothing_configured_is_nothing_wrong() -> None:
    assert ids() == []


@pytest.mark.parametrize("name", ["SOCIAL_AUTH_KEYCLOAK_KEY", "SOCIAL_AUTH_EDX_OAUTH2_SECRET"])
def test_half_a_provider(settings: Any, name: str) -> None:
    setattr(settings, name, "x")
    assert ids() == ["users.E001"]


def test_no_way_in(settings: Any) -> None:
    settings.LOCAL_ACCOUNTS = False
    assert ids() == ["users.E002"]


def test_two_scopes_of_organizations(settings: Any) -> None:
    settings.SOCIAL_AUTH_KEYCLOAK_SCOPE = ["organization", "organization:*"]
    assert ids() == ["users.E003"]


@pytest.mark.parametrize("scope", ["organization", "organization:acme", "organization:"])
def test_a_scope_that_names_one_organization(settings: Any, scope: str) -> None:
    settings.SOCIAL_AUTH_KEYCLOAK_SCOPE = ["phone", scope]
    (error,) = check_sign_in()
    assert error.id == "users.E005"
    assert "SOCIAL_AUTH_KEYCLOAK_SCOPE=organization:* phone" in str(error.hint)


@pytest.mark.parametrize("scopes", [[], ["phone"], ["organization:*"], ["organization:*", "phone"]])
def test_scopes_that_tell_the_truth(settings: Any, scopes: list[str]) -> None:
    settings.SOCIAL_AUTH_KEYCLOAK_SCOPE = scopes
    assert ids() == []


@pytest.mark.parametrize("roles", [{"": ["staff"]}, {"x": []}])
def test_roles_without_rights(settings: Any, roles: dict[str, list[str]]) -> None:
    settings.KEYCLOAK_STAFF_ROLES = roles
    assert ids() == ["users.E004"]


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("http://sso.school.edu/realms/x", ["users.W001"]),
        ("https://sso.school.edu/realms/x", []),
        ("http://127.0.0.1:8080/realms/x", []),
        ("http://localhost:8080/realms/x", []),
    ],
)
def test_an_unencrypted_address_is_reported(settings: Any, address: str, found: list[str]) -> None:
    settings.SOCIAL_AUTH_KEYCLOAK_ISSUER = address
    assert ids() == found


# The environment


def setting(expression: str, **variables: str) -> Any:
    """What production settings make of these variables."""
    script = f"import json; from django.conf import settings; print(json.dumps({expression}))"
    environ = COMPLETE | {"DJANGO_SETTINGS_MODULE": "mitxonline.settings.production"} | variables
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, env=environ, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


EVERYTHING = (
    "[settings.AUTHENTICATION_BACKENDS, settings.SIGN_IN_ORIGINS, settings.SOCIAL_AUTH_KEYCLOAK_ISSUER,"
    " settings.CONTENT_SECURITY_POLICY['DIRECTIVES']['form-action'], settings.LOCAL_ACCOUNTS,"
    " settings.KEYCLOAK_STAFF_ROLES]"
)


def test_the_environment_makes_a_provider() -> None:
    backends, origins, issuer, forms, local, roles = setting(EVERYTHING, **KEYCLOAK, LOCAL_ACCOUNTS="false")
    assert backends == ["mitxonline.users.backends.RightsBackend", KEYCLOAK_BACKEND, EDX_BACKEND, ROLES_BACKEND]
    assert origins == ["https://sso.school.edu"]
    assert issuer == "https://sso.school.edu/realms/learning"
    assert "https://sso.school.edu" in forms
    assert local is False
    assert roles["storefront-finance"] == ["Finance", "staff"]


def test_empty_variables_mean_the_defaults() -> None:
    empty = dict.fromkeys((*KEYCLOAK, "LOCAL_ACCOUNTS", "KEYCLOAK_STAFF_ROLES", "SIGN_IN_CLOCK_SKEW"), "")
    backends, origins, _issuer, _forms, local, roles = setting(EVERYTHING, **empty)
    assert backends == ["mitxonline.users.backends.EmailBackend", EDX_BACKEND, ROLES_BACKEND]
    assert (origins, local) == ([], True)
    assert roles["storefront-admin"] == ["superuser"]


def test_roles_and_further_addresses_of_ones_own() -> None:
    variables = {"KEYCLOAK_STAFF_ROLES": "none", "SIGN_IN_ORIGINS": "https://a.example, https://b.example"}
    _backends, origins, _issuer, _forms, _local, roles = setting(EVERYTHING, **KEYCLOAK, **variables)
    assert origins == ["https://a.example", "https://b.example", "https://sso.school.edu"]
    assert roles == {}

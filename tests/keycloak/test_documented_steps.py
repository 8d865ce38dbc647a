"""The steps of docs/keycloak.md, from an empty realm to a person signed in with their organization.

What the admin console does for a row is sent through its API, with the console's defaults for the rest.
"""

from __future__ import annotations

import html
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import StringIO
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.test import Client
from keycloak import KeycloakAdmin, KeycloakOpenIDConnection

from b2b.gateways.keycloak import KeycloakGateway
from b2b.models import KeycloakOrganization, OrganizationMembership, OrganizationPage
from mitxonline.users.models import User
from mitxonline.users.sso.keycloak import KeycloakBackend
from tests.support.broker import ROOT
from tests.support.keycloak import PASSWORD, Keycloak, needs_keycloak

pytestmark = [*needs_keycloak, pytest.mark.django_db]

SHOP, REALM, PERSON = "http://shop.example", "learning", "bo@acme.example"
PAGE = (ROOT / "docs" / "keycloak.md").read_text()


# --- What the page says ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """`labels` lead to the setting in the console; `since` is the first version with it, `before` an older label."""

    labels: tuple[str, ...]
    value: str
    since: tuple[int, int] = (0, 0)
    before: str = ""


def tables(section: str, heading: str) -> list[list[str]]:
    """The cells of the section's tables with this heading."""
    text = PAGE.partition(f"\n## {section}. ")[2].partition("\n## ")[0]
    assert text, section
    found = []
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in table.splitlines()]
        if rows[0][0] == heading:
            found += rows[2:]
    assert found, section
    return found


def settings_of(section: str) -> list[Row]:
    rows = []
    for label, value in tables(section, "setting"):
        name, _space, since = label.partition(" (Keycloak ")
        version = re.match(r"(\d+)\.(\d+) and newer", since)
        new, _space, old = value.strip("`").partition(" (“")
        rows.append(
            Row(
                tuple(name.split(" → ")),
                new,
                (int(version[1]), int(version[2])) if version else (0, 0),
                old.partition("”")[0],
            )
        )
    return rows


def roles_of(column: int) -> list[list[str]]:
    return [re.findall(r"`([\w-]+)`", row[column]) for row in tables("5", "what for")]


# --- What the console does ------------------------------------------------------------------------------------------


def is_on(value: str) -> bool:
    assert value in ("On", "Off")
    return value == "On"


def choose_flow(client: dict[str, Any], value: str) -> None:
    client["standardFlowEnabled"] = value == "Standard flow"
    client["serviceAccountsEnabled"] = value == "Service account roles"
    assert client["standardFlowEnabled"] != client["serviceAccountsEnabled"]


CLIENT_ROWS: dict[str, Callable[[dict[str, Any], str], None]] = {
    "Client authentication": lambda client, value: client.update(publicClient=not is_on(value)),
    "Authentication flow": choose_flow,
    "Require PKCE": lambda client, value: client["attributes"].update({"pkce.required": str(is_on(value)).lower()}),
    "PKCE Method": lambda client, value: client["attributes"].update({"pkce.code.challenge.method": value}),
    "Valid redirect URIs": lambda client, value: client.update(redirectUris=[value]),
    "Valid post logout redirect URIs": lambda client, value: client["attributes"].update(
        {"post.logout.redirect.uris": value}
    ),
    "Front channel logout": lambda client, value: client.update(frontchannelLogout=is_on(value)),
    "Backchannel logout URL": lambda client, value: client["attributes"].update({"backchannel.logout.url": value}),
    "Backchannel logout session required": lambda client, value: client["attributes"].update(
        {"backchannel.logout.session.required": str(is_on(value)).lower()}
    ),
}
MAPPER_ROWS: dict[str, Callable[[str], dict[str, str]]] = {
    "Add organization id": lambda value: {"addOrganizationId": str(is_on(value)).lower()},
    "Claim JSON Type": lambda value: {"jsonType.label": value},
    "Multivalued": lambda value: {"multivalued": str(is_on(value)).lower()},
    "Add to ID token": lambda value: {"id.token.claim": str(is_on(value)).lower()},
}


class Operator:
    """Follows the page at a Keycloak of one version."""

    def __init__(self, keycloak: Keycloak) -> None:
        self.version = tuple(int(part) for part in keycloak.version.split(".")[:2])
        connection = KeycloakOpenIDConnection(
            server_url=f"{keycloak.url}/", username="admin", password=PASSWORD, realm_name="master", timeout=20
        )
        master = KeycloakAdmin(connection=connection)
        master.create_realm({"realm": REALM, "enabled": True})
        self._master = master
        self.admin = KeycloakAdmin(
            connection=KeycloakOpenIDConnection(
                server_url=f"{keycloak.url}/",
                username="admin",
                password=PASSWORD,
                realm_name=REALM,
                user_realm_name="master",
                timeout=20,
            )
        )

    def delete_realm(self) -> None:
        self._master.delete_realm(REALM)

    def rows(self, section: str) -> list[Row]:
        return [row for row in settings_of(section) if row.since <= self.version]

    def set_up_realm(self) -> None:
        (row,) = self.rows("1")
        assert row.labels == ("Realm settings", "General", "Organizations")
        self.admin.update_realm(REALM, {"organizationsEnabled": is_on(row.value)})

    def make_client(self, section: str, client_id: str) -> str:
        """Make the client, with what the console sends where nothing was changed, and do the section's rows."""
        assert f"Client ID `{client_id}`" in PAGE
        client: dict[str, Any] = {
            "clientId": client_id,
            "protocol": "openid-connect",
            "publicClient": True,
            "standardFlowEnabled": True,
            "serviceAccountsEnabled": False,
            "directAccessGrantsEnabled": False,
            "implicitFlowEnabled": False,
            "frontchannelLogout": True,
            "attributes": {"backchannel.logout.session.required": "true"},
        }
        for row in self.rows(section):
            CLIENT_ROWS[row.labels[-1]](client, row.value.replace("https://shop.example", SHOP))
        self.admin.create_client(client)
        internal_id = self.admin.get_client_id(client_id)
        assert internal_id is not None
        return internal_id

    def set_up_mapper(self) -> None:
        scope = next(each for each in self.admin.get_client_scopes() if each["name"] == "organization")
        mapper = next(each for each in scope["protocolMappers"] if each["name"] == "organization")
        for row in self.rows("3"):
            mapper["config"] |= MAPPER_ROWS[row.labels[-1]](row.value)
        self.admin.update_mapper_in_client_scope(scope["id"], mapper["id"], mapper)

    def give_roles(self, sync_client: str, names: list[str]) -> None:
        account = self.admin.get_client_service_account_user(sync_client)["id"]
        management = self.admin.get_client_id("realm-management")
        assert management is not None
        if has := self.admin.get_client_roles_of_user(account, management):
            self.admin.delete_client_roles_of_user(account, management, has)
        roles = [self.admin.get_client_role(management, name) for name in names]
        self.admin.assign_client_role(account, management, roles)

    def secret(self, internal_id: str) -> str:
        return str(self.admin.get_client_secrets(internal_id)["value"])


@pytest.fixture
def operator(keycloak: Keycloak) -> Iterator[Operator]:
    operator = Operator(keycloak)
    yield operator
    operator.delete_realm()
    KeycloakBackend.get_openid_configuration.invalidate()
    KeycloakBackend.get_jwks_keys_for_uri.invalidate()


# --- Tests ----------------------------------------------------------------------------------------------------------


def test_every_label_of_the_page_is_in_the_console_of_its_version(keycloak: Keycloak) -> None:
    (jar,) = (keycloak.distribution / "lib" / "lib" / "main").glob("org.keycloak.keycloak-admin-ui-2*.jar")
    with zipfile.ZipFile(jar) as archive:
        text = archive.read("theme/keycloak.v2/admin/messages/messages_en.properties").decode()
    labels = {line.partition("=")[2].strip() for line in text.splitlines()}
    version = tuple(int(part) for part in keycloak.version.split(".")[:2])
    rows = [row for section in "1235" for row in settings_of(section) if row.since <= version]
    assert len(rows) > 14
    for row in rows:
        wanted = set(row.labels)
        if row.value in ("Standard flow", "Service account roles"):
            wanted.add(row.before if row.before and version < (26, 5) else row.value)
        assert wanted <= labels, wanted - labels


def findings() -> list[dict[str, str]]:
    out = StringIO()
    call_command("check_sso", "--format", "json", stdout=out, stderr=StringIO())
    rows: list[dict[str, str]] = json.loads(out.getvalue())
    return [row for row in rows if row["provider"] == "keycloak"]


def sign_in_at_keycloak(address: str) -> str:
    """A browser at Keycloak's own pages; the path and query it comes back to us with."""
    cookies: dict[str, str] = {}

    def ask(method: str, url: str, form: dict[str, str] | None = None) -> requests.Response:
        # By hand: Keycloak marks its cookies as for https alone, which browsers don't mind at 127.0.0.1.
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
        answer = requests.request(method, url, data=form, headers=headers, allow_redirects=False, timeout=30)
        for line in answer.raw.headers.getlist("Set-Cookie"):
            name, _equals, value = line.partition(";")[0].partition("=")
            cookies[name] = value
        return answer

    answer = ask("GET", address)
    for _step in range(6):
        location = answer.headers.get("Location", "")
        if location.startswith(SHOP):
            back = urlsplit(location)
            return f"{back.path}?{back.query}"
        if location:
            answer = ask("GET", location)
            continue
        action = re.search(r'action="([^"]+)"', answer.text)
        assert action, answer.text
        answer = ask("POST", html.unescape(action[1]), {"username": PERSON, "password": PASSWORD})
    raise AssertionError(answer.text)


def test_an_operator_who_does_what_the_page_says_is_done(
    keycloak: Keycloak, operator: Operator, settings: Any, client: Client
) -> None:
    # 1 to 3
    operator.set_up_realm()
    storefront = operator.make_client("2", "storefront")
    optional = operator.admin.get_client_optional_client_scopes(storefront)
    assert "organization" in {each["name"] for each in optional}, "it is there already"
    operator.set_up_mapper()

    # 4
    settings.SITE_BASE_URL = SHOP
    settings.ALLOWED_HOSTS = [urlsplit(SHOP).hostname]
    endpoint = f"{keycloak.url}/realms/{REALM}"
    settings.SOCIAL_AUTH_KEYCLOAK_OIDC_ENDPOINT = settings.SOCIAL_AUTH_KEYCLOAK_ISSUER = endpoint
    settings.SOCIAL_AUTH_KEYCLOAK_KEY = "storefront"
    settings.SOCIAL_AUTH_KEYCLOAK_SECRET = operator.secret(storefront)
    settings.AUTHENTICATION_BACKENDS = [
        *settings.AUTHENTICATION_BACKENDS,
        "mitxonline.users.sso.keycloak.KeycloakBackend",
    ]
    for name in ("Editors", "Finance", "B2B managers"):
        Group.objects.get_or_create(name=name)

    # 5
    sync = operator.make_client("5", "storefront-sync")
    settings.KEYCLOAK_REALM, settings.KEYCLOAK_CLIENT_ID = REALM, "storefront-sync"
    settings.KEYCLOAK_CLIENT_SECRET = operator.secret(sync)
    organization = operator.admin.create_organization(
        {"name": "Acme", "alias": "acme", "domains": [{"name": "acme.example"}]}
    )
    person = operator.admin.create_user(
        {
            "username": PERSON,
            "email": PERSON,
            "emailVerified": True,
            "enabled": True,
            "firstName": "Bo",
            "lastName": "Berg",
            "credentials": [{"type": "password", "value": PASSWORD, "temporary": False}],
        }
    )
    assert organization is not None

    # The roles for reading: organizations come, and nothing is missing.
    reading, adding = roles_of(1 if operator.version >= (26, 7) else 2)
    operator.give_roles(sync, reading)
    call_command("configure_wagtail", verbosity=0)
    call_command("sync_keycloak_orgs", stdout=StringIO(), stderr=StringIO())
    known = KeycloakOrganization.objects.get()
    assert (known.alias, str(known.keycloak_id)) == ("acme", organization)
    rows = findings()
    assert [row["sentence"] for row in rows if row["state"] == "missing"] == []
    assert {row["subject"] for row in rows if row["state"] == "unknown"} == {"back-channel logout"}

    # The roles for adding, where a page wants that.
    OrganizationPage.objects.update(add_code_learners_to_sso=True)
    operator.give_roles(sync, adding)
    assert {row["subject"]: row["state"] for row in findings()}["adding people"] == "fine"
    assert KeycloakGateway.from_settings().add_member(organization_id=known.keycloak_id, subject=person)

    # A person signs in, and comes with their organization.
    begun = client.post("/login/keycloak/", HTTP_HOST=urlsplit(SHOP).hostname)
    back = client.get(sign_in_at_keycloak(begun["Location"]), HTTP_HOST=urlsplit(SHOP).hostname)
    assert (back.status_code, back["Location"]) == (302, "/dashboard/")
    user = User.objects.get(email=PERSON)
    assert (user.name, user.is_email_verified) == ("Bo Berg", True)
    membership = OrganizationMembership.objects.get(user=user)
    assert (membership.organization_id, membership.seen_in_claim) == (known.organization_id, True)

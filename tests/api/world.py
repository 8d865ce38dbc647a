"""A client for each kind of caller, and the objects that example addresses refer to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import transaction

from b2b.models import OrganizationMembership, OrganizationPage
from cms.services.groups import EDITORS, FINANCE
from mitxonline.users.models import User
from tests.api.client import ApiClient
from tests.factories import NOON, make_organization, make_user
from tests.support.oidc import FakeProvider

# The order of the letters in the tables.
CALLERS = ("anonymous", "learner", "other manager", "manager", "finance", "editor", "service", "superuser")
LETTERS = {400: "b", 401: "u", 403: "f", 404: "n", 405: "m", 409: "c", 429: "t"}


@dataclass(frozen=True)
class Row:
    """Who gets what from an operation: a letter for each of `CALLERS`.

    o  is answered      f  forbidden      n  not found      b  bad request
    u  bad key          c  conflict       m  no such method t  too many

    `path` fills the places of the address, with `{names}` of the world's things; `query` and `body` are sent with it.
    What a request does is rolled back.
    """

    operation: str
    letters: str
    path: dict[str, str] = field(default_factory=dict)
    query: str = ""
    body: Any = None


@dataclass
class World:
    """People by what they are here, organizations, and things by name. Each subject adds its own things."""

    people: dict[str, User]
    organization: OrganizationPage
    other_organization: OrganizationPage
    service_token: str
    things: dict[str, str] = field(default_factory=dict)

    def client(self, caller: str) -> ApiClient:
        token = f"Bearer {self.service_token}" if caller == "service" else ""
        return ApiClient(self.people.get(caller), token=token, raise_request_exception=False)

    def letter(self, caller: str, method: str, path: str, body: Any) -> str:
        """Return the letter of the answer a caller gets."""
        client = self.client(caller)
        before = transaction.savepoint()
        response = client.send(method, path, body)
        transaction.savepoint_rollback(before)
        code = response.status_code
        return "o" if 200 <= code < 300 else LETTERS.get(code, str(code))


def make_world(provider: FakeProvider) -> World:
    """Set up the site with someone of each kind. The manager's organization isn't the other manager's."""
    call_command("configure_wagtail", verbosity=0)
    people = {
        "learner": make_user("learner@people.example", name="Lena Learner"),
        "other manager": make_user("other@people.example"),
        "manager": make_user("manager@people.example"),
        "finance": _in_group(FINANCE, is_staff=True),
        "editor": _in_group(EDITORS),
        "superuser": make_user("admin@people.example", is_staff=True, is_superuser=True),
    }
    organization, other = make_organization("Northgate Health"), make_organization("Southgate Steel")
    for kind, where in (("manager", organization), ("other manager", other)):
        OrganizationMembership.objects.create(
            organization=where, user=people[kind], source="staff", is_manager=True, since=NOON
        )
    token = provider.service_token("b2b:manager-check")
    return World(people=people, organization=organization, other_organization=other, service_token=token)


def _in_group(name: str, **options: Any) -> User:
    user = make_user(f"{name.lower().replace(' ', '-')}@staff.example", **options)
    user.groups.add(Group.objects.get(name=name))
    return user

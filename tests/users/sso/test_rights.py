"""Roles at the provider are rights here for as long as they last."""

from collections.abc import Iterable
from datetime import timedelta
from http import HTTPStatus
from importlib import import_module
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.contrib.auth import load_backend
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from social_django.models import UserSocialAuth
from wagtail.models import ModelLogEntry

from mitxonline.kernel import clock
from mitxonline.settings.parts.tasks import CELERY_BEAT_SCHEDULE
from mitxonline.users import tasks
from mitxonline.users.models import GivenRight, ProviderSession, User
from mitxonline.users.sso import rights
from mitxonline.users.sso.rights import end_overdue_rights, follow_roles
from tests.factories import NOON
from tests.support.oidc import CLIENT, FakeProvider
from tests.users.sso.conftest import begin, sign_in

pytestmark = pytest.mark.django_db

ISSUER = "https://sso.example/realms/x"
MAPPING = {
    "storefront-editor": ["Editors"],
    "storefront-finance": ["Finance", "staff"],
    "storefront-b2b": ["B2B managers", "staff"],
    "storefront-admin": ["superuser"],
}


@pytest.fixture(autouse=True)
def groups(db: None) -> None:
    for name in ("Editors", "Finance", "B2B managers"):
        Group.objects.get_or_create(name=name)


def rights_of(user: User) -> set[str]:
    user = User.objects.get(pk=user.pk)
    flags = {flag for flag in ("is_staff", "is_superuser") if getattr(user, flag)}
    return flags | set(user.groups.values_list("name", flat=True))


def follow(user: User, *roles: str, issuer: str = ISSUER, mapping: dict[str, list[str]] | None = None) -> set[str]:
    follow_roles(user=user, issuer=issuer, roles=set(roles), mapping=mapping or MAPPING, now=clock.now())
    return rights_of(user)


@pytest.mark.parametrize(
    ("roles", "rights"),
    [
        ([], set()),
        (["offline_access", "default-roles-tessera"], set()),
        (["storefront-editor"], {"Editors"}),
        (["storefront-finance"], {"Finance", "is_staff"}),
        (["storefront-b2b", "storefront-finance"], {"B2B managers", "Finance", "is_staff"}),
        (["storefront-admin"], {"is_staff", "is_superuser"}),
        (["storefront-admin", "storefront-editor"], {"is_staff", "is_superuser", "Editors"}),
    ],
)
def test_roles_give_rights_and_take_them_away(ada: User, roles: list[str], rights: set[str]) -> None:
    assert follow(ada, *roles) == rights
    assert follow(ada, *roles) == rights, "the second time there is nothing to do"
    assert follow(ada) == set()
    assert not GivenRight.objects.exists()


def test_one_role_goes_and_another_stays(ada: User) -> None:
    follow(ada, "storefront-finance", "storefront-b2b")
    assert follow(ada, "storefront-b2b") == {"B2B managers", "is_staff"}


def test_rights_given_by_hand_stay(ada: User) -> None:
    call_command("promote_user", ada.email, "--staff", "--group", "Editors", stdout=StringIO())
    assert follow(ada, "storefront-admin", "storefront-editor") == {"is_staff", "is_superuser", "Editors"}
    assert follow(ada) == {"is_staff", "Editors"}


def test_promoting_by_hand_makes_a_right_ones_own(ada: User) -> None:
    follow(ada, "storefront-finance")
    out = StringIO()
    call_command("promote_user", ada.email, "--group", "Finance", stdout=out)
    assert out.getvalue() == "ada@example.org keeps the group Finance, whatever the sign-in says.\n"
    assert follow(ada) == {"Finance"}


def test_promoting_can_be_asked_first(ada: User) -> None:
    follow(ada, "storefront-admin")
    out = StringIO()
    call_command("promote_user", ada.email, "--superuser", "--dry-run", stdout=out, stderr=StringIO())
    assert "keeps the rights of superuser, whatever the sign-in says." in out.getvalue()
    assert follow(ada) == set()


def test_rights_revoked_by_hand_return_while_the_role_lasts(ada: User) -> None:
    follow(ada, "storefront-editor")
    call_command("promote_user", ada.email, "--group", "Editors", "--revoke", stdout=StringIO())
    assert rights_of(ada) == set()
    assert follow(ada, "storefront-editor") == {"Editors"}
    assert follow(ada) == set()


def test_two_providers_that_say_the_same(ada: User) -> None:
    follow(ada, "storefront-editor")
    follow(ada, "storefront-editor", issuer="https://lms.example")
    assert follow(ada) == {"Editors"}, "the other one still says so"
    assert follow(ada, issuer="https://lms.example") == set()


def test_a_role_taken_out_of_the_settings_gives_nothing_more(ada: User) -> None:
    follow(ada, "storefront-editor")
    follow_roles(user=ada, issuer=ISSUER, roles={"storefront-editor"}, mapping={}, now=clock.now())
    assert rights_of(ada) == set()


def test_a_missing_group_is_logged_and_skipped(ada: User, caplog: pytest.LogCaptureFixture) -> None:
    assert follow(ada, "x", mapping={"x": ["Nobody", "Editors"]}) == {"Editors"}
    assert "a role names groups that don't exist" in caplog.text


def test_given_rights_are_logged(ada: User) -> None:
    follow(ada, "storefront-admin")
    follow(ada)
    follow(ada)
    entries = ModelLogEntry.objects.filter(action="users.rights_followed").order_by("timestamp")
    assert [entry.data for entry in entries] == [
        {"given": ["staff", "superuser"], "taken": []},
        {"given": [], "taken": ["staff", "superuser"]},
    ]


WORDS = ("Editors", "Finance", "staff", "superuser")


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    by_hand=st.sets(st.sampled_from(["Editors", "Finance", "is_staff", "is_superuser"])),
    visits=st.lists(st.sets(st.sampled_from(sorted(MAPPING))), max_size=6),
)
def test_rights_by_hand_survive_any_change_of_roles(db: None, by_hand: set[str], visits: Iterable[set[str]]) -> None:
    user = User.objects.create_user("x@example.org")
    other = User.objects.create_user("y@example.org", is_staff=True)
    for word in by_hand:
        if word.startswith("is_"):
            setattr(user, word, True)
        else:
            user.groups.add(Group.objects.get(name=word))
    user.save()
    for roles in visits:
        rights = follow(user, *roles)
        assert rights >= by_hand
        assert follow(user, *roles) == rights
    assert follow(user) == by_hand
    assert rights_of(other) == {"is_staff"}
    user.delete()
    other.delete()


def test_the_number_of_queries_does_not_depend_on_the_number_of_roles(
    ada: User, django_assert_num_queries: Any
) -> None:
    for number in range(12):
        Group.objects.create(name=f"Group {number}")
    grace = User.objects.create_user("grace@example.org")
    few = {"role": ["Group 0", "Group 1", "staff"]}
    many = {f"role {number}": [f"Group {number}", "staff"] for number in range(12)}
    with django_assert_num_queries(11):
        follow_roles(user=ada, issuer=ISSUER, roles=set(few), mapping=few, now=clock.now())
    with django_assert_num_queries(11):
        follow_roles(user=grace, issuer=ISSUER, roles=set(many), mapping=many, now=clock.now())
    with django_assert_num_queries(7):
        follow_roles(user=grace, issuer=ISSUER, roles=set(many), mapping=many, now=clock.now())


# Where roles are said


WHERE = [
    lambda provider, access: provider.claims.update(access),
    lambda provider, access: provider.in_token.update(access),
    lambda provider, access: provider.userinfo.update(access),
    lambda provider, access: provider.access_claims.update(access),
]
ACCESS = [
    {"realm_access": {"roles": ["offline_access", "storefront-editor"]}},
    {"resource_access": {CLIENT: {"roles": ["storefront-editor"]}, "account": {"roles": ["view-profile"]}}},
]


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("access", ACCESS)
def test_roles_are_read_wherever_keycloak_writes_them(
    client: Client, provider: FakeProvider, where: Any, access: dict[str, Any]
) -> None:
    where(provider, access)
    sign_in(client, provider)
    user = User.objects.get()
    assert rights_of(user) == {"Editors"}
    for said in (provider.claims, provider.in_token, provider.userinfo, provider.access_claims):
        for name in access:
            said.pop(name, None)
    sign_in(client, provider)
    assert rights_of(user) == set()


@pytest.mark.parametrize(
    "access",
    [
        {"resource_access": {"another-client": {"roles": ["storefront-editor"]}}},
        {"realm_access": {"roles": "storefront-editor"}},
        {"realm_access": ["storefront-editor"]},
        {"realm_access": {"roles": [["storefront-editor"]]}},
        {"roles": ["storefront-editor"]},
        {"azp": "another-client", "realm_access": {"roles": ["storefront-editor"]}},
        {"iss": "https://evil.example", "realm_access": {"roles": ["storefront-editor"]}},
        {"sub": "somebody-else", "realm_access": {"roles": ["storefront-editor"]}},
        {"exp": 1_000_000, "realm_access": {"roles": ["storefront-editor"]}},
    ],
)
def test_malformed_roles_give_no_rights(client: Client, provider: FakeProvider, access: dict[str, Any]) -> None:
    provider.access_claims = access
    sign_in(client, provider)
    assert rights_of(User.objects.get()) == set()


# For how long


ADMIN = {"realm_access": {"roles": ["storefront-admin"]}}
EDITOR = {"realm_access": {"roles": ["storefront-editor"]}}
EMAIL_BACKEND = "mitxonline.users.backends.EmailBackend"


class Watch:
    """The site's clock, which a test moves by hours."""

    def __init__(self) -> None:
        self.now = clock.now()

    def turn(self, *, hours: float) -> None:
        self.now += timedelta(hours=hours)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    watch = Watch()
    monkeypatch.setattr(clock, "now", lambda: watch.now)
    monkeypatch.setattr("django.utils.timezone.now", lambda: watch.now)
    return watch


def is_let_in(client: Client) -> bool:
    return client.get("/admin/").status_code == HTTPStatus.OK


def test_rights_end_in_every_session(client: Client, provider: FakeProvider, watch: Watch) -> None:
    """The phone signed in before there was a role, the tablet by force as by a password; nothing sweeps."""
    phone, tablet, laptop = client, Client(), Client()
    sign_in(phone, provider)
    tablet.force_login(User.objects.get(), backend=EMAIL_BACKEND)
    assert phone.session.get_expiry_age() > 24 * 3600
    provider.access_claims = ADMIN
    sign_in(laptop, provider)
    watch.turn(hours=11.99)
    assert [is_let_in(each) for each in (phone, tablet, laptop)] == [True, True, True]
    watch.turn(hours=0.01)
    assert [is_let_in(each) for each in (phone, tablet, laptop)] == [False, False, False]
    assert rights_of(User.objects.get()) == set()
    assert phone.get("/account/").status_code == HTTPStatus.OK, "the session goes on, without rights"
    assert laptop.get("/account/").status_code == HTTPStatus.FOUND, "this one was asked to sign in again"


def test_pressing_the_button_and_going_back_renews_nothing(
    client: Client, provider: FakeProvider, watch: Watch
) -> None:
    provider.access_claims = ADMIN
    sign_in(client, provider)
    for _each in range(2):
        watch.turn(hours=6)
        begin(client)
    assert not is_let_in(client)


def test_a_sign_in_that_shows_the_role_renews_it(client: Client, provider: FakeProvider, watch: Watch) -> None:
    provider.access_claims = ADMIN
    sign_in(client, provider)
    watch.turn(hours=11)
    sign_in(Client(), provider)
    watch.turn(hours=11)
    assert rights_of(User.objects.get()) == {"is_staff", "is_superuser"}
    assert end_overdue_rights(now=watch.now) == 0
    watch.turn(hours=1)
    assert end_overdue_rights(now=watch.now) == 1


def test_a_session_without_its_role_has_the_ordinary_lifetime(
    client: Client, provider: FakeProvider, watch: Watch
) -> None:
    provider.access_claims = ADMIN
    sign_in(client, provider)
    provider.access_claims = {}
    sign_in(client, provider)
    assert client.session.get_expiry_age() > 24 * 3600


def test_the_sweep_ends_what_is_overdue_and_nothing_else(ada: User, watch: Watch) -> None:
    """Two people, two providers; one right that is also by hand."""
    grace = User.objects.create_user("grace@example.org")
    by_hand = User.objects.create_user("hand@example.org", is_staff=True)
    elsewhere = "https://lms.example"
    follow(ada, "storefront-finance", "storefront-editor")
    follow(by_hand, "storefront-finance")
    watch.turn(hours=6)
    follow(ada, "storefront-editor", issuer=elsewhere)
    follow(grace, "storefront-admin")
    watch.turn(hours=6)
    tasks.end_overdue_rights()
    assert rights_of(ada) == {"Editors"}, "the other provider still says so"
    assert rights_of(grace) == {"is_staff", "is_superuser"}
    assert rights_of(by_hand) == {"is_staff"}
    watch.turn(hours=6)
    tasks.end_overdue_rights()
    assert rights_of(ada) == rights_of(grace) == set()
    assert not GivenRight.objects.exists()
    assert ModelLogEntry.objects.filter(action="users.rights_followed").count() == 7


def test_beat_sweeps_every_minute() -> None:
    entry = CELERY_BEAT_SCHEDULE["end-overdue-rights"]
    assert (entry["task"], entry["schedule"]) == (tasks.end_overdue_rights.name, 60)


def test_looking_costs_no_query_of_its_own(
    client: Client, ada: User, watch: Watch, django_assert_num_queries: Any
) -> None:
    follow(ada, "storefront-editor")
    for path in django_settings.AUTHENTICATION_BACKENDS:
        with django_assert_num_queries(1):
            assert load_backend(path).get_user(ada.pk) == ada
    watch.turn(hours=12)
    assert load_backend(EMAIL_BACKEND).get_user(ada.pk) == ada
    with django_assert_num_queries(1):
        load_backend(EMAIL_BACKEND).get_user(ada.pk)
    User.objects.update(is_active=False)
    assert load_backend(EMAIL_BACKEND).get_user(ada.pk) is None


@pytest.mark.django_db(transaction=True)
def test_a_sign_in_at_the_same_moment_keeps_the_right(ada: User, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """It proved the right after the sweep had found it overdue: looked at again under the lock."""
    follow(ada, "storefront-editor")
    watch.turn(hours=12)
    real = rights._end_overdue

    def sign_in_first(user_id: int, *, now: Any) -> bool:
        follow(ada, "storefront-editor")
        return real(user_id, now=now)

    monkeypatch.setattr(rights, "_end_overdue", sign_in_first)
    assert end_overdue_rights(now=watch.now) == 0
    assert rights_of(ada) == {"Editors"}


PASSWORD = "a password of her own, long enough"


def test_a_password_proves_no_role(client: Client, provider: FakeProvider) -> None:
    provider.access_claims = {"realm_access": {"roles": ["storefront-admin", "storefront-editor"]}}
    sign_in(client, provider)
    amara = User.objects.get()
    amara.set_password(PASSWORD)
    amara.save()
    assert rights_of(amara) == {"is_staff", "is_superuser", "Editors"}
    browser = Client()
    response = browser.post("/login/", {"username": amara.email, "password": PASSWORD})
    assert response.status_code == 302, response.content.decode()
    assert rights_of(amara) == set()
    assert browser.get("/admin/").status_code == 302
    sign_in(Client(), provider)
    assert rights_of(amara) == {"is_staff", "is_superuser", "Editors"}


def test_password_sign_in_keeps_rights_given_by_hand(client: Client, ada: User) -> None:
    follow(ada, "storefront-editor")
    User.objects.filter(pk=ada.pk).update(is_staff=True)
    ada = User.objects.get(pk=ada.pk)
    client.force_login(ada, backend="mitxonline.users.backends.EmailBackend")
    assert rights_of(ada) == {"is_staff"}


def test_disconnecting_ends_the_rights_of_roles(client: Client, provider: FakeProvider) -> None:
    provider.access_claims = {"realm_access": {"roles": ["storefront-admin"]}}
    sign_in(client, provider)
    amara = User.objects.get()
    amara.groups.add(Group.objects.get(name="Finance"))
    amara.set_password(PASSWORD)
    amara.save()
    sign_in(client, provider)
    response = client.post(f"/account/connections/{UserSocialAuth.objects.get().pk}/disconnect/", follow=True)
    assert not UserSocialAuth.objects.exists()
    assert "The rights that came with it are gone." in response.content.decode()
    assert rights_of(amara) == {"Finance"}
    assert not GivenRight.objects.exists()


@pytest.mark.parametrize("way", ["page", "action"])
def test_deleting_a_connection_ends_its_rights(
    client: Client, provider: FakeProvider, admin_client: Client, way: str
) -> None:
    provider.access_claims = {"realm_access": {"roles": ["storefront-admin"]}}
    sign_in(client, provider)
    connection = UserSocialAuth.objects.get()
    amara, url = connection.user, "/admin/social_django/usersocialauth/"
    if way == "page":
        admin_client.post(f"{url}{connection.pk}/delete/", {"post": "yes"})
    else:
        admin_client.post(url, {"action": "delete_selected", "_selected_action": [connection.pk], "post": "yes"})
    assert not UserSocialAuth.objects.exists()
    assert rights_of(amara) == set()


def test_an_editor_gets_into_the_administration(client: Client, provider: FakeProvider) -> None:
    provider.access_claims = {"realm_access": {"roles": ["storefront-admin"]}}
    assert sign_in(client, provider, next="/cms/")["Location"] == "/cms/"
    assert client.get("/cms/").status_code == 200
    assert client.get("/admin/").status_code == 200
    client.post("/logout/")
    provider.access_claims = {}
    sign_in(client, provider)
    assert client.get("/cms/").status_code == 302
    assert client.get("/admin/").status_code == 302


def test_rights_of_before_date_from_the_last_sign_in_known(ada: User) -> None:
    """Two providers: of one a session is known, begun after the right was given; of the other none."""
    given_at, later = NOON, NOON + timedelta(days=2)
    for issuer, kind in ((ISSUER, "staff"), ("https://lms.example", "superuser")):
        GivenRight.objects.create(user=ada, issuer=issuer, kind=kind, given_at=given_at)
    for number, started_at in enumerate((later, given_at - timedelta(days=1))):
        ProviderSession.objects.create(
            session_key=f"key{number}", user=ada, provider="keycloak", issuer=ISSUER, subject="1", started_at=started_at
        )
    import_module("mitxonline.users.migrations.0003_given_rights_end").date_from_sessions(apps, None)
    assert dict(GivenRight.objects.values_list("kind", "proved_at")) == {"staff": later, "superuser": given_at}

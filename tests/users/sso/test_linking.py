"""Which account an identity gets, for every claim and every existing account."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from social_django.models import UserSocialAuth

from b2b.services.organizations.managers import set_manager
from mitxonline.kernel import clock
from mitxonline.users.models import User
from mitxonline.users.sso import accounts
from mitxonline.users.sso.errors import SignInRefused
from mitxonline.users.sso.identity import ProviderIdentity, read_identity
from tests.factories import make_organization
from tests.support.oidc import FakeProvider
from tests.support.together import MeetAt, Together
from tests.users.conftest import PASSWORD
from tests.users.sso.conftest import is_signed_in, sign_in

pytestmark = pytest.mark.django_db

EMAIL = "amara@northgate.example"


def local(*, verified: bool = True, **fields: Any) -> User:
    """Make a local account with a password."""
    verified_at = clock.now() if verified else None
    return User.objects.create_user(EMAIL, PASSWORD, name="Typed Here", email_verified_at=verified_at, **fields)


def page_of(response: Any) -> str:
    return " ".join(response.content.decode().split())


# By the address


def test_a_verified_address_links_a_verified_account_which_keeps_its_password(
    client: Client, provider: FakeProvider
) -> None:
    user = local()
    sign_in(client, provider)
    user.refresh_from_db()
    assert is_signed_in(client)
    assert user.social_auth.get().uid == f"{provider.issuer}#{provider.claims['sub']}"
    assert user.check_password(PASSWORD)
    assert user.name == "Typed Here"


def test_email_verified_may_be_a_string(client: Client, provider: FakeProvider) -> None:
    """What a mapper or a broker makes of it whose claim has the type String."""
    provider.claims["email_verified"] = "true"
    user = local()
    sign_in(client, provider)
    assert client.session["_auth_user_id"] == str(user.pk)


@pytest.mark.parametrize("value", [False, None, "True", "yes", 1, "1", "false", []])
@pytest.mark.parametrize("is_known", [True, False])
def test_an_unverified_address_links_and_makes_no_account(
    client: Client, provider: FakeProvider, value: object, is_known: bool
) -> None:
    if is_known:
        local()
    provider.claims["email_verified"] = value
    response = sign_in(client, provider)
    assert response.status_code == HTTPStatus.FORBIDDEN
    assert "hasn’t confirmed that your e-mail address is yours" in page_of(response)
    assert not is_signed_in(client)
    assert not UserSocialAuth.objects.exists()
    assert User.objects.count() == int(is_known)


def test_the_answer_does_not_tell_whether_there_is_an_account(provider: FakeProvider) -> None:
    provider.claims["email_verified"] = False
    without = sign_in(Client(), provider)
    local()
    response = sign_in(Client(), provider)
    assert page_of(response).partition("<main")[2].count("form") == page_of(without).partition("<main")[2].count("form")
    assert response.status_code == without.status_code


@pytest.mark.parametrize("email", [None, "", "   ", "nobody", "a@b", 7, "x" * 250 + "@north.example", ["a@b.example"]])
def test_an_identity_without_an_address_is_refused(client: Client, provider: FakeProvider, email: object) -> None:
    provider.claims["email"] = email
    response = sign_in(client, provider)
    assert response.status_code == HTTPStatus.FORBIDDEN
    assert "didn’t give us your e-mail address" in page_of(response)
    assert not User.objects.exists()


def test_case_does_not_matter(client: Client, provider: FakeProvider) -> None:
    user = local()
    provider.claims["email"] = " AMARA@Northgate.example "
    sign_in(client, provider)
    assert client.session["_auth_user_id"] == str(user.pk)


def test_letters_that_only_look_alike_prove_nothing(client: Client, provider: FakeProvider) -> None:
    local()
    provider.claims["email"] = "ａmara@northgate.example"
    assert sign_in(client, provider).status_code == HTTPStatus.FORBIDDEN
    assert not is_signed_in(client)


def test_address_and_verification_come_from_the_same_source(client: Client, provider: FakeProvider) -> None:
    provider.in_token = {"email": "other@northgate.example", "email_verified": True}
    provider.answers["userinfo"] = (200, {"sub": provider.claims["sub"], "email": EMAIL})
    local()
    assert sign_in(client, provider).status_code == HTTPStatus.FORBIDDEN


# Pre-hijacking: an account whose address no one ever proved


def test_an_unproved_account_loses_what_its_maker_could_come_back_with(
    client: Client, provider: FakeProvider, settings: Any
) -> None:
    user = local(verified=False)
    UserSocialAuth.objects.create(user=user, provider="edx-oauth2", uid="https://lms.example#7")
    hijacker = Client()
    hijacker.force_login(user)
    assert hijacker.get("/account/").status_code == HTTPStatus.OK
    response = sign_in(client, provider)
    assert response["Location"] == "/dashboard/"
    user.refresh_from_db()
    assert not user.has_usable_password()
    assert (user.name, user.is_email_verified) == ("Amara Okafor", True)
    assert [each.provider for each in user.social_auth.all()] == ["keycloak"]
    assert hijacker.get("/account/").status_code == HTTPStatus.FOUND, "their session is over"
    hijacker.post("/login/", {"username": EMAIL, "password": PASSWORD})
    assert not is_signed_in(hijacker)
    assert "the password it had no longer works" in client.get("/account/").content.decode()


def test_an_account_without_a_password_is_linked_without_a_word(client: Client, provider: FakeProvider) -> None:
    User.objects.create_user(EMAIL, name="Made by staff")
    sign_in(client, provider)
    assert is_signed_in(client)
    assert "no longer works" not in client.get("/account/").content.decode()


# Accounts an address does not open


def give_flag(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_staff=True)


def give_everything(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_superuser=True)


def give_group(user: User) -> None:
    user.groups.add(Group.objects.create(name="Anybody"))


def give_permission(user: User) -> None:
    user.user_permissions.add(Permission.objects.all()[0])


def give_organization(user: User) -> None:
    """One of two: they only belong to the other."""
    now = clock.now()
    for number, is_manager in enumerate((False, True)):
        organization = make_organization(f"Organization {number}")
        set_manager(organization_id=organization.pk, user_id=user.pk, is_manager=is_manager, by_id=None, now=now)


@pytest.mark.parametrize("give", [give_flag, give_everything, give_group, give_permission, give_organization])
@pytest.mark.parametrize("verified", [True, False])
def test_rights_are_not_opened_by_an_address(client: Client, provider: FakeProvider, give: Any, verified: bool) -> None:
    user = local(verified=verified)
    give(user)
    response = sign_in(client, provider, next="/cms/")
    assert response.status_code == HTTPStatus.FORBIDDEN
    assert "connect Northgate on your account page" in page_of(response)
    assert "E-mail me a link" in page_of(response)
    assert "/login/?next=%2Fcms%2F" in page_of(response)
    user.refresh_from_db()
    assert user.check_password(PASSWORD)
    assert not user.social_auth.exists()


def test_an_account_switched_off_stays_off(client: Client, provider: FakeProvider) -> None:
    local(is_active=False)
    response = sign_in(client, provider)
    assert response.status_code == HTTPStatus.FORBIDDEN
    assert "has been switched off" in page_of(response)
    assert not UserSocialAuth.objects.exists()


def test_a_person_switched_off_after_signing_in_is_refused(client: Client, provider: FakeProvider) -> None:
    sign_in(client, provider)
    client.post("/logout/")
    User.objects.update(is_active=False)
    response = sign_in(client, provider)
    assert "has been switched off" in page_of(response)
    assert not is_signed_in(client)


def test_an_address_reassigned_at_the_provider_does_not_open_the_old_account(
    client: Client, provider: FakeProvider
) -> None:
    sign_in(client, provider)
    provider.claims |= {"sub": "the-new-one", "name": "Another Amara"}
    response = sign_in(Client(), provider)
    assert response.status_code == HTTPStatus.FORBIDDEN
    assert "connected to another person at Northgate" in page_of(response)
    assert UserSocialAuth.objects.count() == 1


# The next time


def test_the_same_person_has_the_same_account_whatever_their_address(client: Client, provider: FakeProvider) -> None:
    sign_in(client, provider)
    first = client.session["_auth_user_id"]
    provider.claims |= {"email": "amara.king@northgate.example", "name": "Amara King"}
    sign_in(client, provider)
    user = User.objects.get()
    assert client.session["_auth_user_id"] == first == str(user.pk)
    assert (user.email, user.name) == ("amara.king@northgate.example", "Amara King")
    assert "Your e-mail address is now amara.king@northgate.example" in client.get("/account/").content.decode()


def test_an_address_of_another_account_is_not_taken_over(client: Client, provider: FakeProvider) -> None:
    sign_in(client, provider)
    other = User.objects.create_user("amara.king@northgate.example", PASSWORD)
    provider.claims["email"] = other.email
    sign_in(client, provider)
    user = User.objects.exclude(pk=other.pk).get()
    assert user.email == EMAIL
    assert client.session["_auth_user_id"] == str(user.pk)
    page = client.get("/account/").content.decode()
    assert "another account here uses it. This account keeps amara@northgate.example." in page
    other.delete()
    sign_in(client, provider)
    user.refresh_from_db()
    assert user.email == "amara.king@northgate.example", "once it is free it is followed"


def test_a_new_address_that_is_not_verified_is_not_followed(client: Client, provider: FakeProvider) -> None:
    sign_in(client, provider)
    provider.claims |= {"email": "boss@northgate.example", "email_verified": False}
    sign_in(client, provider)
    assert is_signed_in(client)
    assert User.objects.get().email == EMAIL


@pytest.mark.parametrize("gone", [{"email": None}, {"name": None}, {"email_verified": None}])
def test_claims_the_provider_stops_sending_are_kept(
    client: Client, provider: FakeProvider, gone: dict[str, Any]
) -> None:
    sign_in(client, provider)
    provider.claims |= gone
    sign_in(client, provider)
    user = User.objects.get()
    assert (user.email, user.name, user.is_email_verified) == (EMAIL, "Amara Okafor", True)


def test_a_name_changed_here_stays_until_it_changes_there(client: Client, provider: FakeProvider) -> None:
    sign_in(client, provider)
    client.post("/account/", {"name": "Dr. Amara Okafor", "theme": "auto"})
    sign_in(client, provider)
    assert User.objects.get().name == "Dr. Amara Okafor"
    provider.claims["name"] = "Amara King"
    sign_in(client, provider)
    assert User.objects.get().name == "Amara King"


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"name": "  Amara   Okafor "}, "Amara Okafor"),
        ({"name": None, "given_name": "Amara", "family_name": "Okafor"}, "Amara Okafor"),
        ({"name": "", "given_name": "Amara"}, "Amara"),
        ({"name": "A\x00B\nC\u202e"}, "A B C"),
        ({"name": "x" * 400}, "x" * 150),
        ({"name": ["no"]}, ""),
    ],
)
def test_names_of_every_kind(client: Client, provider: FakeProvider, claims: dict[str, Any], name: str) -> None:
    provider.claims |= claims
    sign_in(client, provider)
    assert User.objects.get().name == name


def test_the_issuer_is_part_of_an_identity(client: Client, provider: FakeProvider) -> None:
    elsewhere = ProviderIdentity(
        "keycloak", "https://elsewhere.example/realms/x", str(provider.claims["sub"]), "x@y.example", True
    )
    stranger = accounts.find_or_create_account(elsewhere, title="Elsewhere", now=clock.now()).user
    sign_in(client, provider)
    assert client.session["_auth_user_id"] != str(stranger.pk)


# Nothing is kept that no one needs


def test_no_token_is_stored_with_the_connection(client: Client, provider: FakeProvider) -> None:
    sign_in(client, provider)
    assert UserSocialAuth.objects.get().extra_data == {"seen": {"name": "Amara Okafor", "email": EMAIL}}
    assert "refresh" not in str(dict(client.session.items()))
    assert "eyJ" not in str(dict(client.session.items()))


# Connecting by hand


def test_staff_connect_their_account_and_sign_in_by_it(client: Client, provider: FakeProvider) -> None:
    user = local(is_staff=True)
    client.force_login(user, backend="mitxonline.users.backends.EmailBackend")
    assert "Connect Northgate" in client.get("/account/").content.decode()
    response = sign_in(client, provider, connect="1", next="/account/")
    assert response["Location"] == "/account/"
    assert "Northgate is connected." in client.get("/account/").content.decode()
    assert user.social_auth.count() == 1
    assert sign_in(Client(), provider)["Location"] == "/dashboard/"


def test_the_address_there_may_be_another_and_is_not_followed_at_once(client: Client, provider: FakeProvider) -> None:
    user = local()
    client.force_login(user, backend="mitxonline.users.backends.EmailBackend")
    provider.claims["email"] = "private@mail.example"
    sign_in(client, provider, connect="1")
    sign_in(client, provider)
    user.refresh_from_db()
    assert user.email == EMAIL


def test_connecting_needs_a_proved_address_here(client: Client, provider: FakeProvider) -> None:
    user = local(verified=False)
    client.force_login(user, backend="mitxonline.users.backends.EmailBackend")
    response = sign_in(client, provider, connect="1")
    assert response.status_code == HTTPStatus.CONFLICT
    assert "confirm your e-mail address here" in page_of(response)
    assert not user.social_auth.exists()


def test_an_identity_belongs_to_one_account(client: Client, provider: FakeProvider) -> None:
    sign_in(Client(), provider)
    other = User.objects.create_user("other@mail.example", PASSWORD, email_verified_at=clock.now())
    client.force_login(other, backend="mitxonline.users.backends.EmailBackend")
    response = sign_in(client, provider, connect="1")
    assert response.status_code == HTTPStatus.CONFLICT
    assert "already connected to another account here" in page_of(response)
    assert not other.social_auth.exists()


def test_signing_in_as_another_user_connects_nothing(client: Client, provider: FakeProvider) -> None:
    """Without having asked for it: a shared computer where the last one forgot to sign out."""
    other = User.objects.create_user("other@mail.example", PASSWORD, email_verified_at=clock.now())
    client.force_login(other, backend="mitxonline.users.backends.EmailBackend")
    sign_in(client, provider)
    assert not other.social_auth.exists()
    assert client.session["_auth_user_id"] != str(other.pk)


def test_a_connection_can_be_undone_while_there_is_another_way_in(client: Client, provider: FakeProvider) -> None:
    user = local()
    sign_in(client, provider)
    connection = user.social_auth.get()
    assert "Disconnect Northgate" in client.get("/account/").content.decode()
    client.post(f"/account/connections/{connection.pk}/disconnect/")
    assert not user.social_auth.exists()


def test_the_last_way_in_is_kept(client: Client, provider: FakeProvider) -> None:
    sign_in(client, provider)
    connection = UserSocialAuth.objects.get()
    assert "Disconnect" not in client.get("/account/").content.decode()
    client.post(f"/account/connections/{connection.pk}/disconnect/")
    assert UserSocialAuth.objects.exists()
    assert "This is your only way to sign in." in client.get("/account/").content.decode()


def test_users_cannot_disconnect_other_accounts(client: Client, provider: FakeProvider) -> None:
    sign_in(Client(), provider)
    connection = UserSocialAuth.objects.get()
    client.force_login(User.objects.create_user("other@mail.example", PASSWORD))
    client.post(f"/account/connections/{connection.pk}/disconnect/")
    assert UserSocialAuth.objects.exists()


# Never two


def identity(subject: str = "one", email: str = EMAIL) -> ProviderIdentity:
    return ProviderIdentity("keycloak", "https://sso.example/realms/x", subject, email, True, "Amara")


@pytest.mark.django_db(transaction=True)
def test_two_returns_at_once_make_one_account(together: Together) -> None:
    def arrive() -> int:
        return accounts.find_or_create_account(identity(), title="X", now=clock.now()).user.pk

    first, second = together(arrive, arrive)
    assert first == second
    assert (User.objects.count(), UserSocialAuth.objects.count()) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_without_the_lock_they_would_not(together: Together, meet_at: MeetAt, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: both have looked and found no one."""
    monkeypatch.setattr(accounts, "transaction_lock", lambda *_args: None)
    meeting = meet_at(accounts, "_find_match", parties=2)

    def arrive(email: str) -> Any:
        return accounts.find_or_create_account(identity(email=email), title="X", now=clock.now()).user.pk

    results = together(lambda: arrive("one@mail.example"), lambda: arrive("two@mail.example"))
    assert meeting.happened
    assert any(isinstance(each, Exception) for each in results), "the database refuses what the lock would have ordered"
    assert UserSocialAuth.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_registering_while_signing_in_makes_one_account(together: Together, meet_at: MeetAt) -> None:
    meeting = meet_at(accounts, "_lock_with_email", parties=2, patience=0.2)

    def arrive() -> Any:
        return accounts.find_or_create_account(identity(), title="X", now=clock.now()).user.pk

    def register() -> Any:
        meeting.wait()
        return User.objects.create_user(EMAIL, PASSWORD).pk

    results = together(arrive, register)
    assert User.objects.count() == 1
    assert UserSocialAuth.objects.get().user_id == User.objects.get().pk
    assert not User.objects.get().has_usable_password()
    assert any(isinstance(each, int) for each in results)


@contextmanager
def rolled_back() -> Iterator[None]:
    """Roll back after each Hypothesis example, so that they share no rows."""
    yield
    UserSocialAuth.objects.all().delete()
    User.objects.all().delete()


PEOPLE = st.tuples(st.sampled_from(["s1", "s2", "s3"]), st.sampled_from(["a@x.example", "b@x.example", "c@x.example"]))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sign_ins=st.lists(st.tuples(PEOPLE, st.booleans()), max_size=12), local_accounts=st.sets(st.booleans()))
def test_an_identity_never_has_two_accounts_nor_an_account_two_identities(
    db: None, sign_ins: list[tuple[tuple[str, str], bool]], local_accounts: set[bool]
) -> None:
    with rolled_back():
        for verified in local_accounts:
            email = "a@x.example" if verified else "b@x.example"
            User.objects.create_user(email, PASSWORD, email_verified_at=clock.now() if verified else None)
        account_by_subject: dict[str, int] = {}
        for (subject, email), verified in sign_ins:
            claims = {"email": email, "email_verified": verified}
            who = read_identity(claims, provider="keycloak", issuer="https://sso.example/r", subject=subject)
            try:
                user = accounts.find_or_create_account(who, title="X", now=clock.now()).user
            except SignInRefused:
                assert subject not in account_by_subject, "who was let in once is let in always"
                continue
            assert account_by_subject.setdefault(subject, user.pk) == user.pk
        assert len(set(account_by_subject.values())) == len(account_by_subject)
        assert UserSocialAuth.objects.count() == len(account_by_subject)


# Mails to someone without a password


@pytest.mark.parametrize(
    ("page", "form", "heading"),
    [
        ("/password-reset/", {"email": EMAIL}, "You don’t need a password"),
        ("/register/", {"email": EMAIL, "name": "X", "password": PASSWORD}, "You already have an account"),
    ],
)
@pytest.mark.django_db(transaction=True)
def test_users_are_told_how_they_sign_in(
    client: Client, provider: FakeProvider, outbox: list[Any], page: str, form: dict[str, str], heading: str
) -> None:
    sign_in(Client(), provider)
    client.post(page, form)
    (mail,) = outbox
    html = str(mail.alternatives[0][0])
    for text in (" ".join(str(mail.body).split()), " ".join(html.split())):
        assert heading in text
        assert "ou sign in through Northgate" in text
        assert "set a new one" not in text

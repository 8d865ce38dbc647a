"""Next page, cart and code survive a sign-in; other sites get nothing."""

from http import HTTPStatus
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.conf import settings as django_settings
from django.core.management import call_command
from django.test import Client

from mitxonline.users.models import User
from tests.factories import make_product
from tests.support.oidc import FakeProvider
from tests.users.conftest import PASSWORD
from tests.users.foreign_urls import FOREIGN_URLS
from tests.users.sso.conftest import begin, is_signed_in, sign_in

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "page", ["/cart/", "/enrollmentcode/4b0b4b3c-32f1-4f0e-9a41-0f3a6c1c2d11/", "/cart/?a=1&b=%C3%BC", "/dashboard/#x"]
)
def test_the_page_is_reached(client: Client, provider: FakeProvider, page: str) -> None:
    assert sign_in(client, provider, next=page)["Location"] == page


@pytest.mark.parametrize("address", [*FOREIGN_URLS, "\\evil.example", "//evil", "\\\\evil", "http:///evil", "/\tevil"])
def test_next_urls_of_other_sites_are_ignored(client: Client, provider: FakeProvider, address: str) -> None:
    assert sign_in(client, provider, next=address)["Location"] == django_settings.LOGIN_REDIRECT_URL


@pytest.mark.parametrize("address", FOREIGN_URLS)
def test_not_even_if_it_got_into_the_session(client: Client, provider: FakeProvider, address: str) -> None:
    back = provider.visit(begin(client))
    session = client.session
    for key in [key for key in session.keys() if "oauth2_state_" in key]:  # noqa: SIM118 - a session isn't a dict
        session[key] = {**session[key], "errand": {"next_page": address, "connects": None}}
    session.save()
    assert client.get(back)["Location"] == django_settings.LOGIN_REDIRECT_URL


def test_next_in_the_callback_is_ignored(client: Client, provider: FakeProvider) -> None:
    back = provider.visit(begin(client, next="/cart/"))
    assert client.get(f"{back}&next=//evil.example/")["Location"] == "/cart/"


def test_two_windows_keep_their_own(client: Client, provider: FakeProvider) -> None:
    first = provider.visit(begin(client, next="/cart/"))
    second = provider.visit(begin(client, next="/catalog/"))
    assert client.get(first)["Location"] == "/cart/"
    assert client.get(second)["Location"] == "/catalog/"


def test_a_checkout_goes_on_to_payment_after_signing_in(client: Client, provider: FakeProvider) -> None:
    client.get("/cart/add/", {"product_id": make_product().pk})
    form = BeautifulSoup(client.get("/cart/").content, "html.parser").select("form[action='/checkout/'] input[name]")
    asked = client.post("/checkout/", {str(field["name"]): str(field["value"]) for field in form})
    page = client.get(asked["Location"]).content.decode()
    assert "Sign in to check out. We’ll keep your cart." in page
    assert '<input type="hidden" name="next" value="/checkout/">' in page
    assert sign_in(client, provider, next="/checkout/")["Location"] == "/checkout/"
    assert client.get("/checkout/")["Location"].startswith("/payment/sandbox/")


def test_the_session_goes_on_under_a_new_key(client: Client, provider: FakeProvider) -> None:
    begin(client)
    session = client.session
    session["cart"] = "token-of-the-cart"
    session.save()
    before = session.session_key
    sign_in(client, provider)
    assert client.session["cart"] == "token-of-the-cart"
    assert client.session.session_key != before


def test_another_persons_session_does_not(client: Client, provider: FakeProvider) -> None:
    client.force_login(User.objects.create_user("x@example.org"), backend="mitxonline.users.backends.EmailBackend")
    session = client.session
    session["cart"] = "theirs"
    session.save()
    sign_in(client, provider)
    assert "cart" not in client.session


# How it is begun


def test_sign_in_starts_by_a_form_with_a_csrf_token(provider: FakeProvider) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert strict.post("/login/keycloak/").status_code == HTTPStatus.FORBIDDEN
    assert strict.get("/login/keycloak/").status_code == HTTPStatus.METHOD_NOT_ALLOWED


def test_the_request_names_scopes_and_callback(client: Client, provider: FakeProvider) -> None:
    provider.visit(begin(client))
    query = provider.last_query
    assert query["scope"].split() == ["organization:*", "openid", "profile", "email"]
    assert query["redirect_uri"] == "http://testserver/complete/keycloak/"
    assert query["code_challenge_method"] == "S256"
    assert len(query["code_challenge"]) == 43
    assert len(query["nonce"]) >= 32
    assert len(query["state"]) >= 32


def test_the_callback_has_the_public_address(client: Client, provider: FakeProvider) -> None:
    response = client.post("/login/keycloak/", headers={"host": "evil.example"})
    assert "redirect_uri=http://testserver/complete/keycloak/" in response["Location"]


@pytest.mark.parametrize("path", ["/login/keycloak/", "/complete/keycloak/", "/login/edx-oauth2/", "/login/github/"])
def test_an_unconfigured_provider_answers_404(client: Client, path: str) -> None:
    method = client.get if "complete" in path else client.post
    assert method(path).status_code == HTTPStatus.NOT_FOUND


def test_beginning_over_and_over_is_stopped(client: Client, provider: FakeProvider, settings: Any) -> None:
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"sign_in_begun": {"address": (3, 600)}}
    for _time in range(3):
        begin(client)
    response = client.post("/login/keycloak/")
    assert (response.status_code, response["Location"]) == (HTTPStatus.SEE_OTHER, "/login/")
    assert "Too many attempts." in client.get("/login/").content.decode()


# The sign-in page


def test_without_a_provider_there_is_no_button(client: Client) -> None:
    page = client.get("/login/").content.decode()
    assert "Continue with" not in page
    assert "or with your e-mail address" not in page


def test_the_button_and_the_form_stand_side_by_side(client: Client, provider: FakeProvider) -> None:
    page = client.get("/login/?next=/cart/").content.decode()
    assert "Continue with Northgate" in page
    assert page.count('<input type="hidden" name="next" value="/cart/">') == 2
    assert ">Email</label>" in page
    assert page.count("btn-primary") == 1


# Without accounts of our own


@pytest.fixture
def only_keycloak(provider: FakeProvider, settings: Any) -> FakeProvider:
    settings.LOCAL_ACCOUNTS = False
    settings.AUTHENTICATION_BACKENDS = [
        "mitxonline.users.backends.RightsBackend",
        "mitxonline.users.sso.keycloak.KeycloakBackend",
    ]
    return provider


def test_the_sign_in_page_leads_to_the_only_provider(client: Client, only_keycloak: FakeProvider) -> None:
    response = client.get("/account/", follow=False)
    there = client.get(response["Location"])
    back = client.get(only_keycloak.visit(there["Location"]))
    assert back["Location"] == "/account/"
    assert is_signed_in(client)
    page = client.get("/account/").content.decode()
    assert "Change your password" not in page


def test_a_link_from_another_site_cannot_start_a_sign_in(client: Client, only_keycloak: FakeProvider) -> None:
    response = client.get("/login/", headers={"Sec-Fetch-Site": "cross-site"})
    assert response.status_code == HTTPStatus.OK
    page = response.content.decode()
    assert "Continue with Northgate" in page
    assert 'type="password"' not in page
    assert "Create an account" not in page


@pytest.mark.parametrize("path", ["/register/", "/password-reset/", "/password-reset/MQ/set-password/"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_pages_about_passwords_lead_to_the_sign_in_page(
    client: Client, only_keycloak: FakeProvider, path: str, method: str
) -> None:
    response = getattr(client, method)(f"{path}?next=/cart/")
    assert response["Location"] == "/login/?next=%2Fcart%2F"


def test_no_password_opens_anything(client: Client, only_keycloak: FakeProvider, ada: User) -> None:
    response = client.post("/login/", {"username": ada.email, "password": PASSWORD})
    assert response["Location"] == "/login/"
    assert not is_signed_in(client)
    client.post("/cms/login/", {"username": ada.email, "password": PASSWORD}, follow=True)
    assert not is_signed_in(client)


def test_editors_can_sign_in_where_there_are_no_passwords(client: Client, only_keycloak: FakeProvider) -> None:
    """Rights are known by another backend than the one that signs people in."""
    call_command("configure_wagtail", verbosity=0)
    only_keycloak.access_claims = {"realm_access": {"roles": ["storefront-editor"]}}
    sign_in(client, only_keycloak)
    assert not User.objects.get().is_superuser
    assert client.get("/cms/").status_code == HTTPStatus.OK


def test_a_session_begun_by_password_ends(client: Client, provider: FakeProvider, ada: User, settings: Any) -> None:
    client.post("/login/", {"username": ada.email, "password": PASSWORD})
    settings.LOCAL_ACCOUNTS = False
    settings.AUTHENTICATION_BACKENDS = ["mitxonline.users.sso.keycloak.KeycloakBackend"]
    assert client.get("/account/").status_code == HTTPStatus.FOUND


# What it costs


def test_the_number_of_queries_of_a_return(
    client: Client, provider: FakeProvider, django_assert_num_queries: Any
) -> None:
    sign_in(client, provider)
    for organizations in (0, 20):
        provider.access_claims = {"realm_access": {"roles": [f"role {number}" for number in range(organizations)]}}
        browser = Client()
        back = provider.visit(begin(browser))
        with django_assert_num_queries(29):
            browser.get(back)

"""What a site stores of its shop: who may see it, what it takes, and where it holds."""

from __future__ import annotations

from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from pytest_django import DjangoAssertNumQueries
from wagtail.models import Page, Site

from courses.gateways.openedx.client import OpenEdxClient
from courses.selectors.course_address import course_address
from ecommerce.gateways.accounts import account_for
from ecommerce.gateways.registry import offered_gateways
from ecommerce.models import ShopSettings
from ecommerce.models.shop_values import seal, unseal
from ecommerce.selectors.shop import load_shops
from ecommerce.selectors.timeline import ShopSource
from ecommerce.services.orders.numbers import new_order_number
from ecommerce.services.shops import change_shop
from mitxonline.kernel import clock
from mitxonline.kernel.hosts import is_placeholder
from mitxonline.kernel.mail import build_email
from mitxonline.kernel.money import currency_problem
from mitxonline.kernel.secrets import decrypt, encrypt
from mitxonline.kernel.shop import current_shop, current_site_id, shop_of_site, use_shop_of_host
from mitxonline.security import HostMiddleware
from mitxonline.users.sso.providers import EDX, find_provider
from tests.b2b.admin_people import sign_in_as
from tests.factories import make_product, make_user
from tests.factories.orders import make_paid_order

pytestmark = pytest.mark.django_db

MAIL = "ecommerce/emails/free_undone"
SECRET = "a-secret-of-the-course-site"


def default_site() -> Site:
    site: Site = Site.objects.get(is_default_site=True)
    return site


def second_site() -> Site:
    return Site.objects.create(hostname="two.shop.test", port=443, root_page=Page.objects.filter(depth=2)[0])


def store(site: Site | None = None, **values: Any) -> ShopSettings:
    shop: ShopSettings = ShopSettings.objects.create(site=site or default_site(), **values)
    return shop


def _number() -> str:
    return new_order_number(on=clock.today(), site_id=current_site_id())


def test_without_stored_values_everything_is_as_the_environment_says(settings: Any) -> None:
    settings.OPENEDX_API_BASE_URL = "https://lms.env.test"
    settings.DEFAULT_FROM_EMAIL = "env@shop.test"

    shop = current_shop()

    assert (shop.lms_url, shop.sender) == ("https://lms.env.test", "env@shop.test")
    assert shop.currencies == tuple(settings.CURRENCIES)
    assert _number().startswith("TS-")
    assert find_provider(EDX) is None


def test_two_sites_have_values_of_their_own() -> None:
    store(partner_code="ONE", currencies="EUR, USD", from_email="One, Ltd <one@shop.test>")
    store(second_site(), partner_code="TWO", order_number_prefix="T2", currencies="JPY")

    with use_shop_of_host("two.shop.test:8000"):
        assert _number().startswith("T2-")
        assert current_shop().base_url == "http://two.shop.test"
        assert currency_problem("JPY") is None
        assert currency_problem("EUR") is not None
    assert _number().startswith("ONE-")
    assert (current_shop().currency, current_shop().sender) == ("EUR", '"One, Ltd" <one@shop.test>')
    with use_shop_of_host("unknown.test"):
        assert current_shop().partner_code == "ONE"


def test_a_request_has_the_shop_and_the_account_of_the_site_whose_pages_it_shows(settings: Any) -> None:
    """Also with a dot behind the host, and where two sites differ by their ports alone."""
    settings.ALLOWED_HOSTS = ["*"]
    settings.STRIPE_ACCOUNTS = {"": {"secret_key": "sk_test_a"}, "two.shop.test": {"secret_key": "sk_test_b"}}
    store(partner_code="ONE")
    store(second_site(), partner_code="TWO")
    root = Page.objects.filter(depth=2)[0]
    store(Site.objects.create(hostname="two.shop.test", port=8001, root_page=root), partner_code="PORT")
    asked = {
        ("two.shop.test.", "443"): "TWO",
        ("TWO.shop.test:8001", "8001"): "PORT",
        ("two.shop.test", "9000"): "ONE",
        ("unknown.test", "443"): "ONE",
    }
    for (host, port), code in asked.items():
        seen: list[tuple[str, int]] = []

        def answer(request: HttpRequest, seen: list[tuple[str, int]] = seen) -> HttpResponse:
            site = Site.find_for_request(request)
            assert site is not None
            seen.append((current_shop().partner_code, site.pk))
            return HttpResponse()

        HostMiddleware(answer)(RequestFactory().get("/", headers={"Host": host}, SERVER_PORT=port))
        assert seen == [(code, ShopSettings.objects.get(partner_code=code).site_id)], host
    assert account_for("stripe", "Two.shop.test.:443") == "two.shop.test"


def test_order_numbers_are_in_capitals_whatever_the_partner_code() -> None:
    """Whoever looks for one may type it either way: the index knows capitals alone."""
    store(partner_code="vd")
    order = make_paid_order(make_product())
    order.number = _number()
    order.save()
    assert [each.key for each in ShopSource().find(order.number.lower())] == [str(order.pk)]


def test_the_course_site_of_a_site_is_called_and_linked() -> None:
    store(
        lms_url_root="https://lms.one.test",
        lms_public_url_root="https://learn.one.test/",
        sso_client_id="sso",
        sso_client_secret=seal(SECRET),
        backend_service_client_id="backend",
        backend_service_client_secret=seal("other"),
    )
    client = OpenEdxClient.from_settings()
    assert (client._addresses["openedx-lms"], client._client_secret) == ("https://lms.one.test", "other")  # type: ignore[index]
    assert course_address("course-v1:A+B+C").startswith("https://learn.one.test/login?next=")
    assert find_provider(EDX) is not None

    response = Client().get("/login/")
    assert "https://learn.one.test" in response.headers["Content-Security-Policy"]


@pytest.mark.parametrize("is_same", [True, False])
def test_the_environments_clients_are_for_its_own_course_site(settings: Any, is_same: bool) -> None:
    """A secret isn't sent to another course site, which couldn't know it."""
    settings.OPENEDX_API_BASE_URL = settings.SOCIAL_AUTH_EDX_OAUTH2_URL_ROOT = "https://lms.env.test"
    settings.SOCIAL_AUTH_EDX_OAUTH2_KEY = settings.OPENEDX_COURSES_SERVICE_WORKER_CLIENT_ID = "id"
    settings.SOCIAL_AUTH_EDX_OAUTH2_SECRET = settings.OPENEDX_COURSES_SERVICE_WORKER_CLIENT_SECRET = SECRET
    site = second_site()
    store(site, lms_url_root="https://lms.env.test/" if is_same else "https://lms.two.test")
    shop = shop_of_site(site.pk)
    assert (shop.has_sign_in, bool(shop.backend_client_secret)) == (is_same, is_same)
    assert shop_of_site(0).has_sign_in


def test_mails_come_from_the_sites_sender() -> None:
    store(from_email="Shop One <one@shop.test>")
    message = build_email(MAIL, to=["a@b.test"], context={})
    assert message.from_email == "Shop One <one@shop.test>"


def test_a_site_offers_the_gateways_it_names(settings: Any) -> None:
    settings.PAYMENT_GATEWAYS = [
        "ecommerce.gateways.stripe.StripeGateway",
        "ecommerce.gateways.sandbox.SandboxGateway",
    ]
    assert list(offered_gateways()) == ["stripe", "sandbox"]
    row = store(payment_processors="sandbox")
    assert list(offered_gateways()) == ["sandbox"]
    row.payment_processors = "sandbox, stripe"
    row.save()
    assert list(offered_gateways()) == ["sandbox", "stripe"]


def test_stored_values_cost_one_query_per_process(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    store(partner_code="ONE")
    with django_assert_num_queries(3):  # with the savepoint around it
        assert current_shop().partner_code == "ONE"
        assert shop_of_site(default_site_id()).partner_code == "ONE"
    with django_assert_num_queries(0):
        assert current_shop().partner_code == "ONE"


def test_what_was_known_holds_while_the_database_cannot_be_asked() -> None:
    """The environment may name another course site, gateway and currency."""
    row = store(partner_code="ONE")
    assert current_shop().partner_code == "ONE"
    row.save()  # so it is read again
    with transaction.atomic():
        transaction.set_rollback(True)
        assert current_shop().partner_code == "ONE"
    assert current_shop().partner_code == "ONE"


def default_site_id() -> int:
    return current_shop().site_id or 0


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("lms_url_root", "https://lms.example.com", "placeholder"),
        ("lms_url_root", "https://<lms-server>", "placeholder"),
        ("lms_url_root", "https://lms.example", "placeholder"),
        ("lms_url_root", "https://lms.your-school.edu", "placeholder"),
        ("lms_url_root", "http://lms.school.edu", "https"),
        ("lms_url_root", "https://127.0.0.1:8000", "other machines"),
        ("lms_url_root", "lms.school.edu", "isn’t an address"),
        ("lms_url_root", "https://lms school.edu", "isn’t an address"),
        ("lms_url_root", "https://lms.school.edu:99999", "isn’t an address"),
        ("lms_url_root", "https://:password@lms.school.edu", "isn’t an address"),
        ("from_email", "no address", "isn’t a sender"),
        ("from_email", "hello@example.com", "placeholder"),
        ("base_cookie_domain", "edu", "isn’t a domain"),
        ("base_cookie_domain", "<base-domain>", "placeholder"),
        ("partner_code", "NINE CHARS", "partner code"),
        ("currencies", "USD, usd", "currencies"),
        ("currencies", "USD,USD", "currencies"),
        ("currencies", "XAU", "currencies"),
        ("payment_processors", "sandbox, paypal", "isn’t configured"),
        ("payment_processors", "bitcoin", "no payment gateway"),
        ("sso_client_id", "only-the-id", "secret"),
    ],
)
def test_a_wrong_value_is_refused_in_words(settings: Any, name: str, value: str, word: str) -> None:
    settings.SITE_BASE_URL = "https://shop.school.edu"
    with pytest.raises(ValidationError) as refused:
        ShopSettings(site=default_site(), **{name: value}).full_clean()
    assert word in str(refused.value.messages)


def test_a_word_inside_a_name_is_no_placeholder() -> None:
    for text in ("https://lms.find-your-way.edu", "shop@on-your-own.edu", "learn-at-your-pace.org"):
        assert not is_placeholder(text)
    for text in ("https://your-lms", "me@your_school.edu", "<your-lms>"):
        assert is_placeholder(text)


def test_in_development_http_and_this_machine_are_fine() -> None:
    ShopSettings(site=default_site(), lms_url_root="http://127.0.0.1:8000").full_clean()


def test_a_partner_code_belongs_to_one_site_and_a_client_is_whole() -> None:
    store(partner_code="VD")
    with pytest.raises(ValidationError, match="partner code “vd”"):
        ShopSettings(site=second_site(), partner_code="vd").full_clean()
    with pytest.raises(IntegrityError, match="shop_partner_code_once"), transaction.atomic():
        store(Site.objects.get(hostname="two.shop.test"), partner_code="vd")
    with pytest.raises(IntegrityError, match="shop_sso_client_is_whole"), transaction.atomic():
        store(Site.objects.get(hostname="two.shop.test"), sso_client_id="id")


def test_a_secret_is_encrypted_and_outlives_a_change_of_the_key(settings: Any) -> None:
    row = store(sso_client_id="id", sso_client_secret=seal(SECRET))
    assert SECRET not in row.sso_client_secret
    old = settings.SECRET_KEY
    settings.SECRET_KEY = "another key"
    assert unseal(row.sso_client_secret) == ""
    settings.SECRET_KEY_FALLBACKS = [old]
    assert unseal(row.sso_client_secret) == SECRET
    assert decrypt(encrypt("x", purpose="a"), purpose="a") == "x"
    change_shop(row.site, {"sso_client_secret": SECRET})
    settings.SECRET_KEY_FALLBACKS = []
    row.refresh_from_db()
    assert unseal(row.sso_client_secret) == SECRET
    assert change_shop(row.site, {"sso_client_secret": SECRET}) == []


def test_no_report_that_prints_a_shop_has_its_secrets() -> None:
    row = store(sso_client_id="id", sso_client_secret=seal(SECRET))
    assert SECRET not in f"{shop_of_site(row.site_id)!r} {load_shops()!r}"


def test_finance_saves_what_it_may_though_a_gateway_was_switched_off() -> None:
    row = store(payment_processors="gone", currencies="USD")
    client = sign_in_as("finance")
    url = f"/cms/settings/ecommerce/shopsettings/{row.site_id}/"
    fields = _fields(client.get(url).content)
    assert "payment_processors" not in fields
    client.post(url, {**fields, "partner_name": "School"})
    row.refresh_from_db()
    assert (row.partner_name, row.payment_processors) == ("School", "gone")


def test_the_admin_takes_a_secret_and_never_shows_it() -> None:
    client = Client()
    client.force_login(make_user(is_superuser=True, is_staff=True))
    row = store(sso_client_id="id", sso_client_secret=seal(SECRET))
    url = f"/cms/settings/ecommerce/shopsettings/{row.site_id}/"
    page = client.get(url)
    form = _fields(page.content)
    assert SECRET not in page.content.decode()
    assert row.sso_client_secret not in page.content.decode()
    assert "There is one, which isn’t shown." in page.content.decode()

    client.post(url, {**form, "partner_name": "School"})
    row.refresh_from_db()
    assert (row.partner_name, unseal(row.sso_client_secret)) == ("School", SECRET)

    form = _fields(client.get(url).content)
    client.post(url, {**form, "sso_client_secret": "a-new-one"})
    row.refresh_from_db()
    assert unseal(row.sso_client_secret) == "a-new-one"

    refused = client.post(url, {**_fields(client.get(url).content), "lms_url_root": "https://example.com"})
    assert "placeholder" in refused.content.decode()
    row.refresh_from_db()
    assert row.lms_url_root == ""

    client.post(url, {**_fields(client.get(url).content), "sso_client_id": ""})
    row.refresh_from_db()
    assert (row.sso_client_id, row.sso_client_secret) == ("", "")


def _fields(html: bytes) -> dict[str, str]:
    """The values of the form’s fields, as a browser would send them."""
    soup = BeautifulSoup(html, "html.parser")
    values: dict[str, str] = {}
    for field in soup.select("main form input[name], main form textarea[name], main form select[name]"):
        if field.name == "select":
            chosen = field.select_one("option[selected]")
            values[str(field["name"])] = str(chosen["value"]) if chosen else ""
        elif field.name == "textarea":
            values[str(field["name"])] = field.text.strip()
        else:
            values[str(field["name"])] = str(field.get("value", ""))
    return values

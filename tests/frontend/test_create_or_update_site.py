"""`create_or_update_site`: one command sets up a site and its shop."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from wagtail.models import Page, Site

from b2b.models import OrganizationIndexPage
from cms.models import CatalogPage, HomePage
from ecommerce.models import ShopSettings
from ecommerce.models.shop_values import unseal
from ecommerce.services.shops import change_shop
from frontend.site import shop_setup
from frontend.site.site_setup import configure
from mitxonline.kernel.shop import current_shop, use_shop_of_host
from tests.support.together import Together

pytestmark = pytest.mark.django_db

SECRETS = {"SSO_CLIENT_SECRET": "the-sso-secret", "BACKEND_SERVICE_CLIENT_SECRET": "the-backend-secret"}
COMPLETE = (
    "--partner-code=VD",
    "--partner-name=VirgoDarth",
    "--lms-url-root=https://lms.school.edu",
    "--sso-client-id=orR3s5dyMwypEMLx2h1wwWh8Mr6c586fwJihpZ76",
    "--backend-service-client-id=uTMwcAOn2ewlz7o2y3mWlhphjFyPCrRqfjaw43gn",
    "--from-email=virgodarth@gmail.com",
)


@pytest.fixture(autouse=True)
def _pages() -> None:
    configure(base_url="http://testserver")


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


def run(*arguments: str, **options: Any) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("create_or_update_site", *arguments, stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


def refusal(*arguments: str) -> str:
    with pytest.raises(CommandError) as refused:
        run(*arguments)
    return str(refused.value)


def shop_of(domain: str) -> ShopSettings:
    shop: ShopSettings = ShopSettings.objects.get(site__hostname=domain)
    return shop


def state() -> list[Any]:
    return [
        list(ShopSettings.objects.order_by("pk").values()),
        list(Site.objects.order_by("pk").values()),
        Page.objects.count(),
    ]


def test_the_documents_command_line_works_as_printed() -> None:
    site = Site.objects.get(is_default_site=True)
    out, err = run(
        f"--site-id={site.pk}",
        "--site-domain=shop.school.edu",
        "--partner-code=VD",
        "--partner-name=VirgoDarth",
        "--lms-url-root=https://lms.school.edu",
        "--payment-processors=sandbox",
        "--sso-client-id=orR3s5dyMwypEMLx2h1wwWh8Mr6c586fwJihpZ76",
        "--sso-client-secret=8sahDxBuV52eQw8LfI3eKZfUwJrNvRaO7nGTXLsxrKerM3zaDZVGnxwGbXOOAcz",
        "--backend-service-client-id=uTMwcAOn2ewlz7o2y3mWlhphjFyPCrRqfjaw43gn",
        "--backend-service-client-secret=91FFfBfmPNjixfIBStopeOwVkhWjgOfmdBURRjuBALSJtMwgpaQ9q1dAn4",
        "--lms-public-url-root=https://lms.school.edu",
        "--base-cookie-domain=school.edu",
        "--discovery_api_url=https://discovery.school.edu",
        "--from-email=virgodarth@gmail.com",
    )

    shop = shop_of("shop.school.edu")
    assert shop.site_id == site.pk
    assert (shop.partner_code, shop.discovery_api_url) == ("VD", "https://discovery.school.edu")
    assert unseal(shop.sso_client_secret).startswith("8sahDx")
    assert "8sahDx" not in out + err
    assert "91FFf" not in out + err
    assert err.count("Warning: --") == 2
    assert "SITE_BASE_URL is http://testserver" in err


def test_everything_missing_is_listed_at_once_with_where_to_find_it() -> None:
    before = state()
    said = refusal("--site-domain=new.school.edu")
    for option in (
        "--partner-code",
        "--lms-url-root",
        "--sso-client-id",
        "--sso-client-secret or the variable SSO_CLIENT_SECRET",
        "--backend-service-client-id",
        "--backend-service-client-secret or the variable BACKEND_SERVICE_CLIENT_SECRET",
        "--from-email",
    ):
        assert f"{option} is missing." in said
    assert "/admin/oauth2_provider/application/" in said
    assert state() == before


def test_wrong_and_missing_values_are_listed_together() -> None:
    before = state()
    for domain in ("testserver", "two.school.edu"):
        assert "--site-name: at most 255" in refusal(f"--site-domain={domain}", f"--site-name={'x' * 256}", *COMPLETE)
    said = refusal(
        "--site-domain=<site-domain>", "--lms-url-root=https://<lms-server>", "--partner-code=TOO LONG A CODE"
    )
    assert "--site-domain: “<site-domain>” is a placeholder" in said
    assert "--lms-url-root: “https://<lms-server>” is a placeholder" in said
    assert "--partner-code: " in said
    assert "--from-email is missing" in said
    assert "--lms-url-root is missing" not in said
    assert state() == before


@pytest.mark.usefixtures("secrets")
def test_what_was_given_beside_a_wrong_value_is_not_called_missing() -> None:
    before = state()
    said = refusal(*COMPLETE, "--payment-processors=paypal")
    assert said.splitlines()[0] == "Nothing was changed."
    [line] = said.splitlines()[1:]
    assert line.startswith("--payment-processors: “paypal” isn’t configured")
    assert state() == before


@pytest.mark.usefixtures("secrets")
def test_a_second_run_changes_nothing_and_what_is_not_given_stays() -> None:
    run(*COMPLETE)
    before = state()
    out, err = run(*COMPLETE, "--format=json")
    assert json.loads(out) == []
    assert "Nothing to change" in err
    assert state() == before

    out, _err = run("--partner-name=Another name", "--format=json")
    assert json.loads(out) == [{"setting": "partner-name", "before": "VirgoDarth", "after": "Another name"}]
    assert shop_of("testserver").lms_url_root == "https://lms.school.edu"


@pytest.mark.usefixtures("secrets")
def test_unset_clears_a_value_and_an_id_takes_its_secret_along(monkeypatch: pytest.MonkeyPatch) -> None:
    run(*COMPLETE, "--currencies=EUR")
    for name in SECRETS:
        monkeypatch.delenv(name)
    run("--unset=currencies", "--unset", "sso-client-id")
    shop = shop_of("testserver")
    assert (shop.currencies, shop.sso_client_id, shop.sso_client_secret) == ("", "", "")
    assert unseal(shop.backend_service_client_secret) == "the-backend-secret"
    assert "there is no “nonsense”" in refusal("--unset=nonsense")
    assert "given and cleared" in refusal("--unset=currencies", "--currencies=USD")


@pytest.mark.usefixtures("secrets")
def test_a_dry_run_shows_the_changes_and_makes_none() -> None:
    before = state()
    out, err = run("--site-domain=two.school.edu", *COMPLETE, "--dry-run")
    assert "sso-client-secret" in out
    assert "the-sso-secret" not in out + err
    assert "Nothing was written." in err
    assert state() == before
    assert current_shop().partner_code == ""


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("secrets")
def test_pages_that_are_shown_meanwhile_keep_no_old_addresses(
    together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change_shop_and_show(*arguments: Any) -> Any:
        changes = change_shop(*arguments)
        together(Site.get_site_root_paths)
        return changes

    monkeypatch.setattr(shop_setup, "change_shop", change_shop_and_show)
    run(f"--site-id={HomePage.objects.get().get_site().pk}", "--site-domain=moved.school.edu", *COMPLETE)
    assert [each.root_url for each in Site.get_site_root_paths()] == ["http://moved.school.edu"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("secrets")
def test_two_runs_at_once_make_one_site(together: Together) -> None:
    answers = together(*[lambda: run("--site-domain=two.school.edu", *COMPLETE)] * 2)
    assert not [each for each in answers if isinstance(each, Exception)]
    assert Site.objects.filter(hostname="two.school.edu").count() == 1
    assert sum("is like this already" in err for _out, err in answers) == 1


@pytest.mark.usefixtures("secrets")
def test_a_new_site_has_pages_of_its_own(client: Client) -> None:
    run("--site-domain=two.school.edu", "--site-name=Two", *COMPLETE)
    site = Site.objects.get(hostname="two.school.edu")
    home = site.root_page
    assert isinstance(home.specific, HomePage)
    for kind in (CatalogPage, OrganizationIndexPage):
        assert kind.objects.child_of(home).filter(live=True).count() == 1
    assert client.get("/catalog/", headers={"Host": "two.school.edu"}).status_code == 200
    assert "Two" in client.get("/", headers={"Host": "two.school.edu"}).content.decode()
    assert client.get("/catalog/").status_code == 200
    with use_shop_of_host("two.school.edu"):
        assert current_shop().order_number_prefix == "VD"
    assert current_shop().order_number_prefix == "TS"


@pytest.mark.usefixtures("secrets")
def test_a_taken_domain_or_partner_code_names_its_owner_and_the_way_out() -> None:
    run(*COMPLETE)
    first = Site.objects.get(is_default_site=True)
    run("--site-domain=two.school.edu", *COMPLETE[1:], "--partner-code=TWO")
    second = Site.objects.get(hostname="two.school.edu")
    _out, err = run(f"--site-id={second.pk}", "--lms-url-root=https://lms.two.edu")
    assert "Learners of courses of all sites are enrolled at https://lms.school.edu, the default site’s" in err
    _out, err = run(f"--site-id={first.pk}", "--lms-url-root=https://lms.new.edu", "--dry-run")
    assert "are enrolled at" not in err, "the default site's course site is the one of all sites"
    before = state()

    said = refusal(f"--site-id={second.pk}", "--site-domain=testserver")
    assert f"is the domain of site {first.pk}" in said
    assert f"--site-id={first.pk}" in said
    assert "is missing" not in said, "the site has its values already"
    assert "there is no site 999999" in refusal("--site-id=999999", *COMPLETE)
    said = refusal(f"--site-id={second.pk}", "--partner-code=vd")
    assert "partner code “vd”" in said
    assert "testserver" in said
    assert state() == before


def test_secrets_come_from_a_file_or_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "secrets"
    file.write_text("# of the LMS\nSSO_CLIENT_SECRET=from-file\nexport backend-service-client-secret='other'\n")
    _out, err = run(*COMPLETE, f"--secrets-file={file}")
    assert "Warning" not in err
    assert unseal(shop_of("testserver").sso_client_secret) == "from-file"
    assert unseal(shop_of("testserver").backend_service_client_secret) == "other"

    monkeypatch.setattr("sys.stdin", StringIO("SSO_CLIENT_SECRET=from-stdin\n"))
    run("--secrets-file=-")
    assert unseal(shop_of("testserver").sso_client_secret) == "from-stdin"

    file.write_text("SECRET_OF_ALL=very-secret")
    said = refusal(f"--secrets-file={file}")
    assert "Line 1" in said
    assert "very-secret" not in said
    assert "can’t be read" in refusal("--secrets-file=/nowhere/at/all")


@pytest.mark.usefixtures("secrets")
def test_arguments_of_other_shops_are_read_and_answered() -> None:
    assert "no trackers" in refusal(*COMPLETE, "--segment-key=abc")
    assert not ShopSettings.objects.exists()
    _out, err = run(
        *COMPLETE,
        "--enable-enrollment-codes=False",
        "--enable-microfrontend-for-basket-page=0",
        "--send-refund-notifications",
        "--disable-otto-receipt-page",
    )
    assert "--send-refund-notifications" in err
    assert "--enable-enrollment-codes" not in err
    assert "isn’t among" in refusal("--payment-processors=sandbox", "--client-side-payment-processor=paypal")
    assert "isn’t configured" in refusal("--payment-processors=cybersource,paypal")


def test_what_the_environment_says_is_not_asked_for(settings: Any) -> None:
    settings.OPENEDX_API_BASE_URL = settings.SOCIAL_AUTH_EDX_OAUTH2_URL_ROOT = "https://lms.school.edu"
    settings.OPENEDX_COURSES_SERVICE_WORKER_CLIENT_ID = settings.SOCIAL_AUTH_EDX_OAUTH2_KEY = "id"
    settings.OPENEDX_COURSES_SERVICE_WORKER_CLIENT_SECRET = settings.SOCIAL_AUTH_EDX_OAUTH2_SECRET = "secret"
    settings.DEFAULT_FROM_EMAIL = "shop@school.edu"
    settings.ALLOWED_HOSTS = ["testserver"]
    _out, err = run("--site-domain=two.school.edu", "--partner-code=TWO")
    assert "Add two.school.edu to ALLOWED_HOSTS" in err

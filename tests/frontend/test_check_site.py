"""`check_site` against systems that work, are away, or answer wrongly."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import requests
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from wagtail.models import Page, Site

from courses.models import Course
from ecommerce.models import ShopSettings
from ecommerce.models.shop_values import seal
from frontend import tasks
from frontend.models import CheckState, SiteCheck
from frontend.site import here, last_check
from frontend.site.site_check import check_sites
from mitxonline.coordinator.models import ScheduledTask
from mitxonline.kernel import clock
from mitxonline.users.sso.findings import State
from tests.factories import make_course, make_user
from tests.openedx.server import CourseSite
from tests.openedx.state import LMS_CLIENT, LMS_SECRET
from tests.support.silence import silent_server

pytestmark = pytest.mark.django_db(transaction=True)

ENOUGH = 30.0  # seconds for an answer that comes, on a busy machine


@pytest.fixture
def site(live_server: Any, settings: Any) -> Site:
    """The default site, whose public address is that of a running server."""
    settings.SITE_BASE_URL = live_server.url
    settings.REMOTE_CALL_SECONDS = ENOUGH
    host, _colon, port = live_server.url.removeprefix("http://").partition(":")
    root = Page.objects.filter(depth=1).first()
    site, _is_new = Site.objects.update_or_create(
        is_default_site=True, defaults={"hostname": host, "port": port, "root_page": root}
    )
    return site


@pytest.fixture
def connected(site: Site, course_site: CourseSite) -> CourseSite:
    ShopSettings.objects.create(
        site=site,
        lms_url_root=course_site.lms_url,
        backend_service_client_id=LMS_CLIENT,
        backend_service_client_secret=seal(LMS_SECRET),
    )
    return course_site


def find(*, seconds: float = ENOUGH) -> dict[str, tuple[State, str]]:
    found = check_sites([Site.objects.get(is_default_site=True).pk], now=clock.now(), seconds=seconds)
    return {
        f"{each.finding.provider}/{each.finding.subject}": (each.finding.state, each.finding.sentence) for each in found
    }


def missing(subject: str, **options: Any) -> str:
    state, sentence = find(**options)[subject]
    assert state is State.MISSING, (subject, sentence)
    return sentence


def test_a_site_in_order_is_fine(connected: CourseSite) -> None:
    found = find()
    for subject in (
        "values/placeholders",
        "address/public address",
        "course site/token",
        "course site/user API",
        "course site/clock",
        "sandbox/account",
        "cache/cache",
        "files/storage",
    ):
        assert found[subject][0] is State.FINE, (subject, found[subject])
    assert found["mail/server"] == (State.UNKNOWN, "E-mails are sent to no one. Set EMAIL_URL to your mail server.")


def test_courses_of_all_sites_are_at_the_default_ones_course_site(connected: CourseSite) -> None:
    course = make_course()
    two = Site.objects.create(hostname="two.localhost", port=1, root_page=Page.objects.filter(depth=1)[0])
    stored = ShopSettings.objects.create(site=two, lms_url_root=connected.lms_url.replace("127.0.0.1", "localhost"))
    found = [each for each in check_sites([two.pk], now=clock.now(), seconds=0.5) if each.needs_fixing]
    assert [each for each in found if f"enrolled at {connected.lms_url}" in each.finding.sentence]
    Course.objects.filter(pk=course.pk).update(site=two)
    found = check_sites([two.pk], now=clock.now(), seconds=0.5)
    assert not [each for each in found if "enrolled at" in each.finding.sentence]
    Course.objects.update(site=None)
    stored.lms_url_root = f"{connected.lms_url}/"
    stored.save()
    found = check_sites([two.pk], now=clock.now(), seconds=0.5)
    assert not [each for each in found if "enrolled at" in each.finding.sentence]


@pytest.mark.usefixtures("site")
def test_a_missing_worker_and_beat_are_found() -> None:
    assert "No worker answers" in missing("background/worker")
    assert "never" in missing("background/beat")
    two_hours_ago = clock.now() - timedelta(hours=2)
    ScheduledTask.objects.create(name="sweep", known_since=two_hours_ago, succeeded_at=two_hours_ago)
    assert "120 minutes ago" in missing("background/beat")
    ScheduledTask.objects.update(succeeded_at=clock.now())
    assert find()["background/beat"][0] is State.FINE


def test_a_course_site_that_refuses_is_silent_or_answers_nonsense(connected: CourseSite) -> None:
    connected.state.is_staff = False
    assert "user who is staff" in missing("course site/user API")
    connected.state.is_staff = True
    connected.misbehave("html", path="/oauth2/access_token")
    assert "Is this the LMS" in missing("course site/token")
    connected.misbehave("slow", path="/oauth2/access_token", seconds=20)
    assert "doesn’t answer" in missing("course site/token", seconds=0.5)
    connected.behave()
    connected.state.clients[LMS_CLIENT] = "another secret"
    assert "refused" in missing("course site/token")
    with silent_server() as silent:
        ShopSettings.objects.get().delete()
        ShopSettings.objects.create(
            site=Site.objects.get(is_default_site=True),
            lms_url_root=silent.url,
            backend_service_client_id="x",
            backend_service_client_secret=seal("y"),
        )
        assert "doesn’t answer" in missing("course site/token", seconds=0.5)


def test_values_that_cannot_work_are_found(site: Site, settings: Any) -> None:
    shop = ShopSettings.objects.create(
        site=site, lms_url_root="https://lms.example.com", base_cookie_domain="school.edu", payment_processors="paypal"
    )
    settings.ALLOWED_HOSTS = ["other.test"]
    assert "placeholder" in missing("values/course site")
    assert "isn’t below school.edu" in missing("address/cookie domain")
    assert "ALLOWED_HOSTS" in missing("address/host")
    assert "paypal" in missing("values/payment processors")
    assert "No payment gateway" in missing("payment/gateways")

    settings.ALLOWED_HOSTS = ["*"]
    shop.sso_client_id, shop.sso_client_secret = "id", seal("secret")
    shop.lms_url_root = "http://lms.school.edu"
    shop.save()
    settings.SECRET_KEY = "another one"
    assert "another SECRET_KEY" in missing("values/sso_client_secret")


def test_http_is_found_where_https_is_promised(site: Site, settings: Any) -> None:
    ShopSettings.objects.create(site=site, lms_url_root="http://lms.school.edu")
    settings.SITE_BASE_URL = "https://127.0.0.1:9"
    assert "isn’t https" in missing("values/course site", seconds=0.5)
    assert "doesn’t answer" in missing("address/public address", seconds=0.5)


def test_an_address_that_leads_elsewhere_is_found(site: Site, course_site: CourseSite, settings: Any) -> None:
    settings.SITE_BASE_URL = course_site.lms_url
    assert "not from this installation" in missing("address/public address")


@pytest.mark.usefixtures("site")
def test_a_wrong_number_of_proxies_is_found(settings: Any) -> None:
    settings.TRUSTED_PROXY_COUNT = 2
    assert "Set TRUSTED_PROXY_COUNT=0" in missing("address/proxies")


@pytest.mark.usefixtures("site")
def test_a_broken_store_and_a_mail_server_that_is_away_are_found(settings: Any, tmp_path: Any) -> None:
    (tmp_path / "file").write_text("")
    settings.MEDIA_ROOT = str(tmp_path / "file")
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    settings.EMAIL_BACKEND = "mitxonline.kernel.mail.PatientEmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    assert "Redis" in missing("cache/cache")
    assert "MEDIA_ROOT" in missing("files/storage")
    assert "doesn’t take mail" in missing("mail/server")


def test_only_our_own_question_is_answered(client: Client) -> None:
    assert client.get("/site-check/here/").status_code == 404
    assert client.get("/site-check/here/", {"question": "made:up"}).status_code == 404
    question = here.ask()
    answer = client.get("/site-check/here/", {"question": question}, headers={"X-Forwarded-For": "1.2.3.4, 5.6.7.8"})
    assert here.is_proof(answer.json()["proof"], question)
    assert answer.json()["proxies"] == 2
    assert not here.is_proof("another", question)


@pytest.mark.usefixtures("site")
def test_the_command_ends_with_1_and_prints_json() -> None:
    out, err = StringIO(), StringIO()
    with pytest.raises(CommandError, match="need fixing"):
        call_command("check_site", "--format=json", stdout=out, stderr=err)
    rows = json.loads(out.getvalue())
    assert {"site", "system", "subject", "state", "sentence"} == set(rows[0])
    with pytest.raises(CommandError, match="no such site"):
        call_command("check_site", "--site-id=999999", stdout=out, stderr=err)


PAGE = "/cms/site-check/"


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(make_user(is_superuser=True, is_staff=True))
    return client


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tasks that a broker took."""
    names: list[str] = []

    def take(name: str, arguments: list[tuple[int, ...]]) -> int:
        names.extend(name for _each in arguments)
        return len(arguments)

    monkeypatch.setattr(last_check, "send_tasks", take)
    return names


def text(client: Client, query: str = "") -> str:
    return client.get(f"{PAGE}{query}").content.decode()


def test_the_admins_page_shows_what_a_worker_found(
    site: Site, operator: Client, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Nothing was checked yet" in text(operator)
    with monkeypatch.context() as patch:
        patch.setattr(requests.Session, "send", _refuse_calls)
        assert "Waiting for a worker" in operator.post(PAGE, follow=True).content.decode()
    operator.post(PAGE)
    assert sent == [last_check.CHECK], "one that is on its way is enough"
    assert "No worker has taken" not in text(operator)

    monkeypatch.setattr(last_check, "SECONDS", ENOUGH)
    tasks.check_sites()
    assert SiteCheck.objects.get().state == CheckState.DONE
    tasks.check_sites()
    page = text(operator)
    for words in ("No worker answers", "leads here", "Checked on", "Check again"):
        assert words in page
    part = text(operator, "?result")
    assert part.strip().startswith('<div id="site-check">')
    assert "No worker answers" in part

    operator.post(PAGE)
    assert "Waiting for a worker" in text(operator)
    assert "No worker answers" in text(operator), "the last result stays until there is a new one"


def test_the_admins_page_says_why_no_check_comes(
    site: Site, operator: Client, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = clock.now()
    operator.post(PAGE)
    SiteCheck.objects.update(asked_at=asked - timedelta(minutes=1))
    assert "No worker has taken the check yet" in text(operator)
    assert "tessera-remote" in text(operator)
    operator.post(PAGE)
    assert len(sent) == 1
    SiteCheck.objects.update(asked_at=asked - timedelta(minutes=6), state=CheckState.RUNNING)
    assert "didn’t end" in text(operator)
    operator.post(PAGE)
    assert len(sent) == 2

    monkeypatch.setattr(last_check, "check_sites", lambda *_args, **_options: 1 / 0)
    tasks.check_sites()
    assert "broke off" in text(operator)
    monkeypatch.setattr(last_check, "send_tasks", lambda *_args: 0)
    operator.post(PAGE)
    assert "The broker takes no tasks" in text(operator)


def test_only_those_who_may_connect_a_shop_check_a_site(site: Site, sent: list[str]) -> None:
    other = Client()
    other.force_login(make_user())
    for answer in (other.get(PAGE), other.post(PAGE)):
        assert answer.status_code in (302, 403)
    assert not sent
    assert not SiteCheck.objects.exists()


def _refuse_calls(*_args: Any, **_options: Any) -> None:
    raise AssertionError("a page calls another system")

"""Anonymous visitors share pages: drawn once, without the database afterwards, and never wrong."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, ProgrammingError, connection
from django.test import Client
from pytest_django import Settings
from wagtail.models import PageViewRestriction, Site

from cms.models import CatalogPage, HomePage, SiteBrand, SiteMenus
from dev.embedded.address import free_port
from ecommerce.models import Product
from mitxonline.kernel import clock, shop, versions
from mitxonline.kernel.shop import StoredShop
from mitxonline.shared import entries, middleware
from tests.factories import make_course, make_product, make_run, make_user
from tests.factories.pages import (
    make_content_page,
    make_course_page,
    make_home,
    make_product_page,
    make_program,
    make_program_page,
)
from tests.shared.conftest import Visit, forget_process
from tests.support.together import Together

Count = Callable[[Callable[[], Any]], int]

COURSE = "/courses/course-v1:TesseraX+PY1x/"


@pytest.fixture
def _shop(shared_pages: Settings) -> None:
    SiteBrand.for_site(make_home().get_site())  # made by the first visit otherwise, which is a change
    course = make_course("PY1x")
    make_course_page(course)
    make_product(make_run(course, enrollment_end=clock.now() + timedelta(days=30)))
    other = make_course("SQL1x", title="Databases")
    make_course_page(other)
    program = make_program(courses=[course, other])
    make_program_page(program)
    make_product_page(Product.objects.get())
    make_content_page()


HTMX = {"HX-Request", "HX-Boosted", "HX-History-Restore-Request"}
PATHS = [
    "/",
    "/catalog/",
    "/catalog/?department=computing&sort=title",
    "/catalog/?q=python",
    COURSE,
    "/programs/",
    "/programs/program-v1:TesseraX+DFPS/",
    "/products/an-offer/",
    "/about/",
]


@pytest.mark.usefixtures("_shop")
@pytest.mark.parametrize("path", PATHS)
def test_each_kind_of_page_is_kept_and_costs_no_query_afterwards(
    path: str, visit: Visit, count_queries: Count, caplog: pytest.LogCaptureFixture
) -> None:
    first = visit(path)
    assert first.status_code == 200, first
    assert not [record.reads for record in caplog.records if hasattr(record, "reads")]
    assert count_queries(lambda: visit(path)) == 0
    forget_process()  # as in another process
    assert count_queries(lambda: visit(path)) == 0
    again = visit(path)
    assert again.content == first.content
    assert not again.cookies
    assert again["Cache-Control"] == "public, no-cache"
    assert set(again["Vary"].split(", ")) <= {"Cookie", "Accept-Encoding", *HTMX}
    assert "Content-Security-Policy" in again
    assert "csrfmiddlewaretoken" not in again.content.decode()


@pytest.mark.usefixtures("_shop")
def test_a_kept_page_is_the_page_a_fresh_request_gets(visit: Visit, settings: Settings) -> None:
    for path in PATHS:
        visit(path)
        kept = visit(path)
        settings.SHARED_PAGES = False
        fresh = Client().get(path)
        settings.SHARED_PAGES = True
        assert kept.content == fresh.content, path
        assert kept["Content-Type"] == fresh["Content-Type"]
        assert kept["Content-Security-Policy"] == fresh["Content-Security-Policy"]
        assert not fresh.cookies, "public pages set no cookie, kept or not"


@pytest.mark.usefixtures("_shop")
def test_a_change_shows_at_once(visit: Visit) -> None:
    assert "$249" in visit(COURSE).content.decode()
    Product.objects.update(price=199)
    assert "$199" in visit(COURSE).content.decode()
    brand = SiteBrand.for_site(HomePage.objects.get().get_site())
    visit("/about/")
    brand.brand_name = "Quayside"
    brand.save()
    assert "Quayside" in visit("/about/").content.decode()


@pytest.mark.usefixtures("_shop")
def test_a_page_that_is_taken_down_or_made_private_is_gone_at_once(visit: Visit) -> None:
    page = make_content_page("terms")
    assert visit("/terms/").status_code == 200
    PageViewRestriction.objects.create(page=page, restriction_type="login")
    assert visit("/terms/").status_code == 302
    PageViewRestriction.objects.all().delete()
    assert visit("/terms/").status_code == 200
    page.unpublish()
    assert visit("/terms/").status_code == 404


@pytest.mark.usefixtures("_shop")
def test_a_page_with_a_password_isnt_kept(visit: Visit, count_queries: Count) -> None:
    page = make_content_page("secret")
    PageViewRestriction.objects.create(page=page, restriction_type="password", password="sesame")
    assert 'type="password"' in visit("/secret/").content.decode()
    assert count_queries(lambda: visit("/secret/")) > 0


@pytest.mark.usefixtures("_shop")
def test_time_ends_a_kept_page(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    now = clock.now()
    closes = now + timedelta(minutes=1) if now.hour < 23 else now + timedelta(seconds=1)
    course = make_course("GO1x")
    make_course_page(course)
    make_product(make_run(course, enrollment_end=closes))
    path = "/courses/course-v1:TesseraX+GO1x/"
    closed = "The next start date isn’t set yet"
    assert closed not in visit(path).content.decode()
    monkeypatch.setattr(clock, "now", lambda: closes + timedelta(milliseconds=1))
    assert closed in visit(path).content.decode()


@pytest.mark.usefixtures("_shop")
def test_parameters_nobody_reads_have_no_part(visit: Visit, count_queries: Count) -> None:
    visit("/catalog/?sort=title&department=computing")
    assert count_queries(lambda: visit("/catalog/?utm_source=news&department=computing&sort=title&gclid=1")) == 0
    visit(COURSE)
    response = visit(f"{COURSE}?utm_source=<script>&fbclid=2&whatever=3")
    assert "utm_source" not in response.content.decode()
    assert count_queries(lambda: visit(f"{COURSE}?ref=4")) == 0


@pytest.mark.usefixtures("_shop")
def test_made_up_parameters_cant_fill_redis(visit: Visit, settings: Settings, count_queries: Count) -> None:
    settings.SHARED_PARAMETERS_KEPT = 2
    for number in range(4):
        visit(f"/catalog/?topic=t{number}")
    forget_process()
    assert count_queries(lambda: visit("/catalog/?topic=t1")) == 0
    forget_process()
    assert count_queries(lambda: visit("/catalog/?topic=t3")) > 0
    assert visit("/catalog/?" + "topic=x&" * 90).status_code == 200
    assert visit("/catalog/?" + "topic=x&" * 900).status_code == 200


@pytest.mark.usefixtures("_shop")
def test_people_with_a_session_cart_or_language_get_pages_of_their_own(
    count_queries: Count, settings: Settings
) -> None:
    visitor = Client()
    visitor.get(COURSE)
    for name in (settings.SESSION_COOKIE_NAME, "cart", "messages", settings.LANGUAGE_COOKIE_NAME):
        client = Client()
        client.cookies[name] = "1"
        assert count_queries(lambda client=client: client.get(COURSE)) > 0, name  # type: ignore[misc]
        assert "private" in client.get(COURSE)["Cache-Control"]
    user = make_user(name="Zuri Adeyemi")
    client = Client()
    client.force_login(user)
    assert "Zuri" in client.get(COURSE).content.decode()
    assert "Zuri" not in visitor.get(COURSE).content.decode()
    client = Client()
    client.cookies[settings.CSRF_COOKIE_NAME] = "x" * 32
    client.cookies["_ga"] = "1"
    assert count_queries(lambda: client.get(COURSE)) == 0


@pytest.mark.usefixtures("_shop")
def test_a_dismissed_announcement_stays_dismissed(visit: Visit) -> None:
    brand = SiteBrand.for_site(HomePage.objects.get().get_site())
    SiteMenus.objects.update_or_create(site=brand.site, defaults={"announcement": "Sale!"})
    first = visit("/about/").content.decode()
    assert "Sale!" in first
    key = first.partition('data-announcement="')[2].partition('"')[0]
    client = Client()
    client.cookies["announcement"] = key
    client.get("/about/")
    assert "Sale!" not in client.get("/about/").content.decode()
    assert "Sale!" in visit("/about/").content.decode()


@pytest.mark.usefixtures("_shop")
def test_the_fragment_and_the_page_of_one_address_are_kept_apart(visit: Visit) -> None:
    for _round in range(2):
        assert "<html" in visit("/catalog/").content.decode()
        fragment = visit("/catalog/", **{"HX-Request": "true"})
        assert "<html" not in fragment.content.decode()
        assert set(fragment["Vary"].split(", ")) >= HTMX, "of these, too, it depends whether it is a fragment"


@pytest.mark.usefixtures("_shop")
def test_a_browser_that_has_the_page_gets_a_304(visit: Visit) -> None:
    visit(COURSE)
    first = visit(COURSE)
    known = visit(COURSE, **{"If-None-Match": first["ETag"]})
    assert (known.status_code, known.content, known["ETag"]) == (304, b"", first["ETag"])
    Product.objects.update(price=198)
    assert visit(COURSE, **{"If-None-Match": first["ETag"]}).status_code == 200


@pytest.mark.usefixtures("_shop")
def test_it_is_compressed_for_those_who_take_it(visit: Visit) -> None:
    plain = visit(COURSE)
    small = visit(COURSE, **{"Accept-Encoding": "br, gzip"})
    assert small["Content-Encoding"] == "gzip"
    assert gzip.decompress(small.content) == plain.content
    assert "Content-Encoding" not in visit(COURSE, **{"Accept-Encoding": "gzip;q=0"})


@pytest.mark.usefixtures("_shop")
def test_hosts_are_kept_apart(visit: Visit) -> None:
    visit("/about/")
    other = visit("/about/", Host="other.example")
    assert "other.example" in other.content.decode()
    assert "other.example" not in visit("/about/").content.decode()


@pytest.mark.usefixtures("_shop")
def test_nobody_gets_a_page_with_a_host_as_another_spelled_it(visit: Visit) -> None:
    assert "TESTSERVER" not in visit("/about/", Host="TESTSERVER").content.decode()
    assert "TESTSERVER" not in visit("/about/").content.decode()


@pytest.mark.usefixtures("_shop")
def test_sites_of_one_host_are_kept_apart_by_the_servers_port(shared_pages: Settings) -> None:
    site = Site.objects.get()
    other = Site.objects.create(hostname=site.hostname, port=8443, root_page=site.root_page)
    for each, name in ((site, "Northgate"), (other, "Quayside")):
        brand = SiteBrand.for_site(each)
        brand.brand_name = name
        brand.save()
    for port, name in (("80", "Northgate"), ("8443", "Quayside"), ("80", "Northgate")):
        response = Client().get("/about/", headers={"Host": site.hostname}, SERVER_PORT=port)
        assert name in response.content.decode(), port


@pytest.mark.usefixtures("_shop")
def test_made_up_ports_cant_fill_redis(visit: Visit, settings: Settings, count_queries: Count) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.SHARED_PARAMETERS_KEPT = 1
    for port in (1, 2):
        assert visit("/about/", Host=f"testserver:{port}").status_code == 200
    forget_process()
    assert count_queries(lambda: visit("/about/", Host="testserver:1")) == 0
    forget_process()
    assert count_queries(lambda: visit("/about/", Host="testserver:2")) > 0


@pytest.mark.usefixtures("_shop")
@pytest.mark.parametrize(
    "query", ["q=Quàestion", "sort=title&sort=price&sort=title", "level=a&level=b&level=a", "q=%F0&q="]
)
def test_odd_parameters_mean_what_they_do_without_the_cache(visit: Visit, settings: Settings, query: str) -> None:
    def ask() -> bytes:
        raw = query.encode().decode("latin-1")  # as servers hand bytes over
        content: bytes = Client().get("/catalog/", QUERY_STRING=raw).content
        return content

    kept = ask()
    settings.SHARED_PAGES = False
    assert kept == ask()


@pytest.mark.usefixtures("_shop")
def test_a_cookie_that_isnt_ours_breaks_nothing(visit: Visit) -> None:
    cookie = "announcement=ж".encode().decode("latin-1")
    assert Client().get("/about/", HTTP_COOKIE=cookie).status_code == 200


@pytest.mark.usefixtures("_shop")
def test_visitors_of_a_page_that_cant_be_kept_dont_wait_for_each_other(
    visit: Visit, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    page = make_content_page("secret")
    PageViewRestriction.objects.create(page=page, restriction_type="password", password="sesame")
    turns: list[str] = []
    original = entries.turn_to_draw

    def note(*args: Any) -> Any:
        turns.append("one")
        return original(*args)

    monkeypatch.setattr(middleware, "turn_to_draw", note)
    for _visitor in range(3):
        assert 'type="password"' in visit("/secret/").content.decode()
    assert len(turns) == 1
    PageViewRestriction.objects.all().delete()
    assert 'type="password"' not in visit("/secret/").content.decode()
    assert len(turns) == 2


@pytest.mark.usefixtures("_shop")
def test_with_redis_and_the_database_away_known_pages_are_shown_and_others_refused_at_once(
    visit: Visit, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = visit(COURSE).content
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"

    def fail(**_kwargs: object) -> None:
        raise OperationalError

    monkeypatch.setattr(versions, "read_versions", fail)
    assert visit(COURSE).content == known
    other = visit("/about/")
    assert (other.status_code, other["Retry-After"]) == (503, "5")
    assert "no-store" in other["Cache-Control"]
    forget_process()
    assert visit(COURSE).status_code == 503


@pytest.mark.usefixtures("_shop")
def test_before_the_table_of_versions_is_there_pages_are_drawn(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_kwargs: object) -> None:
        raise ProgrammingError

    monkeypatch.setattr(versions, "read_versions", fail)
    assert [visit(COURSE).status_code for _each in range(2)] == [200, 200]


@pytest.mark.usefixtures("_shop")
def test_a_shop_that_was_read_before_a_change_elsewhere_draws_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in a process that draws its first page, nor if the reader is slower than the change."""
    loaded: list[StoredShop] = [StoredShop(site_id=1, hostname="", is_default=True, partner_name="Old")]
    monkeypatch.setattr(shop, "import_string", lambda _name: lambda: tuple(loaded))
    shop.forget_shops()
    assert shop.current_shop().partner_name == "Old"
    loaded[0] = replace(loaded[0], partner_name="New")
    monkeypatch.setattr(shop, "_version", "")
    shop.forget_older_shops("after the change")
    assert shop.current_shop().partner_name == "New"

    def load_slowly() -> tuple[StoredShop, ...]:
        found = tuple(loaded)
        loaded[0] = replace(loaded[0], partner_name="Newest")
        shop.forget_older_shops("the next change")
        return found

    monkeypatch.setattr(shop, "import_string", lambda _name: load_slowly)
    shop.forget_shops()
    assert shop.current_shop().partner_name == "New", "what this reader saw"
    monkeypatch.setattr(shop, "import_string", lambda _name: lambda: tuple(loaded))
    assert shop.current_shop().partner_name == "Newest"


@pytest.mark.usefixtures("_shop")
def test_a_sites_address_that_is_changed_by_hand_shows(visit: Visit) -> None:
    """Wagtail keeps them for an hour."""
    visit("/about/")
    site = Site.objects.get()
    Site.get_site_root_paths()
    where = connection.settings_dict
    with psycopg.connect(
        dbname=where["NAME"], user=where["USER"], host=where["HOST"], port=where["PORT"], password=where["PASSWORD"]
    ) as other:
        other.execute("UPDATE wagtailcore_site SET hostname = 'moved.example' WHERE id = %s", [site.pk])
    versions.revoke()
    visit("/about/")
    assert "moved.example" in Site.get_site_root_paths()[0].root_url


@pytest.mark.usefixtures("_shop")
def test_one_draws_the_page_and_the_others_wait_for_it(
    visit: Visit, together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    original = entries.make_entry

    def note(*args: Any) -> Any:
        drawn.append("once")
        return original(*args)

    monkeypatch.setattr(middleware, "make_entry", note)
    answers = together(*[lambda: visit(COURSE).content] * 8)
    assert len(drawn) == 1
    assert len(set(answers)) == 1


@pytest.mark.usefixtures("_shop")
def test_without_redis_pages_are_right_and_ask_the_database(visit: Visit, settings: Settings) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    settings.VERSIONS_LEASE_SECONDS = 0.1
    for price in ("201", "202", "203"):
        Product.objects.update(price=price)
        assert f"${price}" in visit(COURSE).content.decode()


@pytest.mark.usefixtures("_shop")
def test_a_page_that_reads_a_table_without_a_version_isnt_kept(
    visit: Visit, settings: Settings, count_queries: Count, caplog: pytest.LogCaptureFixture
) -> None:
    settings.VERSIONS = {**settings.VERSIONS, "prices": ["ecommerce.ShopSettings"]}
    visit(COURSE)
    assert "ecommerce_product" in str([getattr(record, "reads", "") for record in caplog.records])
    assert count_queries(lambda: visit(COURSE)) > 0
    visit("/about/")
    assert count_queries(lambda: visit("/about/")) == 0


@pytest.mark.usefixtures("_shop")
def test_a_page_that_reads_a_parameter_without_a_part_in_the_key_isnt_kept(
    visit: Visit, settings: Settings, count_queries: Count, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SHARED_PARAMETERS = [name for name in settings.SHARED_PARAMETERS if name != "level"]
    everything = visit("/catalog/").content
    assert "level" in str([getattr(record, "reads", "") for record in caplog.records])
    assert visit("/catalog/?level=advanced").content != everything
    assert count_queries(lambda: visit("/catalog/")) > 0


@pytest.mark.usefixtures("_shop")
def test_previews_and_drafts_are_never_kept(visit: Visit) -> None:
    page = CatalogPage.objects.get()
    page.introduction = "A draft sentence"
    page.save_revision()
    preview = page.make_preview_request()
    assert "A draft sentence" in preview.content.decode()
    assert "A draft sentence" not in visit("/catalog/").content.decode()


@pytest.mark.usefixtures("_shop")
def test_the_time_of_a_page_is_that_of_the_site(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    evening = datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)
    monkeypatch.setattr(clock, "now", lambda: evening)
    visit("/about/")
    monkeypatch.setattr(clock, "now", lambda: evening + timedelta(seconds=1))
    assert visit("/about/").status_code == 200

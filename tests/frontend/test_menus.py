"""Header, footer and announcement, as editors keep them in the Wagtail admin."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth.models import Group
from django.test import Client
from wagtail.models import Page, PageViewRestriction, Site
from wagtail.test.utils.form_data import inline_formset, nested_form_data

from cms.models import ContentPage, HomePage, SiteBrand, SiteMenus
from cms.services.groups import EDITORS, RIGHTS, ensure_group
from mitxonline.kernel import clock
from tests.factories import make_user
from tests.factories.pages import make_content_page, make_home
from tests.support.counting import queries

pytestmark = pytest.mark.django_db


@pytest.fixture
def editor() -> Client:
    ensure_group(RIGHTS[EDITORS], pages=[make_home()], renew=True)
    user, client = make_user(), Client()
    user.groups.add(Group.objects.get(name=EDITORS))
    client.force_login(user)
    return client


def save_menus(client: Client, *, header: Any = (), footer: Any = (), **fields: Any) -> Any:
    site = Site.objects.get(is_default_site=True)
    given = {
        "announcement": "",
        "announcement_link": "",
        "announcement_page": "",
        "announcement_address": "",
        "announcement_from": "",
        "announcement_until": "",
        "can_dismiss_announcement": "on",
        "header_links": inline_formset([{"page": "", "address": "", "text": ""} | each for each in header]),
        "footer_links": inline_formset([{"page": "", "address": "", "text": ""} | each for each in footer]),
    }
    return client.post(f"/cms/settings/cms/sitemenus/{site.pk}/", nested_form_data(given | fields), follow=True)


def header_of(client: Client, path: str = "/") -> list[tuple[str, str]]:
    soup = BeautifulSoup(client.get(path).content, "html.parser")
    return [(link.get_text(strip=True), str(link["href"])) for link in soup.select(".site-nav a")]


def footer_of(client: Client) -> dict[str, list[tuple[str, str]]]:
    soup = BeautifulSoup(client.get("/").content, "html.parser")
    columns = soup.select(".site-footer-grid nav")
    return {
        column.h2.get_text(): [(link.get_text(), str(link["href"])) for link in column.select("a")]
        for column in columns
        if column.h2 is not None
    }


CATALOG_AND_PROGRAMS = [("Catalog", "/catalog/"), ("Programs", "/programs/")]


class TestShowInMenus:
    def test_ticking_it_puts_a_page_into_the_header_and_unticking_takes_it_out(self, client: Client) -> None:
        page = make_content_page("about", show_in_menus=True)
        make_content_page("contact")
        assert header_of(client) == [*CATALOG_AND_PROGRAMS, ("About", "/about/")]
        page.show_in_menus = False
        page.save_revision().publish()
        assert header_of(client) == CATALOG_AND_PROGRAMS

    def test_the_order_is_that_of_the_page_list(self, client: Client) -> None:
        about, blog = (make_content_page(slug, show_in_menus=True) for slug in ("about", "blog"))
        blog.move(about, pos="left")
        assert header_of(client)[2:] == [("Blog", "/blog/"), ("About", "/about/")]

    def test_drafts_private_pages_and_pages_further_down_are_left_out(self, client: Client) -> None:
        about = make_content_page("about", show_in_menus=True)
        about.add_child(instance=ContentPage(title="Team", slug="team", show_in_menus=True))
        make_content_page("draft", show_in_menus=True, live=False)
        private = make_content_page("private", show_in_menus=True)
        PageViewRestriction.objects.create(page=private, restriction_type=PageViewRestriction.LOGIN)
        assert header_of(client) == [*CATALOG_AND_PROGRAMS, ("About", "/about/")]

    def test_each_site_has_its_own(self, client: Client) -> None:
        make_content_page("about", show_in_menus=True)
        home = HomePage(title="Second", slug="second", hero_title="Second")
        Page.get_first_root_node().add_child(instance=home)
        home.add_child(instance=ContentPage(title="Jobs", slug="jobs", show_in_menus=True))
        Site.objects.create(hostname="second.example", root_page=home)
        assert header_of(client)[-1] == ("About", "/about/")
        soup = BeautifulSoup(client.get("/", headers={"host": "second.example"}).content, "html.parser")
        assert [link["href"] for link in soup.select(".site-nav a")] == ["/jobs/"]

    def test_a_page_named_by_the_brand_appears_once(self, client: Client) -> None:
        page = make_content_page("business", show_in_menus=True)
        SiteBrand.objects.update_or_create(
            site=Site.objects.get(is_default_site=True), defaults={"organizations_page": page}
        )
        assert [url for _text, url in header_of(client)].count("/business/") == 1


class TestLinks:
    def test_an_editor_adds_links_to_header_and_footer(self, editor: Client, client: Client) -> None:
        about, team = make_content_page("about"), make_content_page("team")
        save_menus(
            editor,
            header=[{"address": "https://blog.example/", "text": "Blog"}, {"page": about.pk}],
            footer=[
                {"column": "Help", "page": team.pk, "text": "Who we are"},
                {"column": "Company", "address": "/jobs/", "text": "Jobs"},
                {"column": "Company", "page": about.pk},
            ],
        )
        assert header_of(client)[2:] == [("Blog", "https://blog.example/"), ("About", "/about/")]
        footer = footer_of(client)
        assert footer["Help"][-1] == ("Who we are", "/team/")
        assert footer["Company"] == [("Jobs", "/jobs/"), ("About", "/about/")]

    def test_a_link_to_a_page_goes_with_the_page(self, editor: Client, client: Client) -> None:
        about, team = make_content_page("about"), make_content_page("team")
        save_menus(editor, header=[{"page": about.pk}, {"page": team.pk}])
        about.unpublish()
        team.delete()
        assert header_of(client) == CATALOG_AND_PROGRAMS

    @pytest.mark.parametrize(
        ("link", "sentence"),
        [
            ({"address": "javascript:alert(1)", "text": "Run"}, "Start with https://, mailto: or"),
            ({"address": "//evil.example/", "text": "Out"}, "Start with https://, mailto: or"),
            ({"address": "/\\evil.example/", "text": "Out"}, "Start with https://, mailto: or"),
            ({"address": "/jobs/"}, "A link to an address needs a text."),
            ({"text": "Nowhere"}, "Choose a page or enter an address, one of the two."),
        ],
    )
    def test_a_link_that_leads_nowhere_is_refused(self, editor: Client, link: dict[str, str], sentence: str) -> None:
        response = save_menus(editor, header=[link])
        assert sentence in response.content.decode()
        assert not SiteMenus.objects.filter(header_links__isnull=False).exists()

    def test_the_brand_stays_with_administrators(self, editor: Client) -> None:
        site = Site.objects.get(is_default_site=True)
        assert editor.get(f"/cms/settings/cms/sitebrand/{site.pk}/").status_code == 302
        assert editor.get(f"/cms/settings/cms/sitemenus/{site.pk}/").status_code == 200

    def test_an_editor_makes_a_redirect(self, editor: Client, client: Client) -> None:
        about = make_content_page("about")
        site = Site.objects.get(is_default_site=True)
        form = {"old_path": "/who-we-are/", "site": site.pk, "is_permanent": "on", "redirect_page": about.pk}
        assert editor.post("/cms/redirects/add/", form | {"redirect_link": ""}).status_code == 302
        assert client.get("/who-we-are/")["Location"] == "/about/"


class TestAnnouncement:
    def bar(self, client: Client, path: str = "/") -> Any:
        return BeautifulSoup(client.get(path).content, "html.parser").select_one(".announcement")

    def test_it_is_on_every_page_with_its_link(self, editor: Client, client: Client) -> None:
        page = make_content_page("news")
        save_menus(
            editor,
            announcement="Spring courses open on Monday.",
            announcement_link="See which",
            announcement_page=page.pk,
        )
        for path in ("/", "/catalog/", "/cart/", "/login/"):
            bar = self.bar(client, path)
            assert bar.p.get_text(" ", strip=True) == "Spring courses open on Monday. See which"
            assert (bar.a["href"], bar["aria-label"]) == ("/news/", "Announcement")

    @pytest.mark.parametrize(
        ("first", "last", "is_shown"), [(0, 0, True), (-3, 3, True), (1, 3, False), (-3, -1, False), (None, 0, True)]
    )
    def test_its_days_count_both(
        self, editor: Client, client: Client, first: int | None, last: int | None, is_shown: bool
    ) -> None:
        today = clock.today()
        day = {n: (today + timedelta(days=n)).isoformat() if n is not None else "" for n in (first, last)}
        save_menus(editor, announcement="Hello.", announcement_from=day[first], announcement_until=day[last])
        assert bool(self.bar(client)) is is_shown

    def test_who_dismissed_it_sees_the_next_one(self, editor: Client, client: Client) -> None:
        save_menus(editor, announcement="First.")
        client.cookies["announcement"] = self.bar(client)["data-announcement"]
        assert self.bar(client) is None
        save_menus(editor, announcement="Second.")
        assert self.bar(client) is not None

    def test_one_that_must_be_seen_has_no_button(self, editor: Client, client: Client) -> None:
        save_menus(editor, announcement="We’re closed today.", can_dismiss_announcement="")
        bar = self.bar(client)
        client.cookies["announcement"] = bar["data-announcement"]
        assert bar.button is None
        assert self.bar(client) is not None

    @pytest.mark.parametrize(
        ("fields", "sentence"),
        [
            ({"announcement_from": "2026-03-02", "announcement_until": "2026-03-01"}, "The last day can’t be before"),
            ({"announcement_link": "More"}, "Choose where the link leads."),
            ({"announcement_address": "https://a.example/"}, "Say where the link leads."),
        ],
    )
    def test_what_contradicts_itself_is_refused(self, editor: Client, fields: dict[str, str], sentence: str) -> None:
        response = save_menus(editor, announcement="Hello.", **fields)
        assert sentence in response.content.decode()
        assert not SiteMenus.objects.exclude(announcement="").exists()


def test_menus_and_announcement_cost_no_query_of_their_own(client: Client, editor: Client) -> None:
    client.get("/login/")
    with queries(exactly=2):
        client.get("/login/")
    pages = [make_content_page(f"page-{number}", show_in_menus=True) for number in range(3)]
    save_menus(editor, announcement="Hello.", header=[{"page": page.pk} for page in pages])
    with queries(exactly=2):
        response = client.get("/login/")
    assert re.search(r"Page-2", response.content.decode())

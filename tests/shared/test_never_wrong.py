"""Whatever changes, at random or in a race: a kept page is what a fresh request gets, and nobody's data is in it."""

from __future__ import annotations

import gzip
import random
from datetime import timedelta
from decimal import Decimal
from threading import Event
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from pytest_django import Settings
from wagtail.models import PageViewRestriction, Site

from b2b.models import ContractPage
from cms.models import CatalogPage, ContentPage, CoursePage, FooterLink, SiteBrand, SiteMenus
from courses.models import Course, CourseRun
from ecommerce.models import Discount, Product
from mitxonline.kernel import clock
from mitxonline.kernel import versions as kept_versions
from mitxonline.shared import entries
from tests.factories import make_contract, make_course, make_discount, make_product, make_run, make_user
from tests.factories.pages import (
    make_content_page,
    make_course_page,
    make_home,
    make_product_page,
    make_program,
    make_program_page,
)
from tests.security.table import ROWS
from tests.security.world import example, make_world
from tests.shared.conftest import Visit, forget_process
from tests.support.together import Together

pytestmark = pytest.mark.timeout(900)

PATHS = [
    "/",
    "/catalog/",
    "/catalog/?price=low&sort=price",
    "/courses/course-v1:TesseraX+PY1x/",
    "/courses/course-v1:TesseraX+SQL1x/",
    "/programs/program-v1:TesseraX+DFPS/",
    "/products/an-offer/",
    "/about/",
]


@pytest.fixture
def _shop(shared_pages: Settings) -> None:
    home = make_home()
    SiteBrand.for_site(home.get_site())
    for number, title in (("PY1x", "Programming"), ("SQL1x", "Databases")):
        course = make_course(number, title=title)
        make_course_page(course)
        for months in (1, 2):
            start = clock.now() + timedelta(days=30 * months)
            make_product(make_run(course, start_date=start, enrollment_end=start + timedelta(days=7)))
    make_program_page(make_program(courses=list(Course.objects.all())))
    make_product_page(Product.objects.order_by("pk")[0])
    make_content_page()
    make_contract()
    make_discount()


def raise_after() -> None:
    raise ZeroDivisionError


class Changes:
    """Changes of all that a public page may show, made as services, pages, bulk updates and SQL make them."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.now = clock.now()

    def make_one(self) -> str:
        names = [name for name in dir(self) if name.startswith("do_")]
        name = self.chance.choice(names)
        getattr(self, name)()
        return name

    def do_price(self) -> None:
        product = self.chance.choice(list(Product.objects.filter(course_run__isnull=False)))
        product.price = Decimal(self.chance.randint(1, 500))
        product.save()

    def do_prices_at_once(self) -> None:
        Product.objects.update(is_active=self.chance.random() > 0.3)

    def do_price_by_hand(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE ecommerce_product SET price = %s", [self.chance.randint(1, 500)])

    def do_price_that_fails(self) -> None:
        try:
            with transaction.atomic():
                Product.objects.update(price=self.chance.randint(501, 900))
                raise_after()
        except ZeroDivisionError:
            return

    def do_run(self) -> None:
        run = self.chance.choice(list(CourseRun.all_objects.all()))
        run.enrollment_start = self.now + timedelta(minutes=self.chance.randint(-600, 600))
        run.enrollment_end = run.enrollment_start + timedelta(minutes=self.chance.randint(1, 1200))
        run.save()

    def do_new_run(self) -> None:
        make_product(make_run(self.chance.choice(list(Course.objects.all())), start_date=self.now + timedelta(days=9)))

    def do_course(self) -> None:
        Course.objects.filter(readable_id__endswith="PY1x").update(title=f"Programming {self.chance.randint(1, 99)}")

    def do_publish(self) -> None:
        page = self.chance.choice([ContentPage.objects.get(), CatalogPage.objects.get()])
        page.title = f"Page {self.chance.randint(1, 99)}"
        page.seo_title = page.title
        page.save_revision().publish()

    def do_draft(self) -> None:
        page = CoursePage.objects.order_by("?")[0]
        page.seo_title = "A draft that nobody sees"
        page.save_revision()

    def do_unpublish(self) -> None:
        page = CoursePage.objects.get(course__readable_id__endswith="SQL1x")
        if page.live:
            page.unpublish()
        else:
            page.save_revision().publish()

    def do_private(self) -> None:
        page = ContentPage.objects.get()
        if self.chance.random() < 0.5:
            PageViewRestriction.objects.all().delete()
        elif not PageViewRestriction.objects.exists():
            PageViewRestriction.objects.create(page=page, restriction_type="login")

    def do_brand(self) -> None:
        SiteBrand.objects.update(tagline=f"Tagline {self.chance.randint(1, 99)}", brand_color="#204060")

    def do_menus(self) -> None:
        menus = SiteMenus.objects.get_or_create(site=Site.objects.get(is_default_site=True))[0]
        menus.announcement = f"News {self.chance.randint(1, 99)}"
        menus.announcement_until = clock.date_of(self.now) + timedelta(days=self.chance.randint(-1, 1))
        menus.footer_links = [FooterLink(text=f"Link {self.chance.randint(1, 9)}", address="https://example.test/")]
        menus.save()

    def do_contract(self) -> None:
        page = ContractPage.objects.get()
        page.title = f"Contract {self.chance.randint(1, 99)}"
        page.save_revision().publish()

    def do_discount(self) -> None:
        Discount.objects.update(amount=self.chance.randint(1, 90))

    def do_time(self) -> None:
        self.now += timedelta(minutes=self.chance.choice([1, 30, 300, 1440, 10000]))


@pytest.mark.usefixtures("_shop")
@pytest.mark.parametrize("seed", range(3))
def test_after_any_change_a_kept_page_is_the_page_a_fresh_request_gets(
    seed: int, visit: Visit, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = Changes(random.Random(seed))  # noqa: S311 - no secret
    monkeypatch.setattr(clock, "now", lambda: changes.now)
    asked, hits = 0, list[bool]()
    original = entries.KeptPage.holds

    def note(*args: Any) -> bool:
        hits.append(found := original(*args))
        return found

    monkeypatch.setattr(entries.KeptPage, "holds", note)
    for _step in range(25):
        done = changes.make_one()
        if changes.chance.random() < 0.3:
            forget_process()
        for path in changes.chance.sample(PATHS, 3):
            visit(path)
            kept = visit(path)
            settings.SHARED_PAGES = False
            fresh = Client().get(path)
            settings.SHARED_PAGES = True
            asked += 1
            assert (kept.status_code, kept.content) == (fresh.status_code, fresh.content), f"{path} after {done}"
    assert sum(hits) > asked / 2, "the control: most of them came from the cache"


def read_while_publishing(visit: Visit, together: Together, *, rounds: int = 12, readers: int = 16) -> list[str]:
    """Publish prices while others read; return what was read wrongly: older than an answer that had arrived."""
    path, answered, is_over, wrong = PATHS[3], [100], Event(), []

    def publish() -> None:
        try:
            for price in range(101, 101 + rounds):
                Product.objects.update(price=price)
                kept_versions.settle()
                answered.append(price)
        finally:
            is_over.set()

    def read() -> None:
        while not is_over.is_set():
            least = answered[-1]
            text = visit(path).content.decode()
            if not any(f"${price}<" in text for price in range(least, 102 + rounds)):
                wrong.append(f"older than ${least}")

    found = together(publish, *[read] * readers)
    assert not [each for each in found if isinstance(each, BaseException)], found
    return wrong


@pytest.mark.usefixtures("_shop")
def test_nobody_reads_the_old_page_after_the_publishers_answer(visit: Visit, together: Together) -> None:
    Product.objects.update(price=100)
    assert read_while_publishing(visit, together) == []


@pytest.mark.usefixtures("_shop")
def test_the_race_is_lost_if_a_change_isnt_told(
    visit: Visit, together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    Product.objects.update(price=100)
    visit(PATHS[3])  # kept, because publishing is done before it is drawn otherwise
    monkeypatch.setattr(kept_versions, "_try_to_revoke", lambda: True)
    assert read_while_publishing(visit, together, rounds=100, readers=4)


def test_no_kept_page_has_a_cookie_or_anything_of_a_visitor(shared_pages: Settings) -> None:
    world = make_world()
    names = {"learner": "Chiamaka Learner", "other": "Tomasz Other"}
    paths = [example(row.route, row.path, world.things) for row in ROWS]
    for role, email in (("learner", "learner@people.example"), ("other", "other@people.example")):
        user = type(make_user()).objects.get(email=email)
        user.name = names[role]
        user.save()
        client = Client()
        client.force_login(user)
        for path in paths:
            client.get(path)
            Client(headers={"User-Agent": f"UA of {names[role]}", "Referer": f"http://testserver/{role}"}).get(
                f"{path}?utm_source={role}-was-here"
            )
    for path in ("/", "/catalog/", "/programs/"):
        Client(headers={"User-Agent": "UA of Tomasz Other"}).get(f"{path}?utm_source=other-was-here")
    everything = list(entries.recent._entries.values())
    assert len(everything) >= 2
    for entry in everything:
        text = gzip.decompress(entry.body).decode()
        assert not {"set-cookie"} & {name.lower() for name, _value in entry.headers}
        for private in ("Chiamaka", "Tomasz", "was-here", "people.example", "csrfmiddlewaretoken", "UA of"):
            assert private not in text

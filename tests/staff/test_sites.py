"""Staff say to which site courses, programs and discounts belong, and find what belongs to one."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from wagtail.models import Site
from wagtail.test.utils.form_data import nested_form_data, streamfield

from courses.models import Course, Program
from ecommerce.models import Discount, ShopSettings
from mitxonline.kernel.shop import use_shop_of_site
from tests.b2b.admin_people import sign_in_as
from tests.factories import make_course, make_discount, make_product, make_run
from tests.factories.orders import make_paid_order
from tests.factories.pages import make_program
from tests.factories.sites import default_site, make_second_site

pytestmark = pytest.mark.django_db

COURSES, PROGRAMS = "/cms/snippets/courses/course/", "/cms/snippets/courses/program/"
DISCOUNTS, ORDERS = "/cms/shop/discounts/", "/cms/orders/"


@pytest.fixture
def staff() -> Client:
    return sign_in_as("superuser")


@pytest.fixture
def second() -> Site:
    ShopSettings.objects.create(site=default_site(), partner_code="ONE")
    return make_second_site()


def fields(html: bytes) -> dict[str, str]:
    """The values of a page's form, as a browser would send them."""
    values: dict[str, str] = {}
    for field in BeautifulSoup(html, "html.parser").select("main form [name]"):
        kind, name = field.get("type"), str(field["name"])
        if field.name == "select":
            chosen = field.select_one("option[selected]")
            values[name] = str(chosen["value"]) if chosen else ""
        elif field.name == "textarea":
            values[name] = field.text.strip()
        elif kind not in ("radio", "checkbox", "file") or field.has_attr("checked"):
            values[name] = str(field.get("value", "on" if kind in ("radio", "checkbox") else ""))
    return values


def list_courses(items: list[object]) -> dict[str, object]:
    """Return a list inside a block as its form posts it."""
    values: dict[str, object] = {"count": str(len(items))}
    for index, value in enumerate(items):
        values[str(index)] = {"value": value, "deleted": "", "order": str(index), "id": ""}
    return values


def test_with_one_site_nobody_is_asked_for_it(staff: Client) -> None:
    course = make_course()
    make_paid_order(make_product())
    assert b'name="site"' not in staff.get(f"{COURSES}edit/{course.pk}/").content
    assert b'name="site"' not in staff.get(f"{DISCOUNTS}new/").content
    for address in (COURSES, DISCOUNTS, ORDERS):
        page = staff.get(address).content.decode()
        assert 'name="site"' not in page
        assert "All sites" not in page


def test_a_course_gets_its_site_and_is_found_by_it(staff: Client, second: Site) -> None:
    course, shared, other = make_course(), make_course(), make_course(site=default_site())
    address = f"{COURSES}edit/{course.pk}/"
    staff.post(address, {**fields(staff.get(address).content), "site": str(second.pk)})
    course.refresh_from_db()
    assert course.site == second
    found = staff.get(COURSES, {"site": second.pk})
    assert set(found.context["object_list"]) == {course, shared}
    assert "Second school (two.shop.test)" in found.content.decode()
    assert other.site is not None


def test_a_program_has_no_course_that_one_of_its_sites_lacks(staff: Client, second: Site) -> None:
    course = make_course(title="Of one", site=default_site())
    program = make_program(courses=[course], site=default_site())
    group = {"title": "", "courses": list_courses([course.pk])}
    form = nested_form_data(
        {
            "title": program.title,
            "readable_id": program.readable_id,
            "summary": "",
            "department": program.department_id,
            "requirements": streamfield([("all_of", group)]),
        }
    )
    address = f"{PROGRAMS}edit/{program.pk}/"
    for site in ("", str(second.pk)):
        answer = staff.post(address, {**form, "site": site})
        assert answer.context["form"].errors["requirements"] == [
            "These courses aren’t on every site of the program: Of one."
        ]
    assert Program.objects.get(pk=program.pk).site == default_site()
    address = f"{COURSES}edit/{course.pk}/"
    answer = staff.post(address, {**fields(staff.get(address).content), "site": str(second.pk)})
    assert "Programs of other sites include this course" in answer.content.decode()
    assert Course.objects.get(pk=course.pk).site == default_site()


def test_a_discount_gets_its_site(staff: Client, second: Site) -> None:
    other = make_product(make_run(make_course(title="Of one", site=default_site())))
    form = fields(staff.get(f"{DISCOUNTS}new/").content) | {
        "name": "Spring",
        "discount_type": "percent_off",
        "amount": "10",
        "payment_type": "marketing",
        "scope": "chosen",
        "products": str(other.pk),
        "code": "SPRING-2026",
        "site": str(second.pk),
    }
    refused = staff.post(f"{DISCOUNTS}new/", form)
    assert "Another site sells these: Of one." in refused.content.decode()
    assert not Discount.objects.exists()
    del form["products"]
    staff.post(f"{DISCOUNTS}new/", {**form, "scope": "all"})
    discount = Discount.objects.get()
    assert discount.site == second
    make_discount(site=default_site(), name="Other")
    assert list(staff.get(DISCOUNTS, {"site": second.pk}).context["object_list"]) == [discount]
    address = f"{DISCOUNTS}{discount.pk}/change/"
    staff.post(address, {**fields(staff.get(address).content), "site": ""})
    discount.refresh_from_db()
    assert discount.site is None


def test_orders_are_found_by_their_site(staff: Client, second: Site) -> None:
    first = make_paid_order(make_product())
    with use_shop_of_site(second.pk):
        order = make_paid_order(make_product())
    found = staff.get(ORDERS, {"site": second.pk})
    assert list(found.context["object_list"]) == [order]
    assert set(staff.get(ORDERS).context["object_list"]) == {first, order}
    assert "Second school (two.shop.test)" in found.content.decode()

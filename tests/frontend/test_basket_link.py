"""/basket/add/: what a link of the course site does to a cart."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from courses.enums import EnrollmentMode, EnrollmentSource
from courses.services.enrollments import enroll
from ecommerce.models import Basket, BasketItem, Product
from mitxonline.kernel import clock
from tests.factories import make_code, make_course, make_discount, make_product, make_run, make_user
from tests.support.reading import read

pytestmark = pytest.mark.django_db

URL = "/basket/add/"


def product(title: str, **options: Any) -> Any:
    return make_product(make_run(make_course(title=title)), price="249", **options)


def own(user: Any, owned: Any) -> None:
    enroll(
        user_id=user.pk,
        run_id=owned.course_run_id,
        mode=EnrollmentMode.VERIFIED,
        source=EnrollmentSource.ORDER,
        now=clock.now(),
    )


def in_cart(user: Any) -> list[str]:
    items = BasketItem.objects.filter(basket__user=user, kept_at=None)
    return sorted(item.product.title for item in items.select_related("product__course_run__course"))


@pytest.fixture
def learner() -> Any:
    return make_user()


@pytest.fixture
def client_of(learner: Any) -> Client:
    client = Client()
    client.force_login(learner)
    return client


def test_the_products_are_the_cart_and_the_rest_is_kept_for_later(client_of: Client, learner: Any) -> None:
    old, one, other = product("Old"), product("One"), product("Other")
    client_of.get("/cart/add/", {"product_id": old.pk})
    query = {"sku": [one.sku, other.sku], "bundle": "a-program", "utm_source": "lms", "utm_medium": "a b", "x": "y"}
    for _click in range(2):
        response = client_of.get(URL, query)
        assert response.status_code == 303
        assert response["Location"] == "/cart/?utm_source=lms&utm_medium=a+b"
    assert in_cart(learner) == ["One", "Other"]
    assert BasketItem.objects.filter(kept_at__isnull=False).count() == 1
    assert Basket.objects.filter(user=learner).count() == 1


def test_a_signed_out_visitor_signs_in_first_and_comes_back(client: Client) -> None:
    one, other = product("One"), product("Other")
    link = f"{URL}?sku={quote(one.sku, safe='')}&sku={quote(other.sku, safe='')}&utm_source=lms"
    response = client.get(link)
    assert response.status_code == 302
    assert response["Location"].startswith("/login/?next=/basket/add/")
    assert "utm_source" in response["Location"]
    assert not Basket.objects.exists()


def test_a_link_without_a_sku_or_with_none_that_exists_is_refused(client_of: Client, learner: Any) -> None:
    client_of.get("/cart/add/", {"product_id": product("Old").pk})
    for query in ({}, {"code": "X"}, {"sku": ""}):
        assert client_of.get(URL, query).status_code == 400
    response = client_of.get(URL, {"sku": ["AAA-1", "BBB-2"]})
    assert response.status_code == 400
    page = response.content.decode()
    assert "AAA-1" in page
    assert "BBB-2" in page
    response = client_of.get(URL, {"sku": "Call 555 now"})
    assert response.status_code == 400
    assert "555" not in response.content.decode()
    assert in_cart(learner) == ["Old"]


def test_of_two_products_the_one_that_can_be_bought_is_added(client_of: Client, learner: Any) -> None:
    off, on, owned = product("Off"), product("On"), product("Owned")
    off.course_run.enrollment_end = clock.now() - timedelta(days=1)
    off.course_run.save()
    own(learner, owned)

    response = client_of.get(URL, {"sku": [off.sku, on.sku, owned.sku, "UNKNOWN"]})
    assert response.status_code == 303
    assert in_cart(learner) == ["On"]
    page = client_of.get("/cart/").content.decode()
    assert "You already have “Owned”" in page
    assert "There is nothing on sale with “UNKNOWN”, so it isn’t in your cart." in page

    withdrawn = product("Withdrawn")
    Product.objects.filter(pk=withdrawn.pk).update(is_active=False)
    response = client_of.get(URL, {"sku": [on.sku, withdrawn.sku, "Call 555 now", *(f"X-{n}" for n in range(300))]})
    page = client_of.get("/cart/").content.decode()
    assert response.status_code == 303, read(response).text
    assert f"nothing on sale with “{withdrawn.sku}”, “X-0”" in page
    assert "X-50" not in page
    assert "555" not in page

    response = client_of.get(URL, {"sku": [off.sku]})
    assert response.status_code == 400
    assert in_cart(learner) == ["On"]


def test_who_has_everything_reads_so(client_of: Client, learner: Any) -> None:
    one, other = product("One"), product("Other")
    for each in (one, other):
        own(learner, each)
    response = client_of.get(URL, {"sku": [one.sku, other.sku]})
    assert response.status_code == 200
    assert "You already have" in response.content.decode()
    assert not Basket.objects.exists()


def test_a_code_is_applied_and_one_that_does_not_work_is_explained(client_of: Client, learner: Any) -> None:
    one, other = product("One"), product("Other")
    make_code(make_discount(amount="20"), text="AUTUMN20")
    client_of.get(URL, {"sku": [one.sku, other.sku], "code": "AUTUMN20"})
    assert "$398.40" in client_of.get("/cart/").content.decode()

    response = client_of.get(URL, {"sku": one.sku, "code": "NONSENSE", "utm_campaign": "c"})
    assert response.status_code == 303
    assert response["Location"] == "/cart/?utm_campaign=c"
    assert in_cart(learner) == ["One"]
    assert "NONSENSE" not in response["Location"]
    assert "code" in client_of.get("/cart/").content.decode().lower()


def test_a_robot_fills_no_cart(client_of: Client) -> None:
    response = client_of.get(URL, {"sku": product("One").sku}, headers={"Sec-Purpose": "prefetch"})
    assert response.status_code == 204
    assert not Basket.objects.exists()

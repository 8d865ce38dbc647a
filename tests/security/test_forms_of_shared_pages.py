"""Pages that visitors share have no token, and their forms are safe all the same."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from ecommerce.models import Basket, BasketItem, Product
from tests.factories import make_product, make_run, make_user
from tests.factories.pages import make_course_page, make_home

pytestmark = pytest.mark.django_db

HERE = "http://testserver"
ELSEWHERE = "https://evil.example"


@pytest.fixture
def product() -> Product:
    make_home()
    product = make_product()
    assert product.course_run is not None
    make_course_page(product.course_run.course)
    return product


def press(product: Product, **headers: str) -> Any:
    client = Client(enforce_csrf_checks=True)
    return client.post("/cart/add/", {"product_id": product.pk}, headers=headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-origin", "Origin": HERE},
        {"Sec-Fetch-Site": "same-origin"},
        {"Origin": HERE},
        {"Referer": f"{HERE}/courses/x/"},
    ],
)
def test_a_first_visit_adds_to_the_cart_without_token_or_script(product: Product, headers: dict[str, str]) -> None:
    response = press(product, **headers)
    assert (response.status_code, response["Location"]) == (302, "/cart/")
    assert BasketItem.objects.get().product == product


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": ELSEWHERE},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://other.testserver"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": ELSEWHERE},
        {"Origin": "null"},
        {"Origin": ELSEWHERE, "Referer": f"{HERE}/courses/x/"},
        {"Referer": f"{ELSEWHERE}/?{HERE}"},
        {"Referer": "http://testserver.evil.example/"},
        {"Referer": "https://testserver/"},
    ],
)
def test_another_sites_form_is_refused(product: Product, headers: dict[str, str]) -> None:
    assert press(product, **headers).status_code == 403
    assert not Basket.objects.exists()


def test_a_browser_that_says_nothing_sends_it_again_with_a_token(product: Product) -> None:
    client = Client(enforce_csrf_checks=True)
    asked = client.post("/cart/add/", {"product_id": product.pk})
    assert not Basket.objects.exists()
    assert "no-store" in asked["Cache-Control"]
    fields = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', asked.content.decode()))
    assert fields["product_id"] == str(product.pk)
    assert client.post("/cart/add/", fields)["Location"] == "/cart/"
    assert BasketItem.objects.get().product == product


def test_a_made_up_token_from_a_silent_browser_is_refused(product: Product) -> None:
    client = Client(enforce_csrf_checks=True)
    response = client.post("/cart/add/", {"product_id": product.pk, "csrfmiddlewaretoken": "x" * 64})
    assert response.status_code == 403


def test_enrolling_is_guarded_like_the_cart(product: Product) -> None:
    run = make_run()
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user())
    assert client.post("/enroll/", {"run": run.pk}, headers={"Origin": ELSEWHERE}).status_code == 403
    assert client.post("/enroll/", {"run": run.pk}, headers={"Origin": HERE})["Location"] == "/dashboard/"
    stranger = Client(enforce_csrf_checks=True)
    answer = stranger.post("/enroll/", {"run": run.pk, "next": "/about/"}, headers={"Origin": HERE})
    assert answer["Location"] == "/login/?next=/about/"


@pytest.mark.parametrize("path", ["/cart/remove/", "/cart/code/", "/login/", "/checkout/"])
def test_all_other_forms_need_their_token(product: Product, path: str) -> None:
    response = Client(enforce_csrf_checks=True).post(path, {}, headers={"Sec-Fetch-Site": "same-origin"})
    assert response.status_code == 403


def test_an_anonymous_page_sets_no_cookie_and_a_learners_page_has_a_token(product: Product) -> None:
    assert product.course_run is not None
    path = f"/courses/{product.course_run.course.readable_id}/"
    anonymous = Client().get(path)
    assert not anonymous.cookies
    assert "csrfmiddlewaretoken" not in anonymous.content.decode()
    client = Client()
    client.force_login(make_user())
    learner = client.get(path)
    assert settings.CSRF_COOKIE_NAME in learner.cookies
    assert "csrfmiddlewaretoken" in learner.content.decode()

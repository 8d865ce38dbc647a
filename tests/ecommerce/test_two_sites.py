"""Two sites on one installation: what one of them sells is neither seen, nor bought, nor used on the other."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core import mail
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone
from wagtail.models import Site

from cms.models import CoursePage
from courses.errors import RunUnknown
from courses.models import Course
from courses.models.sites import is_of_site
from courses.services.enrollments import enroll_free
from ecommerce.enums import OrderState
from ecommerce.errors.checkout import LinkedUnknown, NotForSale, ProductUnknown
from ecommerce.errors.codes import CodeOfAnotherSite, CodeUnknown
from ecommerce.events import OrderFulfilled
from ecommerce.models import Basket, BasketCode, BasketItem, Order, OrderLine, Product, SeatSale, ShopSettings
from ecommerce.receivers import email_receipt
from ecommerce.selectors.basket_prices import price_basket
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.selectors.codes import find_code
from ecommerce.selectors.products import products_on_sale
from ecommerce.selectors.receipts import orders_of
from ecommerce.selectors.refund_window import refund_window
from ecommerce.selectors.registration import offer_seat
from ecommerce.services.baskets.baskets import add_products, apply_code, claim_baskets
from ecommerce.services.baskets.linked import fill_linked_cart
from ecommerce.services.checkout.checkout import place_order
from ecommerce.services.registration.codes import sell_seats_of
from mitxonline.kernel.shop import use_shop_of_host, use_shop_of_site
from mitxonline.users.models import User
from tests.ecommerce.paying import latest_attempt
from tests.factories import make_code, make_course, make_discount, make_product, make_run, make_user
from tests.factories.orders import make_paid_order
from tests.factories.pages import make_course_page
from tests.factories.sites import SECOND_HOST, default_site, make_second_site
from tests.support.stripe import SECRET_KEY, WEBHOOK_SECRET, StripeServer

pytestmark = pytest.mark.django_db

FIRST_HOST = "testserver"


@dataclass(frozen=True)
class World:
    """A course of each site and one of both, each with its page in the first site's tree and a price."""

    first: Site
    second: Site
    mine: Product
    other: Product
    shared: Product
    buyer: User


@pytest.fixture
def world(settings: Any) -> World:
    settings.ALLOWED_HOSTS = [FIRST_HOST, SECOND_HOST]
    first = default_site()
    titles = ("Of one", "Of two", "Of both")
    for title in titles:
        make_course_page(make_course(title=title))
    ShopSettings.objects.create(
        site=first, partner_code="ONE", partner_name="First school", from_email="one@first.test", refund_window_days=5
    )
    second = make_second_site(
        from_email="two@second.test", support_email="help@second.test", refund_window_days=40, currencies="EUR"
    )
    Course.objects.filter(title="Of one").update(site=first)
    Course.objects.filter(title="Of two").update(site=second)
    one, two, both = (make_product(make_run(Course.objects.get(title=title), is_free=False)) for title in titles)
    return World(first, second, one, two, both, make_user())


def course_of(product: Product) -> Course:
    assert product.course_run is not None
    return product.course_run.course


def owner_of(world: World, host: str) -> BasketOwner:
    with use_shop_of_host(host):
        return BasketOwner(user_id=world.buyer.pk)


def buy(world: World, host: str, *products: Product) -> Order:
    """Place an order of the buyer on a host, as its pages do."""
    now = timezone.now()
    with use_shop_of_host(host):
        owner = BasketOwner(user_id=world.buyer.pk)
        add_products(owner=owner, product_ids=[product.pk for product in products], now=now)
        return place_order(owner=owner, user_id=world.buyer.pk, now=now)


def get(host: str, path: str, client: Client | None = None) -> Any:
    return (client or Client()).get(path, headers={"Host": host})


# What visitors see


def test_each_catalog_has_the_courses_of_its_site(world: World) -> None:
    shown = {host: get(host, "/catalog/").content.decode() for host in (FIRST_HOST, SECOND_HOST)}
    assert [title in shown[FIRST_HOST] for title in ("Of one", "Of two", "Of both")] == [True, False, True]
    assert [title in shown[SECOND_HOST] for title in ("Of one", "Of two", "Of both")] == [False, True, True]


def test_the_control_sees_everything_where_courses_have_no_site(world: World) -> None:
    """Without sites on the courses both catalogs show all of them: it is the column that keeps them apart."""
    Course.objects.update(site=None)
    for host in (FIRST_HOST, SECOND_HOST):
        shown = get(host, "/catalog/").content.decode()
        assert all(title in shown for title in ("Of one", "Of two", "Of both"))


def test_the_page_of_another_sites_course_is_as_unknown_as_none(world: World) -> None:
    path = {name: f"/courses/{course_of(product).readable_id}/" for name, product in products_of(world).items()}
    answers = {(host, name): get(host, path[name]).status_code for host in (FIRST_HOST, SECOND_HOST) for name in path}
    assert answers == {
        (FIRST_HOST, "one"): 200,
        (FIRST_HOST, "two"): 404,
        (FIRST_HOST, "both"): 200,
        (SECOND_HOST, "one"): 404,
        (SECOND_HOST, "two"): 200,
        (SECOND_HOST, "both"): 200,
    }


def test_a_page_has_the_address_of_the_site_that_sells_the_course(world: World) -> None:
    page = CoursePage.objects.get(course=course_of(world.other))
    assert page.get_full_url() == f"http://{SECOND_HOST}/courses/{course_of(world.other).readable_id}/"
    shared = CoursePage.objects.get(course=course_of(world.shared))
    assert urlsplit(shared.get_full_url()).netloc == FIRST_HOST
    with use_shop_of_host(SECOND_HOST):
        assert urlsplit(shared.get_full_url()).netloc == SECOND_HOST


def test_the_search_and_the_sitemap_know_one_site(world: World) -> None:
    for host, title, absent in ((FIRST_HOST, "Of one", "Of two"), (SECOND_HOST, "Of two", "Of one")):
        sitemap = get(host, "/sitemap.xml").content.decode()
        ids = {each.title: each.readable_id for each in Course.objects.all()}
        assert ids[title] in sitemap
        assert ids[absent] not in sitemap
        with use_shop_of_host(host):
            assert Course.objects.filter(is_of_site(world.first.pk if host == FIRST_HOST else world.second.pk))
            names = {product.title for product in products_on_sale(now=timezone.now())}
        assert (title in names, absent in names) == (True, False)


def test_a_free_run_of_another_site_is_unknown(world: World) -> None:
    run = make_run(make_course(title="Free on two", site=world.second))
    with pytest.raises(RunUnknown):
        enroll_free(user_id=world.buyer.pk, run_id=run.pk, now=timezone.now())
    with use_shop_of_host(SECOND_HOST):
        assert enroll_free(user_id=world.buyer.pk, run_id=run.pk, now=timezone.now()).active


# Carts and orders


def products_of(world: World) -> dict[str, Product]:
    return {"one": world.mine, "two": world.other, "both": world.shared}


def test_nobody_puts_another_sites_product_in_a_cart(world: World) -> None:
    now = timezone.now()
    with pytest.raises(ProductUnknown):
        add_products(owner=owner_of(world, FIRST_HOST), product_ids=[world.mine.pk, world.other.pk], now=now)
    with pytest.raises(ProductUnknown):
        add_products(owner=owner_of(world, SECOND_HOST), skus=[world.mine.sku], now=now)
    with use_shop_of_host(SECOND_HOST), pytest.raises(LinkedUnknown):
        fill_linked_cart(user_id=world.buyer.pk, skus=[world.mine.sku], now=now)
    assert not Basket.objects.exists()


def test_each_site_has_a_cart_of_its_own(world: World) -> None:
    now = timezone.now()
    for host, product in ((FIRST_HOST, world.mine), (SECOND_HOST, world.other)):
        add_products(owner=owner_of(world, host), product_ids=[product.pk, world.shared.pk], now=now)
    client = Client()
    client.force_login(world.buyer)
    first, second = (get(host, "/cart/", client).content.decode() for host in (FIRST_HOST, SECOND_HOST))
    assert ("Of one" in first, "Of two" in first, "Of both" in first) == (True, False, True)
    assert ("Of one" in second, "Of two" in second, "Of both" in second) == (False, True, True)


def test_a_visitors_cart_is_claimed_on_its_site(world: World) -> None:
    token, now = uuid.uuid4(), timezone.now()
    with use_shop_of_host(SECOND_HOST):
        add_products(owner=BasketOwner(token=token), product_ids=[world.other.pk], now=now)
    add_products(owner=owner_of(world, FIRST_HOST), product_ids=[world.mine.pk], now=now)
    claim_baskets(token=token, user_id=world.buyer.pk, now=now)
    found = {basket.site_id: [item.product for item in basket.items.all()] for basket in Basket.objects.all()}
    assert found == {world.first.pk: [world.mine], world.second.pk: [world.other]}


def test_a_course_that_moves_to_another_site_is_set_aside(world: World) -> None:
    now = timezone.now()
    owner = owner_of(world, FIRST_HOST)
    basket = add_products(owner=owner, product_ids=[world.mine.pk, world.shared.pk], now=now)
    Course.objects.filter(pk=course_of(world.mine).pk).update(site=world.second)
    priced = price_basket(basket, user_id=world.buyer.pk, now=now)
    assert [line.product for line in priced.lines] == [world.shared]
    assert isinstance(priced.aside[0].refusal, NotForSale)
    with pytest.raises(NotForSale):
        place_order(owner=owner, user_id=world.buyer.pk, now=now)
    assert not Order.objects.exists()


def test_the_database_refuses_lines_and_codes_of_another_site(world: World) -> None:
    order = buy(world, FIRST_HOST, world.mine)
    basket = Basket.objects.get()
    code = make_code(make_discount(site=world.second))
    line = order.lines.get()
    attempts: dict[str, Callable[[], object]] = {
        "basket_item_is_of_its_site": lambda: BasketItem.objects.create(
            basket=basket, product=world.other, added_at=timezone.now()
        ),
        "basket_code_is_of_its_site": lambda: BasketCode.objects.create(
            basket=basket, code=code, applied_at=timezone.now()
        ),
        "order_line_is_of_its_site": lambda: OrderLine.objects.filter(pk=line.pk).update(product=world.other),
        "order_keeps_its_site": lambda: Order.objects.filter(pk=order.pk).update(site=world.second),
        "basket_keeps_its_site": lambda: Basket.objects.filter(pk=basket.pk).update(site=world.second),
    }
    for name, attempt in attempts.items():
        with pytest.raises(IntegrityError) as refused, transaction.atomic():
            attempt()
        assert refused.value.__cause__.diag.constraint_name == name, name  # type: ignore[union-attr]
    with pytest.raises(IntegrityError, match="Another site"), transaction.atomic():
        OrderLine.objects.filter(pk=line.pk).update(discount=code.discount)
    OrderLine.objects.filter(pk=line.pk).update(product=world.shared, discount=make_discount(site=world.first))


def test_an_order_has_the_site_and_the_number_of_where_it_was_placed(world: World) -> None:
    order = buy(world, SECOND_HOST, world.other, world.shared)
    assert (order.site, order.number[:4]) == (world.second, "TWO-")
    assert buy(world, FIRST_HOST, world.mine).number.startswith("ONE-")
    with use_shop_of_host(SECOND_HOST):
        assert list(orders_of(world.buyer.pk)) == [order]


# Codes and discounts


def test_a_code_of_one_site_is_refused_on_the_other_in_words(world: World) -> None:
    code = make_code(make_discount(site=world.second), text="SECOND-2026")
    now = timezone.now()
    add_products(owner=owner_of(world, FIRST_HOST), product_ids=[world.shared.pk], now=now)
    with pytest.raises(CodeOfAnotherSite, match=SECOND_HOST):
        apply_code(owner=owner_of(world, FIRST_HOST), text=code.text, user_id=world.buyer.pk, now=now)
    with pytest.raises(CodeUnknown):
        apply_code(owner=owner_of(world, FIRST_HOST), text=code.text, user_id=None, now=now)
    assert not BasketCode.objects.exists()
    with use_shop_of_host(SECOND_HOST):
        add_products(owner=owner_of(world, SECOND_HOST), product_ids=[world.shared.pk], now=now)
        priced = apply_code(owner=owner_of(world, SECOND_HOST), text=code.text, user_id=world.buyer.pk, now=now)
    assert not priced.discount_total.is_zero
    client = Client()
    client.force_login(world.buyer)
    response = client.post("/cart/code/", {"code": code.text}, headers={"Host": FIRST_HOST}, follow=True)
    assert f"This code is for {SECOND_HOST}" in response.content.decode()


def test_an_automatic_discount_lowers_prices_on_its_site(world: World) -> None:
    make_discount(site=world.second, automatic=True, name="Spring")
    now = timezone.now()
    totals = {}
    for host in (FIRST_HOST, SECOND_HOST):
        basket = add_products(owner=owner_of(world, host), product_ids=[world.shared.pk], now=now)
        totals[host] = price_basket(basket, user_id=world.buyer.pk, now=now).discount_total.is_zero
    assert totals == {FIRST_HOST: True, SECOND_HOST: False}


def test_a_registration_code_works_where_its_seats_were_sold(world: World) -> None:
    now = timezone.now()
    with use_shop_of_host(SECOND_HOST):
        owner = BasketOwner(user_id=world.buyer.pk)
        add_products(owner=owner, product_ids=[world.shared.pk], seats=2, now=now)
        order = place_order(owner=owner, user_id=world.buyer.pk, now=now)
    make_paid(order)
    sale = SeatSale.objects.get()
    code, learner = find_code(sale.discount.codes.order_by("pk")[0].text), make_user()
    with pytest.raises(CodeOfAnotherSite):
        offer_seat(code, sale, user_id=learner.pk, now=now)
    with use_shop_of_host(SECOND_HOST):
        assert offer_seat(code, sale, user_id=learner.pk, now=now).run == world.shared.course_run


def make_paid(order: Order) -> None:
    """Have the seats of an order sold, as its payment does."""
    sell_seats_of(order.lines.select_related("order", "product"), now=timezone.now())


# Receipts and e-mails


def test_a_receipt_leads_on_to_the_site_of_its_order(world: World) -> None:
    with use_shop_of_host(SECOND_HOST):
        order = make_paid_order(world.other, buyer=world.buyer)
    client = Client()
    client.force_login(world.buyer)
    for path in ("/checkout/receipt/", "/checkout/receipt/pdf/", "/orders/refund/", "/checkout/receipt/codes/"):
        answer = get(FIRST_HOST, f"{path}?order_number={order.number}", client)
        assert (answer.status_code, answer["Location"]) == (
            302,
            f"http://{SECOND_HOST}{path}?order_number={order.number}",
        )
    assert (
        "Second school" in get(SECOND_HOST, f"/checkout/receipt/?order_number={order.number}", client).content.decode()
    )
    stranger = Client()
    stranger.force_login(make_user())
    assert get(FIRST_HOST, f"/checkout/receipt/?order_number={order.number}", stranger).status_code == 404
    assert order.number not in get(FIRST_HOST, "/orders/history/", client).content.decode()
    assert order.number in get(SECOND_HOST, "/orders/history/", client).content.decode()


def test_e_mails_about_an_order_come_from_its_site(world: World) -> None:
    with use_shop_of_host(SECOND_HOST):
        order = make_paid_order(world.other, buyer=world.buyer)
    email_receipt(
        OrderFulfilled(order_id=order.pk, purchaser_id=world.buyer.pk, number=order.number, at=timezone.now())
    )
    (message,) = mail.outbox
    assert (message.from_email, message.reply_to) == ("two@second.test", ["help@second.test"])
    assert f"http://{SECOND_HOST}/checkout/receipt/" in message.body
    assert FIRST_HOST not in str(message.body)


def test_the_days_to_request_a_refund_are_those_of_the_orders_site(world: World) -> None:
    with use_shop_of_host(SECOND_HOST):
        order = make_paid_order(world.other, buyer=world.buyer)
    paid = order.fulfilled_at
    assert paid is not None
    window = refund_window(order, now=paid + timedelta(days=20))
    assert window.refusal is None
    with use_shop_of_site(world.first.pk):
        assert refund_window(order, now=paid + timedelta(days=20)) == window


# Two hosts, two accounts


def test_two_hosts_sell_by_two_accounts(
    world: World,
    stripe_api: StripeServer,
    settings: Any,
) -> None:
    """A buyer buys on each host: number, account, return address, receipt and list of orders are the host's own."""
    settings.STRIPE_ACCOUNTS = {
        "": {"secret_key": SECRET_KEY, "webhook_secrets": [WEBHOOK_SECRET]},
        SECOND_HOST: {"secret_key": "sk_test_second", "webhook_secrets": ["whsec_second"]},
    }
    client, orders = Client(), {}
    client.force_login(world.buyer)
    for host, product in ((FIRST_HOST, world.mine), (SECOND_HOST, world.other)):
        client.post("/cart/add/", {"product_id": product.pk}, headers={"Host": host})
        answer = client.post("/checkout/", headers={"Host": host})
        assert answer.status_code == 302, answer.content
        order = orders[host] = Order.objects.latest("pk")
        session = stripe_api.sessions[latest_attempt(order).session_id]
        assert urlsplit(session["success_url"]).netloc == host
        stripe_api.pay(session["id"])
        back = urlsplit(session["success_url"])
        client.get(f"{back.path}?{back.query}", headers={"Host": host})
    keys = [call.headers["Authorization"].split()[-1] for call in stripe_api.calls if call.path.endswith("/sessions")]
    assert keys == [SECRET_KEY, "sk_test_second"]
    assert [(order.site_id, order.number[:3]) for order in orders.values()] == [
        (world.first.pk, "ONE"),
        (world.second.pk, "TWO"),
    ]
    for host, order in orders.items():
        order.refresh_from_db()
        assert (order.state, latest_attempt(order).account) == (
            OrderState.FULFILLED,
            SECOND_HOST if host == SECOND_HOST else "",
        )
        shown = get(host, "/orders/history/", client).content.decode()
        assert [each.number in shown for each in orders.values()] == [each is order for each in orders.values()]

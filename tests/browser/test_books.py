"""The pages of finance and of a buyer of seats: accessible, light and dark, and no wider than a phone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page

from b2b.services.seats.membership import add_member
from ecommerce.models import DiscountCode, Invoice
from mitxonline.kernel import clock
from mitxonline.users.models import User
from tests.browser.axe import assert_accessible
from tests.browser.conftest import OpenVisitor
from tests.factories import make_contract, make_organization, make_product, make_run, make_user
from tests.factories.invoices import line_of, make_customer, make_draft, make_invoice, pay, set_seller
from tests.factories.seats import make_seat_sale
from tests.reports.world import make_shop

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.needs("chromium")]

PHONE = {"width": 390, "height": 844}


def sign_in(open_visitor: OpenVisitor, user: User, address: str) -> Page:
    client = Client()
    client.force_login(user)
    page = open_visitor().page
    page.emulate_media(reduced_motion="reduce")
    page.context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": address}])
    return page


def check(page: Page, address: str, urls: Iterable[str]) -> None:
    for url in urls:
        page.goto(f"{address}{url}")
        assert_accessible(page)
        size = page.viewport_size
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{url} scrolls sideways"
        page.set_viewport_size(size)  # type: ignore[arg-type]


@pytest.fixture
def invoice() -> Invoice:
    set_seller()
    customer = make_customer()
    lines = (line_of(make_product(make_run(title=title))) for title in ("Botany", "Zoology with a long title"))
    invoice = make_invoice(*lines, customer=customer, now=clock.now(), tax_rate=Decimal(23))
    pay(invoice, "10", now=clock.now())
    make_draft(customer=customer)
    return invoice


def test_finance_reads_invoices_and_codes(open_visitor: OpenVisitor, live_server: Any, invoice: Invoice) -> None:
    code = DiscountCode.objects.filter(discount__seat_sale__isnull=False, uses=0, active=True)[0]
    page = sign_in(open_visitor, make_user(is_staff=True, is_superuser=True), live_server.url)
    draft = Invoice.objects.exclude(pk=invoice.pk).get()

    def urls() -> Iterator[str]:
        yield reverse("shop_invoices:index")
        yield reverse("shop_invoices:add")
        yield from (reverse(f"shop_invoices:{name}", args=[draft.pk]) for name in ("invoice", "edit", "issue"))
        yield from (reverse(f"shop_invoices:{name}", args=[invoice.pk]) for name in ("invoice", "pay", "credit"))
        yield reverse("timeline:subject", args=["invoice", invoice.pk])
        yield from (reverse(f"code_desk:{name}", args=[code.pk]) for name in ("code", "cancel", "move"))

    check(page, live_server.url, urls())


@pytest.fixture
def finance(open_visitor: OpenVisitor, live_server: Any, settings: LazySettings) -> Page:
    settings.CURRENCIES = ["USD", "JPY"]
    make_shop()
    return sign_in(open_visitor, make_user(is_staff=True, is_superuser=True), live_server.url)


def test_finance_reads_reports(finance: Page, live_server: Any) -> None:
    contract = make_contract(make_organization("Harbor"), seats=9)
    add_member(contract_id=contract.pk, user_id=make_user().pk, now=clock.now())

    def urls() -> Iterator[str]:
        yield reverse("shop_reports:index")
        for slug in ("purchases", "refunds", "summary", "sales", "codes", "enrollments", "contracts"):
            yield f"{reverse('shop_reports:report', args=[slug])}?first=2026-01-01&last=2026-12-31"
        yield f"{reverse('shop_reports:report', args=['sales'])}?first=2026-01-01&last=2026-12-31&by=course"
        yield f"{reverse('shop_reports:report', args=['sales'])}?first=never"
        yield reverse("b2b_contracts:terms", args=[contract.pk])

    check(finance, live_server.url, urls())


def test_finance_reads_audits(finance: Page, live_server: Any) -> None:
    audits = (reverse("audits:audit", args=[name]) for name in ("enrollments", "payments", "seats"))
    check(finance, live_server.url, (reverse("audits:index"), *audits))


def test_a_wide_report_is_printed_whole_and_dark_on_white(finance: Page, live_server: Any) -> None:
    finance.emulate_media(media="print", color_scheme="dark")
    finance.set_viewport_size({"width": 1060, "height": 750})  # a sheet, lying
    report = reverse("shop_reports:report", args=["purchases"])
    finance.goto(f"{live_server.url}{report}?first=2026-01-01&last=2026-12-31")
    assert finance.evaluate("getComputedStyle(document.querySelector('.desk > p')).color") == "rgb(0, 0, 0)"
    assert finance.get_by_role("heading", level=1).bounding_box()["height"] > 10  # type: ignore[index]
    assert finance.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_buyer_of_seats_reads_the_purchase(open_visitor: OpenVisitor, live_server: Any) -> None:
    buyer = make_user("mira@x.example", name="<b>Mira & Co</b>")
    sale = make_seat_sale(make_product(make_run(title="R&D <for> “all”", enrollment_end=None)), seats=4, buyer=buyer)
    page = sign_in(open_visitor, buyer, live_server.url)

    def urls() -> Iterator[str]:
        yield reverse("groups")
        yield reverse("group", args=[sale.pk])
        yield f"{reverse('group', args=[sale.pk])}?q=nobody"
        yield reverse("group-hand-out", args=[sale.pk])
        yield reverse("company-list-new")

    check(page, live_server.url, urls())

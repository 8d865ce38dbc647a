"""Reports on money and codes: their rows to the cent, their days, their files, and who sees which rows."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.db import connection
from django.template.loader import render_to_string
from django.test.utils import CaptureQueriesContext

from ecommerce.enums import Role, UseState
from ecommerce.models import CodeUse, DiscountCode, InvoiceLine, Order, SeatSale
from reports.charts import choose_ticks, draw_bars
from reports.exports.catalog import REPORTS
from tests.factories import NOON, make_user
from tests.factories.invoices import line_of, make_invoice
from tests.reports.readings import read_payments, read_seats
from tests.reports.world import (
    BASE,
    MARCH,
    Shop,
    client_of,
    course_key_of,
    file_of,
    holder,
    make_shop,
    moment,
    product_of,
    refund_at,
    sell_at,
    text_of,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Shop:
    return make_shop()


@pytest.fixture
def boss() -> Any:
    return client_of(make_user(is_superuser=True))


class TestPurchases:
    def test_each_line_of_the_days_both_ends_included(self, shop: Shop, boss: Any) -> None:
        rows = file_of(boss, "purchases", **MARCH)
        assert [(row["Course"], row["Total"], row["Currency"]) for row in rows] == [
            ("Botany", "200.00", "USD"),
            ("Botany", "600.00", "USD"),
            ("Yen course", "5000", "JPY"),
            ("Botany", "200.00", "USD"),
            ("Zoology", "300.00", "USD"),
        ]
        group = rows[1]
        assert (group["Seats"], group["Unit price"], group["Company"], group["Purchase order"]) == (
            "3", "200.00", "Acme", "PO-7",
        )  # fmt: skip

    def test_totals_of_currencies_are_never_added(self, shop: Shop, boss: Any) -> None:
        text = text_of(boss.get(f"{BASE}purchases/", MARCH))
        assert "$1,300.00" in text
        assert "¥5,000" in text
        assert "6,300" not in text

    def test_a_course_can_be_chosen(self, shop: Shop, boss: Any) -> None:
        rows = file_of(boss, "purchases", course=course_key_of(shop.zoology), **MARCH)
        assert [row["Course"] for row in rows] == ["Zoology"]


class TestRefunds:
    def test_by_their_own_day_and_exact(self, shop: Shop, boss: Any) -> None:
        [row] = file_of(boss, "refunds", **MARCH)
        assert (row["Order"], row["Course"], row["Amount"], row["Currency"]) == (
            shop.both.number, "Botany", "50.00", "USD",
        )  # fmt: skip
        assert row["Refunded"] == "2026-03-31 23:59"
        assert row["Reason"] == "'=1+1 Ill", "no cell is a formula"

    def test_what_is_for_no_course_has_a_row_of_its_own(self, shop: Shop, boss: Any) -> None:
        refund_at(moment("2026-03-05"), shop.both, {shop.botany: "10", shop.zoology: "5"}, whole="20")
        refund_at(moment("2026-03-06"), shop.both, {}, whole="7")
        rows = file_of(boss, "refunds", **MARCH)
        assert [(row["Course"], row["Amount"]) for row in rows] == [
            ("", "5.00"), ("Botany", "10.00"), ("Zoology", "5.00"), ("", "7.00"), ("Botany", "50.00"),
        ]  # fmt: skip
        assert "$77.00" in text_of(boss.get(f"{BASE}refunds/", MARCH))


class TestSummary:
    def test_a_row_for_each_course_and_currency(self, shop: Shop, boss: Any) -> None:
        rows = {row["Course"]: row for row in file_of(boss, "summary", **MARCH)}
        botany = rows["Botany"]
        assert (botany["Seats, single"], botany["Seats, group"], botany["Seats"]) == ("2", "3", "5")
        assert (botany["Revenue"], botany["Refunds"], botany["Net"]) == ("1000.00", "50.00", "950.00")
        assert (botany["Average price"], botany["Unused codes"]) == ("200.00", "3")
        assert rows["Zoology"]["Refunds"] == "0.00", "it went back in April"
        assert rows["Yen course"]["Revenue"] == "5000"

    def test_a_refund_of_an_earlier_sale_has_its_row(self, shop: Shop, boss: Any) -> None:
        [row] = file_of(boss, "summary", first="2026-04-02", last="2026-04-02")
        assert (row["Course"], row["Seats"], row["Refunds"], row["Net"]) == ("Zoology", "0", "300.00", "-300.00")
        assert row["Average price"] == ""

    def test_invoiced_seats_have_their_money_also_where_nothing_else_was_sold(self, shop: Shop, boss: Any) -> None:
        geology = product_of("Geology", "80")
        day = moment("2026-03-15")
        for product, seats in ((geology, 2), (geology, 3), (shop.botany, 4)):
            make_invoice(line_of(product, seats=seats), now=day)
        make_invoice(line_of(geology, seats=9), now=moment("2026-04-15"))
        rows = {row["Course"]: row for row in file_of(boss, "summary", **MARCH)}
        assert (rows["Geology"]["Seats by invoice"], rows["Geology"]["Seats"]) == ("5", "0")
        assert (rows["Geology"]["Revenue"], rows["Botany"]["Seats by invoice"]) == ("0.00", "4")
        lines = InvoiceLine.objects.filter(invoice__issued_at=day)
        for title, product in (("Geology", geology), ("Botany", shop.botany)):
            mine = lines.filter(product=product)
            assert Decimal(rows[title]["Invoiced"]) == sum(line.net + line.tax for line in mine) > 0

    def test_its_totals_are_those_of_the_audits(self, shop: Shop, boss: Any) -> None:
        make_invoice(line_of(shop.zoology, seats=4), now=moment("2026-03-15"))
        for order in Order.objects.all():
            order.attempts.update(settled_at=order.fulfilled_at)
        rows = file_of(boss, "summary", **MARCH)
        days = {"first": date(2026, 3, 1), "last": date(2026, 3, 31)}
        seats, money = read_seats(**days).figures(), read_payments(**days)
        assert sum(int(row["Seats, single"]) for row in rows) == seats["single"]
        assert sum(int(row["Seats, group"]) for row in rows) == seats["ordered"]
        assert sum(int(row["Seats by invoice"]) for row in rows) == seats["invoiced"] == 4
        for currency in ("USD", "JPY"):
            mine, figures = [row for row in rows if row["Currency"] == currency], money.figures(currency)
            bought = figures["single"] + figures["registration"]
            assert sum(Decimal(row["Revenue"]) for row in mine) == bought
            assert sum(Decimal(row["Refunds"]) for row in mine) == -figures["refunds"]


class TestSales:
    @pytest.mark.parametrize(
        ("by", "expected"),
        [
            ("", [
                ("2026-03-01", "USD", "200.00", "0.00"), ("2026-03-10", "JPY", "5000", "0"),
                ("2026-03-10", "USD", "600.00", "0.00"), ("2026-03-31", "USD", "500.00", "50.00"),
                ("2026-04-01", "USD", "300.00", "0.00"), ("2026-04-02", "USD", "0.00", "300.00"),
            ]),
            ("month", [
                ("2026-03", "JPY", "5000", "0"), ("2026-03", "USD", "1300.00", "50.00"),
                ("2026-04", "USD", "300.00", "300.00"),
            ]),
            ("course", [
                ("Botany", "USD", "1000.00", "50.00"), ("Yen course", "JPY", "5000", "0"),
                ("Zoology", "USD", "600.00", "300.00"),
            ]),
            ("organization", [
                ("No organization", "JPY", "5000", "0"), ("No organization", "USD", "1000.00", "350.00"),
                ("Acme", "USD", "600.00", "0.00"),
            ]),
        ],
    )  # fmt: skip
    def test_sold_and_refunded_each_by_its_own_day(
        self, shop: Shop, boss: Any, by: str, expected: list[tuple[str, ...]]
    ) -> None:
        rows = file_of(boss, "sales", by=by, first="2026-03-01", last="2026-04-30")
        assert [tuple(list(row.values())[i] for i in (0, 1, 4, 5)) for row in rows] == expected

    def test_the_charts_say_what_they_show_without_styles_of_their_own(self, shop: Shop, boss: Any) -> None:
        page = BeautifulSoup(boss.get(f"{BASE}sales/", MARCH).content.decode(), "html.parser")
        charts = page.select("figure.report-chart svg[role=img]")
        assert len(charts) == 2, "one for each currency"
        for chart in charts:
            named = [page.find(id=each) for each in str(chart["aria-labelledby"]).split()]
            assert [each.name for each in named if each is not None] == ["title", "desc"]
            assert not chart.find_all(style=True)
            assert len(chart.find_all("rect")) == 31, "a bar for every day"
        assert "The highest is 10 March 2026 with $600.00" in charts[1].select_one("desc").text  # type: ignore[union-attr]


class TestCodes:
    @pytest.fixture
    def used(self, shop: Shop) -> DiscountCode:
        sale = SeatSale.objects.get(order_line__order=shop.group)
        first, second, _third = sale.discount.codes.order_by("pk")
        user = make_user("ida@x.example")
        CodeUse.objects.create(code=first, user=user, state=UseState.CONFIRMED, created_at=NOON, changed_at=NOON)
        DiscountCode.objects.filter(pk=first.pk).update(uses=1)
        DiscountCode.objects.filter(pk=second.pk).update(active=False)
        return first

    @pytest.mark.parametrize(("state", "count"), [("", 3), ("unused", 1), ("spent", 1), ("off", 1)])
    def test_by_state(self, shop: Shop, boss: Any, used: DiscountCode, state: str, count: int) -> None:
        rows = file_of(boss, "codes", state=state, **MARCH)
        assert len(rows) == count
        assert {row["Company"] for row in rows} == {"Acme"}

    def test_who_used_it_and_for_which_company(self, shop: Shop, boss: Any, used: DiscountCode) -> None:
        rows = file_of(boss, "codes", company="acm", **MARCH)
        assert len(rows) == 3
        row = next(row for row in rows if row["Code"] == used.text)
        assert (row["Used by"], row["Order"], row["Link"].endswith(f"/enrollmentcode/{used.text}/")) == (
            "ida@x.example", shop.group.number, True,
        )  # fmt: skip
        assert file_of(boss, "codes", company="other", **MARCH) == []


class TestWhoSeesWhat:
    @pytest.mark.parametrize("slug", ["purchases", "refunds", "summary", "sales", "codes"])
    def test_finance_of_a_course_sees_that_course_only(self, shop: Shop, slug: str) -> None:
        refund_at(moment("2026-03-07"), shop.both, {shop.zoology: "11"})
        finance = holder(Role.FINANCE_ADMIN, shop.botany)
        page = finance.get(f"{BASE}{slug}/", MARCH | {"by": "course"})
        assert page.status_code == 200
        for foreign in ("Zoology", "Yen", "¥", "11.00", "300"):
            assert foreign not in text_of(page), foreign
        for row in file_of(finance, slug, by="course", **MARCH):
            assert "Botany" in row.values()
        other = {"course": course_key_of(shop.zoology)}
        assert finance.get(f"{BASE}{slug}/", MARCH | other).status_code == 422
        assert finance.get(f"{BASE}{slug}/", MARCH | other | {"file": "csv"}).status_code == 422

    def test_sales_administrators_see_codes_only(self, shop: Shop) -> None:
        for product in (shop.botany, None):
            sales = holder(Role.SALES_ADMIN, product)
            assert sales.get(f"{BASE}codes/").status_code == 200
            index = text_of(sales.get(BASE))
            assert "Registration codes" in index
            assert "Executive summary" not in index
            for slug in ("purchases", "refunds", "summary", "sales"):
                assert sales.get(f"{BASE}{slug}/").status_code == 302
                assert sales.get(f"{BASE}{slug}/", {"file": "csv"}).status_code == 302

    def test_others_see_none(self, shop: Shop) -> None:
        learner = client_of(make_user())
        assert learner.get(BASE).status_code == 302
        for slug in REPORTS:
            assert learner.get(f"{BASE}{slug}/", {"file": "xlsx"}).status_code == 302

    def test_an_unknown_report_is_not_found(self, boss: Any) -> None:
        assert boss.get(f"{BASE}secrets/").status_code == 404


class TestForm:
    @pytest.mark.parametrize(
        ("asked", "sentence"),
        [
            ({"first": "31.03.2026"}, "Enter a day like 2027-06-30."),
            ({"last": ""}, "Enter a day like 2027-06-30."),
            ({"first": "2026-04-01", "last": "2026-03-01"}, "The last day can’t be before the first."),
            ({"first": "0026-04-01", "last": "2026-03-01"}, "Check the year."),
            ({"course": "course-v1:No+such"}, "No course has the key “course-v1:No+such”."),
        ],
    )
    def test_a_mistake_shows_the_form_again(self, boss: Any, asked: dict[str, str], sentence: str) -> None:
        for file in ("", "csv", "xlsx"):
            page = boss.get(f"{BASE}sales/", {**MARCH, **asked, "file": file})
            assert page.status_code == 422
            assert sentence in text_of(page)
            for value in asked.values():
                assert f'value="{value}"' in page.content.decode() or "course" in asked or not value

    def test_without_days_the_last_thirty(self, boss: Any) -> None:
        assert boss.get(f"{BASE}sales/").status_code == 200


@pytest.mark.parametrize("slug", sorted(REPORTS))
def test_every_report_is_a_workbook_too(shop: Shop, boss: Any, slug: str) -> None:
    response = boss.get(f"{BASE}{slug}/", {**MARCH, "file": "xlsx"})
    assert response["Content-Type"].endswith("sheet")
    assert response["Content-Disposition"].startswith(f'attachment; filename="{slug}')
    response.close()


@pytest.mark.parametrize("slug", sorted(REPORTS))
def test_a_file_costs_the_same_for_any_number_and_is_streamed(shop: Shop, boss: Any, slug: str) -> None:
    costs, cursors = [], []
    for _round in range(2):
        file_of(boss, slug, **MARCH)
        with CaptureQueriesContext(connection) as captured:
            file_of(boss, slug, **MARCH)
        costs.append(len(captured))
        cursors.append(sum("DECLARE" in each["sql"] for each in captured.captured_queries))
        for _order in range(5):
            sell_at(moment("2026-03-12"), shop.botany, shop.zoology)
            refund_at(moment("2026-03-12"), shop.both, {shop.botany: "1"})
    assert costs[0] == costs[1]
    if slug in {"purchases", "refunds", "codes", "enrollments"}:
        assert cursors[0] >= 1, "rows come through a server-side cursor"


def test_a_chart_without_points_or_with_negative_ones() -> None:
    assert draw_bars("x", []).bars == ()
    chart = draw_bars("x", [("a", Decimal(-30), "-30"), ("b", Decimal(70), "70")])
    below, above = chart.bars
    assert below.y == chart.baseline
    assert above.y + above.height == pytest.approx(chart.baseline)
    assert below.is_negative
    assert not above.is_negative


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([], [0, 1, 2, 3, 4]),
        ([70, -30], [-50, 0, 50, 100]),
        ([80, -40], [-50, 0, 50, 100]),
        ([3, 1], [0, 1, 2, 3]),
        ([-1], [-1, 0]),
        ([12345], [0, 5000, 10000, 15000]),
        ([-249, -498], [-600, -400, -200, 0]),
    ],
)
def test_ticks_are_even_and_one_of_them_is_zero(values: list[int], ticks: list[int]) -> None:
    chosen = choose_ticks([Decimal(value) for value in values])
    assert chosen == ticks
    assert len({after - before for before, after in pairwise(chosen)}) == 1
    chart = draw_bars("x", [(str(value), value, "") for value in values])
    assert chart.baseline in [line.y for line in chart.lines]


def test_long_names_are_written_out_beside_bars_that_lie() -> None:
    names = ["Introduction to the History of Architecture", "Statistics"]
    chart = draw_bars("Net", [(names[0], 80, "$80.00"), (names[1], -40, "-$40.00")])
    assert chart.is_lying
    above, below = chart.bars
    assert below.x + below.width == pytest.approx(above.x, abs=0.02)
    assert above.x == chart.baseline
    assert above.x + above.width <= chart.width
    page = render_to_string("reports/chart.html", {"chart": chart, "number": 1})
    assert all(name in page for name in names)
    assert "…" not in page

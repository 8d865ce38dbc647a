"""`commerce_audit`: the three audits for operators, as tables, JSON and CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from courses.models import Enrollment, EnrollmentGrant
from ecommerce.models import Order, PaymentAttempt
from mitxonline.kernel import clock
from mitxonline.kernel.db import fetch_sql, read_snapshot
from reports.audits.base import AuditScope, RowChoice, open_audit
from reports.audits.enrollments import ENROLLMENTS
from reports.audits.statements import read_amount
from reports.models import GatewayEntry, GatewayReport
from tests.factories import NOON, make_product
from tests.factories.orders import make_paid_order
from tests.support.stripe import StripeServer

pytestmark = pytest.mark.django_db


@pytest.fixture
def orders() -> list[Order]:
    product = make_product(price="100")
    return [make_paid_order(product, gateway="stripe") for _number in range(2)]


def run(*words: str) -> str:
    out = StringIO()
    call_command("commerce_audit", *words, stdout=out, stderr=StringIO())
    return out.getvalue()


def refused(*words: str) -> tuple[str, str]:
    """The sentence of a run that found something, and what it printed."""
    out = StringIO()
    with pytest.raises(CommandError) as error:
        call_command("commerce_audit", *words, stdout=out, stderr=StringIO())
    return str(error.value), out.getvalue()


def test_a_table_shows_every_term_with_the_command_for_its_rows(orders: list[Order]) -> None:
    key = orders[0].lines.get().item_id
    text = run("enrollments", "--course", key)
    assert "Enrollments as of" in text
    assert "UTC" in text
    line = next(line for line in text.splitlines() if "Single purchases" in line)
    assert line.split()[:4] == ["+", "Single", "purchases", "2"]
    assert f"commerce_audit enrollments --course {key} --rows purchase" in line
    listed = run("enrollments", "--course", key, "--rows", "purchase")
    assert all(order.number in listed for order in orders)


def test_what_differs_is_listed_and_ends_with_status_1(orders: list[Order]) -> None:
    EnrollmentGrant.objects.filter(reference=orders[0].number).delete()
    sentence, text = refused("enrollments")
    assert sentence == "1 row needs someone."
    assert f"The grant is missing  {orders[0].number}" in " ".join(text.split("\n")).replace("   ", "  ")
    assert orders[1].number not in text


def test_json_has_the_terms_and_the_rows(orders: list[Order]) -> None:
    Enrollment.objects.filter(user=orders[0].purchaser).update(active=False)
    _sentence, text = refused("enrollments", "--format", "json")
    content = json.loads(text)
    assert content["audit"] == "enrollments"
    terms = {term["term"]: term["figure"] for term in content["sections"][0]["terms"]}
    assert (terms["purchase"], terms["total"]) == (1, 1)
    assert [(row["cause"], row["about"]) for row in content["rows"]] == [("flag_wrong", orders[0].number)]
    assert content["unexplained"] == 1
    assert json.loads(run("seats", "--format", "json"))["rows"] == []


def test_csv_has_them_in_one_file(orders: list[Order]) -> None:
    EnrollmentGrant.objects.filter(reference=orders[0].number).delete()
    _sentence, text = refused("enrollments", "--format", "csv")
    rows = list(csv.DictReader(StringIO(text)))
    assert [row["Figure"] for row in rows if row["Term"] == "Active enrollments"] == ["2"]
    assert [row["About"] for row in rows if row["Record"] == "Row"] == [orders[0].number]


def test_payments_by_day_after_asking_the_gateway(orders: list[Order], stripe_api: StripeServer) -> None:
    for order, days in zip(orders, (0, 1), strict=True):
        moment = NOON + timedelta(days=days)
        order.attempts.update(settled_at=moment)
        stripe_api.moment = moment.timestamp
        source = {"id": f"ch_{order.pk}", "object": "charge", "payment_intent": order.attempts.get().payment_id}
        stripe_api.move("charge", 10000, source, fee=320)
    text = run("payments", "--by-day", "--from", "2026-03-01", "--currency", "usd")
    assert "Stripe  reported until" in text
    listed = [line.split() for line in text.splitlines() if line.strip().startswith("2026-03-0")]
    assert [(line[0], line[1], line[3], line[5]) for line in listed] == [
        ("2026-03-02", "96.80", "96.80", "0.00"),
        ("2026-03-03", "96.80", "96.80", "0.00"),
    ]
    calls = len(stripe_api.calls_to("balance_transactions"))
    run("payments", "--no-fetch")
    assert len(stripe_api.calls_to("balance_transactions")) == calls


def test_a_gateway_without_an_answer_is_said_after_the_figures(orders: list[Order], stripe_api: StripeServer) -> None:
    stripe_api.fail("balance_transactions", 500)
    sentence, text = refused("payments")
    assert sentence.startswith("Stripe gave no report")
    assert "Single purchases" in text


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("enrollments", "--course", "course-v1:No+such"), "No course or run has the key “course-v1:No+such”."),
        (("seats", "--from", "2026-02-01", "--to", "2026-01-31"), "The last day is before the first one."),
        (("seats", "--from", "yesterday"), "“yesterday” is not a date."),
        (("payments", "--currency", "dollars"), "“dollars” isn’t a currency."),
        (("seats", "--rows", "nothing"), "There is no term “nothing”."),
        (("payments", "--import", "/none.csv"), "Say whose statement it is"),
        (("payments", "--import", "/nowhere.csv", "--gateway", "paypal"), "/nowhere.csv can't be read"),
        # Said before the file is looked for.
        (
            ("payments", "--import", "/nowhere.csv", "--gateway", "paypall"),
            "There is no gateway “paypall”. Choose from cybersource, paypal, sandbox, stripe.",
        ),
        (("books",), "invalid choice"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_sentence(words: tuple[str, ...], sentence: str) -> None:
    assert sentence in refused(*words)[0]


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1,234.50", "1234.50"),
        ("1.234,50", "1234.50"),
        ("1 234,5", "1234.5"),
        ("1,234", "1234"),
        ("1,234,567", "1234567"),
        ("12.34", "12.34"),
        ("0.50", "0.50"),
        ("-12,00 €", "-12"),
        ("−12", "-12"),
        ("$ -5.00", "-5"),
        ("(12.00)", "-12"),
        ("12.00-", "-12"),
        ("USD 7", "7"),
    ],
)
def test_amounts_are_read_as_statements_write_them(text: str, amount: str) -> None:
    assert read_amount(text) == Decimal(amount)


class TestStatementFiles:
    COLUMNS = (
        "id: Transaction ID; amount: Gross; fee: Fee; currency: Currency; day: Date; payment: Reference; kind: Type"
    )

    @pytest.fixture
    def paypal(self) -> list[Order]:
        return [make_paid_order(make_product(price=price), gateway="paypal") for price in ("100", "50")]

    def write(
        self, path: Path, *lines: str, head: str = "Date,Type,Gross,Fee,Currency,Transaction ID,Reference"
    ) -> str:
        file = path / "statement.csv"
        file.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
        return str(file)

    def load(self, path: str, columns: str = COLUMNS) -> tuple[str, ...]:
        return ("payments", "--no-fetch", "--import", path, "--gateway", "paypal", "--columns", columns)

    def test_a_file_with_ids_is_matched_by_them(self, paypal: list[Order], tmp_path: Path) -> None:
        ids = [order.attempts.get().payment_id for order in paypal]
        file = self.write(
            tmp_path,
            f"2026-03-02 12:00:00,Payment,100.00,-3.20,USD,T1,{ids[0]}",
            f"2026-03-02 12:10:00,Payment,50.00,-1.75,USD,T2,{ids[1]}",
            "2026-03-02 23:00:00,Payout to bank,-145.05,0,USD,T3,",
        )
        for _twice in range(2):  # the same file again changes nothing
            text = run(*self.load(file))
            assert GatewayEntry.objects.count() == 3
        assert any(line.split()[:3] == ["=", "Difference", "0.00"] for line in text.splitlines())
        assert any(line.split()[:3] == ["+", "Fees", "-4.95"] for line in text.splitlines())

    def test_a_file_without_ids_is_matched_by_amount_and_time(self, paypal: list[Order], tmp_path: Path) -> None:
        far = make_paid_order(make_product(price="70"), gateway="paypal")
        PaymentAttempt.objects.filter(order=far).update(settled_at=NOON - timedelta(days=1))
        file = self.write(
            tmp_path,
            "02.03.2026;100,00 €;".replace(" €", ""),
            "03.03.2026;50,00;",
            "28.02.2026;30,00;",
            head="Day;Sum;Text",
        )
        sentence, text = refused(*self.load(file, "amount: Sum; day: Day; format: %d.%m.%Y"), "--currency", "USD")
        assert sentence == "2 rows need someone."
        assert text.count("Matched by amount") >= 2
        assert "Money without an order" in text
        assert far.number in text

    def test_a_file_with_a_mistake_stores_nothing(self, paypal: list[Order], tmp_path: Path) -> None:
        file = self.write(
            tmp_path,
            "2026-03-02,Payment,abc,0,USD,T1,pi_1",
            "soon,Payment,1.00,0,USD,T2,pi_2",
            "2026-03-02,Payment,1.00,0,DOLLAR,T3,pi_3",
        )
        sentence, _text = refused(*self.load(file))
        assert "Line 2: “abc” isn’t an amount." in sentence
        assert "Line 3: “soon” isn’t a day." in sentence
        assert "Line 4: “DOLLAR” isn’t a currency." in sentence
        assert not GatewayEntry.objects.exists()
        assert not GatewayReport.objects.exists()

    @pytest.mark.parametrize(
        ("columns", "sentence"),
        [
            ("amount: Gross", "day"),
            ("amount: Gross; day: Nothing", "Nothing"),
            ("amount: Gross; day: Date; size: Fee", "size: Fee"),
            ("Gross", "Gross"),
        ],
    )
    def test_columns_that_are_not_there_are_named(self, tmp_path: Path, columns: str, sentence: str) -> None:
        file = self.write(tmp_path, "2026-03-02,Payment,1,0,USD,T1,pi_1")
        assert sentence in refused(*self.load(file, columns))[0]


@pytest.mark.django_db(transaction=True)
def test_live_traffic_does_not_change_an_audit_that_has_begun() -> None:
    make_paid_order(make_product(price="100"))
    other = connection.copy()
    with open_audit(ENROLLMENTS, AuditScope(), RowChoice()) as (result, rows):
        with other.cursor() as cursor:
            cursor.execute("UPDATE courses_enrollment SET active = false")
        assert fetch_sql("SELECT count(*) FROM courses_enrollment WHERE active") == [(1,)]
        assert list(rows) == []
        assert abs(result.taken_at - clock.now()) < timedelta(minutes=5)
    other.close()
    assert Enrollment.objects.filter(active=True).count() == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "act", [lambda: Order.objects.update(company="x"), lambda: EnrollmentGrant.objects.all().delete()]
)
def test_nothing_is_written_in_a_snapshot(act: Callable[[], Any]) -> None:
    make_paid_order(make_product(price="100"))
    with pytest.raises(Exception, match="read-only"), read_snapshot():
        act()
    assert Order.objects.get().company == ""

"""generate_discount_code and create_product: repeated runs, and every mistake an operator can make."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from ecommerce.enums import PaymentType, RedemptionType
from ecommerce.models import Discount, DiscountCode, Product
from tests.factories import make_contract, make_contract_run, make_product, make_run

pytestmark = pytest.mark.django_db


def run(command: str, *arguments: str) -> tuple[str, str]:
    out, said = StringIO(), StringIO()
    call_command(command, *arguments, stdout=out, stderr=said)
    return out.getvalue(), said.getvalue()


def discount_code(*arguments: str) -> tuple[str, str]:
    return run("generate_discount_code", *arguments)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text)))


MARKETING = ("--amount", "20", "--payment-type", "marketing")


class TestDiscounts:
    def test_one_named_code(self) -> None:
        out, said = discount_code("AUTUMN20", *MARKETING)
        assert "AUTUMN20" in out
        assert said == "Created discount 1 with 1 code: 20% off, for all products, unlimited.\n".replace(
            "discount 1", f"discount {Discount.objects.get().pk}"
        )
        code = DiscountCode.objects.get()
        assert (code.max_uses, code.discount.payment_type, code.discount.for_all_products) == (
            None,
            PaymentType.MARKETING,
            True,
        )

    def test_for_groups_only_if_asked(self) -> None:
        out, said = discount_code("GROUP20", *MARKETING, "--for-groups", "--format", "csv")
        assert rows(out)[0]["Also for groups"] == "Yes"
        assert "20% off, for all products, also for groups, unlimited." in said
        out, said = discount_code("SINGLE20", *MARKETING, "--format", "csv")
        assert (rows(out)[0]["Also for groups"], "groups" in said) == ("No", False)
        stored = Discount.objects.order_by("pk").values_list("codes__text", "for_groups")
        assert list(stored) == [("GROUP20", True), ("SINGLE20", False)]
        with pytest.raises(CommandError, match="already exists"):
            discount_code("GROUP20", *MARKETING)

    def test_the_same_again_makes_nothing_and_something_else_by_that_name_is_refused(self) -> None:
        discount_code("AUTUMN20", *MARKETING)
        out, said = discount_code("autumn-20", *MARKETING)
        assert "AUTUMN20" in out
        assert "already does this" in said
        with pytest.raises(CommandError, match="already exists"):
            discount_code("AUTUMN20", "--amount", "25", "--payment-type", "marketing")
        assert DiscountCode.objects.count() == 1

    def test_many_with_a_prefix_as_csv_once_for_the_same_words(self) -> None:
        words = ("--count", "5", "--prefix", "SPRING", *MARKETING, "--one-time", "--expires", "2090-06-30")
        out, _said = discount_code(*words)
        made = rows(out)
        assert len(made) == 5
        assert all(row["Code"].startswith("SPRING-") for row in made)
        assert {row["Can be used"] for row in made} == {"Once"}
        assert {row["Valid until"] for row in made} == {"2090-06-30T23:59:59.999999+00:00"}
        again, said = discount_code(*words)
        assert rows(again) == made
        assert "Add --again" in said
        discount_code(*words, "--again")
        assert DiscountCode.objects.count() == 10

    def test_into_a_file(self, tmp_path: Path) -> None:
        file = tmp_path / "codes.csv"
        out, said = discount_code("--count", "2", *MARKETING, "--codes-out", str(file))
        assert out == ""
        assert f"Wrote 2 codes to {file}." in said
        assert len(rows(file.read_text())) == 2
        assert file.stat().st_mode & 0o077 == 0
        with pytest.raises(CommandError, match="can't be written"):
            discount_code("--count", "9", *MARKETING, "--codes-out", str(tmp_path / "no" / "codes.csv"))
        assert DiscountCode.objects.count() == 2

    def test_one_for_each_address(self) -> None:
        out, _said = discount_code(
            "--assign", "Amara@x.example", "--assign", "ben@x.example", "--amount", "100", "--payment-type",
            "financial-assistance", "--once-per-user", "--format", "json",
        )  # fmt: skip
        assert [row["given_to"] for row in json.loads(out)] == ["amara@x.example", "ben@x.example"]
        assert Discount.objects.get().redemption_type == RedemptionType.ONE_TIME_PER_USER

    def test_an_automatic_discount_can_name_people_products_and_dates(self) -> None:
        one, other = make_product(), make_product()
        out, said = discount_code(
            "--automatic", "--name", "Staff", "--for", "dana@x.example", "--product", one.sku, other.item_id,
            "--discount-type", "dollars-off", "--amount", "15.50", "--payment-type", "staff",
            "--activates", "2090-01-01", "--expires", "2090-06-30T18:00+02:00",
        )  # fmt: skip
        assert out == ""
        assert "applies automatically: $15.50 off your cart, for 2 products" in said
        discount = Discount.objects.get()
        assert set(discount.products.all()) == {one, other}
        assert [person.email for person in discount.people.all()] == ["dana@x.example"]
        assert discount.activates_at == datetime(2090, 1, 1, tzinfo=UTC)
        assert discount.expires_at == datetime(2090, 6, 30, 16, tzinfo=UTC)
        assert discount.is_bulk is False

    def test_asked_first_it_makes_nothing(self) -> None:
        _out, said = discount_code("--count", "3", *MARKETING, "--dry-run", "--max-uses", "4")
        assert said == "Would create 3 codes: 20% off, for all products, 4 times, once per person.\n"
        assert not Discount.objects.exists()
        discount_code("AUTUMN20", *MARKETING)
        _out, said = discount_code("AUTUMN20", *MARKETING, "--dry-run")
        assert said.startswith("Would create nothing")

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (("X1",), "at least 4 letters"),
            (("ÀUTUMN",), "at least 4 letters"),
            ((), "Use exactly one of"),
            (("AUTUMN20", "--count", "2"), "Use exactly one of"),
            (("--count", "0"), "Create 1 to 100,000"),
            (("--count", "²"), "--count: Enter a whole number"),
            (("--count", "100001"), "Create 1 to 100,000"),
            (("--count", "2", "--prefix", "Ä"), "A prefix has"),
            (("AUTUMN20", "--amount", "120"), "at most 100"),
            (("AUTUMN20", "--amount", "ten"), "--amount: Enter a number"),
            (("AUTUMN20", "--amount", "nan"), "--amount: Enter a number"),
            (("AUTUMN20", "--amount", "0"), "more than 0"),
            (("AUTUMN20", "--discount-type", "half"), "invalid choice"),
            (("AUTUMN20", "--payment-type", "gift"), "invalid choice"),
            (("AUTUMN20", "--payment-type", "financial-assistance"), "for named people"),
            (("AUTUMN20", "--discount-type", "fixed-price", "--currency", "XYZ"), "not a currency"),
            (("AUTUMN20", "--discount-type", "dollars-off", "--amount", "1.005"), "2 decimals"),
            (("AUTUMN20", "--expires", "2020-01-01"), "has passed"),
            (("AUTUMN20", "--expires", "2090-02-30"), "--expires: Enter a day like 2027-06-30"),
            (("AUTUMN20", "--expires", "soon"), "--expires: Enter a day like 2027-06-30"),
            (("AUTUMN20", "--activates", "2090-02-03", "--expires", "2090-02-01"), "end before it starts"),
            (("AUTUMN20", "--product", "nothing"), "no product “nothing”"),
            (("AUTUMN20", "--for", "nobody"), "isn’t an e-mail address"),
            (("--assign", "nobody"), "isn’t an e-mail address"),
            (("AUTUMN20", "--max-uses", "-1"), "from 1 to 1,000,000"),
            (("AUTUMN20", "--max-uses", "2", "--one-time"), "not allowed with"),
            (("AUTUMN20", "--automatic"), "Use exactly one of"),
            (("--automatic", "--one-time"), "creates no code"),
        ],
    )
    def test_each_wrong_word_gets_its_sentence(self, arguments: tuple[str, ...], sentence: str) -> None:
        with pytest.raises(CommandError, match=sentence):
            discount_code(*MARKETING, *arguments)
        assert not Discount.objects.exists()

    def test_a_contracts_product_is_none_of_its_business(self) -> None:
        product = make_contract_run(make_contract()).product
        assert product is not None
        with pytest.raises(CommandError, match="no product"):
            discount_code("AUTUMN20", *MARKETING, "--product", product.sku)


class TestProducts:
    def test_made_changed_and_left(self) -> None:
        key = make_run().courseware_id
        out, said = run("create_product", key, "249", "--format", "json")
        assert said == f"Put “{key}” on sale for $249.00.\n"
        assert json.loads(out)[0]["price"] == "249.00"
        assert run("create_product", key, "249.00")[1] == f"Nothing to do: “{key}” already costs $249.00.\n"
        assert "It costs $260.00" in run("create_product", key, "260")[1]
        assert Product.objects.get().price_changes.count() == 2

    def test_asked_first_it_changes_nothing(self) -> None:
        key = make_run().courseware_id
        assert run("create_product", key, "249", "--dry-run")[1] == f"Would put “{key}” on sale for $249.00.\n"
        assert not Product.objects.exists()
        run("create_product", key, "249", "--inactive")
        assert "Would change" in run("create_product", key, "260", "--dry-run")[1]
        assert Product.objects.get().price == 249
        assert not Product.objects.get().is_active

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (("nothing", "1"), "no course run or program"),
            (("{key}", "cheap"), "isn’t a number"),
            (("{key}", "1.005"), "2 decimals"),
            (("{key}", "1", "--currency", "XYZ"), "not a currency"),
            (("{key}", "1", "--mode", "honor"), "invalid choice"),
            (("{key}", "1", "--sku", "a b"), "without spaces"),
        ],
    )
    def test_each_wrong_word_gets_its_sentence(self, arguments: tuple[str, ...], sentence: str) -> None:
        key = make_run().courseware_id
        with pytest.raises(CommandError, match=sentence):
            run("create_product", *(each.format(key=key) for each in arguments))
        assert not Product.objects.exists()

"""`refund_order` does what the desk does, once, and reports refusals as sentences."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from courses.models import Enrollment
from ecommerce.enums import OrderState, RefundState
from ecommerce.models import Order, Refund
from tests.ecommerce.tills import install_till
from tests.factories import make_product
from tests.factories.orders import make_paid_order

pytestmark = pytest.mark.django_db


def run(order: Order | str, *options: str) -> tuple[str, str]:
    """Return the command's output and messages."""
    out, err = StringIO(), StringIO()
    number = order if isinstance(order, str) else order.number
    call_command("refund_order", number, "--reason", "asked by phone", *options, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_the_whole_order_goes_back_once() -> None:
    order = make_paid_order(make_product(), make_product(price="149.00"))
    assert "$398.00 was refunded." in run(order, "--unenroll")[1]
    assert "was refunded" not in run(order, "--unenroll")[1]
    assert "Nothing is left" in run(order, "--keep")[1]
    order.refresh_from_db()
    assert order.state == OrderState.REFUNDED
    assert Refund.objects.count() == 1
    assert not Enrollment.objects.active().exists()


def test_a_dry_run_changes_nothing() -> None:
    order = make_paid_order(make_product())
    printed, said = run(order, "--unenroll", "--dry-run", "--format", "json")
    assert json.loads(printed)[0]["goes_back"] == "249.00 USD"
    assert "Would refund $249.00 through Sandbox (no real payment). Nothing was changed." in said
    assert not Refund.objects.exists()


def test_lines_are_named_by_place_key_or_sku() -> None:
    products = [make_product(), make_product(price="149.00"), make_product(price="99.00")]
    order = make_paid_order(*products)
    run(order, "--lines", "2", products[2].sku, "--audit")
    assert Refund.objects.get().amount == 248
    modes = sorted(Enrollment.objects.active().values_list("mode", flat=True))
    assert modes == ["audit", "audit", "verified"]


def test_the_same_amount_twice_is_meant_only_with_again() -> None:
    order = make_paid_order(make_product())
    run(order, "--amount", "10", "--keep")
    assert "This refund already exists: $10.00, refunded." in run(order, "--amount", "10", "--keep")[1]
    run(order, "--amount", "10", "--keep", "--again")
    assert order.attempts.get().refunded == 20


def test_a_failed_refund_can_be_retried(settings: Any) -> None:
    till = install_till(settings)
    till.says = ["no", "away", "pending"]
    order = make_paid_order(make_product(), gateway="till")
    with pytest.raises(CommandError, match=r"The gateway refused: The card was closed\."):
        run(order, "--unenroll")
    assert "The gateway hasn’t answered. $249.00 is set aside" in run(order, "--unenroll")[1]
    assert [refund.state for refund in Refund.objects.order_by("pk")] == [RefundState.FAILED, RefundState.SENT]
    other = make_paid_order(make_product(), gateway="till")
    assert "is on its way" in run(other, "--unenroll")[1]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--keep", "--amount", "ten"], "isn’t a number"),
        (["--keep", "--amount", "0"], "Enter an amount above zero in USD."),
        (["--keep", "--amount", "1.005"], "Amounts in USD have at most 2 decimals."),
        (["--keep", "--amount", "250"], "you can refund at most $249.00"),
        (["--keep", "--lines", "7"], "has no line 7. Its lines: 1: course-v1:"),
        ([], "one of the arguments --unenroll --audit --keep is required"),
        (["--keep", "--audit"], "not allowed with argument"),
    ],
)
def test_bad_input_is_one_sentence(options: list[str], sentence: str) -> None:
    order = make_paid_order(make_product())
    with pytest.raises(CommandError) as refused:
        run(order, *options)
    assert sentence in str(refused.value)
    assert not Refund.objects.exists()


def test_an_order_that_is_not_there_and_one_that_is_not_paid() -> None:
    with pytest.raises(CommandError, match=r"There is no order TS-1\."):
        run("TS-1", "--keep")
    with pytest.raises(CommandError, match="nothing left to refund"):
        run(make_paid_order(make_product(), state=OrderState.PENDING), "--keep")

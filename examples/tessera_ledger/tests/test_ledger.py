"""The ledger in a storefront that has the package installed and its routes set; see the README."""

from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import transaction
from tessera_ledger.models import LedgerEntry
from tessera_ledger.receivers import record_sale

from ecommerce.events import OrderFulfilled
from mitxonline.coordinator.bus import publish
from mitxonline.coordinator.models import Delivery, DeliveryState
from tests.factories import make_product
from tests.factories.orders import make_paid_order
from tests.support.broker import StartWorker, until

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
RECEIVER = "tessera_ledger.receivers.record_sale"


def make_sale(price: str) -> OrderFulfilled:
    order = make_paid_order(make_product(price=price))
    return OrderFulfilled(order_id=order.pk, purchaser_id=order.purchaser_id, number=order.number, at=NOON)


@pytest.mark.django_db
def test_each_sale_is_recorded_once_however_often_it_is_delivered() -> None:
    first, second = make_sale("249.00"), make_sale("99.50")
    assert [record_sale(event) for event in (first, second, first)] == ["recorded", "recorded", "was recorded before"]
    assert dict(LedgerEntry.objects.values_list("order_number", "amount")) == {
        first.number: Decimal("249.0000"),
        second.number: Decimal("99.5000"),
    }


def test_the_storefront_knows_the_receiver_and_finds_nothing_wrong() -> None:
    out = StringIO()
    call_command("commerce_routes", "list", stdout=out)
    assert RECEIVER in out.getvalue()
    assert run_checks(tags=["coordinator"]) == []


@pytest.mark.django_db(transaction=True)
def test_a_worker_records_the_sale_of_an_order(start_worker: StartWorker) -> None:
    start_worker()
    event = make_sale("249.00")
    with transaction.atomic():
        publish(event)
    until(lambda: Delivery.objects.filter(handler=RECEIVER, state=DeliveryState.DONE).exists())
    assert str(LedgerEntry.objects.get()) == f"{event.number}: 249.0000 USD"

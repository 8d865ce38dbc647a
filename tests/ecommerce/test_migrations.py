"""Data migrations, on rows from before."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.apps import apps
from django.apps.registry import Apps
from django.contrib.auth.models import Group, Permission
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import connection
from django.db.migrations import AddIndex
from django.db.migrations.executor import MigrationExecutor

from ecommerce.enums import ReviewCause
from ecommerce.models import DiscountCode, DiscountPerson, Order, PaymentAttempt
from tests.factories import NOON, make_code, make_discount, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _indexes_inside_the_tests_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    """Indexes that are built beside running work can't be built in a transaction, where tests are."""
    for name in ("database_forwards", "database_backwards"):
        monkeypatch.setattr(AddIndexConcurrently, name, getattr(AddIndex, name))


def migrate(name: str) -> Apps:
    """Migrate the shop's tables to this state inside the test's transaction; return its models."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # nothing waits for the commit: tables can be altered
    executor = MigrationExecutor(connection)
    executor.migrate([("ecommerce", name)])
    return MigrationExecutor(connection).loader.project_state([("ecommerce", name)]).apps


def find_order(**facts: str) -> Order:
    """Read the columns that there were then."""
    return Order.objects.only("review_cause", "state_reason").get(**facts)


SENTENCES = {
    "paid after the hold was over": ReviewCause.PAID_AFTER_HOLD,
    "paid 250.00 USD, asked 249.00 USD": ReviewCause.AMOUNT_DIFFERS,
    "paid 700000 JPY, asked 249.00 USD": ReviewCause.CURRENCY_DIFFERS,
    "already_enrolled: You already have “Soils”.": ReviewCause.HAS_COURSE,
    "code_used: This code has reached its limit.": ReviewCause.CODE_GONE,
    "contract_full: All seats are taken.": ReviewCause.REFUSED,
    "livemode: test money, or real money where only tests are meant": ReviewCause.IN_DOUBT,
    "reference: the session carries another try's": ReviewCause.IN_DOUBT,
    "the gateway does not know this payment": ReviewCause.PAYMENT_MISSING,
}


def test_sentences_that_were_compared_become_columns_and_sentences_again() -> None:
    buyer = make_user()
    old = migrate("0006_switched_off_codes_in_order")
    for number, (sentence, state) in enumerate([*((each, "review") for each in SENTENCES), ("test", "canceled")]):
        old.get_model("ecommerce", "Order").objects.create(
            number=f"TS-{number}", purchaser_id=buyer.pk, state=state, currency="USD", list_total=249,
            discount_total=0, total=249, fingerprint="x", placed_at=NOON, state_reason=sentence,
        )  # fmt: skip
    for number, note in enumerate(["the buyer came back, the gateway did not answer", "replaced by a newer try"]):
        old.get_model("ecommerce", "PaymentAttempt").objects.create(
            order_id=old.get_model("ecommerce", "Order").objects.get(number=f"TS-{number}").pk, gateway="stripe",
            idempotency_key=f"k{number}", amount=249, currency="USD", started_at=NOON, note=note,
        )  # fmt: skip
    migrate("0007_why_orders_are_in_review")
    causes = dict(Order.objects.filter(state="review").values_list("number", "review_cause"))
    assert causes == {f"TS-{number}": cause for number, cause in enumerate(SENTENCES.values())}
    assert find_order(number="TS-0").explanation == "Paid after its codes and seats were released"
    assert find_order(state="canceled").explanation == "test"
    details = dict(Order.objects.filter(state="review").values_list("number", "state_reason"))
    assert (details["TS-3"], details["TS-4"]) == ("You already have “Soils”.", "This code has reached its limit.")
    assert details["TS-7"] == "reference: the session carries another try's"
    assert list(PaymentAttempt.objects.order_by("pk").values_list("came_back_at", "note")) == [
        (NOON, ""),
        (None, "replaced by a newer try"),
    ]
    before = migrate("0006_switched_off_codes_in_order")
    said = before.get_model("ecommerce", "Order").objects.order_by("pk").values_list("state_reason", flat=True)
    assert said[0] == "paid after the hold was over"
    assert said[1] == "paid 250.00 USD, asked 249.00 USD"
    assert (said[3], said[4]) == ("already_enrolled: You already have “Soils”.", list(SENTENCES)[4])
    assert before.get_model("ecommerce", "PaymentAttempt").objects.filter(note__contains="came back").count() == 1
    migrate("0007_why_orders_are_in_review")


def test_a_permission_that_has_both_names_is_one_again() -> None:
    migration = import_module("ecommerce.migrations.0015_american_spelling")
    renamed = Permission.objects.get(codename="fulfill_order")
    twin = Permission.objects.create(content_type=renamed.content_type, codename="fulfil_order", name="before")
    groups = [Group.objects.create(name=f"desk {permission.codename}") for permission in (renamed, twin)]
    for group, permission in zip(groups, (renamed, twin), strict=True):
        group.permissions.add(permission)
    person = make_user()
    person.user_permissions.add(renamed)
    migration.to_british(apps, None)
    migration.to_american(apps, None)
    assert {each.codename for each in Permission.objects.filter(codename__startswith="fulfil")} == {"fulfill_order"}
    assert [each.permissions.get().codename for each in groups] == ["fulfill_order", "fulfill_order"]
    assert person.user_permissions.get().codename == "fulfill_order"


def test_addresses_of_codes_and_people_are_written_in_letters() -> None:
    discount, other = make_discount(), make_discount()
    for each in (discount, other):
        DiscountPerson.objects.create(discount=each, email="a@xn--mller-kva.example", added_at=NOON)
    DiscountPerson.objects.create(discount=other, email="a@müller.example", added_at=NOON)
    codes = [make_code(assigned_email=f"{name}@xn--mller-kva.example") for name in "ab"]
    plain = make_code(assigned_email="c@plain.example")
    broken = make_code(assigned_email="c@xn--\u00e4.example")
    import_module("ecommerce.migrations.0027_domains_in_letters").decode_domains(apps, None)
    assert list(discount.people.values_list("email", flat=True)) == ["a@müller.example"]
    # Both spellings were listed: nothing is lost, and nothing twice.
    assert set(other.people.values_list("email", flat=True)) == {"a@xn--mller-kva.example", "a@müller.example"}
    found = [DiscountCode.objects.get(pk=code.pk).assigned_email for code in (*codes, plain, broken)]
    assert found == ["a@müller.example", "b@müller.example", "c@plain.example", "c@xn--\u00e4.example"]

"""A rule for discounts and products exists once: the form, the command and the model refuse with the same sentence."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db.models import Model
from django.utils import timezone

from ecommerce.errors.admin import DiscountRefused
from ecommerce.forms.discounts import NewDiscountForm
from ecommerce.models import Discount, DiscountCode, Product
from ecommerce.selectors.discount_access import OPERATOR
from ecommerce.services.discounts.discounts import create_discount
from ecommerce.services.discounts.validation import DiscountDraft, NewCodes
from ecommerce.wagtail_hooks.products import ProductViewSet
from tests.factories import NOON, make_course, make_run, make_user

pytestmark = pytest.mark.django_db

GOOD = {
    "name": "Autumn",
    "discount_type": "percent_off",
    "amount": "20",
    "currency": "USD",
    "payment_type": "marketing",
    "scope": "all",
    "audience": "all",
    "codes": "one",
    "code": "AUTUMN20",
    "often": "unlimited",
}


def day(text: str) -> datetime:
    return timezone.make_aware(datetime.fromisoformat(text))


def form_errors(**fields: Any) -> dict[str, list[str]]:
    form = NewDiscountForm(GOOD | fields, access=OPERATOR)
    return {field: [str(message) for message in messages] for field, messages in form.errors.items()}


def command_errors(command: str, *arguments: str) -> str:
    with pytest.raises(CommandError) as refused:
        call_command(command, *arguments)
    return str(refused.value)


def model_errors(instance: Model, *fields: str) -> list[str]:
    """The messages of a row at these fields, its constraints left to the database."""
    with pytest.raises(ValidationError) as refused:
        instance.full_clean(validate_unique=False, validate_constraints=False)
    return [message for field in fields for message in refused.value.message_dict.get(field, ())]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"amount": "120"}, "amount"),
        ({"amount": "0"}, "amount"),
        ({"amount": "-1"}, "amount"),
        ({"amount": "1.2345"}, "amount"),
        ({"discount_type": "amount_off", "amount": "1.005"}, "amount"),
        ({"discount_type": "amount_off", "amount": "0"}, "amount"),
        ({"discount_type": "fixed_price", "amount": "100000000"}, "amount"),
        ({"discount_type": "fixed_price", "amount": "10", "currency": "XYZ"}, "currency"),
        ({"name": "a\tb"}, "name"),
    ],
)
def test_a_discounts_columns(fields: dict[str, str], field: str) -> None:
    values = GOOD | fields
    if values["discount_type"] == "percent_off":
        values["currency"] = ""
    columns = ("name", "discount_type", "currency", "payment_type")
    row = Discount(amount=Decimal(values["amount"]), **{name: values[name] for name in columns})
    messages = model_errors(row, field)
    assert messages
    assert form_errors(**fields) == {field: messages}
    options = {f"--{name.replace('_', '-')}": value for name, value in fields.items()}
    options["--discount-type"] = values["discount_type"].replace("_", "-")
    arguments = {"--amount": "20", "--payment-type": "marketing"} | options
    words = [word for pair in arguments.items() for word in pair]
    said = command_errors("generate_discount_code", "AUTUMN20", *words)
    assert said == "\n".join(f"--{field}: {message}" for message in messages)
    assert refusal(amount=row.amount, **{name: values[name] for name in columns}) == (field, messages[0])


def refusal(**fields: Any) -> tuple[str, str]:
    """What the service says to a draft that passed no form."""
    draft = DiscountDraft(for_all_products=True, **fields)
    with pytest.raises(DiscountRefused) as refused:
        create_discount(draft=draft, codes=NewCodes(text="AUTUMN20"), access=OPERATOR, now=NOON)
    return refused.value.field, str(refused.value)


def test_a_discounts_dates() -> None:
    first, last = "2090-02-03", "2090-02-01"
    row = Discount(
        name="x", discount_type="percent_off", amount=Decimal(20), payment_type="staff",
        activates_at=day(first), expires_at=day(last),
    )  # fmt: skip
    messages = model_errors(row, "expires_at")
    assert messages
    assert form_errors(activates_at=first, expires_at=last) == {"expires_at": messages}
    said = command_errors(
        "generate_discount_code", "AUTUMN20", "--amount", "20", "--payment-type", "staff",
        "--activates", first, "--expires", last,
    )  # fmt: skip
    assert said == f"--expires: {messages[0]}"


def test_a_discount_is_for_groups_only_where_someone_says_so() -> None:
    row, draft = (
        Discount(),
        DiscountDraft(name="x", discount_type="percent_off", amount=Decimal(20), payment_type="staff"),
    )
    field = NewDiscountForm.base_fields["for_groups"]
    assert (row.for_groups, draft.for_groups, draft.columns()["for_groups"]) == (False, False, False)
    assert str(field.help_text) == str(Discount._meta.get_field("for_groups").help_text)
    for data, expected in ((GOOD, False), (GOOD | {"for_groups": "on"}, True)):
        form = NewDiscountForm(data, access=OPERATOR)
        assert form.is_valid()
        assert form.get_draft().for_groups is expected


@pytest.mark.parametrize("text", ["X1", "AB CD", "x" * 101])
def test_a_codes_text(text: str) -> None:
    messages = model_errors(DiscountCode(text=text), "text")
    assert messages
    assert form_errors(code=text) == {"code": messages}
    said = command_errors("generate_discount_code", text, "--amount", "20", "--payment-type", "staff", "--name", "x")
    assert said == f"CODE: {messages[0]}"


@pytest.mark.parametrize("number", ["0", "1000001"])
def test_a_codes_limit(number: str) -> None:
    messages = model_errors(DiscountCode(text="AUTUMN20", max_uses=int(number)), "max_uses")
    assert messages
    assert form_errors(often="limited", max_uses=number) == {"max_uses": messages}
    said = command_errors(
        "generate_discount_code", "AUTUMN20", "--amount", "20", "--payment-type", "staff", "--max-uses", number
    )
    assert said == f"--max-uses: {messages[0]}"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"price": "1.005"}, "price"),
        ({"price": "-1"}, "price"),
        ({"price": "100000000"}, "price"),
        ({"currency": "XYZ"}, "currency"),
        ({"sku": "a b"}, "sku"),
        ({"run": "source"}, "course_run"),
    ],
)
def test_a_products_rules_hold_in_model_and_form(fields: dict[str, str], field: str) -> None:
    values = {"price": "249", "currency": "USD", "sku": "PY101"} | fields
    run = make_run(make_course(), tag="SOURCE") if values.pop("run", "") else make_run()
    row = Product(course_run=run, mode="verified", **(values | {"price": Decimal(values["price"])}))
    messages = model_errors(row, field)
    assert messages
    form_class = ProductViewSet.edit_handler.bind_to_model(Product).get_form_class()
    form = form_class(values | {"course_run": run.pk, "mode": "verified"}, for_user=make_user())
    assert messages[0] in form.errors[field]
    said = command_errors(
        "create_product", run.courseware_id, f"--sku={values['sku']}", f"--currency={values['currency']}",
        "--", values["price"],
    )  # fmt: skip
    assert said == messages[0]
    assert not Product.objects.filter(course_run=run).exists()

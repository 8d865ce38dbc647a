"""One verdict decides about a code; only the write that takes a use may refuse as well."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from pytest_django import DjangoAssertNumQueries

from ecommerce.errors.codes import CodeSwitchedOff
from ecommerce.models import DiscountCode
from ecommerce.selectors.basket_prices import price_current_basket
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.services.baskets.baskets import add_products, apply_code
from tests.factories import (
    NOON,
    codes_of,
    make_code,
    make_contract,
    make_contract_run,
    make_discount,
    make_product,
    make_user,
)

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).resolve().parents[2]
JUDGES = {"ecommerce/selectors/codes.py", "ecommerce/services/discounts/codes.py"}
REFUSALS = {"CodeNotYetValid", "CodeExpired", "CodeSwitchedOff", "CodeInUse"}


def test_only_the_verdict_says_that_a_code_is_over_off_or_in_use() -> None:
    elsewhere = []
    for app in ("api", "b2b", "cms", "courses", "ecommerce", "frontend", "mitxonline", "reports"):
        for path in sorted((ROOT / app).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if name in JUDGES:
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") in REFUSALS:
                    elsewhere.append(f"{name}:{node.lineno}")
    assert elsewhere == []


def test_a_refused_discount_code_is_looked_up_and_judged_once(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    owner = BasketOwner(user_id=make_user().pk)
    add_products(owner=owner, product_ids=[make_product().pk], now=NOON)
    code = make_code(make_discount())
    DiscountCode.objects.filter(pk=code.pk).update(active=False)
    with django_assert_num_queries(9), pytest.raises(CodeSwitchedOff):
        apply_code(owner=owner, text=code.text, user_id=owner.user_id, now=NOON)


def test_the_cart_names_the_organization_of_a_code_that_stopped_working(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    owner = BasketOwner(user_id=make_user().pk)
    run = make_contract_run(make_contract(seats=1), codes=1)
    add_products(owner=owner, product_ids=[run.product_id or 0], now=NOON)
    code = codes_of(run)[0]
    apply_code(owner=owner, text=code.text, user_id=owner.user_id, now=NOON)
    DiscountCode.objects.update(active=False)
    with django_assert_num_queries(17), pytest.raises(CodeSwitchedOff) as refused:
        apply_code(owner=owner, text=code.text, user_id=owner.user_id, now=NOON)
    priced = price_current_basket(owner, user_id=owner.user_id, now=NOON)
    assert [str(verdict.refusal) for verdict in priced.codes] == [str(refused.value)]
    assert "Northgate Health" in str(refused.value)

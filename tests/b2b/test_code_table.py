"""The decision table, row by row, without a database."""

import pytest

from b2b.enums import IntegrationType
from b2b.models import ContractTerms
from b2b.services.products.targets import CodeChange, Stock, decide, decide_removed

SSO, NON_SSO = IntegrationType.SSO, IntegrationType.NON_SSO
NOTHING = CodeChange()


def terms(
    kind: IntegrationType, *, cap: int | None = None, price: int | None = None, active: bool = True
) -> ContractTerms:
    return ContractTerms(integration_type=kind, max_learners=cap, price=price, currency="USD", active=active)


NEEDING_CODES = [(NON_SSO, None), (NON_SSO, 10), (SSO, 10)]


@pytest.mark.parametrize(("kind", "price"), NEEDING_CODES)
@pytest.mark.parametrize(
    ("stock", "change"),
    [
        (Stock(), CodeChange(make=1)),
        (Stock(total=4, spare=4), CodeChange(switch_on=1)),
        (Stock(total=4, spare=0), CodeChange(make=1)),
        (Stock(total=1, active=1), NOTHING),
        (Stock(total=9, active=5, limited=5), CodeChange(unlimit=5)),
        (Stock(total=9, active=5, limited=2), CodeChange(unlimit=2)),
    ],
)
def test_without_a_cap_one_code_without_limit_is_enough(
    kind: IntegrationType, price: int | None, stock: Stock, change: CodeChange
) -> None:
    assert decide(terms(kind, price=price), stock) == change


@pytest.mark.parametrize(("kind", "price"), NEEDING_CODES)
@pytest.mark.parametrize(
    ("stock", "change"),
    [
        (Stock(), CodeChange(make=5)),
        (Stock(total=5, active=5, counting=5), NOTHING),
        (Stock(total=3, active=3, counting=3), CodeChange(make=2)),
        (Stock(total=9, active=3, counting=3, spare=1), CodeChange(switch_on=1, make=1)),
        (Stock(total=9, active=3, counting=3, spare=6), CodeChange(switch_on=2)),
        (Stock(total=8, active=8, counting=8, idle=8), CodeChange(switch_off=3)),
        (Stock(total=8, active=8, counting=8, idle=1), CodeChange(switch_off=1)),
        (Stock(total=8, active=8, counting=8, idle=0), NOTHING),
        (Stock(total=5, active=5, counting=4), CodeChange(make=1)),
        (Stock(total=1, active=1, counting=1, loose=1), CodeChange(limit=1, make=4)),
    ],
)
def test_with_a_cap_there_is_a_code_for_each_seat(
    kind: IntegrationType, price: int | None, stock: Stock, change: CodeChange
) -> None:
    assert decide(terms(kind, price=price, cap=5), stock) == change


def test_free_uncapped_single_sign_on_keeps_only_used_codes() -> None:
    assert decide(terms(SSO), Stock(total=9, active=9, unwanted=6, past=1)) == CodeChange(delete=6, retire=1)
    assert decide(terms(SSO), Stock()) == NOTHING


def test_single_sign_on_without_price_but_with_a_cap_leaves_codes_alone() -> None:
    assert decide(terms(SSO, cap=5), Stock(total=9, active=9, unwanted=6, past=1, loose=4)) == NOTHING


@pytest.mark.parametrize(("kind", "price"), [*NEEDING_CODES, (SSO, None)])
@pytest.mark.parametrize("cap", [None, 5])
def test_an_inactive_contract_changes_nothing(kind: IntegrationType, price: int | None, cap: int | None) -> None:
    stock = Stock(total=9, active=7, counting=7, limited=3, loose=3, spare=2, idle=5, unwanted=4, past=1)
    assert decide(terms(kind, price=price, cap=cap, active=False), stock) == NOTHING


def test_a_removed_run_opens_nothing_that_was_not_redeemed() -> None:
    assert decide_removed(Stock(unredeemed=4)) == CodeChange(withdraw=4)


def test_changes_add_up() -> None:
    total = CodeChange(make=2, switch_off=1) + CodeChange(make=3, limit=1)
    assert total == CodeChange(make=5, switch_off=1, limit=1)
    assert total.total == 7
    assert not NOTHING

"""Baskets: ordinary and link, anonymous and of an account, with codes."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from ecommerce.enums import BasketKind, DiscountType, RedemptionType
from ecommerce.errors.checkout import BasketEmpty, ProductUnknown, SeveralCurrencies
from ecommerce.errors.codes import (
    CodeExpired,
    CodeForAnotherProduct,
    CodeMissing,
    CodeNotBetter,
    CodeNotYetValid,
    CodeRefused,
    CodeSwitchedOff,
    CodeUnknown,
)
from ecommerce.models import Basket, BasketItem, DiscountCode, Order, Product
from ecommerce.selectors.basket_prices import PricedBasket, price_current_basket
from ecommerce.selectors.baskets import BasketOwner, cart_count, cart_note
from ecommerce.services.baskets.baskets import (
    add_products,
    apply_code,
    claim_baskets,
    drop_forgotten_baskets,
    keep_for_later,
    leave_link_basket,
    move_to_cart,
    remove_code,
    remove_product,
    settle_shown_basket,
)
from mitxonline.kernel.money import Money
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


def usd(amount: str | int) -> Money:
    return Money(amount, "USD")


@pytest.fixture
def visitor() -> BasketOwner:
    return BasketOwner(token=uuid.uuid4())


def cart(owner: BasketOwner, *, now=NOON) -> PricedBasket:  # type: ignore[no-untyped-def]
    return price_current_basket(owner, user_id=owner.user_id, now=now)


def titles(owner: BasketOwner) -> list[int]:
    return [line.product.pk for line in cart(owner).lines]


def test_adding_twice_is_there_once(visitor: BasketOwner) -> None:
    product = make_product()
    for _click in range(2):
        add_products(owner=visitor, product_ids=[product.pk], now=NOON)
    assert titles(visitor) == [product.pk]
    assert cart_count(visitor, now=NOON) == 1


@pytest.mark.parametrize("known", [True, False])
def test_an_unknown_product_changes_nothing(visitor: BasketOwner, known: bool) -> None:
    product, other = make_product(), make_product(is_active=False)
    add_products(owner=visitor, product_ids=[product.pk], now=NOON)
    wanted = [make_product().pk] if known else []
    with pytest.raises(ProductUnknown):
        add_products(owner=visitor, product_ids=[*wanted, other.pk], now=NOON)
    assert titles(visitor) == [product.pk]


def test_a_contract_product_opens_a_link_basket_and_the_ordinary_one_waits(visitor: BasketOwner) -> None:
    plain, run = make_product(), make_contract_run(make_contract(seats=1), codes=1)
    add_products(owner=visitor, product_ids=[plain.pk], now=NOON)
    add_products(owner=visitor, product_ids=[run.product_id or 0], now=NOON)
    priced = cart(visitor)
    assert (priced.is_link, priced.other_basket_count) == (True, 1)
    assert [line.product.pk for line in priced.lines] == [run.product_id]
    assert priced.needs_code
    assert not priced.can_check_out
    leave_link_basket(owner=visitor, now=NOON)
    assert titles(visitor) == [plain.pk]


def test_a_link_basket_is_left_after_a_day(visitor: BasketOwner) -> None:
    plain, run = make_product(), make_contract_run(make_contract())
    add_products(owner=visitor, product_ids=[plain.pk], now=NOON)
    add_products(owner=visitor, product_ids=[run.product_id or 0], now=NOON)
    assert cart(visitor, now=NOON + timedelta(hours=23)).is_link
    assert not cart(visitor, now=NOON + timedelta(hours=25)).is_link


def test_a_second_link_replaces_the_first(visitor: BasketOwner) -> None:
    contract = make_contract(seats=1)
    one, other = make_contract_run(contract, codes=1), make_contract_run(contract, codes=1)
    add_products(owner=visitor, product_ids=[one.product_id or 0], now=NOON)
    apply_code(owner=visitor, text=codes_of(one)[0].text, user_id=None, now=NOON)
    add_products(owner=visitor, product_ids=[other.product_id or 0], now=NOON)
    assert titles(visitor) == [other.product_id]
    assert cart(visitor).codes == ()


def test_the_same_link_again_keeps_the_code(visitor: BasketOwner) -> None:
    run = make_contract_run(make_contract(seats=1), codes=1)
    add_products(owner=visitor, product_ids=[run.product_id or 0], now=NOON)
    apply_code(owner=visitor, text=codes_of(run)[0].text, user_id=None, now=NOON)
    add_products(owner=visitor, product_ids=[run.product_id or 0], now=NOON)
    assert cart(visitor).can_check_out


def test_emptying_a_link_basket_brings_the_ordinary_one_back(visitor: BasketOwner) -> None:
    plain, run = make_product(), make_contract_run(make_contract())
    add_products(owner=visitor, product_ids=[plain.pk], now=NOON)
    add_products(owner=visitor, product_ids=[run.product_id or 0], now=NOON)
    remove_product(owner=visitor, product_id=run.product_id or 0, now=NOON)
    assert titles(visitor) == [plain.pk]
    assert not Basket.objects.filter(kind=BasketKind.LINK).exists()


def test_its_own_code_opens_checkout_at_nothing_to_pay(visitor: BasketOwner) -> None:
    run = make_contract_run(make_contract(seats=1), codes=1)
    add_products(owner=visitor, product_ids=[run.product_id or 0], now=NOON)
    priced = apply_code(owner=visitor, text=f"  {codes_of(run)[0].text.upper()} ", user_id=None, now=NOON)
    assert priced.can_check_out
    assert priced.total == usd(0)
    assert priced.lines[0].provider == "Northgate Health"


def test_signed_out_every_code_that_does_not_work_gets_the_same_answer(visitor: BasketOwner) -> None:
    contract = make_contract(seats=1)
    run, other = make_contract_run(contract, codes=2), make_contract_run(contract, codes=1)
    off = codes_of(run)[1]
    DiscountCode.objects.filter(pk=off.pk).update(active=False)
    ended = make_code(make_discount(expires_at=NOON - timedelta(days=1), activates_at=NOON - timedelta(days=9)))
    add_products(owner=visitor, product_ids=[run.product_id or 0], now=NOON)
    for text in ["no-such-code", off.text, codes_of(other)[0].text, ended.text]:
        with pytest.raises(CodeUnknown):
            apply_code(owner=visitor, text=text, user_id=None, now=NOON)
    assert titles(visitor) == [run.product_id]


def test_signed_in_the_answer_says_which() -> None:
    user = make_user()
    owner = BasketOwner(user_id=user.pk)
    contract = make_contract(seats=1)
    run, other = make_contract_run(contract, codes=2), make_contract_run(contract, codes=1)
    off = codes_of(run)[1]
    DiscountCode.objects.filter(pk=off.pk).update(active=False)
    ended = make_code(make_discount(expires_at=NOON - timedelta(days=1)))
    early = make_code(make_discount(activates_at=NOON + timedelta(days=1)))
    add_products(owner=owner, product_ids=[run.product_id or 0], now=NOON)
    answers: dict[str, type[CodeRefused]] = {
        "": CodeMissing,
        "nothing": CodeUnknown,
        off.text: CodeSwitchedOff,
        codes_of(other)[0].text: CodeForAnotherProduct,
        ended.text: CodeExpired,
        early.text: CodeNotYetValid,
    }
    for text, refusal in answers.items():
        with pytest.raises(refusal):
            apply_code(owner=owner, text=text, user_id=user.pk, now=NOON)


def test_a_code_switched_off_names_the_organization() -> None:
    user = make_user()
    owner = BasketOwner(user_id=user.pk)
    run = make_contract_run(make_contract(seats=1), codes=1)
    DiscountCode.objects.update(active=False)
    add_products(owner=owner, product_ids=[run.product_id or 0], now=NOON)
    with pytest.raises(CodeSwitchedOff, match="Ask Northgate Health for a new one"):
        apply_code(owner=owner, text=codes_of(run)[0].text, user_id=user.pk, now=NOON)


def test_no_other_discount_touches_a_contract_line() -> None:
    owner = BasketOwner(user_id=make_user().pk)
    run = make_contract_run(make_contract(seats=1, price="49"), codes=1)
    make_discount(amount="100", automatic=True)
    everything = make_code(make_discount(amount="100"), text="FREE4ALL")
    add_products(owner=owner, product_ids=[run.product_id or 0], now=NOON)
    with pytest.raises(CodeForAnotherProduct):
        apply_code(owner=owner, text=everything.text, user_id=owner.user_id, now=NOON)
    priced = apply_code(owner=owner, text=codes_of(run)[0].text, user_id=owner.user_id, now=NOON)
    assert priced.total == usd(49)


def test_only_matching_lines_get_cheaper_and_a_worse_code_is_kept(visitor: BasketOwner) -> None:
    one, other = make_product(price="200"), make_product(price="100")
    half = make_code(make_discount(amount="50", products=[one]), text="HALF")
    tenth = make_code(make_discount(amount="10", products=[one]), text="TENTH")
    add_products(owner=visitor, product_ids=[one.pk, other.pk], now=NOON)
    assert apply_code(owner=visitor, text=half.text, user_id=None, now=NOON).total == usd(200)
    with pytest.raises(CodeNotBetter):
        apply_code(owner=visitor, text=tenth.text, user_id=None, now=NOON)
    assert [each.code for each in cart(visitor).codes] == [half]


def test_an_exhausted_code_in_the_basket_is_reported(visitor: BasketOwner) -> None:
    product = make_product(price="200")
    code = make_code(make_discount(amount="50"), text="ONCE", max_uses=1)
    add_products(owner=visitor, product_ids=[product.pk], now=NOON)
    apply_code(owner=visitor, text=code.text, user_id=None, now=NOON)
    DiscountCode.objects.filter(pk=code.pk).update(uses=1)
    priced = cart(visitor)
    assert priced.total == usd(200)
    assert priced.codes[0].refusal is not None


def test_removing_a_code_brings_the_price_back(visitor: BasketOwner) -> None:
    product = make_product(price="200")
    code = make_code(make_discount(kind=DiscountType.FIXED_PRICE, amount="20"), text="TWENTY")
    add_products(owner=visitor, product_ids=[product.pk], now=NOON)
    apply_code(owner=visitor, text=code.text, user_id=None, now=NOON)
    remove_code(owner=visitor, code_id=code.pk, now=NOON)
    assert cart(visitor).total == usd(200)


def test_a_code_without_a_basket_says_the_same_whether_it_exists_or_not(visitor: BasketOwner) -> None:
    for text in [make_code().text, "nothing"]:
        with pytest.raises(BasketEmpty):
            apply_code(owner=visitor, text=text, user_id=None, now=NOON)


def test_at_sign_in_the_baskets_are_joined_and_nothing_is_lost(visitor: BasketOwner) -> None:
    user = make_user()
    account = BasketOwner(user_id=user.pk)
    old, new, both = make_product(), make_product(), make_product()
    code = make_code(make_discount(redemption_type=RedemptionType.UNLIMITED), text="TENOFF")
    add_products(owner=account, product_ids=[old.pk, both.pk], now=NOON)
    add_products(owner=visitor, product_ids=[new.pk, both.pk], now=NOON)
    apply_code(owner=visitor, text=code.text, user_id=None, now=NOON)
    for _time in range(2):
        claim_baskets(token=visitor.token or uuid.uuid4(), user_id=user.pk, now=NOON)
    assert set(titles(account)) == {old.pk, new.pk, both.pk}
    assert [each.code for each in cart(account).codes] == [code]
    assert not Basket.objects.filter(token__isnull=False).exists()


def test_at_sign_in_a_link_of_yesterday_takes_nothing_away(visitor: BasketOwner) -> None:
    account = BasketOwner(user_id=make_user().pk)
    older, newer = (make_contract_run(make_contract(name=name)) for name in ("Older", "Newer"))
    add_products(owner=visitor, product_ids=[older.product_id or 0], now=NOON - timedelta(hours=25))
    add_products(owner=account, product_ids=[newer.product_id or 0], now=NOON)
    claim_baskets(token=visitor.token or uuid.uuid4(), user_id=account.user_id or 0, now=NOON)
    assert titles(account) == [newer.product_id]
    assert Basket.objects.count() == 1


def test_unreachable_baskets_are_deleted(visitor: BasketOwner) -> None:
    account, old, later = BasketOwner(user_id=make_user().pk), NOON - timedelta(days=90), NOON - timedelta(days=30)
    other = BasketOwner(token=uuid.uuid4())
    for owner in (visitor, other, account):
        add_products(owner=owner, product_ids=[make_product().pk], now=old)
    add_products(owner=other, product_ids=[make_product().pk], now=later)
    drop_forgotten_baskets(now=NOON)
    assert {basket.token or basket.user_id for basket in Basket.objects.all()} == {other.token, account.user_id}


def test_at_sign_in_a_link_basket_becomes_current_and_is_never_merged(visitor: BasketOwner) -> None:
    user = make_user()
    account = BasketOwner(user_id=user.pk)
    plain = make_product()
    contract = make_contract(seats=3)
    older, newer = make_contract_run(contract, codes=1), make_contract_run(contract, codes=1)
    add_products(owner=account, product_ids=[plain.pk], now=NOON)
    add_products(owner=account, product_ids=[older.product_id or 0], now=NOON)
    add_products(owner=visitor, product_ids=[newer.product_id or 0], now=NOON)
    apply_code(owner=visitor, text=codes_of(newer)[0].text, user_id=None, now=NOON)
    claim_baskets(token=visitor.token or uuid.uuid4(), user_id=user.pk, now=NOON)
    priced = cart(account)
    assert [line.product.pk for line in priced.lines] == [newer.product_id]
    assert priced.can_check_out
    assert priced.other_basket_count == 1


def waiting(owner: BasketOwner) -> list[int]:
    return [line.product.pk for line in cart(owner).aside]


def test_items_saved_for_later_do_not_count_and_can_return(visitor: BasketOwner) -> None:
    one, other = make_product(price="200"), make_product(price="100")
    add_products(owner=visitor, product_ids=[one.pk, other.pk], now=NOON)
    for _click in range(2):
        keep_for_later(owner=visitor, product_id=one.pk, now=NOON)
    assert (titles(visitor), waiting(visitor), cart(visitor).total) == ([other.pk], [one.pk], usd(100))
    assert cart_count(visitor, now=NOON) == 1
    for _click in range(2):
        move_to_cart(owner=visitor, product_id=one.pk, now=NOON)
    assert cart(visitor).total == usd(300)
    keep_for_later(owner=visitor, product_id=one.pk, now=NOON)
    add_products(owner=visitor, product_ids=[one.pk], now=NOON)  # asked for again, it is wanted again
    assert waiting(visitor) == []


def test_items_saved_for_later_can_be_removed(visitor: BasketOwner) -> None:
    product = make_product()
    add_products(owner=visitor, product_ids=[product.pk], now=NOON)
    keep_for_later(owner=visitor, product_id=product.pk, now=NOON)
    remove_product(owner=visitor, product_id=product.pk, now=NOON)
    assert not BasketItem.objects.exists()


def test_unavailable_items_are_set_aside_and_reported(visitor: BasketOwner) -> None:
    gone, stays = make_product(price="200"), make_product(price="100")
    add_products(owner=visitor, product_ids=[gone.pk, stays.pk], now=NOON)
    Product.objects.filter(pk=gone.pk).update(is_active=False)
    priced = cart(visitor)
    assert ([line.product for line in priced.lines], priced.total, priced.can_check_out) == ([stays], usd(100), True)
    assert [(line.product, line.is_kept) for line in priced.aside] == [(gone, False)]
    assert "is no longer available" in str(priced.aside[0].refusal)
    settle_shown_basket(priced, now=NOON)
    Product.objects.filter(pk=gone.pk).update(is_active=True)
    (aside,) = cart(visitor).aside  # it waits until the buyer says otherwise
    assert (aside.is_kept, aside.refusal) == (True, None)


def test_one_basket_one_currency(visitor: BasketOwner) -> None:
    dollars, yen = make_product(price="100"), make_product(price="9000", currency="JPY", mode="audit")
    add_products(owner=visitor, product_ids=[dollars.pk], now=NOON)
    with pytest.raises(SeveralCurrencies, match="is sold in JPY, and your cart has prices in USD"):
        add_products(owner=visitor, product_ids=[yen.pk], now=NOON)
    with pytest.raises(SeveralCurrencies):
        add_products(owner=BasketOwner(token=uuid.uuid4()), product_ids=[dollars.pk, yen.pk], now=NOON)
    assert titles(visitor) == [dollars.pk]
    assert Basket.objects.count() == 1
    keep_for_later(owner=visitor, product_id=dollars.pk, now=NOON)
    add_products(owner=visitor, product_ids=[yen.pk], now=NOON)
    with pytest.raises(SeveralCurrencies):
        move_to_cart(owner=visitor, product_id=dollars.pk, now=NOON)
    assert cart(visitor).total == Money(9000, "JPY")


def test_merging_at_sign_in_reports_items_and_sets_aside_another_currency(visitor: BasketOwner) -> None:
    user = make_user()
    account = BasketOwner(user_id=user.pk)
    old, both, new = make_product(), make_product(), make_product()
    add_products(owner=account, product_ids=[old.pk, both.pk], now=NOON)
    add_products(owner=visitor, product_ids=[both.pk, new.pk], now=NOON)
    token = visitor.token or uuid.uuid4()
    joined = claim_baskets(token=token, user_id=user.pk, now=NOON)
    assert (joined.came, joined.there, joined.set_aside) == (1, 2, 0)
    assert claim_baskets(token=token, user_id=user.pk, now=NOON).came == 0
    yen = make_product(price="9000", currency="JPY")
    add_products(owner=visitor, product_ids=[yen.pk], now=NOON)
    joined = claim_baskets(token=token, user_id=user.pk, now=NOON)
    assert (joined.came, joined.there, joined.set_aside) == (1, 0, 3)
    assert titles(account) == [yen.pk]
    assert set(waiting(account)) == {old.pk, both.pk, new.pk}


def test_a_sku_whose_plus_became_a_blank_is_still_known(visitor: BasketOwner) -> None:
    product = make_product()
    add_products(owner=visitor, skus=[product.sku.replace("+", " ")], now=NOON)
    assert titles(visitor) == [product.pk]


@pytest.mark.parametrize(("sku", "named"), [("NOTHING-1", True), ("Call <b>0900</b> now", False), ("x" * 65, False)])
def test_an_unknown_sku_is_named_where_it_looks_like_one(visitor: BasketOwner, sku: str, named: bool) -> None:
    with pytest.raises(ProductUnknown) as refusal:
        add_products(owner=visitor, skus=[make_product().sku, sku], now=NOON)
    assert (sku in str(refusal.value)) is named
    assert not Basket.objects.exists()


def test_the_headers_total_is_what_was_shown_and_never_an_old_one(visitor: BasketOwner) -> None:
    product = make_product(price="200")
    add_products(owner=visitor, product_ids=[product.pk], now=NOON)
    assert (cart_note(visitor, now=NOON).count, cart_note(visitor, now=NOON).total) == (1, None)
    settle_shown_basket(cart(visitor), now=NOON)
    assert cart_note(visitor, now=NOON).total == usd(200)
    assert cart_note(visitor, now=NOON + timedelta(hours=2)).total is None
    add_products(owner=visitor, product_ids=[make_product().pk], now=NOON)
    assert (cart_note(visitor, now=NOON).count, cart_note(visitor, now=NOON).total) == (2, None)


def test_a_total_shown_again_is_not_written_again(visitor: BasketOwner, django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    add_products(owner=visitor, product_ids=[make_product().pk], now=NOON)
    settle_shown_basket(cart(visitor), now=NOON)
    again = cart(visitor)
    with django_assert_num_queries(0):
        settle_shown_basket(again, now=NOON + timedelta(minutes=5))
    with django_assert_num_queries(1):
        settle_shown_basket(again, now=NOON + timedelta(minutes=20))


def test_old_baskets_go_and_are_counted_but_none_with_an_open_order(settings) -> None:  # type: ignore[no-untyped-def]
    settings.BASKET_KEPT_DAYS = 10
    owners = [BasketOwner(token=uuid.uuid4()) for _each in range(3)]
    for owner in owners:
        add_products(owner=owner, product_ids=[make_product().pk], now=NOON - timedelta(days=11))
    ordered = owners[0].baskets().get()
    Order.objects.create(
        number="TS-2026-AAAA0001", purchaser=make_user(), currency="USD", list_total=0, discount_total=0, total=0,
        fingerprint="x", placed_at=NOON, basket_id=ordered.pk,
    )  # fmt: skip
    shown = owners[1].baskets().get()
    settle_shown_basket(cart(owners[1], now=NOON), now=NOON)
    assert drop_forgotten_baskets(now=NOON) == 1
    assert set(Basket.objects.all()) == {ordered, shown}
    assert drop_forgotten_baskets(now=NOON) == 0


def test_a_code_that_is_no_better_any_more_is_idle(visitor: BasketOwner) -> None:
    product = make_product(price="100")
    code = make_code(make_discount(amount="10"), text="TENTH")
    add_products(owner=visitor, product_ids=[product.pk], now=NOON)
    apply_code(owner=visitor, text=code.text, user_id=None, now=NOON)
    assert not cart(visitor).codes[0].is_idle
    make_discount(amount="20", automatic=True, name="Black week")
    priced = cart(visitor)
    assert (priced.codes[0].is_idle, priced.total, priced.lines[0].discount_label) == (True, usd(80), "Black week")

"""Making and changing discounts: refusals, chosen people and counted uses."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from wagtail.models import ModelLogEntry

from courses.services.staff import GROUP, appoint, dismiss
from ecommerce.enums import PaymentType, RedemptionType, UseState
from ecommerce.errors.admin import DiscountRefused
from ecommerce.errors.codes import CodeAddressUnconfirmed, CodeForSomebodyElse, CodeSwitchedOff, CodeUnknown
from ecommerce.models import CodeUse, Discount, DiscountCode, Product
from ecommerce.selectors.basket_prices import price_current_basket
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.selectors.discount_access import OPERATOR, DiscountAccess, discount_access_of
from ecommerce.selectors.discount_text import dates_text, off_text, uses_text
from ecommerce.selectors.discounts import DiscountState, for_what, in_state, listed_discounts, state_of
from ecommerce.services.baskets.baskets import add_products, apply_code
from ecommerce.services.checkout.checkout import begin_checkout
from ecommerce.services.discounts.codes import use_code
from ecommerce.services.discounts.discounts import (
    ALPHABET,
    CreatedDiscount,
    add_codes,
    change_discount,
    create_discount,
    draft_of,
    extend_discounts,
    find_identical,
    limit_code,
    pause_discounts,
    resume_discounts,
    switch_code,
)
from ecommerce.services.discounts.validation import DiscountDraft, NewCodes, validate_discount
from mitxonline.kernel.errors import Forbidden, NotFound
from mitxonline.kernel.money import Money
from mitxonline.users.models import User
from tests.ecommerce.drafts import TEN_PERCENT
from tests.factories import (
    NOON,
    make_code,
    make_contract,
    make_contract_run,
    make_course,
    make_discount,
    make_product,
    make_run,
    make_user,
)

pytestmark = pytest.mark.django_db


def made(draft: DiscountDraft = TEN_PERCENT, *, access: DiscountAccess = OPERATOR, **wish: Any) -> CreatedDiscount:
    return create_discount(draft=draft, codes=NewCodes(**(wish or {"text": "WELCOME10"})), access=access, now=NOON)


def problems(draft: DiscountDraft = TEN_PERCENT, *, access: DiscountAccess = OPERATOR, **wish: Any) -> list[str]:
    codes = NewCodes(**(wish or {"text": "WELCOME10"}))
    try:
        validate_discount(draft, codes, access=access, now=NOON)
    except ValidationError as error:
        return [field for field, messages in error.message_dict.items() for _message in messages]
    return []


def total(user: User | None, product: Product, *codes: str) -> Money:
    owner = BasketOwner(user_id=user.pk) if user else BasketOwner(token=uuid.uuid4())
    add_products(owner=owner, product_ids=[product.pk], now=NOON)
    for code in codes:
        apply_code(owner=owner, text=code, user_id=owner.user_id, now=NOON)
    return price_current_basket(owner, user_id=owner.user_id, now=NOON).total


class TestTexts:
    @pytest.mark.parametrize("text", ["WELCOME10", "abcd", "2026-SPRING", "ee663617-5c1c-415f-bd70-b3ca2c6d86f2"])
    def test_plain_ones_are_made(self, text: str) -> None:
        assert [code.text for code in made(text=text).codes] == [text]

    @pytest.mark.parametrize(
        "text",
        [
            "AB1",  # too short
            "A-B1",  # likewise: dashes don't count
            "-ABCD",
            "ABCD-",
            "AB--CD",
            "AB CD",
            "SAVE_20",
            "SAVE/20",
            "ÄPFEL",
            "WЕLCOME",  # a Cyrillic E
            "ＷＩＤＥ",  # full-width letters
            "A\u2010BCD",  # a hyphen that is none
            "AB\u200bCD",  # a blank without width
            "=CMD(1)",
        ],
    )
    def test_odd_ones_are_refused_with_a_sentence_and_by_the_database(self, text: str) -> None:
        with pytest.raises(DiscountRefused, match="at least 4 letters"):
            made(text=text)
        assert not Discount.objects.exists()
        with pytest.raises(IntegrityError), transaction.atomic():
            make_code(text=text)

    def test_a_text_that_is_too_long_is_refused(self) -> None:
        with pytest.raises(DiscountRefused, match="at most 100 characters"):
            made(text="x" * 101)

    @pytest.mark.parametrize("again", ["welcome10", "WEL-COME-10", "Welcome10"])
    def test_the_same_in_other_capitals_and_dashes_exists_already(self, again: str) -> None:
        made()
        with pytest.raises(DiscountRefused, match="already exists"):
            made(text=again)
        assert Discount.objects.count() == 1

    def test_codes_in_number_begin_alike_and_have_no_letter_twice_understood(self) -> None:
        codes = made(generate=40, prefix="spring-").codes
        assert len({code.text for code in codes}) == 40
        for code in codes:
            begin, *groups = code.text.split("-")
            assert begin == "SPRING"
            assert set("".join(groups)) <= set(ALPHABET)
        assert not set("01ILO") & set(ALPHABET)

    def test_a_text_that_is_taken_is_not_made_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        make_code(text="AAAA")
        texts = iter(["AAAA", "BBBB", "B-BBB", "CCCC"])
        monkeypatch.setattr("ecommerce.services.discounts.discounts.random_code", lambda _prefix: next(texts))
        assert [code.text for code in made(generate=2).codes] == ["B-BBB", "CCCC"]

    @pytest.mark.parametrize("prefix", ["-X", "A--B", "Ä", "A B", "x" * 61])
    def test_an_odd_prefix_is_refused(self, prefix: str) -> None:
        assert problems(generate=3, prefix=prefix) == ["prefix"]


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"name": "  "}, "name"),
            ({"name": "x" * 256}, "name"),
            ({"name": "a\0b"}, "name"),
            ({"discount_type": "half"}, "discount_type"),
            ({"payment_type": "gift"}, "payment_type"),
            ({"amount": Decimal(0)}, "amount"),
            ({"amount": Decimal("100.001")}, "amount"),
            ({"amount": Decimal("10.0001")}, "amount"),
            ({"amount": Decimal(-1)}, "amount"),
            ({"amount": Decimal("NaN")}, "amount"),
            ({"amount": Decimal("Infinity")}, "amount"),
            ({"currency": "USD"}, "currency"),
            ({"discount_type": "amount_off"}, "currency"),
            ({"discount_type": "amount_off", "currency": "XYZ"}, "currency"),
            ({"discount_type": "amount_off", "currency": "USD", "amount": Decimal("1.005")}, "amount"),
            ({"discount_type": "amount_off", "currency": "JPY", "amount": Decimal("1.5")}, "amount"),
            ({"discount_type": "amount_off", "currency": "USD", "amount": Decimal(0)}, "amount"),
            ({"discount_type": "fixed_price", "currency": "USD", "amount": Decimal(10) ** 8}, "amount"),
            ({"expires_at": NOON}, "expires_at"),
            ({"activates_at": NOON + timedelta(days=2), "expires_at": NOON + timedelta(days=1)}, "expires_at"),
            ({"for_all_products": False}, "products"),
            ({"for_all_products": False, "product_ids": (999_999,)}, "products"),
            ({"for_chosen_people": True}, "people"),
            ({"people": ("a@x.example",)}, "people"),
            ({"for_chosen_people": True, "people": ("nobody",)}, "people"),
            ({"payment_type": "financial-assistance"}, "people"),
            ({"redemption_type": "twice"}, "redemption_type"),
            ({"max_uses": 0}, "max_uses"),
            ({"max_uses": 1_000_001}, "max_uses"),
            ({"automatic": True}, "code"),
        ],
    )
    def test_at_its_field(self, changes: dict[str, Any], field: str) -> None:
        assert problems(replace(TEN_PERCENT, **changes)) == [field]

    @pytest.mark.parametrize(
        ("wish", "field"),
        [
            ({"text": ""}, "count"),
            ({"generate": 100_001}, "count"),
            ({"generate": -1}, "count"),
            ({"addresses": ("nobody",)}, "addresses"),
        ],
    )
    def test_invalid_codes_are_refused_at_their_field(self, wish: dict[str, Any], field: str) -> None:
        assert problems(**wish) == [field]

    def test_money_in_another_currency_than_a_chosen_product(self) -> None:
        yen = make_product(price="9000", currency="JPY")
        draft = replace(
            TEN_PERCENT, discount_type="amount_off", currency="USD", for_all_products=False, product_ids=(yen.pk,)
        )
        with pytest.raises(DiscountRefused, match="is sold in JPY"):
            made(draft)

    def test_a_contracts_product_has_no_other_discount(self) -> None:
        product_id = make_contract_run(make_contract()).product_id or 0
        assert problems(replace(TEN_PERCENT, for_all_products=False, product_ids=(product_id,))) == ["products"]

    def test_automatic_discounts_count_no_uses(self) -> None:
        draft = replace(TEN_PERCENT, automatic=True, redemption_type=RedemptionType.ONE_TIME)
        assert problems(draft, text="") == ["redemption_type"]
        with pytest.raises(IntegrityError), transaction.atomic():
            make_discount(automatic=True, redemption_type=RedemptionType.ONE_TIME)


class TestPeople:
    ONE = replace(TEN_PERCENT, for_chosen_people=True, people=("Amara@x.example", "ben@x.example"))

    def test_works_for_those_named_once_they_are_signed_in_and_confirmed(self) -> None:
        made(self.ONE)
        amara, other = make_user("amara@x.example"), make_user()
        assert total(amara, make_product(price="100"), "welcome10") == Money(90, "USD")
        with pytest.raises(CodeForSomebodyElse):
            total(other, make_product(), "welcome10")
        with pytest.raises(CodeUnknown):
            total(None, make_product(), "welcome10")
        with pytest.raises(CodeAddressUnconfirmed):
            total(make_user("ben@x.example", email_verified_at=None), make_product(), "welcome10")

    def test_an_automatic_discount_for_chosen_people_applies_only_to_them(self) -> None:
        draft = replace(self.ONE, automatic=True)
        create_discount(draft=draft, codes=NewCodes(), access=OPERATOR, now=NOON)
        assert total(make_user("amara@x.example"), make_product(price="100")) == Money(90, "USD")
        assert total(make_user("ben@x.example", email_verified_at=None), make_product(price="100")) == Money(100, "USD")
        assert total(make_user(), make_product(price="100")) == Money(100, "USD")
        assert total(None, make_product(price="100")) == Money(100, "USD")

    def test_an_assigned_code_works_only_for_its_address(self) -> None:
        draft = replace(
            TEN_PERCENT, payment_type=PaymentType.FINANCIAL_ASSISTANCE, redemption_type=RedemptionType.ONE_TIME
        )
        codes = made(draft, addresses=("Amara@x.example", "amara@x.example", "ben@x.example")).codes
        assert [code.assigned_email for code in codes] == ["amara@x.example", "ben@x.example"]
        with pytest.raises(CodeForSomebodyElse):
            total(make_user("ben@x.example"), make_product(), codes[0].text)
        assert total(make_user("amara@x.example"), make_product(price="100"), codes[0].text) == Money(90, "USD")

    def test_the_last_person_of_a_discount_cannot_be_removed(self) -> None:
        discount = made(self.ONE).discount
        with pytest.raises(DiscountRefused, match="at least one e-mail address"):
            change_discount(discount_id=discount.pk, draft=replace(self.ONE, people=()), access=OPERATOR, now=NOON)
        draft = replace(self.ONE, people=("ben@x.example",))
        change_discount(discount_id=discount.pk, draft=draft, access=OPERATOR, now=NOON)
        with pytest.raises(CodeForSomebodyElse):
            total(make_user("amara@x.example"), make_product(), "welcome10")

    @pytest.mark.parametrize("several", [1, 5])
    def test_personal_discounts_cost_two_more_queries_for_any_number(
        self, django_assert_num_queries: Any, several: int
    ) -> None:
        made()
        user, product = make_user(), make_product(price="100")
        owner = BasketOwner(user_id=user.pk)
        total(user, product, "welcome10")
        with django_assert_num_queries(7):
            price_current_basket(owner, user_id=user.pk, now=NOON)
        for number in range(several):
            mine = replace(self.ONE, people=(user.email,), amount=Decimal(20 + number), automatic=True)
            create_discount(draft=mine, codes=NewCodes(), access=OPERATOR, now=NOON)
        with django_assert_num_queries(9):
            priced = price_current_basket(owner, user_id=user.pk, now=NOON)
        assert priced.total == Money(81 - several, "USD")


class TestKeeping:
    def test_paused_is_refused_and_resumed_works_again(self) -> None:
        discount = made().discount
        assert pause_discounts(discount_ids=[discount.pk], access=OPERATOR) == 1
        assert pause_discounts(discount_ids=[discount.pk], access=OPERATOR) == 0
        with pytest.raises(CodeSwitchedOff):
            total(make_user(), make_product(), "WELCOME10")
        assert resume_discounts(discount_ids=[discount.pk], access=OPERATOR) == 1
        assert total(make_user(), make_product(price="100"), "WELCOME10") == Money(90, "USD")

    def test_one_code_can_be_paused(self) -> None:
        one, other = made(generate=2).codes
        switch_code(code_id=one.pk, active=False, access=OPERATOR)
        with pytest.raises(CodeSwitchedOff):
            total(make_user(), make_product(), one.text)
        assert total(make_user(), make_product(price="100"), other.text) == Money(90, "USD")

    def test_an_end_is_moved_or_taken_away(self) -> None:
        discount = made(replace(TEN_PERCENT, expires_at=NOON + timedelta(days=1))).discount
        later = NOON + timedelta(days=9)
        assert extend_discounts(discount_ids=[discount.pk], until=later, access=OPERATOR, now=NOON) == 1
        assert extend_discounts(discount_ids=[discount.pk], until=later, access=OPERATOR, now=NOON) == 0
        assert extend_discounts(discount_ids=[discount.pk], until=None, access=OPERATOR, now=NOON) == 1
        with pytest.raises(DiscountRefused, match="passed"):
            extend_discounts(discount_ids=[discount.pk], until=NOON, access=OPERATOR, now=NOON)

    def test_an_end_before_the_start_changes_none_of_them(self) -> None:
        early = made().discount
        late = made(replace(TEN_PERCENT, activates_at=NOON + timedelta(days=5)), text="LATER10").discount
        with pytest.raises(DiscountRefused, match="starts later"):
            extend_discounts(
                discount_ids=[early.pk, late.pk], until=NOON + timedelta(days=2), access=OPERATOR, now=NOON
            )
        assert not Discount.objects.exclude(expires_at=None).exists()

    def test_one_that_is_over_can_still_be_changed(self) -> None:
        discount = make_discount(name="Old", expires_at=NOON - timedelta(days=1))
        draft = replace(draft_of(discount), name="Very old")
        assert change_discount(discount_id=discount.pk, draft=draft, access=OPERATOR, now=NOON).name == "Very old"

    def test_its_type_currency_and_course_stay_whatever_is_asked(self) -> None:
        product = make_product(price="200")
        assert product.course_run is not None
        course = {"for_all_products": False, "product_ids": (product.pk,), "course_id": product.course_run.course_id}
        discount = made(replace(TEN_PERCENT, **course)).discount  # type: ignore[arg-type]
        other = replace(TEN_PERCENT, amount=Decimal(20), discount_type="amount_off", currency="USD", automatic=True)
        with pytest.raises(DiscountRefused, match="only for that course"):
            change_discount(discount_id=discount.pk, draft=other, access=OPERATOR, now=NOON)
        mine = replace(other, for_all_products=False, product_ids=(product.pk,))
        change_discount(discount_id=discount.pk, draft=mine, access=OPERATOR, now=NOON)
        discount.refresh_from_db()
        assert (discount.discount_type, discount.currency, discount.automatic, discount.amount) == (
            "percent_off",
            "",
            False,
            20,
        )

    def test_it_becomes_one_for_groups_and_stops_being_one(self) -> None:
        one, two = made().discount, made(text="OTHER10").discount
        assert not one.for_groups
        for for_groups in (True, False):
            draft = replace(draft_of(one), for_groups=for_groups)
            change_discount(discount_id=one.pk, draft=draft, access=OPERATOR, now=NOON)
            one.refresh_from_db()
            two.refresh_from_db()
            assert (one.for_groups, two.for_groups) == (for_groups, False)
            assert draft_of(one) == draft
        assert [entry.data["fields"] for entry in ModelLogEntry.objects.filter(action__endswith="change")] == [
            ["for_groups"],
            ["for_groups"],
        ]

    def test_more_codes_are_like_the_first(self) -> None:
        discount = made(replace(TEN_PERCENT, redemption_type=RedemptionType.ONE_TIME), generate=2).discount
        add_codes(discount_id=discount.pk, codes=NewCodes(generate=3, prefix="X"), access=OPERATOR, now=NOON)
        assert list(discount.codes.values_list("max_uses", flat=True)) == [1] * 5

    def test_the_log_names_no_codes_or_addresses(self) -> None:
        user = make_user()
        finance = DiscountAccess(user_id=user.pk, may_see=True, can_manage_all=True)
        discount = made(TestPeople.ONE, access=finance).discount
        pause_discounts(discount_ids=[discount.pk], access=finance)
        limit_code(code_id=discount.codes.get().pk, max_uses=5, access=finance)
        entries = ModelLogEntry.objects.filter(object_id=str(discount.pk), action__startswith="ecommerce.")
        assert [entry.action for entry in entries.order_by("pk")] == [
            "ecommerce.discount.make",
            "ecommerce.discount.pause",
            "ecommerce.discount.limit",
        ]
        assert {entry.user for entry in entries} == {user}
        assert "@" not in str([entry.data for entry in entries])
        assert "WELCOME10" not in str([entry.data for entry in entries])

    def test_a_contracts_discount_is_out_of_reach(self) -> None:
        run = make_contract_run(make_contract(), codes=1)
        discount = Discount.objects.get(unlocks=run.product)
        assert pause_discounts(discount_ids=[discount.pk], access=OPERATOR) == 0
        for act in (
            lambda: change_discount(discount_id=discount.pk, draft=TEN_PERCENT, access=OPERATOR, now=NOON),
            lambda: add_codes(discount_id=discount.pk, codes=NewCodes(generate=1), access=OPERATOR, now=NOON),
            lambda: limit_code(code_id=discount.codes.get().pk, max_uses=9, access=OPERATOR),
            lambda: switch_code(code_id=discount.codes.get().pk, active=False, access=OPERATOR),
        ):
            with pytest.raises(NotFound):
                act()
        assert not listed_discounts(OPERATOR).exists()


class TestLimits:
    def test_a_limit_counts_what_was_used_before(self) -> None:
        code = made().codes[0]
        for _each in range(3):
            use_code(code=code, user_id=make_user().pk, now=NOON)
        CodeUse.objects.filter(pk=CodeUse.objects.order_by("pk").first().pk).update(state=UseState.RETIRED)  # type: ignore[union-attr]
        with pytest.raises(DiscountRefused, match="already been used 3 times"):
            limit_code(code_id=code.pk, max_uses=2, access=OPERATOR)
        limited = limit_code(code_id=code.pk, max_uses=4, access=OPERATOR)
        assert (limited.uses, limited.max_uses) == (3, 4)
        use_code(code=limited, user_id=make_user().pk, now=NOON)
        with pytest.raises(Exception, match="has reached its limit"):
            use_code(code=limited, user_id=make_user().pk, now=NOON)

    def test_a_limit_is_taken_away_and_set_again(self) -> None:
        code = made(replace(TEN_PERCENT, max_uses=1)).codes[0]
        for limit in (None, 5):
            use_code(code=DiscountCode.objects.get(pk=code.pk), user_id=make_user().pk, now=NOON)
            code = limit_code(code_id=code.pk, max_uses=limit, access=OPERATOR)
        assert (code.uses, code.max_uses) == (2, 5)

    def test_zero_is_no_limit(self) -> None:
        with pytest.raises(DiscountRefused, match="from 1 to 1,000,000"):
            limit_code(code_id=made().codes[0].pk, max_uses=0, access=OPERATOR)


class TestTheSameAgain:
    def test_the_same_words_are_the_same_discount(self) -> None:
        one = made()
        assert find_identical(draft=TEN_PERCENT, codes=NewCodes(text="welcome-10")) == one
        assert find_identical(draft=replace(TEN_PERCENT, amount=Decimal(11)), codes=NewCodes(text="WELCOME10")) is None
        assert find_identical(draft=replace(TEN_PERCENT, for_groups=True), codes=NewCodes(text="WELCOME10")) is None
        many = made(generate=3, prefix="A")
        assert find_identical(draft=TEN_PERCENT, codes=NewCodes(generate=3, prefix="A")) == many
        assert find_identical(draft=TEN_PERCENT, codes=NewCodes(generate=4, prefix="A")) is None


class TestCourseStaff:
    @pytest.fixture
    def course_product(self) -> Product:
        return make_product(make_run(make_course(title="Mine")), price="200")

    @pytest.fixture
    def staff(self, course_product: Product) -> User:
        user = make_user()
        assert course_product.course_run is not None
        appoint(course_id=course_product.course_run.course_id, user_id=user.pk, by_id=None)
        return user

    def draft(self, product: Product, **changes: Any) -> DiscountDraft:
        assert product.course_run is not None
        mine = replace(
            TEN_PERCENT, for_all_products=False, product_ids=(product.pk,), course_id=product.course_run.course_id
        )
        return replace(mine, **changes)

    def test_course_staff_make_codes_for_their_course(self, staff: User, course_product: Product) -> None:
        discount = made(self.draft(course_product), access=discount_access_of(staff)).discount
        assert discount.made_by == staff
        assert total(make_user(), course_product, "WELCOME10") == Money(180, "USD")
        assert list(listed_discounts(discount_access_of(staff))) == [discount]

    @pytest.mark.parametrize("for_groups", [True, False])
    def test_course_staff_say_whether_theirs_are_for_groups(
        self, staff: User, course_product: Product, for_groups: bool
    ) -> None:
        discount = made(self.draft(course_product, for_groups=for_groups), access=discount_access_of(staff)).discount
        (listed,) = listed_discounts(discount_access_of(staff))
        assert (discount.for_groups, "also for groups" in for_what(listed)) == (for_groups, for_groups)

    def test_for_no_other_course_and_not_for_all(self, staff: User, course_product: Product) -> None:
        other = make_product()
        access = discount_access_of(staff)
        assert problems(self.draft(course_product, product_ids=(other.pk,)), access=access) == ["products", "products"]
        assert problems(self.draft(course_product, for_all_products=True), access=access) == ["products"]
        assert problems(self.draft(course_product, course_id=None), access=access) == ["course"]
        assert problems(self.draft(other), access=access) == ["products", "course"]

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"amount": Decimal(51)}, "amount"),
            ({"discount_type": "amount_off", "currency": "USD", "amount": Decimal("100.01")}, "amount"),
            ({"discount_type": "fixed_price", "currency": "USD", "amount": Decimal(150)}, "discount_type"),
            ({"payment_type": "sales"}, "payment_type"),
        ],
    )
    def test_course_staff_are_refused_above_their_limits(
        self, staff: User, course_product: Product, changes: dict[str, Any], field: str
    ) -> None:
        assert problems(self.draft(course_product, **changes), access=discount_access_of(staff)) == [field]

    def test_up_to_the_limit(self, staff: User, course_product: Product, settings: Any) -> None:
        half = self.draft(course_product, discount_type="amount_off", currency="USD", amount=Decimal(100))
        assert problems(half, access=discount_access_of(staff)) == []
        settings.COURSE_STAFF_MOST_CODES = 3
        assert problems(half, access=discount_access_of(staff), generate=3) == []
        assert problems(half, access=discount_access_of(staff), generate=4) == ["count"]

    def test_no_more_codes_of_a_discount_that_finance_raised_above_the_limit(
        self, staff: User, course_product: Product
    ) -> None:
        access = discount_access_of(staff)
        discount = made(self.draft(course_product), access=access).discount
        add_codes(discount_id=discount.pk, codes=NewCodes(generate=1), access=access, now=NOON)
        raised = replace(draft_of(discount), amount=Decimal(90))
        change_discount(discount_id=discount.pk, draft=raised, access=OPERATOR, now=NOON)
        with pytest.raises(DiscountRefused, match="at most 50 percent"):
            add_codes(discount_id=discount.pk, codes=NewCodes(generate=1), access=access, now=NOON)
        assert discount.codes.count() == 2

    def test_others_discounts_are_not_there_for_them(self, staff: User) -> None:
        access = discount_access_of(staff)
        discount = made().discount
        code = discount.codes.get()
        assert not listed_discounts(access).exists()
        assert pause_discounts(discount_ids=[discount.pk], access=access) == 0
        until = NOON + timedelta(days=3)
        assert extend_discounts(discount_ids=[discount.pk], until=until, access=access, now=NOON) == 0
        for act in (
            lambda: change_discount(discount_id=discount.pk, draft=TEN_PERCENT, access=access, now=NOON),
            lambda: add_codes(discount_id=discount.pk, codes=NewCodes(generate=1), access=access, now=NOON),
            lambda: limit_code(code_id=code.pk, max_uses=3, access=access),
            lambda: switch_code(code_id=code.pk, active=False, access=access),
        ):
            with pytest.raises(NotFound):
                act()

    def test_users_without_discount_access_make_no_discount(self) -> None:
        with pytest.raises(Forbidden):
            made(access=discount_access_of(make_user()))

    def test_dismissed_they_see_nothing_and_are_out_of_the_group(self, staff: User, course_product: Product) -> None:
        assert staff.groups.filter(name=GROUP).exists()
        assert course_product.course_run is not None
        for _time in range(2):
            dismiss(course_id=course_product.course_run.course_id, user_id=staff.pk, by_id=None)
        assert not discount_access_of(staff).exists
        assert not staff.groups.exists()


def test_a_discounts_state_matches_the_filter() -> None:
    day = timedelta(days=1)
    stands = {
        make_discount(): DiscountState.IN_USE,
        make_discount(activates_at=NOON, expires_at=NOON + day): DiscountState.IN_USE,
        make_discount(activates_at=NOON + day): DiscountState.LATER,
        make_discount(is_active=False, activates_at=NOON + day): DiscountState.PAUSED,
        make_discount(is_active=False, expires_at=NOON): DiscountState.OVER,
        make_discount(expires_at=NOON - day): DiscountState.OVER,
    }
    for discount, state in stands.items():
        assert state_of(discount, now=NOON) == state
    for state in DiscountState:
        found = set(in_state(Discount.objects.of_the_shop(), state, now=NOON))
        assert found == {discount for discount, stand in stands.items() if stand == state}


def test_sentences_say_type_dates_with_their_zone_and_uses() -> None:
    assert off_text(discount_type="percent_off", amount=Decimal("12.500"), currency="") == "12.5% off"
    for kind, words in (("amount_off", "off your cart"), ("amount_off_each", "off each course")):
        assert off_text(discount_type=kind, amount=Decimal("15.000"), currency="USD") == f"$15.00 {words}"
    assert off_text(discount_type="fixed_price", amount=Decimal(900), currency="JPY") == "price ¥900"
    assert dates_text(NOON, NOON + timedelta(days=1)) == "From 2 March 2026, 12:00 UTC until 3 March 2026, 12:00 UTC."
    assert dates_text(None, NOON) == "Until 2 March 2026, 12:00 UTC."
    assert dates_text(NOON, None) == "From 2 March 2026, 12:00 UTC."
    assert dates_text(None, None) == ""
    assert uses_text(redemption_type="one_time", max_uses=1) == "Once"
    assert uses_text(redemption_type="one_time_per_user", max_uses=5) == "5 times, once per person"
    assert uses_text(redemption_type="one_time_per_user", max_uses=None) == "Once per person"
    assert uses_text(redemption_type="unlimited", max_uses=None) == "Unlimited"


def test_amounts_off_that_exist_go_on_as_they_were_made() -> None:
    old, percent = make_discount(kind="amount_off", amount="10"), make_discount(amount="20")
    migration = import_module("ecommerce.migrations.0012_amounts_off_each_course")
    migration.keep_their_meaning(apps, None)
    kinds = dict(Discount.objects.values_list("pk", "discount_type"))
    assert kinds == {old.pk: "amount_off_each", percent.pk: "percent_off"}
    migration.call_it_as_before(apps, None)
    old.refresh_from_db()
    assert old.discount_type == "amount_off"


def test_ten_dollars_off_the_cart_are_ten_dollars_on_the_order() -> None:
    owner = BasketOwner(user_id=make_user().pk)
    make_code(make_discount(kind="amount_off", amount="10"), text="TENOFF", max_uses=1)
    products = [make_product(price=price) for price in ("100", "100", "6")]
    add_products(owner=owner, product_ids=[each.pk for each in products], now=NOON)
    priced = apply_code(owner=owner, text="TENOFF", user_id=owner.user_id, now=NOON)
    assert priced.discount_total == Money(10, "USD")
    order = begin_checkout(owner=owner, user_id=owner.user_id or 0, now=NOON).order
    assert list(order.lines.order_by("pk").values_list("discount_amount", flat=True)) == [
        Decimal("4.86"),
        Decimal("4.85"),
        Decimal("0.29"),
    ]
    assert CodeUse.objects.filter(order=order).count() == 1


def test_set_aside_items_get_no_share_of_an_amount_off_the_cart() -> None:
    owner = BasketOwner(user_id=make_user().pk)
    make_code(make_discount(kind="amount_off", amount="10"), text="TENOFF")
    gone, stays = make_product(price="100"), make_product(price="100")
    add_products(owner=owner, product_ids=[gone.pk, stays.pk], now=NOON)
    apply_code(owner=owner, text="TENOFF", user_id=owner.user_id, now=NOON)
    Product.objects.filter(pk=gone.pk).update(is_active=False)
    priced = price_current_basket(owner, user_id=owner.user_id, now=NOON)
    assert (priced.total, priced.discount_total) == (Money(90, "USD"), Money(10, "USD"))

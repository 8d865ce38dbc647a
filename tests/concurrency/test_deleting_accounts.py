"""Deleting an account while something is given or sold to it, each with a control that loses without its guard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from b2b.enums import MembershipSource
from b2b.models import ContractMembership, OrganizationMembership
from b2b.services.organizations import leaving
from b2b.services.seats.redemption import redeem_enrollment_code
from courses.models import Enrollment
from ecommerce.enums import OrderState
from ecommerce.errors.checkout import BasketEmpty
from ecommerce.models import DiscountCode, Order
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.services.baskets.baskets import add_products
from ecommerce.services.checkout import checkout
from ecommerce.services.orders import closing as shop
from mitxonline.kernel.db import LockableQuerySet
from mitxonline.users import closing
from mitxonline.users.closing import AccountNeeded, close_account
from mitxonline.users.models import User
from tests.factories import NOON, codes_of, make_contract, make_contract_run, make_organization, make_product, make_user
from tests.support.together import MeetAt, Meeting, Together

pytestmark = pytest.mark.django_db(transaction=True)


def deleting(person: User) -> Callable[[], Any]:
    return lambda: close_account(user_id=person.pk, now=NOON, by_id=person.pk)


def buying(person: User) -> Callable[[], Any]:
    return lambda: checkout.begin_checkout(owner=BasketOwner(user_id=person.pk), user_id=person.pk, now=NOON)


def kinds(results: list[Any]) -> Counter[str]:
    return Counter(type(each).__name__ for each in results)


def make_buyer(price: str = "249") -> User:
    buyer = make_user()
    products = [make_product(price=price).pk for _each in range(2)]
    add_products(owner=BasketOwner(user_id=buyer.pk), product_ids=products, now=NOON)
    return buyer


def is_closed(person: User) -> bool:
    return User.objects.get(pk=person.pk).closed_at is not None


@pytest.fixture
def before_publishing(together: Together, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], None]:
    """Do something on another connection after the deletion has looked at its obstacles, before it takes its locks."""
    return lambda act: call_before(monkeypatch, together, "publish", act)


def call_before(monkeypatch: pytest.MonkeyPatch, together: Together, name: str, act: Callable[[], Any]) -> None:
    original, waiting = getattr(closing, name), [act]

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if waiting:
            [result] = together(waiting.pop())
            if isinstance(result, BaseException):
                raise result
        return original(*args, **kwargs)

    monkeypatch.setattr(closing, name, wrapper)


def test_an_order_placed_at_the_last_moment_keeps_the_account(before_publishing: Any) -> None:
    buyer = make_buyer()
    before_publishing(buying(buyer))
    with pytest.raises(AccountNeeded, match="The payment for order"):
        deleting(buyer)()
    assert not is_closed(buyer)
    assert Order.objects.get().state == OrderState.PENDING


def test_without_the_second_look_the_buyer_of_an_open_order_would_be_gone(
    before_publishing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    buyer = make_buyer()
    before_publishing(buying(buyer))
    monkeypatch.setattr(shop, "find_obstacles", lambda _user: [])
    monkeypatch.setattr(closing, "_refuse_obstacles", lambda _plan: None)
    deleting(buyer)()
    assert is_closed(buyer)
    assert Order.objects.get().state == OrderState.PENDING  # if this fails, the test above proves nothing


def meet_in_both(monkeypatch: pytest.MonkeyPatch) -> Meeting:
    """Checkout has its cart and the deletion is about to finish, if both get there at once."""
    meeting = Meeting(parties=2, patience=1.0)
    for owner, name in ((closing, "_anonymize"), (checkout, "price_basket")):
        original = getattr(owner, name)

        def wrapper(*args: Any, original: Callable[..., Any] = original, **kwargs: Any) -> Any:
            meeting.wait()
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, wrapper)
    return meeting


def test_checkout_and_deletion_at_once_are_one_or_the_other(
    together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    buyer = make_buyer()
    meeting = meet_in_both(monkeypatch)
    bought, deleted = together(buying(buyer), deleting(buyer))
    assert not meeting.happened
    if is_closed(buyer):
        assert isinstance(bought, BasketEmpty)
        assert not Order.objects.exists()
    else:
        assert isinstance(deleted, AccountNeeded)
        assert Order.objects.get().state == OrderState.PENDING


def test_without_the_carts_lock_both_get_there_and_the_database_refuses_the_order(
    together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LockableQuerySet, "locked", lambda rows: rows.order_by("pk"))
    monkeypatch.setattr(shop, "lock_courses_of", lambda _user_id: None)
    buyer = make_buyer()
    meeting = meet_in_both(monkeypatch)
    bought, _deleted = together(buying(buyer), deleting(buyer))
    assert meeting.happened
    assert is_closed(buyer)
    assert isinstance(bought, IntegrityError)
    assert not Order.objects.exists()


def make_two_managers() -> list[User]:
    people = [make_user() for _each in range(2)]
    for organization in (make_organization("Stone"), make_organization("Water", org_key="WATER")):
        for person in people:
            OrganizationMembership.objects.create(
                organization=organization, user=person, is_manager=True, source=MembershipSource.STAFF, since=NOON
            )
    return people


def test_of_two_managers_who_delete_at_once_one_stays(together: Together, meet_at: MeetAt) -> None:
    people = make_two_managers()
    meeting = meet_at(closing, "plan_closing", parties=2)
    answers = kinds(together(*map(deleting, people)))
    assert meeting.happened
    assert answers == {"NoneType": 1, "AccountNeeded": 1}
    [left] = {each.user for each in OrganizationMembership.objects.all()}
    assert not is_closed(left)
    assert OrganizationMembership.objects.filter(is_manager=True).count() == 2


def test_without_the_managers_lock_both_would_go(
    together: Together, meet_at: MeetAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = make_two_managers()
    monkeypatch.setattr(leaving, "lock_managers", lambda _managed: None)
    monkeypatch.setattr(closing, "_refuse_obstacles", lambda _plan: None)
    meeting = meet_at(leaving, "find_obstacles", parties=2, patience=20.0)
    together(*map(deleting, people))
    assert meeting.happened
    assert not OrganizationMembership.objects.exists()  # if this fails, the test above proves nothing


def test_a_seat_taken_at_the_last_moment_is_freed_too(together: Together, monkeypatch: pytest.MonkeyPatch) -> None:
    learner = make_user()
    [code, *_rest] = codes_of(make_contract_run(make_contract(seats=3), codes=3))
    call_before(
        monkeypatch,
        together,
        "_anonymize",
        lambda: redeem_enrollment_code(text=code.text, user_id=learner.pk, now=NOON),
    )
    deleting(learner)()
    assert is_closed(learner)
    assert not ContractMembership.objects.exists()
    assert not Enrollment.objects.filter(active=True).exists()


def test_without_looking_again_the_seat_would_stay(
    together: Together, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    learner = make_user()
    [code, *_rest] = codes_of(make_contract_run(make_contract(seats=3), codes=3))
    call_before(
        monkeypatch,
        together,
        "_anonymize",
        lambda: redeem_enrollment_code(text=code.text, user_id=learner.pk, now=NOON),
    )
    settings.ACCOUNT_LOSSES = []
    deleting(learner)()
    assert is_closed(learner)
    assert ContractMembership.objects.exists()  # if this fails, the test above proves nothing


def test_it_locks_the_account_carts_orders_contracts_and_codes_in_this_order() -> None:
    learner = make_buyer(price="0")
    buying(learner)()
    add_products(owner=BasketOwner(user_id=learner.pk), product_ids=[make_product().pk], now=NOON)
    for _each in range(2):
        [code, *_rest] = codes_of(make_contract_run(make_contract(seats=3), codes=3))
        DiscountCode.objects.filter(pk=code.pk).update(assigned_email=learner.email)
        redeem_enrollment_code(text=code.text, user_id=learner.pk, now=NOON)
    with CaptureQueriesContext(connection) as queries:
        deleting(learner)()
    locks = [each["sql"] for each in queries if "FOR NO KEY UPDATE" in each["sql"]]
    tables = ("users_user", "ecommerce_basket", "ecommerce_order", "b2b_contractterms", "ecommerce_discountcode")
    firsts = [next(place for place, sql in enumerate(locks) if f'FROM "{table}"' in sql) for table in tables]
    assert firsts == sorted(firsts)
    assert is_closed(learner)

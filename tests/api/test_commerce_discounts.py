"""Discounts by the API: one code each, or one that applies automatically; with the rules of the admin."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission

from cms.services.groups import FINANCE, RIGHTS, ensure_group
from courses.models import CourseStaff
from ecommerce.enums import DiscountType, OrderState, RedemptionType
from ecommerce.models import Discount, DiscountCode, DiscountPerson, OrderLine
from mitxonline.kernel import clock
from mitxonline.users.models import User
from tests.api.client import ApiClient
from tests.factories import (
    NOON,
    codes_of,
    make_code,
    make_contract,
    make_contract_run,
    make_discount,
    make_product,
    make_program_product,
    make_run,
    make_user,
)
from tests.factories.orders import make_paid_order
from tests.factories.pages import make_course_page
from tests.factories.sites import make_second_site
from tests.support.counting import queries

pytestmark = pytest.mark.django_db

DISCOUNTS = "/api/v0/discounts/"
SUMMER = {
    "discount_code": "SUMMER20",
    "amount": "20",
    "discount_type": "percent-off",
    "redemption_type": "unlimited",
    "payment_type": "marketing",
}


@pytest.fixture
def finance() -> User:
    ensure_group(RIGHTS[FINANCE], pages=())
    user = make_user("fay@staff.example", is_staff=True)
    user.groups.add(Group.objects.get(name=FINANCE))
    return user


@pytest.fixture
def client(finance: User) -> ApiClient:
    return ApiClient(finance)


def see_people(user: User) -> None:
    user.user_permissions.add(Permission.objects.get(codename="view_user", content_type__app_label="users"))


def people_of(discount: Discount) -> list[str]:
    return list(discount.people.values_list("email", flat=True))


class TestTheList:
    def test_what_can_be_used_is_listed_automatic_ones_first(self, client: ApiClient) -> None:
        automatic = make_discount(name="Summer", automatic=True)
        first, second = make_code(make_discount(), text="FIRST"), make_code(make_discount(), text="SECOND")
        make_code(make_discount(), text="PAUSED", active=False)
        make_code(make_discount(is_active=False), text="PAUSEDTOO")
        make_contract_run(make_contract(), codes=2)
        listed = client.get(DISCOUNTS).json()
        assert [each["id"] for each in listed["results"]] == [-automatic.pk, second.pk, first.pk]
        assert [each["discount_code"] for each in listed["results"]] == ["Summer", "SECOND", "FIRST"]
        for each in listed["results"]:
            assert client.get(f"{DISCOUNTS}{each['id']}/").json() == each

    def test_parts_of_the_list_cross_from_one_kind_to_the_other(self, client: ApiClient) -> None:
        for number in range(3):
            make_discount(name=f"Automatic {number}", automatic=True)
            make_code(make_discount(), text=f"CODE{number}")
        everything = [each["id"] for each in client.get(DISCOUNTS).json()["results"]]
        assert len(everything) == 6
        found, url = [], f"{DISCOUNTS}?limit=2"
        while url:
            page = client.get(url.removeprefix("http://testserver")).json()
            found += [each["id"] for each in page["results"]]
            url = page["next"]
        assert found == everything

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("q=ring", ["SPRING10"]),
            ("q=summ", ["Summer"]),
            ("q=-", []),
            ("is_redeemed=yes", ["USED10"]),
            ("is_redeemed=no", ["Summer", "SPRING10"]),
            ("redemption_type=one-time", ["SPRING10"]),
            ("payment_type=staff", ["USED10"]),
            ("payment_type=staff&is_redeemed=no", []),
        ],
    )
    def test_filters_narrow_it(self, client: ApiClient, query: str, found: list[str]) -> None:
        make_discount(name="Summer", automatic=True)
        used = make_code(make_discount(payment_type="staff"), text="USED10")
        make_code(make_discount(redemption_type=RedemptionType.ONE_TIME), text="SPRING10", max_uses=1)
        make_paid_order(make_product(), code=used)
        assert [each["discount_code"] for each in client.get(f"{DISCOUNTS}?{query}").json()["results"]] == found

    def test_an_automatic_discount_is_redeemed_by_a_completed_order(self, client: ApiClient) -> None:
        automatic = make_discount(name="Summer", automatic=True)
        order = make_paid_order(make_product(), discount="10", state=OrderState.PENDING)
        OrderLine.objects.update(discount=automatic)
        assert client.get(f"{DISCOUNTS}{-automatic.pk}/").json()["is_redeemed"] is False
        order.move(OrderState.FULFILLED, at=NOON)
        assert client.get(f"{DISCOUNTS}{-automatic.pk}/").json()["is_redeemed"] is True

    @pytest.mark.parametrize("query", ["q=%00", "is_redeemed=maybe", "payment_type=gift", "limit=0", "offset=-1"])
    def test_a_wrong_parameter_is_refused(self, client: ApiClient, query: str) -> None:
        assert client.get(f"{DISCOUNTS}?{query}").status_code == 400

    @pytest.mark.parametrize("number", ["0", "7", "-7", "x", "9" * 30])
    def test_what_isnt_there_is_not_found(self, client: ApiClient, number: str) -> None:
        assert client.get(f"{DISCOUNTS}{number}/").status_code == 404

    @pytest.mark.parametrize("number", [1, 5])
    def test_it_takes_the_same_queries_for_many(self, client: ApiClient, number: int) -> None:
        for _each in range(number):
            make_discount(name="Summer", automatic=True)
            make_code(make_discount())
        with queries(9):
            assert client.get(DISCOUNTS).json()["count"] == 2 * number


class TestCourseStaff:
    def test_they_see_and_change_the_discounts_of_their_courses_alone(self) -> None:
        product, other = make_product(), make_product()
        assert product.course_run is not None
        course = product.course_run.course
        someone = make_user()
        CourseStaff.objects.create(course=course, user=someone)
        mine = make_code(make_discount(name="Mine", products=[product], course=course), text="MINE")
        make_code(make_discount(products=[other]), text="OTHERS")
        client = ApiClient(someone)
        assert [each["id"] for each in client.get(DISCOUNTS).json()["results"]] == [mine.pk]
        others = DiscountCode.objects.get(text="OTHERS")
        assert client.send("patch", f"{DISCOUNTS}{others.pk}/", {"amount": "5"}).status_code == 404
        assert client.send("patch", f"{DISCOUNTS}{mine.pk}/", {"amount": "5"}).json()["amount"] == "5.00"
        too_much = client.send("patch", f"{DISCOUNTS}{mine.pk}/", {"amount": "100"})
        assert (too_much.status_code, next(iter(too_much.json()))) == (400, "amount")
        foreign = client.send("post", f"{DISCOUNTS}{mine.pk}/products/", {"product": other.pk})
        assert (foreign.status_code, next(iter(foreign.json()))) == (400, "product")
        assert client.send("post", DISCOUNTS, SUMMER).status_code == 403
        assert client.get(f"{DISCOUNTS}{mine.pk}/redemptions/").status_code == 403


class TestCreating:
    def test_a_code_for_all_products(self, client: ApiClient, finance: User) -> None:
        until = clock.now() + timedelta(days=30)
        body = {**SUMMER, "max_redemptions": 5, "expiration_date": until.isoformat()}
        response = client.send("post", DISCOUNTS, body)
        assert response.status_code == 201
        code = DiscountCode.objects.get()
        drawn = response.json()
        assert drawn["id"] == code.pk
        assert {name: drawn[name] for name in SUMMER} == {**SUMMER, "amount": "20.00"}
        assert (code.max_uses, code.discount.for_all_products, code.discount.made_by) == (5, True, finance)
        assert code.discount.expires_at == until

    def test_an_automatic_one_has_no_code(self, client: ApiClient) -> None:
        drawn = client.send("post", DISCOUNTS, {**SUMMER, "automatic": True}).json()
        discount = Discount.objects.get()
        assert (drawn["id"], drawn["discount_code"]) == (-discount.pk, "SUMMER20")
        assert not DiscountCode.objects.exists()

    def test_dollars_come_off_the_cart_in_the_shops_currency(self, client: ApiClient) -> None:
        client.send("post", DISCOUNTS, {**SUMMER, "discount_type": "dollars-off"})
        discount = Discount.objects.get()
        assert (discount.discount_type, discount.currency) == (DiscountType.AMOUNT_OFF, "USD")

    def test_a_time_without_a_zone_is_the_sites(self, client: ApiClient, settings: Any) -> None:
        settings.TIME_ZONE = "America/New_York"
        client.send("post", DISCOUNTS, {**SUMMER, "expiration_date": "2999-07-01T12:00:00"})
        ends = Discount.objects.get().expires_at
        assert ends is not None
        assert ends.isoformat() == "2999-07-01T16:00:00+00:00"

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"amount": "0"}, "amount"),
            ({"amount": "101"}, "amount"),
            ({"amount": "NaN"}, "amount"),
            ({"amount": "1e999999"}, "amount"),
            ({"discount_type": "fixed-price", "amount": "1.005"}, "amount"),
            ({"discount_code": "AB"}, "discount_code"),
            ({"discount_code": "TWO  WORDS"}, "discount_code"),
            ({"discount_code": "spring-10"}, "discount_code"),
            ({"discount_code": "\ud800"}, "discount_code"),
            ({"discount_type": "gift"}, "discount_type"),
            ({"payment_type": None}, "payment_type"),
            ({"payment_type": "financial-assistance"}, "user"),
            ({"automatic": True, "redemption_type": "one-time"}, "redemption_type"),
            ({"automatic": True, "max_redemptions": 5}, "max_redemptions"),
            ({"max_redemptions": -1}, "max_redemptions"),
            ({"max_redemptions": 1_000_001}, "max_redemptions"),
            ({"expiration_date": "2020-01-01T00:00:00Z"}, "expiration_date"),
            ({"expiration_date": "0001-01-01T00:00:00+14:00"}, "expiration_date"),
            ({"expiration_date": "9999-12-31T23:59:59-14:00"}, "expiration_date"),
            ({"activation_date": "2999-02-01T00:00:00Z", "expiration_date": "2999-01-01T00:00:00Z"}, "expiration_date"),
        ],
    )
    def test_what_is_wrong_is_refused_at_its_field(
        self, client: ApiClient, changes: dict[str, Any], field: str
    ) -> None:
        make_code(make_discount(), text="SPRING10")
        response = client.send("post", DISCOUNTS, {**SUMMER, **changes})
        assert (response.status_code, next(iter(response.json()))) == (400, field)
        assert Discount.objects.count() == 1

    def test_a_batch_is_one_discount_with_many_codes(self, client: ApiClient) -> None:
        body = {**SUMMER, "discount_code": "SUM", "redemption_type": "one-time", "count": 3}
        answer = client.send("post", f"{DISCOUNTS}create_batch/", body)
        batch = answer.json()
        assert answer.status_code == 200
        assert len({each["id"] for each in batch["codes"]}) == 3
        assert batch["discount_code"] == batch["codes"][0]["discount_code"]
        assert all(each["discount_code"].startswith("SUM-") for each in batch["codes"])
        assert (Discount.objects.get().is_bulk, set(DiscountCode.objects.values_list("max_uses", flat=True))) == (
            True,
            {1},
        )
        one = client.send("post", f"{DISCOUNTS}create_batch/", {**SUMMER}).json()
        assert [each["discount_code"] for each in one["codes"]] == ["SUMMER20"]
        assert client.send("post", f"{DISCOUNTS}create_batch/", {**body, "count": 1001}).status_code == 400


class TestChanging:
    def test_only_what_is_sent_changes(self, client: ApiClient) -> None:
        discount = make_discount(name="Spring", amount="10", for_groups=True)
        code = make_code(discount, text="SPRING10")
        changed = client.send("patch", f"{DISCOUNTS}{code.pk}/", {"amount": "15", "max_redemptions": 7}).json()
        assert (changed["amount"], changed["max_redemptions"], changed["payment_type"]) == ("15.00", 7, "marketing")
        changed = client.send("patch", f"{DISCOUNTS}{code.pk}/", {"max_redemptions": 0, "payment_type": "staff"}).json()
        assert (changed["amount"], changed["max_redemptions"], changed["payment_type"]) == ("15.00", None, "staff")
        body = {**SUMMER, "discount_code": "spring-10", "amount": "25", "automatic": False}
        assert client.send("put", f"{DISCOUNTS}{code.pk}/", body).json()["amount"] == "25.00"
        discount.refresh_from_db()
        assert (discount.name, discount.for_groups) == ("Spring", True)

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"discount_code": "AUTUMN20"}, "discount_code"),
            ({"discount_type": "fixed-price"}, "discount_type"),
            ({"redemption_type": "one-time"}, "redemption_type"),
            ({"automatic": True}, "automatic"),
            ({"payment_type": None}, "payment_type"),
            ({"amount": "101"}, "amount"),
        ],
    )
    def test_what_stays_is_refused(self, client: ApiClient, body: dict[str, Any], field: str) -> None:
        code = make_code(make_discount(name="Spring", amount="10"), text="SPRING10")
        response = client.send("patch", f"{DISCOUNTS}{code.pk}/", {"max_redemptions": 3, **body})
        assert (response.status_code, next(iter(response.json()))) == (400, field)
        code.refresh_from_db()
        assert (code.max_uses, code.discount.amount) == (None, 10)

    def test_a_limit_below_the_uses_changes_nothing(self, client: ApiClient) -> None:
        code = make_code(make_discount(name="Spring", amount="10"), text="SPRING10")
        for _each in range(2):
            make_paid_order(make_product(), code=code)
        response = client.send("patch", f"{DISCOUNTS}{code.pk}/", {"amount": "15", "max_redemptions": 1})
        assert (response.status_code, next(iter(response.json()))) == (400, "max_redemptions")
        code.refresh_from_db()
        assert (code.max_uses, code.discount.amount) == (None, 10)

    def test_one_of_many_codes_doesnt_change_the_others(self, client: ApiClient) -> None:
        discount = make_discount(name="Spring", amount="10")
        one, other = make_code(discount), make_code(discount)
        for method, path, body in (
            ("patch", f"{one.pk}/", {"amount": "15"}),
            ("post", f"{one.pk}/assignees/", {"user": {"email": "eve@people.example"}}),
            ("post", f"{one.pk}/products/", {"product": make_product().pk}),
        ):
            response = client.send(method, f"{DISCOUNTS}{path}", body)
            assert (response.status_code, response.json()["code"]) == (409, "discount_shared")
            assert response.json()["data"] == {"count": 2}
        assert client.send("patch", f"{DISCOUNTS}{one.pk}/", {"amount": "10", "max_redemptions": 4}).status_code == 200
        assert client.delete(f"{DISCOUNTS}{one.pk}/").status_code == 204
        discount.refresh_from_db()
        one.refresh_from_db()
        other.refresh_from_db()
        assert (discount.amount, discount.for_all_products, discount.for_chosen_people) == (Decimal(10), True, False)
        assert ((one.active, one.max_uses), (other.active, other.max_uses)) == ((False, 4), (True, None))

    def test_an_automatic_one_can_be_renamed_and_paused(self, client: ApiClient) -> None:
        discount = make_discount(name="Summer", automatic=True)
        path = f"{DISCOUNTS}{-discount.pk}/"
        assert client.send("patch", path, {"discount_code": "Late summer"}).json()["discount_code"] == "Late summer"
        assert client.delete(path).status_code == 204
        assert client.get(path).status_code == 404
        discount.refresh_from_db()
        assert (discount.name, discount.is_active) == ("Late summer", False)

    def test_contracts_codes_are_not_found(self, client: ApiClient) -> None:
        (code,) = codes_of(make_contract_run(make_contract(), codes=1))
        for method, body in (("get", None), ("patch", {"amount": "1"}), ("delete", None)):
            assert client.send(method, f"{DISCOUNTS}{code.pk}/", body).status_code == 404
        code.refresh_from_db()
        assert code.active


class TestPeople:
    def test_they_are_added_by_address_without_saying_who_has_an_account(self, client: ApiClient) -> None:
        make_user("eve@people.example")
        discount = make_discount(name="Few")
        code = make_code(discount)
        path = f"{DISCOUNTS}{code.pk}/assignees/"
        assert client.get(path).json()["count"] == 0
        added = client.send("post", path, {"user": {"email": "Eve@People.example"}})
        row = DiscountPerson.objects.get()
        assert added.status_code == 201
        drawn = added.json()
        assert (drawn["id"], drawn["user"], drawn["email"]) == (-row.pk, None, "eve@people.example")
        again = client.send("post", path, {"user": {"email": "eve@people.example"}})
        assert (again.status_code, again.json()) == (201, drawn)
        assert client.get(path).json()["results"] == [drawn]
        assert client.get(f"{path}{drawn['id']}/").json() == drawn
        discount.refresh_from_db()
        assert discount.for_chosen_people

    def test_who_may_view_people_adds_and_finds_them_by_account(self, client: ApiClient, finance: User) -> None:
        see_people(finance)
        eve, bob = make_user("eve@people.example"), make_user("bob@people.example")
        discount = make_discount(name="Few")
        path = f"{DISCOUNTS}{make_code(discount).pk}/assignees/"
        drawn = client.send("post", path, {"user": eve.pk}).json()
        assert (drawn["id"], drawn["user"]["email"], drawn["user"]["grants"]) == (eve.pk, eve.email, [])
        replaced = client.send("put", f"{path}{eve.pk}/", {"user": bob.pk}).json()
        assert (replaced["id"], people_of(discount)) == (bob.pk, ["bob@people.example"])
        assert client.get(f"{path}{eve.pk}/").status_code == 404
        assert client.send("patch", f"{path}{bob.pk}/", {}).json() == replaced

    @pytest.mark.parametrize("user", [0, 999_999, "x", {}, {"email": ""}, {"email": " "}, {"email": "nobody"}])
    def test_someone_unknown_is_refused(self, client: ApiClient, finance: User, user: Any) -> None:
        discount = make_discount(name="Few")
        path = f"{DISCOUNTS}{make_code(discount).pk}/assignees/"
        for _may_view in (False, True):
            response = client.send("post", path, {"user": user})
            assert response.status_code == 400
            assert next(iter(response.json())).startswith("user")
            see_people(finance)
        discount.refresh_from_db()
        assert (people_of(discount), discount.for_chosen_people) == ([], False)

    def test_accounts_cant_be_tried_out_by_id(self, client: ApiClient) -> None:
        eve = make_user("eve@people.example")
        path = f"{DISCOUNTS}{make_code(make_discount(name='Few')).pk}/assignees/"
        known = client.send("post", path, {"user": eve.pk})
        unknown = client.send("post", path, {"user": eve.pk + 1000})
        assert (known.status_code, known.json()) == (unknown.status_code, unknown.json())

    def test_the_last_one_stays(self, client: ApiClient) -> None:
        discount = make_discount(name="Few", for_chosen_people=True)
        rows = [
            DiscountPerson.objects.create(discount=discount, email=f"{name}@people.example", added_at=NOON)
            for name in ("ann", "bob")
        ]
        path = f"{DISCOUNTS}{make_code(discount).pk}/assignees/"
        assert client.delete(f"{path}{-rows[0].pk}/").status_code == 204
        last = client.delete(f"{path}{-rows[1].pk}/")
        assert (last.status_code, last.json()["code"]) == (409, "last_person")
        assert people_of(discount) == ["bob@people.example"]

    def test_people_of_another_discount_are_not_found(self, client: ApiClient) -> None:
        other = make_discount(name="Others", for_chosen_people=True)
        row = DiscountPerson.objects.create(discount=other, email="ann@people.example", added_at=NOON)
        path = f"{DISCOUNTS}{make_code(make_discount(name='Few')).pk}/assignees/{-row.pk}/"
        for method in ("get", "patch", "delete"):
            assert client.send(method, path, {} if method == "patch" else None).status_code == 404
        assert people_of(other) == ["ann@people.example"]

    def test_a_code_created_for_an_address_stays_theirs(self, client: ApiClient) -> None:
        code = make_code(make_discount(name="Few"), assigned_email="ann@people.example")
        path = f"{DISCOUNTS}{code.pk}/assignees/"
        listed = client.get(path).json()["results"]
        assert [(each["id"], each["email"]) for each in listed] == [(-code.pk, "ann@people.example")]
        added = client.send("post", path, {"user": {"email": "bob@people.example"}})
        assert (added.status_code, added.json()["code"]) == (409, "code_has_person")
        assert client.delete(f"{path}{-code.pk}/").status_code == 409

    @pytest.mark.parametrize("number", [1, 5])
    def test_the_list_takes_the_same_queries_for_many(self, client: ApiClient, finance: User, number: int) -> None:
        see_people(finance)
        discount = make_discount(name="Few", for_chosen_people=True)
        for each in range(number):
            email = make_user(f"ann{each}@people.example").email
            DiscountPerson.objects.create(discount=discount, email=email, added_at=NOON)
        path = f"{DISCOUNTS}{make_code(discount).pk}/assignees/"
        with queries(8):
            assert client.get(path).json()["count"] == number


class TestProducts:
    def test_the_first_one_limits_a_discount_and_the_last_one_stays(self, client: ApiClient) -> None:
        product, other = make_product(), make_program_product(make_run().course)
        discount = make_discount(name="Few")
        path = f"{DISCOUNTS}{make_code(discount).pk}/products/"
        assert client.get(path).json()["count"] == 0
        added = client.send("post", path, {"product": product.pk})
        assert (added.status_code, added.json()["id"], added.json()["product"]["id"]) == (201, product.pk, product.pk)
        discount.refresh_from_db()
        assert not discount.for_all_products
        assert client.send("post", path, {"product": product.pk}).status_code == 201
        replaced = client.send("put", f"{path}{product.pk}/", {"product": other.pk}).json()
        assert replaced["id"] == other.pk
        assert client.get(path).json()["results"] == [replaced]
        assert client.get(f"{path}{product.pk}/").status_code == 404
        assert client.send("patch", f"{path}{other.pk}/", {}).json() == replaced
        last = client.delete(f"{path}{other.pk}/")
        assert (last.status_code, last.json()["code"]) == (409, "last_product")
        client.send("post", path, {"product": product.pk})
        assert client.delete(f"{path}{other.pk}/").status_code == 204
        assert list(discount.products.all()) == [product]

    def test_contracts_and_unknown_products_and_other_currencies_are_refused(self, client: ApiClient) -> None:
        hidden = make_contract_run(make_contract()).product
        assert hidden is not None
        discount = make_discount(name="Few", kind=DiscountType.AMOUNT_OFF)
        path = f"{DISCOUNTS}{make_code(discount).pk}/products/"
        for number in (hidden.pk, 999_999, make_product(currency="EUR").pk):
            response = client.send("post", path, {"product": number})
            assert (response.status_code, next(iter(response.json()))) == (400, "product")
        discount.refresh_from_db()
        assert (discount.for_all_products, discount.products.count()) == (True, 0)

    def test_what_a_discount_isnt_for_is_not_found(self, client: ApiClient) -> None:
        product, other = make_product(), make_product()
        discount = make_discount(name="Few", products=[product])
        path = f"{DISCOUNTS}{make_code(discount).pk}/products/{other.pk}/"
        for method, body in (("get", None), ("put", {"product": other.pk}), ("patch", {}), ("delete", None)):
            assert client.send(method, path, body).status_code == 404
        assert list(discount.products.all()) == [product]

    @pytest.mark.parametrize("number", [1, 5])
    def test_the_list_takes_the_same_queries_for_many(self, client: ApiClient, number: int) -> None:
        discount = make_discount(name="Few", products=[make_product() for _each in range(number)])
        path = f"{DISCOUNTS}{make_code(discount).pk}/products/"
        with queries(8):
            assert client.get(path).json()["count"] == number


class TestRedemptions:
    def test_completed_orders_are_listed_newest_first(self, client: ApiClient) -> None:
        code, other = make_code(make_discount(name="Spring")), make_code(make_discount(name="Other"))
        orders = [make_paid_order(make_product(), code=code) for _each in range(2)]
        make_paid_order(make_product(), code=other)
        path = f"{DISCOUNTS}{code.pk}/redemptions/"
        listed = client.get(path).json()["results"]
        assert [each["redeemed_order"]["id"] for each in listed] == [orders[1].pk, orders[0].pk]
        assert [each["redeemed_by"]["id"] for each in listed] == [orders[1].purchaser_id, orders[0].purchaser_id]
        assert all(each["redeemed_discount"]["id"] == code.pk for each in listed)
        assert client.get(f"{path}{listed[0]['id']}/").json() == listed[0]
        elsewhere = f"{DISCOUNTS}{other.pk}/redemptions/{listed[0]['id']}/"
        assert client.get(elsewhere).status_code == 404

    def test_orders_redeem_automatic_discounts_too(self, client: ApiClient) -> None:
        automatic = make_discount(name="Summer", automatic=True)
        order = make_paid_order(make_product(), make_product(), discount="10")
        OrderLine.objects.update(discount=automatic)
        path = f"{DISCOUNTS}{-automatic.pk}/redemptions/"
        (drawn,) = client.get(path).json()["results"]
        assert (drawn["id"], drawn["redeemed_order"]["id"]) == (order.pk, order.pk)
        assert client.get(f"{path}{order.pk}/").json() == drawn

    def test_no_one_writes_them(self, client: ApiClient) -> None:
        code = make_code(make_discount(name="Spring"))
        use = make_paid_order(make_product(), code=code).code_uses.get()
        path = f"{DISCOUNTS}{code.pk}/redemptions/"
        body = {
            "redeemed_by": {"legal_address": None},
            "redeemed_discount": SUMMER,
            "redeemed_order": {"state": "fulfilled", "total_price_paid": "1.00"},
        }
        for method, url, sent in (
            ("post", path, body),
            ("put", f"{path}{use.pk}/", body),
            ("patch", f"{path}{use.pk}/", {}),
            ("delete", f"{path}{use.pk}/", None),
        ):
            response = client.send(method, url, sent)
            assert (response.status_code, response.json()["code"]) == (409, "redeemed_by_orders")
        assert list(code.code_uses.all()) == [use]

    @pytest.mark.parametrize("number", [1, 4])
    def test_the_list_takes_the_same_queries_for_many(self, client: ApiClient, number: int) -> None:
        code = make_code(make_discount(name="Spring"))
        for _each in range(number):
            make_paid_order(make_product(), make_program_product(make_run().course), code=code)
        path = f"{DISCOUNTS}{code.pk}/redemptions/"
        with queries(17):
            assert client.get(path).json()["count"] == number


def test_a_new_discount_is_for_the_site_that_was_asked_where_there_are_several(client: ApiClient) -> None:
    make_course_page()
    assert client.post(DISCOUNTS, SUMMER).status_code == 201
    make_second_site()
    assert client.post(DISCOUNTS, SUMMER | {"discount_code": "AUTUMN20"}).status_code == 201
    sites = dict(DiscountCode.objects.values_list("text", "discount__site__hostname"))
    assert sites == {"SUMMER20": None, "AUTUMN20": "testserver"}

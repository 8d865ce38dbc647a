"""The cart says each fact once, and what the visitor can do about it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from courses.enums import EnrollmentMode, EnrollmentSource
from courses.models import CourseRun, Enrollment
from courses.services.enrollments import enroll
from ecommerce.enums import AttemptState, DiscountType, OrderState
from ecommerce.models import Basket, BasketCode, BasketItem, CodeUse, DiscountCode, Product
from mitxonline.kernel import clock
from mitxonline.users.models import User
from tests.factories import (
    codes_of,
    make_code,
    make_contract_run,
    make_course,
    make_discount,
    make_product,
    make_run,
    make_user,
)
from tests.factories.orders import make_paid_order
from tests.factories.pages import make_course_page
from tests.frontend.conftest import Northgate, SignIn, make_northgate
from tests.support.reading import read

pytestmark = pytest.mark.django_db

UNUSABLE = "That code isn’t one we can use. Check the spelling."
HINT = "If it’s right, sign in and we’ll tell you more."


def test_owned_courses_leave_the_cart_with_one_line_and_a_link(learners_client: Client, learner: User) -> None:
    mine, other = make_product(make_run(make_course(title="Knots"))), make_product(make_run(make_course(title="Ropes")))
    learners_client.get("/cart/add/", {"product_id": [mine.pk, other.pk]})
    make_paid_order(mine, buyer=learner)
    make_course_page(mine.course_run.course)  # type: ignore[union-attr]
    page = read(learners_client.get("/cart/"))
    assert page.text.count("You already have “Knots”. We removed it from your cart.") == 1
    assert page.text.count("Knots") == 1
    assert page.links()["Go to my course"] == f"/courses/{mine.course_run.course.readable_id}/"  # type: ignore[union-attr]
    assert "Check out" in page.buttons()
    assert "You already have" not in read(learners_client.get("/cart/")).text


def test_the_kept_cart_with_an_owned_course_has_one_message(learners_client: Client, learner: User) -> None:
    mine = make_product()
    learners_client.get("/cart/add/", {"product_id": mine.pk})
    make_paid_order(mine, buyer=learner)
    page = read(learners_client.get("/cart/"))
    assert page.text.count("You already have") == 1
    assert page.text.count("Your cart is empty.") == 1
    assert "Saved for later" not in page.text
    assert page.links()["Go to my course"] == "/dashboard/"  # no page of the course is published


def test_an_unavailable_course_has_one_message(learners_client: Client) -> None:
    gone, stays = make_product(make_run(make_course(title="Knots"))), make_product()
    learners_client.get("/cart/add/", {"product_id": [gone.pk, stays.pk]})
    Product.objects.filter(pk=gone.pk).update(is_active=False)
    for _look in range(2):
        page = read(learners_client.get("/cart/"))
        assert page.text.count("“Knots” is no longer available.") == 1
        assert "Saved for later" in page.headings(2)


def _end(run: CourseRun) -> None:
    run.enrollment_end = clock.now() - timedelta(days=2)


def _open_later(run: CourseRun) -> None:
    run.enrollment_start = clock.now() + timedelta(days=9)


def _take_off(run: CourseRun) -> None:
    run.live = False


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_end, "Enrollment for “Knots” closed on"),
        (_open_later, "Enrollment for “Knots” opens on"),
        (_take_off, "“Knots” isn’t open right now."),
    ],
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_what_is_closed_is_refused_at_the_door(client: Client, change: object, sentence: str, method: str) -> None:
    closed, stays = make_product(make_run(make_course(title="Knots"))), make_product()
    client.get("/cart/add/", {"product_id": stays.pk})
    change(closed.course_run)  # type: ignore[operator]
    closed.course_run.save()  # type: ignore[union-attr]
    for ids in ([closed.pk], [make_product().pk, closed.pk]):
        page = read(getattr(client, method)("/cart/add/", {"product_id": ids}, follow=True))
        assert page.text.count(sentence) == 1
        assert [item.product for item in BasketItem.objects.all()] == [stays]
        assert "Saved for later" not in page.headings(2)


def _has_seat(contract: Northgate, learner: User, client: Client) -> None:
    client.post(contract.redeem_link)


def _is_enrolled(contract: Northgate, learner: User, client: Client) -> None:
    enroll(
        user_id=learner.pk,
        run_id=contract.run.course_run_id,
        mode=EnrollmentMode.VERIFIED,
        source=EnrollmentSource.ORDER,
        reference="order 1",
        now=clock.now(),
    )


@pytest.mark.parametrize("own", [_has_seat, _is_enrolled])
@pytest.mark.parametrize("has_code", [True, False])
def test_a_second_code_for_an_owned_course_gets_one_message(
    sign_in: SignIn, client: Client, learner: User, own: object, has_code: bool
) -> None:
    contract = make_northgate(codes=3)
    own(contract, learner, sign_in(learner))  # type: ignore[operator]
    client.get(contract.link)
    if has_code:
        client.post("/cart/code/", {"code": contract.codes[1].text})
    client.force_login(learner)
    page = read(client.get("/cart/"))
    assert page.text.count("You already have") == 1
    for claim in ("Code applied", "Paid by", "Check out", "Needs your enrollment code", "Remove unavailable", "Total"):
        assert claim not in page.text, claim
    assert page.buttons() == [f"Remove {contract.product.title}"]
    assert page.links()["Go to my course"] == "/dashboard/"
    client.post("/cart/remove/", {"product_id": contract.product.pk})
    assert not Basket.objects.exists()


def _member_with_another_course(client: Client) -> tuple[Northgate, Product, DiscountCode]:
    contract = make_northgate()
    other = make_contract_run(contract.contract, make_course(title="Writing clearly at work"), codes=2)
    client.post(contract.redeem_link)
    assert other.product is not None
    return contract, other.product, codes_of(other)[0]


def test_a_member_with_a_fresh_code_in_the_cart_enrolls_without_it(
    sign_in: SignIn, client: Client, learner: User
) -> None:
    _contract, product, fresh = _member_with_another_course(sign_in(learner))
    client.get("/cart/add/", {"product_id": product.pk})
    client.post("/cart/code/", {"code": fresh.text})  # signed out: no one knows that it isn't needed
    client.force_login(learner)
    page = read(client.get("/cart/"))
    assert page.text.count("You already have a seat. Check out to enroll without it.") == 1
    assert "Code applied" not in page.text
    assert page.buttons() == [f"Remove {product.title}", "Check out"]
    assert not BasketCode.objects.exists()
    form = page.one("form[action='/checkout/']")
    posted = {str(field["name"]): str(field["value"]) for field in form.select("input[name]")}
    client.post("/checkout/", posted)
    assert Enrollment.objects.filter(user=learner, run=product.course_run).exists()
    assert not CodeUse.objects.filter(code=fresh).exists()


def test_a_code_that_a_member_enters_without_need_is_not_applied(learners_client: Client) -> None:
    _contract, product, fresh = _member_with_another_course(learners_client)
    learners_client.get("/cart/add/", {"product_id": product.pk})
    for _try in range(12):  # none of them is a guess
        page = read(learners_client.post("/cart/code/", {"code": fresh.text}, follow=True))
        assert page.text.count("You already have a seat. Check out to enroll without it.") == 1
    assert not BasketCode.objects.exists()


def test_a_members_own_code_stays_applied(sign_in: SignIn, client: Client, learner: User) -> None:
    _contract, product, fresh = _member_with_another_course(sign_in(learner))
    DiscountCode.objects.filter(pk=fresh.pk).update(assigned_email=learner.email)
    client.get("/cart/add/", {"product_id": product.pk})
    client.post("/cart/code/", {"code": fresh.text})
    client.force_login(learner)
    assert "Code applied" in read(client.get("/cart/")).text


def test_a_refused_code_is_not_called_applied(sign_in: SignIn, client: Client) -> None:
    contract = make_northgate(seats=1)
    client.get(contract.link)
    client.post("/cart/code/", {"code": contract.code})
    sign_in(make_user()).post(f"/enrollmentcode/{contract.codes[1].text}/")  # takes the only seat
    client.force_login(make_user())
    page = read(client.get("/cart/"))
    assert page.text.count("All seats are taken") == 1
    assert "Code applied" not in page.text
    assert "Paid by" not in page.text
    assert f"Remove code {contract.code[:8]}…{contract.code[-4:]}" in page.buttons()


@pytest.mark.parametrize("code", ["SUMER15", "7f3a90b1-6c55-47aa-9f13-0d2e7c9916aa"])
def test_a_wrong_code_in_an_ordinary_cart_talks_of_discount_codes(
    client: Client, learners_client: Client, code: str
) -> None:
    product = make_product()
    for each, is_signed_in in ((client, False), (learners_client, True)):
        each.get("/cart/add/", {"product_id": product.pk})
        page = read(each.post("/cart/code/", {"code": code}))
        assert UNUSABLE in page.text
        assert "Check it against the message" not in page.text
        assert "invitation" not in page.text
        assert (HINT in page.text) is not is_signed_in
    assert page.error_summary == ("The code wasn’t applied", UNUSABLE, "#id_code")


def test_signed_out_every_discount_code_gets_the_same_answer_with_a_way_to_sign_in(client: Client) -> None:
    now = clock.now()
    make_code(make_discount(kind=DiscountType.PERCENT_OFF, expires_at=now - timedelta(days=1)), text="SUMMER15")
    make_code(make_discount(kind=DiscountType.PERCENT_OFF, activates_at=now + timedelta(days=1)), text="SOON20")
    client.get("/cart/add/", {"product_id": make_product().pk})
    for code in ("SUMMER15", "SOON20", "NOSUCH99"):
        page = read(client.post("/cart/code/", {"code": code}))
        assert f"{UNUSABLE} {HINT}" in page.text
        assert page.links()["sign in"] == "/login/?next=%2Fcart%2F"


def test_in_a_contracts_cart_a_signed_out_visitor_is_told_to_sign_in_too(client: Client) -> None:
    client.get(make_northgate().link)
    page = read(client.post("/cart/code/", {"code": "7f3a90b1-6c55-47aa-9f13-0d2e7c9916aa"}))
    assert f"Capitals and dashes don’t matter. {HINT}" in page.text


def test_a_pending_payment_is_named_once_and_blocks_nothing_else(learners_client: Client, learner: User) -> None:
    paid, other = make_product(make_run(make_course(title="Knots"))), make_product(price="20")
    order = make_paid_order(paid, buyer=learner, state=OrderState.PENDING)
    order.attempts.update(state=AttemptState.PROCESSING)
    learners_client.get("/cart/add/", {"product_id": [paid.pk, other.pk]})
    for _look in range(2):
        page = read(learners_client.get("/cart/"))
        assert page.text.count(order.number) == 1
        assert f"Your payment for order {order.number} is on its way" in page.text
        assert page.links()["See that order"].endswith(order.number)
        assert "Check out" in page.buttons()
        assert "Total $20.00" in page.text
        assert "Saved for later" not in page.headings(2)
    response = learners_client.post("/checkout/", {"expected_total": "20.00 USD"})
    assert "/payment/sandbox/" in response["Location"]


def test_a_pending_payment_is_named_in_an_empty_cart(learners_client: Client, learner: User) -> None:
    order = make_paid_order(make_product(), buyer=learner, state=OrderState.PENDING)
    order.attempts.update(state=AttemptState.PROCESSING)
    assert f"Your payment for order {order.number} is on its way" in read(learners_client.get("/cart/")).text


@pytest.mark.parametrize("purpose", ["prefetch", "prefetch;prerender"])
def test_a_prefetch_puts_nothing_in_the_cart(client: Client, purpose: str) -> None:
    product = make_product()
    response = client.get("/cart/add/", {"product_id": product.pk}, headers={"Sec-Purpose": purpose})
    assert (response.status_code, response.content) == (204, b"")
    assert not BasketItem.objects.exists()


@pytest.mark.parametrize("end", [".", ")", "),", "”", ">", "\u200b", "\u00a0", "'"])
def test_what_a_mail_program_adds_to_a_product_link_is_left_out(client: Client, end: str) -> None:
    product = make_product()
    for query in ({"product_id": f"{product.pk}{end}"}, {"sku": f"{product.sku}{end}"}):
        client.get("/cart/add/", query)
        assert [item.product for item in BasketItem.objects.all()] == [product]
        BasketItem.objects.all().delete()

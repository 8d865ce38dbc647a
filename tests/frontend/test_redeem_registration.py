"""Registration codes on the page of any code: one press, one seat, and a failed one uses nothing up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from courses.enums import EnrollmentMode, EnrollmentSource
from courses.models import CourseRun, Enrollment, EnrollmentGrant
from courses.services.enrollments import enroll, revoke
from ecommerce.enums import CodeChangeKind, UseState
from ecommerce.models import BasketItem, CodeUse, DiscountCode, Order, RegistrationCodeChange, SeatSale
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.services.baskets.baskets import add_products
from ecommerce.services.registration.codes import switch_off_unredeemed
from mitxonline.kernel import clock
from mitxonline.users.models import User
from tests.factories import make_contract, make_contract_run, make_product, make_run, make_user
from tests.factories.orders import make_paid_order
from tests.factories.seats import make_seat_sale
from tests.frontend.conftest import SignIn
from tests.support.counting import queries
from tests.support.reading import read

pytestmark = pytest.mark.django_db


def make_sale(*, company: str = "Acme Ltd", seats: int = 2, buyer: User | None = None) -> SeatSale:
    """Make a group purchase of a company, beside another one of the same course."""
    product = make_product()
    make_seat_sale(product, seats=2)
    sale = make_seat_sale(product, seats=seats, buyer=buyer)
    Order.objects.filter(lines__seat_sale=sale).update(company=company)
    return SeatSale.objects.get(pk=sale.pk)


def codes_of(sale: SeatSale) -> list[DiscountCode]:
    return list(sale.discount.codes.order_by("pk"))


def link_of(code: DiscountCode) -> str:
    return f"/enrollmentcode/{code.text}/"


def grants_of(user: User) -> list[tuple[str, str]]:
    grants = EnrollmentGrant.objects.filter(enrollment__user=user, revoked_at=None)
    return list(grants.order_by("pk").values_list("source", "mode"))


def test_looking_shows_the_seat_and_who_gave_it(learners_client: Client) -> None:
    buyer = make_user("buyer@acme.example", name="Bea Buyer")
    sale = make_sale(buyer=buyer)
    page = read(learners_client.get(link_of(codes_of(sale)[0])))
    assert page.h1 == "Your seat is ready, Amara"
    assert page.headings(2) == [sale.course_run.title]
    assert "Acme Ltd" in page.text
    assert "Price Paid by Acme Ltd" in page.text
    assert "Your code gives you this course. There’s nothing to pay." in page.text
    assert "The buyer of this seat can see that you took it." in page.text
    assert page.buttons() == ["Take my seat and enroll"]
    assert "buyer@acme.example" not in page.text
    assert not CodeUse.objects.exists()


def test_without_a_company_the_buyer_is_named_and_never_their_address(client: Client) -> None:
    named = make_sale(company="", buyer=make_user("bea@acme.example", name="Bea Buyer"))
    assert "Paid by Bea Buyer" in read(client.get(link_of(codes_of(named)[0]))).text
    nameless = make_sale(company="", buyer=make_user("cy@acme.example", name=""))
    text = read(client.get(link_of(codes_of(nameless)[0]))).text
    assert "Already paid" in text
    assert "cy@acme.example" not in text


def test_signed_out_it_leads_through_signing_in_and_back(client: Client) -> None:
    code = codes_of(make_sale())[0]
    page = read(client.get(link_of(code)))
    assert page.h1 == "Your seat is ready"
    assert page.buttons() == []
    assert page.links()["Sign in to take my seat"] == f"/login/?next=%2Fenrollmentcode%2F{code.text}%2F"
    assert client.post(link_of(code))["Location"] == f"/login/?next=/enrollmentcode/{code.text}/"
    assert not CodeUse.objects.exists()


def test_one_press_takes_the_seat_and_enrolls(learners_client: Client, learner: User) -> None:
    sale = make_sale()
    first, second = codes_of(sale)
    response = learners_client.post(link_of(first), follow=True)
    assert response.redirect_chain == [("/dashboard/", 302)]
    assert "You’re in, Amara. Your course is on your dashboard." in read(response).text
    enrollment = Enrollment.objects.get(user=learner)
    assert (enrollment.run, enrollment.mode) == (sale.course_run, EnrollmentMode.VERIFIED)
    use = CodeUse.objects.get(user=learner)
    assert (use.state, use.order) == (UseState.CONFIRMED, None)
    grant = EnrollmentGrant.objects.get(enrollment=enrollment)
    assert (grant.source, grant.reference) == (EnrollmentSource.REGISTRATION, f"use {use.pk}")
    again = read(learners_client.post(link_of(first), follow=True))
    assert "You already have this seat. Go to your course." in again.text
    assert read(learners_client.get(link_of(first))).h1 == "You already have this seat"
    assert CodeUse.objects.count() == EnrollmentGrant.objects.filter(enrollment__user=learner).count() == 1
    # With the course, another code of the same sale stays free.
    page = read(learners_client.post(link_of(second)))
    assert page.h1 == "You already have this course"
    assert "We didn’t use your code. You can give it to someone else." in page.text
    assert DiscountCode.objects.get(pk=second.pk).uses == 0


def test_the_second_learner_is_refused_and_not_told_who_was_first(sign_in: SignIn, learner: User) -> None:
    code = codes_of(make_sale())[0]
    sign_in(learner).post(link_of(code))
    other = sign_in(make_user(name="Ben Sato"))
    for response in (other.get(link_of(code)), other.post(link_of(code))):
        page = read(response)
        assert response.status_code == 409
        assert page.h1 == "Someone else has already used this code"
        assert "Ask Acme Ltd for a new one." in page.text
        assert "Amara" not in page.text
    assert CodeUse.objects.count() == 1
    assert read(Client().get(link_of(code))).h1 == "We can’t find this code"


def test_an_audit_learner_is_upgraded(learners_client: Client, learner: User) -> None:
    sale = make_sale()
    run_id = sale.course_run_id
    enroll(user_id=learner.pk, run_id=run_id, mode="audit", source=EnrollmentSource.FREE, now=clock.now())
    learners_client.post(link_of(codes_of(sale)[0]))
    assert Enrollment.objects.get(user=learner).mode == EnrollmentMode.VERIFIED
    assert grants_of(learner) == [("free", "audit"), ("registration", "verified")]


def test_a_verified_learner_keeps_the_code_free(learners_client: Client, learner: User) -> None:
    sale = make_sale()
    make_paid_order(sale.product, buyer=learner)
    page = read(learners_client.post(link_of(codes_of(sale)[0])))
    assert page.h1 == "You already have this course"
    assert not CodeUse.objects.filter(code__discount=sale.discount).exists()
    assert grants_of(learner) == [("order", "verified")]


def test_an_unenrolled_learner_is_enrolled_again(learners_client: Client, learner: User) -> None:
    sale = make_sale()
    first, second = codes_of(sale)
    learners_client.post(link_of(first))
    use = CodeUse.objects.get(user=learner)
    revoke(
        user_id=learner.pk,
        run_id=sale.course_run_id,
        source=EnrollmentSource.REGISTRATION,
        reference=f"use {use.pk}",
        now=clock.now(),
    )
    assert not Enrollment.objects.active().of(learner.pk).exists()
    assert read(learners_client.get(link_of(first))).h1 == "Your seat is ready, Amara"
    learners_client.post(link_of(first))
    assert Enrollment.objects.active().of(learner.pk).exists()
    assert CodeUse.objects.filter(user=learner).count() == 1
    assert DiscountCode.objects.get(pk=second.pk).uses == 0


def _closed(sale: SeatSale) -> None:
    CourseRun.objects.filter(pk=sale.course_run_id).update(enrollment_end=clock.now() - timedelta(days=1))


def _not_open(sale: SeatSale) -> None:
    CourseRun.objects.filter(pk=sale.course_run_id).update(enrollment_start=clock.now() + timedelta(days=1))


def _not_live(sale: SeatSale) -> None:
    CourseRun.objects.filter(pk=sale.course_run_id).update(live=False)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_closed, "Your code is valid, but enrollment for this course closed on"),
        (_not_open, "Your code is valid, but enrollment for this course opens on"),
        (_not_live, "Your code is valid, but this course isn’t open right now. Ask Acme Ltd about another start."),
    ],
)
def test_a_closed_course_says_so_and_uses_nothing_up(
    learners_client: Client, learner: User, change: Callable[[SeatSale], None], sentence: str
) -> None:
    sale = make_sale()
    code = codes_of(sale)[0]
    change(sale)
    for _each in range(11):  # no guess: the code is right
        page = read(learners_client.post(link_of(code)))
        assert page.h1 == "This course isn’t open"
        assert sentence in page.text
    assert DiscountCode.objects.get(pk=code.pk).uses == 0
    assert not CodeUse.objects.exists()
    assert not Enrollment.objects.filter(user=learner).exists()


def test_a_code_that_was_switched_off_says_so(learners_client: Client) -> None:
    sale = make_sale()
    switch_off_unredeemed(sale, seats=None, reason="Void", by_id=None, now=clock.now())
    page = read(learners_client.post(link_of(codes_of(sale)[0])))
    assert page.h1 == "This code is no longer active"
    assert "Ask Acme Ltd for a new one." in page.text
    assert read(Client().get(link_of(codes_of(sale)[0]))).h1 == "We can’t find this code"


def test_the_course_leaves_the_cart_and_the_groups_line_stays(learners_client: Client, learner: User) -> None:
    sale = make_sale()
    owner, other = BasketOwner(user_id=learner.pk), make_product()
    add_products(owner=owner, product_ids=[sale.product_id, other.pk], now=clock.now())
    item = BasketItem.objects.get(product=sale.product)
    BasketItem.objects.create(basket=item.basket, product=sale.product, seats=5, added_at=clock.now())
    learners_client.post(link_of(codes_of(sale)[0]))
    left = BasketItem.objects.order_by("pk").values_list("product_id", "seats")
    assert list(left) == [(other.pk, None), (sale.product_id, 5)]


def test_typed_in_the_cart_it_leads_to_its_page(learners_client: Client, learner: User) -> None:
    sale = make_sale()
    code, used = codes_of(sale)
    add_products(owner=BasketOwner(user_id=learner.pk), product_ids=[make_product().pk], now=clock.now())
    for typed in (code.text, code.text.lower(), f"“{code.text}”", f"https://testserver{link_of(code)}"):
        assert learners_client.post("/cart/code/", {"code": typed})["Location"] == link_of(code)
    asked = learners_client.post("/cart/code/", {"code": code.text}, headers={"HX-Request": "true"})
    assert asked["HX-Redirect"] == link_of(code)
    assert not BasketItem.objects.filter(basket__applied_codes__isnull=False).exists()
    DiscountCode.objects.filter(pk=used.pk).update(uses=1)
    refused = learners_client.post("/cart/code/", {"code": used.text})
    assert refused.status_code == 422
    assert "Someone else has already used this code. Ask Acme Ltd for a new one." in read(refused).text


def test_signed_out_the_cart_says_nothing_about_a_code_that_does_not_work(client: Client) -> None:
    client.post("/cart/add/", {"product_id": make_product().pk})
    code, used = codes_of(make_sale())
    DiscountCode.objects.filter(pk=used.pk).update(uses=1)
    assert client.post("/cart/code/", {"code": code.text})["Location"] == link_of(code)
    refused = read(client.post("/cart/code/", {"code": used.text}))
    assert "That code isn’t one we can use" in refused.text


def test_the_field_takes_a_code_of_any_kind(learners_client: Client) -> None:
    code = codes_of(make_sale())[0]
    contract_run = make_contract_run(make_contract(), codes=1)
    enrollment_code = DiscountCode.objects.get(discount__unlocks=contract_run.product)
    for each in (code, enrollment_code):
        assert learners_client.post("/redeem/", {"code": each.text})["Location"] == link_of(each)
    assert read(learners_client.get("/redeem/")).label_of("code") == "Your code"


def test_an_assigned_code_is_for_its_address(sign_in: SignIn, learner: User) -> None:
    sale = make_sale()
    code = codes_of(sale)[0]
    DiscountCode.objects.filter(pk=code.pk).update(assigned_email=learner.email)
    page = read(sign_in(make_user()).post(link_of(code)))
    assert page.h1 == "This code was given to someone else"
    sign_in(learner).post(link_of(code))
    assert CodeUse.objects.get().user == learner


def test_a_moved_code_gives_the_other_start(learners_client: Client, learner: User) -> None:
    sale = make_sale()
    moved, stays = codes_of(sale)
    later = make_run(sale.course_run.course, title="The later start")
    DiscountCode.objects.filter(pk=moved.pk).update(moved_to=later)
    assert read(learners_client.get(link_of(moved))).headings(2) == ["The later start"]
    learners_client.post(link_of(moved))
    assert Enrollment.objects.get(user=learner).run == later
    assert read(learners_client.get(link_of(stays))).h1 == "You already have this course"


def test_a_refunded_seat_says_so(learners_client: Client) -> None:
    sale = make_sale()
    code = codes_of(sale)[0]
    order = sale.order_line.order if sale.order_line else None
    assert order is not None
    refund = order.refunds.create(
        attempt=order.attempts.get(),
        idempotency_key="r",
        gateway="stripe",
        amount=1,
        currency="USD",
        reason="x",
        enrollment_after="keep",
        recorded_at=clock.now(),
    )
    DiscountCode.objects.filter(pk=code.pk).update(active=False)
    RegistrationCodeChange.objects.create(
        code=code, kind=CodeChangeKind.REFUNDED, reason="x", at=clock.now(), refund=refund
    )
    assert read(learners_client.get(link_of(code))).h1 == "The seat of this code was refunded"


def test_a_learner_whose_seat_was_taken_back_is_told(learners_client: Client, learner: User) -> None:
    code = codes_of(make_sale())[0]
    learners_client.post(link_of(code))
    CodeUse.objects.update(state=UseState.RETIRED)
    Enrollment.objects.update(active=False)
    page = read(learners_client.post(link_of(code)))
    assert page.h1 == "The seat you took with this code was taken back"


def test_wrong_codes_are_limited(learners_client: Client) -> None:
    code = codes_of(make_sale())[0]
    for each in range(10):
        assert learners_client.get(f"/enrollmentcode/BCDFGHJ{each % 8 + 2}/").status_code == 404
    assert learners_client.get(link_of(code)).status_code == 429
    assert learners_client.post(link_of(code)).status_code == 429
    assert not CodeUse.objects.exists()


@pytest.mark.parametrize("seats", [1, 30])
def test_the_page_costs_the_same_for_any_number_of_seats(learners_client: Client, seats: int) -> None:
    code = codes_of(make_sale(seats=seats))[0]
    learners_client.get(link_of(code))
    with queries(10):
        learners_client.get(link_of(code))
    with queries(25):
        learners_client.post(link_of(code))

"""A code's page: viewing changes nothing, one click takes the seat, a refusal says why and whom to ask."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from b2b.models import ContractMembership, ContractRun
from b2b.services.seats.membership import add_member, remove_member
from courses.models import CourseRun, Enrollment
from ecommerce.models import Basket, CodeUse, DiscountCode
from mitxonline.kernel import clock
from mitxonline.users.models import User
from tests.factories import codes_of, make_code, make_contract_run, make_course, make_discount, make_user
from tests.frontend.conftest import Northgate, SignIn, make_northgate
from tests.support.counting import queries
from tests.support.reading import read

pytestmark = pytest.mark.django_db

UNKNOWN = "Check it against the message you got it in. Capitals and dashes don’t matter."


def test_looking_shows_the_seat_and_changes_nothing(learners_client: Client) -> None:
    contract = make_northgate()
    response = learners_client.get(contract.redeem_link)
    page = read(response)
    assert page.h1 == "Your seat is ready, Amara"
    assert "Northgate Health" in page.text
    assert "Your code gives you this course. There’s nothing to pay." in page.text
    assert page.headings(2) == ["Statistics for people who make decisions"]
    assert "Price Paid by Northgate Health" in page.text
    assert page.buttons() == ["Take my seat and enroll"]
    assert "You’re signed in as amara.okafor@northgate.example. Not you?" in page.text
    assert not CodeUse.objects.exists()
    assert not ContractMembership.objects.exists()


def test_signed_out_it_leads_through_signing_in_and_back(client: Client) -> None:
    contract = make_northgate()
    page = read(client.get(contract.redeem_link))
    assert page.h1 == "Your seat is ready"
    assert page.buttons() == []
    links = page.links()
    assert links["Sign in to take my seat"] == f"/login/?next=%2Fenrollmentcode%2F{contract.code}%2F"
    assert links["Create an account"] == f"/register/?next=%2Fenrollmentcode%2F{contract.code}%2F"
    pressed = client.post(contract.redeem_link)
    assert pressed["Location"] == f"/login/?next=/enrollmentcode/{contract.code}/"
    assert not CodeUse.objects.exists()


def test_one_press_takes_the_seat_and_enrolls(learners_client: Client, learner: User) -> None:
    contract = make_northgate()
    response = learners_client.post(contract.redeem_link, follow=True)
    page = read(response)
    assert response.redirect_chain == [("/dashboard/", 302)]
    assert "You’re in, Amara. Your course is on your dashboard." in page.text
    assert "Statistics for people who make decisions" in page.text
    assert Enrollment.objects.get().run_id == contract.run.course_run_id
    assert ContractMembership.objects.get().user_id == learner.pk
    again = read(learners_client.post(contract.redeem_link, follow=True))
    assert "You already have this seat. Go to your course." in again.text
    assert CodeUse.objects.count() == 1
    assert read(learners_client.get(contract.redeem_link)).h1 == "You already have this seat"


def test_the_second_learner_is_refused_with_a_sentence(sign_in: SignIn, learner: User) -> None:
    contract = make_northgate()
    sign_in(learner).post(contract.redeem_link)
    second = sign_in(make_user(name="Ben Sato"))
    for response in (second.get(contract.redeem_link), second.post(contract.redeem_link)):
        page = read(response)
        assert page.h1 == "Someone else has already used this code"
        assert "Ask Northgate Health for a new one." in page.text
        assert "Dana Whitfield manages Northgate Health’s seats: dana.whitfield@northgate.example" in page.text
        assert page.links()["Try another code"] == "/redeem/"
    assert ContractMembership.objects.count() == 1


def test_a_full_contract_says_so_and_keeps_the_code(sign_in: SignIn, learner: User) -> None:
    contract = make_northgate(seats=1)
    sign_in(learner).post(contract.redeem_link)
    other = f"/enrollmentcode/{contract.codes[1].text}/"
    page = read(sign_in(make_user()).post(other))
    assert page.h1 == "All seats are taken"
    assert "Your code stays valid: try again when a seat is free, or ask Dana Whitfield." in page.text
    assert "Ask for a seat" in page.text
    assert page.links()["Check again"] == other
    assert DiscountCode.objects.get(pk=contract.codes[1].pk).uses == 0


def _not_started(contract: Northgate) -> None:
    contract.contract.terms.start = clock.today() + timedelta(days=1)
    contract.contract.terms.save()


def _ended(contract: Northgate) -> None:
    contract.contract.terms.end = clock.today() - timedelta(days=1)
    contract.contract.terms.save()


def _inactive(contract: Northgate) -> None:
    contract.contract.terms.active = False
    contract.contract.terms.save()


def _code_off(contract: Northgate) -> None:
    DiscountCode.objects.filter(pk=contract.codes[0].pk).update(active=False)


def _course_closed(contract: Northgate) -> None:
    CourseRun.all_objects.filter(pk=contract.run.course_run_id).update(enrollment_end=clock.now() - timedelta(days=1))


def _removed(contract: Northgate) -> None:
    """Remove the course from the contract."""
    ContractRun.objects.filter(pk=contract.run.pk).update(removed_at=clock.now())
    DiscountCode.objects.filter(discount__unlocks=contract.run.product).update(active=False)


@pytest.mark.parametrize(
    ("change", "heading", "sentence"),
    [
        (_not_started, "This code is valid from ", "Keep it until then."),
        (_ended, "This code expired on ", "Ask Northgate Health whether there is a new one."),
        (_inactive, "Northgate Health’s contract isn’t active right now", "Ask Northgate Health about it."),
        (_code_off, "This code is no longer active", "Ask Northgate Health for a new one."),
        (_course_closed, "This course isn’t open", "Your code is valid, but"),
        (_removed, "This course is no longer part of the contract", "Ask Northgate Health for a code for another"),
    ],
)
def test_why_a_code_does_not_open(
    learners_client: Client, change: Callable[[Northgate], None], heading: str, sentence: str
) -> None:
    contract = make_northgate()
    change(contract)
    for response in (learners_client.get(contract.redeem_link), learners_client.post(contract.redeem_link)):
        page = read(response)
        assert page.h1.startswith(heading)
        assert sentence in page.text
        assert len(page.select("main .btn-primary")) == 1
    assert not CodeUse.objects.exists()
    signed_out = read(Client().get(contract.redeem_link))
    assert signed_out.h1 == "We can’t find this code"
    assert UNKNOWN in signed_out.text
    assert "Northgate" not in signed_out.text
    assert "Sign in" in signed_out.links()


@pytest.mark.parametrize("code", ["nothing", "a/b/c", "..", "%00", "x" * 2000, "👩🏽‍🎓", "' or 1=1"])
def test_an_unknown_code_is_not_found(client: Client, code: str) -> None:
    make_northgate()
    response = client.get(f"/enrollmentcode/{code}/")
    assert response.status_code == 404
    assert read(response).h1 == "We can’t find this code"


def test_a_priced_contract_leads_to_the_cart_with_the_code_applied(learners_client: Client) -> None:
    contract = make_northgate(price="49.00")
    page = read(learners_client.get(contract.redeem_link))
    assert page.buttons() == ["Continue to payment: $49.00"]
    assert "With your code, this course costs $49.00 (Northgate Health’s price)." in page.text
    cart = read(learners_client.post(contract.redeem_link, follow=True))
    assert cart.h1 == "Ready to start"
    assert "Total $49.00" in cart.text
    assert not CodeUse.objects.exists()


def test_a_code_for_one_address_waits_until_it_is_confirmed(client: Client, sign_in: SignIn) -> None:
    contract = make_northgate(codes_only_for_assignee=True)
    DiscountCode.objects.update(assigned_email="amara@northgate.example")
    assert read(client.get(contract.redeem_link)).h1 == "Your seat is ready"
    unconfirmed = sign_in(make_user("amara@northgate.example", email_verified_at=None))
    page = read(unconfirmed.post(contract.redeem_link))
    assert page.h1 == "Confirm your e-mail address first"
    assert "Confirm the address first: open the link in the e-mail we sent you." in page.text
    page = read(sign_in(make_user()).post(contract.redeem_link))
    assert page.h1 == "This code was given to someone else"


def test_the_other_courses_of_the_seat_are_named(learners_client: Client) -> None:
    contract = make_northgate()
    make_contract_run(contract.contract, make_course(title="Writing clearly at work"))
    assert (
        "Your seat includes one more course: Writing clearly at work."
        in read(learners_client.get(contract.redeem_link)).text
    )


@pytest.mark.parametrize("address", ["/redeem/", "/enrollmentcode/"])
def test_one_field_leads_to_the_codes_page(client: Client, address: str) -> None:
    contract = make_northgate()
    page = read(client.get(address))
    assert page.label_of("code") == "Your code"
    assert page.buttons() == ["Continue"]
    for typed in (contract.code, f" {contract.code} ", f"http://testserver{contract.redeem_link}"):
        assert client.post("/redeem/", {"code": typed})["Location"] == contract.redeem_link


def test_an_unknown_code_is_refused_at_the_field(client: Client) -> None:
    response = client.post("/redeem/", {"code": "wrong"})
    page = read(response)
    assert response.status_code == 422
    assert page.title.startswith("Error: ")
    assert page.one("input[name=code]")["value"] == "wrong"
    assert page.error_summary is not None
    assert read(client.post("/redeem/", {})).error_summary is not None


def test_a_code_that_does_not_work_shows_its_card_to_its_holder(learners_client: Client) -> None:
    contract = make_northgate()
    _code_off(contract)
    assert read(learners_client.post("/redeem/", {"code": contract.code})).h1 == "This code is no longer active"
    discount = make_code(make_discount(), text="SAVE-20")
    page = read(learners_client.post("/redeem/", {"code": discount.text}))
    assert page.h1 == "This is a discount code"
    assert page.links()["Go to my cart"] == "/cart/"


def test_wrong_codes_are_limited_and_right_ones_are_not(learners_client: Client) -> None:
    contract = make_northgate()
    for _each in range(15):
        assert learners_client.get(contract.redeem_link).status_code == 200
    for each in range(10):
        assert learners_client.get(f"/enrollmentcode/wrong-{each}/").status_code == 404
    response = learners_client.get(contract.redeem_link)
    assert response.status_code == 429
    assert read(response).h1 == "Too many attempts"
    assert int(response["Retry-After"]) > 0
    assert learners_client.post("/redeem/", {"code": contract.code}).status_code == 429
    assert learners_client.post(contract.redeem_link).status_code == 429
    assert not CodeUse.objects.exists()


def test_the_code_of_a_removed_course_explains_itself(
    learners_client: Client, learner: User, sign_in: SignIn, client: Client
) -> None:
    contract = make_northgate(codes=3, seats=3)
    used, invited, other = (f"/enrollmentcode/{code.text}/" for code in contract.codes)
    learners_client.post(used)
    DiscountCode.objects.filter(pk=contract.codes[1].pk).update(assigned_email="ben@northgate.example")
    ben = sign_in(make_user("ben@northgate.example"))
    _removed(contract)
    # Their own code as often as they like, in the page's field and in the cart's: none of it is a guess.
    for _each in range(6):
        page = read(learners_client.get(used))
        assert page.h1 == "You’ve already used this code"
        assert read(ben.get(invited)).h1 == "This course is no longer part of the contract"
        ben.post("/redeem/", {"code": contract.codes[1].text})
        ben.post("/cart/code/", {"code": contract.codes[1].text})
    assert "Ask Northgate Health for a code for another course." in read(ben.get(invited)).text
    assert read(learners_client.get(other)).h1 == "You already have this course"
    fresh = make_northgate(codes=1)
    assert ben.get(fresh.redeem_link).status_code == 200, "a good code is still looked at"
    assert read(client.get(invited)).h1 == "We can’t find this code", "signed out, nothing is said"


def test_a_withdrawn_learner_with_the_code_of_a_removed_course_is_told_of_the_withdrawal(
    learners_client: Client, learner: User
) -> None:
    contract = make_northgate()
    learners_client.post(contract.redeem_link)
    remove_member(contract_id=contract.contract.pk, user_id=learner.pk, reason="left", now=clock.now())
    _removed(contract)
    for _each in range(12):
        page = read(learners_client.get(contract.redeem_link))
        assert page.h1 == "Your access was withdrawn by Northgate Health"


@pytest.mark.parametrize("change", [_ended, _code_off])
def test_only_other_peoples_codes_that_do_not_work_are_tries(
    sign_in: SignIn, learner: User, change: Callable[[Northgate], None]
) -> None:
    contract = make_northgate()
    DiscountCode.objects.filter(pk=contract.codes[0].pk).update(assigned_email=learner.email)
    change(contract)
    holder, stranger = sign_in(learner), sign_in(make_user())
    assert {holder.get(contract.redeem_link).status_code for _each in range(12)} == {409}
    assert [stranger.get(contract.redeem_link).status_code for _each in range(11)] == [409] * 10 + [429]


@pytest.mark.parametrize("typed", ["{}.", "({})", "“{}”,", "<{}>", "'{}';", "{}…"])
def test_punctuation_around_a_pasted_code_or_link_is_left_out(learners_client: Client, typed: str) -> None:
    contract = make_northgate()
    for each in (contract.code, f"http://testserver{contract.redeem_link}"):
        answer = learners_client.post("/redeem/", {"code": typed.format(each)})
        assert read(learners_client.get(answer["Location"])).h1 == "Your seat is ready, Amara"
    for end in (".", ")", ",", "”", "/).", "./"):
        followed = learners_client.get(contract.redeem_link.rstrip("/") + end, follow=True)
        assert read(followed).h1 == "Your seat is ready, Amara", end


def test_looking_again_whether_a_seat_is_free_is_no_try(learners_client: Client) -> None:
    """The page itself offers “Check again”: the code is right, and no one guesses."""
    contract = make_northgate(seats=1)
    add_member(contract_id=contract.contract.pk, user_id=make_user().pk, now=clock.now())
    for _each in range(15):
        response = learners_client.get(contract.redeem_link)
        assert response.status_code == 409
        assert "Check again" in read(response).links()
    assert learners_client.post(contract.redeem_link).status_code == 409


def test_one_network_cannot_try_for_ever() -> None:
    for each in range(200):
        assert Client().get(f"/enrollmentcode/wrong-{each}/").status_code == 404
    response = Client().get("/enrollmentcode/wrong/")
    assert response.status_code == 429
    assert "Too many codes that didn’t work came from your network." in read(response).text


def test_the_address_with_the_code_stays_here(learners_client: Client) -> None:
    response = learners_client.get(make_northgate().redeem_link)
    assert response["Referrer-Policy"] == "same-origin"
    assert response["X-Robots-Tag"] == "noindex"
    assert "no-store" in response["Cache-Control"]


def test_the_code_is_written_into_no_log(learners_client: Client, caplog: pytest.LogCaptureFixture) -> None:
    contract = make_northgate()
    with caplog.at_level("DEBUG"):
        learners_client.get(contract.redeem_link)
        learners_client.post("/cart/code/", {"code": contract.code})
        learners_client.post("/redeem/", {"code": contract.code})
        learners_client.post(contract.redeem_link)
    assert contract.code not in "".join(
        record.getMessage() for record in caplog.records if not record.name.startswith("django.db")
    )


def test_learners_who_have_the_course_do_not_use_up_a_code(learners_client: Client) -> None:
    contract = make_northgate()
    learners_client.post(contract.redeem_link)
    page = read(learners_client.get(f"/enrollmentcode/{contract.codes[1].text}/"))
    assert page.h1 == "You already have this course"
    assert "We didn’t use your code. You can give it back to Dana Whitfield." in page.text
    assert not Basket.objects.exists()


@pytest.mark.parametrize("courses", [1, 5])
def test_the_page_costs_the_same_for_any_number_of_courses(learners_client: Client, courses: int) -> None:
    contract = make_northgate(codes=3)
    for _each in range(courses - 1):
        make_contract_run(contract.contract)
    learners_client.get(contract.redeem_link)
    with queries(14):
        learners_client.get(contract.redeem_link)


def test_a_member_is_told_to_enroll_without_the_code_of_another_course(learners_client: Client) -> None:
    contract = make_northgate()
    other = make_contract_run(contract.contract, make_course(title="Writing clearly at work"), codes=1)
    (fresh,) = codes_of(other)
    learners_client.post(contract.redeem_link)
    page = read(learners_client.get(f"/enrollmentcode/{fresh.text}/"))
    assert page.h1 == "You already have a seat"
    assert "Enroll without this code." in page.text
    assert page.buttons() == ["Enroll"]
    form = page.one("form[action='/dashboard/start/']")
    learners_client.post(str(form["action"]), {"contract_run": page.one("input[name=contract_run]")["value"]})
    assert Enrollment.objects.filter(run=other.course_run).exists()
    assert not CodeUse.objects.filter(code=fresh).exists()


def test_a_code_given_to_a_member_by_name_is_theirs_to_use(learners_client: Client) -> None:
    contract = make_northgate()
    other = make_contract_run(contract.contract, make_course(title="Writing clearly at work"), codes=1)
    (given,) = codes_of(other)
    DiscountCode.objects.filter(pk=given.pk).update(assigned_email="amara.okafor@northgate.example")
    learners_client.post(contract.redeem_link)
    page = read(learners_client.get(f"/enrollmentcode/{given.text}/"))
    assert page.buttons() == ["Take my seat and enroll"]


def test_codes_of_one_contract_open_their_own_courses(learners_client: Client) -> None:
    contract = make_northgate()
    other = make_contract_run(contract.contract, make_course(title="Writing clearly at work"), codes=1)
    learners_client.post(contract.redeem_link)
    learners_client.post(f"/enrollmentcode/{codes_of(other)[0].text}/")
    assert Enrollment.objects.count() == 2
    assert ContractMembership.objects.count() == 1

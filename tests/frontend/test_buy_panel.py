"""The buy panel of a course, for every kind of visitor."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from b2b.enums import MembershipSource
from b2b.services.seats.membership import add_member
from courses.enums import EnrollmentMode, EnrollmentSource
from courses.models import Course, CourseRun, Enrollment
from courses.services.enrollments import enroll
from frontend.pages.buy_panel import CHOSEN_SHOWN, BuyPanel, PanelState, buy_panel
from frontend.pages.cards import course_card
from frontend.pages.offers import RunOffer, course_offers
from mitxonline.kernel import clock
from mitxonline.users.models import User
from tests.factories import NOON, make_contract, make_contract_run, make_course, make_product, make_run, make_user
from tests.factories.pages import make_course_page

pytestmark = pytest.mark.django_db


def panel(course: Course, user: User | None = None, **options: Any) -> BuyPanel:
    return buy_panel(course, user_id=user.pk if user else None, now=NOON, **options)


def on(days: int) -> Any:
    return NOON + timedelta(days=days)


class TestBuying:
    def test_one_start_date_is_named(self) -> None:
        course = make_course()
        product = make_product(make_run(course, start_date=on(41), end_date=on(96)), price="249")
        found = panel(course)
        assert (found.state, found.prices, found.buttons) == (PanelState.BUY, ("$249",), ("Enroll for $249",))
        assert (found.action_url, found.badge_text) == ("/cart/add/", "Open for enrollment")
        assert found.refunds == ("Full refund until 26 April",)
        choice = found.only_choice
        assert choice is not None
        assert (choice.name, choice.value, choice.checked) == ("product_id", product.pk, True)
        assert (choice.title, choice.text) == ("12 April 2026", "With an instructor · ends 6 June 2026")

    def test_starts_come_in_order_and_the_next_one_is_chosen(self) -> None:
        course = make_course()
        make_product(make_run(course, is_self_paced=True), price="249")
        make_product(make_run(course, start_date=on(-3)), price="249")
        make_product(make_run(course, start_date=on(60)), price="249")
        make_product(make_run(course, start_date=on(30)), price="249")
        assert [(choice.title, choice.checked) for choice in panel(course).choices] == [
            ("1 April 2026", True),
            ("1 May 2026", False),
            ("Start any time", False),
            ("Started 27 February 2026", False),
        ]

    def test_price_refund_and_start_belong_to_each_start(self) -> None:
        course = make_course()
        make_product(make_run(course, start_date=on(30)), price="249")
        make_product(make_run(course, is_self_paced=True), price="99")
        found = panel(course)
        assert found.prices == ("$249", "$99")
        assert found.buttons == ("Enroll for $249", "Enroll for $99")
        assert found.refunds == ("Full refund until 15 April", "Full refund until 16 March")
        assert found.starts == ("Starts 1 Apr", "Start any time")
        assert (found.price_text, found.shows_prices) == ("From $99", True)

    def test_starts_of_one_price_say_it_once(self) -> None:
        course = make_course()
        make_product(make_run(course, start_date=on(30)), price="249")
        make_product(make_run(course, is_self_paced=True), price="249")
        found = panel(course)
        assert (found.prices, found.buttons, found.shows_prices) == (("$249",), ("Enroll for $249",), False)
        assert len(found.refunds) == len(found.starts) == 2

    def test_more_starts_than_the_style_sheet_knows_each_say_their_refund(self) -> None:
        course = make_course()
        for number in range(CHOSEN_SHOWN + 1):
            make_product(make_run(course, start_date=on(30 + number)), price=str(100 + number))
        found = panel(course)
        assert (found.prices, found.buttons, found.has_refund) == (("From $100",), ("Add to cart",), False)
        assert found.choices[1].text == "With an instructor · Full refund until 16 April"

    def test_a_refund_of_next_year_carries_its_year(self) -> None:
        course = make_course()
        make_product(make_run(course, start_date=on(320)), price="249")
        found = panel(course)
        assert found.refunds == ("Full refund until 30 January 2027",)
        assert found.starts == ("Starts 16 Jan 2027",)

    def test_a_free_start_beside_a_paid_one_has_a_form_of_its_own(self) -> None:
        course = make_course()
        make_product(make_run(course, start_date=on(30)), price="249")
        free = make_run(course, is_self_paced=True)
        found = panel(course)
        assert (found.state, found.prices, found.price_text) == (PanelState.BUY, ("$249",), "Free or $249")
        assert found.shows_prices
        assert [(choice.name, choice.value) for choice in found.free_choices] == [("run", free.pk)]
        assert found.free_action_url == "/enroll/"

    def test_any_time_is_refunded_for_some_days_after_buying(self, settings: Any) -> None:
        course = make_course()
        make_product(make_run(course, is_self_paced=True), price="249")
        assert panel(course).refunds == ("Full refund until 16 March",)
        settings.REFUND_WINDOW_DAYS = 0
        assert not panel(course).has_refund


def test_a_free_course_offers_enrollment() -> None:
    course = make_course()
    run = make_run(course, start_date=on(30))
    found = panel(course)
    assert (found.state, found.prices, found.buttons) == (PanelState.FREE, ("Free",), ("Enroll for free",))
    assert found.action_url == "/enroll/"
    assert found.only_choice is not None
    assert (found.only_choice.name, found.only_choice.value) == ("run", run.pk)


def test_not_open_yet() -> None:
    course = make_course()
    make_product(make_run(course, start_date=on(60), enrollment_start=on(9)), price="320")
    found = panel(course)
    assert (found.state, found.badge_text, found.price_text) == (PanelState.OPENS, "Opens 11 Mar", "$320")
    assert found.sentence == "Enrollment opens on 11 March 2026."
    assert not found.has_form
    assert [(choice.disabled, choice.text) for choice in found.choices] == [(True, "Enrollment opens on 11 March 2026")]


@pytest.mark.parametrize("email", ["hello@tessera.example", ""])
def test_a_closed_course_says_so(email: str) -> None:
    course = make_course(title="Ethics & machines")
    make_product(make_run(course, start_date=on(-90), end_date=on(-1)), price="320")
    found = panel(course, support_email=email)
    assert (found.state, found.badge_text, found.price_text) == (PanelState.CLOSED, "Enrollment closed", "")
    assert not found.has_form
    expected = f"mailto:{email}?subject=Next%20start%20of%20Ethics%20%26%20machines" if email else ""
    assert (found.go_url, bool(found.go_text)) == (expected, bool(email))


class TestEnrolled:
    def enrolled(self, learner: User, **run: Any) -> Course:
        course = make_course()
        made = make_run(course, **run)
        make_product(make_run(course, start_date=on(30)), price="249")
        enroll(user_id=learner.pk, run_id=made.pk, mode=EnrollmentMode.AUDIT, source=EnrollmentSource.FREE, now=NOON)
        return course

    def test_in_a_run_that_goes_on(self, learner: User) -> None:
        course = self.enrolled(learner, start_date=on(-9))
        found = panel(course, learner)
        assert (found.state, found.go_text, found.go_url) == (PanelState.ENROLLED, "Go to dashboard", "/dashboard/")
        assert not found.has_form
        assert panel(course).state is PanelState.BUY

    def test_in_a_run_to_come(self, learner: User) -> None:
        found = panel(self.enrolled(learner, start_date=on(9)), learner)
        assert found.sentence == "You’re enrolled. The course starts on 11 March 2026."

    def test_in_a_run_that_is_over_one_may_come_again(self, learner: User) -> None:
        course = self.enrolled(learner, start_date=on(-90), end_date=on(-9))
        assert panel(course, learner).state is PanelState.BUY


class TestMember:
    @pytest.fixture
    def course(self) -> Course:
        course = make_course()
        make_product(make_run(course, start_date=on(30)), price="249")
        return course

    def member(self, learner: User, course: Course, **terms: Any) -> int:
        contract = make_contract(**terms)
        run = make_contract_run(contract, course)
        add_member(contract_id=contract.pk, user_id=learner.pk, source=MembershipSource.CODE, now=NOON)
        return run.pk

    def test_a_free_contracts_course_starts_with_one_click(self, learner: User, course: Course) -> None:
        contract_run = self.member(learner, course)
        found = panel(course, learner)
        assert (found.state, found.price_text, found.price_note) == (
            PanelState.MEMBER,
            "$0.00",
            "Paid by Northgate Health",
        )
        assert (found.buttons, found.action_url) == (("Enroll",), "/dashboard/start/")
        assert found.only_choice is not None
        assert (found.only_choice.name, found.only_choice.value) == ("contract_run", contract_run)

    def test_a_priced_contracts_course_goes_to_the_cart(self, learner: User, course: Course) -> None:
        self.member(learner, course, price="49")
        found = panel(course, learner)
        assert (found.prices, found.price_note, found.buttons) == (("$49",), "", ("Enroll for $49",))
        assert found.action_url == "/cart/add/"

    def test_after_the_contract_ends_the_public_price_applies(self, learner: User, course: Course) -> None:
        self.member(learner, course, end=clock.date_of(on(-1)))
        assert panel(course, learner).state is PanelState.BUY

    def test_others_see_nothing_of_it(self, learner: User, course: Course) -> None:
        make_contract_run(make_contract(), course)
        assert panel(course).state is PanelState.BUY
        assert panel(course, learner).state is PanelState.BUY


class TestButtons:
    """The panel's forms, posted as rendered."""

    def test_buying_puts_the_chosen_start_into_the_cart(self, client: Client) -> None:
        page = make_course_page()
        product = make_product(make_run(page.course, start_date=clock.now() + timedelta(days=9)), price="249")
        assert f'name="product_id" value="{product.pk}" checked' in client.get(page.url).content.decode()
        response = client.post("/cart/add/", {"product_id": product.pk, "next": page.url}, follow=True)
        assert page.subject.title in response.content.decode()

    def test_a_free_start_enrolls(self, learner: User, learners_client: Client) -> None:
        page = make_course_page()
        run = make_run(page.course, is_self_paced=True)
        assert f'name="run" value="{run.pk}" checked' in learners_client.get(page.url).content.decode()
        learners_client.post("/enroll/", {"run": run.pk, "next": page.url})
        assert Enrollment.objects.get(user=learner).run == run
        text = learners_client.get(page.url).content.decode()
        assert "Go to dashboard" in text
        assert "Enroll for free" not in text

    def test_a_members_click_enrolls_in_the_contracts_run(self, learner: User, learners_client: Client) -> None:
        page = make_course_page()
        contract_run = TestMember().member(learner, page.subject)
        assert f'name="contract_run" value="{contract_run}"' in learners_client.get(page.url).content.decode()
        learners_client.post("/dashboard/start/", {"contract_run": contract_run})
        assert Enrollment.objects.get(user=learner).run.is_contract_only
        assert CourseRun.objects.filter(course=page.course).count() == 0


def test_a_run_without_a_date_can_be_begun_any_time() -> None:
    run = RunOffer(1, 1, False, None, None, None, product_id=None, price=None, mode="")
    assert not run.has_date()
    assert run.is_open(NOON)


class TestFull:
    def test_a_full_start_is_listed_and_cant_be_chosen(self) -> None:
        course = make_course()
        full, other = make_run(course, start_date=on(30), places=1), make_run(course, start_date=on(60), places=2)
        make_product(full, price="249")
        make_product(other, price="249")
        enroll(user_id=make_user().pk, run_id=full.pk, mode="audit", source=EnrollmentSource.FREE, now=NOON)
        found = panel(course)
        assert (found.state, found.badge_text) == (PanelState.BUY, "Open for enrollment")
        assert found.start_text == "Starts 1 May"
        assert [(each.text, each.checked, each.disabled) for each in found.choices] == [
            ("Full", False, True),
            ("With an instructor", True, False),
        ]

    @pytest.mark.parametrize("is_free", [False, True])
    def test_a_course_without_a_place_says_so_and_sells_nothing(self, is_free: bool) -> None:
        course = make_course()
        run = make_run(course, start_date=on(30), places=1)
        if not is_free:
            make_product(run, price="249")
        learner = make_user()
        enroll(user_id=learner.pk, run_id=run.pk, mode="verified", source=EnrollmentSource.FREE, now=NOON)
        found = panel(course)
        assert (found.state, found.badge_text, found.price_text) == (
            PanelState.FULL,
            "Full",
            "Free" if is_free else "$249",
        )
        assert found.sentence.startswith("Every place is taken.")
        assert (found.has_form, found.sells_seats, found.group_url) == (False, False, "")
        assert panel(course, learner).state == PanelState.ENROLLED
        offer = course_offers([course.pk], now=NOON)[course.pk]
        make_course_page(course)
        listed = Course.objects.select_related("page", "department").get(pk=course.pk)
        assert course_card(listed, offer=offer).state == "full"

    def test_a_later_run_that_opens_doesnt_hide_that_this_one_is_full(self) -> None:
        course = make_course()
        full = make_run(course, places=1)
        make_run(course, enrollment_start=on(9))
        enroll(user_id=make_user().pk, run_id=full.pk, mode="audit", source=EnrollmentSource.FREE, now=NOON)
        assert panel(course).state == PanelState.FULL

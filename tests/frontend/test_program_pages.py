"""Pages of programs and products: starts, what the visitor has, and what it costs them."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.test import Client
from django.urls import reverse

from cms.models import ProductPage
from courses.enums import EnrollmentMode, EnrollmentSource, RequirementKind
from courses.models import Course, CourseRun, Program, ProgramRequirement
from courses.selectors.programs import count_fulfilled, count_needed, measure_needed, requirements_tree
from courses.services.enrollments import enroll
from ecommerce.enums import AttemptState, OrderState, OwnedCourses
from ecommerce.events import OrderFulfilled, OrderInReview
from ecommerce.models import BasketItemStart, Order, OrderLineCourse, PaymentAttempt, Product
from ecommerce.receivers import email_receipt, email_review
from ecommerce.services.orders.fulfillment import fulfill_or_review, fulfill_order
from frontend.pages.programs import build_program_page
from mitxonline.kernel import clock
from mitxonline.kernel.dates import format_day, format_deadline
from mitxonline.users.models import User
from tests.factories import make_course, make_department, make_product, make_run, make_user
from tests.factories.pages import (
    make_course_page,
    make_product_page,
    make_program,
    make_program_page,
)
from tests.factories.shop import set_policy
from tests.support.counting import queries
from tests.support.pdf import words_of_pdf
from tests.support.reading import Page, read, words

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


class World:
    """A program of three courses at $520; the first starts twice and at any time, the others once."""

    def __init__(self) -> None:
        self.now = clock.now()
        self.a, self.b, self.c = (
            make_course(title=title, duration_weeks=weeks, department=make_department("Health"))
            for title, weeks in (("Infection", 5), ("Statistics", 6), ("Interface", 8))
        )
        for course in (self.a, self.b, self.c):
            make_course_page(course)
        self.begun = make_run(self.a, start_date=self.now - 5 * DAY)
        self.next = make_run(self.a, start_date=self.now + 20 * DAY)
        self.any_time = make_run(self.a, is_self_paced=True)
        self.only_b = make_run(self.b, start_date=self.now + 30 * DAY)
        self.only_c = make_run(self.c, start_date=self.now + 40 * DAY)
        for run, price in ((self.next, "180"), (self.any_time, "190"), (self.only_b, "199"), (self.only_c, "210")):
            make_product(run, price=price)
        self.page = make_program_page(make_program("SCBR", courses=[self.a, self.b, self.c], title="Safer care"))
        self.other = make_program_page(make_program("OTHER", courses=[make_course()], title="Another program"))
        self.product = Product.objects.create(program=self.program, sku="SCBR", price=Decimal(520), currency="USD")

    @property
    def program(self) -> Program:
        return Program.objects.get(pk=self.page.program_id)

    def has(self, learner: User, *runs: CourseRun, mode: str = EnrollmentMode.VERIFIED) -> None:
        for run in runs:
            enroll(user_id=learner.pk, run_id=run.pk, mode=mode, source=EnrollmentSource.CODE, now=self.now)


@pytest.fixture
def world() -> World:
    return World()


def panel(page: Page) -> str:
    return words(page.one("section.panel"))


def add_from(client: Client, page: Page, **chosen: str) -> Page:
    """Send the panel's form as a browser without scripts does."""
    form = page.one("section.panel form")
    data = {"product_id": form.find("input", attrs={"name": "product_id"})["value"]}  # type: ignore[index]
    starts = [select.find("option", selected=True)["value"] for select in form.find_all("select")]  # type: ignore[index]
    data["start"] = chosen.get("start", starts)
    return read(client.post(str(form["action"]), data, follow=True))


def test_the_panel_names_each_course_with_its_start(client: Client, world: World) -> None:
    page = read(client.get(world.page.url))
    text = panel(page)
    for run in (world.next, world.only_b, world.only_c):
        assert f"Starts {format_day(run.start_date or world.now)}" in text
    assert format_day(world.begun.start_date or world.now) not in text
    assert [words(label) for label in page.select("section.panel label")] == ["Start: Infection"]
    assert [words(option) for option in page.select("section.panel option")] == [
        f"Starts {format_day(world.next.start_date or world.now)}",
        "At your own pace",
    ]
    assert "Full refund" in text
    assert "Does your organization pay?" in text


def test_the_panel_comes_before_the_content(client: Client, world: World) -> None:
    for url in (world.page.url, make_product_page(world.product).url):
        html = client.get(url).content.decode()
        assert html.index('class="course-side"') < html.index('class="course-main"')


def test_what_was_chosen_is_in_cart_and_order(learners_client: Client, world: World) -> None:
    cart = add_from(learners_client, read(learners_client.get(world.page.url)), start=str(world.any_time.pk))
    assert BasketItemStart.objects.get(course=world.a).run == world.any_time
    line = words(cart.one(".cart-line"))
    assert "Infection At your own pace" in line
    assert f"Statistics Starts {format_day(world.only_b.start_date or world.now)}" in line
    assert "1 program" in words(cart.one(".cart-summary"))
    assert "Cart, 1 program, $520.00" in words(cart.one("#cart-link"))
    form = cart.one(".starts-change form")
    data = {"product_id": world.product.pk, "start": world.next.pk}
    cart = read(learners_client.post(str(form["action"]), data, follow=True))
    assert f"Infection Starts {format_day(world.next.start_date or world.now)}" in words(cart.one(".cart-line"))


def test_a_start_that_closed_is_told_with_the_choice_open(learners_client: Client, world: World) -> None:
    page = read(learners_client.get(world.page.url))
    CourseRun.objects.filter(pk=world.next.pk).update(live=False)
    cart = add_from(learners_client, page)
    line = words(cart.one(".cart-line"))
    day = format_day(world.next.start_date or world.now)
    assert f"The start you chose for “Infection” ({day}) is no longer open. Choose another one." in line
    assert cart.one(".starts-change").has_attr("open")
    assert "Choose your starts again to check out." in cart.text
    assert "$520.00" in line
    cart = read(learners_client.post("/cart/starts/", {"product_id": world.product.pk}, follow=True))
    assert "no longer open" not in cart.text
    assert "Check out" in cart.buttons()


@pytest.mark.parametrize("start", ["x", "0", "99999999", "-1"])
def test_a_start_that_is_none_of_the_programs(learners_client: Client, world: World, start: str) -> None:
    response = learners_client.post("/cart/add/", {"product_id": world.product.pk, "start": start}, follow=True)
    assert "That start isn’t open. Your cart hasn’t changed. Choose one of the starts shown." in read(response).text
    assert not BasketItemStart.objects.exists()


@pytest.mark.parametrize(
    ("policy", "price", "words_on_page"),
    [
        (OwnedCourses.DEDUCT, "$340 was $520", "You already have it: −$180.00"),
        (OwnedCourses.FULL_PRICE, "$520", "You already have 1 of these 3 courses. The price doesn’t change."),
    ],
)
def test_what_the_visitor_has_is_on_page_and_in_cart(
    learners_client: Client, learner: User, world: World, policy: OwnedCourses, price: str, words_on_page: str
) -> None:
    set_policy(policy)
    world.has(learner, world.begun)
    page = read(learners_client.get(world.page.url))
    assert price in panel(page)
    assert words_on_page in panel(page)
    assert "You already have 1 of these 3 courses." in panel(page)
    assert page.select("section.panel select") == []
    cart = add_from(learners_client, page)
    due = price.split()[0] + ".00"
    assert due in words(cart.one(".cart-line-end"))
    assert f"Total {due}" in words(cart.one(".cart-summary"))
    assert "Infection You already have it" in words(cart.one(".cart-line"))
    assert ("Courses you already have −$180.00" in cart.text) is (policy == OwnedCourses.DEDUCT)


def test_a_program_that_isn_t_sold_to_part_owners(learners_client: Client, learner: User, world: World) -> None:
    set_policy(OwnedCourses.NOT_SOLD)
    world.has(learner, world.begun)
    page = read(learners_client.get(world.page.url))
    assert "You already have 1 of the 3 courses in “Safer care”: Infection." in panel(page)
    assert page.select("section.panel form") == []


def test_a_visitor_who_has_nothing_sees_the_full_price(client: Client, learner: User, world: World) -> None:
    world.has(learner, world.begun)
    assert "$520 was $589" in panel(read(client.get(world.page.url)))


def bought(world: World, learners_client: Client) -> Order:
    add_from(learners_client, read(learners_client.get(world.page.url)))
    return buy(learners_client)


def buy(learners_client: Client) -> Order:
    form = read(learners_client.get("/cart/")).one("form[action='/checkout/']")
    learners_client.post("/checkout/", {field["name"]: field["value"] for field in form.find_all("input")})
    order = Order.objects.get()
    return fulfill_order(order_id=order.pk, now=clock.now())


def test_after_buying_the_panel_says_so(learners_client: Client, world: World) -> None:
    order = bought(world, learners_client)
    assert order.state == OrderState.FULFILLED
    page = read(learners_client.get(world.page.url))
    text = panel(page)
    assert "You have this program" in text
    assert "You’re enrolled in all 3 courses it takes." in text
    assert f"Infection Starts {format_day(world.next.start_date or world.now)}" in text
    assert "Enroll for" not in page.text
    links = [str(link["href"]) for link in page.select("section.panel a")]
    assert links == [f"/courses/{course.readable_id}/" for course in (world.a, world.b, world.c)] + ["/dashboard/"]
    again = add_product(learners_client, world.product)
    assert "You already have “Safer care”." in again.text


def test_who_has_all_its_courses_has_the_program(learners_client: Client, learner: User, world: World) -> None:
    world.has(learner, world.begun, world.only_b)
    assert "You have this program" not in panel(read(learners_client.get(world.page.url)))
    world.has(learner, world.only_c)
    text = panel(read(learners_client.get(world.page.url)))
    assert "You have this program" in text
    assert "Infection Open now · Started" in text


def add_product(client: Client, product: Product) -> Page:
    return read(client.get(f"/cart/add/?product_id={product.pk}", follow=True))


def test_a_program_and_its_course_are_one_problem_with_one_button(learners_client: Client, world: World) -> None:
    single = world.only_b.products.get()
    add_product(learners_client, single)
    add_product(learners_client, make_product(price="10"))
    cart = add_product(learners_client, world.product)
    sentence = "“Statistics” is part of “Safer care”, which is in your cart too. You’d pay for it twice."
    assert cart.text.count(sentence) == 1
    assert cart.text.count("You’d pay for it twice.") == 1
    assert "2 courses and 1 program" in words(cart.one(".cart-summary"))
    assert cart.buttons().count("Remove “Statistics”") == 1
    cart = read(learners_client.post("/cart/remove/", {"product_id": single.pk}, follow=True))
    assert sentence not in cart.text
    assert "Check out" in cart.buttons()


def test_what_is_in_the_cart_twice_for_different_reasons_is_told_apart(learners_client: Client, world: World) -> None:
    other = make_program("SECOND", courses=[world.b, world.c], title="Another program")
    second = Product.objects.create(program=other, sku="SECOND", price=Decimal(400), currency="USD")
    add_product(learners_client, world.only_b.products.get())
    add_product(learners_client, world.product)
    cart = add_product(learners_client, second)
    assert "Some courses are in your cart twice." in cart.text
    assert [words(each) for each in cart.select(".alert .bullets li")] == [
        "“Statistics” is part of “Safer care”, which is in your cart too. You’d pay for it twice.",
        "“Another program” and “Safer care” have courses in common: “Statistics” and “Interface”. "
        "You’d pay for those twice.",
    ]
    assert "Remove these 2" in cart.buttons()


def test_courses_that_are_not_open_are_named_as_not_included(client: Client, world: World) -> None:
    CourseRun.objects.filter(pk=world.only_c.pk).update(live=False)
    assert "Interface Not open right now, so it isn’t included" in panel(read(client.get(world.page.url)))
    cart = add_product(client, world.product)
    assert "Interface Not open right now, so it isn’t included" in words(cart.one(".cart-line"))


# Requirements


def test_requirements_are_counted_as_needed(client: Client, world: World) -> None:
    program = nested_program(world)
    tree = requirements_tree(program.pk)
    assert count_needed(tree) == 3
    assert measure_needed(tree, {}) == (3, 3)
    first, *electives = [course.pk for course in nested_courses(program)]
    assert count_fulfilled(tree, electives) == 2
    assert count_fulfilled(tree, [first, electives[0]]) == 2
    page = build_program_page(make_program_page(program), user_id=None, now=world.now)
    assert page is not None
    facts = [(fact.title, fact.note) for fact in page.program.facts]
    assert facts == [("3 of 5 courses", "You choose some of them"), ("6–10 weeks", "total")]
    assert [(step.title, step.text) for step in page.program.steps] == [
        ("To begin with", ""),
        ("Then at least two of these", ""),
    ]


def nested_program(world: World) -> Program:
    program = Program.objects.create(readable_id="program-v1:X+L", title="Leading", department=world.a.department)
    every = ProgramRequirement.objects.create(
        program=program, kind=RequirementKind.ALL_OF, title="To begin with", position=0
    )
    some = ProgramRequirement.objects.create(
        program=program, kind=RequirementKind.AT_LEAST, at_least=2, title="Then at least two of these", position=1
    )
    for position, weeks in enumerate((3, 1, 2, 3, 4)):
        course = make_course(duration_weeks=weeks)
        make_run(course)
        ProgramRequirement.objects.create(
            program=program,
            parent=some if position else every,
            kind=RequirementKind.COURSE,
            course=course,
            position=position,
        )
    return program


def nested_courses(program: Program) -> list[Course]:
    return [row.course for row in program.requirements.exclude(course=None).order_by("position") if row.course]


@pytest.mark.parametrize(
    ("title", "number", "shown"),
    [
        ("", 2, ("At least 2 of these", "")),
        ("Electives", 2, ("Electives", "At least 2 of these")),
        ("Choose two", 2, ("Choose two", "")),
        ("Any 2", 2, ("Any 2", "")),
    ],
)
def test_headings_are_not_doubled(world: World, title: str, number: int, shown: tuple[str, str]) -> None:
    program = make_program("D", courses=[world.a, world.b, world.c], at_least=number)
    program.requirements.filter(course=None).update(title=title)
    page = build_program_page(make_program_page(program), user_id=None, now=world.now)
    assert page is not None
    assert [(step.title, step.text) for step in page.program.steps] == [shown]


@pytest.mark.parametrize("number", [1, 8])
def test_a_part_owners_page_costs_the_same_for_any_number(
    learners_client: Client, learner: User, world: World, number: int
) -> None:
    program = make_program("N", courses=[make_course() for _each in range(number + 1)])
    for row in program.requirements.exclude(course=None):
        make_product(make_run(row.course))
    Product.objects.create(program=program, sku="N", price=Decimal(9000), currency="USD")
    page = make_program_page(program)
    owned = [row.course for row in program.requirements.exclude(course=None)][:number]
    world.has(learner, *(course.runs.get() for course in owned if course))
    learners_client.get(page.url)
    with queries(exactly=26):
        learners_client.get(page.url)


# Products


def offer_page(world: World, product: Product) -> ProductPage:
    return make_product_page(product, slug="offer")


def test_a_product_page_is_the_course_in_small(client: Client, world: World) -> None:
    page = read(client.get(offer_page(world, world.next.products.get()).url))
    assert page.h1 == "An offer"
    assert words(page.one(".breadcrumb")) == "Catalog Health Infection An offer"
    assert f"/courses/{world.a.readable_id}/" in [str(link["href"]) for link in page.select(".breadcrumb a")]
    assert "5 weeks" in words(page.one(".facts"))
    assert page.select(".panel .cover")
    assert "Enroll for $180" in panel(page)
    assert format_day(world.next.start_date or world.now) in panel(page)
    assert "Full refund until" in panel(page)
    assert [words(heading) for heading in page.select("main h2")] == ["The course"]
    assert page.text.count("$190") == 0


def test_a_product_page_of_a_program(learners_client: Client, learner: User, world: World) -> None:
    url = offer_page(world, world.product).url
    page = read(learners_client.get(url))
    assert words(page.one(".breadcrumb")) == "Programs Safer care An offer"
    assert "3 courses" in words(page.one(".facts"))
    assert "Enroll for $520" in panel(page)
    assert [words(heading) for heading in page.select("main h2")] == ["Courses in this program"]
    world.has(learner, world.next, world.only_b, world.only_c)
    assert "You have this program" in panel(read(learners_client.get(url)))


def test_a_product_page_knows_who_is_enrolled(learners_client: Client, learner: User, world: World) -> None:
    url = offer_page(world, world.next.products.get()).url
    world.has(learner, world.next)
    assert "Enrolled" in panel(read(learners_client.get(url)))


def test_a_product_that_is_gone_leads_to_its_course(client: Client, world: World) -> None:
    url = offer_page(world, world.next.products.get()).url
    CourseRun.objects.filter(pk=world.next.pk).update(enrollment_end=world.now - DAY, start_date=None)
    page = read(client.get(url))
    assert "This isn’t available right now." in panel(page)
    assert [words(link) for link in page.select("section.panel a")] == ["See the course"]
    Product.objects.filter(course_run=world.next).update(is_active=False)
    page = read(client.get(url))
    assert [words(link) for link in page.select("section.panel a")] == ["Browse courses"]


def test_order_lines_keep_the_titles(learners_client: Client, world: World) -> None:
    order = bought(world, learners_client)
    Course.objects.filter(pk=world.a.pk).update(title="Renamed")
    assert OrderLineCourse.objects.filter(line__order=order, title="Infection").exists()


# What is written down


def test_receipt_pdf_and_e_mail_list_the_courses_with_their_starts(
    learners_client: Client, learner: User, world: World
) -> None:
    world.has(learner, world.begun)
    order = bought(world, learners_client)
    days = [format_day(run.start_date or world.now) for run in (world.only_b, world.only_c)]
    listed = [f"Statistics: Starts {days[0]}", f"Interface: Starts {days[1]}"]
    listed.append("Infection: you already had it, −$180.00")
    page = read(learners_client.get(f"/checkout/receipt/?order_number={order.number}"))
    assert [words(each) for each in page.select(".paper-item .small")] == listed
    assert "−$180.00" in words(page.one(".paper-sums"))
    assert "Your courses are on your dashboard." in page.text
    email_receipt(OrderFulfilled(order_id=order.pk, purchaser_id=learner.pk, number=order.number, at=world.now))
    message = mail.outbox[-1]
    assert isinstance(message, EmailMultiAlternatives)
    html = str(message.alternatives[0][0])
    file = learners_client.get(f"/checkout/receipt/pdf/?order_number={order.number}")
    pdf, _pages = words_of_pdf(file.content)
    for text in listed:
        assert text in str(message.body)
        assert text in html
        assert text in " ".join(pdf.split())


def test_a_start_called_off_while_paying_is_told_to_buyer_and_staff(
    learners_client: Client, world: World, sign_in: Any
) -> None:
    add_from(learners_client, read(learners_client.get(world.page.url)))
    form = read(learners_client.get("/cart/")).one("form[action='/checkout/']")
    learners_client.post("/checkout/", {field["name"]: field["value"] for field in form.find_all("input")})
    order = Order.objects.get()
    CourseRun.objects.filter(pk=world.next.pk).update(live=False)
    PaymentAttempt.objects.filter(order=order).update(
        state=AttemptState.PAID, paid_amount=order.total, paid_currency="USD"
    )
    fulfill_or_review(order_id=order.pk, now=clock.now())
    email_review(OrderInReview(order_id=order.pk, purchaser_id=order.purchaser_id))
    assert "this start closed in the meantime: Infection" in str(mail.outbox[-1].body)
    page = read(learners_client.get(f"/checkout/receipt/?order_number={order.number}"))
    assert page.h1 == "A start you chose is no longer open"
    assert f"Infection, {format_day(world.next.start_date or world.now)}" in page.text
    staff = sign_in(make_user(is_staff=True, is_superuser=True))
    desk = read(staff.get(reverse("shop_orders:order", args=[order.pk]))).text
    assert "A start the buyer chose has closed: Infection" in desk
    assert f"Statistics: Starts {format_day(world.only_b.start_date or world.now)}" in desk


def refund_days(text: str) -> list[str]:
    return re.findall(r"[Rr]efunds? until ([^.:]*?\d{4})", text)


def test_page_cart_receipt_and_e_mail_name_one_refund_day(learners_client: Client, learner: User, world: World) -> None:
    """The days count from the first course that begins, not from the purchase."""
    first, later = (format_day(world.now + days * DAY) for days in (34, 44))
    page = read(learners_client.get(world.page.url))
    assert [words(each) for each in page.select(".of-days > span")] == [
        f"Full refund until {format_deadline(clock.date_of(world.now + days * DAY), today=clock.today())}"
        for days in (14, 34)
    ]
    places = {str(each["value"]): each["data-day"] for each in page.select("section.panel option")}
    assert places == {str(world.next.pk): "2", str(world.any_time.pk): "1"}
    cart = add_from(learners_client, page)
    assert page.select(".of-days > span")[1].text in words(cart.one(".cart-line"))
    order = buy(learners_client)
    receipt = read(learners_client.get(f"/checkout/receipt/?order_number={order.number}"))
    assert refund_days(receipt.text) == [first]
    asking = read(learners_client.get(f"/orders/refund/?order_number={order.number}"))
    assert refund_days(asking.text) == [first]
    email_receipt(OrderFulfilled(order_id=order.pk, purchaser_id=learner.pk, number=order.number, at=world.now))
    assert refund_days(str(mail.outbox[-1].body)) == [first]
    file = learners_client.get(f"/checkout/receipt/pdf/?order_number={order.number}")
    assert refund_days(" ".join(words_of_pdf(file.content)[0].split())) == [first]
    assert later not in receipt.text


def test_a_program_with_a_course_open_now_begins_with_the_purchase(learners_client: Client, world: World) -> None:
    cart = add_from(learners_client, read(learners_client.get(world.page.url)), start=str(world.any_time.pk))
    last = format_deadline(clock.date_of(world.now + 14 * DAY), today=clock.today())
    assert f"Full refund until {last}" in words(cart.one(".cart-line"))
    receipt = read(learners_client.get(f"/checkout/receipt/?order_number={buy(learners_client).number}"))
    assert refund_days(receipt.text) == [format_day(world.now + 14 * DAY)]


def test_a_program_sold_by_the_course_shows_how_far_one_is(
    learners_client: Client, learner: User, world: World
) -> None:
    world.product.delete()
    assert "These courses are sold individually." in panel(read(learners_client.get(world.page.url)))
    world.has(learner, world.next)
    text = panel(read(learners_client.get(world.page.url)))
    assert "These courses are sold individually." in text
    assert "You’re enrolled in 1 of the 3 courses it takes." in text
    world.has(learner, world.only_b, world.only_c)
    assert "You have this program" in panel(read(learners_client.get(world.page.url)))


def test_owned_courses_dont_begin_a_program(learners_client: Client, learner: User, world: World) -> None:
    world.has(learner, world.begun)
    page = read(learners_client.get(world.page.url))
    last = format_deadline(clock.date_of(world.now + 44 * DAY), today=clock.today())
    assert f"Full refund until {last}" in panel(page)
    assert not page.select(".of-days")
    assert f"Full refund until {last}" in words(add_from(learners_client, page).one(".cart-line"))
    receipt = read(learners_client.get(f"/checkout/receipt/?order_number={buy(learners_client).number}"))
    assert refund_days(receipt.text) == [format_day(world.now + 44 * DAY)]

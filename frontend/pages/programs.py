"""What the pages of programs show beside what editors wrote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from django.contrib.humanize.templatetags.humanize import apnumber
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cms.models import ProgramPage
from cms.selectors.addresses import program_url
from cms.selectors.pages import listed_courses, with_pages
from courses.models import Course, Program
from courses.selectors.programs import (
    RequirementNode,
    count_fulfilled,
    count_needed,
    courses_under,
    measure_needed,
    requirements_tree,
    requirements_trees,
)
from courses.selectors.run_dates import format_run_dates
from ecommerce.enums import OwnedCourses
from ecommerce.models import Product
from ecommerce.ownership import EnrolledRun, find_enrolled_runs, has_bought_program
from ecommerce.pricing import price_item
from ecommerce.programs import ProgramCourse, ProgramTerms, describe_programs
from ecommerce.rules import refuse_program
from ecommerce.selectors.basket_prices import make_item
from ecommerce.selectors.refund_window import begin_dates, first_begin, refund_promise
from ecommerce.selectors.shop import shop_settings
from frontend.pages.awaited import AwaitedOrder, find_order_with_product
from frontend.pages.buy_panel import BUY, DASHBOARD, ENTER_CODE
from frontend.pages.cards import CourseCard, CourseTile, ProgramCard, course_cards, enrolled_course_ids
from frontend.pages.courses import Fact, course_tile
from frontend.pages.offers import CourseOffer, course_offers, short_price
from frontend.site.navigation import PROGRAMS, Crumb
from mitxonline.kernel.money import Money

# So many refund days the style sheet tells apart. Where there are more, a later one is shown as the last of these.
DAYS_SHOWN = 8


class ProgramState(StrEnum):
    BUY = "buy"
    OWNED = "owned"
    AWAITED = "awaited"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class RequirementStep:
    """A requirement of a program: a course, with its card if it has a page, or a group of courses.

    `title` and `text` are empty where they would only repeat what stands above them.
    """

    title: str
    text: str
    card: CourseCard | None
    steps: tuple[RequirementStep, ...]

    @property
    def is_group(self) -> bool:
        return bool(self.steps)


@dataclass(frozen=True, slots=True)
class TakenCourse:
    """A course of a program the learner has: when it takes place for them, and its page."""

    title: str
    text: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class RefundTexts:
    """Until when a program is refunded, for the starts one may choose: the text of the earliest day first.

    `places` has the place of each start’s text, from 1. The earliest among the chosen starts is the program’s.
    """

    texts: tuple[str, ...] = ()
    places: Mapping[int, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return any(self.texts)


@dataclass(frozen=True, slots=True)
class ProgramPanel:
    """The price of a program with its starts and the button, or what is so instead.

    `courses` are those to buy, with the starts to choose; `taken` those of a program the learner has.
    """

    state: ProgramState
    title: str
    price_text: str = ""
    was_text: str = ""
    sentence: str = ""
    product_id: int | None = None
    courses: tuple[ProgramCourse, ...] = ()
    refunds: RefundTexts = RefundTexts()
    taken: tuple[TakenCourse, ...] = ()
    needed: int = 0
    fulfilled: int = 0
    url: str = ""
    url_text: str = ""

    @property
    def action_url(self) -> str:
        return reverse(BUY)

    @property
    def code_url(self) -> str:
        return reverse(ENTER_CODE)

    @property
    def can_buy(self) -> bool:
        return self.product_id is not None

    @property
    def button_text(self) -> str:
        return _("Enroll for %(price)s") % {"price": self.price_text}

    @property
    def progress_text(self) -> str:
        if self.fulfilled >= self.needed:
            return ngettext(
                "You’re enrolled in the course it takes.",
                "You’re enrolled in all %(count)d courses it takes.",
                self.needed,
            ) % {"count": self.needed}
        return ngettext(
            "You’re enrolled in %(fulfilled)d of the %(count)d course it takes.",
            "You’re enrolled in %(fulfilled)d of the %(count)d courses it takes.",
            self.needed,
        ) % {"count": self.needed, "fulfilled": self.fulfilled}


@dataclass(frozen=True, slots=True)
class ProgramContents:
    """A program's requirements, with the courses they name."""

    tree: tuple[RequirementNode, ...]

    @property
    def courses(self) -> list[Course]:
        return [course for node in self.tree for course in courses_under(node)]

    @property
    def needed(self) -> int:
        return count_needed(self.tree)

    @property
    def has_choice(self) -> bool:
        """Whether learners may leave some of the courses out."""
        return self.needed < len(self.courses)

    @property
    def count_text(self) -> str:
        """“4 courses”, or “3 of 5 courses” if that many are enough."""
        total = len(self.courses)
        if self.needed < total:
            sentence = ngettext("%(needed)d of %(total)d course", "%(needed)d of %(total)d courses", total)
            return sentence % {"needed": self.needed, "total": total}
        return ngettext("%(count)d course", "%(count)d courses", total) % {"count": total}

    @property
    def weeks_text(self) -> str:
        """“23 weeks”, or “12–16 weeks” depending on the courses one chooses; empty if unknown."""
        least, most = measure_needed(self.tree, {course.pk: course.duration_weeks or 0 for course in self.courses})
        if least == most:
            return ngettext("%(weeks)d week", "%(weeks)d weeks", most) % {"weeks": most} if most else ""
        return _("%(least)d–%(most)d weeks") % {"least": least, "most": most}

    def facts(self) -> Iterable[Fact]:
        yield Fact(
            "award",
            self.count_text,
            _("You choose some of them") if self.has_choice else _("Designed to be taken together"),
        )
        if self.weeks_text:
            yield Fact("clock", self.weeks_text, _("total"))


@dataclass(frozen=True, slots=True)
class ProgramView:
    """A program for one visitor, as its own page and the pages of its products show it."""

    panel: ProgramPanel
    steps: tuple[RequirementStep, ...]
    facts: tuple[Fact, ...]
    tiles: tuple[CourseTile, ...]
    count_text: str

    @property
    def bar_prices(self) -> tuple[str]:
        return (self.panel.price_text,)

    @property
    def bar_texts(self) -> tuple[str]:
        return (self.count_text,)


@dataclass(frozen=True, slots=True)
class ProgramPageData:
    program: ProgramView
    breadcrumb: tuple[Crumb, ...]
    now: datetime


def build_program_page(page: ProgramPage, *, user_id: int | None, now: datetime) -> ProgramPageData | None:
    """What a program page shows. None until an editor has chosen its program."""
    if page.program is None:
        return None
    product = program_products([page.program_id]).get(page.program_id)
    return ProgramPageData(
        program=build_program_view(page.program, product, user_id=user_id, now=now),
        breadcrumb=(Crumb(str(PROGRAMS.text), PROGRAMS.url), Crumb(page.subject.title)),
        now=now,
    )


def build_program_view(program: Program, product: Product | None, *, user_id: int | None, now: datetime) -> ProgramView:
    """What a visitor is shown of a program that is sold as this product; five queries, some more if signed in."""
    contents = ProgramContents(tuple(requirements_tree(program.pk)))
    courses = contents.courses
    listed = list(with_pages(listed_courses().filter(pk__in=[course.pk for course in courses])))
    offers = course_offers([course.pk for course in courses], now=now)
    enrolled = enrolled_course_ids(user_id, now=now)
    cards = {card.course_id: card for card in course_cards(listed, offers=offers, enrolled=enrolled)}
    return ProgramView(
        panel=_find_panel(program, product, contents, cards, offers, user_id=user_id, now=now),
        steps=tuple(_make_step(node, cards, is_only=len(contents.tree) == 1) for node in contents.tree),
        facts=tuple(contents.facts()),
        tiles=tuple(course_tile(course) for course in courses),
        count_text=contents.count_text,
    )


def program_cards(pages: Iterable[ProgramPage], *, now: datetime) -> list[ProgramCard]:
    """Program cards with the price and what the courses cost separately; three queries for any number of cards."""
    listed = list(pages)
    if not listed:
        return []
    ids = [page.program_id for page in listed]
    contents = {program_id: ProgramContents(tuple(tree)) for program_id, tree in requirements_trees(ids).items()}
    offers = course_offers({course.pk for each in contents.values() for course in each.courses}, now=now)
    products = program_products(ids)
    return [_program_card(page, contents[page.program_id], offers, products.get(page.program_id)) for page in listed]


def program_products(program_ids: Iterable[int]) -> dict[int, Product]:
    """The cheapest product on sale of each program; one query."""
    products = Product.objects.public().filter(program_id__in=list(program_ids), price__gt=0)
    # Later rows replace earlier ones, so the cheapest stays.
    return {product.program_id or 0: product for product in products.with_item().order_by("-price", "-pk")}


def _program_card(
    page: ProgramPage, contents: ProgramContents, offers: Mapping[int, CourseOffer], product: Product | None
) -> ProgramCard:
    return ProgramCard(
        program_id=page.program_id,
        url=program_url(page.subject),
        title=page.subject.title,
        text=page.subject.summary,
        courses=tuple(course_tile(course) for course in contents.courses),
        count_text=contents.count_text,
        price_text=short_price(product.money) if product is not None else "",
        was_text=_find_separate_price(product, contents, offers),
    )


def _find_separate_price(product: Product | None, contents: ProgramContents, offers: Mapping[int, CourseOffer]) -> str:
    """What the program's courses cost separately, if that is more. One with a choice of courses has no such sum."""
    if product is None or contents.has_choice:
        return ""
    separately = _sum_prices([offers[course.pk].price for course in contents.courses], product.currency)
    return short_price(separately) if separately is not None and separately > product.money else ""


def _sum_prices(prices: Sequence[Money | None], currency: str) -> Money | None:
    """The sum, or None unless every course is sold separately in that currency."""
    known = [price for price in prices if price is not None and price.currency == currency]
    return Money.sum(known, currency) if known and len(known) == len(prices) else None


def _find_panel(
    program: Program,
    product: Product | None,
    contents: ProgramContents,
    cards: Mapping[int, CourseCard],
    offers: Mapping[int, CourseOffer],
    *,
    user_id: int | None,
    now: datetime,
) -> ProgramPanel:
    enrolled: Mapping[int, Sequence[EnrolledRun]] = {}
    if user_id is not None:
        awaited = find_order_with_product(product.pk, user_id=user_id) if product is not None else None
        if awaited is not None:
            return _panel_for_awaited(program, awaited)
        enrolled = find_enrolled_runs(user_id, [course.pk for course in contents.courses], now=now)
        is_complete = product is None and count_fulfilled(contents.tree, enrolled) >= contents.needed
        if enrolled and (is_complete or has_bought_program(user_id, program.pk)):
            return _panel_for_owner(program, contents, cards, enrolled, now=now)
    if product is None:
        return ProgramPanel(
            ProgramState.UNAVAILABLE,
            title=program.title,
            sentence=_("These courses are sold individually."),
            needed=contents.needed,
            fulfilled=count_fulfilled(contents.tree, enrolled),
        )
    terms = describe_programs([product], user_id=user_id, now=now)[product.pk]
    if user_id is not None and terms.owned and not terms.given:
        return _panel_for_owner(program, contents, cards, enrolled, now=now)
    return _panel_on_sale(product, terms, _find_separate_price(product, contents, offers), user_id=user_id, now=now)


def _panel_on_sale(
    product: Product, terms: ProgramTerms, separate_price: str, *, user_id: int | None, now: datetime
) -> ProgramPanel:
    price = price_item(make_item(product, terms), [])
    refusal = refuse_program(product, terms, user_id=user_id, now=now)
    if not terms.given:
        sentence = _("None of these courses is open for enrollment right now.")
    elif refusal is not None:
        sentence = str(refusal)
    else:
        sentence = _describe_owned(terms)
    return ProgramPanel(
        ProgramState.UNAVAILABLE if refusal is not None else ProgramState.BUY,
        title=product.title,
        price_text=short_price(price.due),
        was_text=separate_price if price.deduction.is_zero else short_price(price.listed),
        sentence=sentence,
        product_id=product.pk if refusal is None else None,
        courses=terms.courses if refusal is None else (),
        refunds=_list_refunds(terms, now=now) if not price.due.is_zero else RefundTexts(),
    )


def _list_refunds(terms: ProgramTerms, *, now: datetime) -> RefundTexts:
    shop = shop_settings()
    fixed = begin_dates(each.run for each in terms.given if not each.has_choice)
    begins = {
        run.pk: first_begin([*fixed, *begin_dates([run])], bought_at=now)
        for each in terms.given
        if each.has_choice
        for run in each.starts
    }
    if not begins:
        return RefundTexts((refund_promise(fixed, now=now, shop=shop),))
    promises = {begin: refund_promise([begin], now=now, shop=shop) for begin in sorted(set(begins.values()))}
    texts = list(dict.fromkeys(promises.values()))
    if len(texts) == 1:
        return RefundTexts((texts[0],))
    places = {pk: min(texts.index(promises[begin]) + 1, DAYS_SHOWN) for pk, begin in begins.items()}
    return RefundTexts(tuple(texts[:DAYS_SHOWN]), places)


def _describe_owned(terms: ProgramTerms) -> str:
    """Say how many of the courses the buyer has, where that makes no difference to the price."""
    if not terms.owned:
        return ""
    count = len(terms.courses)
    sentence = ngettext(
        "You already have %(owned)d of this %(count)d course.",
        "You already have %(owned)d of these %(count)d courses.",
        count,
    ) % {"owned": len(terms.owned), "count": count}
    if terms.policy == OwnedCourses.FULL_PRICE or terms.deduction is None:
        return f"{sentence} {_('The price doesn’t change.')}"
    return sentence


def _panel_for_awaited(program: Program, awaited: AwaitedOrder) -> ProgramPanel:
    # No button: the learner must not pay for the program a second time.
    return ProgramPanel(
        ProgramState.AWAITED,
        title=program.title,
        sentence=f"{awaited.title}. {awaited.sentence}",
        url=awaited.url,
        url_text=_("See that order"),
    )


def _panel_for_owner(
    program: Program,
    contents: ProgramContents,
    cards: Mapping[int, CourseCard],
    enrolled: Mapping[int, Sequence[EnrolledRun]],
    *,
    now: datetime,
) -> ProgramPanel:
    return ProgramPanel(
        ProgramState.OWNED,
        title=program.title,
        taken=tuple(
            TakenCourse(
                title=course.title,
                text=_describe_enrollment(enrolled.get(course.pk, ()), now),
                url=cards[course.pk].url if course.pk in cards else "",
            )
            for course in contents.courses
        ),
        needed=contents.needed,
        fulfilled=count_fulfilled(contents.tree, enrolled),
        url=reverse(DASHBOARD),
        url_text=_("Go to dashboard"),
    )


def _describe_enrollment(enrolled: Sequence[EnrolledRun], now: datetime) -> str:
    if not enrolled:
        return _("Not enrolled yet")
    current = next((each for each in enrolled if not each.is_over), enrolled[-1])
    if current.is_over:
        return _("Finished")
    when = format_run_dates(current.run, now)
    if not current.run.has_started(now):
        return when
    return _("Open now · %(when)s") % {"when": when} if when else _("Open now")


def _make_step(node: RequirementNode, cards: Mapping[int, CourseCard], *, is_only: bool) -> RequirementStep:
    course = node.course
    if course is not None:
        return RequirementStep(title=course.title, text=course.summary, card=cards.get(course.pk), steps=())
    steps = tuple(_make_step(child, cards, is_only=False) for child in node.children)
    title, number = node.requirement.title, node.requirement.at_least
    if number is None:
        return RequirementStep(title=title or ("" if is_only else _("All of these")), text="", card=None, steps=steps)
    asked = ngettext("At least %(number)d of these", "At least %(number)d of these", number) % {"number": number}
    names_number = any(word in title.lower() for word in (str(number), str(apnumber(number)).lower()))
    return RequirementStep(
        title=title or asked, text="" if not title or names_number else asked, card=None, steps=steps
    )

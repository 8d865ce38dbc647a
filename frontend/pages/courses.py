"""What the pages of courses, programs and products show beside what editors wrote."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Case, Exists, OuterRef, Value, When
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cms.models import CoursePage, ProductPage, ProgramPage
from cms.selectors.pages import listed_courses, program_pages_with_course, with_pages
from courses.enums import RequirementKind
from courses.models import Course, ProgramRequirement
from courses.selectors.programs import RequirementNode, courses_under, requirements_tree, starts_of_programs
from ecommerce.models import Product
from frontend.pages.awaited import AwaitedOrder, find_order_with_product
from frontend.pages.buy_panel import BUY, BuyPanel, buy_panel
from frontend.pages.cards import (
    CourseCard,
    CourseTile,
    ProgramCard,
    course_cards,
    cover_url,
    enrolled_course_ids,
    length_text,
)
from frontend.pages.links import program_url
from frontend.pages.offers import CourseOffer, course_offers, short_price
from frontend.site.navigation import CATALOG, PROGRAMS, Crumb
from mitxonline.kernel import clock
from mitxonline.kernel.dates import format_short_day
from mitxonline.kernel.money import Money

RELATED_COURSE_COUNT = 4


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact at the top of a course page: an icon, a title and a smaller line."""

    icon: str
    title: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class ProgramLink:
    """A program a course belongs to."""

    title: str
    url: str
    courses: tuple[CourseTile, ...]


@dataclass(frozen=True, slots=True)
class CoursePageData:
    course: Course
    panel: BuyPanel
    facts: tuple[Fact, ...]
    breadcrumb: tuple[Crumb, ...]
    programs: tuple[ProgramLink, ...]
    related: tuple[CourseCard, ...]
    image_url: str


@dataclass(frozen=True, slots=True)
class RequirementStep:
    """A requirement of a program: a course, with its card if it has a page, or a group of courses."""

    title: str
    text: str
    card: CourseCard | None
    steps: tuple[RequirementStep, ...]

    @property
    def is_group(self) -> bool:
        return bool(self.steps)


@dataclass(frozen=True, slots=True)
class OfferPanel:
    """The price of a program or product and its button, or the sentence that says why it can’t be bought."""

    title: str
    price_text: str = ""
    was_text: str = ""
    product_id: int | None = None
    button_text: str = ""
    sentence: str = ""
    url: str = ""
    url_text: str = ""

    @property
    def action_url(self) -> str:
        return reverse(BUY)

    @property
    def can_buy(self) -> bool:
        return self.product_id is not None


@dataclass(slots=True)
class ProgramContents:
    """The courses a program names, and whether learners may leave some of them out."""

    courses: list[Course] = field(default_factory=list)
    has_choice: bool = False

    def add(self, row: ProgramRequirement) -> None:
        """Add a leaf of the requirements tree; its parent is loaded."""
        if row.course is not None:
            self.courses.append(row.course)
        if row.parent is not None and row.parent.kind == RequirementKind.AT_LEAST:
            self.has_choice = True


@dataclass(frozen=True, slots=True)
class ProgramPageData:
    panel: OfferPanel
    steps: tuple[RequirementStep, ...]
    facts: tuple[Fact, ...]
    breadcrumb: tuple[Crumb, ...]
    tiles: tuple[CourseTile, ...]


def build_course_page(
    page: CoursePage, *, user_id: int | None, now: datetime, support_email: str = ""
) -> CoursePageData | None:
    """What a course page shows; four queries for a signed-out visitor.

    None until an editor has chosen its course.
    """
    course = page.course
    if course is None:
        return None
    related = related_courses(course)
    offers = course_offers([course.pk, *(each.pk for each in related)], now=now)
    return CoursePageData(
        course=course,
        panel=buy_panel(course, user_id=user_id, now=now, support_email=support_email, offers=offers),
        facts=tuple(course_facts(page, offers[course.pk])),
        breadcrumb=(
            Crumb(str(CATALOG.text), CATALOG.url),
            Crumb(course.department.name, f"{CATALOG.url}?department={course.department.slug}"),
            Crumb(course.title),
        ),
        programs=tuple(program_links(program_pages_with_course(course.pk))),
        related=tuple(course_cards(related, offers=offers, enrolled=enrolled_course_ids(user_id, now=now))),
        image_url=cover_url(page.card_image),
    )


def course_facts(page: CoursePage, offer: CourseOffer) -> Iterable[Fact]:
    course = page.subject
    start = offer.next_start
    if start is not None and start > offer.now:
        yield Fact("calendar", format_short_day(start, today=clock.date_of(offer.now)), _("Next start"))
    elif offer.any_time:
        yield Fact("calendar", _("Start any time"), _("At your own pace"))
    elif start is not None:
        yield Fact("calendar", format_short_day(start, today=clock.date_of(offer.now)), _("Started"))
    if course.duration_weeks:
        yield Fact("clock", length_text(course), hours_text(course))
    yield Fact("level", course.get_level_display(), page.prerequisites)
    if offer.gives_certificate:
        yield Fact("award", _("Certificate"), _("Earned when you pass"))


def hours_text(course: Course) -> str:
    """“4–6 hours a week”; empty if unknown."""
    least, most = course.hours_per_week_min, course.hours_per_week_max
    if least and most and least != most:
        return _("%(least)d–%(most)d hours a week") % {"least": least, "most": most}
    hours = most or least
    return ngettext("%(hours)d hour a week", "%(hours)d hours a week", hours) % {"hours": hours} if hours else ""


def related_courses(course: Course) -> list[Course]:
    """Courses of the same programs first, then of the same department; one query."""
    programs = ProgramRequirement.objects.filter(course=course).values("program_id")
    in_same_program = ProgramRequirement.objects.filter(course=OuterRef("pk"), program_id__in=programs)
    others = with_pages(listed_courses()).exclude(pk=course.pk).annotate(in_same_program=Exists(in_same_program))
    same_department_first = Case(When(department=course.department_id, then=Value(0)), default=Value(1))
    return list(others.order_by("-in_same_program", same_department_first, "title", "pk")[:RELATED_COURSE_COUNT])


def program_links(pages: Iterable[ProgramPage]) -> Iterable[ProgramLink]:
    """Programs with the tiles of their courses; two queries, or one if there is no program."""
    listed = list(pages)
    tiles = program_tiles([page.program_id for page in listed])
    for page in listed:
        yield ProgramLink(title=page.subject.title, url=program_url(page.subject), courses=tiles[page.program_id])


def program_tiles(program_ids: Sequence[int]) -> dict[int, tuple[CourseTile, ...]]:
    """The courses of each program, in order; one query, or none without programs."""
    found: dict[int, list[CourseTile]] = {program_id: [] for program_id in program_ids}
    if program_ids:
        for row in _course_rows(program_ids):
            if row.course is not None:
                found[row.program_id].append(_course_tile(row.course))
    return {program_id: tuple(tiles) for program_id, tiles in found.items()}


def program_cards(pages: Iterable[ProgramPage], *, now: datetime) -> list[ProgramCard]:
    """Program cards with the price and what the courses cost separately; three queries for any number of cards."""
    listed = list(pages)
    if not listed:
        return []
    ids = [page.program_id for page in listed]
    contents = {program_id: ProgramContents() for program_id in ids}
    for row in _course_rows(ids):
        contents[row.program_id].add(row)
    offers = course_offers({course.pk for each in contents.values() for course in each.courses}, now=now)
    products = program_products(ids)
    return [_program_card(page, contents[page.program_id], offers, products.get(page.program_id)) for page in listed]


def program_products(program_ids: Iterable[int]) -> dict[int, Product]:
    """The cheapest product on sale of each program; one query."""
    products = Product.objects.public().filter(program_id__in=list(program_ids), price__gt=0)
    # Later rows replace earlier ones, so the cheapest stays.
    return {product.program_id or 0: product for product in products.order_by("-price", "-pk")}


def build_program_page(page: ProgramPage, *, user_id: int | None, now: datetime) -> ProgramPageData | None:
    """What a program page shows. None until an editor has chosen its program."""
    if page.program is None:
        return None
    tree = requirements_tree(page.program_id)
    courses = [course for node in tree for course in courses_under(node)]
    contents = ProgramContents(courses, has_choice=any(_has_choice(node) for node in tree))
    listed = list(with_pages(listed_courses().filter(pk__in=[course.pk for course in courses])))
    offers = course_offers([course.pk for course in courses], now=now)
    cards = {
        card.course_id: card
        for card in course_cards(listed, offers=offers, enrolled=enrolled_course_ids(user_id, now=now))
    }
    product = program_products([page.program_id]).get(page.program_id)
    awaited = None
    if product is not None and user_id is not None:
        awaited = find_order_with_product(product.pk, user_id=user_id)
    return ProgramPageData(
        panel=_awaited_panel(page, awaited) if awaited else _program_panel(page, product, contents, offers),
        steps=tuple(_requirement_step(node, cards) for node in tree),
        facts=tuple(_program_facts(courses)),
        breadcrumb=(Crumb(str(PROGRAMS.text), PROGRAMS.url), Crumb(page.subject.title)),
        tiles=tuple(_course_tile(course) for course in courses),
    )


def product_panel(page: ProductPage, *, now: datetime) -> OfferPanel:
    """The offer of a product page; if the product is gone, a sentence and a link to the catalog."""
    product = Product.objects.public().with_item().filter(pk=page.product_id).first()
    if product is None or not _is_available(product, now):
        return OfferPanel(
            title=page.title,
            sentence=_("This isn’t available right now."),
            url=CATALOG.url,
            url_text=_("Browse courses"),
        )
    return OfferPanel(
        title=product.title,
        price_text=short_price(product.money),
        product_id=product.pk,
        button_text=_("Enroll for %(price)s") % {"price": short_price(product.money)},
    )


def _is_available(product: Product, now: datetime) -> bool:
    run = product.course_run
    if run is None:
        starts = starts_of_programs([product.program_id or 0], now=now)
        return any(each.runs for each in starts[product.program_id or 0])
    offer = course_offers([run.course_id], now=now)[run.course_id]
    return any(each.run_id == run.pk for each in offer.open_runs)


def _program_card(
    page: ProgramPage, contents: ProgramContents, offers: dict[int, CourseOffer], product: Product | None
) -> ProgramCard:
    price, was = _program_price(product, contents, offers)
    return ProgramCard(
        program_id=page.program_id,
        url=program_url(page.subject),
        title=page.subject.title,
        text=page.subject.summary,
        courses=tuple(_course_tile(course) for course in contents.courses),
        count_text=_count_text(contents.courses),
        price_text=price,
        was_text=was,
    )


def _program_price(
    product: Product | None, contents: ProgramContents, offers: dict[int, CourseOffer]
) -> tuple[str, str]:
    """The program’s price, and what its courses cost separately if that is more.

    A program with a choice of courses has no such sum.
    """
    if product is None:
        return "", ""
    prices = [] if contents.has_choice else [offers[course.pk].price for course in contents.courses]
    separately = _sum_prices(prices, product.currency)
    was = short_price(separately) if separately is not None and separately > product.money else ""
    return short_price(product.money), was


def _sum_prices(prices: list[Money | None], currency: str) -> Money | None:
    """The sum, or None unless every course is sold separately in that currency."""
    known = [price for price in prices if price is not None and price.currency == currency]
    return Money.sum(known, currency) if known and len(known) == len(prices) else None


def _awaited_panel(page: ProgramPage, awaited: AwaitedOrder) -> OfferPanel:
    # No button: the learner must not pay for the program a second time.
    return OfferPanel(
        title=page.subject.title,
        sentence=f"{awaited.title}. {awaited.sentence}",
        url=awaited.url,
        url_text=_("See that order"),
    )


def _program_panel(
    page: ProgramPage, product: Product | None, contents: ProgramContents, offers: dict[int, CourseOffer]
) -> OfferPanel:
    price, was = _program_price(product, contents, offers)
    if product is None:
        return OfferPanel(title=page.subject.title, sentence=_("These courses are sold individually."))
    if not any(offers[course.pk].is_open for course in contents.courses):
        sentence = _("None of these courses is open for enrollment right now.")
        return OfferPanel(title=page.subject.title, price_text=price, was_text=was, sentence=sentence)
    return OfferPanel(
        title=page.subject.title,
        price_text=price,
        was_text=was,
        product_id=product.pk,
        button_text=_("Enroll for %(price)s") % {"price": price},
    )


def _program_facts(courses: list[Course]) -> Iterable[Fact]:
    yield Fact("award", _count_text(courses), _("Designed to be taken together"))
    weeks = sum(course.duration_weeks or 0 for course in courses)
    if weeks:
        yield Fact("clock", ngettext("%(weeks)d week", "%(weeks)d weeks", weeks) % {"weeks": weeks}, _("total"))


def _has_choice(node: RequirementNode) -> bool:
    return node.is_choice or any(_has_choice(child) for child in node.children)


def _requirement_step(node: RequirementNode, cards: dict[int, CourseCard]) -> RequirementStep:
    course = node.course
    if course is not None:
        return RequirementStep(title=course.title, text=course.summary, card=cards.get(course.pk), steps=())
    steps = tuple(_requirement_step(child, cards) for child in node.children)
    number = node.requirement.at_least or 0
    asked = (
        ngettext("At least %(number)d of these", "At least %(number)d of these", number) % {"number": number}
        if node.requirement.kind == RequirementKind.AT_LEAST
        else _("All of these")
    )
    return RequirementStep(title=node.requirement.title or asked, text=asked, card=None, steps=steps)


def _course_rows(program_ids: Iterable[int]) -> Iterable[ProgramRequirement]:
    """The courses of several programs in the order of their trees; one query."""
    rows = ProgramRequirement.objects.filter(program_id__in=list(program_ids), course__isnull=False)
    return rows.select_related("course__department", "parent").order_by("parent__position", "position", "pk")


def _count_text(courses: Sequence[Course]) -> str:
    return ngettext("%(count)d course", "%(count)d courses", len(courses)) % {"count": len(courses)}


def _course_tile(course: Course) -> CourseTile:
    return CourseTile(readable_id=course.readable_id, department_slug=course.department.slug, title=course.title)

"""What the pages of products show beside what editors wrote."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from cms.models import CoursePage, ProductPage, ProgramPage
from cms.selectors.addresses import course_url, program_url
from cms.selectors.covers import cover_url
from courses.models import CourseRun
from ecommerce.models import Product
from frontend.pages.buy_panel import BuyPanel, PanelState, buy_panel
from frontend.pages.cards import CourseCard, course_cards, enrolled_course_ids
from frontend.pages.courses import Fact, course_facts
from frontend.pages.offers import CourseOffer, RunOffer, runs_on_offer
from frontend.pages.programs import ProgramView, build_program_view
from frontend.site.navigation import CATALOG, PROGRAMS, Crumb
from mitxonline.kernel.shop import current_site_id


@dataclass(frozen=True, slots=True)
class ProductPageData:
    """The course or the program that a product page sells, for one visitor; neither once it is gone.

    `subject_url` is the page of the course or program, if visitors can open it.
    """

    breadcrumb: tuple[Crumb, ...]
    now: datetime
    subject_title: str = ""
    subject_url: str = ""
    summary: str = ""
    panel: BuyPanel | None = None
    program: ProgramView | None = None
    card: CourseCard | None = None
    course_facts: tuple[Fact, ...] = ()
    image_url: str = ""
    sentence: str = ""

    @property
    def facts(self) -> tuple[Fact, ...]:
        return self.program.facts if self.program is not None else self.course_facts

    @property
    def is_on_sale(self) -> bool:
        if self.program is not None:
            return self.program.panel.can_buy
        return self.panel is not None and self.panel.has_form


def build_product_page(
    page: ProductPage, *, user_id: int | None, now: datetime, support_email: str = ""
) -> ProductPageData:
    """What a product page shows, the course's or program's own page in small."""
    product = Product.objects.public().of_site(current_site_id()).with_item().filter(pk=page.product_id).first()
    if product is None:
        return ProductPageData(
            now=now,
            breadcrumb=(Crumb(str(CATALOG.text), CATALOG.url), Crumb(page.title)),
            sentence=_("This isn’t available right now."),
            subject_url=CATALOG.url,
        )
    if product.course_run is not None:
        return _build_course(page, product, product.course_run, user_id=user_id, now=now, support_email=support_email)
    return _build_program(page, product, user_id=user_id, now=now)


def _build_course(
    page: ProductPage, product: Product, run: CourseRun, *, user_id: int | None, now: datetime, support_email: str
) -> ProductPageData:
    course = run.course
    course_page = CoursePage.objects.visible().with_pictures().filter(course=course).first()
    course.page = course_page or CoursePage(course=course)
    offer = _make_offer(product, run, now=now)
    panel = buy_panel(course, user_id=user_id, now=now, support_email=support_email, offers={course.pk: offer})
    cards = course_cards([course], offers={course.pk: offer}, enrolled=enrolled_course_ids(user_id, now=now))
    url = course_url(course) if course_page is not None else ""
    return ProductPageData(
        now=now,
        breadcrumb=tuple(
            _make_breadcrumb(
                page,
                Crumb(str(CATALOG.text), CATALOG.url),
                Crumb(course.department.name, f"{CATALOG.url}?department={course.department.slug}"),
                Crumb(product.title, url),
            )
        ),
        subject_title=product.title,
        subject_url=url,
        summary=course.summary,
        panel=panel,
        card=cards[0] if url else None,
        course_facts=tuple(course_facts(course.page, offer)),
        image_url=cover_url(course.page.card_image),
        sentence=_("This isn’t available right now.") if panel.state == PanelState.CLOSED else "",
    )


def _build_program(page: ProductPage, product: Product, *, user_id: int | None, now: datetime) -> ProductPageData:
    program = product.program
    if program is None:
        raise ValueError("a product sells a run or a program")
    is_public = ProgramPage.objects.visible().filter(program=program).exists()
    url = program_url(program) if is_public else ""
    return ProductPageData(
        now=now,
        breadcrumb=tuple(_make_breadcrumb(page, Crumb(str(PROGRAMS.text), PROGRAMS.url), Crumb(program.title, url))),
        subject_title=program.title,
        subject_url=url,
        summary=program.summary,
        program=build_program_view(program, product, user_id=user_id, now=now),
    )


def _make_breadcrumb(page: ProductPage, *above: Crumb) -> Iterable[Crumb]:
    """The way here; the course or program is the last step if the page is called the same."""
    *folders, subject = above
    yield from folders
    if page.title == subject.title:
        yield Crumb(page.title)
    else:
        yield subject
        yield Crumb(page.title)


def _make_offer(product: Product, run: CourseRun, *, now: datetime) -> CourseOffer:
    """The one start that the product sells, empty if it isn't on offer."""
    if not runs_on_offer(now).filter(pk=run.pk).exists():
        return CourseOffer(runs=(), now=now)
    only = RunOffer(
        run_id=run.pk,
        course_id=run.course_id,
        self_paced=run.is_self_paced,
        starts_at=run.start_date,
        ends_at=run.end_date,
        opens_at=run.enrollment_start,
        product_id=product.pk,
        price=product.money,
        mode=product.mode,
    )
    return CourseOffer(runs=(only,), now=now)

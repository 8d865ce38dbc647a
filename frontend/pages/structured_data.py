"""What pages say to search engines, in the vocabulary of schema.org.

Organization and breadcrumb for every page, with a course and its starts, a program, or a product. Prices and dates come
from where the page takes them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse
from wagtail.models import Page

from cms.models import CoursePage, ProductPage, ProgramPage
from cms.selectors.addresses import course_url
from courses.models import Course
from ecommerce.models import Product
from frontend.drawing import covers
from frontend.pages.cards import CourseTile
from frontend.pages.courses import CoursePageData
from frontend.pages.offers import CourseOffer, RunOffer
from frontend.pages.search import InstructorPageData
from frontend.site.brands import Brand
from frontend.site.navigation import Crumb
from mitxonline.kernel import clock
from mitxonline.kernel.money import Money
from mitxonline.kernel.shop import current_shop

Node = dict[str, object]

CONTEXT = "https://schema.org"
IN_STOCK = "https://schema.org/InStock"
SOLD_OUT = "https://schema.org/SoldOut"
PRE_ORDER = "https://schema.org/PreOrder"


@dataclass(frozen=True, slots=True)
class Site:
    """The site as visitors reach it: `base` is its scheme and host."""

    base: str
    brand: Brand

    @property
    def organization_id(self) -> str:
        return f"{self.base}/#organization"

    def url(self, path: str) -> str:
        return path if path.startswith(("http://", "https://")) else f"{self.base}{path}"


def site_of(request: HttpRequest, brand: Brand) -> Site:
    return Site(base=f"{request.scheme}://{request.get_host()}", brand=brand)


def home_graph(site: Site) -> Node:
    website: Node = {
        "@type": "WebSite",
        "@id": site.url("/#website"),
        "url": site.url("/"),
        "name": site.brand.name,
        "publisher": _ref(site.organization_id),
    }
    return _graph([_organization(site), website])


def page_graph(site: Site, breadcrumb: Iterable[Crumb], page: Page) -> Node:
    return _graph([_organization(site), _breadcrumb(site, breadcrumb, here=page.get_url() or "")])


def instructor_graph(site: Site, view: InstructorPageData) -> Node:
    return _graph([_organization(site), _breadcrumb(site, view.breadcrumb, here=view.person.get_absolute_url())])


def course_graph(site: Site, page: CoursePage, view: CoursePageData) -> Node:
    here = page.get_url() or course_url(view.course)
    return _graph(
        [_organization(site), _breadcrumb(site, view.breadcrumb, here=here), _course(site, page, view, here=here)]
    )


def program_graph(site: Site, page: ProgramPage, breadcrumb: Iterable[Crumb], courses: Iterable[CourseTile]) -> Node:
    """One query, for the price."""
    here = page.get_url() or ""
    program: Node = {
        "@type": "EducationalOccupationalProgram",
        "@id": site.url(f"{here}#program"),
        "url": site.url(here),
        "name": page.subject.title,
        "description": page.search_description or page.subject.summary or page.subject.title,
        "provider": _ref(site.organization_id),
        "hasCourse": [_tile(site, course) for course in courses],
    }
    products = Product.objects.public().filter(program_id=page.program_id, price__gt=0)
    product = products.order_by("price", "pk").first()
    if product is not None:
        program["offers"] = _offer(f"{site.url(here)}#offer", product.money, url=site.url(here))
    return _graph([_organization(site), _breadcrumb(site, breadcrumb, here=here), program])


def product_graph(site: Site, page: ProductPage, breadcrumb: Iterable[Crumb], *, can_buy: bool) -> Node:
    here = page.get_url() or ""
    product: Node = {
        "@type": "Product",
        "@id": site.url(f"{here}#product"),
        "url": site.url(here),
        "name": page.title,
        "description": page.search_description or page.title,
        "brand": _ref(site.organization_id),
    }
    if can_buy and page.product is not None:
        product["offers"] = _offer(f"{site.url(here)}#offer", page.product.money, url=site.url(here))
    return _graph([_organization(site), _breadcrumb(site, breadcrumb, here=here), product])


def _graph(nodes: list[Node]) -> Node:
    return {"@context": CONTEXT, "@graph": nodes}


def _ref(node_id: str) -> Node:
    return {"@id": node_id}


def _organization(site: Site) -> Node:
    node: Node = {
        "@type": "Organization",
        "@id": site.organization_id,
        "name": site.brand.name,
        "url": site.url("/"),
        "logo": site.url(reverse("phone-icon")),
    }
    if site.brand.about or site.brand.tagline:
        node["description"] = site.brand.about or site.brand.tagline
    if site.brand.support_email:
        node["email"] = site.brand.support_email
    return node


def _breadcrumb(site: Site, crumbs: Iterable[Crumb], *, here: str) -> Node:
    items = [
        {"@type": "ListItem", "position": position, "name": str(crumb.title), "item": site.url(crumb.url or here)}
        for position, crumb in enumerate(crumbs, start=1)
    ]
    return {"@type": "BreadcrumbList", "@id": site.url(f"{here}#breadcrumb"), "itemListElement": items}


def _course(site: Site, page: CoursePage, view: CoursePageData, *, here: str) -> Node:
    course, offer = view.course, view.offer
    node: Node = {
        **_short_course(site, course),
        "@id": site.url(f"{here}#course"),
        "url": site.url(here),
        "courseCode": course.readable_id,
        "educationalLevel": course.get_level_display(),
        "image": site.url(view.image_url or _social_card(course)),
    }
    if page.search_description:
        node["description"] = page.search_description
    if page.prerequisites:
        node["coursePrerequisites"] = page.prerequisites
    if course.duration_weeks:
        node["timeRequired"] = f"P{course.duration_weeks}W"
    if offer.runs:
        node["offers"] = [_run_offer(site, run, offer, here=here) for run in offer.runs]
        node["hasCourseInstance"] = [_instance(site, run, course, here=here) for run in offer.runs]
    return node


def _short_course(site: Site, course: Course) -> Node:
    return {
        "@type": "Course",
        "name": course.title,
        "description": course.summary or course.title,
        "url": site.url(course_url(course)),
        "provider": _ref(site.organization_id),
    }


def _tile(site: Site, course: CourseTile) -> Node:
    return {
        "@type": "Course",
        "name": course.title,
        "description": course.title,
        "url": site.url(f"/courses/{course.readable_id}/"),
        "provider": _ref(site.organization_id),
    }


def _instance(site: Site, run: RunOffer, course: Course, *, here: str) -> Node:
    node: Node = {
        "@type": "CourseInstance",
        "@id": site.url(f"{here}#start-{run.run_id}"),
        "name": course.title,
        "courseMode": "Online",
        "location": {"@type": "VirtualLocation", "url": site.url(here)},
        "offers": _ref(_offer_id(site, run, here=here)),
    }
    if run.starts_at is not None and run.has_date():
        node["startDate"] = clock.date_of(run.starts_at).isoformat()
    if run.ends_at is not None:
        node["endDate"] = clock.date_of(run.ends_at).isoformat()
    hours = course.hours_per_week_max or course.hours_per_week_min
    if course.duration_weeks and hours:
        node["courseSchedule"] = {
            "@type": "Schedule",
            "repeatFrequency": "Weekly",
            "repeatCount": course.duration_weeks,
            "duration": f"PT{hours}H",
        }
    return node


def _run_offer(site: Site, run: RunOffer, offer: CourseOffer, *, here: str) -> Node:
    price = run.price if run.price is not None else Money(0, _currency(offer))
    node = _offer(_offer_id(site, run, here=here), price, url=site.url(here))
    if not run.is_open(offer.now):
        node["availability"] = SOLD_OUT if run.is_full else PRE_ORDER
    if run.opens_at is not None:
        node["availabilityStarts"] = run.opens_at.isoformat(timespec="seconds")
    return node


def _offer(offer_id: str, price: Money, *, url: str) -> Node:
    return {
        "@type": "Offer",
        "@id": offer_id,
        "url": url,
        "price": f"{price.amount:f}",
        "priceCurrency": price.currency,
        "category": "Free" if price.is_zero else "Paid",
        "availability": IN_STOCK,
    }


def _offer_id(site: Site, run: RunOffer, *, here: str) -> str:
    return site.url(f"{here}#offer-{run.run_id}")


def _currency(offer: CourseOffer) -> str:
    return offer.price.currency if offer.price is not None else current_shop().currency


def _social_card(course: Course) -> str:
    drawing = {
        "version": covers.VERSION,
        "palette": covers.palette_key(course.department.slug),
        "seed": covers.hash_id(course.readable_id),
    }
    return reverse("social-card", kwargs=drawing)

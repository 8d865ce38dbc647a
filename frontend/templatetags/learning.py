"""Tags for courses, runs and orders."""

from __future__ import annotations

from datetime import date, datetime

from django import template
from django.conf import settings
from django.template import Context

from b2b.models import OrganizationPage
from b2b.selectors.seats import MemberContract, MemberOrganization, organizations_of
from cms.selectors.addresses import course_urls
from courses.models import Course, CourseRun, Department
from courses.selectors.run_dates import effort_text, format_run_access, format_run_dates
from ecommerce.gateways.labels import gateway_name
from ecommerce.models import Order, OrderLine, Product
from ecommerce.selectors.receipts import GivenCourse, describe_courses, seats_text
from frontend.pages.dashboard import list_contract_courses
from frontend.pages.receipt import ReceiptPage
from mitxonline.kernel import clock
from mitxonline.kernel.money import Money
from mitxonline.kernel.text import list_titles
from mitxonline.users.sso.connections import is_connected
from mitxonline.users.sso.providers import KEYCLOAK, find_provider

register = template.Library()

register.filter("gateway_name", gateway_name)
register.filter("list_titles", list_titles)


@register.simple_tag
def run_when(run: CourseRun, now: datetime) -> str:
    return format_run_dates(run, now)


@register.simple_tag
def line_courses(line: OrderLine, now: datetime) -> tuple[GivenCourse, ...]:
    """`{% line_courses line page.now as courses %}`: the courses of a program that was bought, with their starts."""
    return describe_courses(line, now=now)


@register.simple_tag
def run_open(run: CourseRun, now: datetime) -> str:
    return format_run_access(run, now)


@register.simple_tag
def course_effort(course: Course) -> str:
    return effort_text(course)


@register.simple_tag
def line_refund_day(line: OrderLine, page: ReceiptPage) -> date | None:
    return page.line_refund_day(line)


@register.filter
def cover_id(product: Product) -> str:
    """The id a product’s cover is drawn from: the program’s, or the course’s, so its runs look alike."""
    if product.course_run is not None:
        return product.course_run.course.readable_id
    return product.program.readable_id if product.program is not None else ""


@register.filter
def cover_department(product: Product) -> str:
    department = _department(product)
    return department.slug if department else ""


@register.filter
def department_name(product: Product) -> str:
    department = _department(product)
    return department.name if department else ""


@register.filter
def order_title(order: Order) -> str:
    return list_titles(line.title for line in order.lines.all())


@register.filter
def line_seats(line: OrderLine) -> str:
    """`{{ line|line_seats }}`: the seats of a group and the price of one."""
    return seats_text(line.seats, line.unit_price)


@register.filter
def list_money(line: OrderLine) -> str:
    return Money(line.list_price, line.currency).formatted()


@register.filter
def discount_money(line: OrderLine) -> str:
    return Money(line.discount_amount, line.currency).formatted()


@register.simple_tag(takes_context=True)
def member_organization(context: Context, organization: OrganizationPage) -> MemberOrganization | None:
    """The organization as its member sees it; None in an editor’s preview."""
    user = context["request"].user
    if not user.is_authenticated or organization.pk is None:
        return None
    found = organizations_of(user.pk, now=clock.now(), organization_id=organization.pk)
    return found[0] if found else None


@register.simple_tag
def contract_course_urls(member: MemberOrganization | None) -> dict[int, str]:
    """The pages of the courses of a member’s contracts, by the course’s id; one query."""
    return course_urls(list_contract_courses([member])) if member is not None else {}


@register.inclusion_tag("frontend/organizations/take_seat.html", takes_context=True)
def take_seat(context: Context, contract: MemberContract) -> dict[str, object]:
    """The button for a seat in a single sign-on contract: it goes through the provider and back to this page."""
    request = context["request"]
    provider = find_provider(KEYCLOAK)
    return {
        "provider": provider,
        "is_connected": provider is not None
        and is_connected(user_id=request.user.pk, issuer=settings.SOCIAL_AUTH_KEYCLOAK_ISSUER),
        "contract": contract,
        "next": request.get_full_path(),
        "csrf_token": context.get("csrf_token"),
    }


def _department(product: Product) -> Department | None:
    if product.course_run is not None:
        return product.course_run.course.department
    return product.program.department if product.program is not None else None

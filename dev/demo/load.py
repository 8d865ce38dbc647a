"""Loads the demo."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from wagtail.models import Site

from b2b.enums import MembershipSource
from b2b.models import ContractMembership, ContractPage, OrganizationPage
from cms.models import CoursePage, ProgramPage, SiteBrand
from courses.models import Course, CourseRun, Enrollment, Program
from dev.demo.calendar import contract_dates
from dev.demo.catalog import ensure_course, ensure_department, ensure_program
from dev.demo.contracts import contract_specs, ensure_contract, ensure_member, ensure_members, ensure_small_contracts
from dev.demo.groups import ensure_hand_outs
from dev.demo.history import ensure_history
from dev.demo.invoices import ensure_invoices
from dev.demo.learning import ensure_discounts, ensure_enrollments, ensure_order
from dev.demo.orders import ensure_orders
from dev.demo.pages import ensure_course_page, ensure_instructors, ensure_product_page, ensure_program_page
from dev.demo.people import AMARA, SAM, ensure_accounts, ensure_buyers, ensure_colleagues
from dev.demo.specs import demo_spec
from dev.demo.statements import ensure_reports
from dev.demo.work import ensure_draft, ensure_work_in_progress
from ecommerce.models import DiscountCode, Order, Product, ShopSettings
from mitxonline.kernel import clock
from mitxonline.users.models import User


@dataclass(frozen=True, slots=True)
class LoadResult:
    """Rows by kind: all of them, and those that are new."""

    counts: Counter[str]
    new: Counter[str]

    @property
    def is_changed(self) -> bool:
        return self.new.total() > 0


def load_demo(*, now: datetime, report: Callable[[str], None]) -> LoadResult:
    """Create what doesn't exist yet. ``report`` gets the name of each step.

    Each step runs in its own transaction, except contracts, whose reconciling uses several. After an interruption,
    load again to finish.
    """
    before = _counts()
    report("People")
    people = ensure_accounts(now=now)
    ensure_buyers(now=now)
    report("Departments, courses and runs")
    _load_courses(now)
    report("Pages")
    _load_pages()
    report("Organizations and contracts")
    _load_contracts(people, now)
    report("Discounts, enrollments, orders")
    _load_learning(people, now)
    ensure_history(now=now)
    ensure_orders(now=now)
    ensure_hand_outs(now=now)
    report("Invoices")
    ensure_invoices(now=now)
    ensure_work_in_progress(people, now=now)
    ensure_reports(now=now)
    after = _counts()
    return LoadResult(counts=after, new=after - before)


@transaction.atomic
def _load_courses(now: datetime) -> None:
    spec = demo_spec()
    for department, courses in spec.departments:
        row = ensure_department(department)
        for course in courses:
            ensure_course(course, row, now=now)
    for program in spec.programs:
        ensure_program(program)


@transaction.atomic
def _load_pages() -> None:
    spec = demo_spec()
    instructors = ensure_instructors(spec.instructors)
    courses = {course.readable_id: course for course in Course.objects.select_related("department")}
    for course in spec.courses:
        ensure_course_page(course, courses[course.readable_id], instructors)
    for program in spec.programs:
        ensure_program_page(program, Program.objects.get(readable_id=program.id))
    writing = Product.objects.public().filter(sku="WR101-ANY").first()
    if writing is not None:
        ensure_product_page(
            writing,
            slug="writing-for-teams",
            title="Writing clearly, for the whole office",
            text="Three weeks, a few hours each. Start whenever you like, together or separately.",
        )
    SiteBrand.objects.filter(support_email="", copyright_note="").update(
        support_email="hello@tessera.example", copyright_note="A demo brand."
    )
    if not ShopSettings.objects.exists():
        ShopSettings.objects.create(
            site=Site.objects.get(is_default_site=True),
            seller_name="Tessera Learning",
            seller_address="2 Mosaic Yard\nGalway, Ireland",
            seller_tax_id="IE1234567X",
            invoice_tax_rate=23,
            invoice_tax_name="VAT",
            reverse_charge_note="Reverse charge: the recipient owes the VAT (Article 196, Directive 2006/112/EC).",
            payment_instructions="Bank of the Mosaic, IBAN IE29 AIBK 9311 5212 3456 78\nPlease name the invoice.",
        )


@transaction.atomic
def _load_learning(people: dict[str, User], now: datetime) -> None:
    ensure_discounts(now=now)
    ensure_enrollments(people, now=now)
    ensure_order(people, now=now)


def _load_contracts(people: dict[str, User], now: datetime) -> None:
    skills, leading, campus, _design, ending, full = [
        ensure_contract(spec, now=now) for spec in contract_specs(contract_dates(clock.date_of(now)))
    ]
    with transaction.atomic():
        ensure_members(skills, people, ensure_colleagues(now=now), now=now)
        ensure_member(leading, people[AMARA.email], source=MembershipSource.STAFF, now=now)
        ensure_member(campus, people[SAM.email], source=MembershipSource.SSO, now=now)
        ensure_small_contracts([ending, full], people, now=now)
        ensure_draft(leading)


def _counts() -> Counter[str]:
    return Counter(
        {
            "courses": Course.objects.count(),
            "runs": CourseRun.objects.count(),
            "programs": Program.objects.count(),
            "pages": CoursePage.objects.count() + ProgramPage.objects.count(),
            "people": User.objects.count(),
            "enrollments": Enrollment.objects.count(),
            "organizations": OrganizationPage.objects.count(),
            "contracts": ContractPage.objects.count(),
            "members": ContractMembership.objects.count(),
            "codes": DiscountCode.objects.count(),
            "orders": Order.objects.count(),
        }
    )

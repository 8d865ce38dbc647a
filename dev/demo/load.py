"""Loading the demonstration, part by part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from b2b.enums import MembershipSource
from b2b.models import ContractMembership, ContractPage, OrganizationPage
from cms.models import CoursePage, ProgramPage, SiteBrand
from courses.models import Course, CourseRun, Enrollment, Program
from dev.demo.calendar import contract_dates
from dev.demo.catalog import ensure_course, ensure_department, ensure_program
from dev.demo.contracts import contract_specs, ensure_contract, ensure_member, ensure_members
from dev.demo.learning import ensure_discounts, ensure_enrollments, ensure_order
from dev.demo.pages import ensure_course_page, ensure_instructors, ensure_product_page, ensure_program_page
from dev.demo.people import AMARA, SAM, ensure_accounts, ensure_colleagues
from dev.demo.specs import demo_spec
from ecommerce.models import DiscountCode, Product
from mitxonline.kernel import clock
from mitxonline.users.models import User

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Loaded:
    """How many of each there are now, and how many of them are new."""

    counts: Counter[str]
    new: Counter[str]

    @property
    def changed(self) -> bool:
        """Whether anything was added."""
        return self.new.total() > 0


def load_demo(*, now: datetime, tell: Tell) -> Loaded:
    """Load everything that isn't there yet; ``tell`` hears what is being done.

    Contracts are brought in line outside a transaction (they are locked over several), the rest part by part in one
    each: whatever is interrupted goes on at the next loading.
    """
    before = _counts()
    tell("People")
    people = ensure_accounts(now=now)
    tell("Departments, courses and runs")
    _load_courses(now)
    tell("Pages")
    _load_pages()
    tell("Organizations and contracts")
    _load_contracts(people, now)
    tell("Discounts, enrollments, an order")
    _load_learning(people, now)
    after = _counts()
    return Loaded(counts=after, new=after - before)


@transaction.atomic
def _load_courses(now: datetime) -> None:
    spec = demo_spec()
    for department, courses in spec.departments:
        made = ensure_department(department)
        for course in courses:
            ensure_course(course, made, now=now)
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
            words="Three weeks, a few hours each. Start whenever you like, together or separately.",
        )
    SiteBrand.objects.filter(support_email="", copyright_note="").update(
        support_email="hello@tessera.example", copyright_note="A demonstration brand."
    )


@transaction.atomic
def _load_learning(people: dict[str, User], now: datetime) -> None:
    ensure_discounts(now=now)
    ensure_enrollments(people, now=now)
    ensure_order(people, now=now)


def _load_contracts(people: dict[str, User], now: datetime) -> None:
    skills, leading, campus, _design = [
        ensure_contract(spec, now=now) for spec in contract_specs(contract_dates(clock.date_of(now)))
    ]
    with transaction.atomic():
        ensure_members(skills, people, ensure_colleagues(now=now), now=now)
        ensure_member(leading, people[AMARA.email], source=MembershipSource.STAFF, now=now)
        ensure_member(campus, people[SAM.email], source=MembershipSource.SSO, now=now)


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
        }
    )

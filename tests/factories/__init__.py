"""Factories that insert rows through the models, with fixed values a test may override."""

from __future__ import annotations

import itertools
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from wagtail.models import Page

from b2b.models import (
    ContractCourseware,
    ContractPage,
    ContractRun,
    ContractTerms,
    OrganizationIndexPage,
    OrganizationPage,
)
from courses.enums import RunAccess
from courses.models import Course, CourseRun, Department, Program, ProgramRequirement
from ecommerce.enums import DiscountType, PaymentType, RedemptionType
from ecommerce.models import Discount, DiscountCode, Product
from mitxonline.users.models import User

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PASSWORD = "a-long-enough-passphrase"

_count = itertools.count(1)


def make_user(email: str = "", *, name: str = "Amara Okafor", **fields: Any) -> User:
    """Make a user with a confirmed address and no password."""
    address = email or f"learner{next(_count)}@example.test"
    fields.setdefault("email_verified_at", NOON)
    return User.objects.create_user(email=address, password=None, name=name, **fields)


def make_department(name: str = "Computing") -> Department:
    """Return the department with this name, made on first use."""
    return Department.objects.get_or_create(name=name, defaults={"slug": name.lower().replace(" ", "-")})[0]


def make_course(number: str = "", *, title: str = "Programming with Python, properly", **fields: Any) -> Course:
    """Make a course without runs."""
    number = number or f"T{next(_count)}x"
    fields.setdefault("department", make_department())
    return Course.objects.create(readable_id=f"course-v1:TesseraX+{number}", title=title, **fields)


def make_run(course: Course | None = None, *, tag: str = "", **fields: Any) -> CourseRun:
    """Make a live run that is open to everyone: free until it has a product."""
    course = course or make_course()
    tag = tag or f"R{next(_count)}"
    fields.setdefault("title", course.title)
    fields.setdefault("live", True)
    fields.setdefault("is_free", True)
    return CourseRun.all_objects.create(
        course=course, courseware_id=f"{course.readable_id}+{tag}", run_tag=tag, **fields
    )


def make_product(run: CourseRun | None = None, *, price: str = "249.00", **fields: Any) -> Product:
    """Make a product on sale."""
    run = run or make_run()
    fields.setdefault("currency", "USD")
    return Product.objects.create(course_run=run, sku=run.courseware_id, price=Decimal(price), **fields)


def make_program_product(*courses: Course, sku: str = "", price: str = "690") -> Product:
    """Make the product of a program that requires all of these courses."""
    sku = sku or f"P{next(_count)}"
    program = Program.objects.create(
        readable_id=f"program-v1:TesseraX+{sku}", title=f"Program {sku}", department=courses[0].department
    )
    for position, course in enumerate(courses):
        ProgramRequirement.objects.create(program=program, kind="course", course=course, position=position)
    return Product.objects.create(program=program, sku=sku, price=Decimal(price), currency="USD")


def make_discount(
    *, kind: str = DiscountType.PERCENT_OFF, amount: str = "10", products: list[Product] | None = None, **fields: Any
) -> Discount:
    """Make a discount for these products, or for all."""
    fields.setdefault("payment_type", PaymentType.MARKETING)
    fields.setdefault("for_all_products", products is None)
    currency = "" if kind == DiscountType.PERCENT_OFF else "USD"
    discount = Discount.objects.create(
        discount_type=kind, amount=Decimal(amount), currency=fields.pop("currency", currency), **fields
    )
    if products:
        discount.products.set(products)
    return discount


def make_code(
    discount: Discount | None = None, *, text: str = "", max_uses: int | None = None, **fields: Any
) -> DiscountCode:
    """Make a code, unlimited by default."""
    return DiscountCode.objects.create(
        discount=discount or make_discount(), text=text or str(uuid.uuid4()), max_uses=max_uses, **fields
    )


def make_organization(name: str = "Northgate Health", *, org_key: str = "") -> OrganizationPage:
    """Make an organization under the organizations page, which is made on first use."""
    index = OrganizationIndexPage.objects.first()
    if index is None:
        index = OrganizationIndexPage(title="Organizations", slug="organizations")
        Page.get_first_root_node().add_child(instance=index)
        index = OrganizationIndexPage.objects.get(pk=index.pk)
    page = OrganizationPage(title=name, name=name, org_key=org_key or f"ORG{next(_count)}")
    page.allows_similar_name = True  # tests may want namesakes
    index.add_child(instance=page)
    return page


def make_contract(
    organization: OrganizationPage | None = None,
    *,
    name: str = "Clinical skills 2026",
    integration_type: str = "non-sso",
    seats: int | None = None,
    price: str | None = None,
    start: date | None = None,
    end: date | None = None,
    active: bool = True,
    **fields: Any,
) -> ContractPage:
    """Make a contract page and its terms in force, without courseware."""
    organization = organization or make_organization()
    page = ContractPage(
        title=name,
        name=name,
        integration_type=integration_type,
        max_learners=seats,
        enrollment_fixed_price=Decimal(price) if price else None,
        contract_start=start,
        contract_end=end,
        active=active,
        **fields,
    )
    organization.add_child(instance=page)
    ContractTerms.objects.create(
        page=page,
        organization=organization,
        integration_type=integration_type,
        active=active,
        start=start,
        end=end,
        max_learners=seats,
        price=Decimal(price) if price else None,
        currency="USD",
        codes_only_for_assignee=page.codes_only_for_assignee,
        in_force_since=NOON,
    )
    return page


def make_contract_run(contract: ContractPage, course: Course | None = None, *, codes: int = 0) -> ContractRun:
    """Make a contract run with its product, its discount and this many single-use codes."""
    course = course or make_course()
    tag = f"2026_C{contract.pk}"
    run = make_run(course, tag=tag, access=RunAccess.CONTRACT, is_self_paced=True)
    price = str(contract.enrollment_fixed_price or 0)
    product = make_product(run, price=price, requires_code=True)
    discount = Discount.objects.create(
        name=f"{contract.name}",
        discount_type=DiscountType.FIXED_PRICE,
        amount=Decimal(price),
        currency="USD",
        redemption_type=RedemptionType.ONE_TIME,
        payment_type=PaymentType.SALES,
        is_bulk=True,
        unlocks=product,
    )
    courseware = ContractCourseware.objects.create(contract=contract, course=course, added_at=NOON)
    for _each in range(codes):
        make_code(discount, max_uses=1)
    return ContractRun.objects.create(
        contract=contract, course_run=run, product=product, courseware=courseware, given_start=NOON, added_at=NOON
    )


def codes_of(run: ContractRun) -> list[DiscountCode]:
    """Return the run's codes, oldest first."""
    return list(DiscountCode.objects.filter(discount__unlocks_id=run.product_id).order_by("pk"))

"""Contracts, courseware and members, built by the services a command or the admin would call."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from typing import Any, Unpack

from b2b.enums import IntegrationType, MembershipSource
from b2b.models import ContractMembership, ContractPage, ContractRun, ContractTerms, OrganizationPage, Reconcile
from b2b.services.contracts.contracts import ModifyContract, PageChanges, WrittenTerms, create_contract, modify_contract
from b2b.services.contracts.reconcile import run_reconcile
from b2b.services.courseware.courseware import AddCourseware, add_courseware
from b2b.services.organizations.organizations import OrganizationRequest, ensure_organization
from courses.models import Course, CourseRun, Department, Program, ProgramRequirement
from ecommerce.enums import UseState
from ecommerce.models import CodeUse, Discount, DiscountCode, Order
from mitxonline.users.models import User

NOW = datetime(2025, 11, 21, 10, 30, tzinfo=UTC)
SSO, NON_SSO = IntegrationType.SSO, IntegrationType.NON_SSO

_numbers = count(1)


def make_department() -> Department:
    made, _new = Department.objects.get_or_create(slug="computing", defaults={"name": "Computing"})
    return made


def make_source_course(readable_id: str = "", *, title: str = "", runs: Sequence[str] = ("SOURCE",)) -> Course:
    """Make a course with a live run for each tag; contract runs are copied from SOURCE."""
    readable_id = readable_id or f"course-v1:TesX+{next(_numbers)}x"
    title = title or f"Course {readable_id.rpartition('+')[2]}"
    made = Course.objects.create(readable_id=readable_id, title=title, department=make_department())
    for tag in runs:
        make_public_run(made, tag)
    return made


def make_public_run(of: Course, tag: str, **facts: Any) -> CourseRun:
    key = f"{of.readable_id}+{tag}"
    return CourseRun.objects.create(course=of, courseware_id=key, run_tag=tag, title=of.title, live=True, **facts)


def make_program_of(*courses: Course, readable_id: str = "") -> Program:
    """Make a program that requires all of these courses."""
    readable_id = readable_id or f"program-v1:TesX+P{next(_numbers)}"
    made = Program.objects.create(readable_id=readable_id, title="A program", department=make_department())
    require_courses(made, *courses)
    return made


def require_courses(of: Program, *courses: Course) -> None:
    for position, one in enumerate(courses):
        ProgramRequirement.objects.create(program=of, kind="course", course=one, position=position)


def ensure_organization_page(name: str = "UniversityX") -> OrganizationPage:
    return ensure_organization(OrganizationRequest(name=name))[0]


def publish_contract(
    *courseware: Course | Program | CourseRun,
    name: str = "A contract",
    integration: IntegrationType = NON_SSO,
    cap: int | None = None,
    price: str | None = None,
    start: date | None = None,
    end: date | None = None,
    of: OrganizationPage | None = None,
    now: datetime = NOW,
    settled: bool = True,
) -> ContractPage:
    """Publish a contract with this courseware and reconcile it, unless `settled` is False."""
    written = WrittenTerms(
        integration_type=integration,
        currency="USD",
        start=start,
        end=end,
        max_learners=cap,
        price=Decimal(price) if price is not None else None,
    )
    owner = of or ensure_organization_page()
    made = create_contract(organization_id=owner.pk, name=name, terms=written, now=now).page
    for one in courseware:
        add_to_contract(made, one, now=now)
    if settled:
        reconcile_contract(made, now=now)
    return made


def add_to_contract(
    page: ContractPage, what: Course | Program | CourseRun, *, now: datetime = NOW, **options: Any
) -> None:
    text = what.courseware_id if isinstance(what, CourseRun) else what.readable_id
    add_courseware(AddCourseware(contract_id=page.pk, readable_id=text, **options), now=now)


def change_terms(
    page: ContractPage, *, now: datetime = NOW, settled: bool = True, **changes: Unpack[PageChanges]
) -> None:
    """Publish the contract with other terms, named as the page's fields, and reconcile it unless `settled` is False."""
    modify_contract(ModifyContract(contract_id=page.pk, changes=changes), now=now)
    if settled:
        reconcile_contract(page, now=now)


def reconcile_contract(page: ContractPage, *, now: datetime = NOW) -> Reconcile:
    return run_reconcile(contract_id=page.pk, now=now)


def terms_of(page: ContractPage) -> ContractTerms:
    return ContractTerms.objects.get(pk=page.pk)


def runs_of(page: ContractPage) -> list[CourseRun]:
    return [
        row.course_run
        for row in ContractRun.objects.current().filter(contract=page).select_related("course_run").order_by("pk")
    ]


def discounts_of(page: ContractPage) -> list[Discount]:
    return list(Discount.objects.filter(unlocks__contract_run__contract=page).order_by("pk"))


def codes_of(page: ContractPage) -> list[DiscountCode]:
    return list(DiscountCode.objects.filter(discount__unlocks__contract_run__contract=page).order_by("pk"))


def active_codes_of(page: ContractPage) -> list[DiscountCode]:
    return [code for code in codes_of(page) if code.active]


def make_learner(email: str = "") -> User:
    email = email or f"learner{next(_numbers)}@example.com"
    return User.objects.create(email=email, name=email.partition("@")[0].title())


def take_seat(page: ContractPage, user: User, *, use: CodeUse | None = None) -> ContractMembership:
    return ContractMembership.objects.create(
        contract=page, user=user, source=MembershipSource.CODE, code_use=use, since=NOW
    )


def leave_seat(page: ContractPage, user: User) -> None:
    ContractMembership.objects.filter(contract=page, user=user).delete()


def redeem_code(page: ContractPage, code: DiscountCode, user: User | None = None) -> CodeUse:
    """Make a confirmed use of the code and the seat that goes with it."""
    learner = user or make_learner()
    use = _use(code, learner, UseState.CONFIRMED)
    if not ContractMembership.objects.filter(contract=page, user=learner).exists():
        take_seat(page, learner, use=use)
    return use


def hold_for_order(code: DiscountCode, user: User | None = None) -> CodeUse:
    """Make a use of the code held for a pending order."""
    learner = user or make_learner()
    order = Order.objects.create(
        number=f"TS-{next(_numbers)}",
        purchaser=learner,
        currency="USD",
        list_total=0,
        discount_total=0,
        total=0,
        fingerprint="x",
        placed_at=NOW,
    )
    return _use(code, learner, UseState.HELD, order=order, held_until=NOW)


def _use(code: DiscountCode, learner: User, state: UseState, **facts: Any) -> CodeUse:
    if code.max_uses is not None:
        code.uses += 1
        code.save(update_fields=["uses"])
    return CodeUse.objects.create(code=code, user=learner, state=state, created_at=NOW, changed_at=NOW, **facts)

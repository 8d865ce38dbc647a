"""Plan and create the runs of a contract with their products and discounts.

The rules are in docs/contracts.md (“What happens when courseware is added”).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from django.core.exceptions import ValidationError
from django.db.models import F, Func, Value
from django.db.models.functions import Lower
from django.utils.translation import gettext as _

from b2b.errors.contracts import CourseKeyImpossible
from b2b.models import ContractCourseware, ContractRun, ContractTerms
from courses.enums import RunAccess, RunLmsState
from courses.events import RunsRequested
from courses.models import Course, CourseRun, ProgramRequirement
from courses.models.keys import validate_run_key
from courses.models.run import SOURCE_TAG
from courses.selectors.course_site import find_sources
from courses.services.runs import create_runs
from ecommerce.enums import DiscountType, PaymentType, RedemptionType
from ecommerce.models import Discount, Product
from ecommerce.services.catalog.batches import create_products
from ecommerce.services.discounts.batches import create_discounts
from mitxonline.coordinator.bus import publish
from mitxonline.kernel.clock import date_of, end_of_day, start_of_day

KEY_LENGTH = 255
SKU_LENGTH = 100
_NUMBER = "-[0-9]+$"
_IN_A_KEY = re.compile(r"[A-Za-z0-9_.~:-]", re.ASCII)
_PARTS = 3


@dataclass(frozen=True, slots=True)
class WantedRun:
    """A course the contract has no run of yet, and the courseware that asks for it."""

    course: Course
    courseware_id: int | None
    generation: int = 1


@dataclass(frozen=True, slots=True)
class RunPlan:
    wanted: WantedRun
    key: str
    tag: str
    source: CourseRun | None
    start: datetime
    end: datetime | None

    @property
    def title(self) -> str:
        return self.source.title if self.source is not None else self.wanted.course.title

    def with_courseware(self, courseware_id: int) -> RunPlan:
        """Return the plan for courseware that has been saved and now has an id."""
        return replace(self, wanted=replace(self.wanted, courseware_id=courseware_id))

    @property
    def warning(self) -> str:
        """What an operator should know about the source of the run; empty if there is nothing."""
        course = self.wanted.course.readable_id
        if self.source is None:
            return _("%(course)s has no run to copy, so the rerun in Open edX waits for a source.") % {"course": course}
        if self.source.run_tag != SOURCE_TAG:
            return _("%(course)s has no SOURCE run; %(source)s is copied instead.") % {
                "course": course,
                "source": self.source.courseware_id,
            }
        return ""


def wanted_courses(courseware: Iterable[ContractCourseware]) -> list[tuple[Course, int]]:
    """Return the courses that need runs, each with the id of the first courseware that names it.

    A program needs every course its requirements name, even if learners only need some of them.
    """
    rows = [row for row in courseware if row.create_runs and row.removed_at is None]
    by_program = _load_program_courses([row.program_id for row in rows if row.program_id is not None])
    wanted: dict[int, tuple[Course, int]] = {}
    for row in rows:
        courses = [row.course] if row.course is not None else by_program.get(row.program_id or 0, [])
        for course in courses:
            wanted.setdefault(course.pk, (course, row.pk))
    return list(wanted.values())


def plan_runs(
    *, terms: ContractTerms, wanted: Sequence[WantedRun], now: datetime, prefix: str | None = None
) -> list[RunPlan]:
    """Choose key, source and dates of each run. Keys begin with `prefix`, or the organization's own.

    Raises CourseKeyImpossible for a key that Open edX would refuse.
    """
    if not wanted:
        return []
    outside = CourseRun.objects.filter(contract_run__isnull=True)
    sources = find_sources([one.course.pk for one in wanted], among=outside)
    start, end = dates_of_new_run(terms, now=now)
    organization = terms.organization
    tag = f"{date_of(now).year}_C{terms.pk}"
    stem = f"course-v1:{organization.org_key_prefix if prefix is None else prefix}{organization.org_key}"
    plans = [
        RunPlan(
            wanted=one,
            key=f"{stem}+{one.course.number}+{tag}",
            tag=tag,
            source=sources.get(one.course.pk),
            start=start,
            end=end,
        )
        for one in wanted
    ]
    return [_check_key(plan) for plan in _number_keys(plans)]


def dates_of_new_run(terms: ContractTerms, *, now: datetime) -> tuple[datetime, datetime | None]:
    """Return first and last moment of a run created now: the contract's days, or from now on with no end."""
    return dates_by_contract(start=terms.start, end=terms.end, added_at=now)


def dates_by_contract(*, start: date | None, end: date | None, added_at: datetime) -> tuple[datetime, datetime | None]:
    """Return the first and last moment that a contract with these days gives a run added at `added_at`."""
    until = end_of_day(end) if end else None
    if start:
        return start_of_day(start), until
    # The contract may have ended before the run was added, and a run can't begin after it ends.
    return (min(added_at, start_of_day(end)) if end else added_at), until


def make_runs(
    *, plans: Sequence[RunPlan], terms: ContractTerms, now: datetime, by_id: int | None = None
) -> list[tuple[Product, str]]:
    """Create the planned runs with their products, and return the products with their titles; constant queries.

    `make_discounts` creates their discounts. Queues the reruns in Open edX. The caller holds the lock of the terms.
    """
    runs = create_runs([_build_run(plan, now=now) for plan in plans])
    products = create_products(
        [product_of_run(run, course=plan.wanted.course, terms=terms) for plan, run in zip(plans, runs, strict=True)],
        reason=_("Contract"),
        by_id=by_id,
        now=now,
    )
    ContractRun.objects.bulk_create(
        ContractRun(
            contract_id=terms.pk,
            course_run=run,
            product=product,
            courseware_id=plan.wanted.courseware_id,
            generation=plan.wanted.generation,
            given_start=plan.start,
            given_end=plan.end,
            added_at=now,
        )
        for plan, run, product in zip(plans, runs, products, strict=True)
    )
    pending = tuple(run.pk for run in runs if run.lms_state == RunLmsState.PENDING)
    if pending:
        publish(RunsRequested(run_ids=pending))
    return [(product, plan.title) for product, plan in zip(products, plans, strict=True)]


def make_discounts(products: Sequence[tuple[Product, str]], *, terms: ContractTerms) -> list[Discount]:
    """Create the discount of each contract product; its codes are the enrollment codes."""
    amount, currency = terms.money.amount, terms.currency
    return create_discounts(
        Discount(
            name=f"{terms.organization.name} #{terms.pk} – {title}"[:255],
            discount_type=DiscountType.FIXED_PRICE,
            amount=amount,
            currency=currency,
            redemption_type=redemption_type(terms),
            payment_type=PaymentType.SALES,
            is_bulk=True,
            unlocks=product,
        )
        for product, title in products
    )


def redemption_type(terms: ContractTerms) -> RedemptionType:
    return RedemptionType.UNLIMITED if terms.max_learners is None else RedemptionType.ONE_TIME


def sku_of(key: str) -> str:
    """Return the product's SKU: the course key, shortened with a hash if it is too long."""
    if len(key) <= SKU_LENGTH:
        return key
    digest = hashlib.blake2b(key.encode(), digest_size=6).hexdigest()
    return f"{key[: SKU_LENGTH - len(digest) - 1]}-{digest}"


def _build_run(plan: RunPlan, *, now: datetime) -> CourseRun:
    return CourseRun(
        course=plan.wanted.course,
        courseware_id=plan.key,
        run_tag=plan.tag,
        title=plan.title,
        access=RunAccess.CONTRACT,
        start_date=plan.start,
        enrollment_start=plan.start,
        end_date=plan.end,
        enrollment_end=plan.end,
        is_self_paced=True,
        live=True,
        source_run=plan.source,
        lms_state=RunLmsState.PENDING if plan.source is not None else RunLmsState.WAITING_FOR_SOURCE,
        lms_changed_at=now,
    )


def product_of_run(run: CourseRun, *, course: Course, terms: ContractTerms) -> Product:
    """Build the unsaved product of a contract run: at the contract's price, and only sold with a code."""
    description = f"{terms.organization.name} #{terms.pk} – {course.title} {course.readable_id}"
    return Product(
        course_run=run,
        sku=sku_of(run.courseware_id),
        description=description[:255],
        price=terms.money.amount,
        currency=terms.currency,
        is_active=True,
        requires_code=True,
    )


def _load_program_courses(program_ids: Sequence[int]) -> Mapping[int, list[Course]]:
    courses: dict[int, list[Course]] = {}
    if program_ids:
        rows = ProgramRequirement.objects.filter(program_id__in=program_ids, course__isnull=False)
        for row in rows.select_related("course").order_by("program_id", "position", "pk"):
            if row.course is not None:
                courses.setdefault(row.program_id, []).append(row.course)
    return courses


def _number_keys(plans: Sequence[RunPlan]) -> list[RunPlan]:
    """Append “-2”, “-3” and so on to keys that are taken or planned twice."""
    taken = _find_taken_keys([plan.key for plan in plans])
    numbered = []
    for plan in plans:
        number, suffix = 1, ""
        while f"{plan.key}{suffix}".lower() in taken:
            number += 1
            suffix = f"-{number}"
        taken.add(f"{plan.key}{suffix}".lower())
        numbered.append(replace(plan, key=plan.key + suffix, tag=plan.tag + suffix))
    return numbered


def _find_taken_keys(keys: Sequence[str]) -> set[str]:
    """Return, in lower case, the existing keys among these and among these with a number appended."""
    stem = Lower(Func(F("courseware_id"), Value(_NUMBER), Value(""), function="regexp_replace"))
    found = CourseRun.all_objects.annotate(stem=stem).filter(stem__in=[key.lower() for key in keys])
    return {key.lower() for key in found.values_list("courseware_id", flat=True)}


def _check_key(plan: RunPlan) -> RunPlan:
    """Return the plan; raises CourseKeyImpossible with the reason if Open edX would refuse its key."""
    if len(plan.key) > KEY_LENGTH:
        reason = _("it has more than %(length)d characters.") % {"length": KEY_LENGTH}
        raise CourseKeyImpossible(key=plan.key, reason=reason)
    if characters := _invalid_characters(plan.key):
        reason = _("%(characters)s can’t be part of it.") % {"characters": ", ".join(f"“{one}”" for one in characters)}
        raise CourseKeyImpossible(key=plan.key, reason=reason)
    try:
        validate_run_key(plan.key)
    except ValidationError as error:
        raise CourseKeyImpossible(key=plan.key, reason=" ".join(error.messages)) from error
    return plan


def _invalid_characters(key: str) -> list[str]:
    """Return what Open edX refuses in a key: anything but ASCII letters, digits, “-”, “_”, “.”, “~” and “:”."""
    _kind, _colon, rest = key.partition(":")
    parts = rest.split("+")
    plus = ["+"] if len(parts) > _PARTS else []
    return plus + sorted({char for char in "".join(parts) if not _IN_A_KEY.match(char)})

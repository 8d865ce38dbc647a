"""Runs of a contract: which are wanted, how they are named and dated, and making them with product and discount.

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
from courses.enums import LmsState, RunAccess
from courses.events import RunsRequested
from courses.models import Course, CourseRun, ProgramRequirement
from courses.models.keys import validate_run_key
from courses.models.run import SOURCE_TAG
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
    """A course the contract has no run of yet, and the courseware it is wanted for."""

    course: Course
    courseware_id: int | None
    generation: int = 1


@dataclass(frozen=True, slots=True)
class RunPlan:
    """A run that is to be made."""

    wanted: WantedRun
    key: str
    tag: str
    source: CourseRun | None
    start: datetime
    end: datetime | None

    @property
    def title(self) -> str:
        """What the run is called: as its source, else as its course."""
        return self.source.title if self.source is not None else self.wanted.course.title

    def made_for(self, courseware_id: int) -> RunPlan:
        """The same, for courseware that has its number by now."""
        return replace(self, wanted=replace(self.wanted, courseware_id=courseware_id))

    @property
    def warning(self) -> str:
        """What an operator should know about where the run comes from; empty if all is well."""
        course = self.wanted.course.readable_id
        if self.source is None:
            return _("%(course)s has no run to copy: the re-run in Open edX waits for a source.") % {"course": course}
        if self.source.run_tag != SOURCE_TAG:
            return _("%(course)s has no SOURCE run: made from %(source)s instead.") % {
                "course": course,
                "source": self.source.courseware_id,
            }
        return ""


def wanted_courses(courseware: Iterable[ContractCourseware]) -> list[tuple[Course, int]]:
    """The courses that courseware asks runs of, each with the first courseware that names it.

    A program asks for every course its requirements name (all of them, also where only some are needed).
    """
    rows = [row for row in courseware if row.create_runs and row.removed_at is None]
    by_program = _courses_of_programs([row.program_id for row in rows if row.program_id is not None])
    wanted: dict[int, tuple[Course, int]] = {}
    for row in rows:
        courses = [row.course] if row.course is not None else by_program.get(row.program_id or 0, [])
        for course in courses:
            wanted.setdefault(course.pk, (course, row.pk))
    return list(wanted.values())


def plan_runs(
    *, terms: ContractTerms, wanted: Sequence[WantedRun], now: datetime, prefix: str | None = None
) -> list[RunPlan]:
    """Key, source and dates of the runs that are wanted; CourseKeyImpossible where Open edX would refuse a key.

    The key begins with ``prefix``, or with the organization's own.
    """
    if not wanted:
        return []
    sources = _sources_of([one.course.pk for one in wanted])
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
    """First and last moment of a run made now: the contract's days, both included, or from now on without end."""
    return dates_by_contract(start=terms.start, end=terms.end, added_at=now)


def dates_by_contract(*, start: date | None, end: date | None, added_at: datetime) -> tuple[datetime, datetime | None]:
    """First and last moment that a contract with these days gives a run that was added at this moment."""
    until = end_of_day(end) if end else None
    if start:
        return start_of_day(start), until
    # A contract without a first day that ended before the run was added: the run may not begin after it ends.
    return (min(added_at, start_of_day(end)) if end else added_at), until


def make_runs(
    *, plans: Sequence[RunPlan], terms: ContractTerms, now: datetime, actor_id: int | None = None
) -> list[tuple[Product, str]]:
    """Make the planned runs, their products and the link to the contract, in a handful of statements.

    Gives back the products with their titles; their discounts are made by ``make_discounts``. In the caller's
    transaction, under the terms' lock. Asks Open edX for the re-runs (queued).
    """
    runs = create_runs([_run(plan) for plan in plans])
    products = create_products(
        [product_of_run(run, course=plan.wanted.course, terms=terms) for plan, run in zip(plans, runs, strict=True)],
        reason=_("Contract"),
        by_id=actor_id,
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
    asked = tuple(run.pk for run in runs if run.lms_state == LmsState.PENDING)
    if asked:
        publish(RunsRequested(run_ids=asked))
    return [(product, plan.title) for product, plan in zip(products, plans, strict=True)]


def make_discounts(products: Sequence[tuple[Product, str]], *, terms: ContractTerms) -> list[Discount]:
    """The one discount of each contract product, whose codes are its enrollment codes."""
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
    """How often the codes of a contract can be used: once with a cap, without limit else."""
    return RedemptionType.UNLIMITED if terms.max_learners is None else RedemptionType.ONE_TIME


def sku_of(key: str) -> str:
    """The product's SKU: the course key, or for a very long one its beginning and a fingerprint."""
    if len(key) <= SKU_LENGTH:
        return key
    fingerprint = hashlib.blake2b(key.encode(), digest_size=6).hexdigest()
    return f"{key[: SKU_LENGTH - len(fingerprint) - 1]}-{fingerprint}"


def _run(plan: RunPlan) -> CourseRun:
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
        lms_state=LmsState.PENDING if plan.source is not None else LmsState.WAITING_FOR_SOURCE,
    )


def product_of_run(run: CourseRun, *, course: Course, terms: ContractTerms) -> Product:
    """The product of a contract's run, not saved: at the contract's price, and closed without its code."""
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


def _courses_of_programs(program_ids: Sequence[int]) -> Mapping[int, list[Course]]:
    """The courses each program's requirements name, in one query."""
    courses: dict[int, list[Course]] = {}
    if program_ids:
        rows = ProgramRequirement.objects.filter(program_id__in=program_ids, course__isnull=False)
        for row in rows.select_related("course").order_by("program_id", "position", "pk"):
            if row.course is not None:
                courses.setdefault(row.program_id, []).append(row.course)
    return courses


def _sources_of(course_ids: Sequence[int]) -> Mapping[int, CourseRun]:
    """The run each course's new run is made from: the one tagged SOURCE, else the first one of no contract."""
    runs = CourseRun.objects.filter(course_id__in=course_ids, contract_run__isnull=True).order_by("pk")
    sources: dict[int, CourseRun] = {}
    for run in runs:
        known = sources.setdefault(run.course_id, run)
        if run.run_tag == SOURCE_TAG and known.run_tag != SOURCE_TAG:
            sources[run.course_id] = run
    return sources


def _number_keys(plans: Sequence[RunPlan]) -> list[RunPlan]:
    """The plans with free keys: one that is taken, or wanted twice here, gets “-2”, “-3” … appended."""
    taken = _find_taken_keys([plan.key for plan in plans])
    free = []
    for plan in plans:
        number, suffix = 1, ""
        while f"{plan.key}{suffix}".lower() in taken:
            number += 1
            suffix = f"-{number}"
        taken.add(f"{plan.key}{suffix}".lower())
        free.append(replace(plan, key=plan.key + suffix, tag=plan.tag + suffix))
    return free


def _find_taken_keys(keys: Sequence[str]) -> set[str]:
    """Those of the keys, and of the keys with a number appended, that some run has; case doesn't tell keys apart."""
    stem = Lower(Func(F("courseware_id"), Value(_NUMBER), Value(""), function="regexp_replace"))
    found = CourseRun.all_objects.annotate(stem=stem).filter(stem__in=[key.lower() for key in keys])
    return {key.lower() for key in found.values_list("courseware_id", flat=True)}


def _check_key(plan: RunPlan) -> RunPlan:
    """Refuse a key Open edX would refuse, with what is wrong about it."""
    if len(plan.key) > KEY_LENGTH:
        reason = _("it is longer than %(length)d characters.") % {"length": KEY_LENGTH}
        raise CourseKeyImpossible(key=plan.key, reason=reason)
    if strange := _strange_characters(plan.key):
        reason = _("%(characters)s can't stand in it.") % {"characters": ", ".join(f"“{one}”" for one in strange)}
        raise CourseKeyImpossible(key=plan.key, reason=reason)
    try:
        validate_run_key(plan.key)
    except ValidationError as error:
        raise CourseKeyImpossible(key=plan.key, reason=" ".join(error.messages)) from error
    return plan


def _strange_characters(key: str) -> list[str]:
    """What Open edX takes in no part of a key: anything but letters without accents, digits and “- _ . ~ :”."""
    _kind, _colon, rest = key.partition(":")
    parts = rest.split("+")
    plus = ["+"] if len(parts) > _PARTS else []
    return plus + sorted({char for char in "".join(parts) if not _IN_A_KEY.match(char)})

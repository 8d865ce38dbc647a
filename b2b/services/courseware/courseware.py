"""Adding courses, programs and existing runs to a contract, and removing them.

What the contract covers changes at once. Runs, products and codes follow with the reconcile that is requested here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from difflib import get_close_matches
from typing import TypeAlias

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from b2b.errors.contracts import (
    CoursewareMisspelled,
    CoursewareNotCovered,
    CoursewareUnknown,
    ProgramEmpty,
    RunOfAnotherContract,
)
from b2b.models import ContractCourseware, ContractRun, ContractTerms
from b2b.requests import request_reconcile
from b2b.selectors.contracts import terms_in_force
from b2b.selectors.handouts import ReturningCodes, returning_codes
from b2b.services.contracts.plan import Joining, ReconcilePlan, Supposed, plan_reconcile
from b2b.services.handouts.revoke import end_codes
from b2b.services.products.prices import apply_prices
from b2b.services.products.runs import (
    RunPlan,
    WantedRun,
    dates_of_new_run,
    make_runs,
    plan_runs,
    product_of_run,
    wanted_courses,
)
from courses.enums import EnrollmentMode, RunAccess
from courses.models import Course, CourseRun, Program
from courses.models.keys import PROGRAM_PREFIX
from courses.models.run import SOURCE_TAG
from courses.selectors.programs import courses_of_program
from courses.services.runs import close_runs, reserve_runs, save_runs
from ecommerce.models import Discount, DiscountCode
from ecommerce.services.catalog.batches import create_products, detach_discounts, put_on_sale_with_code, take_off_sale
from ecommerce.services.discounts.batches import switch_on
from mitxonline.kernel.audit import Detail, record

Item: TypeAlias = Course | Program | CourseRun


@dataclass(frozen=True, slots=True)
class AddCourseware:
    """Cover a course, a program or an existing run.

    ``rerun`` makes another run of each course with this year's key; ``prefix`` begins the keys of the runs made now.
    """

    contract_id: int
    readable_id: str
    create_runs: bool = True
    rerun: bool = False
    prefix: str | None = None


@dataclass(frozen=True, slots=True)
class RemoveCourseware:
    contract_id: int
    readable_id: str


@dataclass(frozen=True, slots=True)
class Addition:
    """What adding something does at once; the reconcile that follows has a plan of its own.

    ``codes`` are those of returning runs that were assigned to someone.
    """

    item: Item
    row: ContractCourseware
    changes_row: bool
    making: tuple[RunPlan, ...] = ()
    returning: tuple[ContractRun, ...] = ()
    taking_over: CourseRun | None = None
    codes: ReturningCodes = field(default_factory=ReturningCodes)

    @property
    def changes_anything(self) -> bool:
        return self.changes_row or bool(self.making or self.returning) or self.taking_over is not None

    @property
    def warnings(self) -> tuple[str, ...]:
        warnings = [run.warning for run in self.making if run.warning]
        if self.codes.beyond:
            people = ", ".join(sorted({code.assigned_email for code in self.codes.beyond}))
            warnings.append(
                _("There are no seats left for %(people)s, so their codes are taken back.") % {"people": people}
            )
        run = self.taking_over
        if run is not None and run.run_tag == SOURCE_TAG:
            warnings.append(
                _(
                    "%(run)s is the run that new runs of %(course)s are copied from. Once it is this contract’s own, "
                    "no other run can be copied from it. To get a copy, add the course instead."
                )
                % {"run": run.courseware_id, "course": run.course.readable_id}
            )
        return tuple(warnings)


@dataclass(frozen=True, slots=True)
class Removal:
    """What removing something does: rows of courseware that go, runs that close, and runs of a program that stay."""

    item: Item
    rows: tuple[ContractCourseware, ...]
    runs: tuple[ContractRun, ...]
    keeping: tuple[ContractRun, ...] = ()

    @property
    def changes_anything(self) -> bool:
        return bool(self.rows or self.runs)


def find_courseware(text: str) -> Item:
    """Find the program, run or course with this readable id. Raises CoursewareUnknown with the most similar id."""
    wanted = text.strip()
    found: Item | None
    if wanted.startswith(PROGRAM_PREFIX):
        found = Program.objects.filter(readable_id=wanted).first()
    else:
        found = (
            CourseRun.all_objects.filter(courseware_id=wanted).select_related("course").first()
            or Course.objects.filter(readable_id=wanted).first()
        )
    if found is None:
        if similar := _similar(wanted):
            raise CoursewareMisspelled(text=text, similar=similar)
        raise CoursewareUnknown(text=text)
    return found


def plan_add_courseware(request: AddCourseware, *, now: datetime) -> tuple[Addition, ReconcilePlan]:
    """Plan what ``add_courseware`` does and the reconcile after it; nothing is written. Raises what it raises."""
    terms = terms_in_force(request.contract_id)
    addition = _addition(request, terms=terms, item=find_courseware(request.readable_id), now=now)
    joining = [Joining(course_id=one.wanted.course.pk, title=one.title, key=one.key) for one in addition.making]
    if (run := addition.taking_over) is not None:
        joining.append(Joining(course_id=run.course_id, title=run.title, key=run.courseware_id))
    supposed = Supposed(
        courseware=[addition.row],
        joining=joining,
        returning={run.pk for run in addition.returning},
        codes=addition.codes,
    )
    return addition, plan_reconcile(contract_id=request.contract_id, now=now, supposed=supposed)


def add_courseware(request: AddCourseware, *, now: datetime, user_id: int | None = None) -> Addition:
    """Add a course, a program or a run, and request a reconcile if that changes anything.

    What the contract already has is skipped, what was removed comes back, and an existing run is taken over with its
    product.
    Raises ContractUnknown, ContractNotPublished, CoursewareUnknown, ProgramEmpty, RunOfAnotherContract,
    CourseKeyImpossible.
    """
    item = find_courseware(request.readable_id)
    with transaction.atomic():
        terms = _lock_terms(request.contract_id)
        if isinstance(item, CourseRun):
            # If two contracts want the same run at once, the second waits here and then finds it taken.
            item = CourseRun.all_objects.select_for_update(of=("self",), no_key=True).get(pk=item.pk)
        addition = _addition(request, terms=terms, item=item, now=now)
        if addition.changes_anything:
            _apply_addition(addition, terms=terms, now=now, user_id=user_id)
            _record_addition(addition, terms=terms, by_id=user_id)
            reason = f"+ {addition.row.readable_id}"
            request_reconcile(contract_id=request.contract_id, reason=reason, now=now, requested_by_id=user_id)
    return addition


def plan_remove_courseware(request: RemoveCourseware, *, now: datetime) -> tuple[Removal, ReconcilePlan]:
    """Plan what ``remove_courseware`` does and the reconcile after it; nothing is written. Raises what it raises."""
    removal = _removal(request, item=find_courseware(request.readable_id))
    supposed = Supposed(leaving={run.pk for run in removal.runs})
    return removal, plan_reconcile(contract_id=request.contract_id, now=now, supposed=supposed)


def remove_courseware(request: RemoveCourseware, *, now: datetime, user_id: int | None = None) -> Removal:
    """Take a course, a program or a run out of the contract; calling it again is harmless.

    Its runs close and stay hidden from the public. Enrolled learners stay enrolled. Codes that no one redeemed are
    switched off by the reconcile this asks for. Raises ContractUnknown, ContractNotPublished, CoursewareUnknown,
    CoursewareNotCovered.
    """
    item = find_courseware(request.readable_id)
    with transaction.atomic():
        terms = _lock_terms(request.contract_id)
        removal = _removal(request, item=item)
        if removal.changes_anything:
            _apply_removal(removal, now=now)
            readable_id = request.readable_id.strip()
            data: dict[str, Detail] = {
                "courseware": readable_id,
                "runs": [run.course_run_id for run in removal.runs],
            }
            record(terms.page, "b2b.courseware.remove", by_id=user_id, data=data)
            reason = f"− {readable_id}"
            request_reconcile(contract_id=request.contract_id, reason=reason, now=now, requested_by_id=user_id)
    return removal


def assigned_codes(runs: Sequence[ContractRun]) -> list[tuple[str, str]]:
    """The address and the course key of each assigned code of these runs that wasn't redeemed."""
    codes = DiscountCode.objects.filter(
        discount__unlocks__in=[run.product_id for run in runs if run.product_id], active=True
    ).exclude(assigned_email="")
    unredeemed = codes.exclude(code_uses__state="confirmed").order_by("assigned_email", "pk")
    return list(unredeemed.values_list("assigned_email", "discount__unlocks__course_run__courseware_id"))


# --- Adding ----------------------------------------------------------------------------------------------------------


def _addition(request: AddCourseware, *, terms: ContractTerms, item: Item, now: datetime) -> Addition:
    """Work out what adding the item means for this contract; raises what refuses it."""
    contract_id, create_runs, rerun = request.contract_id, request.create_runs, request.rerun
    row, changes_row = _covering_row(contract_id, item, create_runs=create_runs)
    if isinstance(item, CourseRun):
        return _with_codes(_run_addition(contract_id, item, row=row, changes_row=changes_row), terms)
    courses = [item] if isinstance(item, Course) else courses_of_program(item.pk)
    if not courses:
        raise ProgramEmpty(readable_id=item.readable_id)
    runs = list(
        ContractRun.objects.filter(contract_id=contract_id, course_run__course__in=courses)
        .select_related("course_run", "product")
        .order_by("generation", "pk")
    )
    making: list[RunPlan] = []
    if create_runs and (rerun or request.prefix is not None):
        wanted = _plan_reruns(courses, runs, courseware_id=row.pk, rerun=rerun)
        making = plan_runs(terms=terms, wanted=wanted, now=now, prefix=request.prefix)
    addition = Addition(
        item=item,
        row=row,
        changes_row=changes_row,
        making=tuple(making),
        returning=tuple(_last_removed(runs)) if create_runs and not rerun else (),
    )
    return _with_codes(addition, terms)


def _with_codes(addition: Addition, terms: ContractTerms) -> Addition:
    product_ids = [run.product_id for run in addition.returning if run.product_id is not None]
    return replace(addition, codes=returning_codes(terms, product_ids)) if product_ids else addition


def _run_addition(contract_id: int, run: CourseRun, *, row: ContractCourseware, changes_row: bool) -> Addition:
    owned = ContractRun.objects.filter(course_run=run).select_related("contract", "course_run", "product").first()
    if owned is None:
        return Addition(item=run, row=row, changes_row=changes_row, taking_over=run)
    if owned.contract_id != contract_id:
        raise RunOfAnotherContract(key=run.courseware_id, contract_id=owned.contract_id, name=owned.contract.name)
    if owned.removed_at is not None:
        return Addition(item=run, row=row, changes_row=changes_row, returning=(owned,))
    # The contract has this run already, made for one of its courses.
    return Addition(item=run, row=row, changes_row=False)


def _covering_row(contract_id: int, item: Item, *, create_runs: bool) -> tuple[ContractCourseware, bool]:
    """Return the row that covers the item, changed in memory, and whether that is a change."""
    rows = ContractCourseware.objects.filter(contract_id=contract_id, **_naming(item))
    row = rows.first() or ContractCourseware(contract_id=contract_id, **_naming(item))
    changes = row._state.adding or row.removed_at is not None or row.create_runs != create_runs
    row.create_runs, row.removed_at = create_runs, None
    return row, changes


def _naming(item: Item) -> dict[str, Item]:
    if isinstance(item, Course):
        return {"course": item}
    return {"program": item} if isinstance(item, Program) else {"course_run": item}


def _plan_reruns(
    courses: Sequence[Course], runs: Sequence[ContractRun], *, courseware_id: int | None, rerun: bool
) -> list[WantedRun]:
    """Plan another run of every course; without ``rerun`` only the first run of courses that have none."""
    generations = {run.course_run.course_id: run.generation for run in runs}
    return [
        WantedRun(course=course, courseware_id=courseware_id, generation=generations.get(course.pk, 0) + 1)
        for course in courses
        if rerun or course.pk not in generations
    ]


def _last_removed(runs: Sequence[ContractRun]) -> list[ContractRun]:
    """The runs that were removed last, of each course that has no run now: they come back together."""
    present = {run.course_run.course_id for run in runs if run.removed_at is None}
    last: dict[int, datetime] = {}
    for run in runs:
        if run.removed_at is not None and run.course_run.course_id not in present:
            last[run.course_run.course_id] = max(run.removed_at, last.get(run.course_run.course_id, run.removed_at))
    return [run for run in runs if run.removed_at is not None and last.get(run.course_run.course_id) == run.removed_at]


def _apply_addition(addition: Addition, *, terms: ContractTerms, now: datetime, user_id: int | None) -> None:
    row = addition.row
    if addition.changes_row:
        if row._state.adding:
            last = ContractCourseware.objects.filter(contract_id=row.contract_id).aggregate(last=Max("position"))[
                "last"
            ]
            row.position, row.added_at, row.added_by_id = (last or 0) + 1, now, user_id
        row.save()
    if addition.making:
        make_runs(plans=[one.with_courseware(row.pk) for one in addition.making], terms=terms, now=now, by_id=user_id)
    for contract_run in addition.returning:
        _give_back(contract_run, courseware=row, terms=terms, now=now, user_id=user_id)
    # A reconcile never touches an assigned code, so it was the removal that switched these off.
    switch_on([code.pk for code in addition.codes.kept])
    end_codes([code.pk for code in addition.codes.beyond], by_id=user_id, now=now)
    if addition.taking_over is not None:
        _take_over(addition.taking_over, courseware=row, terms=terms, now=now, user_id=user_id)


def _record_addition(addition: Addition, *, terms: ContractTerms, by_id: int | None) -> None:
    given_back = [run.course_run_id for run in addition.returning]
    taken = [addition.taking_over.pk] if addition.taking_over is not None else []
    data: dict[str, Detail] = {
        "courseware": addition.row.readable_id,
        "reruns": [run.key for run in addition.making],
        "runs": given_back + taken,
    }
    record(terms.page, "b2b.courseware.add", by_id=by_id, data=data)


def _give_back(
    contract_run: ContractRun,
    *,
    courseware: ContractCourseware,
    terms: ContractTerms,
    now: datetime,
    user_id: int | None,
) -> None:
    """Open a removed run again under the terms of now. Its unassigned codes follow with the reconcile."""
    run = contract_run.course_run
    start, end = dates_of_new_run(terms, now=now)
    run.live = True
    run.enrollment_start, run.enrollment_end = start, end
    run.updated_at = now
    save_runs([run], fields=["live", "enrollment_start", "enrollment_end", "updated_at"])
    contract_run.removed_at, contract_run.courseware = None, courseware
    contract_run.given_start, contract_run.given_end = start, end
    contract_run.save(update_fields=["removed_at", "courseware", "given_start", "given_end"])
    if contract_run.product_id is not None:
        put_on_sale_with_code([contract_run.product_id], now=now)
    _apply_price(contract_run, terms=terms, now=now, user_id=user_id)


def _take_over(
    run: CourseRun, *, courseware: ContractCourseware, terms: ContractTerms, now: datetime, user_id: int | None
) -> None:
    """Make an existing run the contract's, with its product at the contract's price.

    Discounts that name the product are detached: only codes of the contract price it. The run's products in other modes
    go off sale, or they would let people in without a code. The contract's own discount follows with the reconcile.
    """
    run.access = RunAccess.CONTRACT
    reserve_runs([run.pk], now=now)
    product = run.products.filter(mode=EnrollmentMode.VERIFIED).first()
    if product is None:
        new = product_of_run(run, course=run.course, terms=terms)
        [product] = create_products([new], reason=_("Contract"), by_id=user_id, now=now)
    detach_discounts([product.pk])
    put_on_sale_with_code([product.pk], now=now)
    others = run.products.exclude(pk=product.pk)
    take_off_sale(list(others.values_list("pk", flat=True)), now=now, requires_code=True)
    start, end = dates_of_new_run(terms, now=now)
    contract_run = ContractRun.objects.create(
        contract_id=terms.pk,
        course_run=run,
        product=product,
        courseware=courseware,
        given_start=start,
        given_end=end,
        added_at=now,
    )
    _apply_price(contract_run, terms=terms, now=now, user_id=user_id)


def _apply_price(contract_run: ContractRun, *, terms: ContractTerms, now: datetime, user_id: int | None) -> None:
    """Set the contract's price at once, so that no one pays another one before the reconcile."""
    discounts = Discount.objects.filter(unlocks=contract_run.product_id).values_list("pk", flat=True)
    products = [contract_run.product_id] if contract_run.product_id is not None else []
    apply_prices(terms=terms, product_ids=products, discount_ids=list(discounts), now=now, by_id=user_id)


# --- Removing --------------------------------------------------------------------------------------------------------


def _removal(request: RemoveCourseware, *, item: Item) -> Removal:
    """Work out what removing the item means for this contract; CoursewareNotCovered where it never had it."""
    contract_id = request.contract_id
    rows = list(ContractCourseware.objects.filter(contract_id=contract_id).select_related("course"))
    runs = list(
        ContractRun.objects.filter(contract_id=contract_id).select_related("course_run", "product").order_by("pk")
    )
    if isinstance(item, Program):
        return _program_removal(contract_id, item, rows, runs)
    course_id = item.course_id if isinstance(item, CourseRun) else item.pk
    runs_of_course = [run for run in runs if run.course_run.course_id == course_id]
    matching = [run for run in runs_of_course if not isinstance(item, CourseRun) or run.course_run_id == item.pk]
    if not matching and not any(_names(row, item) for row in rows):
        raise _not_covered(contract_id, item)
    going = [run for run in matching if run.removed_at is None]
    keeps_a_run = any(run.removed_at is None and run not in going for run in runs_of_course)
    # With its last run the course goes too, or the contract would list a course that no one can take.
    going_ids = {run.course_run_id for run in going}
    gone = [
        row
        for row in rows
        if _names(row, item) or row.course_run_id in going_ids or (row.course_id == course_id and not keeps_a_run)
    ]
    return Removal(item=item, rows=_without_removed(gone), runs=tuple(going))


def _program_removal(
    contract_id: int, program: Program, rows: Sequence[ContractCourseware], runs: Sequence[ContractRun]
) -> Removal:
    """Remove a program with the runs made for it, except those that other courseware asks for too."""
    naming = [row for row in rows if row.program_id == program.pk]
    if not naming:
        raise _not_covered(contract_id, program)
    others = [row for row in rows if row.program_id != program.pk]
    kept_for = {course.pk for course, _row in wanted_courses(others)}
    row_ids = {row.pk for row in naming}
    made_for_it = [run for run in runs if run.removed_at is None and run.courseware_id in row_ids]
    return Removal(
        item=program,
        rows=_without_removed(naming),
        runs=tuple(run for run in made_for_it if run.course_run.course_id not in kept_for),
        keeping=tuple(run for run in made_for_it if run.course_run.course_id in kept_for),
    )


def _without_removed(rows: Sequence[ContractCourseware]) -> tuple[ContractCourseware, ...]:
    return tuple(row for row in rows if row.removed_at is None)


def _names(row: ContractCourseware, item: Item) -> bool:
    if isinstance(item, CourseRun):
        return row.course_run_id == item.pk
    return row.course_id == item.pk if isinstance(item, Course) else row.program_id == item.pk


def _not_covered(contract_id: int, item: Item) -> CoursewareNotCovered:
    text = item.courseware_id if isinstance(item, CourseRun) else item.readable_id
    return CoursewareNotCovered(text=text, contract_id=contract_id)


def _apply_removal(removal: Removal, *, now: datetime) -> None:
    # The rows stay, marked as removed: so the runs never turn up in public.
    ContractCourseware.objects.filter(pk__in=[row.pk for row in removal.rows]).update(removed_at=now)
    ContractRun.objects.filter(pk__in=[run.pk for run in removal.runs]).update(removed_at=now)
    close_runs([run.course_run_id for run in removal.runs], now=now)
    take_off_sale([run.product_id for run in removal.runs if run.product_id], now=now)


def _lock_terms(contract_id: int) -> ContractTerms:
    """Lock the terms and return them with their organization. Raises ContractUnknown, ContractNotPublished."""
    ContractTerms.objects.locked().filter(pk=contract_id).first()
    return terms_in_force(contract_id)


def _similar(text: str) -> str:
    """Find the id that is most similar to what was typed; empty if none is."""
    ids = [
        *Course.objects.values_list("readable_id", flat=True),
        *Program.objects.values_list("readable_id", flat=True),
        *CourseRun.objects.values_list("courseware_id", flat=True),
    ]
    folded = {one.lower(): one for one in ids}
    close = get_close_matches(text.lower(), list(folded), n=1, cutoff=0.6)
    return folded[close[0]] if close else ""

"""Courseware of a contract: courses, programs and given runs, added and removed.

What is covered changes at once; runs, products and codes follow by the reconcile this asks for.
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
from b2b.selectors.contracts import terms_in_force
from b2b.selectors.handouts import ReturningCodes, returning_codes
from b2b.services.contracts.plan import Joining, ReconcilePlan, Supposed, plan_reconcile
from b2b.services.contracts.reconcile import request_reconcile
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
from courses.services.runs import reserve_runs, save_runs
from ecommerce.models import Discount, DiscountCode, Product
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
    """What adding something to a contract does at once; runs, products and codes that follow are the plan's."""

    item: Item
    row: ContractCourseware
    changes_row: bool
    making: tuple[RunPlan, ...] = ()
    returning: tuple[ContractRun, ...] = ()
    taking_over: CourseRun | None = None
    # Of the runs that come back: codes that were given to someone.
    codes: ReturningCodes = field(default_factory=ReturningCodes)

    @property
    def changes_anything(self) -> bool:
        """Whether the contract doesn't have all this already."""
        return self.changes_row or bool(self.making or self.returning) or self.taking_over is not None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What an operator should know before it is done."""
        told = [run.warning for run in self.making if run.warning]
        if self.codes.beyond:
            people = ", ".join(sorted({code.assigned_email for code in self.codes.beyond}))
            told.append(
                _("There is no free seat for %(people)s any more: their codes are taken back.") % {"people": people}
            )
        run = self.taking_over
        if run is not None and run.run_tag == SOURCE_TAG:
            told.append(
                _(
                    "%(run)s is the run that new runs of %(course)s are copied from. As this contract's own it is "
                    "no source for others any more; give the id of the course instead, and a run is made from it."
                )
                % {"run": run.courseware_id, "course": run.course.readable_id}
            )
        return tuple(told)


@dataclass(frozen=True, slots=True)
class Removal:
    """What removing something from a contract does: rows of courseware that go, runs that close."""

    item: Item
    rows: tuple[ContractCourseware, ...]
    runs: tuple[ContractRun, ...]
    keeping: tuple[ContractRun, ...] = ()

    @property
    def changes_anything(self) -> bool:
        """Whether it isn't removed already."""
        return bool(self.rows or self.runs)


def find_courseware(text: str) -> Item:
    """The program, run or course with this readable id; CoursewareUnknown with a hint if there is none."""
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
    """What adding this would do, at once and by the reconcile after it; nothing is written.

    Raises like ``add_courseware``.
    """
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
    """Add a course, a program or a run; what the contract has is skipped, what was removed comes back.

    An existing run is taken over with its product. Asks for a reconcile where anything changed.
    Raises ContractUnknown, ContractNotPublished, CoursewareUnknown, ProgramEmpty, RunOfAnotherContract,
    CourseKeyImpossible.
    """
    item = find_courseware(request.readable_id)
    with transaction.atomic():
        terms = _lock_terms(request.contract_id)
        if isinstance(item, CourseRun):
            # Two contracts may want the same run at once: the second waits here, then finds it taken.
            item = CourseRun.all_objects.select_for_update(of=("self",), no_key=True).get(pk=item.pk)
        addition = _addition(request, terms=terms, item=item, now=now)
        if addition.changes_anything:
            _do_add(addition, terms=terms, now=now, user_id=user_id)
            _note_addition(addition, terms=terms, by_id=user_id)
            reason = f"+ {addition.row.readable_id}"
            request_reconcile(contract_id=request.contract_id, reason=reason, now=now, requested_by_id=user_id)
    return addition


def plan_remove_courseware(request: RemoveCourseware, *, now: datetime) -> tuple[Removal, ReconcilePlan]:
    """What removing this would do; nothing is written. Raises like ``remove_courseware``."""
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
            _do_remove(removal, now=now)
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
    """The codes of these runs that were given to someone and not redeemed: address and course key."""
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
        returning=tuple(_to_give_back(runs)) if create_runs and not rerun else (),
    )
    return _with_codes(addition, terms)


def _with_codes(addition: Addition, terms: ContractTerms) -> Addition:
    """The addition with what becomes of given codes of the runs that come back."""
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
    # A run the contract has already, made for a course of its: there is nothing to add.
    return Addition(item=run, row=row, changes_row=False)


def _covering_row(contract_id: int, item: Item, *, create_runs: bool) -> tuple[ContractCourseware, bool]:
    """The row that covers the item, as it shall be (not saved), and whether that is a change."""
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
    """Another run of every course, or the first run of those that have none."""
    generations = {run.course_run.course_id: run.generation for run in runs}
    return [
        WantedRun(course=course, courseware_id=courseware_id, generation=generations.get(course.pk, 0) + 1)
        for course in courses
        if rerun or course.pk not in generations
    ]


def _to_give_back(runs: Sequence[ContractRun]) -> list[ContractRun]:
    """Of each course that has no run any more, those that went last: what was removed together comes back together."""
    there = {run.course_run.course_id for run in runs if run.removed_at is None}
    last: dict[int, datetime] = {}
    for run in runs:
        if run.removed_at is not None and run.course_run.course_id not in there:
            last[run.course_run.course_id] = max(run.removed_at, last.get(run.course_run.course_id, run.removed_at))
    return [run for run in runs if run.removed_at is not None and last.get(run.course_run.course_id) == run.removed_at]


def _do_add(addition: Addition, *, terms: ContractTerms, now: datetime, user_id: int | None) -> None:
    row = addition.row
    if addition.changes_row:
        if row._state.adding:
            last = ContractCourseware.objects.filter(contract_id=row.contract_id).aggregate(last=Max("position"))[
                "last"
            ]
            row.position, row.added_at, row.added_by_id = (last or 0) + 1, now, user_id
        row.save()
    if addition.making:
        make_runs(
            plans=[one.with_courseware(row.pk) for one in addition.making], terms=terms, now=now, actor_id=user_id
        )
    for contract_run in addition.returning:
        _give_back(contract_run, courseware=row, terms=terms, now=now, user_id=user_id)
    # Reconcile never touches a code that was given to someone, so whoever switched these off was the removal.
    switch_on([code.pk for code in addition.codes.kept])
    end_codes([code.pk for code in addition.codes.beyond], by_id=user_id, now=now)
    if addition.taking_over is not None:
        _take_over(addition.taking_over, courseware=row, terms=terms, now=now, user_id=user_id)


def _note_addition(addition: Addition, *, terms: ContractTerms, by_id: int | None) -> None:
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
    """Open a removed run again, as the contract is now; codes no one was given are the reconcile's affair."""
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
    _price_now(contract_run, terms=terms, now=now, user_id=user_id)


def _take_over(
    run: CourseRun, *, courseware: ContractCourseware, terms: ContractTerms, now: datetime, user_id: int | None
) -> None:
    """Make a given run the contract's, with its product at the contract's price; its discount follows by the reconcile.

    Discounts it was in are detached: only its own code prices a contract's product. Offers of the run in other modes
    are withdrawn, or they would let people in without a code.
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
    _price_now(contract_run, terms=terms, now=now, user_id=user_id)


def _price_now(contract_run: ContractRun, *, terms: ContractTerms, now: datetime, user_id: int | None) -> None:
    """Let a product that becomes the contract's cost what the contract says from this moment on."""
    discounts = Discount.objects.filter(unlocks=contract_run.product_id).values_list("pk", flat=True)
    products = [contract_run.product_id] if contract_run.product_id is not None else []
    apply_prices(terms=terms, product_ids=products, discount_ids=list(discounts), now=now, actor_id=user_id)


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
    of_course = [run for run in runs if run.course_run.course_id == course_id]
    mine = [run for run in of_course if not isinstance(item, CourseRun) or run.course_run_id == item.pk]
    naming = [row for row in rows if _names(row, item)]
    if not mine and not naming:
        raise _not_covered(contract_id, item)
    going = [run for run in mine if run.removed_at is None]
    stays = any(run.removed_at is None and run not in going for run in of_course)
    # With its last run the course goes too, or a list would promise what no one can take.
    given = {run.course_run_id for run in going}
    gone = [
        row
        for row in rows
        if _names(row, item) or row.course_run_id in given or (row.course_id == course_id and not stays)
    ]
    return Removal(item=item, rows=_still_there(gone), runs=tuple(going))


def _program_removal(
    contract_id: int, program: Program, rows: Sequence[ContractCourseware], runs: Sequence[ContractRun]
) -> Removal:
    """A program goes with the runs made for it, except those another courseware asks for as well."""
    naming = [row for row in rows if row.program_id == program.pk]
    if not naming:
        raise _not_covered(contract_id, program)
    others = [row for row in rows if row.program_id != program.pk]
    kept_for = {course.pk for course, _row in wanted_courses(others)}
    its = [run for run in runs if run.removed_at is None and run.courseware_id in {row.pk for row in naming}]
    return Removal(
        item=program,
        rows=_still_there(naming),
        runs=tuple(run for run in its if run.course_run.course_id not in kept_for),
        keeping=tuple(run for run in its if run.course_run.course_id in kept_for),
    )


def _still_there(rows: Sequence[ContractCourseware]) -> tuple[ContractCourseware, ...]:
    return tuple(row for row in rows if row.removed_at is None)


def _names(row: ContractCourseware, item: Item) -> bool:
    if isinstance(item, CourseRun):
        return row.course_run_id == item.pk
    return row.course_id == item.pk if isinstance(item, Course) else row.program_id == item.pk


def _not_covered(contract_id: int, item: Item) -> CoursewareNotCovered:
    text = item.courseware_id if isinstance(item, CourseRun) else item.readable_id
    return CoursewareNotCovered(text=text, contract_id=contract_id)


def _do_remove(removal: Removal, *, now: datetime) -> None:
    """Close the runs: not live, enrollment over, product off the shelf. The rows stay, marked."""
    ContractCourseware.objects.filter(pk__in=[row.pk for row in removal.rows]).update(removed_at=now)
    ContractRun.objects.filter(pk__in=[run.pk for run in removal.runs]).update(removed_at=now)
    runs = CourseRun.all_objects.filter(pk__in=[run.course_run_id for run in removal.runs])
    runs.filter(enrollment_start__gt=now).update(enrollment_start=now, enrollment_end=now)
    runs.filter(enrollment_end__isnull=True).update(enrollment_end=now)
    runs.filter(enrollment_end__gt=now).update(enrollment_end=now)
    runs.update(live=False, updated_at=now)
    products = Product.objects.filter(pk__in=[run.product_id for run in removal.runs if run.product_id])
    products.update(is_active=False, updated_at=now)


def _lock_terms(contract_id: int) -> ContractTerms:
    """The terms with their organization, locked; ContractUnknown, ContractNotPublished."""
    ContractTerms.objects.locked().filter(pk=contract_id).first()
    return terms_in_force(contract_id)


def _similar(text: str) -> str:
    """The id that looks most like what was typed; empty if none does."""
    ids = [
        *Course.objects.values_list("readable_id", flat=True),
        *Program.objects.values_list("readable_id", flat=True),
        *CourseRun.objects.values_list("courseware_id", flat=True),
    ]
    folded = {one.lower(): one for one in ids}
    close = get_close_matches(text.lower(), list(folded), n=1, cutoff=0.6)
    return folded[close[0]] if close else ""

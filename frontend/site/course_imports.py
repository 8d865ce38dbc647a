"""Importing runs from Studio with all that sells them: course, page, product, program and contract."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from django.db import transaction
from django.utils.translation import gettext as _

from b2b.services.courseware.courseware import AddCourseware, add_courseware
from cms.services.course_pages import ensure_course_page
from courses.errors import CourseSiteRefused
from courses.gateways.openedx.studio import Studio
from courses.models import CourseRun, Program
from courses.services.imports import ImportedRun, RunImport, add_to_program, import_run
from ecommerce.services.catalog.prices import ProductDraft, put_on_sale
from mitxonline.kernel.errors import DomainError


@dataclass(frozen=True, slots=True)
class Extras:
    """What an imported run gets besides its course. `page` is None, "draft" or "publish"."""

    course_id: str = ""
    department: str = ""
    creates_department: bool = False
    is_live: bool = False
    is_source: bool = False
    page: str | None = None
    price: Decimal | None = None
    currency: str = ""
    program: Program | None = None
    contract_id: int | None = None


class Outcome(StrEnum):
    IMPORTED = "imported"
    HERE_ALREADY = "here already"
    UNKNOWN = "unknown"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class ImportLine:
    key: str
    outcome: Outcome
    title: str = ""
    start: datetime | None = None
    end: datetime | None = None
    notes: tuple[str, ...] = ()


def import_from_studio(key: str, extras: Extras, *, studio: Studio, now: datetime, dry_run: bool = False) -> ImportLine:
    """Import one run; a refusal is its line's note. Raises what keeps Studio from answering."""
    known = CourseRun.all_objects.filter(courseware_id=key).select_related("course").first()
    if known is not None and extras.course_id in ("", known.course.readable_id):
        note = _("It is here already. sync_courseruns brings in what Studio changes.")
        return ImportLine(key, Outcome.HERE_ALREADY, known.title, known.start_date, known.end_date, (note,))
    try:
        there = studio.find(key)
        if there is None:
            return ImportLine(key, Outcome.UNKNOWN, notes=(_("Studio has no run with this key."),))
        wanted = RunImport(
            there=there,
            course_id=extras.course_id,
            department=extras.department,
            creates_department=extras.creates_department,
            is_live=extras.is_live,
            is_source=extras.is_source,
        )
        with transaction.atomic():
            imported = import_run(wanted, now=now)
            notes = _add_extras(imported, extras, now=now)
            transaction.set_rollback(dry_run)
    except CourseSiteRefused as refusal:
        return ImportLine(key, Outcome.REFUSED, notes=(str(refusal),))
    run = imported.run
    return ImportLine(key, Outcome.IMPORTED, run.title, run.start_date, run.end_date, tuple(notes))


def _add_extras(imported: ImportedRun, extras: Extras, *, now: datetime) -> list[str]:
    run, notes = imported.run, []
    if imported.has_new_course:
        notes.append(_("Course %(course)s") % {"course": run.course.readable_id})
    if extras.program is not None and (note := _join_program(run, extras.program)):
        notes.append(note)
    if extras.page is not None:
        notes.append(_make_page(run, publishes=extras.page == "publish"))
    if extras.price is not None:
        draft = ProductDraft(
            item=run.courseware_id,
            price=extras.price,
            currency=extras.currency,
            description=run.courseware_id,
            is_active=run.live,
        )
        product = put_on_sale(draft=draft, by_id=None, now=now, reason=_("Imported")).product
        notes.append(_("Product for %(price)s") % {"price": product.money.formatted()})
    if extras.contract_id is not None:
        add_courseware(AddCourseware(contract_id=extras.contract_id, readable_id=run.courseware_id), now=now)
        notes.append(_("Run of contract %(contract)s") % {"contract": extras.contract_id})
    return notes


def _join_program(run: CourseRun, program: Program) -> str:
    match add_to_program(program=program, course=run.course):
        case True:
            return _("Added to %(program)s") % {"program": program.readable_id}
        case None:
            return _("The requirements of %(program)s are nested, so add the course there by hand.") % {
                "program": program.readable_id
            }
        case _known:
            return ""


def _make_page(run: CourseRun, *, publishes: bool) -> str:
    if ensure_course_page(run.course, publishes=publishes) is None:
        return _("The course has a page already, or there is no catalog to put one in.")
    return _("Page, published") if publishes else _("Page, as a draft")


def describe_refusal(key: str, refusal: DomainError) -> ImportLine:
    return ImportLine(key, Outcome.REFUSED, notes=(str(refusal),))

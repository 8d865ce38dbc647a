"""The codes of one contract, a page at a time or all of them as a file.

A contract may have a million codes. Nothing here counts them all or skips over them: a page begins behind the last code
of the one before (by product and number), matches are counted up to a limit, and a file is read with a cursor.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import IO, Any, Self

from django.conf import settings
from django.db import transaction
from django.db.models import (
    Case,
    CharField,
    Count,
    DateTimeField,
    Exists,
    F,
    Field,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextChoices,
    Value,
    When,
)
from django.db.models.functions import Coalesce
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from b2b.enums import MailState
from b2b.models import ContractRun, HandOutMail
from b2b.selectors.export import COLUMNS as EXPORTED
from ecommerce.enums import LIVE_USE_STATES, UseState
from ecommerce.models import CodeUse, DiscountCode
from mitxonline.kernel.clock import date_of
from mitxonline.kernel.spreadsheets import write_rows
from mitxonline.kernel.text import escape_formula, normalize_code, normalize_email

PER_PAGE = 50
# “More than 10,000” says as much as the number, and costs the same for any contract.
COUNTED = 10_000
CHUNK = 5_000
# A workbook is packed before it is sent; this many rows take a few seconds.
MOST_IN_WORKBOOK = 200_000
SHORTEST_PART = 4


class CodeState(TextChoices):
    """What has become of a code; the first of these that is so."""

    REDEEMED = "redeemed", _("Used")
    HELD = "held", _("In checkout")
    OFF = "off", _("Off")
    ASSIGNED = "assigned", _("Assigned")
    UNASSIGNED = "unassigned", _("Not assigned")


@dataclass(frozen=True, slots=True)
class RunOfContract:
    """A run whose codes can be asked for."""

    pk: int
    contract_id: int
    discount_id: int
    title: str
    key: str
    is_removed: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which codes of a contract: all of them where nothing is said."""

    state: str = ""
    run_id: int | None = None
    words: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the list: behind this code of this discount."""

    discount_id: int
    code_id: int

    @classmethod
    def read(cls, text: str) -> Self | None:
        """The place from an address; None where there is none, or nonsense."""
        first, _dot, second = text.partition(".")
        return cls(int(first), int(second)) if first.isdecimal() and second.isdecimal() else None

    def __str__(self) -> str:
        return f"{self.discount_id}.{self.code_id}"


@dataclass(frozen=True, slots=True)
class CodeLine:
    """One code as it is listed."""

    pk: int
    contract_id: int
    text: str
    state: CodeState
    title: str
    key: str
    contract_run_id: int
    assigned_email: str
    assigned_name: str
    assigned_at: datetime | None
    is_unlimited: bool
    uses: int
    used_by: str
    used_at: datetime | None
    mail: MailState | None

    @property
    def redeem_url(self) -> str:
        """What to send a learner."""
        return f"{settings.SITE_BASE_URL}/enrollmentcode/{self.text}/"

    @property
    def short(self) -> str:
        """Enough to recognize it by."""
        return self.text if len(self.text) <= 16 else f"{self.text[:8]}…{self.text[-4:]}"

    @property
    def is_used_by_somebody_else(self) -> bool:
        """Whether another address used it than it was given to."""
        return bool(self.used_by and self.assigned_email and normalize_email(self.used_by) != self.assigned_email)

    @property
    def can_be_assigned(self) -> bool:
        """Whether it can be given to someone."""
        return self.state == CodeState.UNASSIGNED and not self.is_unlimited

    @property
    def can_be_revoked(self) -> bool:
        """Whether it can be taken back."""
        return self.state == CodeState.ASSIGNED


@dataclass(frozen=True, slots=True)
class CodePage:
    """Some codes in a row, and where the ones before and after begin."""

    lines: tuple[CodeLine, ...]
    before: Place | None
    after: Place | None
    count: int

    @property
    def is_counted(self) -> bool:
        """Whether the count is all there is; otherwise there are more."""
        return self.count <= COUNTED


def runs_of(contract_id: int) -> list[RunOfContract]:
    """The contract's runs that have a discount, removed ones last."""
    runs = (
        ContractRun.objects.filter(contract_id=contract_id, product__unlocked_by__isnull=False)
        .order_by(F("removed_at").asc(nulls_first=True), "course_run__title", "pk")
        .values_list("pk", "product__unlocked_by", "course_run__title", "course_run__courseware_id", "removed_at")
    )
    return [
        RunOfContract(
            pk=pk,
            contract_id=contract_id,
            discount_id=discount_id,
            title=title,
            key=key,
            is_removed=removed_at is not None,
        )
        for pk, discount_id, title, key, removed_at in runs
    ]


def code_page(
    *,
    runs: Sequence[RunOfContract],
    wanted: Wanted,
    now: datetime,
    after: Place | None = None,
    before: Place | None = None,
    size: int = PER_PAGE,
) -> CodePage:
    """The codes behind ``after`` (or those just before ``before``): five queries for any number of codes."""
    found = _filter_with_states(runs, wanted)
    count: int = found.order_by()[: COUNTED + 1].count()
    if before is not None:
        rows = list(_behind(found, before, backwards=True).order_by("-discount_id", "-pk")[: size + 1])
        more_before, rows = len(rows) > size, rows[:size][::-1]
        more_after = True
    else:
        listed = _behind(found, after) if after is not None else found
        rows = list(listed.order_by("discount_id", "pk")[: size + 1])
        more_after, rows = len(rows) > size, rows[:size]
        more_before = after is not None
    lines = _lines(rows, runs, now)
    return CodePage(
        lines=lines,
        before=_place(rows[0]) if rows and more_before else None,
        after=_place(rows[-1]) if rows and more_after else None,
        count=count,
    )


def code_line(*, contract_id: int, code_id: int, now: datetime) -> CodeLine | None:
    """One code of the contract; None where it has none of this number."""
    runs = runs_of(contract_id)
    rows = list(_filter_with_states(runs, Wanted()).filter(pk=code_id))
    return _lines(rows, runs, now)[0] if rows else None


# --- Files -----------------------------------------------------------------------------------------------------------

# The first five are those of the file that commands write, in its words.
COLUMNS: tuple[str | Promise, ...] = (
    *EXPORTED,
    _("State"),
    _("Given to"),
    _("Name"),
    _("Given on"),
    _("Used by"),
    _("Used on"),
)


class _Lines:
    """What ``csv`` writes to: it hands each line back."""

    def write(self, line: str) -> str:
        return line


def csv_lines(*, contract_id: int, wanted: Wanted) -> Iterator[str]:
    """The file, line by line; memory and queries don't grow with the codes."""
    writer = csv.writer(_Lines())
    yield writer.writerow([str(column) for column in COLUMNS])
    for cells in _cells(contract_id, wanted):
        yield writer.writerow([escape_formula(cell) for cell in cells])


def write_workbook(out: IO[bytes], *, contract_id: int, wanted: Wanted) -> None:
    """The same as a workbook."""
    rows = (tuple(escape_formula(cell) for cell in cells) for cells in _cells(contract_id, wanted))
    write_rows(out, chain([tuple(map(str, COLUMNS))], rows), title=str(_("Codes")))


def is_too_much_for_a_workbook(*, contract_id: int, wanted: Wanted) -> bool:
    """Whether a workbook of these would take too long to pack."""
    return (
        _filter_with_states(runs_of(contract_id), wanted).order_by()[: MOST_IN_WORKBOOK + 1].count() > MOST_IN_WORKBOOK
    )


def _cells(contract_id: int, wanted: Wanted) -> Iterator[tuple[str, ...]]:
    runs = runs_of(contract_id)
    by_discount = {run.discount_id: run for run in runs}
    live = CodeUse.objects.live().filter(code=OuterRef("pk")).order_by("pk")
    found = (
        _filter_with_states(runs, wanted)
        .annotate(
            used_by=_of_limited(Subquery(live.values("user__email")[:1]), CharField()),
            used_at=_of_limited(Subquery(live.values("changed_at")[:1]), DateTimeField()),
            people=Case(
                When(max_uses__isnull=True, then=Coalesce(Subquery(_count_by(live), output_field=IntegerField()), 0)),
                default=0,
            ),
        )
        .order_by("discount_id", "pk")
    )
    rows = found.values_list(
        "text",
        "discount_id",
        "discount__unlocks_id",
        "state",
        "redeemed",
        "assigned_email",
        "assigned_name",
        "assigned_at",
        "used_by",
        "used_at",
        "people",
    )
    with transaction.atomic():  # one moment for all rows, and a cursor on the server
        for row in rows.iterator(chunk_size=CHUNK):
            text, discount_id, product_id, state, redeemed, email, name, given, used_by, used_at, people = row
            run = by_discount[discount_id]
            yield (
                text,
                f"{run.title} ({run.key})",
                "Yes" if redeemed else "No",
                f"{settings.SITE_BASE_URL}/cart/add/?product_id={product_id}",
                f"{settings.SITE_BASE_URL}/enrollmentcode/{text}/",
                str(CodeState(state).label),
                email,
                name,
                date_of(given).isoformat() if given else "",
                used_by or (_people(people) if people else ""),
                date_of(used_at).isoformat() if used_at else "",
            )


def _people(count: int) -> str:
    return ngettext("%(n)d person", "%(n)d people", count) % {"n": count}


def _of_limited(value: Subquery, kind: Field[Any, Any]) -> Case:
    """Of a code for one person; a shared one has many, who are only counted."""
    return Case(When(max_uses__isnull=False, then=value), output_field=kind)


# --- How they are found ----------------------------------------------------------------------------------------------


def _filter_with_states(runs: Sequence[RunOfContract], wanted: Wanted) -> QuerySet[DiscountCode]:
    """The wanted codes with their states."""
    asked = [run for run in runs if wanted.run_id is None or run.pk == wanted.run_id]
    removed = [run.discount_id for run in asked if run.is_removed]
    uses = CodeUse.objects.filter(code=OuterRef("pk"))
    found = (
        DiscountCode.objects.filter(discount_id__in=[run.discount_id for run in asked])
        .annotate(
            redeemed=Exists(uses.filter(state=UseState.CONFIRMED)), is_held=Exists(uses.filter(state=UseState.HELD))
        )
        .annotate(state=_state(removed))
    )
    if wanted.state:
        found = found.filter(_is(wanted.state, removed))
    if wanted.words:
        found = found.filter(_matches(wanted.words))
    return found


def _off(removed: Sequence[int]) -> Q:
    """No one can use it (any more): switched off, of a removed run, or spent by someone whose access was withdrawn."""
    return Q(active=False) | Q(discount_id__in=removed) | Q(max_uses__isnull=False, uses__gte=F("max_uses"))


def _state(removed: Sequence[int]) -> Case:
    return Case(
        When(redeemed=True, then=Value(CodeState.REDEEMED.value)),
        When(is_held=True, then=Value(CodeState.HELD.value)),
        When(_off(removed), then=Value(CodeState.OFF.value)),
        When(~Q(assigned_email=""), then=Value(CodeState.ASSIGNED.value)),
        default=Value(CodeState.UNASSIGNED.value),
        output_field=CharField(),
    )


def _is(state: str, removed: Sequence[int]) -> Q:
    """The same for one state, said so that the database can look it up."""
    unused = Q(redeemed=False, is_held=False)
    return {
        CodeState.REDEEMED.value: Q(redeemed=True),
        CodeState.HELD.value: Q(redeemed=False, is_held=True),
        CodeState.OFF.value: unused & _off(removed),
        CodeState.ASSIGNED.value: unused & ~_off(removed) & ~Q(assigned_email=""),
        CodeState.UNASSIGNED.value: unused & ~_off(removed) & Q(assigned_email=""),
    }.get(state, Q())


def _matches(words: str) -> Q:
    """A code by its beginning, or whom it was given to or who uses it by a part of their name or address."""
    person = words.strip()
    used = CodeUse.objects.live().filter(code=OuterRef("pk"))
    users = used.filter(Q(user__email__icontains=person) | Q(user__name__icontains=person))
    found = Q(assigned_email__icontains=person) | Q(assigned_name__icontains=person) | Q(Exists(users))
    text = normalize_code(person)
    return found | Q(normalized__startswith=text) if len(text) >= SHORTEST_PART else found


def _behind(found: QuerySet[DiscountCode], place: Place, *, backwards: bool = False) -> QuerySet[DiscountCode]:
    way = "lt" if backwards else "gt"
    further = Q(**{f"discount_id__{way}": place.discount_id})
    return found.filter(further | Q(**{"discount_id": place.discount_id, f"pk__{way}": place.code_id}))


def _place(code: DiscountCode) -> Place:
    return Place(discount_id=code.discount_id, code_id=code.pk)


def _lines(rows: Sequence[Any], runs: Sequence[RunOfContract], now: datetime) -> tuple[CodeLine, ...]:
    by_discount = {run.discount_id: run for run in runs}
    users, counts, mails = _users(rows), _counts(rows), _mails(rows, now)
    lines = []
    for row in rows:
        run, use = by_discount[row.discount_id], users.get(row.pk)
        lines.append(
            CodeLine(
                pk=row.pk,
                contract_id=run.contract_id,
                text=row.text,
                state=CodeState(row.state),
                title=run.title,
                key=run.key,
                contract_run_id=run.pk,
                assigned_email=row.assigned_email,
                assigned_name=row.assigned_name,
                assigned_at=row.assigned_at,
                is_unlimited=row.max_uses is None,
                uses=counts.get(row.pk, 0),
                used_by=use.user.email if use is not None else "",
                used_at=use.changed_at if use is not None else None,
                mail=mails.get(row.pk),
            )
        )
    return tuple(lines)


def _users(rows: Sequence[DiscountCode]) -> dict[int, CodeUse]:
    """Who holds or used each limited code."""
    limited = [row.pk for row in rows if row.max_uses is not None]
    uses = CodeUse.objects.filter(code_id__in=limited, state__in=LIVE_USE_STATES).select_related("user")
    return {use.code_id: use for use in uses.order_by("-pk")}


def _mails(rows: Sequence[DiscountCode], now: datetime) -> dict[int, MailState]:
    """What became of the last mail about each code that was given to someone."""
    given = [row.pk for row in rows if row.assigned_email]
    mails = HandOutMail.objects.filter(
        hand_out__code_id__in=given, hand_out__is_shared=False, hand_out__ended_at__isnull=True
    )
    found = mails.select_related("hand_out").order_by("pk")
    return {mail.hand_out.code_id: mail.standing(now=now) for mail in found if mail.hand_out.code_id is not None}


def _counts(rows: Sequence[DiscountCode]) -> dict[int, int]:
    """How many people use each unlimited code."""
    unlimited = [row.pk for row in rows if row.max_uses is None]
    return dict(_count_by(CodeUse.objects.live().filter(code_id__in=unlimited).order_by(), "code_id"))


def _count_by(uses: QuerySet[CodeUse], *columns: str) -> Any:
    counted = uses.order_by().values("code_id").annotate(n=Count("pk"))
    return counted.values_list(*columns, "n") if columns else counted.values("n")

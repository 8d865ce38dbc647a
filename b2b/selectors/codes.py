"""The codes of contracts: listed a page at a time, or all of them as a file.

A contract may have a million codes. Nothing here counts them all or skips over them: a page begins behind the last code
of the page before (by discount and code id), matches are counted up to a limit, and a file is read with a cursor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self, TypeAlias

from django.db import transaction
from django.db.models import (
    Case,
    CharField,
    Count,
    DateTimeField,
    Exists,
    F,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    When,
)
from django.db.models.functions import Coalesce
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from b2b.codes import IN_CONTRACT, MANAGED_STATES, OF_REMOVED_RUN, product_url, with_code_facts
from b2b.enums import MailState
from b2b.models import ContractRun, HandOutMail
from ecommerce.codes import code_state, in_state, redeem_url
from ecommerce.enums import LIVE_USE_STATES, CodeState, UseState
from ecommerce.models import CodeUse, DiscountCode, OrderLine
from mitxonline.kernel.clock import date_of
from mitxonline.kernel.money import Money
from mitxonline.kernel.spreadsheets import Writable, write_csv
from mitxonline.kernel.text import normalize_code, normalize_email

PER_PAGE = 50
# “More than 10,000” says as much as the number, and costs the same for any contract.
COUNTED = 10_000
CHUNK = 5_000
# A workbook is packed before it is sent; this many rows take a few seconds.
MAX_WORKBOOK_ROWS = 200_000
# Shorter beginnings match too many codes to be of use.
MIN_SEARCH_LENGTH = 4

# One column of a file: its heading, and the cell of a row of codes.
CodeColumn: TypeAlias = "tuple[str | Promise, Callable[[Any], str]]"

# Programs read these headings, so they are the same in every language.
BRIEF_COLUMNS: tuple[CodeColumn, ...] = (
    ("Code", lambda row: row.text),
    ("Product", lambda row: _format_course(row)),
    ("Redeemed", lambda row: "Yes" if row.is_used else "No"),
    ("Product URL", lambda row: product_url(row.discount__unlocks_id)),
    ("Redeem URL", lambda row: redeem_url(row.text)),
)
CODE_COLUMNS: tuple[CodeColumn, ...] = (
    *BRIEF_COLUMNS,
    (_("State"), lambda row: str(code_state(row).label)),
    (_("Given to"), lambda row: row.assigned_email),
    (_("Name"), lambda row: row.assigned_name),
    (_("Given on"), lambda row: _format_day(row.assigned_at)),
    (_("Used by"), lambda row: row.used_by or _format_people(row.people)),
    (_("Used on"), lambda row: _format_day(row.used_at)),
)
REDEMPTION_COLUMNS: tuple[str | Promise, ...] = (
    _("Course"),
    _("Course run"),
    _("Code"),
    _("Given to"),
    _("E-mail given to"),
    _("Given on"),
    _("Used by"),
    _("E-mail used by"),
    _("Used on"),
    _("State"),
    _("Paid"),
)
_BRIEF_FIELDS = (
    "text",
    "discount__unlocks__course_run__title",
    "discount__unlocks__course_run__courseware_id",
    "is_used",
    "discount__unlocks_id",
)


@dataclass(frozen=True, slots=True)
class CodeFilter:
    """Which codes of a contract a list shows. An empty part leaves nothing out.

    `state` is a value of `CodeState`, or of `ManagedCodeState` on the managers' pages.
    """

    state: str = ""
    run_id: int | None = None
    words: str = ""


@dataclass(frozen=True, slots=True)
class RunOfContract:
    """A run of a contract that has codes."""

    pk: int
    contract_id: int
    discount_id: int
    title: str
    key: str
    is_removed: bool


@dataclass(frozen=True, slots=True)
class CodeCursor:
    """A position in the list: behind this code of this discount."""

    discount_id: int
    code_id: int

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read the position from a query parameter; None for an empty or malformed one."""
        first, _dot, second = text.partition(".")
        return cls(int(first), int(second)) if first.isdecimal() and second.isdecimal() else None

    def __str__(self) -> str:
        return f"{self.discount_id}.{self.code_id}"


@dataclass(frozen=True, slots=True)
class CodeLine:
    """One code in the workbench's list. Of a shared code we only count the people who use it."""

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
        return redeem_url(self.text)

    @property
    def short(self) -> str:
        return self.text if len(self.text) <= 16 else f"{self.text[:8]}…{self.text[-4:]}"

    @property
    def is_used_by_another(self) -> bool:
        return bool(self.used_by and self.assigned_email and normalize_email(self.used_by) != self.assigned_email)

    @property
    def opens_nothing(self) -> bool:
        return self.state in (CodeState.OFF, CodeState.WITHDRAWN)

    @property
    def can_be_assigned(self) -> bool:
        return self.state == CodeState.FREE and not self.is_unlimited

    @property
    def can_be_revoked(self) -> bool:
        return self.state == CodeState.ASSIGNED


@dataclass(frozen=True, slots=True)
class CodePage:
    """Consecutive codes, and the cursors of the pages before and after them (None at either end)."""

    lines: tuple[CodeLine, ...]
    before: CodeCursor | None
    after: CodeCursor | None
    count: int

    @property
    def is_counted(self) -> bool:
        """Whether `count` is exact; otherwise there are more than COUNTED codes."""
        return self.count <= COUNTED


def runs_of(contract_id: int) -> list[RunOfContract]:
    """Return the contract's runs that have codes, removed runs last."""
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
    code_filter: CodeFilter,
    now: datetime,
    after: CodeCursor | None = None,
    before: CodeCursor | None = None,
    size: int = PER_PAGE,
) -> CodePage:
    """Return the codes behind `after`, or those just before `before`, in five queries for any number of codes."""
    codes = _codes_of_runs(runs, code_filter)
    count: int = codes.order_by()[: COUNTED + 1].count()
    # One row more than the page has tells whether another page follows.
    if before is not None:
        rows = list(codes.filter(_beyond(before, "lt")).order_by("-discount_id", "-pk")[: size + 1])
        has_before, has_after = len(rows) > size, True
        rows = rows[:size][::-1]
    else:
        if after is not None:
            codes = codes.filter(_beyond(after, "gt"))
        rows = list(codes.order_by("discount_id", "pk")[: size + 1])
        has_before, has_after = after is not None, len(rows) > size
        rows = rows[:size]
    return CodePage(
        lines=_load_lines(rows, runs, now),
        before=CodeCursor(rows[0].discount_id, rows[0].pk) if rows and has_before else None,
        after=CodeCursor(rows[-1].discount_id, rows[-1].pk) if rows and has_after else None,
        count=count,
    )


def code_line(*, contract_id: int, code_id: int, now: datetime) -> CodeLine | None:
    """Return one code of the contract, or None."""
    runs = runs_of(contract_id)
    rows = list(_codes_of_runs(runs, CodeFilter()).filter(pk=code_id))
    return _load_lines(rows, runs, now)[0] if rows else None


def matching(words: str) -> Q:
    """Match codes by their beginning, and by a part of the name or address of their person or user.

    A whole code is found by its index: looking for it among a million names and addresses takes seconds.
    """
    person = words.strip()
    whole = DiscountCode.objects.matching(person).filter(discount__unlocks__isnull=False).values_list("pk", flat=True)
    if (pk := whole.first()) is not None:
        return Q(pk=pk)
    users = CodeUse.objects.live().filter(code=OuterRef("pk"))
    users = users.filter(Q(user__email__icontains=person) | Q(user__name__icontains=person))
    matches = Q(assigned_email__icontains=person) | Q(assigned_name__icontains=person) | Q(Exists(users))
    text = normalize_code(person)
    return matches | Q(normalized__startswith=text) if len(text) >= MIN_SEARCH_LENGTH else matches


# --- Files ----------------------------------------------------------------------------------------------------------


def code_file(*, contract_id: int, code_filter: CodeFilter) -> Iterator[tuple[str, ...]]:
    """Yield the headings, then the codes; memory and queries don't grow with the codes."""
    yield tuple(str(heading) for heading, _cell in CODE_COLUMNS)
    live = CodeUse.objects.live().filter(code=OuterRef("pk")).order_by("pk")
    people = live.order_by().values("code_id").annotate(n=Count("pk")).values("n")
    is_limited = Q(max_uses__isnull=False)
    codes = _codes_of_runs(runs_of(contract_id), code_filter).annotate(
        used_by=Case(When(is_limited, then=Subquery(live.values("user__email")[:1])), output_field=CharField()),
        used_at=Case(When(is_limited, then=Subquery(live.values("changed_at")[:1])), output_field=DateTimeField()),
        people=Case(
            When(max_uses__isnull=True, then=Coalesce(Subquery(people, output_field=IntegerField()), 0)), default=0
        ),
    )
    fields = (*_BRIEF_FIELDS, "is_held", "is_spent", "is_off", "is_assigned")
    rows = codes.order_by("discount_id", "pk").values_list(
        *fields, "assigned_email", "assigned_name", "assigned_at", "used_by", "used_at", "people", named=True
    )
    with transaction.atomic():  # all rows are of one moment, and the cursor stays on the server
        for row in rows.iterator(chunk_size=CHUNK):
            yield tuple(cell(row) for _heading, cell in CODE_COLUMNS)


def exceeds_workbook(*, contract_id: int, code_filter: CodeFilter) -> bool:
    """Tell whether packing these codes as a workbook would take too long."""
    codes = _codes_of_runs(runs_of(contract_id), code_filter).order_by()
    return codes[: MAX_WORKBOOK_ROWS + 1].count() > MAX_WORKBOOK_ROWS


def write_codes(
    out: Writable, *, contract_id: int, everything: bool = False, progress: Callable[[int], None] | None = None
) -> int:
    """Write the codes that can be used or were used as CSV and return how many; all codes with `everything`.

    `progress` is called with the number so far, once per CHUNK. One query for any number of codes.
    """
    codes = with_code_facts(DiscountCode.objects.filter(**{IN_CONTRACT: contract_id}))
    if not everything:
        codes = codes.filter(~OF_REMOVED_RUN).filter(
            in_state(CodeState.USED, CodeState.HELD, CodeState.ASSIGNED, CodeState.FREE)
        )
    written = 0

    def rows() -> Iterator[Sequence[str]]:
        nonlocal written
        yield [str(heading) for heading, _cell in BRIEF_COLUMNS]
        found = codes.order_by("discount_id", "pk").values_list(*_BRIEF_FIELDS, named=True)
        for row in found.iterator(chunk_size=CHUNK):
            yield [cell(row) for _heading, cell in BRIEF_COLUMNS]
            written += 1
            if progress is not None and written % CHUNK == 0:
                progress(written)

    with transaction.atomic():  # all rows are of one moment, and the cursor stays on the server
        write_csv(out, rows())
    return written


def redemption_file(contract_id: int) -> Iterator[tuple[str, ...]]:
    """Yield the headings, then each use of a code, for the organization's own books."""
    yield tuple(map(str, REDEMPTION_COLUMNS))
    paid = OrderLine.objects.filter(order=OuterRef("order"), code=OuterRef("code"))
    rows = (
        CodeUse.objects.filter(
            state__in=[UseState.CONFIRMED, UseState.RETIRED], **{f"code__{IN_CONTRACT}": contract_id}
        )
        .annotate(due=Subquery(paid.values("due")[:1]), due_currency=Subquery(paid.values("currency")[:1]))
        .order_by("created_at", "pk")
        .values_list(
            "code__discount__unlocks__course_run__title",
            "code__discount__unlocks__course_run__courseware_id",
            "code__text",
            "code__assigned_name",
            "code__assigned_email",
            "code__assigned_at",
            "user__name",
            "user__email",
            "created_at",
            "state",
            "due",
            "due_currency",
        )
    )
    with transaction.atomic():  # all rows are of one moment, and the cursor stays on the server
        for *cells, given_at, name, email, used_at, state, due, currency in rows.iterator(chunk_size=CHUNK):
            code_is = CodeState.USED if state == UseState.CONFIRMED else CodeState.WITHDRAWN
            yield (
                *cells,
                _format_day(given_at),
                name,
                email,
                _format_day(used_at),
                str(MANAGED_STATES[code_is].label),
                str(Money(due, currency)) if due is not None else "",
            )


def _format_course(row: Any) -> str:
    return f"{row.discount__unlocks__course_run__title} ({row.discount__unlocks__course_run__courseware_id})"


def _format_day(moment: datetime | None) -> str:
    return date_of(moment).isoformat() if moment else ""


def _format_people(count: int) -> str:
    """Count the people who use a shared code; empty if there are none."""
    return ngettext("%(n)d person", "%(n)d people", count) % {"n": count} if count else ""


# --- Queries --------------------------------------------------------------------------------------------------------


def _codes_of_runs(runs: Sequence[RunOfContract], code_filter: CodeFilter) -> QuerySet[DiscountCode]:
    chosen = [run for run in runs if code_filter.run_id in (None, run.pk)]
    removed = [run.discount_id for run in chosen if run.is_removed]
    codes = with_code_facts(
        DiscountCode.objects.filter(discount_id__in=[run.discount_id for run in chosen]),
        is_removed=Q(discount_id__in=removed),
    )
    if code_filter.state:
        codes = codes.filter(in_state(CodeState(code_filter.state)))
    if code_filter.words:
        codes = codes.filter(matching(code_filter.words))
    return codes


def _beyond(cursor: CodeCursor, direction: str) -> Q:
    """Match the codes after ("gt") or before ("lt") the cursor, by discount and then by code."""
    return Q(**{f"discount_id__{direction}": cursor.discount_id}) | Q(
        **{"discount_id": cursor.discount_id, f"pk__{direction}": cursor.code_id}
    )


def _load_lines(rows: Sequence[Any], runs: Sequence[RunOfContract], now: datetime) -> tuple[CodeLine, ...]:
    """Turn codes with facts into lines; three queries for any number."""
    by_discount = {run.discount_id: run for run in runs}
    limited = [row.pk for row in rows if row.max_uses is not None]
    uses = CodeUse.objects.filter(code_id__in=limited, state__in=LIVE_USE_STATES).select_related("user")
    use_of = {use.code_id: use for use in uses.order_by("-pk")}
    unlimited = [row.pk for row in rows if row.max_uses is None]
    shared_uses = CodeUse.objects.live().filter(code_id__in=unlimited).order_by().values("code_id")
    people = dict(shared_uses.annotate(n=Count("pk")).values_list("code_id", "n"))
    mails = _last_mail_states([row.pk for row in rows if row.assigned_email], now)
    lines = []
    for row in rows:
        run, use = by_discount[row.discount_id], use_of.get(row.pk)
        lines.append(
            CodeLine(
                pk=row.pk,
                contract_id=run.contract_id,
                text=row.text,
                state=code_state(row),
                title=run.title,
                key=run.key,
                contract_run_id=run.pk,
                assigned_email=row.assigned_email,
                assigned_name=row.assigned_name,
                assigned_at=row.assigned_at,
                is_unlimited=row.max_uses is None,
                uses=people.get(row.pk, 0),
                used_by=use.user.email if use is not None else "",
                used_at=use.changed_at if use is not None else None,
                mail=mails.get(row.pk),
            )
        )
    return tuple(lines)


def _last_mail_states(code_ids: Sequence[int], now: datetime) -> dict[int, MailState]:
    mails = HandOutMail.objects.filter(
        hand_out__code_id__in=code_ids, hand_out__is_shared=False, hand_out__ended_at__isnull=True
    )
    found = mails.select_related("hand_out").order_by("pk")
    return {mail.hand_out.code_id: mail.current_state(now=now) for mail in found if mail.hand_out.code_id is not None}

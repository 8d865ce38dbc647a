"""Getting what gateways report into our tables: by asking them, or from the files of those that can't be asked.

Gateways are asked outside any transaction. What they say is stored a page at a time, so memory doesn't grow with it,
and a report that breaks off leaves what it has, which the next one overwrites.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice

from django.db import transaction
from django.db.models import Max, Min
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _

from ecommerce.enums import AttemptState, MovementKind
from ecommerce.gateways.base import Movement, PaymentFailed
from ecommerce.gateways.labels import LABELS, gateway_name
from ecommerce.gateways.registry import gateways
from ecommerce.models import PaymentAttempt
from mitxonline.kernel import clock
from mitxonline.kernel.money import Money, minor_digits
from mitxonline.kernel.people.files import ListRow
from reports.audits.payments import LAG
from reports.errors import ColumnsWrong, StatementGatewayUnknown, StatementWrong
from reports.models import GatewayEntry, GatewayReport

logger = logging.getLogger(__name__)

ENTRIES_AT_ONCE = 500
MAX_PROBLEMS = 10

# The columns of a statement that can be named, and which of them it needs.
COLUMNS = ("id", "amount", "currency", "day", "payment", "refund", "kind", "fee", "format")
NEEDED = ("amount", "day")
_AMOUNT = re.compile(
    r"[^\d(−-]*(?P<before>[(−-])?[^\d(−-]*(?P<digits>\d[\d.,’ \u00a0\u202f']*?)\D*?(?P<after>[−-])?\D*"
)
# Words by which statements name their kinds, tried in this order. Anything else is a payment, or a refund below zero.
KIND_WORDS = (
    ("won", MovementKind.WON_DISPUTE),
    ("dispute reversal", MovementKind.WON_DISPUTE),
    ("chargeback reversal", MovementKind.WON_DISPUTE),
    ("chargeback", MovementKind.CHARGEBACK),
    ("dispute", MovementKind.CHARGEBACK),
    ("refund", MovementKind.REFUND),
    ("fee", MovementKind.FEE),
    ("payout", MovementKind.OWN_MONEY),
    ("withdrawal", MovementKind.OWN_MONEY),
    ("transfer", MovementKind.OWN_MONEY),
)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What asking one account came to. `failure` says why it gave no report."""

    gateway: str
    account: str
    entries: int
    failure: str = ""

    @property
    def name(self) -> str:
        name = gateway_name(self.gateway)
        return f"{name} ({self.account})" if self.account else name


def fetch_reports(*, now: datetime, since: datetime | None = None) -> list[Fetched]:
    """Ask every gateway what moved since the last report, and before the first one back to ``since``.

    Without ``since``, back to the first payment. An account that doesn't answer is in the result with its failure.
    """
    found = []
    for name, gateway in gateways().items():
        for account in gateway.accounts():
            entries = 0
            try:
                for begin, end in _list_gaps(name, account, since=since, now=now):
                    stored = _store(gateway.movements(account, since=begin, until=end), name, account)
                    GatewayReport.objects.create(
                        gateway=name, account=account, since=begin, until=end, fetched_at=now, entries=stored
                    )
                    entries += stored
                found.append(Fetched(name, account, entries))
            except PaymentFailed as failure:
                logger.warning("gateway gave no report", extra={"gateway": name, "why": str(failure)})
                found.append(Fetched(name, account, entries, failure=str(failure)))
    return found


def newest_reports() -> list[GatewayReport]:
    """Return the newest report of each gateway's account."""
    newest = GatewayReport.objects.order_by("gateway", "account", "-until", "-pk").distinct("gateway", "account")
    return list(newest)


def _list_gaps(
    gateway: str, account: str, *, since: datetime | None, now: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """The times that no report covers. The last day is asked for again: gateways add some movements later."""
    known = GatewayReport.objects.filter(gateway=gateway, account=account).aggregate(Min("since"), Max("until"))
    paid = PaymentAttempt.objects.filter(gateway=gateway, account=account, state=AttemptState.PAID)
    first = since or paid.aggregate(first=Min("settled_at"))["first"] or now
    first = clock.start_of_day(clock.date_of(first))
    if known["until__max"] is None:
        yield first, now
        return
    if first < known["since__min"]:
        yield first, known["since__min"]
    if known["until__max"] < now:
        yield max(known["until__max"] - LAG, known["since__min"]), now


def _store(movements: Iterable[Movement], gateway: str, account: str, *, is_from_file: bool = False) -> int:
    count, remaining = 0, iter(movements)
    while portion := list(islice(remaining, ENTRIES_AT_ONCE)):
        rows = {each.movement_id: _make_entry(each, gateway, account, is_from_file) for each in portion}
        GatewayEntry.objects.bulk_create(
            rows.values(),
            update_conflicts=True,
            unique_fields=["gateway", "entry_id"],
            update_fields=["kind", "payment_id", "source_id", "amount", "currency", "fee", "fee_currency", "at"],
        )
        count += len(rows)
    return count


def _make_entry(movement: Movement, gateway: str, account: str, is_from_file: bool) -> GatewayEntry:
    return GatewayEntry(
        gateway=gateway,
        account=account,
        entry_id=movement.movement_id[:255],
        kind=movement.kind,
        payment_id=movement.payment_id[:255],
        source_id=movement.source_id[:255],
        amount=movement.amount.amount,
        currency=movement.amount.currency,
        fee=movement.fee.amount,
        fee_currency=movement.fee.currency,
        at=movement.at,
        is_from_file=is_from_file,
    )


# --- Files -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Statement:
    """A file of a gateway: its rows, and which of its headings means what."""

    gateway: str
    rows: Sequence[ListRow]
    columns: str
    currency: str
    file_name: str = ""


def read_gateway(text: str) -> str:
    """Read a gateway's name as orders have it. Raises StatementGatewayUnknown."""
    name = text.strip().lower()
    known = {*gateways(), *LABELS}
    if name not in known and not PaymentAttempt.objects.filter(gateway=name).exists():
        raise StatementGatewayUnknown(name=text.strip(), names=tuple(sorted(known)))
    return name


def read_columns(text: str) -> dict[str, str]:
    """Read lines such as “payment: Transaction ID”. Raises ColumnsWrong."""
    found: dict[str, str] = {}
    for line in re.split(r"[\n;]", text):
        if not line.strip():
            continue
        name, sign, heading = (part.strip() for part in line.partition(":" if ":" in line else "="))
        if not sign or not heading or name.lower() not in COLUMNS:
            raise ColumnsWrong(line=line.strip(), columns=", ".join(COLUMNS))
        found[name.lower()] = heading
    for needed in NEEDED:
        if needed not in found:
            raise ColumnsWrong(line=needed, columns=", ".join(COLUMNS))
    return found


def import_statement(statement: Statement, *, now: datetime, by_id: int | None = None) -> GatewayReport:
    """Store a gateway's file, all or nothing; the same file again overwrites itself.

    It counts as complete from its first day to its last. Raises StatementGatewayUnknown, ColumnsWrong, and
    StatementWrong with the first lines that can't be read.
    """
    gateway = read_gateway(statement.gateway)
    columns = read_columns(statement.columns)
    head, *lines = statement.rows or [ListRow(1, ())]
    places = _find_places(columns, head)
    movements, problems = [], []
    for line in lines:
        try:
            movements.append(_read_line(line, places, columns, statement))
        except ValueError as error:
            problems.append(_("Line %(number)d: %(problem)s") % {"number": line.number, "problem": error})
    if problems or not movements:
        shown = problems[:MAX_PROBLEMS] or [_("The file has no lines below its headings.")]
        raise StatementWrong(problems=" ".join(shown))
    first, last = (clock.date_of(moment) for moment in _ends(movements))
    with transaction.atomic():
        _store(movements, gateway, "", is_from_file=True)
        return GatewayReport.objects.create(
            gateway=gateway,
            since=clock.start_of_day(first),
            until=min(clock.start_of_day(last + timedelta(days=1)), max(now, _ends(movements)[1])),
            fetched_at=now,
            entries=len(movements),
            file_name=statement.file_name[:255],
            columns=statement.columns,
            by_id=by_id,
        )


def _ends(movements: Sequence[Movement]) -> tuple[datetime, datetime]:
    moments = [each.at for each in movements]
    return min(moments), max(moments)


def _find_places(columns: Mapping[str, str], head: ListRow) -> dict[str, int]:
    headings = [cell.strip().lower() for cell in head.cells]
    places = {}
    for name, heading in columns.items():
        if name == "format":
            continue
        if heading.lower() not in headings:
            raise ColumnsWrong(line=heading, columns=", ".join(head.cells))
        places[name] = headings.index(heading.lower())
    return places


def _read_line(line: ListRow, places: Mapping[str, int], columns: Mapping[str, str], statement: Statement) -> Movement:
    def cell(name: str) -> str:
        place = places.get(name, -1)
        return line.cells[place].strip() if 0 <= place < len(line.cells) else ""

    currency = _read_currency(cell("currency") or statement.currency)
    amount = Money(read_amount(cell("amount")), currency)
    fee = Money(read_amount(cell("fee") or "0"), currency)
    kind = _read_kind(cell("kind"), amount)
    at = _read_moment(cell("day"), columns.get("format", ""))
    payment, refund = cell("payment"), cell("refund")
    # A file without ids is told apart by what it says, so that the same file again changes nothing.
    own_id = cell("id") or f"{payment or refund}:{kind}:{at.isoformat()}:{amount.amount}:{line.number}"
    return Movement(
        movement_id=own_id,
        kind=kind,
        payment_id=payment,
        source_id=refund or (cell("id") if kind != MovementKind.PAYMENT else ""),
        amount=-amount if kind in (MovementKind.REFUND, MovementKind.CHARGEBACK) and not amount.is_negative else amount,
        fee=-fee if fee.is_negative else fee,  # most statements take it off, some name it
        at=at,
    )


def _read_kind(text: str, amount: Money) -> MovementKind:
    words = " ".join(re.split(r"[\W_]+", text.lower()))
    for word, kind in KIND_WORDS:
        if word in words:
            return kind
    return MovementKind.REFUND if amount.is_negative else MovementKind.PAYMENT


def read_amount(text: str) -> Decimal:
    """Read “1,234.50”, “1.234,50”, “−12,00 €” or “(12.00)”. Raises ValueError."""
    found = _AMOUNT.fullmatch(text)
    if found is None:
        raise ValueError(_("“%(text)s” isn’t an amount.") % {"text": text})
    digits = found["digits"]
    mark = max(",.", key=digits.rfind)  # the last mark is the decimal one
    whole, sign, decimals = digits.rpartition(mark)
    is_thousands = len(decimals) == 3 and not re.search(r"[.,]", whole.replace(mark, ""))
    if not sign or is_thousands or mark in whole:
        whole, decimals = whole + decimals, ""
    number = Decimal(re.sub(r"[^0-9]", "", whole) + "." + (decimals or "0"))
    return -number if found["before"] or found["after"] else number


def _read_currency(text: str) -> str:
    code = text.strip().upper()
    try:
        minor_digits(code)
    except ValueError:
        raise ValueError(_("“%(text)s” isn’t a currency.") % {"text": text}) from None
    return code


def _read_moment(text: str, style: str) -> datetime:
    found: datetime | None = None
    try:
        if style:
            found = datetime.strptime(text, style)  # noqa: DTZ007  the zone is added below
        elif (moment := parse_datetime(text)) is not None:
            found = moment
        elif (day := parse_date(text)) is not None:
            found = clock.start_of_day(day)
    except ValueError:
        found = None
    if found is None:
        sentence = _("“%(text)s” isn’t a day. Write it like 2026-03-31, or name its form with “format: %%d.%%m.%%Y”.")
        raise ValueError(sentence % {"text": text})
    return found if found.tzinfo else timezone.make_aware(found, timezone.get_default_timezone())

"""What happened to an order, a person, a code or a contract, in order of time, from rows that are there anyway.

Each app tells its part through a source (setting `TIMELINE_SOURCES`). The sources are asked one after another, so a
later one knows which rows the earlier ones found. There is no log beside these rows that somebody could forget to
write (docs/adr/0033).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from typing import Any, Protocol

from django.conf import settings
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Func, Model, QuerySet, TextChoices
from django.db.models.functions import JSONObject
from django.urls import reverse
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from mitxonline.kernel.dates import format_second
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.money import Money
from mitxonline.kernel.trace import find_trace_ids

# Rows of one kind that a timeline reads at most, the newest. An order has far fewer; a contract may have thousands.
MOST_ROWS = 500
GROUP_PAUSE = timedelta(minutes=5)


class SubjectKind(TextChoices):
    ORDER = "order", gettext_lazy("Order")
    PERSON = "person", gettext_lazy("Person")
    CODE = "code", gettext_lazy("Code")
    CONTRACT = "contract", gettext_lazy("Contract")
    INVOICE = "invoice", gettext_lazy("Invoice")
    CREDIT_NOTE = "credit_note", gettext_lazy("Credit note")
    CUSTOMER = "customer", gettext_lazy("Customer")
    TRACE = "trace", gettext_lazy("Trace")
    DELIVERY = "delivery", gettext_lazy("Delivery")


class EntryKind(TextChoices):
    ORDER = "order", gettext_lazy("Order")
    PAYMENT = "payment", gettext_lazy("Payment")
    REFUND = "refund", gettext_lazy("Refund")
    INVOICE = "invoice", gettext_lazy("Invoice")
    CODE = "code", gettext_lazy("Code")
    SEAT = "seat", gettext_lazy("Seat")
    COURSE = "course", gettext_lazy("Course")
    MAIL = "mail", gettext_lazy("E-mail")
    ACCOUNT = "account", gettext_lazy("Account")
    WORK = "work", gettext_lazy("Background work")


# Who may read entries of a kind on a timeline about something else: anyone with one of these permissions. An order's
# timeline shows everything about the order to everyone who may see the order, and so on.
READERS: Mapping[EntryKind, tuple[str, ...]] = {
    EntryKind.ORDER: ("ecommerce.view_order",),
    EntryKind.PAYMENT: ("ecommerce.view_order",),
    EntryKind.REFUND: ("ecommerce.view_order",),
    EntryKind.INVOICE: ("ecommerce.view_invoice",),
    EntryKind.CODE: ("ecommerce.view_discount", "b2b.view_contractpage"),
    EntryKind.SEAT: ("b2b.view_contractpage",),
    EntryKind.COURSE: ("users.view_user", "ecommerce.view_order", "b2b.view_contractpage"),
    EntryKind.MAIL: ("users.view_user", "ecommerce.view_order", "b2b.view_contractpage"),
    EntryKind.ACCOUNT: ("users.view_user",),
    EntryKind.WORK: ("coordinator.view_delivery",),
}
OF_SUBJECT: Mapping[SubjectKind, frozenset[EntryKind]] = {
    SubjectKind.ORDER: frozenset(EntryKind) - {EntryKind.ACCOUNT},
    SubjectKind.PERSON: frozenset({EntryKind.ACCOUNT, EntryKind.COURSE, EntryKind.MAIL}),
    SubjectKind.CODE: frozenset({EntryKind.CODE, EntryKind.MAIL}),
    SubjectKind.CONTRACT: frozenset({EntryKind.CODE, EntryKind.SEAT, EntryKind.COURSE, EntryKind.MAIL, EntryKind.WORK}),
    SubjectKind.INVOICE: frozenset({EntryKind.INVOICE, EntryKind.CODE, EntryKind.MAIL, EntryKind.WORK}),
    SubjectKind.CREDIT_NOTE: frozenset({EntryKind.INVOICE, EntryKind.MAIL, EntryKind.WORK}),
    SubjectKind.CUSTOMER: frozenset({EntryKind.INVOICE, EntryKind.MAIL, EntryKind.WORK}),
    SubjectKind.TRACE: frozenset({EntryKind.WORK}),
    SubjectKind.DELIVERY: frozenset({EntryKind.WORK}),
}


class TimelineUnknown(DomainError):
    """Nothing is called so, or nothing that the person may see: the two answers are the same."""

    code = "timeline_unknown"
    status = 404
    heading = gettext_lazy("We can’t find that")
    message = gettext_lazy("There is nothing by that name, or it isn’t yours to see. Check it for typing errors.")


class Named(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def email(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who reads a timeline. Without an account it is an operator at the machine, who may read everything."""

    user: Any = None

    def may(self, permission: str) -> bool:
        return self.user is None or bool(self.user.is_active and self.user.has_perm(permission))

    @property
    def zone(self) -> tzinfo:
        return getattr(self.user, "zone", None) or timezone.get_current_timezone()

    @property
    def sees_addresses(self) -> bool:
        return any(self.may(each) for each in ("users.view_user", "ecommerce.view_order"))

    def name_person(self, person: Named | None) -> str:
        """Return a person's name, with the address for those who may see it. Empty for nobody."""
        if person is None:
            return ""
        if not self.sees_addresses:
            return person.name or str(_("someone without a name"))
        return f"{person.name} ({person.email})" if person.name else person.email

    def show_address(self, address: str) -> str:
        return address if self.sees_addresses else f"…@{address.rpartition('@')[2]}"


@dataclass(frozen=True, slots=True)
class Subject:
    """What a timeline is about. `key` is its place in the address: an id, never a code or an e-mail address."""

    kind: SubjectKind
    key: str
    name: str
    url: str = ""
    trace_id: str = ""

    @property
    def pk(self) -> int:
        return int(self.key)


@dataclass(frozen=True, slots=True)
class EntryLink:
    label: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that happened. `button` does something about it; its address takes a POST."""

    at: datetime
    kind: EntryKind
    sentence: str
    details: tuple[str, ...] = ()
    money: Money | None = None
    person: str = ""
    links: tuple[EntryLink, ...] = ()
    trace_id: str = ""
    is_problem: bool = False
    button: EntryLink | None = None


@dataclass(slots=True)
class Scope:
    """What the sources have found so far, by which later ones find theirs.

    `ids` are keys by the name of a thing ("order", "person"), `logged` rows that Wagtail's log may name, with the
    person who gets e-mails about them, and `said` the log's actions that rows tell of too. `events` are fields that an
    event about the subject has, with its type where the field alone says too little.
    """

    subject: Subject
    viewer: Viewer
    ids: dict[str, set[Any]] = field(default_factory=dict)
    logged: dict[type[Model], dict[int, str]] = field(default_factory=dict)
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    said: set[str] = field(default_factory=set)
    cut: set[str] = field(default_factory=set)

    def is_about(self, *kinds: SubjectKind) -> bool:
        return self.subject.kind in kinds

    def add(self, name: str, keys: Iterable[int | str | None]) -> set[Any]:
        """Add keys of a thing and return all of them. None is left out."""
        known = self.ids.setdefault(name, set())
        known.update(key for key in keys if key is not None)
        return known

    def get(self, name: str) -> set[Any]:
        return self.ids.get(name, set())

    def expect_log(self, model: type[Model], readers: Mapping[int, str] | Iterable[int]) -> None:
        """Expect log entries about these rows; with a mapping, the names of those who get e-mails about them."""
        named = readers if isinstance(readers, Mapping) else dict.fromkeys(readers, "")
        self.logged.setdefault(model, {}).update(named)

    def expect_event(
        self, field_name: str, keys: Collection[int], *, event_type: str = "", is_many: bool = False
    ) -> None:
        """Expect events with one of these keys in the field; `is_many` is for fields that hold several."""
        self.events += [(event_type, {field_name: [key] if is_many else key}) for key in sorted(keys)]

    def read(self, rows: QuerySet[Any], name: str, *, newest_by: str = "-pk") -> list[Any]:
        """Read the newest rows, and note where there are more."""
        found = list(rows.order_by(newest_by)[: MOST_ROWS + 1])
        if len(found) > MOST_ROWS:
            self.cut.add(name)
        return found[:MOST_ROWS]

    def link(self, label: object, kind: SubjectKind, key: object) -> EntryLink:
        """Return a link to the timeline of something else."""
        return EntryLink(str(label), timeline_url(kind, key))


def nest_rows(rows: QuerySet[Any], **columns: str | Func) -> ArraySubquery:
    """Return an annotation with the newest rows of a related table as JSON, so that they take no query of their own."""
    newest = rows.order_by("-pk").values(row=JSONObject(**columns))
    return ArraySubquery(newest[:MOST_ROWS])


def read_moment(text: str | None) -> datetime | None:
    """Read a moment of a nested row."""
    return datetime.fromisoformat(text) if text else None


class Source:
    """An app's part of timelines."""

    def find(self, text: str) -> Iterable[Subject]:
        """Return the things that a person may mean by this text."""
        return ()

    def get(self, kind: SubjectKind, key: str) -> Subject | None:
        """Return the thing with this key, if it is one of this app's."""
        return None

    def knows_trace(self, trace_id: str) -> bool:
        """Whether a row of this app, found by an index, was written in the trace."""
        return False

    def may_see(self, subject: Subject, viewer: Viewer) -> bool:
        """Whether this app lets someone read the timeline of a thing. One app that does is enough."""
        return False

    def tell(self, scope: Scope) -> Iterable[Entry]:
        """Yield what happened, and add to the scope what later sources need, in a fixed number of queries."""
        return ()


@dataclass(frozen=True, slots=True)
class EntryGroup:
    """Entries in a row that come from one request, notice, command or task."""

    trace_id: str
    entries: tuple[Entry, ...]

    @property
    def is_shared(self) -> bool:
        return bool(self.trace_id) and len(self.entries) > 1


@dataclass(frozen=True, slots=True)
class Timeline:
    subject: Subject
    entries: tuple[Entry, ...]
    cut: tuple[str, ...] = ()

    @property
    def kinds(self) -> list[EntryKind]:
        """The kinds there are, for a filter."""
        there = {entry.kind for entry in self.entries}
        return [kind for kind in EntryKind if kind in there]

    @property
    def problems(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.is_problem]

    def only(self, kinds: Collection[EntryKind]) -> Timeline:
        chosen = tuple(entry for entry in self.entries if entry.kind in kinds)
        return replace(self, entries=chosen) if kinds else self

    def only_problems(self) -> Timeline:
        return replace(self, entries=tuple(self.problems))

    def groups(self) -> Iterator[EntryGroup]:
        found: list[Entry] = []
        for entry in self.entries:
            if found and not _belongs_to(found[-1], entry):
                yield EntryGroup(found[0].trace_id, tuple(found))
                found = []
            found.append(entry)
        if found:
            yield EntryGroup(found[0].trace_id, tuple(found))


def _belongs_to(before: Entry, entry: Entry) -> bool:
    """Whether two entries in a row are shown as one group. A much later attempt has the trace too, but stands alone."""
    return bool(entry.trace_id) and entry.trace_id == before.trace_id and entry.at - before.at < GROUP_PAUSE


def timeline_url(kind: SubjectKind, key: object) -> str:
    return reverse("timeline:subject", args=[str(kind), key])


def sources() -> Sequence[Source]:
    return [import_string(path) for path in settings.TIMELINE_SOURCES]


def find_subjects(text: str, *, viewer: Viewer) -> list[Subject]:
    """Return what a person may mean by a text, as far as they may see it."""
    text = text.strip()
    found = [subject for source in sources() for subject in source.find(text)] if text else []
    if not found:
        found = [subject for each in find_trace_ids(text) if (subject := _find_trace(each)) is not None]
    return [subject for subject in dict.fromkeys(found) if may_see(subject, viewer=viewer)]


def get_subject(kind: SubjectKind, key: str, *, viewer: Viewer) -> Subject | None:
    """Return a thing by its key. None also if the viewer may not see it."""
    if kind == SubjectKind.TRACE:
        subject = _find_trace(key) if key in find_trace_ids(key) else None
    else:
        subject = next((found for source in sources() if (found := source.get(kind, key)) is not None), None)
    return subject if subject is not None and may_see(subject, viewer=viewer) else None


def _find_trace(trace_id: str) -> Subject | None:
    if not any(source.knows_trace(trace_id) for source in sources()):
        return None
    return Subject(SubjectKind.TRACE, trace_id, name=_("Trace %(id)s") % {"id": trace_id}, trace_id=trace_id)


def may_see(subject: Subject, *, viewer: Viewer) -> bool:
    return viewer.user is None or any(source.may_see(subject, viewer) for source in sources())


def tell_timeline(subject: Subject, *, viewer: Viewer) -> Timeline:
    """Return everything that happened, in order of time, in a fixed number of queries."""
    scope = Scope(subject, viewer)
    told = [entry for source in sources() for entry in source.tell(scope)]
    entries = _share_traces(sorted(told, key=lambda entry: entry.at))
    if subject.trace_id and any(entry.trace_id == subject.trace_id for entry in entries):
        entries = [entry for entry in entries if entry.trace_id == subject.trace_id]
    readable = OF_SUBJECT[subject.kind] | {
        kind for kind, permissions in READERS.items() if any(viewer.may(each) for each in permissions)
    }
    return Timeline(subject, tuple(entry for entry in entries if entry.kind in readable), tuple(sorted(scope.cut)))


def _share_traces(entries: list[Entry]) -> list[Entry]:
    """Put entries without a trace into that of an entry at the very same moment.

    One request reads the clock once and passes it on, so rows with equal microseconds were written by the same one.
    """
    traces = {entry.at: entry.trace_id for entry in entries if entry.trace_id}
    return [entry if entry.trace_id else replace(entry, trace_id=traces.get(entry.at, "")) for entry in entries]


def write_text(timeline: Timeline, *, zone: tzinfo | None = None) -> str:
    """Write the timeline for a terminal or a support ticket."""
    lines = [str(timeline.subject.name), describe_size(timeline)]
    for group in timeline.groups():
        if group.is_shared:
            lines.append("· " + _("trace %(id)s") % {"id": group.trace_id})
        lines += [f"{'  ' if group.is_shared else ''}{line}" for entry in group.entries for line in _write(entry, zone)]
    return "\n".join(lines) + "\n"


def _write(entry: Entry, zone: tzinfo | None) -> Iterator[str]:
    mark = "! " if entry.is_problem else ""
    money = f" {entry.money.formatted()}" if entry.money is not None else ""
    person = f" – {entry.person}" if entry.person else ""
    # A name with line breaks would look like entries of its own.
    said = " ".join(f"{mark}{entry.sentence}{money}{person}".split())
    yield f"{format_second(entry.at, zone=zone)}  {said}"
    yield from (f"    {line}" for detail in entry.details for line in detail.splitlines())


def describe_size(timeline: Timeline) -> str:
    """“24 entries, 2 of them problems”, and what had to be left out."""
    count, problems = len(timeline.entries), len(timeline.problems)
    said = ngettext("%(n)d entry", "%(n)d entries", count) % {"n": count}
    if problems:
        said += ", " + ngettext("%(n)d problem", "%(n)d problems", problems) % {"n": problems}
    if timeline.cut:
        most = {"n": MOST_ROWS, "what": ", ".join(timeline.cut)}
        said += ". " + _("There are more than the newest %(n)d of: %(what)s.") % most
    return said


def describe_duration(duration: timedelta) -> str:
    """“0.4 s”, “12 s”, “3 min” or “2 h”."""
    seconds = duration.total_seconds()
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"

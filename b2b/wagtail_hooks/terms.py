"""The first and the last tab of a contract: what holds, and what happened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.urls import reverse
from django.utils.formats import date_format, number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from wagtail.admin.widgets.button import HeaderButton
from wagtail.models import PageLogEntry

from b2b.enums import IntegrationType, ReconcileState
from b2b.models import ContractPage, ContractTerms, Reconcile
from b2b.seats import SeatCount
from b2b.selectors.contracts import activity_of, reconciles_of, seats_of
from b2b.services.contracts.terms import terms_as_written
from b2b.wagtail_hooks.columns import TONES
from b2b.wagtail_hooks.contracts import contract_url
from b2b.wagtail_hooks.workbench import ContractTemplateView
from mitxonline.kernel import clock
from mitxonline.users.models import User

RECORDS = 20
ACTS = 50
# A worker that is there takes a request within seconds.
WORKER_IS_LATE = timedelta(minutes=1)

COUNTED = {
    "runs": gettext_lazy("runs"),
    "products": gettext_lazy("products on sale"),
    "codes": gettext_lazy("codes on"),
    "codes_off": gettext_lazy("codes off"),
}


@dataclass(frozen=True, slots=True)
class TermRow:
    """One term: as it holds, and as it is written in the newest draft."""

    label: str
    in_force: str
    written: str

    @property
    def is_changed(self) -> bool:
        """Whether the draft says something else."""
        return self.in_force != self.written


@dataclass(frozen=True, slots=True)
class ActRow:
    """What someone did, and to whom or what."""

    at: datetime
    who: str
    what: str
    about: str
    reason: str


@dataclass(frozen=True, slots=True)
class RecordRow:
    """One bringing-in-line as it is listed."""

    state: ReconcileState
    reason: str
    who: str
    requested_at: datetime
    changes: tuple[str, ...]
    took: str
    error: str

    @property
    def tone(self) -> str:
        """The color beside the state."""
        return TONES.get(self.state, "plain")


class TermsView(ContractTemplateView):
    """Terms in force beside the terms as written, and whether runs and codes follow."""

    tab = "terms"
    template_name = "b2b/admin/terms.html"

    @property
    def header_buttons(self) -> list[HeaderButton]:
        return self.edit_button()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        page = ContractPage.objects.get(pk=self.contract.pk)
        written = page.get_latest_revision_as_object()
        seats = seats_of(page.pk)
        records = list(reconciles_of(page.pk)[:1])
        context |= {
            "rows": list(term_rows(self.terms, terms_as_written(written))),
            "has_draft": page.has_unpublished_changes or not page.live,
            "scheduled_for": page.scheduled_revision.approved_go_live_at if page.scheduled_revision else None,
            "seats": seats,
            "meter": _meter(seats),
            "record": record_row(records[0]) if records else None,
            **waiting(records, now=clock.now()),
            "review_url": contract_url("review", page.pk, page.latest_revision_id) if page.latest_revision_id else "",
            "edit_url": reverse("wagtailadmin_pages:edit", args=[page.pk]),
        }
        return context


class ActivityView(ContractTemplateView):
    """Who did what, and what was done to bring the contract in line."""

    tab = "activity"
    template_name = "b2b/admin/activity.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        records = list(reconciles_of(self.contract.pk)[:RECORDS])
        context |= {
            "records": [record_row(record) for record in records],
            "acts": act_rows(list(activity_of(self.contract.pk)[:ACTS])),
            "history_url": reverse("wagtailadmin_pages:history", args=[self.contract.pk]) if self.may_work else "",
            **waiting(records, now=clock.now()),
        }
        return context


def term_rows(in_force: ContractTerms | None, written: ContractTerms) -> Iterator[TermRow]:
    """Every term, in force and as written; nothing is in force before the first publication."""
    before = dict(_in_words(in_force)) if in_force is not None else {}
    for label, value in _in_words(written):
        yield TermRow(label=label, in_force=before.get(label, "–"), written=value)


def record_row(record: Reconcile) -> RecordRow:
    """A record in words."""
    return RecordRow(
        state=ReconcileState(record.state),
        reason=record.reason,
        who=_name(record.requested_by),
        requested_at=record.requested_at,
        changes=tuple(_changes(record)),
        took=_took(record),
        error=record.error,
    )


def act_rows(acts: list[PageLogEntry]) -> list[ActRow]:
    """The acts in words; whom they were about is looked up at once."""
    ids = {act.data["user"] for act in acts if isinstance(act.data.get("user"), int)}
    people = {user.pk: _name(user) for user in User.objects.filter(pk__in=ids)}
    return [
        ActRow(
            at=act.timestamp,
            who=_name(act.user),
            what=str(act.message),
            about=_about(act.data, people),
            reason=str(act.data.get("reason") or ""),
        )
        for act in acts
    ]


def waiting(records: list[Reconcile], *, now: datetime) -> dict[str, Any]:
    """Whether something waits for the worker, and for how long: nothing is lost, but nothing happens either."""
    since = next((each.requested_at for each in records if each.state == ReconcileState.WAITING), None)
    return {"waits_since": since, "worker_is_late": since is not None and now - since > WORKER_IS_LATE}


def _in_words(terms: ContractTerms) -> Iterator[tuple[str, str]]:
    yes, no = _("Yes"), _("No")
    yield _("How people join"), str(IntegrationType(terms.integration_type).label)
    yield _("Active"), yes if terms.active else no
    yield _("First day"), date_format(terms.start, "DATE_FORMAT") if terms.start else _("None")
    yield _("Last day"), date_format(terms.end, "DATE_FORMAT") if terms.end else _("None")
    yield _("Seats"), number_format(terms.max_learners) if terms.max_learners else _("No limit")
    yield _("Price for each learner and course"), _("Free") if terms.is_free else terms.money.formatted()
    yield _("Codes work only for the address they were given to"), yes if terms.codes_only_for_assignee else no


def _changes(record: Reconcile) -> Iterator[str]:
    """“codes on 0 → 40”, for what has changed."""
    for name, label in COUNTED.items():
        before, after = record.before.get(name), record.after.get(name)
        if before is not None and after is not None and before != after:
            yield f"{_text(label)} {number_format(before)} → {number_format(after)}"


def _took(record: Reconcile) -> str:
    if record.started_at is None or record.finished_at is None:
        return ""
    seconds = (record.finished_at - record.started_at).total_seconds()
    if seconds < 1:
        return _("under a second")
    if seconds < 120:
        return ngettext("%(n)d second", "%(n)d seconds", round(seconds)) % {"n": round(seconds)}
    return ngettext("%(n)d minute", "%(n)d minutes", round(seconds / 60)) % {"n": round(seconds / 60)}


def _meter(seats: SeatCount) -> list[dict[str, float]] | None:
    """Shares of the bar in percent; no bar without a cap."""
    if seats.room is None:
        return None
    share = 100 / (seats.taken + seats.invited + max(0, seats.room))
    widths = [seats.joined * share, seats.held * share, seats.invited * share]
    starts = [0.0, widths[0], widths[0] + widths[1]]
    return [{"start": round(start, 2), "width": round(width, 2)} for start, width in zip(starts, widths, strict=True)]


def _about(data: dict[str, Any], people: dict[int, str]) -> str:
    """Whom or what an act was about, as far as its data say."""
    if (person := people.get(data.get("user") or 0)) is not None:
        return person
    if courseware := data.get("courseware"):
        return str(courseware)
    if isinstance(count := data.get("people"), int):
        return ngettext("%(n)d person", "%(n)d people", count) % {"n": count}
    for name in ("changes", "codes", "hand_outs", "invitations"):
        found = data.get(name)
        if isinstance(found, list) and found:
            return ", ".join(map(str, found)) if name == "changes" else number_format(len(found))
    return ""


def _name(user: Any) -> str:
    return (user.name or user.email) if user is not None else ""


def _text(label: str | Promise) -> str:
    return str(label)

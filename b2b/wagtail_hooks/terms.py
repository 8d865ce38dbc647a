"""The terms of a contract, in force and as written, and the activity on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.urls import reverse
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from wagtail import hooks
from wagtail.admin.widgets.button import HeaderButton
from wagtail.models import PageLogEntry

from b2b.enums import IntegrationType, ReconcileState
from b2b.models import ContractPage, ContractTerms, Reconcile
from b2b.seats import SeatCount
from b2b.selectors.contracts import activity_of, reconciles_of, seats_of
from b2b.services.contracts.terms import terms_as_written
from b2b.wagtail_hooks.base import TONES, ContractPageView, contract_url
from mitxonline.kernel import clock
from mitxonline.staff.days import LATE_AFTER
from mitxonline.users.models import User

# Other apps draw how a contract is used: functions of the request and the terms that return HTML, or nothing.
CONTRACT_FIGURES = "register_contract_figures"
RECONCILES_SHOWN = 20
LOG_ENTRIES_SHOWN = 50
# A running worker takes a request within seconds.
WORKER_IS_LATE = timedelta(minutes=1)

COUNTED = {
    "runs": gettext_lazy("runs"),
    "products": gettext_lazy("products on sale"),
    "codes": gettext_lazy("active codes"),
    "codes_off": gettext_lazy("inactive codes"),
}


@dataclass(frozen=True, slots=True)
class TermRow:
    """One term: in force, and as written in the newest draft."""

    label: str
    in_force: str
    written: str

    @property
    def is_changed(self) -> bool:
        return self.in_force != self.written


@dataclass(frozen=True, slots=True)
class LogRow:
    """What someone did, and to whom or what."""

    at: datetime
    user: str
    action: str
    subject: str
    reason: str


@dataclass(frozen=True, slots=True)
class UpdateRow:
    state: ReconcileState
    reason: str
    requested_by: str
    requested_at: datetime
    changes: tuple[str, ...]
    duration: str
    error: str

    @property
    def tone(self) -> str:
        return TONES.get(self.state, "plain")


class TermsView(ContractPageView):
    """Terms in force beside the terms as written, and whether runs and codes follow them."""

    tab = "terms"
    template_name = "b2b/admin/terms.html"

    @property
    def header_buttons(self) -> list[HeaderButton]:
        return self.get_edit_buttons()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        page = ContractPage.objects.get(pk=self.contract.pk)
        seats = seats_of(page.pk)
        reconciles = list(reconciles_of(page.pk)[:1])
        scheduled_for = page.scheduled_revision.approved_go_live_at if page.scheduled_revision else None
        return super().get_context_data(
            rows=list(term_rows(self.terms, terms_as_written(page.get_latest_revision_as_object()))),
            has_draft=page.has_unpublished_changes or not page.live,
            scheduled_for=scheduled_for,
            is_late=scheduled_for is not None and scheduled_for < clock.now() - LATE_AFTER,
            seats=seats,
            meter=_meter(seats),
            usage=self.draw_usage(),
            record=reconcile_row(reconciles[0]) if reconciles else None,
            review_url=contract_url("review", page.pk, page.latest_revision_id) if page.latest_revision_id else "",
            edit_url=reverse("wagtailadmin_pages:edit", args=[page.pk]),
            **describe_waiting(reconciles, now=clock.now()),
            **kwargs,
        )

    def draw_usage(self) -> list[str]:
        if self.terms is None:
            return []
        return [hook(request=self.request, terms=self.terms) for hook in hooks.get_hooks(CONTRACT_FIGURES)]


class ActivityView(ContractPageView):
    """What people did with the contract, and how its runs and codes were reconciled."""

    tab = "activity"
    template_name = "b2b/admin/activity.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        reconciles = list(reconciles_of(self.contract.pk)[:RECONCILES_SHOWN])
        return super().get_context_data(
            records=[reconcile_row(each) for each in reconciles],
            acts=log_rows(list(activity_of(self.contract.pk)[:LOG_ENTRIES_SHOWN])),
            history_url=reverse("wagtailadmin_pages:history", args=[self.contract.pk]) if self.can_edit else "",
            **describe_waiting(reconciles, now=clock.now()),
            **kwargs,
        )


def term_rows(in_force: ContractTerms | None, written: ContractTerms) -> Iterator[TermRow]:
    """Every term in force and as written; nothing is in force before the first publication."""
    before = dict(_describe_terms(in_force)) if in_force is not None else {}
    for label, value in _describe_terms(written):
        yield TermRow(label=label, in_force=before.get(label, "–"), written=value)


def reconcile_row(reconcile: Reconcile) -> UpdateRow:
    return UpdateRow(
        state=ReconcileState(reconcile.state),
        reason=reconcile.reason,
        requested_by=_name(reconcile.requested_by),
        requested_at=reconcile.requested_at,
        changes=tuple(_describe_changes(reconcile)),
        duration=_format_duration(reconcile),
        error=reconcile.error,
    )


def log_rows(entries: list[PageLogEntry]) -> list[LogRow]:
    """Log entries in words; one query looks up all the people they are about."""
    ids = {entry.data["user"] for entry in entries if isinstance(entry.data.get("user"), int)}
    people = {user.pk: _name(user) for user in User.objects.filter(pk__in=ids)}
    return [
        LogRow(
            at=entry.timestamp,
            user=_name(entry.user),
            action=str(entry.message),
            subject=_describe_subject(entry.data, people),
            reason=str(entry.data.get("reason") or ""),
        )
        for entry in entries
    ]


def describe_waiting(reconciles: list[Reconcile], *, now: datetime) -> dict[str, Any]:
    """Context: since when a request waits for the worker, and whether the worker is late."""
    since = next((each.requested_at for each in reconciles if each.state == ReconcileState.WAITING), None)
    return {"waits_since": since, "worker_is_late": since is not None and now - since > WORKER_IS_LATE}


def _describe_terms(terms: ContractTerms) -> Iterator[tuple[str, str]]:
    yes, no = _("Yes"), _("No")
    yield _("How people join"), str(IntegrationType(terms.integration_type).label)
    yield _("Active"), yes if terms.active else no
    yield _("First day"), date_format(terms.start, "DATE_FORMAT") if terms.start else _("None")
    yield _("Last day"), date_format(terms.end, "DATE_FORMAT") if terms.end else _("None")
    yield _("Seats"), number_format(terms.max_learners) if terms.max_learners else _("No limit")
    yield _("Price per learner and course"), _("Free") if terms.is_free else terms.money.formatted()
    yield _("Codes work only for the assigned address"), yes if terms.codes_only_for_assignee else no


def _describe_changes(record: Reconcile) -> Iterator[str]:
    """Say how counts changed: “active codes 0 → 40”."""
    for name, label in COUNTED.items():
        before, after = record.before.get(name), record.after.get(name)
        if before is not None and after is not None and before != after:
            yield f"{label} {number_format(before)} → {number_format(after)}"


def _format_duration(record: Reconcile) -> str:
    if record.started_at is None or record.finished_at is None:
        return ""
    seconds = (record.finished_at - record.started_at).total_seconds()
    if seconds < 1:
        return _("under a second")
    if seconds < 120:
        return ngettext("%(n)d second", "%(n)d seconds", round(seconds)) % {"n": round(seconds)}
    return ngettext("%(n)d minute", "%(n)d minutes", round(seconds / 60)) % {"n": round(seconds / 60)}


def _meter(seats: SeatCount) -> list[dict[str, float]] | None:
    """The parts of the bar in percent: joined, held, invited. None without a cap."""
    if seats.remaining is None:
        return None
    share = 100 / (seats.taken + seats.invited + max(0, seats.remaining))
    widths = [seats.joined * share, seats.held * share, seats.invited * share]
    starts = [0.0, widths[0], widths[0] + widths[1]]
    return [{"start": round(start, 2), "width": round(width, 2)} for start, width in zip(starts, widths, strict=True)]


def _describe_subject(data: dict[str, Any], people: dict[int, str]) -> str:
    """Say whom or what a log entry is about, as far as its data tell."""
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

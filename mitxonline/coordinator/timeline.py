"""What the coordinator tells on timelines: every delivery of an event about the subject, with its attempts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, tzinfo
from typing import Any

from django.db.models import BooleanField, OuterRef, Q
from django.db.models.expressions import RawSQL
from django.urls import reverse
from django.utils.translation import gettext as _

from mitxonline.coordinator.models import AttemptOutcome, Delivery, DeliveryAttempt, DeliveryState
from mitxonline.coordinator.replay import GIVE_UP
from mitxonline.kernel.dates import format_second
from mitxonline.kernel.timeline import (
    Entry,
    EntryKind,
    EntryLink,
    Scope,
    Source,
    Subject,
    SubjectKind,
    Viewer,
    describe_duration,
    nest_rows,
    read_moment,
)

# Each expected field is looked up in the index of payloads by itself, before anything else. An array, because the
# database takes a subquery's rows for many, and would rather read millions of deliveries backwards.
ABOUT = """
coordinator_delivery.id = ANY (ARRAY(
    SELECT delivery.id
    FROM unnest(%s::text[], %s::jsonb[]) AS wanted (event_type, fields)
    JOIN coordinator_delivery AS delivery
        ON delivery.payload @> wanted.fields AND wanted.event_type IN ('', delivery.event_type)
))
"""
VIEW, CHANGE = "coordinator.view_delivery", "coordinator.change_delivery"


class DeliveriesSource(Source):
    def find(self, text: str) -> Iterator[Subject]:
        number = text.removeprefix("#")
        if number.isdecimal() and len(number) < 19:
            yield from map(_subject_of, Delivery.objects.filter(pk=int(number)))

    def get(self, kind: SubjectKind, key: str) -> Subject | None:
        if kind != SubjectKind.DELIVERY or not key.isdecimal() or len(key) > 18:
            return None
        delivery = Delivery.objects.filter(pk=int(key)).first()
        return _subject_of(delivery) if delivery is not None else None

    def knows_trace(self, trace_id: str) -> bool:
        return Delivery.objects.filter(trace_id=trace_id).exists()

    def may_see(self, subject: Subject, viewer: Viewer) -> bool:
        return subject.kind in {SubjectKind.TRACE, SubjectKind.DELIVERY} and viewer.may(VIEW)

    def tell(self, scope: Scope) -> Iterator[Entry]:
        wanted = Q(trace_id=scope.subject.trace_id) if scope.subject.trace_id else Q(pk__in=[])
        if scope.is_about(SubjectKind.DELIVERY):
            wanted |= Q(pk=scope.subject.pk)
        if scope.events:
            types = [event_type for event_type, _fields in scope.events]
            fields = [json.dumps(fields) for _type, fields in scope.events]
            wanted |= Q(RawSQL(ABOUT, [types, fields], output_field=BooleanField()))  # noqa: S611 - values are parameters
        rows = Delivery.objects.filter(wanted).select_related("given_up_by").annotate(attempt_rows=_ATTEMPTS)
        deliveries = scope.read(rows, "deliveries")
        scope.expect_log(Delivery, [delivery.pk for delivery in deliveries])
        scope.said.add(GIVE_UP)  # The row says it too.
        for delivery in deliveries:
            yield from _tell_delivery(delivery, scope)


_ATTEMPTS = nest_rows(
    DeliveryAttempt.objects.filter(delivery=OuterRef("pk")),
    number="number",
    started_at="started_at",
    ended_at="ended_at",
    outcome="outcome",
    result="result",
    process="process",
    next_attempt_at="next_attempt_at",
)


def _subject_of(delivery: Delivery) -> Subject:
    name = _("Delivery %(number)d") % {"number": delivery.pk}
    return Subject(SubjectKind.DELIVERY, str(delivery.pk), name=name, trace_id=delivery.trace_id)


def _tell_delivery(delivery: Any, scope: Scope) -> Iterator[Entry]:
    words = {
        "receiver": delivery.handler.rpartition(".")[2].replace("_", " "),
        "event": delivery.event_name,
        "number": delivery.pk,
    }
    said = Entry(
        at=delivery.created_at,
        kind=EntryKind.WORK,
        sentence=_("“%(receiver)s” waits for its turn, because of %(event)s.") % words,
        details=(_("delivery %(number)d, %(receiver)s") % {**words, "receiver": delivery.handler},),
        links=_links(delivery, scope),
        trace_id=delivery.trace_id,
    )
    attempts = sorted(delivery.attempt_rows, key=lambda row: int(row["number"]))
    for row in attempts:
        yield _tell_attempt(row, said, words, zone=scope.viewer.zone)
    ended_at = delivery.finished_at or delivery.created_at
    match DeliveryState(delivery.state):
        case DeliveryState.DEAD:
            sentence = _("“%(receiver)s” is dead: it won’t be tried again unless someone replays it.") % words
            yield replace(said, at=ended_at, sentence=sentence, is_problem=True, button=_button(delivery, scope))
        case DeliveryState.GIVEN_UP:
            sentence, person = _("“%(receiver)s” was given up.") % words, scope.viewer.name_person(delivery.given_up_by)
            yield replace(said, at=ended_at, sentence=sentence, details=(delivery.reason,), person=person)
        case DeliveryState.DONE if not attempts:  # from before attempts were kept
            yield replace(said, at=ended_at, sentence=_("“%(receiver)s” was done after %(event)s.") % words)
        case DeliveryState.PENDING if not attempts:
            yield said
        case DeliveryState.PENDING:
            words |= {"at": format_second(delivery.next_attempt_at, zone=scope.viewer.zone)}
            sentence = _("“%(receiver)s” will be tried again at %(at)s.") % words
            moment = read_moment(attempts[-1]["ended_at"]) or delivery.created_at
            yield replace(said, at=moment, sentence=sentence, button=_button(delivery, scope))


def _tell_attempt(row: Mapping[str, Any], said: Entry, words: Mapping[str, Any], *, zone: tzinfo) -> Entry:
    started, ended = datetime.fromisoformat(row["started_at"]), read_moment(row["ended_at"])
    outcome = AttemptOutcome(row["outcome"])
    if outcome == AttemptOutcome.DONE:
        sentence = _("“%(receiver)s” was done after %(event)s.")
    elif outcome == AttemptOutcome.RUNNING:
        sentence = _("“%(receiver)s” is being done, because of %(event)s.")
    elif outcome == AttemptOutcome.LOST:
        sentence = _("“%(receiver)s” was broken off: its worker was lost.")
    else:
        sentence = _("“%(receiver)s” failed.")
    facts = [row["result"], _("attempt %(n)d on %(process)s") % {"n": row["number"], "process": row["process"]}]
    if ended is not None:
        facts[-1] += ", " + describe_duration(ended - started)
    if later := read_moment(row["next_attempt_at"]):
        facts.append(_("next attempt at %(at)s") % {"at": format_second(later, zone=zone)})
    is_problem = outcome in {AttemptOutcome.FAILED, AttemptOutcome.LOST}
    details = (*said.details, *filter(None, facts))
    return replace(said, at=ended or started, sentence=sentence % words, details=details, is_problem=is_problem)


def _links(delivery: Delivery, scope: Scope) -> tuple[EntryLink, ...]:
    if not scope.viewer.may(VIEW):
        return ()
    return (
        EntryLink(
            _("Delivery %(number)d") % {"number": delivery.pk}, reverse("deliveries:delivery", args=[delivery.pk])
        ),
    )


def _button(delivery: Delivery, scope: Scope) -> EntryLink | None:
    """Offer the replay to those who may. Where it wouldn't be safe it is refused with the reason."""
    if not scope.viewer.may(CHANGE):
        return None
    return EntryLink(_("Replay"), reverse("deliveries:replay", args=[delivery.pk]))


DELIVERIES = DeliveriesSource()

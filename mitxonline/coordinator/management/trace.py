"""`commerce_routes trace`: what happened to an order, a person, a code or a contract, on the command line."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from mitxonline.kernel.console import Output, write_json, write_rows
from mitxonline.kernel.timeline import (
    Entry,
    Timeline,
    TimelineUnknown,
    Viewer,
    find_subjects,
    tell_timeline,
    write_text,
)

COLUMNS = ("At", "Kind", "What", "Details", "Amount", "Currency", "By", "Trace", "Is problem")


def add_trace_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "what",
        help="order number, e-mail address, code, number of an invoice or credit note, name of a customer, "
        "name or id of a contract, trace id, or number of a delivery",
    )


def print_traces(out: Output, *, what: str, style: str) -> None:
    """Print the timeline of everything that the text may mean. Raises TimelineUnknown."""
    viewer = Viewer()
    subjects = find_subjects(what, viewer=viewer)
    if not subjects:
        raise TimelineUnknown
    timelines = [tell_timeline(subject, viewer=viewer) for subject in subjects]
    if style == "json":
        write_json(out, [_to_json(timeline) for timeline in timelines])
    elif style == "csv":
        rows = (_to_row(entry) for timeline in timelines for entry in timeline.entries)
        write_rows(out, rows, columns=COLUMNS, style=style)
    else:  # Sentences of different lengths fit into no table.
        out.write("\n".join(write_text(timeline) for timeline in timelines))


def _to_json(timeline: Timeline) -> dict[str, Any]:
    subject = timeline.subject
    return {
        "kind": str(subject.kind),
        "id": subject.key,
        "name": str(subject.name),
        "left_out": list(timeline.cut),
        "entries": [_entry_to_json(entry) for entry in timeline.entries],
    }


def _to_row(entry: Entry) -> tuple[object, ...]:
    told = _entry_to_json(entry)
    return tuple("; ".join(value) if isinstance(value, list) else value for value in told.values())


def _entry_to_json(entry: Entry) -> dict[str, Any]:
    return {
        "at": entry.at.isoformat(),
        "kind": str(entry.kind),
        "what": str(entry.sentence),
        "details": [str(each) for each in entry.details],
        "amount": str(entry.money.amount) if entry.money is not None else None,
        "currency": entry.money.currency if entry.money is not None else None,
        "by": entry.person,
        "trace": entry.trace_id,
        "is_problem": entry.is_problem,
    }

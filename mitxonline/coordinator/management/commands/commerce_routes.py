"""Print and check which receivers get which event, and find and replay deliveries that failed."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterator
from typing import Any

from django.core.checks import Error, run_checks
from django.core.management.base import CommandError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mitxonline.coordinator.errors import DeliveryRefused, NoSuchDelivery
from mitxonline.coordinator.events import field_types
from mitxonline.coordinator.graph import SIDES, build_hearings, draw_mermaid
from mitxonline.coordinator.management.trace import add_trace_arguments, print_traces
from mitxonline.coordinator.models import Delivery, DeliveryState
from mitxonline.coordinator.replay import replay_delivery
from mitxonline.coordinator.routes import path_of, routes
from mitxonline.coordinator.selectors import known_receivers
from mitxonline.kernel import clock
from mitxonline.kernel.console import FORMATS, OperatorCommand, OperatorParser, add_format_option, write_rows

_MOST = 200


class Command(OperatorCommand):
    help = "Shows which receivers hear which event, checks the routes, and replays deliveries that failed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_format_option(parser)
        subcommands = parser.add_subparsers(dest="action", metavar="action", parser_class=OperatorParser)
        self._add(subcommands, "list", _("every event with its receivers, in the order of calls"))
        graph = self._add(subcommands, "graph", _("events, receivers, and the events that those publish"))
        graph.add_argument("--format", choices=(*FORMATS, "mermaid"), default=SUPPRESS, help="how to print the result")
        self._add(subcommands, "check", _("what is wrong with the routes, with the line to change"))
        dead = self._add(subcommands, "dead", _("deliveries that failed for the last time"))
        dead.add_argument("--receiver", help="only those of this receiver, by its path")
        replay = self._add(subcommands, "replay", _("make deliveries again that are dead or wait"))
        replay.add_argument("delivery", nargs="*", type=_read_number, help="the delivery's number")
        replay.add_argument("--receiver", help="all dead deliveries of this receiver, by its path")
        add_trace_arguments(self._add(subcommands, "trace", _("what happened to an order, a person, a code …")))

    def _add(self, subcommands: Any, name: str, words: str) -> ArgumentParser:
        parser: ArgumentParser = subcommands.add_parser(name, help=words, description=words)
        if name != "graph":
            parser.add_argument("--format", choices=FORMATS, default=SUPPRESS, help="how to print the result")
        return parser

    def execute(self, *args: Any, **options: Any) -> str | None:
        # Django would report the mistakes of all apps and stop; this prints those of the routes.
        is_check = options.get("action") == "check"
        return super().execute(*args, **options | ({"skip_checks": True} if is_check else {}))

    def handle(self, *args: Any, **options: Any) -> None:
        actions: dict[str, Callable[..., None]] = {
            "list": self._list,
            "graph": self._graph,
            "check": self._check,
            "dead": self._dead,
            "replay": self._replay,
            "trace": self._trace,
        }
        actions[options["action"] or "list"](**options)

    def _list(self, *, format: str, **_options: Any) -> None:
        write_rows(self.stdout, _list_rows(), columns=("Event", "Fields", "When", "Receiver"), style=format)

    def _graph(self, *, format: str, **_options: Any) -> None:
        hearings = build_hearings(routes())
        if format == "mermaid":
            self.stdout.write(draw_mermaid(routes(), hearings))
            return
        rows = (
            (
                each.event.type_name(),
                SIDES[each.side],
                path_of(each.receiver),
                ", ".join(event.type_name() for event in each.publications),
            )
            for each in hearings
        )
        write_rows(self.stdout, rows, columns=("Event", "When", "Receiver", "Publishes"), style=format)

    def _check(self, *, format: str, **_options: Any) -> None:
        problems = run_checks(tags=["coordinator"])
        rows = [(str(each.obj or ""), each.id, each.msg, each.hint or "") for each in problems]
        if rows or format != "table":
            write_rows(self.stdout, rows, columns=("Line", "Id", "Problem", "What to do"), style=format)
        else:
            self.say(_("The routes have no mistakes."))
        if errors := sum(isinstance(each, Error) for each in problems):
            raise CommandError(ngettext("%(count)d mistake.", "%(count)d mistakes.", errors) % {"count": errors})

    def _dead(self, *, format: str, receiver: str | None, **_options: Any) -> None:
        dead = Delivery.objects.filter(state=DeliveryState.DEAD).order_by("pk")
        if receiver is not None:
            _refuse_unknown(receiver)
            dead = dead.filter(handler=receiver)
        count = dead.count()
        if count or format != "table":
            rows = (
                (each.pk, each.event_type, each.handler, each.attempts, each.finished_at, each.last_error)
                for each in dead[:_MOST]
            )
            columns = ("Delivery", "Event", "Receiver", "Attempts", "Dead since", "Last error")
            write_rows(self.stdout, rows, columns=columns, style=format)
        sentence = ngettext("%(count)d dead delivery.", "%(count)d dead deliveries.", count) % {"count": count}
        self.say(sentence if count <= _MOST else f"{sentence} {_('These are the oldest %d.') % _MOST}")

    def _replay(self, *, format: str, delivery: list[int], receiver: str | None, **_options: Any) -> None:
        if bool(delivery) is (receiver is not None):
            raise CommandError(_("Name deliveries by their numbers, or --receiver."))
        ids = list(dict.fromkeys(delivery)) or _find_dead(str(receiver))
        results = [(each, _replay_one(each)) for each in ids]
        rows = ((number, not reason, reason) for number, reason in results)
        write_rows(self.stdout, rows, columns=("Delivery", "Replayed", "Reason"), style=format)
        if refused := sum(bool(reason) for _number, reason in results):
            sentence = ngettext("%(count)d delivery isn’t replayed.", "%(count)d deliveries aren’t replayed.", refused)
            raise CommandError(sentence % {"count": refused})

    def _trace(self, *, format: str, what: str, **_options: Any) -> None:
        print_traces(self.stdout, what=what, style=format)


def _list_rows() -> Iterator[tuple[str, str, str, str]]:
    for event, route in sorted(routes().items(), key=lambda item: item[0].type_name()):
        fields = ", ".join(field_types(event))
        receivers = [(words, each) for side, words in SIDES.items() for each in getattr(route, side)]
        if not receivers:
            yield event.type_name(), fields, "no receiver", ""
        for when, receiver in receivers:
            yield event.type_name(), fields, when, path_of(receiver)


def _read_number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ArgumentTypeError(_("“%s” isn’t the number of a delivery") % text)
    return int(text)


def _refuse_unknown(receiver: str) -> None:
    if receiver not in known_receivers():
        sentence = _("There is no receiver “%s”. `commerce_routes list` prints the paths of all.")
        raise CommandError(sentence % receiver)


def _find_dead(receiver: str) -> list[int]:
    _refuse_unknown(receiver)
    dead = Delivery.objects.filter(handler=receiver, state=DeliveryState.DEAD).order_by("pk")
    ids = list(dead.values_list("pk", flat=True))
    if not ids:
        raise CommandError(_("No delivery of %s is dead.") % receiver)
    return ids


def _replay_one(number: int) -> str:
    """Replay a delivery; return why it isn't replayed, or an empty string."""
    try:
        replay_delivery(delivery_id=number, by_id=None, now=clock.now())
    except (DeliveryRefused, NoSuchDelivery) as refusal:
        return str(refusal)
    return ""

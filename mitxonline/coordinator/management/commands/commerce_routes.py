"""Print which receivers get which event, in order, and on which side of the commit."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from mitxonline.coordinator.events import field_types
from mitxonline.coordinator.routes import path_of, routes
from mitxonline.kernel.console import OperatorCommand, add_format_option, write_rows


class Command(OperatorCommand):
    help = "Prints every event with its receivers in the order of calls, those within the transaction first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_format_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        columns = ("Event", "Fields", "When", "Receiver")
        write_rows(self.stdout, _rows(), columns=columns, style=options["format"])


def _rows() -> Iterator[tuple[str, str, str, str]]:
    for event, route in sorted(routes().items(), key=lambda item: item[0].type_name()):
        fields = ", ".join(field_types(event))
        receivers = [("within", each) for each in route.within]
        receivers += [("after commit", each) for each in route.after_commit]
        receivers += [("after commit, remote", each) for each in route.remote]
        if not receivers:
            yield event.type_name(), fields, "no receiver", ""
        for when, receiver in receivers:
            yield event.type_name(), fields, when, path_of(receiver)

import importlib
import re
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.checks import run_checks
from django.test import override_settings

from mitxonline.coordinator.checks import check_routes, check_times, known_events
from mitxonline.coordinator.graph import find_silent_events, top_packages
from mitxonline.coordinator.publications import find_publications
from mitxonline.coordinator.routes import routes
from mitxonline.event_routes import ROUTES
from tests.coordinator import hearing, world
from tests.coordinator.world import SeatAsked, SeatLost, SeatTaken, SeatWatched

Sabotage = Callable[..., list[str]]

IMPORTS = """\
from functools import partial

from mitxonline.coordinator.routes import Route
from tests.coordinator import hearing, world
from tests.coordinator.hearing import TooBig, listen
from tests.coordinator.world import SeatAsked, SeatLost, SeatTaken, SeatWatched

"""
RECEIVER = "A receiver is a module-level function that takes the event and nothing else."
ROUTED = "SeatTaken: Route(within=(listen,))"
HEARING = Path(hearing.__file__).relative_to(Path.cwd())


def line_of(text: str) -> int:
    """Return the line of tests/coordinator/hearing.py that has this text."""
    lines = Path(hearing.__file__).read_text().splitlines()
    return next(number for number, line in enumerate(lines, start=1) if text in line)


@pytest.fixture
def sabotage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Sabotage:
    """Report the problems of a route table: its place begins with the line within the table, counted from 1."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("mitxonline.coordinator.checks.known_events", lambda: {SeatTaken})
    monkeypatch.setattr("mitxonline.coordinator.checks.find_silent_events", lambda events: [])

    def report(*lines: str, head: str = IMPORTS, extra: object = None) -> list[str]:
        name = f"routes_{uuid4().hex}"
        table = head + "\n".join(["ROUTES = {", *(f"    {line}," for line in lines), "}", ""])
        (tmp_path / f"{name}.py").write_text(table)
        importlib.invalidate_caches()
        with override_settings(EVENT_ROUTES=f"{name}.ROUTES", COMMERCE_EVENT_ROUTES_EXTRA=extra or {}):
            found = [
                f"{each.obj}: {(each.id or '').rpartition('.')[2]} {each.msg} | {each.hint}" for each in check_routes()
            ]
        return [each.replace(f"{tmp_path}/{name}.py", "table").replace(name, "table") for each in found]

    return report


def at(line: int) -> str:
    """The place of a line of the table's entries, the first of which is 1."""
    return f"table:{IMPORTS.count(chr(10)) + 1 + line}"


def test_a_sound_table_has_no_problems(sabotage: Sabotage) -> None:
    assert sabotage("SeatTaken: Route(within=(listen,), after_commit=(hearing.listen_maybe, world.remember))") == []


def test_the_sites_own_table_has_no_problems() -> None:
    with override_settings(EVENT_ROUTES="mitxonline.event_routes.ROUTES"):
        assert check_routes() == []


def test_an_event_that_can_not_be_imported(sabotage: Sabotage) -> None:
    head = IMPORTS.replace("SeatTaken, SeatWatched", "SeatTaken, SeatWached")
    (problem,) = sabotage(ROUTED, head=head)
    assert problem.startswith("table:6: E001 EVENT_ROUTES can't be imported: cannot import name 'SeatWached'")
    assert problem.endswith(
        "| Write SeatWatched instead of SeatWached: "
        "from tests.coordinator.world import SeatAsked, SeatLost, SeatTaken, SeatWatched"
    )


def test_an_event_that_is_not_imported(sabotage: Sabotage) -> None:
    (problem,) = sabotage(ROUTED, "SeatTakne: Route()")
    assert problem == (
        f"{at(2)}: E001 EVENT_ROUTES can't be imported: name 'SeatTakne' is not defined "
        "| Write SeatTaken instead of SeatTakne."
    )
    (problem,) = sabotage(ROUTED, head=IMPORTS.replace("SeatLost, SeatTaken, ", "SeatLost, "))
    assert problem.startswith(f"{at(1)}: E001 ")
    assert problem.endswith("| Add the line: from tests.coordinator.world import SeatTaken")


def test_a_receiver_that_does_not_exist(sabotage: Sabotage) -> None:
    (problem,) = sabotage(ROUTED, "SeatLost: Route(within=(world.refus,))")
    assert problem.startswith(f"{at(2)}: E001 EVENT_ROUTES can't be imported: module 'tests.coordinator.world' has no")
    assert problem.endswith("| Write refuse instead of refus: SeatLost: Route(within=(world.refuse,)),")


def test_a_table_that_is_no_python(sabotage: Sabotage) -> None:
    (problem,) = sabotage(ROUTED, "SeatLost: Route(within=(world.refuse,)")
    assert problem.startswith("table:")
    assert "E001 EVENT_ROUTES can't be imported: closing parenthesis '}' does not match" in problem


def test_no_table_at_all() -> None:
    with override_settings(EVENT_ROUTES="tests.coordinator.world.ROOTS"):
        (problem,) = check_routes()
    assert (problem.id, str(problem.obj)) == ("coordinator.E001", "EVENT_ROUTES")
    assert problem.hint == 'Write EVENT_ROUTES = "tests.coordinator.world.ROUTES".'
    with override_settings(EVENT_ROUTES="tests.coordinator.world.GATE"):
        (problem,) = check_routes()
    assert (problem.id, problem.hint) == ("coordinator.E001", "Write GATE = {SomeEvent: Route(…)}.")
    assert str(problem.obj).startswith("tests/coordinator/world.py:")


def case_id(value: object) -> str:
    """Name a case without the address of a function, which differs in each process."""
    return re.sub(r" at 0x\w+", "", str(value))


@pytest.mark.parametrize(
    ("entry", "number", "sentence", "hint"),
    [
        (
            "SeatTaken: Route(after_commit=(listen, hearing.listen_twice))",
            "E005",
            "tests.coordinator.world.SeatTaken, after_commit: tests.coordinator.hearing.listen_twice can't be called "
            "with the event alone: missing a required argument: 'again'",
            f"{RECEIVER} Write def listen_twice(event): … at {HEARING}:{line_of('def listen_twice')}.",
        ),
        (
            "SeatTaken: Route(after_commit=(hearing.listen_later,))",
            "E009",
            "tests.coordinator.world.SeatTaken, after_commit: calling tests.coordinator.hearing.listen_later would run "
            "nothing: it is async or a generator",
            f"{RECEIVER} Write def listen_later(event): … at {HEARING}:{line_of('def listen_later')}.",
        ),
        (
            "SeatTaken: Route(after_commit=(hearing.listen_in_order,))",
            "E013",
            "tests.coordinator.world.SeatTaken, after_commit: tests.coordinator.hearing.listen_in_order is ordered by "
            "set, which the event lacks",
            f'Write @ordered_by("seat") at {HEARING}:{line_of("ordered_by(")}, or give the event the field set.',
        ),
        (
            "SeatTaken: Route(after_commit=(hearing.queue_seat,))",
            "E008",
            "tests.coordinator.world.SeatTaken, after_commit: tests.hearing.queue_seat is a Celery task, not a "
            "function",
            "Write a plain function instead of the task tests.hearing.queue_seat: def hear(event): … in a receivers "
            "module. The coordinator's own worker calls it, and repeats it when it fails.",
        ),
        (
            "SeatTaken: Route(within=(hearing.queue_seat.delay,))",
            "E008",
            "tests.coordinator.world.SeatTaken, within: tests.hearing.queue_seat is a Celery task, not a function",
            "Write a plain function instead of the task tests.hearing.queue_seat: def hear(event): … in a receivers "
            "module. The coordinator's own worker calls it, and repeats it when it fails.",
        ),
        (
            "SeatTaken: Route(within=(hearing.Listener,))",
            "E004",
            "tests.coordinator.world.SeatTaken, within: tests.coordinator.hearing.Listener can't be found by its name "
            "as a function",
            f"{RECEIVER} Write one, and its name here.",
        ),
        (
            "str: Route()",
            "E002",
            "<class 'str'> is routed but is no Event",
            "Write an Event: a frozen dataclass of ids and plain values, from an events module.",
        ),
        (
            "SeatTaken: (listen,)",
            "E002",
            f"tests.coordinator.world.SeatTaken has no Route but ({hearing.listen!r},)",
            "Write SeatTaken: Route(after_commit=(…,)).",
        ),
        (
            "SeatTaken: Route(within=(listen))",
            "E002",
            f"SeatTaken, within: {hearing.listen!r} is no tuple of receivers",
            "Write within=(listen,) with a comma before the closing bracket.",
        ),
    ],
    ids=case_id,
)
def test_a_wrong_entry_is_reported_with_its_line(
    sabotage: Sabotage, entry: str, number: str, sentence: str, hint: str
) -> None:
    assert sabotage("SeatLost: Route()", entry) == [f"{at(2)}: {number} {sentence} | {hint}"]


@pytest.mark.parametrize("receiver", ["lambda event: None", "partial(listen)", "'tests.coordinator.hearing.listen'"])
def test_a_receiver_without_a_name_to_find_it_by(sabotage: Sabotage, receiver: str) -> None:
    (problem,) = sabotage(f"SeatTaken: Route(after_commit=({receiver},))")
    assert problem.startswith(f"{at(1)}: E004 tests.coordinator.world.SeatTaken, after_commit: ")
    assert problem.endswith(f"can't be found by its name as a function | {RECEIVER} Write one, and its name here.")


def test_a_field_that_can_not_be_stored_is_reported_where_it_is_declared(sabotage: Sabotage) -> None:
    (problem,) = sabotage(ROUTED, "TooBig: Route()")
    assert problem.startswith(
        f"{HEARING}:{line_of('class TooBig') - 1}: E003 tests.coordinator.hearing.TooBig.facts is"
    )


@pytest.mark.parametrize(
    ("route", "sides", "line"),
    [
        ("within=(listen, listen)", "within", 2),
        ("within=(listen,), after_commit=(\n    listen,)", "after_commit and within", 3),
        ("after_commit=(listen,),\n    remote=(listen,)", "remote and after_commit", 3),
    ],
)
def test_a_receiver_listed_twice(sabotage: Sabotage, route: str, sides: str, line: int) -> None:
    assert sabotage("SeatLost: Route()", f"SeatTaken: Route({route})") == [
        f"{at(line)}: E006 tests.coordinator.world.SeatTaken, {sides}: tests.coordinator.hearing.listen is listed "
        "twice | Remove listen from the line: one delivery per receiver is enough."
    ]


def test_an_event_without_a_route(sabotage: Sabotage) -> None:
    assert sabotage("SeatLost: Route()") == [
        f"{at(2)}: E010 tests.coordinator.world.SeatTaken is not routed, so publishing it would fail "
        "| Write above this line: SeatTaken: Route(), with from tests.coordinator.world import SeatTaken. "
        'A package of your own adds "tests.coordinator.world.SeatTaken": [] to COMMERCE_EVENT_ROUTES_EXTRA.'
    ]


def test_a_cycle_over_two_receivers(sabotage: Sabotage) -> None:
    lost, taken = line_of("publish(SeatLost(seat))"), line_of("publish(SeatTaken(event.seat))")
    found = sabotage(
        "SeatTaken: Route(within=(listen, hearing.lose_again))", "SeatLost: Route(after_commit=(hearing.take_again,))"
    )
    assert found == [
        f"{at(1)}: E012 a cycle: SeatLost → tests.coordinator.hearing.take_again → SeatTaken ({HEARING}:{taken})"
        f" → tests.coordinator.hearing.lose_again → SeatLost ({HEARING}:{lost}) | Remove lose_again from the line, or "
        f"make it not publish SeatLost at {HEARING}:{lost}: each of these events would publish the next for ever."
    ]


def test_a_cycle_of_one_receiver(sabotage: Sabotage) -> None:
    (problem,) = sabotage("SeatLost: Route()", "SeatTaken: Route(remote=(hearing.take_over_and_over,))")
    assert problem.startswith(f"{at(2)}: E012 a cycle: SeatTaken → tests.coordinator.hearing.take_over_and_over → ")


def test_a_declared_cycle(sabotage: Sabotage) -> None:
    (problem,) = sabotage(ROUTED, "SeatAsked: Route(within=(hearing.declare_what_it_publishes,))")
    assert problem.startswith(f"{at(2)}: E012 a cycle: SeatAsked → tests.coordinator.hearing.declare_what")


def test_two_receivers_that_do_not_lead_back(sabotage: Sabotage) -> None:
    assert sabotage("SeatTaken: Route(within=(hearing.lose_again,))", "SeatLost: Route(within=(listen,))") == []
    # What is called through a variable isn't seen: a receiver declares that.
    assert sabotage(ROUTED, "SeatAsked: Route(within=(hearing.publish_by_variable,))") == []


def test_an_event_that_is_only_compared_with_is_not_published() -> None:
    packages = frozenset({"tests"})
    assert set(find_publications(hearing.only_compare, packages=packages)) == {SeatWatched}
    assert set(find_publications(hearing.lose_again, packages=packages)) == {SeatLost}
    assert set(find_publications(hearing.declare_what_it_publishes, packages=packages)) == {SeatAsked}
    assert find_publications(hearing.lose_again, packages=frozenset({"ecommerce"})) == {}


def test_what_a_notice_may_lead_to_is_found_through_several_apps() -> None:
    (process_notice,) = next(route.remote for event, route in ROUTES.items() if event.__name__ == "NoticeReceived")
    found = find_publications(process_notice, packages=top_packages(ROUTES))
    assert {"OrderFulfilled", "LearnerEnrolled", "MoneyReturned"} <= {event.__name__ for event in found}


def test_an_event_that_nobody_publishes_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mitxonline.coordinator.checks.known_events", lambda: {SeatTaken})
    with override_settings(EVENT_ROUTES="tests.coordinator.world.ROUTES"):
        (problem,) = check_routes()
    line = next(
        number
        for number, line in enumerate(Path(world.__file__).read_text().splitlines(), start=1)
        if line.startswith("    SeatTaken: Route(")
    )
    assert (problem.id, problem.level, str(problem.obj)) == (
        "coordinator.W002",
        30,
        f"tests/coordinator/world.py:{line}",
    )
    assert problem.msg == "no code of an installed app publishes tests.coordinator.world.SeatTaken"
    assert problem.hint == "Publish SeatTaken(…) where it happens, or remove this line and the event."


def test_every_event_of_the_site_is_published_somewhere() -> None:
    assert find_silent_events(ROUTES) == []


@pytest.mark.parametrize(
    ("extra", "place", "words", "advice"),
    [
        (
            {"tests.coordinator.world.SeatTakne": ["tests.coordinator.hearing.listen"]},
            "COMMERCE_EVENT_ROUTES_EXTRA",
            "the event 'tests.coordinator.world.SeatTakne' can't be imported",
            'Write "tests.coordinator.world.SeatTaken".',
        ),
        (
            {"tests.coordinator.world.Route": []},
            "COMMERCE_EVENT_ROUTES_EXTRA",
            "'tests.coordinator.world.Route' is no Event.",
            'Write "tests.coordinator.world.Route".',
        ),
        (
            {"nowhere.events.Seat": []},
            "COMMERCE_EVENT_ROUTES_EXTRA",
            "the event 'nowhere.events.Seat' can't be imported: No module named 'nowhere'.",
            "Install the package of nowhere.events, and list its app in COMMERCE_APPS_EXTRA, or remove the entry.",
        ),
        (
            {"tests.coordinator.world.SeatLost": {"remote": ["tests.coordinator.hearing.lisen"]}},
            "COMMERCE_EVENT_ROUTES_EXTRA",
            "the receiver 'tests.coordinator.hearing.lisen' can't be imported",
            'Write "tests.coordinator.hearing.listen".',
        ),
        (
            {"tests.coordinator.world.SeatLost": {"after": ["tests.coordinator.hearing.listen"]}},
            "COMMERCE_EVENT_ROUTES_EXTRA",
            "tests.coordinator.world.SeatLost has no side 'after'.",
            'Write "after_commit" (or "within" or "remote").',
        ),
        (
            {"tests.coordinator.world.SeatLost": {"within": "tests.coordinator.hearing.listen"}},
            "COMMERCE_EVENT_ROUTES_EXTRA",
            "the receivers of tests.coordinator.world.SeatLost are str 'tests.coordinator.hearing.listen', not a list.",
            'Write "within": ["app.receivers.function"].',
        ),
        (
            {"tests.coordinator.world.SeatLost": [hearing.listen]},
            "COMMERCE_EVENT_ROUTES_EXTRA",
            f"{hearing.listen!r} isn't the path of a receiver.",
            'Write "app.receivers.function", in quotes.',
        ),
        (
            ["tests.coordinator.hearing.listen"],
            "COMMERCE_EVENT_ROUTES_EXTRA",
            "it is list ['tests.coordinator.hearing.listen'], not a mapping.",
            'Write {"app.events.Event": {"after_commit": ["app.receivers.function"]}}.',
        ),
        (
            {".Seat": []},
            "COMMERCE_EVENT_ROUTES_EXTRA",
            "the event '.Seat' can't be imported",
            "Write the path of what you meant, or remove the entry.",
        ),
        (
            {"..Seat": []},
            "COMMERCE_EVENT_ROUTES_EXTRA",
            "the event '..Seat' can't be imported",
            "Install the package of ., and list its app in COMMERCE_APPS_EXTRA, or remove the entry.",
        ),
        (
            # Its models need their app to be installed: no ImportError, but a RuntimeError.
            {"tests.coordinator.world.SeatLost": ["examples.tessera_ledger.tessera_ledger.models.LedgerEntry"]},
            "COMMERCE_EVENT_ROUTES_EXTRA",
            "the receiver 'examples.tessera_ledger.tessera_ledger.models.LedgerEntry' can't be imported",
            "Install the package of examples.tessera_ledger.tessera_ledger.models, and list its app in "
            "COMMERCE_APPS_EXTRA, or remove the entry.",
        ),
    ],
    ids=case_id,
)
def test_a_wrong_entry_of_the_setting_names_the_setting(
    sabotage: Sabotage, extra: object, place: str, words: str, advice: str
) -> None:
    (problem,) = sabotage(ROUTED, extra=extra)
    assert problem.startswith(f"{place}: E011 {words}")
    if "is no Event" not in words:
        assert problem.endswith(f"| COMMERCE_EVENT_ROUTES_EXTRA: {advice}")


@pytest.mark.parametrize(
    ("path", "number"),
    [("hearing.listen_twice", "E005"), ("hearing.queue_seat", "E008"), ("hearing.listen", "E006")],
)
def test_receivers_of_the_setting_are_checked_like_all(sabotage: Sabotage, path: str, number: str) -> None:
    extra = {"tests.coordinator.world.SeatTaken": {"after_commit": [f"tests.coordinator.{path}"]}}
    (problem,) = sabotage(ROUTED, extra=extra)
    assert problem.startswith(f'COMMERCE_EVENT_ROUTES_EXTRA, "tests.coordinator.{path}": {number} ')


def test_a_cycle_through_the_setting(sabotage: Sabotage) -> None:
    extra = {"tests.coordinator.world.SeatTaken": ["tests.coordinator.hearing.take_over_and_over"]}
    (problem,) = sabotage(ROUTED, extra=extra)
    assert "E012 a cycle: SeatTaken → tests.coordinator.hearing.take_over_and_over → SeatTaken" in problem


def test_an_entry_in_a_file_of_settings_is_reported_with_its_line(
    sabotage: Sabotage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"shop_{uuid4().hex}"
    entry = '"tests.coordinator.world.SeatLost": ["tests.coordinator.hearing.lisen"]'
    (tmp_path / f"{name}.py").write_text(f"COMMERCE_EVENT_ROUTES_EXTRA = {{\n    {entry},\n}}\n")
    settings = importlib.import_module(name)
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", name)
    (problem,) = sabotage(ROUTED, extra=settings.COMMERCE_EVENT_ROUTES_EXTRA)
    assert problem.startswith(f"{tmp_path / name}.py:2: E011 the receiver")


def test_receivers_of_the_setting_come_after_the_tables() -> None:
    extra = {
        "tests.coordinator.world.SeatTaken": {"within": ["tests.coordinator.hearing.listen"]},
        "tests.coordinator.world.SeatLost": ["tests.coordinator.hearing.listen"],
        "tests.coordinator.world.Unrouted": {"remote": ["tests.coordinator.hearing.listen"]},
    }
    with override_settings(COMMERCE_EVENT_ROUTES_EXTRA=extra):
        table = routes()
    assert table[SeatTaken].within == (world.first, world.second, hearing.listen)
    assert table[SeatTaken].after_commit == (world.remember, world.tell_on)
    assert table[SeatLost].after_commit == (world.remember, hearing.listen)
    assert table[world.Unrouted].remote == (hearing.listen,)
    assert routes()[SeatTaken].within == (world.first, world.second)


@pytest.mark.parametrize(
    "changes",
    [
        {"DELIVERY_SOFT_TIME_LIMIT": 240},
        {"CELERY_BROKER_TRANSPORT_OPTIONS": {"visibility_timeout": 240}},
    ],
)
def test_times_that_would_let_two_workers_do_the_same_are_refused(changes: dict[str, object]) -> None:
    assert check_times() == []
    with override_settings(**changes):
        assert [each.id for each in check_times()] == ["coordinator.E007"]


def test_the_checks_run_with_djangos() -> None:
    with override_settings(EVENT_ROUTES="tests.coordinator.world.GATE"):
        assert "coordinator.E001" in {each.id for each in run_checks(tags=["coordinator"])}


def test_events_of_the_apps_are_known() -> None:
    assert SeatTaken not in known_events()
    assert all(event.__module__.split(".")[-1] == "events" for event in known_events())

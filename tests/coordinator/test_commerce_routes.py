import csv
import json
import re
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import transaction
from django.test import override_settings

from mitxonline.coordinator.bus import publish
from mitxonline.coordinator.models import Delivery, DeliveryState
from mitxonline.kernel import clock
from tests.coordinator.world import SeatAsked, SeatTaken

EVENTS_PAGE = Path(__file__).resolve().parents[2] / "docs" / "events.md"


def output(*arguments: str) -> str:
    out = StringIO()
    call_command("commerce_routes", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def read_json(*arguments: str) -> Any:
    return json.loads(output(*arguments, "--format", "json"))


def make_dead(seat: int) -> list[Delivery]:
    """Make two dead deliveries, to remember and tell_on."""
    with transaction.atomic():
        publish(SeatTaken(seat))
    Delivery.objects.filter(payload={"seat": seat}).update(
        state=DeliveryState.DEAD, finished_at=clock.now(), attempts=30, last_error="LookupError at shelf.py:7"
    )
    return list(Delivery.objects.filter(payload={"seat": seat}).order_by("pk"))


@pytest.mark.parametrize("action", [[], ["list"]])
def test_the_routes_list_receivers_in_order(action: list[str]) -> None:
    rows = read_json(*action)
    taken = [row for row in rows if row["event"] == "tests.coordinator.world.SeatTaken"]
    assert [(row["when"], row["receiver"].rpartition(".")[2], row["fields"]) for row in taken] == [
        ("within", "first", "seat"),
        ("within", "second", "seat"),
        ("after commit", "remember", "seat"),
        ("after commit", "tell_on", "seat"),
    ]
    assert [row["when"] for row in rows if row["event"].endswith("Unheard")] == ["no receiver"]


def test_the_same_as_csv_and_as_a_table() -> None:
    rows = list(csv.reader(StringIO(output("list", "--format", "csv"))))
    assert rows[0] == ["Event", "Fields", "When", "Receiver"]
    assert len(rows) == 1 + len(read_json())
    assert "tests.coordinator.world.wait_at_gate" in output()
    assert output("--format", "csv") == output("list", "--format", "csv")


def test_receivers_that_the_settings_add_are_listed() -> None:
    extra = {"tests.coordinator.world.SeatLost": {"remote": ["tests.coordinator.hearing.take_again"]}}
    with override_settings(COMMERCE_EVENT_ROUTES_EXTRA=extra):
        (row,) = [row for row in read_json("graph") if row["receiver"].endswith(".take_again")]
    assert row == {
        "event": "tests.coordinator.world.SeatLost",
        "when": "after commit, remote",
        "receiver": "tests.coordinator.hearing.take_again",
        "publishes": "tests.coordinator.world.SeatTaken",
    }


def test_the_graph_as_a_drawing() -> None:
    extra = {"tests.coordinator.world.SeatLost": ["tests.coordinator.hearing.take_again"]}
    with override_settings(COMMERCE_EVENT_ROUTES_EXTRA=extra):
        lines = output("graph", "--format", "mermaid").splitlines()
    assert lines[0] == "flowchart LR"
    assert '  Unheard(["Unheard"])' in lines
    assert (
        '  SeatLost -->|after commit| tests_coordinator_take_again["tests.coordinator.take_again"]'
        "|  tests_coordinator_take_again -.-> SeatTaken" in "|".join(lines)
    )


def test_the_drawing_in_the_docs_is_current() -> None:
    with override_settings(EVENT_ROUTES="mitxonline.event_routes.ROUTES"):
        drawing = output("graph", "--format", "mermaid")
    found = re.search(r"```mermaid\n(.*?)```", EVENTS_PAGE.read_text(), re.DOTALL)
    assert found is not None
    assert found[1] == drawing, "Put what the command above it prints into docs/events.md."


def test_the_docs_explain_every_check() -> None:
    text = "".join(
        path.read_text() for path in (EVENTS_PAGE.parents[1] / "mitxonline" / "coordinator").glob("checks.py")
    )
    numbers = set(re.findall(r'"([EW]0\d\d)"|coordinator\.([EW]0\d\d)', text))
    page = EVENTS_PAGE.read_text()
    assert {number for pair in numbers for number in pair if number and number not in page} == {"E007"}  # times


def test_mistakes_are_listed_with_their_lines_and_exit_status_1() -> None:
    with override_settings(EVENT_ROUTES="mitxonline.event_routes.ROUTES"):
        assert read_json("check") == []
    wrong = {"tests.coordinator.world.SeatLost": ["tests.coordinator.hearing.listen_twice"]}
    out = StringIO()
    with (
        override_settings(EVENT_ROUTES="tests.coordinator.world.ROUTES", COMMERCE_EVENT_ROUTES_EXTRA=wrong),
        pytest.raises(CommandError, match="mistake"),
    ):
        call_command("commerce_routes", "check", "--format", "json", stdout=out)
    (problem,) = [row for row in json.loads(out.getvalue()) if row["id"] == "coordinator.E005"]
    assert problem["line"] == 'COMMERCE_EVENT_ROUTES_EXTRA, "tests.coordinator.hearing.listen_twice"'
    assert "Write def listen_twice(event): … at tests/coordinator/hearing.py:" in problem["what_to_do"]


@pytest.mark.django_db(transaction=True)
def test_dead_deliveries_are_listed_and_replayed_by_number() -> None:
    (remember, tell_on), (other, _last) = make_dead(1), make_dead(2)
    rows = read_json("dead")
    assert len(rows) == 4
    assert rows[0] | {"dead_since": ""} == {
        "delivery": remember.pk,
        "event": "tests.coordinator.world.SeatTaken",
        "receiver": "tests.coordinator.world.remember",
        "attempts": 30,
        "dead_since": "",
        "last_error": "LookupError at shelf.py:7",
    }
    listed = read_json("dead", "--receiver", "tests.coordinator.world.tell_on")
    assert [row["receiver"] for row in listed] == ["tests.coordinator.world.tell_on"] * 2
    results = read_json("replay", str(remember.pk), str(tell_on.pk), str(remember.pk))
    assert results == [{"delivery": each.pk, "replayed": True, "reason": ""} for each in (remember, tell_on)]
    states = dict(Delivery.objects.values_list("pk", "state"))
    assert (states[remember.pk], states[tell_on.pk], states[other.pk]) == ("pending", "pending", "dead")


@pytest.mark.django_db(transaction=True)
def test_all_dead_deliveries_of_a_receiver_are_replayed() -> None:
    make_dead(1), make_dead(2)
    output("replay", "--receiver", "tests.coordinator.world.remember")
    assert set(Delivery.objects.values_list("handler", "state")) == {
        ("tests.coordinator.world.remember", "pending"),
        ("tests.coordinator.world.tell_on", "dead"),
    }
    with pytest.raises(CommandError, match=r"No delivery of tests\.coordinator\.world\.remember is dead\."):
        output("replay", "--receiver", "tests.coordinator.world.remember")


@pytest.mark.django_db(transaction=True)
def test_what_can_not_be_replayed_gets_a_sentence_and_the_rest_is_replayed() -> None:
    done, dead = make_dead(1)
    Delivery.objects.filter(pk=done.pk).update(state=DeliveryState.DONE)
    out = StringIO()
    with pytest.raises(CommandError, match="2 deliveries aren’t replayed"):
        call_command(
            "commerce_routes",
            "replay",
            str(done.pk),
            "99999999999999999999",
            str(dead.pk),
            "--format",
            "json",
            stdout=out,
        )
    results = {
        row["delivery"]: (row["replayed"], row["reason"].partition(".")[0]) for row in json.loads(out.getvalue())
    }
    assert results == {
        done.pk: (False, f"Delivery {done.pk} is already done"),
        99999999999999999999: (False, "There is no delivery 99999999999999999999"),
        dead.pk: (True, ""),
    }
    assert dict(Delivery.objects.values_list("pk", "state")) == {done.pk: "done", dead.pk: "pending"}


@pytest.mark.django_db(transaction=True)
def test_a_running_delivery_is_left_alone() -> None:
    with transaction.atomic():
        publish(SeatAsked(1))
    running = Delivery.objects.earliest("pk")
    Delivery.objects.filter(pk=running.pk).update(
        state=DeliveryState.RUNNING, lease_until=clock.now() + timedelta(seconds=30)
    )
    with pytest.raises(CommandError, match="1 delivery isn’t replayed"):
        output("replay", str(running.pk))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["replay"], "Name deliveries by their numbers, or --receiver"),
        (["replay", "17", "--receiver", "x.y"], "Name deliveries by their numbers, or --receiver"),
        (["replay", "--receiver", "x.y"], "There is no receiver “x.y”. `commerce_routes list` prints"),
        (["dead", "--receiver", "x.y"], "There is no receiver “x.y”. `commerce_routes list` prints"),
        (["dead", "--receiver", ""], "There is no receiver “”."),
        (["replay", "--receiver", ""], "There is no receiver “”."),
        (["replay", "seventeen"], "“seventeen” isn’t the number of a delivery"),
        (["replay", "-3"], "-3"),
        (["grph"], "invalid choice: 'grph'"),
    ],
)
def test_wrong_arguments_get_a_sentence(arguments: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=re.escape(sentence)):
        output(*arguments)


@pytest.mark.django_db
def test_without_dead_deliveries_there_is_a_sentence() -> None:
    err = StringIO()
    call_command("commerce_routes", "dead", stdout=StringIO(), stderr=err)
    assert err.getvalue() == "0 dead deliveries.\n"

import csv
import json
from io import StringIO

from django.core.management import call_command


def output(*arguments: str) -> str:
    out = StringIO()
    call_command("commerce_routes", *arguments, stdout=out)
    return out.getvalue()


def test_the_routes_list_receivers_in_order() -> None:
    rows = json.loads(output("--format", "json"))
    taken = [row for row in rows if row["event"] == "tests.coordinator.world.SeatTaken"]
    assert [(row["when"], row["receiver"].rpartition(".")[2], row["fields"]) for row in taken] == [
        ("within", "first", "seat"),
        ("within", "second", "seat"),
        ("after commit", "remember", "seat"),
        ("after commit", "tell_on", "seat"),
    ]
    assert [row["when"] for row in rows if row["event"].endswith("Unheard")] == ["no receiver"]


def test_the_same_as_csv_and_as_a_table() -> None:
    rows = list(csv.reader(StringIO(output("--format", "csv"))))
    assert rows[0] == ["Event", "Fields", "When", "Receiver"]
    assert len(rows) == 1 + 15
    assert "tests.coordinator.world.wait_at_gate" in output()

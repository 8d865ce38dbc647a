import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from mitxonline.kernel.console import OperatorCommand, write_rows
from mitxonline.kernel.errors import NotFound

ROWS = [("Northgate", 200, None), ("=Evil()", 5, "a name that is long enough to be folded " * 5)]
COLUMNS = ("Organization", "Seats left", "Note")


def printed(style: str) -> str:
    out = StringIO()
    write_rows(out, ROWS, columns=COLUMNS, style=style)
    return out.getvalue()


def test_json_is_for_programs() -> None:
    first, second = json.loads(printed("json"))
    assert first == {"organization": "Northgate", "seats_left": 200, "note": None}
    assert second["organization"] == "=Evil()"


def test_csv_can_be_opened_in_a_spreadsheet() -> None:
    head, first, second = printed("csv").splitlines()
    assert head == '"Organization","Seats left","Note"'
    assert first == '"Northgate","200",""'
    assert second.startswith('"\'=Evil()"')


def test_a_table_is_not_folded_where_it_is_piped() -> None:
    assert "a name that is long enough to be folded " * 4 in printed("table")


def test_moments_are_read_by_people_and_by_programs() -> None:
    moment = datetime(2026, 11, 29, 4, 41, 56, 802851, tzinfo=UTC)
    for style, text in (("table", "2026-11-29 04:41:56 UTC"), ("csv", "2026-11-29 04:41:56 UTC")):
        out = StringIO()
        write_rows(out, [(moment,)], columns=["Since"], style=style)
        assert text in out.getvalue()
    out = StringIO()
    write_rows(out, [(moment,)], columns=["Since"], style="json")
    assert datetime.fromisoformat(json.loads(out.getvalue())[0]["since"]).replace(microsecond=0) < moment


def test_a_refusal_is_a_sentence_and_not_a_traceback() -> None:
    class Command(OperatorCommand):
        def handle(self, *args: object, **options: object) -> None:
            raise NotFound

    with pytest.raises(CommandError, match="There is nothing here"):
        call_command(Command())


def test_a_closed_pipe_is_no_failure() -> None:
    """As in `| head`: the reader is gone before everything is written."""
    script = "\n".join(
        [
            "import django; django.setup()",
            "from django.core.management import call_command",
            "from mitxonline.kernel.console import OperatorCommand",
            "class Command(OperatorCommand):",
            "    requires_system_checks = []",
            "    def handle(self, *args, **options):",
            "        for number in range(100_000):",
            "            self.stdout.write(f'line {number}')",
            "call_command(Command())",
        ]
    )
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stdout.readline() == "line 0\n"
        child.stdout.close()
        talk = child.stderr.read()
    assert (child.returncode, talk) == (0, "")


def test_every_command_prints_its_rows_by_one_writer() -> None:
    root = Path(__file__).resolve().parents[2]
    commands = [path for path in root.glob("*/**/management/**/*.py") if ".venv" not in path.parts]
    assert commands
    printing = [
        path for path in commands if re.search(r"\bjson\.dumps?\b|\brich\.table\b|csv\.writer", path.read_text())
    ]
    assert not printing, "use mitxonline.kernel.console.write_rows"

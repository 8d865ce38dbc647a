"""Any command works after `make setup`, before the storefront ever ran."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.embedded.fresh import needs_tables
from dev.embedded.places import PROJECT
from dev.embedded.servers import Servers


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "local"
    Servers(folder=tmp_path / "local").stop()


def start(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    environ = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=PROJECT,
        env=environ | {"LOCAL_DIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.timeout(300)
def test_two_first_commands_at_once_find_the_tables_made(folder: Path) -> None:
    first = start(folder, "b2b_list", "organizations", "--format", "json")
    second = start(folder, "b2b_contract", "create", "UniversityX", "UniversityX Contract", "sso")
    said = [first.communicate(), second.communicate()]
    assert (first.returncode, second.returncode) == (0, 0), said
    assert sum("new database" in err for _, err in said) == 1, "one of them makes them, the other waits"

    third = start(folder, "b2b_list", "organizations", "--format", "csv")
    listed, talk = third.communicate()
    assert "UniversityX" in listed
    assert "database is new" not in talk


@pytest.mark.parametrize(
    ("arguments", "needed"),
    [
        (["manage.py", "b2b_list", "organizations"], True),
        (["./manage.py", "shell"], True),
        (["manage.py", "migrate"], False),
        (["manage.py"], False),
        (["pytest", "tests"], False),
    ],
)
def test_only_commands_that_want_tables_get_them(arguments: list[str], *, needed: bool) -> None:
    assert needs_tables(arguments) is needed

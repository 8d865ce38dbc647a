"""How a run reports tests it left out, and when that fails it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dev.embedded.places import PROJECT

CONFTEST = """
from tests.support.programs import PROGRAMS, Program
pytest_plugins = ["tests.support.programs"]
PROGRAMS["abacus"] = Program(names=("abacus",), install="apt-get install abacus")
PROGRAMS["python"] = Program(names=("python3", "python"), install="")
"""
TESTS = """
import pytest

@pytest.mark.needs("abacus")
def test_counting(): raise AssertionError

@pytest.mark.needs("python")
def test_running(): pass
"""


def run(folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_it.py").write_text(TESTS)
    (folder / "pytest.ini").write_text("[pytest]\naddopts = -n1\n")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environ |= {"PYTHONPATH": str(PROJECT), "NOTHING_LEFT_OUT": ""} | variables
    command = [sys.executable, "-m", "pytest", "--rootdir", str(folder), str(folder)]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)


def test_tests_left_out_are_listed_with_the_missing_program(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout
    assert "1 test needs abacus. Install it with: apt-get install abacus\n" in done.stdout
    assert "1 passed, 1 skipped" in done.stdout.splitlines()[-1]


def test_where_nothing_may_be_left_out_the_run_fails(tmp_path: Path) -> None:
    done = run(tmp_path, NOTHING_LEFT_OUT="1")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "this run fails" in done.stdout

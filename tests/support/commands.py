"""Run management commands the way operators type them."""

from __future__ import annotations

import json
import shlex
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError


class CommandOutput:
    """A command's standard output (`result`) and standard error (`messages`)."""

    def __init__(self, result: str, messages: str) -> None:
        self.result = result
        self.messages = messages

    @property
    def rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(self.result)
        return rows


def run_command(line: str) -> CommandOutput:
    """Run a command line as the documents print it."""
    name, *arguments = shlex.split(line)
    out, err = StringIO(), StringIO()
    call_command(name, *arguments, stdout=out, stderr=err)
    return CommandOutput(out.getvalue(), err.getvalue())


def refusal_of(line: str) -> str:
    with pytest.raises(CommandError) as refusal:
        run_command(line)
    assert refusal.value.returncode == 1
    return str(refusal.value)

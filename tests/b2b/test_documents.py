"""The commands in docs/contracts.md work as printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from b2b.models import ContractPage
from b2b.services.contracts.checks import Disagreement
from tests.b2b.worlds import make_learner, make_source_course
from tests.support.commands import run_command

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "contracts.md").read_text()
COURSE = "course-v1:TesseraX+CLIM101x"


def typed_lines() -> list[str]:
    """Return the lines that can be run as printed; not those that only list options."""
    lines = re.findall(r"^    (b2b_.*)$", PAGE, flags=re.MULTILINE)
    return [line for line in lines if not re.search(r"[\[|]|ORGANIZATION|<organization>|<course, run", line)]


def test_there_are_lines_of_every_command() -> None:
    lines = typed_lines()
    for begin in ("create", "modify", "courseware", "members", "check"):
        assert any(line.startswith(f"b2b_contract {begin}") for line in lines), begin
    for begin in ("organizations", "contracts", "courseware", "reconciles"):
        assert any(line.startswith(f"b2b_list {begin}") for line in lines), begin


def test_every_line_works_in_its_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_source_course(COURSE)
    for address in ("amara@northgate.example", "ben@northgate.example"):
        make_learner(address)
    Path("people.csv").write_text("email,name\nben@northgate.example,Ben\n")
    for line in typed_lines():
        newest = ContractPage.objects.order_by("-pk").first()
        known = {"<contract ID>": str(newest.pk) if newest else "", "<course readable ID>": COURSE}
        for name, value in known.items():
            line = line.replace(name, value)
        assert "<" not in line
        run_command(line)
    page = ContractPage.objects.latest("pk")
    assert Path(f"codes-{page.pk}.csv").exists()
    assert page.terms.max_learners == 150
    seats = page.memberships.values_list("user__email", flat=True)
    assert sorted(seats) == ["amara@northgate.example", "ben@northgate.example"]


def test_everything_check_can_say_is_explained() -> None:
    source = (Path(__file__).resolve().parents[2] / "b2b" / "services" / "contracts" / "checks.py").read_text()
    kinds = set(re.findall(r'"([a-z]+(?:_[a-z]+)*)", (?:_\(|sentence|_few|_many|change\.|by_hand|refusal)', source))
    kinds |= set(re.findall(r'\(\s*"([a-z_]+)",\s*change', source)) | {"price", "discount", "requires_no_code"}
    assert len(kinds) > 15
    explained = set(re.findall(r"`([a-z_]+)`", PAGE))
    assert kinds - explained == set()
    assert "kind" in Disagreement.__slots__

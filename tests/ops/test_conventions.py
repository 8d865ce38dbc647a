"""Conventions no linter checks."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("api", "b2b", "cms", "courses", "ecommerce", "frontend", "mitxonline", "reports")

# Public classes that may share a name; Django looks `Command` up in each management command's module.
SHARED_NAMES = {
    "Command",
}


# Module-level functions still named by a bare participle. Take a name out when it is renamed; add none.
BARE_PARTICIPLES = {"_cached", "canceled", "completed"}
IRREGULAR = re.compile(
    "asked|begun|bought|broken|built|chosen|done|drawn|driven|found|given|gone|got|held|hidden|kept|known|left|lost"
    "|made|meant|met|paid|said|seen|sent|shown|spent|taken|taught|thought|told|written"
)

# Ids of documents that are not in this repository: the rule has to be said in words.
REFERENCE = re.compile(r"\b(?:API|B2B|CO|CODE|CW|EC|KC|SC)-\d{2}\b|\bdesign:? (?:EC-)?\d+\.?\d*")


def production_files() -> Iterator[Path]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path


def test_no_test_module_imports_another() -> None:
    found = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                modules = [node.module or ""]
            elif isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            else:
                continue
            found += [
                f"{path.relative_to(ROOT)}:{node.lineno} imports {module}"
                for module in modules
                if re.search(r"^tests\..*\btest_\w+$", module)
            ]
    assert found == [], "Move what several modules need to tests/support or to a helper module of the folder."


def test_no_two_public_classes_share_a_name() -> None:
    places = defaultdict(list)
    for path in production_files():
        if path.parts[-3] == "api" and path.name in ("schemas.py", "page_schemas.py", "products.py"):
            continue  # names of the API, which clients know
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(f"{path.relative_to(ROOT)}")
    shared = {name: paths for name, paths in places.items() if len(paths) > 1}
    assert {name: paths for name, paths in shared.items() if name not in SHARED_NAMES} == {}
    assert SHARED_NAMES - shared.keys() == set(), "These are unique by now: take them out of the list."


def test_staff_pages_are_built_from_the_kit() -> None:
    own = {"IndexView", "FormView", "WagtailAdminTemplateMixin", "PermissionCheckedMixin", "SpreadsheetExportMixin"}
    found = []
    for path in production_files():
        if "wagtail_hooks" not in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                names = own & {name.name for name in node.names}
                found += [f"{path.relative_to(ROOT)}:{node.lineno} imports {name}" for name in sorted(names)]
    assert found == [], "Derive from mitxonline.staff: permissions, refusals, reasons and safe files are solved there."


def test_functions_are_named_by_a_verb_not_by_a_participle() -> None:
    found = {
        node.name
        for path in production_files()
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and _is_participle(node.name.strip("_"))
    }
    assert found - BARE_PARTICIPLES == set(), "Name the act: `mark_paid`, not `paid`."
    assert BARE_PARTICIPLES - found == set(), "These are renamed: take them out of the list."


def _is_participle(name: str) -> bool:
    return bool(IRREGULAR.fullmatch(name)) or (
        name.endswith("ed") and "_" not in name and name not in {"feed", "embed", "seed"}
    )


def test_code_names_no_rule_by_an_id_alone() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {reference}"
        for path in production_files()
        for reference in REFERENCE.findall(path.read_text())
    ]
    assert found == []

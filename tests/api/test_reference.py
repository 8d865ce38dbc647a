"""Our schema says what clients expect, except for what docs/api.md lists."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.root import api
from tests.api.comparison import Comparison, Document

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs" / "api.md"
# A row of the table of differences: | `place` | why |
ROW = re.compile(r"^\| `([\w.\[\]?=&* ]+)` \| .+ \|$", re.MULTILINE)


@cache
def reference() -> Document:
    return Document(yaml.load((HERE / "reference.yaml").read_text(), yaml.CSafeLoader))


def ours() -> Document:
    return Document(json.loads(json.dumps(api.get_openapi_schema())))


def allowed() -> set[str]:
    table = DOCS.read_text().partition("\n## Differences\n")[2].partition("\n## ")[0]
    return set(ROW.findall(table))


def test_every_operation_is_there() -> None:
    assert set(reference().operations) - set(ours().operations) == set()


def test_operations_are_as_the_reference_says() -> None:
    found = Comparison(reference(), ours()).differences()
    wrong = [str(each) for each in found if each.place not in allowed()]
    assert not wrong, "\n".join(wrong)


def test_the_table_of_differences_has_no_row_too_many() -> None:
    found = {each.place for each in Comparison(reference(), ours()).differences()}
    assert allowed() - found == set(), "These are as the reference says: take them out of docs/api.md."


def document(**schemas: Any) -> Document:
    schema = {"type": "object", "required": ["x"], "properties": {"x": schemas["x"]}}
    answer = {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/A"}}}}}
    paths = {"/a/": {"get": {"operationId": "a", "parameters": [], "responses": answer}}}
    enumerations = {
        "Enum": {"enum": ["a"], "type": "string"},
        "BlankEnum": {"enum": [""]},
        "NullEnum": {"enum": [None]},
    }
    return Document({"paths": paths, "components": {"schemas": {"A": schema, **enumerations}}})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"type": "string", "nullable": True}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        (
            {"nullable": True, "oneOf": [{"$ref": f"#/x/{name}"} for name in ("Enum", "BlankEnum", "NullEnum")]},
            {"anyOf": [{"enum": ["", "a"], "type": "string"}, {"type": "null"}]},
        ),
        ({"allOf": [{"$ref": "#/x/Enum"}]}, {"const": "a", "type": "string"}),
        ({"type": "object", "additionalProperties": {}}, {"type": "object", "properties": {"y": {"type": "string"}}}),
        ({"type": "number", "format": "double"}, {"type": "number"}),
    ],
)
def test_two_ways_to_write_a_type_are_the_same(old: Any, new: Any) -> None:
    assert Comparison(document(x=old), document(x=new)).differences() == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"type": "string"}, {"type": "integer"}),
        ({"type": "string", "nullable": True}, {"type": "string"}),
        ({"type": "string", "format": "date-time"}, {"type": "string"}),
        ({"enum": ["a", "b"]}, {"enum": ["a"]}),
        ({"type": "array", "items": {"type": "string"}}, {"type": "array", "items": {"type": "integer"}}),
        ({"type": "object", "properties": {"y": {"type": "string"}}}, {"type": "object", "properties": {}}),
    ],
)
def test_a_difference_is_seen(old: Any, new: Any) -> None:
    assert [each.place[:3] for each in Comparison(document(x=old), document(x=new)).differences()] == ["A.x"]

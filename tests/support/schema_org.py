"""Check JSON-LD against schema.org's own vocabulary: types, their properties, and what each property takes.

`schema_org.json` is the part of the published vocabulary that our pages use, with all properties of those types.
Ranges are types, or how their values are written: str, int, float, date, datetime.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

VOCABULARY = json.loads(Path(__file__).with_name("schema_org.json").read_text())["types"]
ENUMERATIONS = {"ItemAvailability": {"InStock", "PreOrder", "OutOfStock", "SoldOut", "LimitedAvailability"}}
PATTERNS = {"date": r"\d{4}-\d\d-\d\d", "datetime": r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?([+-]\d\d:\d\d|Z)?"}


def find_faults(document: dict[str, Any]) -> list[str]:
    """Return what is wrong with a document; nothing if it keeps to the vocabulary and its references lead somewhere."""
    if document.get("@context") != "https://schema.org":
        return ["another context"]
    nodes = document["@graph"]
    known = {node["@id"]: node["@type"] for node in _walk(nodes) if "@type" in node and "@id" in node}
    return [fault for node in nodes for fault in _faults_of(node, known)]


def _walk(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from _walk(each)
    elif isinstance(value, list):
        for each in value:
            yield from _walk(each)


def _faults_of(node: dict[str, Any], known: dict[str, str]) -> Iterator[str]:
    kind = node.get("@type", "")
    if kind not in VOCABULARY:
        yield f"{kind or node} isn’t a type"
        return
    for name, value in node.items():
        if name.startswith("@"):
            continue
        ranges = VOCABULARY[kind]["properties"].get(name)
        if ranges is None:
            yield f"{kind} has no {name}"
            continue
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, dict) and "@type" in each:
                yield from _faults_of(each, known)
            if not _fits(each, ranges, known):
                yield f"{kind}.{name} doesn’t take {each!r}"


def _fits(value: object, ranges: list[str], known: dict[str, str]) -> bool:
    if isinstance(value, dict):
        kind = value.get("@type") or known.get(value.get("@id", ""), "")
        return bool({kind, *VOCABULARY.get(kind, {"ancestors": []})["ancestors"]} & set(ranges))
    if isinstance(value, bool):
        return "bool" in ranges
    if isinstance(value, int | float):
        return bool({"int", "float"} & set(ranges))
    text = str(value)
    for name in ranges:
        if name in ENUMERATIONS and text.removeprefix("https://schema.org/") in ENUMERATIONS[name]:
            return True
        if name in PATTERNS and re.fullmatch(PATTERNS[name], text):
            return True
    # A page may be named by its address alone, as search engines document it for breadcrumbs.
    return "str" in ranges or ("Thing" in ranges and text.startswith(("http://", "https://")))

"""Compares two OpenAPI documents: what clients expect, and what the API says of itself.

Compared are paths, methods, ids, parameters, fields, types, what is required, what may be null, and enumerations. Not
compared are words, limits of lengths, and whether a field is read-only: requests and answers have classes of their own.

What is allowed everywhere:

* path parameters that the path doesn't have are left out;
* where an object is open, ours may say what is in it;
* refusals and failures (4xx, 5xx) may be there that the reference doesn't mention.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

JSON = "application/json"
# Formats that change what a client makes of a value.
FORMATS = {"date-time", "date", "email", "uri", "uuid", "decimal", "binary"}


@dataclass(frozen=True)
class Node:
    """A type, the same for all ways to write it."""

    kind: str
    is_nullable: bool = False
    name: str = ""
    values: frozenset[Any] = frozenset()
    items: Node | None = None
    fields: Mapping[str, Node] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    options: tuple[Node, ...] = ()

    def __str__(self) -> str:
        text = self.name or (f"one of {sorted(map(repr, self.values))}" if self.values else self.kind)
        return f"{text} or null" if self.is_nullable else text


@dataclass(frozen=True)
class Difference:
    """`place` is an operation with its part, or a component with its field."""

    place: str
    expected: str
    ours: str

    def __str__(self) -> str:
        return f"{self.place}: expected {self.expected}, is {self.ours}"


@dataclass(frozen=True)
class Operation:
    path: str
    method: str
    details: Mapping[str, Any]


class Document:
    """An OpenAPI document of version 3.0 or 3.1."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.components: Mapping[str, Any] = content["components"]["schemas"]
        self.operations = {
            details["operationId"]: Operation(path, method, details)
            for path, methods in content["paths"].items()
            for method, details in methods.items()
        }

    def read(self, schema: Mapping[str, Any]) -> Node:
        node = self._read(schema)
        return replace(node, is_nullable=node.is_nullable or bool(schema.get("nullable")))

    def _read(self, schema: Mapping[str, Any]) -> Node:
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            target = self.components[name]
            return self.read(target) if "enum" in target or "const" in target else Node("object", name=name)
        if "allOf" in schema:
            return self.read(schema["allOf"][0])
        if options := schema.get("oneOf") or schema.get("anyOf"):
            return _unite([self.read(each) for each in options])
        if "enum" in schema or "const" in schema:
            values = schema.get("enum", [schema.get("const")])
            rest = frozenset(each for each in values if each is not None)
            return Node("enum" if rest else "null", is_nullable=len(rest) < len(values), values=rest)
        kind = schema.get("type", "object" if "properties" in schema else "any")
        if kind == "array":
            return Node("array", items=self.read(schema.get("items", {})))
        if kind == "object":
            fields = {name: self.read(each) for name, each in schema.get("properties", {}).items()}
            return Node("object", fields=fields, required=frozenset(schema.get("required", [])))
        if kind == "null":
            return Node("null", is_nullable=True)
        form = schema.get("format")
        return Node(f"{kind} ({form})" if form in FORMATS else kind)


def _unite(nodes: list[Node]) -> Node:
    is_nullable = any(each.is_nullable for each in nodes)
    rest = [each for each in nodes if each.kind != "null"]
    if all(each.kind == "enum" for each in rest):
        values = frozenset(value for each in rest for value in each.values)
        return Node("enum" if rest else "null", is_nullable=is_nullable, values=values)
    if len(rest) == 1:
        return replace(rest[0], is_nullable=is_nullable)
    options = tuple(sorted(rest, key=lambda each: (each.kind, each.name)))
    return Node(" | ".join(str(each) for each in options), is_nullable=is_nullable, options=options)


class Comparison:
    """Compares the operations that both documents have, and the components these use."""

    def __init__(self, reference: Document, ours: Document) -> None:
        self.reference, self.ours = reference, ours
        self._open: list[str] = []
        self._seen: set[str] = set()

    def differences(self) -> list[Difference]:
        found: list[Difference] = []
        for name, expected in self.reference.operations.items():
            if (actual := self.ours.operations.get(name)) is not None:
                found += self._of_operation(name, expected, actual)
        while self._open:
            name = self._open.pop()
            if name in self.ours.components:
                mine, theirs = (each.read(each.components[name]) for each in (self.ours, self.reference))
                found += self._of_nodes(name, theirs, mine)
        return found

    def _of_operation(self, name: str, expected: Operation, actual: Operation) -> Iterator[Difference]:
        if (expected.path, expected.method) != (actual.path, actual.method):
            yield Difference(name, f"{expected.method} {expected.path}", f"{actual.method} {actual.path}")
        yield from self._of_parameters(name, expected, actual)
        body, mine = (each.details.get("requestBody", {}).get("content", {}) for each in (expected, actual))
        if set(body) != set(mine):
            yield Difference(f"{name}.body", f"{sorted(body)}", f"{sorted(mine)}")
        elif JSON in body:
            yield from self._of_schemas(f"{name}.body", body[JSON]["schema"], mine[JSON]["schema"])
        yield from self._of_answers(name, expected.details["responses"], actual.details["responses"])

    def _of_parameters(self, name: str, expected: Operation, actual: Operation) -> Iterator[Difference]:
        theirs, mine = _parameters(expected), _parameters(actual)
        for key in sorted(theirs.keys() | mine.keys()):
            place = f"{name}.{key[1]}"
            if key not in theirs or key not in mine:
                yield Difference(place, "a parameter" if key in theirs else "none", "one" if key in mine else "none")
                continue
            needs = [bool(each[key].get("required")) for each in (theirs, mine)]
            if needs[0] != needs[1]:
                yield Difference(place, f"required: {needs[0]}", f"required: {needs[1]}")
            yield from self._of_schemas(place, theirs[key]["schema"], mine[key]["schema"])

    def _of_answers(self, name: str, theirs: Mapping[Any, Any], mine: Mapping[Any, Any]) -> Iterator[Difference]:
        theirs, mine = ({str(status): each for status, each in answers.items()} for answers in (theirs, mine))
        for status in sorted(theirs.keys() | mine.keys()):
            place = f"{name}.{status}"
            if status not in mine:
                yield Difference(place, "an answer", "none")
            elif status not in theirs:
                if not status.startswith(("4", "5")):
                    yield Difference(place, "no answer", "one")
            else:
                expected, actual = (each[status].get("content", {}).get(JSON) for each in (theirs, mine))
                if expected is None or actual is None:
                    if expected is not actual:
                        yield Difference(place, "a body" if expected else "no body", "one" if actual else "none")
                else:
                    yield from self._of_schemas(place, expected["schema"], actual["schema"])

    def _of_schemas(self, place: str, expected: Mapping[str, Any], actual: Mapping[str, Any]) -> Iterator[Difference]:
        yield from self._of_nodes(place, self.reference.read(expected), self.ours.read(actual))

    def _of_nodes(self, place: str, expected: Node, actual: Node) -> Iterator[Difference]:
        if expected.is_nullable != actual.is_nullable:
            yield Difference(place, str(expected), str(actual))
        elif expected.name and actual.name:
            if expected.name != actual.name:
                yield Difference(place, expected.name, actual.name)
            elif expected.name not in self._seen:
                self._seen.add(expected.name)
                self._open.append(expected.name)
        elif expected.kind != actual.kind or expected.values != actual.values:
            if expected.kind != "any":
                yield Difference(place, str(expected), str(actual))
        elif expected.items and actual.items:
            yield from self._of_nodes(f"{place}[]", expected.items, actual.items)
        elif expected.kind == "object":
            yield from self._of_objects(place, self._inline(self.reference, expected), self._inline(self.ours, actual))

    def _of_objects(self, place: str, expected: Node, actual: Node) -> Iterator[Difference]:
        if not expected.fields:
            return  # an open object
        for name in sorted(expected.fields.keys() | actual.fields.keys()):
            here = f"{place}.{name}"
            if name not in expected.fields or name not in actual.fields:
                was, now = ("a field" if name in each.fields else "none" for each in (expected, actual))
                yield Difference(here, was, now)
                continue
            needs = [name in each.required for each in (expected, actual)]
            if needs[0] != needs[1]:
                yield Difference(here, f"required: {needs[0]}", f"required: {needs[1]}")
            yield from self._of_nodes(here, expected.fields[name], actual.fields[name])

    def _inline(self, document: Document, node: Node) -> Node:
        return document.read(document.components[node.name]) if node.name else node


def _parameters(operation: Operation) -> dict[tuple[str, str], Mapping[str, Any]]:
    return {
        (each["in"], each["name"]): each
        for each in operation.details.get("parameters", [])
        if each["in"] != "path" or f"{{{each['name']}}}" in operation.path
    }

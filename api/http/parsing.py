"""Reading requests: JSON as well as forms, as browsers and other clients send them."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest
from django.utils.datastructures import MultiValueDict
from ninja.parser import Parser

from api.http.errors import BodyUnreadable

_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


class AnyParser(Parser):
    """Reads JSON, and forms. PostgreSQL stores no NUL, so nothing with one goes further."""

    def parse_body(self, request: HttpRequest) -> Any:  # a list too, unlike the base's
        if request.content_type in _FORMS:
            return _nest(self.parse_querydict(request.POST, [], request))
        text = request.body.decode()
        if r"\u0000" in text or "\0" in text:
            raise ValueError("NUL")
        return json.loads(text, parse_constant=_refuse_constant)

    def parse_querydict(
        self, data: MultiValueDict[str, Any], list_fields: list[str], request: HttpRequest
    ) -> dict[str, Any]:
        if any("\0" in str(value) for name, values in data.lists() for value in (name, *values)):
            raise BodyUnreadable
        return super().parse_querydict(data, list_fields, request)


def _nest(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a form as objects: `address.city` is the city of the address."""
    nested: dict[str, Any] = {}
    for name, value in fields.items():
        *parts, last = name.split(".")
        place = nested
        for part in parts:
            inner = place.setdefault(part, {})
            if not isinstance(inner, dict):
                raise ValueError(name)
            place = inner
        place[last] = value
    return nested


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)  # NaN and Infinity are no JSON

"""A client that holds every answer against the API's own schema."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from django.test import Client
from jsonschema_rs import Draft202012Validator

from api.root import api
from mitxonline.users.models import User


class ApiClient(Client):
    """Fails if an answer has a status, a media type or a body that the schema doesn't have."""

    def __init__(self, user: User | None = None, *, token: str = "", **options: Any) -> None:
        super().__init__(**options)
        if token:
            self.defaults["HTTP_AUTHORIZATION"] = token
        if user is not None:
            self.force_login(user)

    def request(self, **request: Any) -> Any:
        response = super().request(**request)
        check(request["REQUEST_METHOD"], request["PATH_INFO"], response)
        return response

    def send(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        """Send JSON."""
        data = "" if body is None else json.dumps(body)
        return self.generic(method.upper(), path, data, content_type="application/json", headers=headers)


def check(method: str, path: str, response: Any) -> None:
    """Fail unless the answer is one that the schema has."""
    assert response.headers["X-Trace-Id"]
    status = response.status_code
    if status in (301, 302, 304):
        return
    operation = find_operation(method, path)
    if operation is None or status == 405:
        assert status >= 400, f"{method} {path} answers {status} and isn't in the schema"
        return
    answers = {str(each): answer for each, answer in operation["responses"].items()}
    answer = answers.get(str(status)) or answers.get(f"{status // 100}XX")
    assert answer is not None, f"{operation['operationId']}: {status} is not in the schema: {response.content[:500]!r}"
    if "content" not in answer:
        assert not response.content, f"{operation['operationId']}: {status} has a body"
        return
    kind = response.headers["Content-Type"].partition(";")[0]
    assert kind in answer["content"], f"{operation['operationId']}: {kind} is not in the schema"
    found = list(_validator(json.dumps(answer["content"][kind]["schema"])).iter_errors(response.json()))
    wrong = [f"{'.'.join(map(str, each.instance_path))}: {each.message}" for each in found]
    assert not wrong, f"{operation['operationId']} {status}: " + "\n".join(wrong[:10])


def find_operation(method: str, path: str) -> dict[str, Any] | None:
    """Return the schema's operation at an address; the one with fewest variable parts first, as Django's routes go."""
    for pattern, methods in _routes():
        if pattern.fullmatch(path) and method.lower() in methods:
            found: dict[str, Any] = methods[method.lower()]
            return found
    return None


@cache
def schema() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.dumps(api.get_openapi_schema()))
    return document


@cache
def _routes() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    paths = sorted(schema()["paths"].items(), key=lambda each: each[0].count("{"))
    return [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), methods) for path, methods in paths if "?" not in path]


@cache
def _validator(part: str) -> Draft202012Validator:
    return Draft202012Validator({**json.loads(part), "components": schema()["components"]}, validate_formats=True)

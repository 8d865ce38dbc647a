"""The schema: what Ninja writes, and what all operations have in common."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema, get_schema

from api.http.callers import Door
from api.http.errors import PROBLEM, add_refusals
from api.http.parsing import AnyParser
from api.http.shapes import Reply, Uri

JSON_TYPE = "application/json"
FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")
_SIGNED_IN: list[dict[str, list[str]]] = [{"session": []}, {"token": []}]


class DetailError(Reply):
    """A refusal: `detail` is a sentence for people. Also there are `code`, for machines, and what is wrong by field."""

    detail: str


class Problem(Reply):
    """A refusal as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: Uri


class StorefrontApi(NinjaAPI):
    """All operations of the site, with its refusals and a schema that is written once."""

    def __init__(self, **options: Any) -> None:
        super().__init__(parser=AnyParser(), openapi_url="schema/", docs_url="docs/", **options)
        self._schema: OpenAPISchema | None = None
        add_refusals(self)

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        if self._schema is None:
            self._schema = _complete(get_schema(self, self.get_root_path(path_params or {})), self)
        return self._schema


def _complete(schema: OpenAPISchema, api: NinjaAPI) -> OpenAPISchema:
    components = schema["components"]["schemas"]
    for shape in (DetailError, Problem):
        components[shape.__name__] = shape.model_json_schema()
    schema["components"]["securitySchemes"] = {
        "session": {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME},
        "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    }
    doors = _doors(api)
    for operations in schema["paths"].values():
        for operation in operations.values():
            _complete_operation(operation, doors[operation["operationId"]])
    return schema


def _doors(api: NinjaAPI) -> dict[str, Door | None]:
    """Return by operation who may call it."""
    return {
        operation.operation_id or "": next((each for each in operation.auth_callbacks if isinstance(each, Door)), None)
        for router in api._get_bound_routers()
        for view in router.path_operations.values()
        for operation in view.operations
    }


def _complete_operation(operation: dict[str, Any], door: Door | None) -> None:
    is_open = door is None or door.is_open
    operation["security"] = (
        [{"token": []}] if door is not None and door.scope else [*_SIGNED_IN, *([{}] if is_open else [])]
    )
    for parameter in operation["parameters"]:
        if parameter["schema"].get("type") == "array":
            parameter |= {"style": "form", "explode": False}
    if body := operation.get("requestBody"):
        content = body["content"]
        content |= {kind: content[JSON_TYPE] for kind in FORM_TYPES if JSON_TYPE in content}
    answers = operation["responses"]
    for status, description in (("4XX", "Refused"), ("5XX", "Failed")):
        answers.setdefault(status, {"description": description, "content": {JSON_TYPE: {"schema": _ref(DetailError)}}})
    for status, answer in answers.items():
        if str(status).startswith(("4", "5")) and "content" in answer:
            answer["content"][PROBLEM] = {"schema": _ref(Problem)}


def _ref(shape: type[Reply]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{shape.__name__}"}

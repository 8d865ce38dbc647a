"""What requests and answers are made of. Names of classes are the component names of the schema."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from django.utils.timezone import is_naive, make_aware
from django.utils.translation import gettext
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue

T = TypeVar("T")

# What PostgreSQL's bigint holds.
MAX_ID = 2**63 - 1


class _Optional:
    """Marks a field that the schema doesn't promise."""


# A field that we always send, although the schema calls it optional.
Omittable = Annotated[T, _Optional()]
# The default of a field that a request may leave out and whose type knows no null: see `model_fields_set`.
LEFT_OUT: Any = None

Id = Annotated[int, Field(ge=0, le=MAX_ID)]
# An id that is negative for some things: see the operation.
SignedId = Annotated[int, Field(ge=-MAX_ID, le=MAX_ID)]
Email = Annotated[str, Field(json_schema_extra={"format": "email"})]
Uri = Annotated[str, Field(json_schema_extra={"format": "uri"})]
# An amount as text, so that no reader rounds it.
DecimalText = Annotated[
    Decimal, PlainSerializer(str, return_type=str), Field(json_schema_extra={"type": "string", "format": "decimal"})
]
# An amount that a request brings: as text, so that nothing rounds it, or as a number.
DecimalInput = Annotated[Decimal, WithJsonSchema({"type": "string", "format": "decimal"})]

FIRST_YEAR, LAST_YEAR = 1900, 9000


def _read_moment(value: datetime) -> datetime:
    """Take a time without a zone as one of the site's. The database can't return years at the ends of the calendar."""
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise ValueError(gettext("Give a date from {first} to {last}.").format(first=FIRST_YEAR, last=LAST_YEAR))
    return make_aware(value) if is_naive(value) else value


# A time that a request brings.
Moment = Annotated[datetime, AfterValidator(_read_moment)]


def _split(value: object) -> object:
    """Split a parameter at its commas: `?id=1,2` and `?id=1&id=2` are the same."""
    if isinstance(value, str):
        value = [value]
    if isinstance(value, Iterable):
        return [part for each in value for part in (each.split(",") if isinstance(each, str) else [each])]
    return value


# A parameter with several numbers.
Ids = Annotated[list[Id], BeforeValidator(_split)]


class Reply(BaseModel):
    """What an operation answers."""

    model_config = ConfigDict(from_attributes=True)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core_schema)
        own = handler.resolve_ref_schema(schema)
        optional = {_name(name, field) for name, field in cls.model_fields.items() if _is_optional(field)}
        if "required" in own:
            own["required"] = [name for name in own["required"] if name not in optional]
            if not own["required"]:
                del own["required"]
        return schema


class Input(BaseModel):
    """What a request carries. What an operation doesn't know is ignored, so that clients of other versions work."""

    model_config = ConfigDict(extra="ignore")

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core_schema)
        own = handler.resolve_ref_schema(schema)
        for details in own.get("properties", {}).values():
            if details.get("default", ...) is None and {"type": "null"} not in details.get("anyOf", []):
                del details["default"]
        return schema


def whole(number: float) -> int:
    """Return an id that the API calls a number, or 0, which no row has, if it is no id."""
    return int(number) if number.is_integer() and 0 <= number < MAX_ID else 0


def _name(name: str, field: FieldInfo) -> str:
    return field.serialization_alias or field.alias or name


def _is_optional(field: FieldInfo) -> bool:
    return any(isinstance(each, _Optional) for each in field.metadata)

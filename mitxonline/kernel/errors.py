"""Refusals: each is a class with a code for machines, a sentence for people and typed data for both."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

JSON: TypeAlias = "bool | int | str | list[JSON] | dict[str, JSON] | None"


class DomainError(Exception):
    """Something was refused, and a person can be told why.

    A subclass sets `code` and `status`, names in `exposes` the attributes an API client gets as data, and
    says in `retry_url` where a visitor can do something about it.
    """

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 409
    exposes: ClassVar[tuple[str, ...]] = ()
    retry_url: str | None = None

    def __init__(self, message: StrOrPromise) -> None:
        self._message = message
        super().__init__(message)

    @property
    def message(self) -> str:
        """The sentence, in the language active when it is read."""
        return str(self._message)

    def data(self) -> dict[str, JSON]:
        """The attributes named in `exposes`, as JSON values."""
        return {name: _as_json(getattr(self, name)) for name in self.exposes}

    def __str__(self) -> str:
        return self.message


class NotFound(DomainError):
    """There is no such thing, or it is not this person's to see: the two answers are the same."""

    code = "not_found"
    status = 404

    def __init__(self, message: StrOrPromise = "") -> None:
        super().__init__(message or _("There is nothing here, or it isn’t yours to see."))


class Forbidden(DomainError):
    """The person is known and may not do this, and it is no secret that it can be done."""

    code = "forbidden"
    status = 403

    def __init__(self, message: StrOrPromise = "") -> None:
        super().__init__(message or _("You don’t have permission to do this."))


class RateLimited(DomainError):
    """Too many failed tries; `retry_after` is in seconds, and `limit` is how many are allowed, where it is known."""

    code = "rate_limited"
    status = 429
    exposes = ("retry_after",)

    def __init__(self, retry_after: int, message: StrOrPromise = "", *, limit: int = 0) -> None:
        self.retry_after = retry_after
        self.limit = limit
        super().__init__(message or _wait(self.minutes))

    @property
    def minutes(self) -> int:
        """The time left in whole minutes, at least one: what a sentence says."""
        return max(1, -(-self.retry_after // 60))


def _wait(minutes: int) -> str:
    sentence = ngettext(
        "You have tried too often. Wait %(minutes)d minute, then try again.",
        "You have tried too often. Wait %(minutes)d minutes, then try again.",
        minutes,
    )
    return sentence % {"minutes": minutes}


def _as_json(value: object) -> JSON:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, date):  # a datetime is a date too
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _as_json(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_as_json(each) for each in value]
    if isinstance(value, Decimal):
        return str(value)
    return str(value)

"""Refusals: a class each, that declares a code for machines and sentences for people."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, TypeAlias, dataclass_transform

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from mitxonline.kernel.dates import format_day

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

JSON: TypeAlias = "bool | int | str | list[JSON] | dict[str, JSON] | None"


class WayOn(StrEnum):
    """What a page offers someone who was refused. Templates compare with the values."""

    TRY_AGAIN = "try_again"
    ANOTHER_CODE = "another_code"
    CATALOG = "catalog"
    CART = "cart"
    DASHBOARD = "dashboard"
    ORDER = "order"
    ACCOUNT = "account"
    OTHER_ACCOUNT = "other_account"
    OTHER_SIGN_IN = "other_sign_in"
    MAILED_LINK = "mailed_link"


@dataclass_transform(kw_only_default=True, eq_default=False)
class DomainError(Exception):
    """Something was refused, and a person can be told why.

    A subclass declares its sentences and, as annotated fields, what fills the places in them:

        class ContractEnded(CodeRefused):
            code = "contract_ended"
            heading = _("This code expired on {ended}")
            advice = _("Ask {organization} whether there is a new one.")
            exposes = ("ended",)
            ended: date
            organization: str

    Fields are keyword arguments, checked by mypy. Sentences are filled in when they are read, so they appear in the
    reader's language. Plurals are declared with `ngettext_lazy` and the name of the field that is counted.

    The text reads “message advice”; without a message it reads “heading. advice”. A page shows the heading above and
    the rest below. `exposes` names the fields an API client gets as data, `retry_url` is where a visitor can do
    something about it.
    """

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 409
    heading: ClassVar[StrOrPromise] = _("We can’t do that")
    message: ClassVar[StrOrPromise] = ""
    advice: ClassVar[StrOrPromise] = ""
    ways_on: ClassVar[tuple[WayOn, ...]] = ()
    exposes: ClassVar[tuple[str, ...]] = ()
    fields: ClassVar[tuple[str, ...]] = ()
    retry_url: str | None = None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own = (name for name, kind in inspect.get_annotations(cls).items() if not str(kind).startswith("ClassVar"))
        cls.fields = tuple(dict.fromkeys((*cls.fields, *own)))

    def __init__(self, **details: object) -> None:
        super().__init__()
        self.__dict__.update(details)
        wrong = [name for name in details if name not in self.fields]
        wrong += [name for name in self.fields if not hasattr(self, name)]
        if wrong:
            raise TypeError(f"{type(self).__name__}: missing or unknown {', '.join(wrong)}")

    @property
    def heading_text(self) -> str:
        return self._fill(self.heading)

    @property
    def body_text(self) -> str:
        """What a page says below the heading."""
        return " ".join(filter(None, (self._fill(self.message), self._fill(self.advice))))

    def __str__(self) -> str:
        if self.message:
            return self.body_text
        return " ".join(filter(None, (f"{self.heading_text}.", self.body_text)))

    def data(self) -> dict[str, JSON]:
        """The fields named in `exposes`, as JSON values."""
        return {name: _as_json(getattr(self, name)) for name in self.exposes}

    def details(self) -> dict[str, object]:
        """What fills the places of the sentences. A subclass adds what it works out from its fields."""
        return {name: getattr(self, name) for name in self.fields}

    def _fill(self, sentence: StrOrPromise) -> str:
        if not sentence:
            return ""
        return sentence.format(**{name: _as_text(value) for name, value in self.details().items()})


class NotFound(DomainError):
    """There is no such thing, or it is not this person's to see: the two answers are the same."""

    code = "not_found"
    status = 404
    heading = _("We can’t find that")
    message = _("There is nothing here, or it isn’t yours to see.")


class Forbidden(DomainError):
    """The person is known and may not do this, and it is no secret that it can be done."""

    code = "forbidden"
    status = 403
    heading = _("You don’t have access")
    message = _("You don’t have permission to do this.")


class RateLimited(DomainError):
    """Too many attempts; `retry_after` is in seconds, `limit` how many are allowed (0 where it isn’t known)."""

    code = "rate_limited"
    status = 429
    heading = _("Too many attempts")
    message = ngettext_lazy(
        "Too many attempts. Wait {minutes} minute, then try again.",
        "Too many attempts. Wait {minutes} minutes, then try again.",
        "minutes",
    )
    exposes = ("retry_after",)

    retry_after: int
    limit: int = 0
    retry_url: str | None = None

    @property
    def minutes(self) -> int:
        """The time left in whole minutes, at least one."""
        return max(1, -(-self.retry_after // 60))

    def details(self) -> dict[str, object]:
        return super().details() | {"minutes": self.minutes}


def _as_text(value: object) -> object:
    """A field as a sentence says it: days in the reader's format, lists with commas. Numbers stay, to be counted."""
    if isinstance(value, date):
        return format_day(value)
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return value


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

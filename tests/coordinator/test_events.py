import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Optional
from uuid import UUID

import pytest
from django.contrib.auth.models import Group
from hypothesis import given
from hypothesis import strategies as st

from mitxonline.coordinator.events import Event, UnsuitableField, field_types


class Door(StrEnum):
    CODE = "code"


@dataclass(frozen=True)
class Everything(Event):
    number: int
    text: str
    flag: bool
    day: date
    moment: datetime
    amount: Decimal
    key: UUID
    numbers: tuple[int, ...] = ()
    days: tuple[date, ...] = ()
    maybe: int | None = None
    maybe_day: Optional[date] = None  # noqa: UP045 - the older way to write it is understood too
    pairs: tuple[tuple[str, ...], ...] = ()


EVENTS = st.builds(
    Everything,
    number=st.integers(-(2**53), 2**53),
    text=st.text(),
    flag=st.booleans(),
    day=st.dates(),
    moment=st.datetimes(timezones=st.just(UTC)),
    amount=st.decimals(allow_nan=False, allow_infinity=False, places=2),
    key=st.uuids(),
    numbers=st.lists(st.integers(0, 10**6)).map(tuple),
    days=st.lists(st.dates()).map(tuple),
    maybe=st.none() | st.integers(0, 10),
    maybe_day=st.none() | st.dates(),
    pairs=st.lists(st.lists(st.text()).map(tuple)).map(tuple),
)


@given(EVENTS)
def test_an_event_arrives_as_it_was_sent(event: Everything) -> None:
    arrived = Everything.from_payload(json.loads(json.dumps(event.to_payload())))
    assert arrived == event


def an_event(**changes: object) -> Everything:
    facts = {
        "number": 1,
        "text": "",
        "flag": True,
        "day": date(2026, 1, 1),
        "moment": datetime(2026, 1, 1, tzinfo=UTC),
        "amount": Decimal("1.10"),
        "key": UUID(int=1),
    }
    return Everything(**facts | changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [{"number": "1"}, {"number": True}, {"number": 1.0}, {"text": None}, {"numbers": [1]}, {"day": "2026-01-01"}],
)
def test_a_value_that_is_not_what_its_field_says_is_refused_when_published(changes: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        an_event(**changes).to_payload()


def test_a_choice_travels_as_its_value() -> None:
    payload = an_event(text=Door.CODE).to_payload()
    assert payload["text"] == "code"
    assert type(payload["text"]) is str


def test_a_release_may_add_and_drop_fields_while_deliveries_wait() -> None:
    payload = an_event().to_payload()
    del payload["maybe"]
    payload["dropped"] = 1
    assert Everything.from_payload(payload).maybe is None


@dataclass(frozen=True)
class WithFloat(Event):
    amount: float


@dataclass(frozen=True)
class WithModel(Event):
    group: Group


@dataclass(frozen=True)
class WithMapping(Event):
    facts: dict[str, int]


@dataclass(frozen=True)
class WithPair(Event):
    pair: tuple[int, str]


@pytest.mark.parametrize("event", [WithFloat, WithModel, WithMapping, WithPair])
def test_only_ids_and_plain_values_travel(event: type[Event]) -> None:
    with pytest.raises(UnsuitableField, match=event.__name__):
        field_types(event)

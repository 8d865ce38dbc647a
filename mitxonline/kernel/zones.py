"""Time zones a person can choose."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

# The zones named for places. The others are older names for them, or fixed offsets.
AREAS = ("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
UTC = "UTC"


def find_zone(name: str) -> ZoneInfo | None:
    """Return the zone of this name, or None if this machine doesn't know it."""
    return ZoneInfo(name) if name in available_zones() else None


def validate_zone(name: str) -> None:
    if find_zone(name) is None:
        raise ValidationError(_("Choose a time zone from the list."))


@cache
def available_zones() -> frozenset[str]:
    return frozenset({UTC, *(name for name in available_timezones() if name.partition("/")[0] in AREAS)})


def zone_choices() -> Iterable[tuple[str, str | list[tuple[str, str]]]]:
    """List the zones for a select, grouped by their area: “New York” under “America”."""
    yield UTC, UTC
    for area in AREAS:
        names = sorted(name for name in available_zones() if name.startswith(f"{area}/"))
        if names:
            yield area, [(name, _place(name)) for name in names]


def _place(name: str) -> str:
    return ", ".join(reversed(name.split("/")[1:])).replace("_", " ")

"""A circuit breaker per remote account, shared by all processes through the cache.

Closed: everyone asks. After `BREAKER_FAILURES` silences in a row it opens: for `BREAKER_PAUSE` seconds no one asks.
Then it is half open: one caller tries, and an answer closes it. Without the cache it is closed.

A page gives up sooner than the worker does. So what pages found silent the worker may still ask, one call at a time,
until it finds it silent too; otherwise an account that is only slow would never be asked.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Literal

from django.conf import settings
from django.core.cache import cache

logger = logging.getLogger(__name__)

Caller = Literal["page", "worker"]

_WINDOW = 60  # seconds in which silences count as being in a row
_MEMORY = 3600  # seconds after which an account that no one asked counts as well again
_INDEX = "breaker:names"  # only for showing: of two that are written at once, one may be missing


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to ask once. How it went is to be said by `answered` or `silent`; a call cut short says neither."""

    name: str
    caller: Caller
    known: dict[str, Any]

    def answered(self) -> None:
        """Close the breaker. Costs nothing where it was closed and no silence had been counted."""
        if not self.known:
            return
        close(self.name)
        if _key(self.name, "find_open_breakers") in self.known:
            logger.warning("remote account answers again", extra={"remote": self.name})

    def silent(self) -> None:
        """Count a silence; the last one that is borne opens the breaker, and so does every one of a probe."""
        find_open_breakers = _key(self.name, "find_open_breakers")
        is_probe = find_open_breakers in self.known
        if not is_probe and self._count() < settings.BREAKER_FAILURES:
            return
        cache.set(find_open_breakers, 1, _MEMORY)
        cache.set(_key(self.name, "open"), self.caller, settings.BREAKER_PAUSE)
        cache.delete(_key(self.name, "probe"))
        if not is_probe:
            cache.set(_INDEX, sorted({*cache.get(_INDEX, ()), self.name}), _MEMORY)
            logger.error("remote account doesn't answer, left alone for a while", extra={"remote": self.name})

    def unused(self) -> None:
        """The call was never made: someone else may be the probe."""
        if _key(self.name, "find_open_breakers") in self.known:
            cache.delete(_key(self.name, "probe"))

    def _count(self) -> int:
        failures = _key(self.name, "failures")
        cache.add(failures, 0, _WINDOW)
        try:
            return cache.incr(failures)
        except ValueError:  # the cache is away, or it was closed in this moment
            return 0


def permit(name: str, caller: Caller, *, seconds: float) -> Permit | None:
    """Leave to ask an account, or None while its breaker is open. A probe that is lost ends after these seconds."""
    known = cache.get_many(_keys(name))
    opened_by = known.get(_key(name, "open"))
    if opened_by == "worker" or (opened_by == "page" and caller == "page"):
        return None
    if _key(name, "find_open_breakers") in known and not cache.add(_key(name, "probe"), 1, seconds + 1):
        return None
    return Permit(name, caller, known)


def close(name: str) -> None:
    """Ask an account again, whatever was known of it."""
    cache.delete_many(_keys(name))


def find_open_breakers() -> list[str]:
    """The accounts that gave no answer lately, for people who look after the site."""
    by_key = {_key(name, "find_open_breakers"): name for name in cache.get(_INDEX, ())}
    return sorted(by_key[key] for key in cache.get_many(by_key)) if by_key else []


def _key(name: str, part: str) -> str:
    return f"breaker:{name}:{part}"


def _keys(name: str) -> list[str]:
    return [_key(name, part) for part in ("open", "find_open_breakers", "failures", "probe")]

"""A circuit breaker per remote account, shared by all processes through the cache.

Closed: every call is made. After `BREAKER_FAILURES` silences in a row it opens, and for `BREAKER_PAUSE_SECONDS` no call
is made. Then it is half open: one caller probes, and an answer closes it. Without the cache it stays closed.

Pages give up sooner than the worker. So an account that pages found silent may still be called by the worker, one call
at a time, until the worker finds it silent too. Otherwise an account that is only slow would never be called.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Literal

from django.conf import settings
from django.core.cache import cache

logger = logging.getLogger(__name__)

Caller = Literal["page", "worker"]

_WINDOW = 60  # seconds in which silences count as in a row
_MEMORY = 3600  # seconds after which an account that no one called counts as healthy again
_INDEX = "breaker:names"  # For display only: of two accounts written at the same time, one may be missing.


@dataclass(frozen=True, slots=True)
class Permit:
    """Permission for one call. The caller records its answer or silence, or gives the permit back."""

    name: str
    caller: Caller
    state: dict[str, Any]

    def record_answer(self) -> None:
        """Close the breaker. Costs nothing if it was closed and no silence had been counted."""
        if not self.state:
            return
        close(self.name)
        if _key(self.name, "troubled") in self.state:
            logger.warning("remote account answers again", extra={"remote": self.name})

    def record_silence(self) -> None:
        """Count a silence. The last one allowed opens the breaker, and so does each one of a probe."""
        troubled = _key(self.name, "troubled")
        is_probe = troubled in self.state
        if not is_probe and self._count() < settings.BREAKER_FAILURES:
            return
        cache.set(troubled, 1, _MEMORY)
        cache.set(_key(self.name, "open"), self.caller, settings.BREAKER_PAUSE_SECONDS)
        cache.delete(_key(self.name, "probe"))
        if not is_probe:
            cache.set(_INDEX, sorted({*cache.get(_INDEX, ()), self.name}), _MEMORY)
            logger.error("remote account doesn't answer, left alone for a while", extra={"remote": self.name})

    def give_back(self) -> None:
        """Let another caller be the probe: this call was never made."""
        if _key(self.name, "troubled") in self.state:
            cache.delete(_key(self.name, "probe"))

    def _count(self) -> int:
        failures = _key(self.name, "failures")
        cache.add(failures, 0, _WINDOW)
        try:
            return cache.incr(failures)
        except ValueError:  # The cache is away, or another process closed the breaker at this moment.
            return 0


def permit(name: str, caller: Caller, *, seconds: float) -> Permit | None:
    """Permit a call to an account, or return None while its breaker is open. A lost probe ends after `seconds`."""
    state = cache.get_many(_keys(name))
    opened_by = state.get(_key(name, "open"))
    if opened_by == "worker" or (opened_by == "page" and caller == "page"):
        return None
    if _key(name, "troubled") in state and not cache.add(_key(name, "probe"), 1, seconds + 1):
        return None
    return Permit(name, caller, state)


def close(name: str) -> None:
    cache.delete_many(_keys(name))


def find_open_breakers() -> list[str]:
    """Return the accounts that gave no answer lately, for operators."""
    by_key = {_key(name, "troubled"): name for name in cache.get(_INDEX, ())}
    return sorted(by_key[key] for key in cache.get_many(by_key)) if by_key else []


def _key(name: str, part: str) -> str:
    return f"breaker:{name}:{part}"


def _keys(name: str) -> list[str]:
    return [_key(name, part) for part in ("open", "troubled", "failures", "probe")]

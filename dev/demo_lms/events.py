"""Events that a developer publishes by opening an address."""

from __future__ import annotations

from dataclasses import dataclass

from mitxonline.coordinator.events import Event


@dataclass(frozen=True)
class TestAsked(Event):
    sender: str

    __test__ = False  # pytest collects classes by this name


@dataclass(frozen=True)
class CeleryTestAsked(Event):
    sender: str


@dataclass(frozen=True)
class PurchaseCompleted(Event):
    order_number: str
    username: str
    skus: tuple[str, ...]

"""What happened to pages, for those who have to do something about it."""

from __future__ import annotations

from dataclasses import dataclass

from mitxonline.coordinator.events import Event


@dataclass(frozen=True)
class SearchTextsChanged(Event):
    """What many pages show has changed at once, such as the name of a department."""

    page_ids: tuple[int, ...]

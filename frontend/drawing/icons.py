"""The names of the icons in the sprite `icons.svg`."""

from typing import Final

ICONS: Final = frozenset(
    {
        "arrow",
        "award",
        "back",
        "calendar",
        "cart",
        "check",
        "chevron-down",
        "chevron-next",
        "chevron-previous",
        "clock",
        "copy",
        "cross",
        "down",
        "download",
        "filter",
        "globe",
        "info",
        "leave",
        "level",
        "lock",
        "mail",
        "menu",
        "more",
        "organization",
        "people",
        "person",
        "play",
        "print",
        "receipt",
        "search",
        "ticket",
        "up",
        "warning",
    }
)

"""What operations on people and countries answer."""

from __future__ import annotations

from api.http.shapes import Reply


class State(Reply):
    """A state or province; `code` is that of ISO 3166-2."""

    code: str
    name: str


class Country(Reply):
    """A country; `code` is its two letters of ISO 3166."""

    code: str
    name: str
    states: list[State]

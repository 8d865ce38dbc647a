"""Every URL pattern of the project, from Django's resolver."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RegexPattern

OURS = frozenset({"api", "mitxonline", "courses", "ecommerce", "b2b", "cms", "reports", "frontend", "dev"})


@dataclass(frozen=True)
class Address:
    """A pattern: its full route, its namespaced name and the module of its view."""

    route: str
    name: str
    module: str

    @property
    def is_ours(self) -> bool:
        return self.module.split(".")[0] in OURS


def every_address() -> list[Address]:
    """Return every pattern, in the order the resolver tries them."""
    return list(_walk(get_resolver().url_patterns, "", ""))


def _walk(patterns: Any, before: str, namespace: str) -> Iterator[Address]:
    for pattern in patterns:
        route = before + _text(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = ":".join(filter(None, [namespace, pattern.namespace or ""]))
            yield from _walk(pattern.url_patterns, route, inner)
        elif isinstance(pattern, URLPattern):
            name = ":".join(filter(None, [namespace, pattern.name or ""]))
            yield Address(route=route, name=name, module=_module(pattern.callback))


def _text(pattern: Any) -> str:
    """Return the route as written; a regular expression without its anchors."""
    text = str(pattern)
    return text.strip("^$").removesuffix(r"\Z") if isinstance(pattern, RegexPattern) else text


def _module(view: Any) -> str:
    """Return the module of the view beneath its decorators."""
    while hasattr(view, "__wrapped__"):
        view = view.__wrapped__
    made_of = getattr(view, "view_class", None) or getattr(view, "cls", None)
    return str((made_of or getattr(view, "func", view)).__module__)

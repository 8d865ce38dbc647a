"""How a view says that its answer is the same for every anonymous visitor."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from django.http import HttpRequest, HttpResponseBase

P = ParamSpec("P")
R = TypeVar("R", bound=HttpResponseBase)

_MARK = "is_shared_page"


def mark_shared(response: R) -> R:
    """Let the answer be kept for other anonymous visitors. Nothing else is."""
    setattr(response, _MARK, True)
    return response


def is_marked(response: HttpResponseBase) -> bool:
    return bool(getattr(response, _MARK, False))


def shared_page(view: Callable[Concatenate[HttpRequest, P], R]) -> Callable[Concatenate[HttpRequest, P], R]:
    """Mark a view whose pages are the same for every anonymous visitor."""

    @wraps(view)
    def wrapped(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return mark_shared(view(request, *args, **kwargs))

    setattr(wrapped, _MARK, True)
    return wrapped


def may_be_shared(view: Callable[..., object]) -> bool:
    """Whether a view's answers may be marked: it has the decorator, or is Wagtail's for pages of every kind."""
    return bool(getattr(view, _MARK, False)) or getattr(view, "__module__", "") == "wagtail.views"

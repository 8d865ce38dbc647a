"""Decorators of views."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeAlias

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.cache import never_cache

from frontend.views.answers import SIGNED_OUT
from mitxonline.kernel.http import wants_fragment

P = ParamSpec("P")
View: TypeAlias = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def personal(view: View[P]) -> View[P]:
    """Mark a page as personal: no cache stores it and no search engine lists it."""

    @wraps(view)
    def wrapped(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        response.headers["X-Robots-Tag"] = "noindex"
        return response

    return never_cache(wrapped)


def signed_in(*, back_to: str = "dashboard") -> Callable[[View[P]], View[P]]:
    """Require an account for a personal page.

    Visitors sign in first and come back to the page. A POST isn’t repeated: they come back to the page named by
    `back_to`, where the button is.
    """

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def wrapped(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if not request.user.is_authenticated and wants_fragment(request):
                return HttpResponse(status=SIGNED_OUT)  # a redirect would put the sign-in page into this one
            if not request.user.is_authenticated:
                is_repeatable = request.method in ("GET", "HEAD")
                return redirect_to_login(request.get_full_path() if is_repeatable else reverse(back_to))
            return view(request, *args, **kwargs)

        return personal(wrapped)

    return decorate

"""What responses have in common."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from mitxonline.kernel.errors import DomainError, RateLimited
from mitxonline.kernel.http import wants_fragment

UNPROCESSABLE = 422  # a form with errors; htmx swaps it in where the form is

SIGNED_OUT = 403  # scripts say that the visitor was signed out, as for a form without its token


def has_lost_session(request: HttpRequest) -> bool:
    """Whether a script's request comes from a page whose session is gone: cookies were cleared, or it ended."""
    return wants_fragment(request) and not request.session.keys()


def refused_status(refusal: DomainError) -> int:
    """The status of a form that shows a refusal."""
    return refusal.status if isinstance(refusal, RateLimited) else UNPROCESSABLE


def with_retry_after(response: HttpResponse, refusal: DomainError) -> HttpResponse:
    """Tell clients when they may try again, where the refusal is a limit."""
    if isinstance(refusal, RateLimited):
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response

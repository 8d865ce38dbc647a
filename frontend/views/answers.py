"""What responses have in common."""

from __future__ import annotations

from django.http import HttpResponse

from mitxonline.kernel.errors import DomainError, RateLimited

UNPROCESSABLE = 422  # a form with errors; htmx swaps it in where the form is


def refused_status(refusal: DomainError) -> int:
    """The status of a form that shows a refusal."""
    return refusal.status if isinstance(refusal, RateLimited) else UNPROCESSABLE


def with_retry_after(response: HttpResponse, refusal: DomainError) -> HttpResponse:
    """Tell clients when they may try again, where the refusal is a limit."""
    if isinstance(refusal, RateLimited):
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response

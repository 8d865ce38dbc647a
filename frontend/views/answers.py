"""What answers have in common."""

from __future__ import annotations

from django.http import HttpResponse

from mitxonline.kernel.errors import RateLimited

UNPROCESSABLE = 422  # a form with errors; scripts put it where the form is


def with_retry_after(response: HttpResponse, refusal: RateLimited) -> HttpResponse:
    """Tell a program, too, when it may try again."""
    response.headers["Retry-After"] = str(refusal.retry_after)
    return response

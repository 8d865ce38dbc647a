"""What search engines are asked to leave alone."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_safe

HOUR: Final = 60 * 60

# A visit puts something into a cart, or there is nothing to see without an account.
# Pages with a code in the address are not among them: what a robot may not fetch can still be listed by its bare
# address, so these are fetched and say themselves that they want to be in no list.
PRIVATE: Final = (
    "/account/",
    "/admin/",
    "/api/v",
    "/basket/",
    "/cart/",
    "/checkout/",
    "/cms/",
    "/complete/",
    "/dashboard/",
    "/enroll/",
    "/i18n/",
    "/login/?next=",
    "/logout/",
    "/orders/",
    "/organizations/",
    "/payment/",
    "/register/?next=",
)


@require_safe
def robots(request: HttpRequest) -> HttpResponse:
    """robots.txt."""
    lines = [
        "User-agent: *",
        *(f"Disallow: {path}" for path in PRIVATE),
        "",
        f"Sitemap: {request.build_absolute_uri(reverse('sitemap'))}",
    ]
    response = HttpResponse("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")
    patch_cache_control(response, public=True, max_age=HOUR)
    return response

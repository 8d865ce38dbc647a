"""Suggestions for the search field, and the pages of instructors."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_safe

from frontend.pages.search import Suggestions, build_instructor_page, build_suggestions
from mitxonline.kernel import clock
from mitxonline.kernel.errors import RateLimited
from mitxonline.kernel.http import client_address
from mitxonline.kernel.ratelimit import RateLimit, network_of
from mitxonline.shared.marks import shared_page

SUGGESTIONS = RateLimit("suggestions")
MINUTE = 60


@require_safe
def suggestions(request: HttpRequest) -> HttpResponse:
    """Suggest courses, programs, instructors and topics. Over the limit nothing is suggested: the form still works."""
    found = Suggestions()
    try:
        SUGGESTIONS.check_and_count({"address": network_of(client_address(request))})
        found = build_suggestions(request.GET.get("q", ""))
    except RateLimited:
        pass
    response = render(request, "frontend/search/suggestions.html", {"suggestions": found})
    patch_cache_control(response, private=True, max_age=MINUTE)
    return response


@shared_page
@require_safe
def instructor(request: HttpRequest, slug: str) -> HttpResponse:
    user_id = request.user.pk if request.user.is_authenticated else None
    view = build_instructor_page(slug, user_id=user_id, now=clock.now())
    if view is None:
        raise Http404
    return render(request, "frontend/search/instructor.html", {"view": view, "canonical": request.path})

"""The address at which a site finds itself (frontend.site.here)."""

from __future__ import annotations

from dataclasses import asdict

from django.http import Http404, HttpRequest, JsonResponse
from django.views.decorators.http import require_GET

from frontend.site.here import answer
from frontend.views.decorators import personal


@personal
@require_GET
def here(request: HttpRequest) -> JsonResponse:
    """Answer a question of our own; anything else isn’t found."""
    seen = answer(request.GET.get("question", ""), request)
    if seen is None:
        raise Http404
    return JsonResponse(asdict(seen))

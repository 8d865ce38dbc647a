"""Drawings and colours that are computed, each at an address of its own."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_safe

from frontend import covers
from frontend.brand import stylesheet
from frontend.site import brand_of

FOREVER = 365 * 24 * 60 * 60
FIVE_MINUTES = 5 * 60


@require_safe
def cover(request: HttpRequest, version: int, shape: str, palette: str, seed: int) -> HttpResponse:
    """One cover; the address says everything, so it may be kept for ever. Another version's address is gone."""
    known = shape in covers.SHAPES and palette in (*covers.PALETTES, covers.MOSAIC)
    if version != covers.VERSION or not known:
        raise Http404
    response = HttpResponse(covers.draw(seed, palette, shape), content_type="image/svg+xml")
    patch_cache_control(response, public=True, max_age=FOREVER, immutable=True)
    return response


@require_safe
def brand_stylesheet(request: HttpRequest) -> HttpResponse:
    """The site's own colours; for ever under the digest of these very colours, else for five minutes."""
    colors = brand_of(request).colors
    response = HttpResponse(stylesheet(colors), content_type="text/css; charset=utf-8")
    if request.GET.get("v") == colors.digest:
        patch_cache_control(response, public=True, max_age=FOREVER, immutable=True)
    else:
        patch_cache_control(response, public=True, max_age=FIVE_MINUTES)
    return response

"""Generated images and stylesheets."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_safe
from wagtail.images.models import Image

from frontend.drawing import covers, mark, social_card
from frontend.site.brand import Colors, stylesheet
from frontend.site.brands import brand_of

FOREVER = 365 * 24 * 60 * 60
DAY = 24 * 60 * 60
FIVE_MINUTES = 5 * 60

PHONE_ICON = 180  # pixels


@require_safe
def cover(request: HttpRequest, version: int, shape: str, palette: str, seed: int) -> HttpResponse:
    """A cover. Its URL determines it, so it is cached forever; URLs of other versions are gone."""
    if shape not in covers.SHAPES or not _is_drawn(version, palette):
        raise Http404
    return _cached(HttpResponse(covers.draw(seed, palette, shape), content_type="image/svg+xml"), FOREVER)


@require_safe
def card(request: HttpRequest, version: int, palette: str, seed: int) -> HttpResponse:
    """A cover as a PNG, for previews of shared pages."""
    if not _is_drawn(version, palette):
        raise Http404
    return _cached(HttpResponse(social_card.draw_social_card(seed, palette), content_type="image/png"), FOREVER)


@require_safe
def brand_stylesheet(request: HttpRequest) -> HttpResponse:
    """The site’s colors, cached forever if the URL has their digest, else for five minutes."""
    colors = brand_of(request).colors
    response = HttpResponse(stylesheet(colors), content_type="text/css; charset=utf-8")
    return _cached(response, _seconds_to_cache(request, colors))


@require_safe
def brand_mark(request: HttpRequest) -> HttpResponse:
    colors = brand_of(request).colors
    return _cached(HttpResponse(mark.svg(colors), content_type="image/svg+xml"), _seconds_to_cache(request, colors))


@require_safe
def favicon(request: HttpRequest) -> HttpResponse:
    """The icon that browsers request by its well-known name."""
    brand = brand_of(request)
    if brand.mark is not None:
        return _cached(_rendition(brand.mark, "fill-48x48|format-png"), DAY)
    return _cached(HttpResponse(mark.ico(brand.colors), content_type="image/x-icon"), DAY)


@require_safe
def phone_icon(request: HttpRequest) -> HttpResponse:
    brand = brand_of(request)
    if brand.mark is not None:
        return _cached(_rendition(brand.mark, f"fill-{PHONE_ICON}x{PHONE_ICON}|format-png"), DAY)
    return _cached(HttpResponse(mark.png(brand.colors, side=PHONE_ICON), content_type="image/png"), DAY)


def _is_drawn(version: int, palette: str) -> bool:
    return version == covers.VERSION and palette in (*covers.PALETTES, covers.MOSAIC)


def _rendition(image: Image, cut: str) -> HttpResponse:
    return HttpResponseRedirect(image.get_rendition(cut).url)


def _seconds_to_cache(request: HttpRequest, colors: Colors) -> int:
    return FOREVER if request.GET.get("v") == colors.digest else FIVE_MINUTES


def _cached(response: HttpResponse, seconds: int) -> HttpResponse:
    patch_cache_control(response, public=True, max_age=seconds)
    if seconds == FOREVER:
        patch_cache_control(response, immutable=True)
    return response

"""Tags for covers."""

from __future__ import annotations

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from frontend.drawing import covers

register = template.Library()


@register.simple_tag
def cover_url(readable_id: str, department_slug: str = "", shape: str = "card") -> str:
    """The URL of a cover.

    `readable_id` is the course’s, so its runs share a cover. `shape` is card, redeem, hero, swatch or square. The
    department “mosaic” mixes all colors.
    """
    return reverse("cover", kwargs={"shape": shape, **_drawing(readable_id, department_slug)})


@register.simple_tag
def social_card_url(readable_id: str, department_slug: str = "") -> str:
    """The URL of the cover as a PNG of 1200 by 630 pixels."""
    return reverse("social-card", kwargs=_drawing(readable_id, department_slug))


def _drawing(readable_id: str, department_slug: str) -> dict[str, int | str]:
    return {
        "version": covers.VERSION,
        "palette": covers.palette_key(str(department_slug)),
        "seed": covers.hash_id(str(readable_id)),
    }


@register.simple_tag
def cover(
    readable_id: str, department_slug: str = "", shape: str = "card", css: str = "cover", lazy: bool = True
) -> SafeString:
    """A cover as a decorative `img`. `css` is its class; use `lazy=False` for one above the fold."""
    grid = covers.SHAPES[shape]
    return format_html(
        '<img class="{}" src="{}" alt="" width="{}" height="{}" {}>',
        css,
        cover_url(readable_id, department_slug, shape),
        grid.width * 2,
        grid.height * 2,
        SafeString('loading="lazy" decoding="async"' if lazy else 'fetchpriority="high"'),
    )

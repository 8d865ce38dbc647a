"""The pictures that editors choose for courses and programs, cropped to covers."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from django.db.models import Prefetch, prefetch_related_objects
from wagtail.images.models import Image, Rendition, SourceImageIOError

COVER = "fill-960x480"  # 2:1 around the focal point, sharp on a fine screen


def find_cover(image: Image | None) -> Rendition | None:
    """Return an editor’s picture, cropped to a cover; None without a picture, or if its file can’t be read."""
    if image is not None:
        with suppress(SourceImageIOError):
            cover: Rendition = image.get_rendition(COVER)
            return cover
    return None


def cover_url(image: Image | None) -> str:
    """Return the URL of a picture’s cover; empty if there is none."""
    cover = find_cover(image)
    return str(cover.url) if cover is not None else ""


def prefetch_covers(images: Iterable[Image | None]) -> None:
    """Load the cropped versions of all these pictures in one query."""
    there = [image for image in images if image is not None]
    if there:
        found = Rendition.objects.filter(filter_spec=COVER)
        prefetch_related_objects(there, Prefetch("renditions", queryset=found, to_attr="prefetched_renditions"))

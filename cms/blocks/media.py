"""Images and videos."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from wagtail import blocks
from wagtail.documents.blocks import DocumentChooserBlock
from wagtail.images.blocks import ImageBlock

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

_YOUTUBE_ID = re.compile(r"\A[A-Za-z0-9_-]{6,20}\Z")
_VIMEO_ID = re.compile(r"\A[0-9]{4,15}\Z")
# Part of the address of an unlisted video, which plays only with it.
_VIMEO_HASH = re.compile(r"\A[0-9a-f]{6,40}\Z")
# Where in the video to begin, as addresses say it: “90”, “90s”, “1m30s”, “1h2m3s”.
_MOMENT = re.compile(r"\A(?=.)(?:(\d{1,2})h)?(?:(\d{1,3})m)?(?:(\d{1,6})s?)?\Z", re.ASCII)
YOUTUBE_FOLDERS = {"embed", "live", "shorts"}
YOUTUBE_PLAYER = "https://www.youtube-nocookie.com"
# A number behind one of these names a collection, or an event that has no video yet.
_VIMEO_COLLECTIONS = {"album", "channels", "event", "folder", "groups", "showcase"}
VIMEO_PLAYER = "https://player.vimeo.com"
NO_VIDEO = _("This isn’t the address of a YouTube or Vimeo video. Copy it from the video’s page.")
_EMBEDDED = re.compile(r"""<iframe\b[^>]*?\bsrc\s*=\s*["']([^"']+)["']""", re.IGNORECASE)


class PictureBlock(blocks.StructBlock):
    picture = ImageBlock(label=_("Picture"))
    caption = blocks.CharBlock(label=_("Caption"), max_length=200, required=False)

    class Meta:
        icon = "image"
        label = _("Picture")
        template = "cms/blocks/picture.html"
        description = _("A picture. Describe what it shows, or mark it as decorative.")


def player_url(address: str) -> str | None:
    """Return the URL of the player for a YouTube or Vimeo page, or None for any other address.

    The video id is read from the address, so no request is made. The players are the ones without cookies.
    """
    try:
        parts = urlsplit(address.strip())
        host = (parts.hostname or "").removeprefix("www.").removeprefix("m.")
    except ValueError:  # an unclosed bracket in the host
        return None
    segments = [segment for segment in parts.path.split("/") if segment]
    asked, start = parse_qs(parts.query), _find_start(parts.query, parts.fragment)
    if host in {"youtube.com", "youtube-nocookie.com", "youtu.be"}:
        player = _youtube_url([] if host == "youtu.be" else asked.get("v", []), segments, is_short=host == "youtu.be")
        return f"{player}?start={start}" if player and start else player
    if host in {"vimeo.com", "player.vimeo.com"}:
        player = _vimeo_url(segments, asked.get("h", []))
        return f"{player}#t={start}s" if player and start else player
    return None


def _find_start(query: str, fragment: str) -> int:
    """Return the second at which the video shall begin; 0 if the address names none."""
    named = parse_qs(query) | parse_qs(fragment)
    text = next((named[name][0] for name in ("t", "start") if name in named), "")
    found = _MOMENT.match(text)
    hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    return hours * 3600 + minutes * 60 + seconds


def _youtube_url(ids: list[str], segments: list[str], *, is_short: bool) -> str | None:
    """Return the player's URL for `watch?v=<id>`, `youtu.be/<id>`, or `embed/<id>` and its like."""
    if is_short:
        ids = segments[:1]
    elif not ids and segments[:1] and segments[0] in YOUTUBE_FOLDERS:
        ids = segments[1:2]
    return _embed_url(f"{YOUTUBE_PLAYER}/embed/", ids, _YOUTUBE_ID)


def _vimeo_url(segments: list[str], hashes: list[str]) -> str | None:
    """Return the player's URL for `…/<id>`, or `…/<id>/<hash>` or `…/<id>?h=<hash>` of an unlisted video."""
    if len(segments) > 1 and _VIMEO_ID.match(segments[-2]) and _VIMEO_HASH.match(segments[-1]):
        segments, hashes = segments[:-1], segments[-1:]
    if _VIMEO_COLLECTIONS.intersection(segments[-2:-1]):
        return None
    player = _embed_url(f"{VIMEO_PLAYER}/video/", segments[-1:], _VIMEO_ID)
    if player is None:
        return None
    player = f"{player}?dnt=1"  # as YouTube's: no cookies, no counting of people
    return f"{player}&h={hashes[0]}" if hashes and _VIMEO_HASH.match(hashes[0]) else player


def _embed_url(prefix: str, ids: list[str], pattern: re.Pattern[str]) -> str | None:
    return f"{prefix}{ids[0]}" if ids and pattern.match(ids[0]) else None


def can_be_framed(address: str) -> bool:
    """Whether the content security policy allows this player in a page."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}" in settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]["frame-src"]


class VideoValue(blocks.StructValue):
    @property
    def player(self) -> str:
        """URL of the frame; empty if the address no longer names a video."""
        return player_url(self.get("address") or "") or ""


class VideoAddressField(forms.URLField):
    """A video’s address, or the HTML with which YouTube and Vimeo offer to embed it; kept is the address in it."""

    default_error_messages = {"invalid": NO_VIDEO}

    def to_python(self, value: Any) -> Any:
        found = _EMBEDDED.search(str(value or ""))
        return super().to_python(unescape(found[1]) if found else value)


class VideoAddressBlock(blocks.URLBlock):
    def __init__(self, *, help_text: StrOrPromise, **kwargs: Any) -> None:
        super().__init__(help_text=help_text, **kwargs)
        self.field: forms.URLField = VideoAddressField(help_text=help_text, assume_scheme="https")
        # Browsers refuse HTML in a field for addresses before it is sent.
        self.field.widget.input_type = "text"


# Wagtail's name for this: to migrations it is an address like any other.
DECONSTRUCT_ALIASES = {VideoAddressBlock: "wagtail.blocks.URLBlock"}


class VideoBlock(blocks.StructBlock):
    address = VideoAddressBlock(label=_("Address"), help_text=_("The video’s page on YouTube or Vimeo."))
    title = blocks.CharBlock(
        label=_("Title"), max_length=150, help_text=_("Read aloud to people who can’t see the video.")
    )
    caption = blocks.CharBlock(label=_("Caption"), max_length=200, required=False)
    transcript = DocumentChooserBlock(label=_("Transcript"), required=False)
    transcript_address = blocks.URLBlock(
        label=_("Transcript elsewhere"), required=False, help_text=_("If it isn’t one of the documents on this site.")
    )

    class Meta:
        icon = "media"
        label = _("Video")
        template = "cms/blocks/video.html"
        value_class = VideoValue
        description = _("A YouTube or Vimeo video with its transcript.")

    def clean(self, value: Any) -> Any:
        cleaned = super().clean(value)
        player = player_url(cleaned["address"])
        if player is None:
            raise blocks.StructBlockValidationError(block_errors={"address": ValidationError(NO_VIDEO)})
        if not can_be_framed(player):
            error = ValidationError(_("Videos from this site are turned off here. Ask an operator."))
            raise blocks.StructBlockValidationError(block_errors={"address": error})
        return cleaned

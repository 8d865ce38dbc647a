"""Pictures and films."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from wagtail import blocks
from wagtail.documents.blocks import DocumentChooserBlock
from wagtail.images.blocks import ImageBlock

_YOUTUBE_ID = re.compile(r"\A[A-Za-z0-9_-]{6,20}\Z")
_VIMEO_ID = re.compile(r"\A[0-9]{4,15}\Z")
YOUTUBE_PLAYER = "https://www.youtube-nocookie.com"
VIMEO_PLAYER = "https://player.vimeo.com"


class PictureBlock(blocks.StructBlock):
    """A picture with its alternative text (or marked as decoration) and a caption."""

    picture = ImageBlock(label=_("Picture"))
    caption = blocks.CharBlock(label=_("Caption"), max_length=200, required=False)

    class Meta:
        icon = "image"
        label = _("Picture")
        template = "cms/blocks/picture.html"
        description = _("A picture. Say what it shows, or mark it as decoration.")


def player_url(address: str) -> str | None:
    """The player's address for a film at YouTube or Vimeo; None for any other address.

    YouTube's player without cookies is taken. Nothing is asked of the other side: the id is in the address.
    """
    parts = urlsplit(address.strip())
    host = (parts.hostname or "").removeprefix("www.").removeprefix("m.")
    steps = [step for step in parts.path.split("/") if step]
    if host in {"youtube.com", "youtube-nocookie.com"}:
        found = parse_qs(parts.query).get("v") or (steps[1:2] if steps[:1] in (["embed"], ["shorts"]) else [])
        return _player(YOUTUBE_PLAYER, "embed", found, _YOUTUBE_ID)
    if host == "youtu.be":
        return _player(YOUTUBE_PLAYER, "embed", steps[:1], _YOUTUBE_ID)
    if host in {"vimeo.com", "player.vimeo.com"}:
        return _player(VIMEO_PLAYER, "video", steps[-1:], _VIMEO_ID)
    return None


def _player(origin: str, folder: str, found: list[str], pattern: re.Pattern[str]) -> str | None:
    return f"{origin}/{folder}/{found[0]}" if found and pattern.match(found[0]) else None


def may_be_framed(address: str) -> bool:
    """Whether the content security policy lets this player into a page."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}" in settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]["frame-src"]


class VideoValue(blocks.StructValue):
    """A film as a template needs it."""

    @property
    def player(self) -> str:
        """The address for the frame; empty where the address became useless."""
        return player_url(self.get("address") or "") or ""


class VideoBlock(blocks.StructBlock):
    """A film at YouTube or Vimeo, named, with a way to read what is said."""

    address = blocks.URLBlock(label=_("Address"), help_text=_("The film's page at YouTube or Vimeo."))
    title = blocks.CharBlock(
        label=_("Title"), max_length=150, help_text=_("Read out to people who don't see the film.")
    )
    caption = blocks.CharBlock(label=_("Caption"), max_length=200, required=False)
    transcript = DocumentChooserBlock(label=_("Transcript"), required=False)
    transcript_address = blocks.URLBlock(
        label=_("Transcript elsewhere"), required=False, help_text=_("If it isn't one of the documents here.")
    )

    class Meta:
        icon = "media"
        label = _("Video")
        template = "cms/blocks/video.html"
        value_class = VideoValue
        description = _("A film at YouTube or Vimeo, with its transcript.")

    def clean(self, value: Any) -> Any:
        """Refuse an address that gives no film, or a player the pages may not show."""
        cleaned = super().clean(value)
        player = player_url(cleaned["address"])
        if player is None:
            raise blocks.StructBlockValidationError(
                block_errors={
                    "address": ValidationError(
                        _("This isn't the address of a film at YouTube or Vimeo. Copy it from the film's page.")
                    )
                }
            )
        if not may_be_framed(player):
            raise blocks.StructBlockValidationError(
                block_errors={
                    "address": ValidationError(_("Films from this site are switched off here. Ask an operator."))
                }
            )
        return cleaned

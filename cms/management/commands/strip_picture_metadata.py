"""`strip_picture_metadata`: clean the pictures that were uploaded before uploads were cleaned."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from wagtail.images.models import Image

from cms.services.pictures import UnreadablePicture, clean_stored_picture, has_metadata
from mitxonline.kernel.console import OperatorCommand


class Command(OperatorCommand):
    help = (
        "Take the place, the camera’s owner and other metadata out of pictures that were uploaded before this was done "
        "at once, turn them upright and give them colors for screens. Safe to run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say which pictures would be cleaned")

    def handle(self, *args: Any, **options: Any) -> None:
        cleaned, unreadable = 0, 0
        for image in Image.objects.order_by("pk").iterator():
            try:
                if not has_metadata(_read(image)):
                    continue
                if not options["dry_run"]:
                    clean_stored_picture(image)
            except (UnreadablePicture, OSError) as error:
                unreadable += 1
                sentence = _("“%(title)s” (%(id)d) can’t be read: %(why)s")
                self.say(sentence % {"title": image.title, "id": image.pk, "why": error})
                continue
            cleaned += 1
            self.stdout.write(f"“{image.title}” ({image.pk})")
        self.say(_sum_up(cleaned, is_dry_run=options["dry_run"]))
        if unreadable:
            sentence = ngettext(
                "%(n)d picture can’t be read. Upload it again, or delete it.",
                "%(n)d pictures can’t be read. Upload them again, or delete them.",
                unreadable,
            )
            raise CommandError(sentence % {"n": unreadable})


def _read(image: Image) -> bytes:
    with image.file.storage.open(image.file.name) as file:
        content: bytes = file.read()
    return content


def _sum_up(number: int, *, is_dry_run: bool) -> str:
    if not number:
        return _("No picture has metadata. Nothing was changed.")
    if is_dry_run:
        return ngettext("Would clean %(n)d picture.", "Would clean %(n)d pictures.", number) % {"n": number}
    return ngettext("Cleaned %(n)d picture.", "Cleaned %(n)d pictures.", number) % {"n": number}

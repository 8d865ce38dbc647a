"""What becomes of an uploaded picture before it is stored.

The original is served as well as its renditions, so it has to be clean itself: without the place it was taken at and
the camera's owner, upright, and in colors that browsers show.
"""

from __future__ import annotations

import posixpath
from functools import partial
from io import BytesIO
from typing import Any, Final

from django.core.files.base import ContentFile, File
from django.db import transaction
from PIL import Image as Picture
from PIL import ImageCms, ImageOps
from wagtail.images.models import Image

QUALITY: Final = 92
# What a rotated or converted JPEG is stored with; any other keeps its own tables, so that little is lost.
AS_BEFORE: Final = "keep"
ORIENTATION: Final = 0x0112
WEB_MODES: Final = {"1", "L", "LA", "P", "RGB", "RGBA"}
# Where cameras and programs write into a picture. PNG has names of its own.
METADATA: Final = {"exif", "xmp", "XML:com.adobe.xmp", "comment", "photoshop", "iptc"}
# What a TIFF can't be read without stands among its EXIF tags.
TIFF_TAGS: Final = {254, 255, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 282, 283, 284, 296, 317, 320, 338, 339}
# A JPEG with a second picture behind it, as some phones write them.
FORMATS: Final = {"MPO": "JPEG"}


class UnreadablePicture(ValueError):
    """The file is no picture, or only part of one."""


class CleanFile(ContentFile[bytes]):
    """A picture that `clean_picture` has been through."""


def clean_picture(file: File[bytes]) -> CleanFile:
    """Return the picture upright, in RGB and without metadata but its color profile. Raises UnreadablePicture."""
    file.seek(0)
    content = file.read()
    file.seek(0)
    try:
        with Picture.open(BytesIO(content)) as picture:
            picture.load()
            stored = _encode(picture)
    except (OSError, SyntaxError, ValueError, EOFError, Picture.DecompressionBombError) as error:
        raise UnreadablePicture(str(error)) from error
    return CleanFile(stored, name=posixpath.basename(file.name or "picture"))


def shrink_picture(clean: CleanFile, most: int) -> CleanFile:
    """Return a clean picture whose sides have at most this many pixels; of an animation, the first frame."""
    with Picture.open(clean) as picture:
        if max(picture.size) <= most:
            return clean
        kind = str(picture.format)
        picture.thumbnail((most, most))
        return CleanFile(_write(_without_metadata(picture), kind), name=clean.name)


def has_metadata(content: bytes) -> bool:
    """Whether `clean_picture` would change what the picture tells or how it is shown. Raises UnreadablePicture."""
    try:
        with Picture.open(BytesIO(content)) as picture:
            picture.load()
            tags = set(picture.getexif()) - (TIFF_TAGS | {ORIENTATION} if picture.format == "TIFF" else set())
            is_upright = picture.getexif().get(ORIENTATION, 1) == 1
            is_for_web = picture.mode in WEB_MODES and picture.format not in FORMATS
            texts = METADATA & set(picture.info) or getattr(picture, "text", {})
            return bool(tags or texts) or not (is_upright and is_for_web)
    except (OSError, SyntaxError, ValueError, EOFError, Picture.DecompressionBombError) as error:
        raise UnreadablePicture(str(error)) from error


def clean_stored_picture(image: Image) -> None:
    """Clean a picture that was stored before uploads were. Raises UnreadablePicture.

    It gets a new address, so that no cache serves the old file, and its renditions are drawn again.
    """
    name, storage = image.file.name, image.file.storage
    renditions = [(rendition.file.name, rendition.file.storage) for rendition in image.renditions.all()]
    clean = clean_picture(image.file)
    image.file.close()
    with transaction.atomic():
        image.renditions.all().delete()
        image.file = clean
        image._set_image_file_metadata()
        image.save()
        for old_name, old_storage in [(name, storage), *renditions]:
            transaction.on_commit(partial(old_storage.delete, old_name))


def _encode(picture: Picture.Image) -> bytes:
    kind = FORMATS.get(str(picture.format), str(picture.format))
    profile = picture.info.get("icc_profile")
    options: dict[str, Any] = {"icc_profile": profile} if profile else {}
    if getattr(picture, "is_animated", False) and kind != "JPEG":
        return _write(_without_metadata(picture), kind, save_all=True, **options)
    upright = picture if picture.getexif().get(ORIENTATION, 1) == 1 else ImageOps.exif_transpose(picture)
    web = upright if upright.mode in WEB_MODES else _to_rgb(upright, profile)
    if web.mode != upright.mode:
        options.pop("icc_profile", None)  # it described the old colors
    if kind == "JPEG":
        untouched = web is picture and picture.format == "JPEG"
        options |= {"quality": AS_BEFORE} if untouched else {"quality": QUALITY}
    elif kind == "WEBP":
        options |= {"quality": QUALITY}
    return _write(_without_metadata(web), kind, **options)


def _write(picture: Picture.Image, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    picture.save(file, format=kind, exif=b"", **options)
    return file.getvalue()


def _without_metadata(picture: Picture.Image) -> Picture.Image:
    """Forget what Pillow would write again: XMP, comments and text chunks."""
    kept = {"transparency", "duration", "loop", "disposal", "background", "gamma"}
    picture.info = {name: value for name, value in picture.info.items() if name in kept}
    return picture


def _to_rgb(picture: Picture.Image, profile: bytes | None) -> Picture.Image:
    """Convert from CMYK and other modes for print, by the picture's own color profile if it has a usable one."""
    if profile and picture.mode == "CMYK":
        try:
            converted = ImageCms.profileToProfile(
                picture, ImageCms.ImageCmsProfile(BytesIO(profile)), ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
        except ImageCms.PyCMSError:
            pass  # a damaged profile; the plain conversion is near enough
        else:
            if converted is not None:
                return converted
    if picture.mode.startswith("I"):  # 16 bits of gray; Pillow would cut all but the darkest off at white
        return picture.convert("I").point(lambda gray: gray * (1 / 256)).convert("L")
    return picture.convert("RGBA" if "A" in picture.getbands() else "RGB")

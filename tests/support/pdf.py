"""Read a PDF as a person does: its text, its fonts, and how its first page looks."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pypdfium2
from PIL import Image
from pypdf import PdfReader


def words_of_pdf(file: bytes) -> tuple[str, int]:
    """Return the text of all pages, and the number of pages."""
    pages = PdfReader(BytesIO(file)).pages
    return " ".join(" ".join(page.extract_text() for page in pages).split()), len(pages)


def fonts_of_pdf(file: bytes) -> set[str]:
    """Return the names of the fonts of all pages, without the prefix that says that they are in part."""
    pages = PdfReader(BytesIO(file)).pages
    resources: list[Any] = [page["/Resources"] for page in pages]
    fonts = [font.get_object() for each in resources for font in each["/Font"].values()]
    return {str(font["/BaseFont"]).strip("/").partition("+")[2] for font in fonts}


def picture_of_pdf(file: bytes) -> Image.Image:
    """Return the first page as a picture, three pixels to the millimeter."""
    picture: Image.Image = pypdfium2.PdfDocument(file)[0].render(scale=3 * 25.4 / 72).to_pil()
    return picture.convert("RGB")

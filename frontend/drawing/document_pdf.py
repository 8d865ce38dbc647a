"""What PDF documents of the shop share: the typeface of the pages, every script, a head with the brand, totals."""

from __future__ import annotations

from datetime import datetime
from io import BytesIO
from typing import Any

from django.conf import settings
from django.utils.translation import get_language
from fpdf import FPDF

from frontend.drawing.pdf_fonts import BOLD, BOLD_FALLBACKS, FONTS, REGULAR, find_fallbacks, printable

FAMILY = "Hanken"
INK, GRAY, LINE, SHADE = (16, 32, 27), (90, 105, 99), (218, 225, 222), (237, 241, 239)
# In millimeters.
MARGIN = 20.0
WIDTH = 170.0
ROW = 5.0
CELL_PADDING = 2.0


class DocumentPDF(FPDF):
    """An A4 page in the typeface of the pages. Text of any script is given to `_prepare` before it is printed."""

    def __init__(self, *, title: str, author: str, created_at: datetime) -> None:
        super().__init__(format="A4")
        self.set_margins(MARGIN, MARGIN)
        self.set_auto_page_break(True, margin=MARGIN)
        self.fallbacks: list[str] = []
        self.add_font(FAMILY, "", FONTS / f"{REGULAR}.ttf")
        self.add_font(FAMILY, "B", FONTS / f"{BOLD}.ttf")
        self.set_text_shaping(True)
        self.set_title(self._prepare(title))
        self.set_author(self._prepare(author))
        self.set_lang(get_language() or settings.LANGUAGE_CODE)
        self.set_creation_date(created_at)
        self.set_draw_color(*LINE)

    def draw_head(self, mark: bytes, *, brand_name: str, title: str, number: str) -> None:
        top = self.get_y()
        self.image(BytesIO(mark), MARGIN, top, 9.8, 9.8, keep_aspect_ratio=True)
        self.set_xy(MARGIN + 13, top)
        self._write(brand_name, width=80, height=9.8, size=15, bold=True)
        self.set_xy(-MARGIN - 80, top)
        self._write(title, width=80, height=6, size=13, bold=True, align="R")
        self.set_xy(-MARGIN - 80, top + 6)
        self._write(number, width=80, height=5, size=9, color=GRAY, align="R")
        self.set_y(top + 15)
        self._draw_line()

    def _prepare(self, text: str) -> str:
        """Return the text as it can be printed, with the fonts that it needs added."""
        text = printable(text)
        for name in find_fallbacks(text):
            if name not in self.fallbacks:
                self.fallbacks.append(name)
                self.add_font(name, "", FONTS / f"{name}.ttf")
                if bold := BOLD_FALLBACKS.get(name):
                    self.add_font(name, "B", FONTS / f"{bold}.ttf")
        self.set_fallback_fonts(self.fallbacks, exact_match=False)
        return text

    def _render_styled_text_line(self, *args: Any, **kwargs: Any) -> Any:
        # fpdf2 2.8 thinks that a font set for a part of a line ends with the line. In a PDF it doesn't, so the font is
        # named again at the start of each line.
        self.current_font_is_set_on_page = False
        return super()._render_styled_text_line(*args, **kwargs)

    def _write_total(self, label: str, amount: str, *, bold: bool = False) -> None:
        self.set_x(MARGIN + WIDTH - 90)
        self._write(label, width=58, height=6.5, size=10, bold=bold)
        self._write(amount, width=31, height=6.5, size=10, bold=bold, align="R")
        self.ln()

    def _write(
        self,
        text: str,
        *,
        width: float,
        height: float,
        size: float,
        bold: bool = False,
        color: tuple[int, int, int] = INK,
        align: str = "L",
    ) -> None:
        self._set_style(size=size, bold=bold, color=color)
        self.cell(width, height, self._prepare(text), align=align)

    def _set_style(self, *, size: float, bold: bool = False, color: tuple[int, int, int] = INK) -> None:
        self.set_font(FAMILY, "B" if bold else "", size)
        self.set_text_color(*color)

    def _draw_line(self) -> None:
        self.line(MARGIN, self.get_y(), MARGIN + WIDTH, self.get_y())
        self.ln(2)

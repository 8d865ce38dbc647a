"""A receipt as a PDF file, drawn from plain data alone.

The font is DejaVu Sans Condensed (free, see ``fonts/LICENSE.txt``): it has Latin, Greek, Cyrillic, Armenian, Georgian,
Hebrew and Arabic letters. Letters it doesn't have (Chinese, Japanese, Korean) are printed as a box; the e-mail address
beside the name says whose receipt it is.
"""

from __future__ import annotations

import unicodedata
from datetime import datetime
from functools import cache
from pathlib import Path

from django.conf import settings
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from fontTools.ttLib import TTFont
from fpdf import FPDF, FontFace
from fpdf.bidi import BidiParagraph
from fpdf.enums import XPos, YPos

from ecommerce.enums import OrderState
from ecommerce.selectors.discount_text import gateway_name
from ecommerce.selectors.receipts import ReceiptData

FONTS = Path(__file__).parents[1] / "fonts"
FAMILY = "DejaVu"
REPLACEMENT = "\ufffd"
INK, GRAY, LINE, SHADE, GOLD = (16, 32, 27), (90, 105, 99), (218, 225, 222), (237, 241, 239), (255, 178, 36)
# In millimeters.
MARGIN = 20.0
WIDTH = 170.0
COLUMNS = (86, 28, 28, 28)  # course, price, discount, paid
ROW = 5.0
CELL_PADDING = 2.0


def receipt_pdf(data: ReceiptData, *, brand_name: str, brand_email: str = "", color: str = "#00694F") -> bytes:
    """Draw the receipt. The brand's name and address are printed where the shop's settings name no seller."""
    pdf = ReceiptPDF(data, brand_name=brand_name, brand_email=brand_email, color=color)
    pdf.add_page()
    pdf.draw_head()
    pdf.draw_facts()
    pdf.draw_lines()
    pdf.draw_totals()
    pdf.draw_seller()
    return bytes(pdf.output())


def printable(text: str) -> str:
    """Replace letters the font doesn't have, drop control characters, and put right-to-left words in visual order."""
    letters = _font_letters()
    kept = "".join(
        letter if ord(letter) in letters else REPLACEMENT
        for letter in unicodedata.normalize("NFC", text)
        if not unicodedata.category(letter).startswith("C") or letter == "\n"
    )
    if any(unicodedata.bidirectional(letter) in {"R", "AL"} for letter in kept):
        return "\n".join(BidiParagraph(line).get_reordered_string() for line in kept.split("\n") if line)
    return kept


@cache
def _font_letters() -> frozenset[int]:
    """Code points that both weights of the font have."""
    with TTFont(FONTS / "DejaVuSansCondensed.ttf") as regular, TTFont(FONTS / "DejaVuSansCondensed-Bold.ttf") as bold:
        return frozenset(regular.getBestCmap().keys() & bold.getBestCmap().keys() | {ord("\n")})


class ReceiptPDF(FPDF):
    def __init__(self, data: ReceiptData, *, brand_name: str, brand_email: str, color: str) -> None:
        super().__init__(format="A4")
        self.data = data
        self.brand_name = brand_name
        self.brand_color = tuple(int(color[start : start + 2], 16) for start in (1, 3, 5))
        self.seller_name = data.seller.name or brand_name
        self.seller_email = data.seller.support_email or brand_email
        self.set_margins(MARGIN, MARGIN)
        self.set_auto_page_break(True, margin=MARGIN)
        self.add_font(FAMILY, "", FONTS / "DejaVuSansCondensed.ttf")
        self.add_font(FAMILY, "B", FONTS / "DejaVuSansCondensed-Bold.ttf")
        self.set_title(printable(f"{_('Receipt')} {data.number}"))
        self.set_author(printable(self.seller_name))
        self.set_lang(get_language() or settings.LANGUAGE_CODE)
        self.set_creation_date(data.fulfilled_at or data.placed_at)
        self.set_draw_color(*LINE)

    def draw_head(self) -> None:
        top = self.get_y()
        self.set_fill_color(*self.brand_color)
        for column, row in ((0, 0), (5.2, 0), (0, 5.2)):
            self.rect(MARGIN + column, top + row, 4.6, 4.6, style="F")
        self.set_fill_color(*GOLD)
        self.ellipse(MARGIN + 5.2, top + 5.2, 4.6, 4.6, style="F")
        self.set_xy(MARGIN + 13, top)
        self._write(self.brand_name, width=80, height=9.8, size=15, bold=True)
        self.set_xy(-MARGIN - 80, top)
        self._write(_("Receipt"), width=80, height=6, size=13, bold=True, align="R")
        self.set_xy(-MARGIN - 80, top + 6)
        self._write(self.data.number, width=80, height=5, size=9, color=GRAY, align="R")
        self.set_y(top + 15)
        self._draw_line()

    def draw_facts(self) -> None:
        data = self.data
        facts = [
            (
                _("Completed on") if data.totals.due.is_zero else _("Paid on"),
                _format_time(data.fulfilled_at or data.placed_at),
            ),
            (_("Paid with"), self._payment_method()),
            (_("Billed to"), self._billed_to()),
            (_("Status"), self._status()),
        ]
        for label, text in facts:
            self._write(label, width=36, height=5.5, size=9, color=GRAY)
            self._set_style(size=9.5)
            self.multi_cell(0, ROW, printable(text) or " ", align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
            self.ln(1.2)
        self.ln(4)

    def draw_lines(self) -> None:
        """Draw what was bought as a table whose headings are repeated on every page."""
        self._set_style(size=9.5)
        self.set_fill_color(255, 255, 255)  # cells take the fill color that was used last
        strong = FontFace(emphasis="BOLD")
        with self.table(
            col_widths=COLUMNS,
            width=WIDTH,
            text_align=("LEFT", "RIGHT", "RIGHT", "RIGHT"),
            v_align="TOP",
            line_height=ROW,
            padding=CELL_PADDING,
            borders_layout="HORIZONTAL_LINES",
            headings_style=FontFace(emphasis="", size_pt=8.5, color=GRAY, fill_color=SHADE),
        ) as table:
            table.row([printable(heading) for heading in (_("Course"), _("Price"), _("Discount"), _("You paid"))])
            for line in self.data.lines:
                discount = "–" if line.discount.is_zero else f"−{line.discount.formatted()}"
                if line.discount_label:
                    discount = f"{discount}\n{line.discount_label}"
                row = table.row()
                row.cell(printable(line.title), style=strong)
                row.cell(printable(line.list_price.formatted()))
                row.cell(printable(discount))
                row.cell(printable(line.due.formatted()), style=strong)
        self._draw_line()

    def draw_totals(self) -> None:
        data = self.data
        self.ln(4)
        self._write_total(_("Subtotal"), data.totals.list_price.formatted())
        if not data.totals.discount.is_zero:
            self._write_total(_("Discounts"), f"−{data.totals.discount.formatted()}")
        if data.totals.tax is not None:
            self._write_total(_("Tax (included)"), data.totals.tax.formatted())
        self._write_total(_("Total paid"), data.totals.due.formatted(), bold=True)
        for refund in data.refunds:
            if refund.settled_at is None:
                label = _("Refund pending")
            elif refund.is_by_bank:
                label = _("Returned by your bank on %(day)s") % {"day": _format_day(refund.settled_at)}
            else:
                label = _("Refunded on %(day)s") % {"day": _format_day(refund.settled_at)}
            self._write_total(label, f"−{refund.amount.formatted()}")
        if not data.totals.refunded.is_zero:
            self._write_total(_("Net paid"), data.totals.kept.formatted(), bold=True)

    def draw_seller(self) -> None:
        """Name the seller with address and tax number, as most countries require on a receipt."""
        self.ln(8)
        self._draw_line()
        address = [line.strip() for line in self.data.seller.address.splitlines()]
        seller = ", ".join(part for part in (self.seller_name, *address) if part)
        parts = (seller, self.data.seller.tax_id, self.seller_email)
        self._set_style(size=8.5, color=GRAY)
        self.multi_cell(0, ROW, printable(" · ".join(part for part in parts if part)), align="L")

    def _payment_method(self) -> str:
        if self.data.totals.due.is_zero:
            return _("Nothing to pay")
        return self.data.paid_with or gateway_name(self.data.gateway)

    def _billed_to(self) -> str:
        address = self.data.billed_to
        lines = (address.name, address.text, address.tax_id, self.data.buyer_email)
        return "\n".join(line for line in dict.fromkeys(lines) if line)

    def _status(self) -> str:
        is_free = self.data.totals.due.is_zero
        if self.data.state == OrderState.REFUNDED:
            return _("Canceled") if is_free else _("Refunded")
        if self.data.state == OrderState.PARTIALLY_REFUNDED:
            return _("Partly canceled") if is_free else _("Partly refunded")
        return _("Complete") if is_free else _("Paid")

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
        self.cell(width, height, printable(text), align=align)

    def _set_style(self, *, size: float, bold: bool = False, color: tuple[int, int, int] = INK) -> None:
        self.set_font(FAMILY, "B" if bold else "", size)
        self.set_text_color(*color)

    def _draw_line(self) -> None:
        self.line(MARGIN, self.get_y(), MARGIN + WIDTH, self.get_y())
        self.ln(2)


def _format_time(time: datetime) -> str:
    return date_format(localtime(time), "DATETIME_FORMAT")


def _format_day(time: datetime) -> str:
    return date_format(localtime(time), "DATE_FORMAT")

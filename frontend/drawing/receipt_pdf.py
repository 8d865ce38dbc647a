"""A receipt as a PDF file: one column of facts, a table, the sums. Pure: everything it says comes from the data.

The font is DejaVu Sans Condensed (free, see ``fonts/LICENSE.txt``): it has Latin, Greek, Cyrillic, Armenian, Georgian,
Hebrew and Arabic letters. Letters it hasn't (Chinese, Japanese, Korean) are printed as a box; the buyer's e-mail
address beside the name says whose receipt it is.
"""

from __future__ import annotations

import unicodedata
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import cast

from django.conf import settings
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from fontTools.ttLib import TTFont
from fpdf import FPDF
from fpdf.bidi import BidiParagraph
from fpdf.enums import XPos, YPos

from ecommerce.enums import OrderState
from ecommerce.selectors.receipts import ReceiptData
from ecommerce.selectors.sentences import gateway_name

FONTS = Path(__file__).parents[1] / "fonts"
FAMILY = "DejaVu"
REPLACEMENT = "\ufffd"
MARGIN = 20.0
INK, GRAY, LINE = (16, 32, 27), (90, 105, 99), (218, 225, 222)
COLUMNS = (86.0, 28.0, 28.0, 28.0)  # millimeters: course, price, discount, paid


def receipt_pdf(data: ReceiptData, *, brand_name: str, brand_email: str = "", color: str = "#00694F") -> bytes:
    """The file. Seller and support address fall back on the brand's."""
    paper = _Paper(data, brand_name=brand_name, brand_email=brand_email, color=color)
    paper.head()
    paper.facts()
    paper.table()
    paper.sums()
    paper.foot()
    return bytes(paper.pdf.output())


def printable(text: str) -> str:
    """The text as it can be printed: what the font hasn't becomes a box, right-to-left words stand as they are read."""
    known = _letters()
    kept = "".join(
        letter if ord(letter) in known else REPLACEMENT
        for letter in unicodedata.normalize("NFC", text)
        if not unicodedata.category(letter).startswith("C") or letter == "\n"
    )
    if any(unicodedata.bidirectional(letter) in {"R", "AL"} for letter in kept):
        return "\n".join(BidiParagraph(line).get_reordered_string() for line in kept.split("\n") if line)
    return kept


@cache
def _letters() -> frozenset[int]:
    """What both weights of the font can write."""
    both: list[set[int]] = []
    for path in (FONTS / "DejaVuSansCondensed.ttf", FONTS / "DejaVuSansCondensed-Bold.ttf"):
        with TTFont(path) as font:
            both.append(set(font.getBestCmap()))
    return frozenset(both[0] & both[1] | {ord("\n")})


class _Paper:
    """The sheet while it is written."""

    def __init__(self, data: ReceiptData, *, brand_name: str, brand_email: str, color: str) -> None:
        self.data, self.brand_name, self.brand_email = data, brand_name, brand_email
        self.brand = tuple(int(color[place : place + 2], 16) for place in (1, 3, 5))
        self.pdf = FPDF(format="A4")
        self.pdf.set_margins(MARGIN, MARGIN)
        self.pdf.set_auto_page_break(True, margin=MARGIN)
        self.pdf.add_font(FAMILY, "", FONTS / "DejaVuSansCondensed.ttf")
        self.pdf.add_font(FAMILY, "B", FONTS / "DejaVuSansCondensed-Bold.ttf")
        self.pdf.set_title(printable(f"{self.title} {data.number}"))
        self.pdf.set_author(printable(self.seller_name))
        self.pdf.set_lang(get_language() or settings.LANGUAGE_CODE)
        self.pdf.set_creation_date(data.fulfilled_at or data.placed_at)
        self.pdf.add_page()

    @property
    def title(self) -> str:
        return _("Receipt")

    @property
    def seller_name(self) -> str:
        return self.data.seller.name or self.brand_name

    def head(self) -> None:
        """The brand's word and sign on one side, what this is on the other."""
        pdf = self.pdf
        top = pdf.get_y()
        pdf.set_fill_color(*self.brand)
        for column, row in ((0, 0), (5.2, 0), (0, 5.2)):
            pdf.rect(MARGIN + column, top + row, 4.6, 4.6, style="F")
        pdf.set_fill_color(255, 178, 36)
        pdf.ellipse(MARGIN + 5.2, top + 5.2, 4.6, 4.6, style="F")
        pdf.set_xy(MARGIN + 13, top)
        self._write(self.brand_name, width=80, height=9.8, size=15, bold=True)
        pdf.set_xy(-MARGIN - 80, top)
        self._write(self.title, width=80, height=6, size=13, bold=True, align="R", then="below")
        pdf.set_x(-MARGIN - 80)
        self._write(self.data.number, width=80, height=5, size=9, gray=True, align="R", then="next")
        pdf.set_y(top + 15)
        self._line()

    def facts(self) -> None:
        """When, how and by whom it was paid, and how it stands."""
        data = self.data
        when = data.fulfilled_at or data.placed_at
        rows = [
            (_("Completed on") if data.total.is_zero else _("Paid on"), _moment(when)),
            (_("Paid with"), self._paid_with()),
            (_("Billed to"), self._billed_to()),
            (_("Status"), self._status()),
        ]
        for label, text in rows:
            self._pair(label, text)
        self.pdf.ln(4)

    def table(self) -> None:
        """What was bought."""
        self._row((_("Course"), _("Price"), _("Discount"), _("You paid")), size=8.5, bold=False, gray=True, filled=True)
        for line in self.data.lines:
            discount = "–" if line.discount.is_zero else f"−{line.discount.formatted()}"
            if line.discount_label:
                discount = f"{discount}\n{line.discount_label}"
            self._row((line.title, line.list_price.formatted(), discount, line.due.formatted()), size=9.5, bold=True)

    def sums(self) -> None:
        """Subtotal, discounts, tax, total, and what went back."""
        data, pdf = self.data, self.pdf
        pdf.ln(4)
        self._sum(_("Subtotal"), data.list_total.formatted())
        if not data.discount_total.is_zero:
            self._sum(_("Discounts"), f"−{data.discount_total.formatted()}")
        if data.tax_total is not None:
            self._sum(_("Tax (included)"), data.tax_total.formatted())
        self._sum(_("Total paid"), data.total.formatted(), bold=True)
        for refund in data.refunds:
            if refund.is_by_bank and refund.settled_at is not None:
                label = _("Returned by your bank on %(day)s") % {"day": _day(refund.settled_at)}
            elif refund.settled_at is not None:
                label = _("Refunded on %(day)s") % {"day": _day(refund.settled_at)}
            else:
                label = _("Refund pending")
            self._sum(label, f"−{refund.amount.formatted()}")
        if not data.refunded_total.is_zero:
            self._sum(_("Net paid"), (data.total - data.refunded_total).formatted(), bold=True)

    def foot(self) -> None:
        """The seller, as the law of most places wants it."""
        pdf, seller = self.pdf, self.data.seller
        pdf.ln(8)
        self._line()
        address = ", ".join(part.strip() for part in seller.address.splitlines() if part.strip())
        about = ", ".join(part for part in (self.seller_name, address) if part)
        parts = [about, seller.tax_id, seller.support_email or self.brand_email]
        self._text(" · ".join(part for part in parts if part), width=0, size=8.5, gray=True)

    def _paid_with(self) -> str:
        data = self.data
        if data.total.is_zero:
            return _("Nothing to pay")
        return data.paid_with or gateway_name(data.gateway)

    def _billed_to(self) -> str:
        data = self.data
        lines = [data.billed_to.name, data.billed_to.text, data.billed_to.tax_id, data.buyer_email]
        return "\n".join(line for line in dict.fromkeys(lines) if line)

    def _status(self) -> str:
        is_free = self.data.total.is_zero
        words = {
            OrderState.REFUNDED: _("Undone") if is_free else _("Refunded"),
            OrderState.PARTIALLY_REFUNDED: _("Partly undone") if is_free else _("Partly refunded"),
        }
        done = _("Complete") if is_free else _("Paid")
        return words.get(OrderState(self.data.state), done)

    def _pair(self, label: str, text: str) -> None:
        top = self.pdf.get_y()
        self._write(label, width=36, height=5.5, size=9, gray=True)
        self.pdf.set_xy(MARGIN + 36, top)
        self._text(text, width=0, size=9.5)
        self.pdf.ln(1.2)

    def _row(
        self, cells: tuple[str, str, str, str], *, size: float, bold: bool, gray: bool = False, filled: bool = False
    ) -> None:
        """One row of the table; it is never torn by the end of a page."""
        pdf = self.pdf
        height = max(self._height(text, width - 2, size, bold) for text, width in zip(cells, COLUMNS, strict=True)) + 4
        if pdf.get_y() + height > pdf.h - MARGIN:
            pdf.add_page()
        top, left = pdf.get_y(), MARGIN
        if filled:
            pdf.set_fill_color(237, 241, 239)
            pdf.rect(MARGIN, top, sum(COLUMNS), height, style="F")
        for place, (text, width) in enumerate(zip(cells, COLUMNS, strict=True)):
            pdf.set_xy(left + 1, top + 2)
            strong = bold and place in {0, 3}
            self._text(text, width=width - 2, size=size, bold=strong, gray=gray, align="R" if place else "L")
            left += width
        pdf.set_y(top + height)
        self._line()

    def _height(self, text: str, width: float, size: float, bold: bool) -> float:
        self.pdf.set_font(FAMILY, "B" if bold else "", size)
        taken = self.pdf.multi_cell(width, 5, printable(text) or " ", dry_run=True, output="HEIGHT")
        return cast("float", taken)

    def _sum(self, label: str, amount: str, *, bold: bool = False) -> None:
        self.pdf.set_x(MARGIN + sum(COLUMNS) - 90)
        self._write(label, width=58, height=6.5, size=10, bold=bold)
        self._write(amount, width=31, height=6.5, size=10, bold=bold, align="R", then="next")

    def _write(
        self,
        text: str,
        *,
        width: float,
        height: float,
        size: float,
        bold: bool = False,
        gray: bool = False,
        align: str = "L",
        then: str = "right",
    ) -> None:
        """One line in a box."""
        self._pen(size, bold=bold, gray=gray)
        after = {"right": (XPos.RIGHT, YPos.TOP), "below": (XPos.LEFT, YPos.NEXT), "next": (XPos.LMARGIN, YPos.NEXT)}
        new_x, new_y = after[then]
        self.pdf.cell(width, height, printable(text), align=align, new_x=new_x, new_y=new_y)

    def _text(
        self, text: str, *, width: float, size: float, bold: bool = False, gray: bool = False, align: str = "L"
    ) -> None:
        """As many lines as it takes."""
        self._pen(size, bold=bold, gray=gray)
        self.pdf.multi_cell(width, 5, printable(text) or " ", align=align, new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _pen(self, size: float, *, bold: bool, gray: bool) -> None:
        self.pdf.set_font(FAMILY, "B" if bold else "", size)
        self.pdf.set_text_color(*(GRAY if gray else INK))

    def _line(self) -> None:
        self.pdf.set_draw_color(*LINE)
        y = self.pdf.get_y()
        self.pdf.line(MARGIN, y, MARGIN + sum(COLUMNS), y)
        self.pdf.ln(2)


def _moment(when: datetime) -> str:
    return date_format(localtime(when), "DATETIME_FORMAT")


def _day(when: datetime) -> str:
    return date_format(localtime(when), "DATE_FORMAT")

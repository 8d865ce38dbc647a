"""A receipt as a PDF file, drawn from plain data alone, in the typeface of the page and with its facts."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

from django.conf import settings
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from fpdf import FPDF, FontFace
from fpdf.enums import CellBordersLayout, XPos, YPos
from fpdf.table import Table

from ecommerce.enums import OrderState
from ecommerce.selectors.discount_text import gateway_name
from ecommerce.selectors.receipts import LineData, ReceiptData
from frontend.drawing.mark import picture
from frontend.drawing.pdf_fonts import BOLD, BOLD_FALLBACKS, FONTS, REGULAR, find_fallbacks, printable
from frontend.site.brands import Brand, mail_brand
from mitxonline.kernel.dates import format_day, format_moment

FAMILY = "Hanken"
INK, GRAY, LINE, SHADE = (16, 32, 27), (90, 105, 99), (218, 225, 222), (237, 241, 239)
# In millimeters.
MARGIN = 20.0
WIDTH = 170.0
COLUMNS = (86, 28, 28, 28)  # course, price, discount, paid
ROW = 5.0
CELL_PADDING = 2.0


def mailed_receipt_pdf(data: ReceiptData) -> bytes:
    """Draw the receipt for an e-mail, which has no request: with the brand of e-mails (`RECEIPT_FILE`)."""
    return brand_receipt_pdf(data, mail_brand())


def brand_receipt_pdf(data: ReceiptData, brand: Brand) -> bytes:
    return receipt_pdf(data, brand_name=brand.name, brand_email=brand.support_email, mark=picture(brand))


def receipt_pdf(data: ReceiptData, *, brand_name: str, mark: bytes, brand_email: str = "") -> bytes:
    """Draw the receipt. The brand's name and address are printed where the shop's settings name no seller.

    ``mark`` is the picture beside the name, in any format that Pillow reads.
    """
    pdf = ReceiptPDF(data, brand_name=brand_name, brand_email=brand_email)
    pdf.add_page()
    pdf.draw_head(mark)
    pdf.draw_facts()
    pdf.draw_lines()
    pdf.draw_totals()
    pdf.draw_foot()
    return bytes(pdf.output())


class ReceiptPDF(FPDF):
    def __init__(self, data: ReceiptData, *, brand_name: str, brand_email: str) -> None:
        super().__init__(format="A4")
        self.data = data
        self.brand_name = brand_name
        self.seller_name = data.seller.name or brand_name
        self.seller_email = data.seller.support_email or brand_email
        self.set_margins(MARGIN, MARGIN)
        self.set_auto_page_break(True, margin=MARGIN)
        self.fallbacks: list[str] = []
        self.add_font(FAMILY, "", FONTS / f"{REGULAR}.ttf")
        self.add_font(FAMILY, "B", FONTS / f"{BOLD}.ttf")
        self.set_text_shaping(True)
        self.set_title(self._prepare(f"{_('Receipt')} {data.number}"))
        self.set_author(self._prepare(self.seller_name))
        self.set_lang(get_language() or settings.LANGUAGE_CODE)
        self.set_creation_date(data.fulfilled_at or data.placed_at)
        self.set_draw_color(*LINE)

    def draw_head(self, mark: bytes) -> None:
        top = self.get_y()
        self.image(BytesIO(mark), MARGIN, top, 9.8, 9.8, keep_aspect_ratio=True)
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
                format_moment(data.fulfilled_at or data.placed_at),
            ),
            (_("Paid by"), data.paid_by) if data.paid_by else (_("Paid with"), self._payment_method()),
            (_("Billed to"), self._billed_to()),
            (_("Status"), self._status()),
        ]
        for label, text in facts:
            self._write(label, width=36, height=5.5, size=9, color=GRAY)
            self._set_style(size=9.5)
            self.multi_cell(0, ROW, self._prepare(text) or " ", align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
            self.ln(1.2)
        self.ln(4)

    def draw_lines(self) -> None:
        """Draw what was bought as a table whose headings are repeated on every page."""
        self._set_style(size=9.5)
        self.set_fill_color(255, 255, 255)  # cells take the fill color that was used last
        with self.table(
            col_widths=COLUMNS,
            width=WIDTH,
            text_align=("LEFT", "RIGHT", "RIGHT", "RIGHT"),
            v_align="TOP",
            line_height=ROW,
            padding=CELL_PADDING,
            borders_layout="NONE",
            headings_style=FontFace(emphasis="", size_pt=8.5, color=GRAY, fill_color=SHADE),
        ) as table:
            table.row([self._prepare(heading) for heading in (_("Course"), _("Price"), _("Discount"), _("You paid"))])
            for line in self.data.lines:
                self._add_line(table, line)
        self._draw_line()

    def _add_line(self, table: Table, line: LineData) -> None:
        """Add a row with the amounts, and below it one with what is said of the course and its discount."""
        strong, top = FontFace(emphasis="BOLD"), CellBordersLayout.TOP
        about = self._prepare("\n".join(self._about_line(line)))
        discount = "–" if line.discount.is_zero else f"−{line.discount.formatted()}"
        row = table.row()
        below = 0 if about or line.discount_label else CELL_PADDING
        padding = (CELL_PADDING, CELL_PADDING, below, CELL_PADDING)
        row.cell(self._prepare(line.title), style=strong, border=top, padding=padding)
        row.cell(self._prepare(line.list_price.formatted()), border=top, padding=padding)
        row.cell(self._prepare(discount), border=top, padding=padding)
        row.cell(self._prepare(line.due.formatted()), style=strong, border=top, padding=padding)
        if about or line.discount_label:
            quiet = FontFace(size_pt=8.5, color=GRAY)
            row = table.row()
            padding = (0, CELL_PADDING, CELL_PADDING, CELL_PADDING)
            for text in (about, "", self._prepare(line.discount_label), ""):
                row.cell(text, style=quiet, padding=padding)

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
                label = _("Returned by your bank on %(day)s") % {"day": format_day(refund.settled_at)}
            else:
                label = _("Refunded on %(day)s") % {"day": format_day(refund.settled_at)}
            self._write_total(label, f"−{refund.amount.formatted()}")
        if not data.totals.refunded.is_zero:
            self._write_total(_("Net paid"), data.totals.kept.formatted(), bold=True)

    def draw_foot(self) -> None:
        """Say until when refunds can be requested, and name the seller, as most countries require on a receipt."""
        self.ln(8)
        self._draw_line()
        address = [line.strip() for line in self.data.seller.address.splitlines()]
        seller = ", ".join(part for part in (self.seller_name, *address) if part)
        parts = (seller, self.data.seller.tax_id, self.seller_email)
        self._set_style(size=8.5, color=GRAY)
        for line in (self._refunds_until(), " · ".join(part for part in parts if part)):
            if line:
                self.multi_cell(0, ROW, self._prepare(line), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

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

    def _about_line(self, line: LineData) -> Iterator[str]:
        if line.dates:
            yield line.dates
        yield from line.courses
        if line.provider and not self.data.paid_by:
            said = _("Paid by %(organization)s") if line.due.is_zero else _("%(organization)s’s price")
            yield said % {"organization": line.provider}
        if line.refund_until is not None and self.data.refund_days_differ:
            yield _("Refund until %(day)s") % {"day": format_day(line.refund_until)}

    def _refunds_until(self) -> str:
        if self.data.refund_until is None:
            return ""
        if self.data.refund_days_differ:
            return _("Refunds until the day beside each course.")
        return _("Refunds until %(day)s.") % {"day": format_day(self.data.refund_until)}

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
        self.cell(width, height, self._prepare(text), align=align)

    def _set_style(self, *, size: float, bold: bool = False, color: tuple[int, int, int] = INK) -> None:
        self.set_font(FAMILY, "B" if bold else "", size)
        self.set_text_color(*color)

    def _draw_line(self) -> None:
        self.line(MARGIN, self.get_y(), MARGIN + WIDTH, self.get_y())
        self.ln(2)

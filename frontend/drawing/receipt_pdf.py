"""A receipt as a PDF file, drawn from plain data alone, in the typeface of the page and with its facts."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _
from fpdf import FontFace
from fpdf.enums import CellBordersLayout, XPos, YPos
from fpdf.table import Table

from ecommerce.enums import OrderState
from ecommerce.gateways.labels import gateway_name
from ecommerce.selectors.receipts import LineData, ReceiptData
from frontend.drawing.document_pdf import CELL_PADDING, GRAY, ROW, SHADE, WIDTH, DocumentPDF
from frontend.drawing.mark import picture
from frontend.site.brands import Brand, mail_brand
from mitxonline.kernel.dates import format_day, format_moment

COLUMNS = (86, 28, 28, 28)  # course, price, discount, paid; in millimeters


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
    pdf.draw_head(mark, brand_name=brand_name, title=_("Receipt"), number=data.number)
    pdf.draw_facts()
    pdf.draw_lines()
    pdf.draw_totals()
    pdf.draw_foot()
    return bytes(pdf.output())


class ReceiptPDF(DocumentPDF):
    def __init__(self, data: ReceiptData, *, brand_name: str, brand_email: str) -> None:
        self.data = data
        self.seller_name = data.seller.name or brand_name
        self.seller_email = data.seller.support_email or brand_email
        super().__init__(
            title=f"{_('Receipt')} {data.number}",
            author=self.seller_name,
            created_at=data.fulfilled_at or data.placed_at,
        )

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
        parts = (seller, self.data.seller.tax_id, self.seller_email, self.data.seller.support_url)
        self._set_style(size=8.5, color=GRAY)
        text = self.data.seller.text.strip().splitlines()
        for line in (*text, self._refunds_until(), " · ".join(part for part in parts if part)):
            if line:
                self.multi_cell(0, ROW, self._prepare(line), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _about_line(self, line: LineData) -> Iterator[str]:
        if line.seats is not None:
            yield line.seats_text
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
        order = _("Purchase order %(number)s") % {"number": address.po_number} if address.po_number else ""
        lines = (address.name, address.text, address.tax_id, address.contact, order, self.data.buyer_email)
        return "\n".join(line for line in dict.fromkeys(lines) if line)

    def _status(self) -> str:
        is_free = self.data.totals.due.is_zero
        if self.data.state == OrderState.REFUNDED:
            return _("Canceled") if is_free else _("Refunded")
        if self.data.state == OrderState.PARTIALLY_REFUNDED:
            return _("Partly canceled") if is_free else _("Partly refunded")
        return _("Complete") if is_free else _("Paid")

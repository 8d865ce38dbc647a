"""An invoice or a credit note as a PDF file, drawn from plain data alone."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext as _
from fpdf import FontFace
from fpdf.enums import Align, CellBordersLayout, XPos, YPos
from fpdf.table import Table

from ecommerce.selectors.invoice_document import PrintedLine, PrintedParty, SalesDocument
from frontend.drawing.document_pdf import CELL_PADDING, GRAY, INK, MARGIN, ROW, SHADE, WIDTH, DocumentPDF
from frontend.drawing.mark import picture
from frontend.site.brands import mail_brand

# In millimeters: description, seats, unit price, discount, net, and tax if any is charged.
COLUMNS = (62, 14, 26, 18, 26, 24)
HALF = WIDTH / 2
FACT_LABEL = 32.0
WARN = (156, 61, 24)
# Totals and how to pay aren't torn apart: they begin on a new page if there is less room than this.
TOTALS_HEIGHT = 32.0


def draw_invoice(document: SalesDocument) -> bytes:
    """Draw the document with the brand of e-mails, whoever downloads it (`INVOICE_FILE`)."""
    brand = mail_brand()
    return invoice_pdf(document, brand_name=brand.name, mark=picture(brand))


def invoice_pdf(document: SalesDocument, *, brand_name: str, mark: bytes) -> bytes:
    pdf = InvoicePDF(document, brand_name=brand_name)
    pdf.add_page()
    pdf.draw_head(mark, brand_name=brand_name, title=document.title, number=document.number)
    pdf.draw_notice()
    pdf.draw_parties()
    pdf.draw_facts()
    pdf.draw_lines()
    pdf.draw_totals()
    pdf.draw_notes()
    return bytes(pdf.output())


class InvoicePDF(DocumentPDF):
    def __init__(self, document: SalesDocument, *, brand_name: str) -> None:
        self.document = document
        super().__init__(
            title=" ".join(part for part in (document.title, document.number) if part),
            author=document.seller.name or brand_name,
            created_at=document.created_at,
        )

    def footer(self) -> None:
        """Name the document and the page, so that loose sheets find each other."""
        self.set_y(-MARGIN + 6)
        name = " ".join(part for part in (self.document.title, self.document.number) if part)
        page = _("Page %(page)d") % {"page": self.page_no()}
        for text, align in ((name, "L"), (page, "R")):
            self._write(text, width=HALF, height=5, size=8, color=GRAY, align=align)

    def draw_notice(self) -> None:
        if self.document.notice:
            self._write(self.document.notice, width=WIDTH, height=9, size=15, bold=True, color=WARN)
            self.ln(12)

    def draw_parties(self) -> None:
        """Print buyer and seller side by side, each with its tax number."""
        top = self.get_y() + 2
        bottoms = []
        for left, label, party in (
            (MARGIN, _("Billed to"), self.document.buyer),
            (MARGIN + HALF, _("Seller"), self.document.seller),
        ):
            self.set_xy(left, top)
            self._write(label, width=HALF, height=5.5, size=9, color=GRAY)
            self.set_xy(left, top + 5.5)
            self._write_block([party.name], left, bold=True)
            self._write_block([*party.lines, *_tax_lines(party)], left)
            bottoms.append(self.get_y())
        self.set_y(max(bottoms) + 5)

    def draw_facts(self) -> None:
        for label, text in self.document.facts:
            self._write(label, width=FACT_LABEL, height=5.5, size=9, color=GRAY)
            self._set_style(size=9.5)
            self.multi_cell(0, ROW + 0.5, self._prepare(text) or " ", align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(5)

    def draw_lines(self) -> None:
        """Draw the lines as a table whose headings are repeated on every page."""
        document = self.document
        headings = [_("Description"), _("Seats"), _("Unit price"), _("Discount"), _("Net")]
        headings += [_("Tax")] if document.tax_label else []
        widths = COLUMNS[: len(headings)]
        if not document.tax_label:
            widths = (COLUMNS[0] + COLUMNS[-1], *widths[1:])
        self._set_style(size=9)
        self.set_fill_color(255, 255, 255)  # cells take the fill color that was used last
        with self.table(
            col_widths=widths,
            width=WIDTH,
            text_align=tuple([Align.L] + [Align.R] * (len(headings) - 1)),
            v_align="TOP",
            line_height=ROW,
            padding=CELL_PADDING,
            borders_layout="NONE",
            headings_style=FontFace(emphasis="", size_pt=8.5, color=GRAY, fill_color=SHADE),
        ) as table:
            table.row([self._prepare(heading) for heading in headings])
            for line in document.lines:
                self._add_line(table, line)
        self._draw_line()

    def draw_totals(self) -> None:
        document = self.document
        if self.will_page_break(TOTALS_HEIGHT):
            self.add_page()
        self.ln(3)
        if document.tax_label:
            self._write_total(_("Net"), document.net.formatted())
            self._write_total(document.tax_label, document.tax.formatted())
        self._write_total(f"{document.total_label} ({document.total.currency})", document.total.formatted(), bold=True)

    def draw_notes(self) -> None:
        self.ln(6)
        for note in self.document.notes:
            self._write_paragraph(note)
        if self.document.how_to_pay:
            self._write_paragraph(_("How to pay"), bold=True)
            self._write_paragraph(self.document.how_to_pay)

    def _add_line(self, table: Table, line: PrintedLine) -> None:
        amounts = [line.seats, line.unit_price.formatted(), line.discount, line.net.formatted()]
        if self.document.tax_label:
            amounts.append(line.tax.formatted())
        top, below = CellBordersLayout.TOP, 0 if line.detail else CELL_PADDING
        padding = (CELL_PADDING, CELL_PADDING, below, CELL_PADDING)
        row = table.row()
        row.cell(self._prepare(line.title), style=FontFace(emphasis="BOLD"), border=top, padding=padding)
        for amount in amounts:
            row.cell(self._prepare(amount), border=top, padding=padding)
        if line.detail:
            row = table.row()
            padding = (0, CELL_PADDING, CELL_PADDING, CELL_PADDING)
            row.cell(
                self._prepare(line.detail),
                style=FontFace(size_pt=8, color=GRAY),
                colspan=len(amounts) + 1,
                padding=padding,
            )

    def _write_block(self, lines: Iterable[str], left: float, *, bold: bool = False) -> None:
        self._set_style(size=9.5, bold=bold, color=INK)
        for line in lines:
            self.set_x(left)
            self.multi_cell(HALF - 4, ROW, self._prepare(line) or " ", align="L", new_x=XPos.LEFT, new_y=YPos.NEXT)

    def _write_paragraph(self, text: str, *, bold: bool = False) -> None:
        self._set_style(size=9, bold=bold)
        self.multi_cell(0, ROW, self._prepare(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(0.5 if bold else 2.5)


def _tax_lines(party: PrintedParty) -> list[str]:
    return [_("Tax number: %(number)s") % {"number": party.tax_id}] if party.tax_id else []

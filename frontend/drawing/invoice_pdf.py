"""An invoice or a credit note as a PDF file, drawn from plain data alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import cast

from django.utils.translation import gettext as _
from fpdf.enums import MethodReturnValue, XPos, YPos

from ecommerce.selectors.invoice_document import PrintedLine, PrintedParty, SalesDocument
from frontend.drawing.document_pdf import CELL_PADDING, GRAY, INK, MARGIN, ROW, SHADE, WIDTH, DocumentPDF
from frontend.drawing.mark import picture
from frontend.site.brands import mail_brand
from mitxonline.kernel.money import Money

# In millimeters. The description has what is left.
SEATS, PRICE, DISCOUNT, NET, RATE, TAX, GROSS = 12.0, 25.0, 16.0, 27.0, 14.0, 23.0, 27.0
SMALLEST = 5.0  # points; amounts that are wider than their column are printed smaller, never cut
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
        # fpdf puts the number of pages in the place of its alias when the last page is drawn.
        page = _("Page %(page)d of %(pages)s") % {"page": self.page_no(), "pages": self.str_alias_nb_pages}
        self._write(f"{name} · {page}", width=WIDTH, height=5, size=8, color=GRAY)

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
        """Draw the lines as a table. Each page repeats the headings and begins with the amount carried over to it."""
        table = _LineTable(self, self.document)
        table.draw_headings()
        carried = self.document.total.zero
        for line in self.document.lines:
            is_last = line is self.document.lines[-1]
            if table.will_break(line, is_last=is_last):
                table.draw_carried(_("Carried forward"), carried)
                self.add_page()
                table.draw_headings()
                table.draw_carried(_("Brought forward"), carried)
            table.draw_line(line)
            carried += line.gross
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

    def _write_block(self, lines: Iterable[str], left: float, *, bold: bool = False) -> None:
        self._set_style(size=9.5, bold=bold, color=INK)
        for line in lines:
            self.set_x(left)
            self.multi_cell(HALF - 4, ROW, self._prepare(line) or " ", align="L", new_x=XPos.LEFT, new_y=YPos.NEXT)

    def _write_paragraph(self, text: str, *, bold: bool = False) -> None:
        self._set_style(size=9, bold=bold)
        self.multi_cell(0, ROW, self._prepare(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(0.5 if bold else 2.5)


class _LineTable:
    """The table of a document's lines: the title of each, and below it its amounts."""

    def __init__(self, pdf: InvoicePDF, document: SalesDocument) -> None:
        self.pdf = pdf
        has_discount = any(line.discount for line in document.lines)
        columns: list[tuple[str, float, Callable[[PrintedLine], str]]] = [
            (_("Seats"), SEATS, lambda line: line.seats),
            (_("Unit price"), PRICE, lambda line: line.unit_price.formatted() if line.unit_price is not None else ""),
        ]
        if has_discount:
            columns.append((_("Discount"), DISCOUNT, lambda line: line.discount))
        if document.tax_label:
            columns += [
                (_("Net"), NET, lambda line: line.net.formatted()),
                (_("Tax rate"), RATE, lambda line: line.tax_rate),
                (_("Tax"), TAX, lambda line: line.tax.formatted()),
                (_("Gross"), GROSS, lambda line: line.gross.formatted()),
            ]
        else:
            columns.append((_("Amount"), GROSS, lambda line: line.gross.formatted()))
        self.columns = columns
        self.first = WIDTH - sum(width for _label, width, _read in columns)

    def draw_headings(self) -> None:
        pdf = self.pdf
        pdf.set_fill_color(*SHADE)
        pdf.rect(MARGIN, pdf.get_y(), WIDTH, ROW + 2 * CELL_PADDING, style="F")
        pdf.set_y(pdf.get_y() + CELL_PADDING)
        self._draw_row(_("Description"), [label for label, _width, _read in self.columns], size=8, color=GRAY)
        pdf.ln(ROW + CELL_PADDING)

    def will_break(self, line: PrintedLine, *, is_last: bool) -> bool:
        """Whether the page has no room for this line and, unless it is the last, the amount to carry over."""
        return self.pdf.will_page_break(self._height(line) + (0 if is_last else ROW + 2 * CELL_PADDING))

    def draw_line(self, line: PrintedLine) -> None:
        pdf = self.pdf
        pdf.line(MARGIN, pdf.get_y(), MARGIN + WIDTH, pdf.get_y())
        pdf.set_y(pdf.get_y() + CELL_PADDING)
        self._write_texts(line)
        self._draw_row("", [read(line) for _label, _width, read in self.columns], size=8.5)
        pdf.ln(ROW + CELL_PADDING)

    def draw_carried(self, label: str, amount: Money) -> None:
        pdf = self.pdf
        pdf.line(MARGIN, pdf.get_y(), MARGIN + WIDTH, pdf.get_y())
        pdf.set_y(pdf.get_y() + CELL_PADDING)
        self._draw_row(label, [*("" for _each in self.columns[1:]), amount.formatted()], size=8.5, color=GRAY)
        pdf.ln(ROW + CELL_PADDING)

    def _draw_row(self, text: str, cells: Sequence[str], *, size: float, color: tuple[int, int, int] = INK) -> None:
        pdf = self.pdf
        pdf._write(text, width=self.first, height=ROW, size=size, color=color)
        for cell, (_label, width, _read) in zip(cells, self.columns, strict=True):
            pdf._write(cell, width=width, height=ROW, size=self._fit(cell, width, size), color=color, align="R")

    def _fit(self, text: str, width: float, size: float) -> float:
        self.pdf._set_style(size=size)
        wide = self.pdf.get_string_width(self.pdf._prepare(text)) + 2 * self.pdf.c_margin
        return max(size * width / wide, SMALLEST) if wide > width else size

    def _height(self, line: PrintedLine) -> float:
        return self._write_texts(line, is_drawn=False) + ROW + 2 * CELL_PADDING

    def _write_texts(self, line: PrintedLine, *, is_drawn: bool = True) -> float:
        """Write title and detail over as many rows as they take, or only measure them. Return their height."""
        height = self._write_text(line.title, size=9, bold=True, is_drawn=is_drawn)
        return height + (self._write_text(line.detail, size=8, color=GRAY, is_drawn=is_drawn) if line.detail else 0)

    def _write_text(
        self, text: str, *, size: float, bold: bool = False, color: tuple[int, int, int] = INK, is_drawn: bool
    ) -> float:
        self.pdf._set_style(size=size, bold=bold, color=color)
        height = self.pdf.multi_cell(
            WIDTH,
            ROW,
            self.pdf._prepare(text) or " ",
            align="L",
            new_x=XPos.LMARGIN,
            new_y=YPos.NEXT,
            dry_run=not is_drawn,
            output=MethodReturnValue.HEIGHT,
        )
        return cast("float", height)


def _tax_lines(party: PrintedParty) -> list[str]:
    return [_("Tax number: %(number)s") % {"number": party.tax_id}] if party.tax_id else []

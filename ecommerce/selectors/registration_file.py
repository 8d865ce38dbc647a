"""The registration codes of seat sales as buyers get them: in an e-mail, and as a file with a row for each code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from courses.selectors.run_dates import format_run_dates
from ecommerce.codes import redeem_url
from ecommerce.models import DiscountCode, SeatSale
from ecommerce.selectors.seat_sales import title_of_sale
from mitxonline.kernel import clock
from mitxonline.kernel.mail import MailFile
from mitxonline.kernel.spreadsheets import Cell, csv_pieces

# An e-mail names so many codes of a course and leaves the others to the file: mailboxes cut long messages off.
CODES_IN_EMAIL = 100


@dataclass(frozen=True, slots=True)
class RegistrationCode:
    text: str

    @property
    def url(self) -> str:
        return redeem_url(self.text)


@dataclass(frozen=True, slots=True)
class SoldCourse:
    """The codes of one seat sale that can be used or were."""

    title: str
    dates: str
    codes: tuple[RegistrationCode, ...]

    @property
    def first_codes(self) -> tuple[RegistrationCode, ...]:
        """Those that an e-mail names."""
        return self.codes[:CODES_IN_EMAIL]

    @property
    def rest_count(self) -> int:
        return len(self.codes) - len(self.first_codes)


def list_sold_courses(sales: QuerySet[SeatSale]) -> list[SoldCourse]:
    """Return what these sales gave their buyer; two queries for any number of codes, one where there is no sale."""
    found = list(sales.select_related("course_run", "order_line").order_by("pk"))
    texts: dict[int, list[RegistrationCode]] = {sale.discount_id: [] for sale in found}
    if found:
        codes = DiscountCode.objects.filter(discount__in=texts, active=True).order_by("pk")
        for discount_id, text in codes.values_list("discount_id", "text"):
            texts[discount_id].append(RegistrationCode(text))
    now = clock.now()
    return [
        SoldCourse(
            title=title_of_sale(sale),
            dates=format_run_dates(sale.course_run, now),
            codes=tuple(texts[sale.discount_id]),
        )
        for sale in found
    ]


def registration_rows(courses: Iterable[SoldCourse]) -> Iterator[tuple[Cell, ...]]:
    """Yield the rows of the file, headings first."""
    yield _("Course name"), _("Registration code"), _("Link")
    for course in courses:
        for code in course.codes:
            yield course.title, code.text, code.url


def registration_file(courses: Iterable[SoldCourse], *, name: str) -> MailFile:
    """Return the file that goes with an e-mail; `name` is without its ending."""
    return MailFile(f"{name}.csv", "".join(csv_pieces(registration_rows(courses))).encode(), "text/csv")

"""Pages of lists: what an address with `?page=` asks for."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponseRedirect
from django.utils.http import escape_leading_slashes

PAGE = "page"
# No list has as many pages; longer numbers only cost time to read.
MAX_DIGITS = 10


class PageGone(Exception):
    """A list has fewer pages than the address says. The middleware redirects to its last page."""

    def __init__(self, last: int) -> None:
        super().__init__(f"the last page is {last}")
        self.last = last


def find_page(paginator: Paginator[Any], asked: str | None) -> Page[Any]:
    """Return the page the address asks for, the first for anything but a number. Raises PageGone beyond the last."""
    number = _parse_number(asked)
    page = paginator.get_page(number)
    if page.number < number:
        raise PageGone(page.number)
    return page


def redirect_to_last_page(request: HttpRequest, gone: PageGone) -> HttpResponseRedirect:
    params = request.GET.copy()
    params.pop(PAGE, None)
    if gone.last > 1:
        params[PAGE] = str(gone.last)
    path = escape_leading_slashes(request.path)
    return HttpResponseRedirect(f"{path}?{params.urlencode()}" if params else path)


def _parse_number(asked: str | None) -> int:
    if not asked or not asked.isascii() or not asked.isdigit():
        return 1
    return max(1, int(asked[:MAX_DIGITS]))

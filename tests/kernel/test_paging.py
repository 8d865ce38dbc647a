"""Pages of lists: numbers that are there, and those that aren't."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.paginator import Paginator
from django.test import RequestFactory

from mitxonline.kernel.paging import PageGone, find_page, redirect_to_last_page


@pytest.mark.parametrize(
    ("asked", "number"),
    [(None, 1), ("", 1), ("1", 1), ("3", 3), ("003", 3), ("zz", 1), ("-3", 1), ("1e9", 1), ("0", 1), ("²", 1)],
)
def test_a_page_is_found_by_its_number(asked: str | None, number: int) -> None:
    assert find_page(Paginator(range(25), 10), asked).number == number


@pytest.mark.parametrize("asked", ["4", "99", "9" * 5000])
def test_beyond_the_last_page_there_is_none(asked: str) -> None:
    with pytest.raises(PageGone) as gone:
        find_page(Paginator(range(25), 10), asked)
    assert gone.value.last == 3


@pytest.mark.parametrize(
    ("address", "last", "target"),
    [
        ("/catalog/?q=a+b&page=99&level=intro&level=advanced", 3, "/catalog/?q=a+b&level=intro&level=advanced&page=3"),
        ("/catalog/?page=99", 1, "/catalog/"),
        ("/catalog/?page=99&q=x", 1, "/catalog/?q=x"),
    ],
)
def test_the_address_of_the_last_page_keeps_everything_else(address: str, last: int, target: str) -> None:
    request = RequestFactory().get(address)
    assert redirect_to_last_page(request, PageGone(last)).headers["Location"] == target


def test_no_list_of_the_storefront_finds_its_page_another_way() -> None:
    root = Path(__file__).parents[2]
    files = [
        path
        for app in ("api", "frontend", "reports", "b2b", "ecommerce", "courses", "cms")
        for path in (root / app).rglob("*.py")
    ]
    assert [
        path.name for path in files if ").get_page(" in path.read_text() or "paginator.get_page(" in path.read_text()
    ] == []

"""The accessibility check finds what it should find."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.browser.axe import assert_accessible

pytestmark = pytest.mark.needs("chromium")

PAGE = """<!doctype html><html lang="en"><head><title>A page</title><style>{style}</style></head>
<body><main><h1>A page</h1>{content}</main></body></html>"""


@pytest.mark.parametrize(
    ("content", "style", "rule"),
    [
        ("<img src='x.png'>", "", "image-alt"),
        ("<input name='code'>", "", "label"),
        (
            "<p>Gray</p>",
            "@media (prefers-color-scheme: dark) { p { color: #ccc; background: #fff } }",
            "color-contrast",
        ),
        ("<p>Gray</p>", "@media (width < 400px) { p { color: #ccc; background: #fff } }", "color-contrast"),
    ],
)
def test_axe_finds_what_is_wrong(browser: Browser, content: str, style: str, rule: str) -> None:
    page = browser.new_page()
    page.set_content(PAGE.format(content=content, style=style))
    with pytest.raises(AssertionError, match=rule):
        assert_accessible(page)
    page.close()


def test_axe_finds_nothing_where_nothing_is_wrong(browser: Browser) -> None:
    page = browser.new_page()
    page.set_content(PAGE.format(content="<p>Fine</p>", style=""))
    assert_accessible(page)
    page.close()

"""Run axe on the current page, on phone and desktop widths and in both color schemes."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import axe_playwright_python
from playwright.sync_api import Page, ViewportSize

VIEWPORTS: tuple[ViewportSize, ...] = ({"width": 1280, "height": 844}, {"width": 390, "height": 844})


@cache
def _script() -> str:
    return Path(str(axe_playwright_python.__file__)).with_name("axe.min.js").read_text()


def assert_accessible(page: Page) -> None:
    """Fail with axe's findings by rule and element.

    The script is injected by evaluation: a script tag would be stopped by the content security policy.
    """
    size = page.viewport_size
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(_script())
    found = [
        f"{theme}, {viewport['width']} px: {violation['id']}: {violation['help']}\n    {_places(violation)}"
        for viewport in VIEWPORTS
        for theme in ("light", "dark")
        for violation in _violations(page, viewport, theme)
    ]
    page.emulate_media(color_scheme=None)
    if size:
        page.set_viewport_size(size)
    assert not found, f"{page.url}\n" + "\n".join(found)


def _violations(page: Page, viewport: ViewportSize, theme: Any) -> list[dict[str, Any]]:
    page.set_viewport_size(viewport)
    page.emulate_media(color_scheme=theme)
    result: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    violations: list[dict[str, Any]] = result["violations"]
    return violations


def _places(violation: dict[str, Any]) -> str:
    return "\n    ".join(f"{node['target']} {node['failureSummary']}" for node in violation["nodes"][:5])

"""A real browser against a live server, with real pages, contracts and files of codes."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from b2b.models import ContractPage
from tests.factories import make_course, make_department
from tests.support.programs import find_program

TIMEOUT = 20_000  # milliseconds; two cores, and the server shares them with the browser


@pytest.fixture(scope="module", autouse=True)
def _django_beside_playwright() -> Iterator[None]:
    """Playwright keeps an event loop in this thread, in which Django would refuse to touch the database."""
    # Within the loop Django has other connections. This one would stay open meanwhile, and be cut when the database is
    # restored; the first test after the browser's would find it dead.
    connections.close_all()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        yield


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for all tests of a module; ended with it, because its event loop would stay in the thread."""
    expect.set_options(timeout=TIMEOUT)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_program("chromium"), args=["--no-sandbox"])
        yield chromium
        chromium.close()


@dataclass(frozen=True)
class Visitor:
    """A browser of its own, with scripts or without."""

    page: Page
    base: str
    scripts: bool

    def opens(self, address: str) -> None:
        self.page.goto(address if address.startswith("http") else f"{self.base}{address}")


OpenVisitor = Callable[..., Visitor]


@pytest.fixture
def open_visitor(browser: Browser, live_server: Any) -> Iterator[OpenVisitor]:
    """Open browsers; fail the test on a script error or a violation of the content security policy."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        # That an answer is a 404 or a 422 is what the page is about; the browser remarks on it all the same.
        if message.type == "error" and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    def opened(*, scripts: bool = True, width: int = 1280, height: int = 844, zone: str | None = None) -> Visitor:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            java_script_enabled=scripts,
            reduced_motion="reduce",
            timezone_id=zone,
        )
        context.set_default_timeout(TIMEOUT)
        contexts.append(context)
        page = context.new_page()
        page.on("console", hear)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return Visitor(page=page, base=live_server.url, scripts=scripts)

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


@dataclass(frozen=True)
class CodeLine:
    """One line of the exported file."""

    code: str
    product_url: str
    redeem_url: str


@dataclass(frozen=True)
class Contract:
    """The exported codes of a contract."""

    lines: tuple[CodeLine, ...]

    @property
    def first(self) -> CodeLine:
        return self.lines[0]


MakeContract = Callable[..., Contract]


@pytest.fixture
def make_contract(live_server: Any, settings: Any, tmp_path: Path) -> MakeContract:
    """Set the site up and make contracts with the operators' commands."""
    settings.SITE_BASE_URL = live_server.url
    call_command("configure_wagtail", verbosity=0)

    def made(*options: str, title: str = "Statistics for people who make decisions") -> Contract:
        course = make_course(
            title=title,
            department=make_department("Data & statistics"),
            duration_weeks=6,
            hours_per_week_min=3,
            hours_per_week_max=3,
        )
        name = f"Contract of {course.readable_id}"
        call_command("b2b_contract", "create", "Northgate Health", name, "non-sso", *options, verbosity=0)
        contract_id = str(_contract_id(name))
        call_command("b2b_contract", "courseware", contract_id, course.readable_id, verbosity=0)
        file = tmp_path / f"codes-{contract_id}.csv"
        call_command("b2b_list", "contracts", "--codes", contract_id, "--codes-out", str(file), verbosity=0)
        return Contract(lines=tuple(_lines(file)))

    return made


def _contract_id(name: str) -> int:
    contract_id: int = ContractPage.objects.get(name=name).pk
    return contract_id


def _lines(file: Path) -> Iterator[CodeLine]:
    with file.open(newline="") as rows:
        for row in csv.DictReader(rows):
            yield CodeLine(code=row["Code"], product_url=row["Product URL"], redeem_url=row["Redeem URL"])

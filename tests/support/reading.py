"""Read a page as a person does: words, headings, buttons, fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bs4 import BeautifulSoup, Tag

BLOCKS = ["p", "div", "li", "h1", "h2", "h3", "dt", "dd", "tr", "td", "th", "section", "header", "form", "label"]


@dataclass(frozen=True)
class Page:
    """A parsed response."""

    soup: BeautifulSoup

    @property
    def title(self) -> str:
        return words(self.one("title"))

    @property
    def h1(self) -> str:
        return words(self.one("h1"))

    @property
    def text(self) -> str:
        """The text in main, or of the whole fragment, with single spaces."""
        return words(self.soup.find("main") or self.soup)

    @property
    def error_summary(self) -> tuple[str, str, str] | None:
        """The error summary's title, its first error and that link's target."""
        if not self.select(".error-summary"):
            return None
        link = self.one(".error-summary a")
        return words(self.one(".error-summary h2")), words(link), str(link["href"])

    def select(self, selector: str) -> list[Tag]:
        return list(self.soup.select(selector))

    def one(self, selector: str) -> Tag:
        found = self.select(selector)
        assert len(found) == 1, f"{selector}: {len(found)} found"
        return found[0]

    def headings(self, level: int) -> list[str]:
        return [words(each) for each in self.select(f"main h{level}")]

    def buttons(self) -> list[str]:
        """The labels of the buttons in main."""
        return [words(each) for each in self.select("main button, #cart button")]

    def links(self) -> dict[str, str]:
        """The links in main: text to address."""
        return {words(each): str(each["href"]) for each in self.select("main a[href]")}

    def label_of(self, name: str) -> str:
        field = self.one(f"[name={name}]")
        return words(self.one(f"label[for={field['id']}]"))


def read(response: Any) -> Page:
    return Page(BeautifulSoup(response.content.decode(), "html.parser"))


def page_text(response: Any) -> str:
    return read(response).text


def words(tag: Tag) -> str:
    """Return an element's text, with a space between block elements."""
    for block in tag.find_all(BLOCKS):
        block.insert_after(" ")
    for hidden in tag.find_all(["script", "style", "template"]):
        hidden.decompose()
    return " ".join(tag.get_text().split())


def form_data(page: Page) -> dict[str, Any]:
    """What the forms in main would post as they are rendered."""
    posted: dict[str, Any] = {}
    for field in page.select("main form input[name], main form textarea[name]"):
        kind = field.get("type", "text")
        if kind in {"radio", "checkbox"} and not field.has_attr("checked"):
            continue
        posted.setdefault(str(field["name"]), []).append(str(field.get("value", field.text)))
    return posted

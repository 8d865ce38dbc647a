"""Every text a visitor reads can be translated."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, Comment, Doctype
from django.conf import settings

import frontend

PROJECT = Path(frontend.__file__).parent.parent
APPS = ("api", "frontend", "cms", "b2b", "ecommerce", "courses", "mitxonline", "reports")
TEMPLATES = sorted(
    path for app in APPS for path in (PROJECT / app).rglob("templates/**/*") if path.suffix in (".html", ".txt")
)

NO_WORDS = re.compile(
    r"{#.*?#}|{%-?\s*comment\b.*?endcomment\s*%}|{%\s*(blocktranslate|blocktrans)\b.*?endblocktrans(?:late)?\s*%}",
    re.DOTALL,
)
TAGS = re.compile(r"{%.*?%}|{{.*?}}", re.DOTALL)
LITERAL = re.compile(r"""(?P<silent>_\(|\bcss=)?(?P<quote>["'])(?P<text>.*?)(?P=quote)""")
SPOKEN = ("alt", "aria-label", "aria-description", "placeholder", "title", "value")
# What a tag does with its strings is no matter of language: names of files, blocks, addresses, messages marked already.
SILENT_TAGS = {"translate", "trans", "load", "extends", "static", "url", "block", "get_current_language", "now"}
# Words that are the same in every language: signs of formats and units.
SAME_EVERYWHERE = re.compile(r"^(?:CSV|PDF|JSON|px|TS-|[A-Z]{2,3}|&\w+;|https?:\S+)$")
WORD = re.compile(r"[^\W\d_]{2,}")


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_a_template_has_no_words_of_its_own(path: Path) -> None:
    assert list(untranslated(path.read_text(), html=path.suffix == ".html")) == []


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("<p>Hello</p>", ["Hello"]),
        ('<p>{% translate "Hello" %}</p>', []),
        ("<p>{% blocktranslate %}Hello {{ name }}{% endblocktranslate %}</p>", []),
        ("<p>{{ name }} · 12</p>", []),
        ('<img alt="A picture">', ["A picture"]),
        ('<input placeholder="{{ name }}" class="btn btn-lg">', []),
        ("{% comment %}Hello{% endcomment %}{# Hello #}", []),
        ('{{ name|default:"No one" }}', ["No one"]),
        ('{{ name|default:_("No one") }}', []),
        ('{% include "a.html" with title="Two words" css="btn-lg" %}', ["Two words"]),
        ('{% icon "cross" label="Close" %}', ["Close"]),
        ("{% if state == 'free' %}{% endif %}", []),
        ('{% cover tile css="tile tile-lg" %}', []),
        ('<input type="submit" value="Send"><button value="accept"></button>', ["Send"]),
        ("<script>const word = 1</script><svg><path d='M0 0h4'/></svg>", []),
    ],
)
def test_words_are_found(template: str, found: list[str]) -> None:
    assert list(untranslated(template, html=True)) == found


# Words that CONTEXT.md rules out, and those that read as translated.
UNWANTED = re.compile(
    r"\b(invalid|redemption|entity|oops|log in|somebody|nobody|whoever|mailbox|need not|needs? no|at the moment"
    r"|by itself|by themselves|gi(?:ve|ven) back|goes on|straight away)\b|!(?!=)|[A-Za-z]'[a-z]",
    re.IGNORECASE,
)
MARKED = re.compile(
    r"""{%-?\s*translate\s+"(?P<text>[^"]+)"|{%-?\s*blocktranslate\b[^%]*%}(?P<block>.*?){%-?\s*endblocktranslate""",
    re.DOTALL,
)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_texts_are_plain_american_english(path: Path) -> None:
    texts = [found["text"] or TAGS.sub("", found["block"]) for found in MARKED.finditer(path.read_text())]
    assert [text for text in texts if UNWANTED.search(text)] == []


def test_a_language_has_a_place() -> None:
    assert [Path(place).relative_to(PROJECT) for place in settings.LOCALE_PATHS] == [Path("locale")]
    assert (PROJECT / "locale").is_dir()


def untranslated(template: str, *, html: bool) -> Iterator[str]:
    """Return untranslated text in elements, in attributes read aloud, and in arguments of tags and filters."""
    text = NO_WORDS.sub("", template)
    plain = TAGS.sub("", text)
    yield from filter(_says_something, _texts(plain) if html else plain.splitlines())
    for tag in TAGS.findall(text):
        yield from _handed_over(tag)


def _texts(html: str) -> Iterator[str]:
    soup = BeautifulSoup(html, "html.parser")
    for silent in soup.find_all(["script", "style", "svg"]):
        silent.decompose()
    for element in soup.find_all(True):
        for name in SPOKEN:
            if name != "value" or (element.name == "input" and element.get("type") in ("submit", "button", "reset")):
                yield str(element.get(name, ""))
    for text in soup.find_all(string=True):
        if not isinstance(text, Comment | Doctype):
            yield str(text)


def _handed_over(tag: str) -> Iterator[str]:
    """Strings that read like a sentence or a heading: they begin with a capital letter or have a blank."""
    name = tag.strip("{%} ").partition(" ")[0]
    if tag.startswith("{%") and name in SILENT_TAGS:
        return
    for found in LITERAL.finditer(tag):
        text = found["text"]
        if not found["silent"] and _says_something(text) and re.match(r"[A-Z][a-z]|\w+ \w", text):
            yield text


def _says_something(text: str) -> bool:
    return any(WORD.search(word) and not SAME_EVERYWHERE.match(word) for word in text.split())

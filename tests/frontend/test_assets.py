"""The pages' assets: size, existing icons, nothing the content security policy would block."""

import gzip
import re
from itertools import chain
from pathlib import Path

import pytest

import frontend
from frontend.drawing.icons import ICONS
from frontend.templatetags.ui import MIRRORED

ROOT = Path(frontend.__file__).parent
PROJECT = ROOT.parent
STATIC = ROOT / "static/frontend"
APPS = ("frontend", "cms", "b2b", "ecommerce", "courses", "mitxonline", "reports", "dev")
TEMPLATES = sorted(
    path
    for path in chain.from_iterable((PROJECT / app).rglob("templates/**/*.html") for app in APPS)
    if not {"emails", "mails", "wagtail", "admin", "wagtailadmin"} & set(path.parts)
)
STYLES = sorted((STATIC / "css").glob("*.css"))
BUDGET = 60 * 1024  # bytes, compressed


def test_styles_and_scripts_are_light() -> None:
    loaded = [*STYLES, *(STATIC / "js").glob("*.js"), *(STATIC / "vendor").glob("*.js")]

    assert sum(len(gzip.compress(path.read_bytes(), 9)) for path in loaded) <= BUDGET


def test_the_list_of_signs_is_that_of_the_sprite() -> None:
    drawn = re.findall(r'<symbol id="([\w-]+)"', (STATIC / "icons.svg").read_text())

    assert sorted(drawn) == sorted(ICONS)
    assert MIRRORED <= ICONS


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_a_template_names_signs_that_exist(path: Path) -> None:
    assert set(re.findall(r'{% icon "([\w-]+)"', path.read_text())) <= ICONS


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_a_template_has_nothing_inline(path: Path) -> None:
    text = path.read_text()

    assert not re.search(r"<[^>]+\sstyle=", text), "styles belong into a style sheet"
    assert not re.search(r"<[^>]+\son[a-z]+=", text), "handlers belong into a module"
    assert not re.search(r"<script(?![^>]*\ssrc=)(?![^>]*application/(?:ld\+)?json)", text)
    assert "<style" not in text


@pytest.mark.parametrize("path", STYLES, ids=lambda path: path.name)
def test_styles_know_no_left_and_right(path: Path) -> None:
    text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)

    physical = re.findall(
        r"(?:margin|padding|border|inset)-(?:left|right)\b|\b(?:left|right):|(?:text-align|float): (?:left|right)", text
    )

    assert physical == []


def test_a_modules_imports_exist() -> None:
    for module in (STATIC / "js").glob("*.js"):
        for imported in re.findall(r'(?:import|from) "\./([\w.-]+)"', module.read_text()):
            assert (STATIC / "js" / imported).is_file()


def test_every_script_is_asked_for_at_once() -> None:
    """Modules that import each other would otherwise be found one after the other."""
    head = (ROOT / "templates/partials/assets.html").read_text()
    modules = {path.name for path in (STATIC / "js").glob("*.js")} - {"main.js"}
    assert set(re.findall(r"modulepreload\" href=\"{% static 'frontend/js/([a-z]+.js)'", head)) == modules

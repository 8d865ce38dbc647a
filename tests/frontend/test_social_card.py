"""The cover as a picture for sites that don't show SVG, and the tags that name it."""

from __future__ import annotations

from io import BytesIO

import pytest
import resvg_py
from django.test import Client
from PIL import Image
from PIL.ImageColor import getrgb

from frontend.drawing import covers, social_card
from frontend.drawing.figures import Point
from tests.factories import make_course, make_department
from tests.factories.pages import make_content_page, make_course_page, make_home
from tests.support.reading import Page, read

SEED = covers.hash_id("course-v1:Tessera+PY101")
PALETTES = [*covers.PALETTES, covers.MOSAIC]
NEAR = 12  # of 255: smoothing and the palette may move a color that much


def opened(palette: str = "computing", seed: int = SEED) -> Image.Image:
    return Image.open(BytesIO(social_card.draw_social_card(seed, palette)))


@pytest.mark.parametrize("palette", PALETTES)
def test_the_card_has_the_expected_size_and_a_small_file(palette: str) -> None:
    data = social_card.draw_social_card(SEED, palette)

    assert opened(palette).size == (1200, 630)
    assert len(data) < 30 * 1024


@pytest.mark.parametrize("palette", PALETTES)
def test_every_plain_tile_is_where_the_drawing_has_it(palette: str) -> None:
    picture = opened(palette).convert("RGB")
    plain = [tile for tile in covers.lay_out(SEED, palette, "card") if not tile.figure]

    for tile in plain:
        assert near(picture, tile.column + 0.5, tile.row + 0.5, tile.ground), tile


@pytest.mark.parametrize(
    ("figure", "inked", "bare"),
    [
        ("quarter", [(0.9, 0.9), (0.5, 0.5)], [(0.1, 0.1)]),
        ("leaf", [(0.5, 0.5), (0.05, 0.95)], [(0.05, 0.05), (0.95, 0.95)]),
        ("dot", [(0.5, 0.5)], [(0.1, 0.5)]),
        ("rings", [(0.15, 0.9), (0.9, 0.9)], [(0.375, 0.9), (0.1, 0.1)]),
        ("ring", [(0.2, 0.5), (0.8, 0.5)], [(0.5, 0.5), (0.05, 0.05)]),
        ("waves", [(0.02, 0.2), (0.98, 0.8)], [(0.02, 0.05)]),
        ("arch", [(0.2, 0.9), (0.5, 0.15)], [(0.5, 0.9), (0.05, 0.05)]),
        ("cross", [(0.5, 0.5), (0.5, 0.2)], [(0.2, 0.2)]),
    ],
)
def test_figures_have_their_holes(figure: str, inked: list[Point], bare: list[Point]) -> None:
    tile = covers.Tile(0, 0, 1, "#FFFFFF", figure, "#000000")

    picture = painted(tile)

    assert {picture.getpixel((int(x * 100), int(y * 100))) for x, y in inked} == {(0, 0, 0)}
    assert {picture.getpixel((int(x * 100), int(y * 100))) for x, y in bare} == {(255, 255, 255)}


def painted(tile: covers.Tile) -> Image.Image:
    drawing = covers.draw_tiles([tile], covers.Shape(1, 1, 0))
    return Image.open(BytesIO(resvg_py.svg_to_bytes(drawing, width=100, height=100))).convert("RGB")


def near(picture: Image.Image, column: float, row: float, color: str) -> bool:
    """Check the color in the middle of a cell; the drawing's sides are cropped."""
    cell = social_card.HEIGHT / covers.SHAPES["card"].rows
    left = (cell * covers.SHAPES["card"].columns - social_card.WIDTH) / 2
    pixel = picture.getpixel((round(column * cell - left), round(row * cell)))
    assert isinstance(pixel, tuple)
    return all(abs(a - b) <= NEAR for a, b in zip(pixel, getrgb(color), strict=False))


def shared(page: Page) -> str:
    return str(page.one('meta[property="og:image"]')["content"])


@pytest.mark.django_db
def test_a_course_without_a_picture_is_shared_with_its_cover(client: Client) -> None:
    page = make_course_page(make_course("PY101", department=make_department("Computing")))

    address = shared(read(client.get(page.url)))
    response = client.get(address)

    assert address.startswith(f"http://testserver/covers/{covers.VERSION}/social/computing-")
    assert response["Content-Type"] == "image/png"
    assert "immutable" in response["Cache-Control"]


@pytest.mark.django_db
def test_every_page_is_shared_with_some_picture(client: Client) -> None:
    for page in (make_home(), make_content_page("about")):
        address = shared(read(client.get(page.url)))
        assert client.get(address).status_code == 200


@pytest.mark.django_db
def test_the_home_page_is_shared_under_what_it_says(client: Client) -> None:
    make_home()

    page = read(client.get("/"))

    assert page.one('meta[property="og:title"]')["content"] == "Courses that fit together."
    assert page.one('meta[property="og:url"]')["content"] == page.one('link[rel="canonical"]')["href"]

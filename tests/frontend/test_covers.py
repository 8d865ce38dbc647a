"""The same id always gives the same cover."""

import re
from hashlib import sha256
from xml.etree import ElementTree

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from wagtail.images.models import Image
from wagtail.images.tests.utils import get_test_image_file

from frontend.drawing import covers
from frontend.templatetags.covers import cover_url
from tests.factories import make_course, make_run
from tests.factories.pages import make_course_page, make_home

# Computed once; a change here is a new VERSION, or browsers would show old and new covers side by side.
GOLDEN = {
    ("course-v1:Tessera+PY101", "computing", "card"): "a5c9ef8fe128ab83",
    ("course-v1:Tessera+ST120", "data-statistics", "card"): "7d22672b47e9323c",
    ("course-v1:Tessera+BU140", "business", "square"): "9dbf6854ab5c0884",
    ("course-v1:Tessera+EN130", "engineering", "card"): "45a0635c3805e0cb",
    ("course-v1:Tessera+HE201", "health", "redeem"): "a8446fe9e04a08f7",
    ("course-v1:Tessera+CL110", "climate-environment", "card"): "d96f8d2002ef9a2f",
    ("course-v1:Tessera+WR101", "humanities", "swatch"): "5c0dc72e2aafa52d",
    ("course-v1:Tessera+DE105", "design", "card"): "d95ba478740c8027",
    ("home", "mosaic", "hero"): "7a0001157666ab20",
    ("course-v1:Ünïcode+数学", "law", "card"): "81d33cb7a707669e",
}

SEEDS = st.integers(min_value=0, max_value=2**32 - 1)
PALETTES = st.sampled_from([*covers.PALETTES, covers.MOSAIC])
SHAPES = st.sampled_from(sorted(covers.SHAPES))


@pytest.mark.parametrize(("drawing", "digest"), GOLDEN.items())
def test_a_cover_never_changes(drawing: tuple[str, str, str], digest: str) -> None:
    readable_id, department, shape = drawing

    svg = covers.draw(covers.hash_id(readable_id), covers.palette_key(department), shape)

    assert sha256(svg.encode()).hexdigest()[:16] == digest


def test_the_seed_is_fnv_1a() -> None:
    assert covers.hash_id("") == 0x811C9DC5
    assert covers.hash_id("foobar") == 0xBF9CF968


def test_runs_of_a_course_share_its_cover() -> None:
    course = covers.hash_id("course-v1:Tessera+PY101")

    assert covers.hash_id("course-v1:Tessera+PY101+2026_T1") == course
    assert covers.hash_id("course-v1:Tessera+PY102+2026_T1") != course


@given(seed=SEEDS, palette=PALETTES, shape=SHAPES)
def test_every_cover_is_small_and_well_formed(seed: int, palette: str, shape: str) -> None:
    svg = covers.draw(seed, palette, shape)

    ElementTree.fromstring(svg)  # noqa: S314 – our own drawing
    assert len(svg) <= 4096


@given(seed=SEEDS, palette=PALETTES, shape=SHAPES)
def test_exactly_one_tile_is_golden(seed: int, palette: str, shape: str) -> None:
    gold = re.findall(rf'<path (?:fill|stroke)="{covers.GOLD}"[^>]* d="([^"]+)"', covers.draw(seed, palette, shape))

    assert len(gold) == 1
    assert gold[0].count("M") == 1


@pytest.mark.parametrize(
    ("slug", "key"),
    [("computing", "computing"), ("data-statistics", "data"), ("climate-environment", "climate"), ("mosaic", "mosaic")],
)
def test_a_department_has_its_own_palette(slug: str, key: str) -> None:
    assert covers.palette_key(slug) == key


def test_other_departments_always_get_the_same_palette() -> None:
    assert covers.palette_key("law") == covers.palette_key("law")
    assert covers.palette_key("law") in covers.PALETTES


def test_an_address_may_be_kept_for_ever(client: Client) -> None:
    response = client.get(cover_url("course-v1:Tessera+PY101", "computing"))

    assert response["Content-Type"] == "image/svg+xml"
    assert "immutable" in response["Cache-Control"]
    assert response.content.decode() == covers.draw(covers.hash_id("course-v1:Tessera+PY101"), "computing", "card")


@pytest.mark.parametrize(
    "address",
    [
        "/covers/1/card/computing-00000001.svg",
        "/covers/2/poster/computing-00000001.svg",
        "/covers/2/card/law-00000001.svg",
        "/covers/2/card/computing-1.svg",
        "/covers/1/social/computing-00000001.png",
        "/covers/2/social/law-00000001.png",
    ],
)
@pytest.mark.django_db
def test_unknown_covers_are_not_found(client: Client, address: str) -> None:
    assert client.get(address).status_code == 404


@pytest.mark.django_db
def test_a_picture_whose_file_is_gone_takes_no_page_with_it(client: Client) -> None:
    make_home()
    for title, is_lost in (("Botany", True), ("Zoology", False)):
        picture = Image.objects.create(title=title, file=get_test_image_file(f"{title}.png"))
        page = make_course_page(make_run(course=make_course(title=title)).course, card_image=picture)
        if is_lost:
            picture.file.storage.delete(picture.file.name)
            lost = page
    for address in ("/catalog/", lost.url or ""):
        text = client.get(address).content.decode()
        assert "Botany" in text
        if address != lost.url:
            assert "/media/images/Zoology" in text
        assert "/media/images/Botany" not in text

"""The site's icon in browser tabs and on home screens."""

from __future__ import annotations

from io import BytesIO
from xml.etree import ElementTree

import pytest
from django.test import Client
from PIL import Image
from wagtail.images.models import Image as WagtailImage
from wagtail.images.tests.utils import get_test_image_file
from wagtail.models import Site

from cms.models import SiteBrand
from frontend.drawing import mark
from frontend.site.brand import Colors
from frontend.site.brands import Brand
from tests.factories.pages import make_home
from tests.support.reading import read

VIOLET = Colors("#5B2BD9", "#FFC04D")


def brand(**values: object) -> SiteBrand:
    make_home()
    chosen: SiteBrand = SiteBrand.for_site(Site.objects.get(is_default_site=True))
    for name, value in values.items():
        setattr(chosen, name, value)
    chosen.save()
    return chosen


def icon_of(client: Client) -> str:
    return str(read(client.get("/")).one('link[rel="icon"]')["href"])


def test_the_drawing_has_the_colors_of_the_site() -> None:
    drawing = mark.svg(VIOLET)

    ElementTree.fromstring(drawing)  # noqa: S314 – our own drawing
    assert VIOLET.brand in drawing
    assert VIOLET.accent in drawing


def test_an_old_icon_has_every_size_and_nothing_around_it() -> None:
    icon = Image.open(BytesIO(mark.ico(VIOLET)))

    assert icon.info["sizes"] == {(16, 16), (32, 32), (48, 48)}
    assert icon.convert("RGBA").getpixel((0, 0)) == (0, 0, 0, 0)


def test_a_phones_icon_has_a_white_background() -> None:
    icon = Image.open(BytesIO(mark.png(VIOLET, side=180))).convert("RGB")

    assert icon.size == (180, 180)
    assert icon.getpixel((2, 2)) == (255, 255, 255)
    assert icon.getpixel((70, 70)) == (0x5B, 0x2B, 0xD9)
    assert icon.getpixel((122, 122)) == (0xFF, 0xC0, 0x4D)


def test_the_default_sign_is_a_file() -> None:
    assert Brand(name="Tessera").icon_url.endswith("mark.svg")


@pytest.mark.django_db
def test_a_site_with_colors_of_its_own_has_a_sign_in_them(client: Client) -> None:
    brand(brand_color=VIOLET.brand, accent_color=VIOLET.accent)

    response = client.get(icon_of(client))

    assert response.content.decode() == mark.svg(VIOLET)
    assert "immutable" in response["Cache-Control"]
    assert "immutable" not in client.get("/brand-mark.svg")["Cache-Control"]


@pytest.mark.django_db
@pytest.mark.parametrize(("address", "side"), [("/favicon.ico", 48), ("/apple-touch-icon.png", 180)])
def test_an_uploaded_mark_is_the_sign_everywhere(client: Client, address: str, side: int) -> None:
    picture = WagtailImage.objects.create(title="Mark", file=get_test_image_file(size=(300, 200)))
    brand(mark=picture)

    response = client.get(address, follow=True)

    assert icon_of(client) == picture.file.url
    assert Image.open(BytesIO(response.getvalue())).size == (side, side)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "kind"), [("/favicon.ico", "image/x-icon"), ("/apple-touch-icon.png", "image/png")]
)
def test_default_icon_addresses_answer_with_the_mark(client: Client, address: str, kind: str) -> None:
    brand()

    response = client.get(address)

    assert response["Content-Type"] == kind
    assert "max-age=86400" in response["Cache-Control"]

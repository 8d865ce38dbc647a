"""The brand: readable colors and working links."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from wagtail.models import Site

from cms.models import SiteBrand
from tests.factories.pages import make_content_page, make_home

pytestmark = pytest.mark.django_db


@pytest.fixture
def brand() -> SiteBrand:
    make_home()
    brand: SiteBrand = SiteBrand.for_site(Site.objects.get(is_default_site=True))
    return brand


def test_a_new_site_has_a_brand_that_can_be_read(brand: SiteBrand) -> None:
    brand.full_clean()
    assert brand.brand_name == "Tessera"


@pytest.mark.parametrize("color", ["#00694F", "#FFB224", "#000000", "#ffffff", "#4A2", "#1B5A9E"])
def test_colors_on_which_text_can_be_read_are_taken(brand: SiteBrand, color: str) -> None:
    brand.brand_color = color
    brand.full_clean()


@pytest.mark.parametrize("color", ["#808080", "#E0457B", "#2A8F2A"])
def test_a_color_that_carries_neither_white_nor_dark_text_is_refused_with_a_sentence(
    brand: SiteBrand, color: str
) -> None:
    brand.brand_color = color
    with pytest.raises(ValidationError) as refused:
        brand.full_clean()
    [sentence] = refused.value.message_dict["brand_color"]
    assert sentence.startswith(f"Neither white nor dark text is readable on {color}")


@pytest.mark.parametrize("color", ["green", "00694F", "#00694", "#00694F;"])
def test_invalid_colors_are_refused(brand: SiteBrand, color: str) -> None:
    brand.brand_color = color
    with pytest.raises(ValidationError, match=r"isn’t a color|at most 7"):
        brand.full_clean()


@pytest.mark.parametrize("color", ["#123A31", "#00694F"])
def test_an_accent_too_dark_for_its_text_is_refused(brand: SiteBrand, color: str) -> None:
    brand.accent_color = color
    with pytest.raises(ValidationError, match="Choose a lighter shade"):
        brand.full_clean()


def test_links_lead_to_public_pages_only(brand: SiteBrand, django_assert_num_queries: Any) -> None:
    page = make_content_page("terms")
    brand.terms_page = page
    brand.save()
    brand = SiteBrand.base_queryset().get(pk=brand.pk)
    Site.get_site_root_paths()
    with django_assert_num_queries(0):
        assert brand.page_url("terms") == "/terms/"
        assert brand.page_url("privacy") == ""
    page.unpublish()
    assert SiteBrand.base_queryset().get(pk=brand.pk).page_url("terms") == ""

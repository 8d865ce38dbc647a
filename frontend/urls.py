"""Addresses."""

from django.urls import URLPattern, URLResolver, path, register_converter

from frontend.converters import Hexadecimal
from frontend.views import covers, style_guide

register_converter(Hexadecimal, "hex32")

urlpatterns: list[URLPattern | URLResolver] = [
    path(
        "covers/<int:version>/<slug:shape>/<slug:palette>-<hex32:seed>.svg",
        covers.cover,
        name="cover",
    ),
    path("brand.css", covers.brand_stylesheet, name="brand-stylesheet"),
    path("style-guide/", style_guide.style_guide, name="style-guide"),
]

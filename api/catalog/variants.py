"""Variants of courses by language, length and industry. Courses here have none, so clients get empty lists of them."""

from __future__ import annotations

from typing import Literal

from api.http.shapes import Reply

Language = Literal[
    "af_ZA",
    "ar",
    "az",
    "bo",
    "da",
    "de",
    "de_DE",
    "el",
    "es_419",
    "es_ES",
    "en",
    "fa",
    "fr",
    "fr_CA",
    "he",
    "hi",
    "hu",
    "id",
    "it_IT",
    "ja",
    "ka",
    "kk",
    "ko",
    "lv",
    "nl",
    "pl",
    "pt_BR",
    "pt_PT",
    "ro",
    "ru",
    "sq",
    "sv",
    "sw",
    "te",  # codespell:ignore te
    "th",
    "tr_TR",
    "uk",
    "uz",
    "vi",
    "zh_CN",
    "zh_HANS",
    "zh_HK",
]
Length = Literal["S", ""]
Industry = Literal["E", "F", "HC", ""]


class SupportedVariant(Reply):
    """A variant in which a course or a contract can be had."""

    language: Language
    variant_length: Length
    variant_industry: Industry
    active: bool
    b2b_only: bool
    default_variant: bool

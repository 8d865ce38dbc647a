"""Postal addresses as they are printed and shown."""

from __future__ import annotations

from mitxonline.kernel.countries import country_name


def format_address(*, street: str, postal_code: str, city: str, region: str, country: str) -> list[str]:
    """Return the lines of an address. ``country`` is two letters, and written out in the active language."""
    city_line = " ".join(part for part in (postal_code, city) if part)
    lines = (*street.splitlines(), city_line, region, country_name(country))
    return [line.strip() for line in lines if line.strip()]

"""What needs an operator, for the first page of the Django admin."""

from __future__ import annotations

from typing import Any

from django import template

from mitxonline.coordinator.needs import find_operators_needs, lists_in_django
from mitxonline.staff.needs import CountedSection, count_needs

register = template.Library()


@register.simple_tag
def find_operations(user: Any) -> CountedSection | None:
    """Return the counted section. None for people who may not see it."""
    section = find_operators_needs(user, lists_in_django())
    return count_needs([section])[0] if section is not None else None

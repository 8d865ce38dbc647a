"""Filters for texts on staff pages."""

from __future__ import annotations

import re

from django import template
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

# Behind these a dotted path, a key or a user name goes on to the next line; amounts, days and times stay together.
_JOINTS = re.compile(r"([_@+]|(?<!\d)[./:]|[./:](?!\d))(?=\w)")


@register.filter
def breakable(value: object) -> SafeString:
    """Let a long name wrap between its parts, and not in the middle of a word."""
    return mark_safe(_JOINTS.sub(r"\1<wbr>", escape(value)))  # noqa: S308 - escaped, and only tags of ours added

"""Tags of the components. Each component’s template lists its arguments at the top."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from html import unescape
from typing import Any

from django import template
from django.core.paginator import Page
from django.forms import BaseForm, BoundField
from django.http import Http404
from django.template import Context
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils.html import format_html, strip_tags
from django.utils.safestring import SafeString

from frontend.drawing.covers import hash_id
from frontend.pages.seats import SeatMeter
from frontend.site import brands
from frontend.site.brands import Brand, default_brand
from mitxonline.kernel.dates import format_moment, format_time
from mitxonline.users.models import User

register = template.Library()

# Icons that point somewhere: mirrored in right-to-left languages.
MIRRORED = frozenset({"chevron-next", "chevron-previous", "arrow", "back", "leave"})
AVATARS = 4
KEPT_TOGETHER = 26  # characters, so that a part fits a choice on the narrowest phone


@register.simple_tag
def icon(name: str, label: str = "", css: str = "") -> SafeString:
    """An icon of the sprite: `{% icon "ticket" %}`. Decorative unless it has a label."""
    classes = " ".join(filter(None, ["icon", "icon-mirror" if name in MIRRORED else "", css]))
    aria = format_html('role="img" aria-label="{}"', label) if label else SafeString('aria-hidden="true"')
    return format_html(
        '<svg class="{}" {} width="20" height="20"><use href="{}#{}"></use></svg>',
        classes,
        aria,
        static("frontend/icons.svg"),
        name,
    )


@register.simple_tag
def avatar_class(user_id: int | str | None) -> str:
    """One of the four color pairs, chosen by a hash of the id."""
    return f"avatar-{hash_id(str(user_id)) % AVATARS}"


@register.simple_tag(takes_context=True)
def moment(context: Context, value: datetime, time_only: bool = False) -> SafeString:
    """A time with its zone: `{% moment order.placed_at %}`, `{% moment order.hold_until time_only=True as until %}`.

    It is in the zone the visitor’s account names, else in the site’s, which a script replaces by the browser’s.
    """
    user = getattr(getattr(context, "request", None), "user", None)
    zone = user.zone if isinstance(user, User) else None
    return format_html(
        '<time datetime="{}"{}>{}</time>',
        value.isoformat(timespec="seconds"),
        SafeString("" if zone else f' data-zone="{"time" if time_only else "moment"}"'),
        format_time(value, zone=zone) if time_only else format_moment(value, zone=zone),
    )


@register.filter
def keep_together(text: str) -> str:
    """Break a line of short parts (“With an instructor · ends 14 March 2027”) between them only."""
    parts = (part if len(part) > KEPT_TOGETHER else part.replace(" ", "\u00a0") for part in str(text).split(" · "))
    return " · ".join(parts)


@register.filter
def initials(name: str) -> str:
    """The first letters of the first and last word."""
    words = str(name).split()
    letters = words[0][0] + words[-1][0] if len(words) > 1 else "".join(words)[:1]
    return letters.upper()


@register.filter
def short_code(code: str) -> str:
    """A code as tables show it: the first 8 and last 4 characters if it is longer than 16."""
    return code if len(code) <= 16 else f"{code[:8]}…{code[-4:]}"


@register.simple_tag(takes_context=True)
def site_brand(context: Context) -> Brand:
    """The brand of the page; the default one on error pages without context and at a host without a site."""
    try:
        found: Brand = context.get("brand") or default_brand()
    except Http404:
        return default_brand()
    return found


@register.simple_tag(takes_context=True)
def mail_brand(context: Context) -> Brand:
    """The brand in the e-mail’s context, else the default site’s."""
    found: Brand = context.get("brand") or brands.mail_brand()
    return found


@register.simple_tag
def page_numbers(page: Page[Any]) -> list[int | str]:
    """The page numbers to show, with the paginator’s ellipsis for gaps."""
    return list(page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1))


@register.filter
def is_code_field(field: BoundField) -> bool:
    """Whether the field is for a code: its widget has `data-code`."""
    return "data-code" in field.field.widget.attrs


@register.filter
def control_kind(field: BoundField) -> str:
    """The layout of a field: check, choices, select, password or input."""
    kinds = {
        "checkbox": "check",
        "radioselect": "choices",
        "checkboxselectmultiple": "choices",
        "select": "select",
        "password": "password",
    }
    return kinds.get(field.widget_type, "input")


@register.filter
def form_errors(form: BaseForm) -> Iterator[dict[str, str]]:
    """Each error of a form in the order of its fields, with the id of its field.

    The summary’s own link leads to the field, so links in the text are left to the field.
    """
    for field in form:
        for error in field.errors:
            text = unescape(strip_tags(str(error))) if hasattr(error, "__html__") else str(error)
            yield {"text": text, "target": field.id_for_label or field.auto_id}
    for error in form.non_field_errors():
        yield {"text": str(error), "target": ""}


@register.inclusion_tag("components/seat_meter.html")
def seat_meter(
    joined: int = 0,
    held: int = 0,
    invited: int = 0,
    cap: int | None = None,
    legend: bool = True,
    large: bool = False,
) -> dict[str, Any]:
    """The seats of a contract as a bar with numbers, or as a sentence if it has no cap."""
    meter = SeatMeter(joined=joined, held=held, invited=invited, cap=cap)
    return {"meter": meter, "legend": legend, "large": large}


@register.simple_block_tag
def dialog(content: str, id: str, title: str, open: bool = False) -> SafeString:
    """A dialog around its form: `{% dialog id="x" title=… %} … {% enddialog %}`."""
    return render_to_string("components/dialog.html", {"id": id, "title": title, "open": open, "content": content})


@register.simple_block_tag
def accordion_item(content: str, title: str, eyebrow: str = "", open: bool = False) -> SafeString:
    """A question or a week: `{% accordion_item title=… eyebrow=… open=True %} … {% endaccordion_item %}`."""
    return render_to_string(
        "components/accordion_item.html",
        {"title": title, "eyebrow": eyebrow, "open": open, "content": content},
    )

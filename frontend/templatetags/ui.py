"""Small tags the components are written with. What a component takes stands at the top of its template."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import template
from django.core.paginator import Page
from django.forms import BaseForm, BoundField
from django.template import Context
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from frontend.drawing.covers import hash_id
from frontend.pages.seats import SeatMeter
from frontend.site import brands
from frontend.site.brands import Brand, default_brand

register = template.Library()

# Signs that point somewhere: they look the other way in a script read from right to left.
MIRRORED = frozenset({"chevron-next", "chevron-previous", "arrow", "back", "leave"})
AVATARS = 4


@register.simple_tag
def icon(name: str, label: str = "", css: str = "") -> SafeString:
    """A sign of the sprite: `{% icon "ticket" %}`. Decoration unless it has a label."""
    classes = " ".join(filter(None, ["icon", "icon-mirror" if name in MIRRORED else "", css]))
    said = format_html('role="img" aria-label="{}"', label) if label else SafeString('aria-hidden="true"')
    return format_html(
        '<svg class="{}" {} width="20" height="20"><use href="{}#{}"></use></svg>',
        classes,
        said,
        static("frontend/icons.svg"),
        name,
    )


@register.simple_tag
def avatar_class(user_id: int | str | None) -> str:
    """Which of the four pairs of colors a person has, by hash of the id: always the same one."""
    return f"avatar-{hash_id(str(user_id)) % AVATARS}"


@register.filter
def initials(name: str) -> str:
    """One or two letters for someone or something without a picture: first and last word."""
    words = str(name).split()
    letters = words[0][0] + words[-1][0] if len(words) > 1 else "".join(words)[:1]
    return letters.upper()


@register.filter
def short_code(code: str) -> str:
    """A code as tables show it: first 8 and last 4 signs. Codes that are short anyway stay whole."""
    return code if len(code) <= 16 else f"{code[:8]}…{code[-4:]}"


@register.simple_tag(takes_context=True)
def site_brand(context: Context) -> Brand:
    """The brand of the page; the default one where nothing could be asked (an error page)."""
    found: Brand = context.get("brand") or default_brand()
    return found


@register.simple_tag(takes_context=True)
def mail_brand(context: Context) -> Brand:
    """The brand of a mail: the one its writer gave, else the default site's."""
    found: Brand = context.get("brand") or brands.mail_brand()
    return found


@register.simple_tag
def page_numbers(page: Page[Any]) -> list[int | str]:
    """The numbers a pagination shows; gaps are the paginator's ellipsis."""
    return list(page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1))


@register.filter
def is_code_field(field: BoundField) -> bool:
    """Whether the field takes a code: `widget.attrs["data-code"]` set."""
    return "data-code" in field.field.widget.attrs


@register.filter
def control_kind(field: BoundField) -> str:
    """How a field is laid out: check, choices, select or input."""
    kinds = {
        "checkbox": "check",
        "radioselect": "choices",
        "checkboxselectmultiple": "choices",
        "select": "select",
    }
    return kinds.get(field.widget_type, "input")


@register.filter
def form_errors(form: BaseForm) -> Iterator[dict[str, str]]:
    """Every error of a form in the order of its fields: `text` and the id of the field to go to."""
    for field in form:
        for error in field.errors:
            yield {"text": str(error), "target": field.id_for_label or field.auto_id}
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
    """Seats of a contract as a bar with numbers; without a cap one sentence. See seat_meter.html."""
    meter = SeatMeter(joined=joined, held=held, invited=invited, cap=cap)
    return {"meter": meter, "legend": legend, "large": large}


@register.simple_block_tag
def dialog(content: str, id: str, title: str, open: bool = False) -> SafeString:
    """A dialog around its form: `{% dialog id="x" title=… %} … {% enddialog %}`. See dialog.html."""
    return render_to_string("components/dialog.html", {"id": id, "title": title, "open": open, "content": content})


@register.simple_block_tag
def accordion_item(content: str, title: str, eyebrow: str = "", open: bool = False) -> SafeString:
    """One question or week: `{% accordion_item title=… eyebrow=… open=True %} … {% endaccordion_item %}`."""
    return render_to_string(
        "components/accordion_item.html",
        {"title": title, "eyebrow": eyebrow, "open": open, "content": content},
    )

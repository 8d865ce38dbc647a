"""The page that shows every component in every state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from frontend.drawing.covers import PALETTES
from frontend.drawing.icons import ICONS
from frontend.pages.code_form import CodeForm

CODE = "7f3a90b1-6c55-47aa-9f13-0d2e7c99c40e"


@dataclass(frozen=True, slots=True)
class Card:
    """The context of components/course_card.html."""

    title: str
    department: str
    department_slug: str
    readable_id: str
    start_text: str
    length_text: str
    level: str
    price_text: str
    url: str = "#"
    image_url: str = ""
    self_paced: bool = False
    was_text: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class ProgramCard:
    """The context of components/program_card.html."""

    title: str
    text: str
    count_text: str
    price_text: str
    was_text: str
    courses: tuple[Card, ...]
    url: str = "#"


CARDS = (
    Card(
        "Programming with Python, properly",
        "Computing",
        "computing",
        "course-v1:Tessera+PY101",
        "Starts 12 Jan",
        "8 weeks",
        "Intro",
        "$249",
    ),
    Card(
        "Reading a changing climate",
        "Climate & environment",
        "climate-environment",
        "course-v1:Tessera+CL110",
        "Starts 19 Jan",
        "7 weeks",
        "Intro",
        "Free",
    ),
    Card(
        "Statistics for people who make decisions",
        "Data & statistics",
        "data-statistics",
        "course-v1:Tessera+ST120",
        "Start any time",
        "6 weeks",
        "Intro",
        "$199",
        self_paced=True,
        state="enrolled",
    ),
    Card(
        "Infection control in everyday practice",
        "Health",
        "health",
        "course-v1:Tessera+HE201",
        "Started 3 Nov",
        "5 weeks",
        "Intermediate",
        "$180",
        state="closed",
    ),
)


class SampleForm(forms.Form):
    email = forms.EmailField(label=_("Email"))
    password = forms.CharField(label=_("Password"), widget=forms.PasswordInput(render_value=True), min_length=12)
    course = forms.ChoiceField(
        label=_("Course"), choices=[("a", "Databases you can trust"), ("b", "Writing clearly at work")]
    )
    addresses = forms.CharField(
        label=_("E-mail addresses"),
        help_text=_("One per line, or paste from a spreadsheet."),
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    company = forms.CharField(label=_("Company"), required=False)
    theme = forms.ChoiceField(
        label=_("Appearance"),
        choices=[("auto", _("Match my device")), ("light", _("Light")), ("dark", _("Dark"))],
        widget=forms.RadioSelect,
    )
    agree = forms.BooleanField(label=_("E-mail me about new courses"), required=False)


def style_guide(request: HttpRequest) -> HttpResponse:
    """Show every component. A POST adds a message of each kind."""
    if request.method == "POST":
        messages.info(request, "This contract opens on 1 January 2026")
        messages.success(request, "Your code works. There’s nothing to pay.")
        messages.warning(request, "The course site isn’t responding")
        messages.error(request, "Your card was declined")
        messages.success(request, "Codes sent to 4 people.", extra_tags="toast")
        return HttpResponseRedirect(reverse("style-guide"))
    return render(request, "style_guide/page.html", _context(request))


def _context(request: HttpRequest) -> dict[str, Any]:
    invalid = SampleForm(
        {"email": "amara.okafor", "password": "seven77", "course": "a", "addresses": "", "theme": "auto"},
        auto_id="invalid_%s",
    )
    invalid_code = CodeForm({"code": "b81d4e02-6c55-47aa-9f13-0d2e7c9916aa"}, auto_id="invalid_%s")
    invalid_code.add_error(
        "code", "This code is for another course, “Reading a changing climate”. Enter the code for this course."
    )
    return {
        "sample": SampleForm(initial={"email": "amara.okafor@northgate.example", "theme": "auto", "agree": True}),
        "invalid": invalid,
        "code_form": CodeForm(),
        "invalid_code_form": invalid_code,
        "code": CODE,
        "cards": CARDS,
        "program": ProgramCard(
            "Data Foundations for Public Services",
            "Four courses, about six months. Ends with a project on your own data.",
            "4 courses",
            "$690",
            "$784",
            CARDS,
        ),
        "crumbs": [
            {"title": "Catalog", "url": "#"},
            {"title": "Computing", "url": "#"},
            {"title": "Programming with Python", "url": ""},
        ],
        "tabs": [
            {"text": "All", "url": "#", "count": 603, "current": True},
            {"text": "Free", "url": "#", "count": 447, "current": False},
            {"text": "Invited", "url": "#", "count": 22, "current": False},
        ],
        "page": Paginator(range(900), 100).get_page(request.GET.get("page", 1)),
        "palettes": list(PALETTES),
        "icons": sorted(ICONS),
    }

"""What each component guarantees to the pages that use it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django import forms
from django.contrib.auth.models import AnonymousUser
from django.core.paginator import Paginator
from django.template.loader import render_to_string
from django.test import Client, RequestFactory

from dev.style_guide.views import CARDS
from frontend.site.brand import Colors
from frontend.site.brands import Brand
from frontend.templatetags.ui import avatar_class, icon, initials, short_code

CODE = "7f3a90b1-6c55-47aa-9f13-0d2e7c99c40e"


class Form(forms.Form):
    """A required and an optional field."""

    email = forms.EmailField(label="Email", help_text="The one you signed up with.")
    company = forms.CharField(label="Company", required=False)
    code = forms.CharField(required=False, widget=forms.TextInput(attrs={"data-code": ""}))


def rendered(template: str, **context: Any) -> str:
    return render_to_string(f"components/{template}.html", context)


def test_a_field_shows_label_help_and_error_before_its_control() -> None:
    html = rendered("field", field=Form({"email": "nobody"})["email"])

    places = [html.index(part) for part in ("<label", "The one you signed up", "valid email address", "<input")]
    assert places == sorted(places)


def test_a_field_in_error_says_so_to_readers_and_keeps_its_value() -> None:
    html = rendered("field", field=Form({"email": "nobody"})["email"])

    assert 'aria-invalid="true"' in html
    assert 'aria-describedby="id_email_helptext id_email_error"' in html
    assert 'id="id_email_error"' in html
    assert 'value="nobody"' in html


def test_only_optional_fields_are_marked() -> None:
    assert "(optional)" in rendered("field", field=Form()["company"])
    assert "(optional)" not in rendered("field", field=Form()["email"])


def test_a_code_field_is_set_in_monospace() -> None:
    assert "field-code" in rendered("field", field=Form()["code"])


def test_the_error_summary_leads_to_the_fields() -> None:
    form = Form({"email": "nobody"})
    form.add_error(None, "Both can’t be right.")

    html = rendered("error_summary", form=form)

    assert '<a href="#id_email">' in html
    assert "Both can’t be right." in html
    assert rendered("error_summary", form=Form()).strip() == ""


@pytest.mark.parametrize("kind", ["info", "ok", "warn", "bad"])
def test_an_alert_has_a_sign_besides_its_color(kind: str) -> None:
    assert "icons.svg#" in rendered("alert", kind=kind, title="A sentence.")


def test_a_crossed_out_price_is_announced_to_screen_readers() -> None:
    html = rendered("price", text="$199.20", was="$249.00")

    assert ">was </span><s>" in html


def test_a_long_code_is_shown_short_and_copied_whole() -> None:
    html = rendered("code_chip", code=CODE, short=True, copy=True)

    assert "7f3a90b1…c40e</bdi>" in html
    assert f'data-copy="{CODE}"' in html
    assert f'title="{CODE}"' in html


def test_a_short_code_stays_whole() -> None:
    assert short_code("AUTUMN20") == "AUTUMN20"


def test_the_title_is_the_one_link_of_a_card() -> None:
    html = rendered("course_card", card=CARDS[0])

    assert html.count("<a ") == 1
    assert 'alt=""' in html


def test_a_card_says_enrolled_instead_of_a_price() -> None:
    html = rendered("course_card", card=CARDS[2])

    assert "Enrolled" in html
    assert CARDS[2].price_text not in html


def test_pagination_keeps_the_rest_of_the_address() -> None:
    request = RequestFactory().get("/catalog/?level=intro&page=2")

    request.user = AnonymousUser()

    html = render_to_string("components/pagination.html", {"page": Paginator(range(90), 10).page(2)}, request)

    assert 'href="?level=intro&amp;page=3"' in html
    assert re.search(r'href="\?level=intro&amp;page=2"\s+aria-current="page"', html)
    assert 'rel="prev"' in html


def test_one_page_needs_no_pagination() -> None:
    page = Paginator(range(5), 10).page(1)

    assert rendered("pagination", page=page, request=RequestFactory().get("/")).strip() == ""


def test_signs_are_decoration_unless_they_have_a_name() -> None:
    assert 'aria-hidden="true"' in icon("ticket")
    assert 'role="img" aria-label="Search"' in icon("search", label="Search")


def test_only_signs_that_point_are_mirrored() -> None:
    assert "icon-mirror" in icon("chevron-next")
    assert "icon-mirror" not in icon("clock")


@pytest.mark.parametrize(("name", "letters"), [("Amara Okafor", "AO"), ("Northgate", "N"), ("", ""), ("a b c", "AC")])
def test_avatars_show_initials(name: str, letters: str) -> None:
    assert initials(name) == letters


def test_a_person_keeps_their_colors() -> None:
    assert avatar_class(7) == avatar_class("7")
    assert {avatar_class(number) for number in range(50)} == {f"avatar-{number}" for number in range(4)}


def test_a_page_with_errors_says_so_in_its_title() -> None:
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    brand = Brand(name="Atelier")

    title = render_to_string("base.html", {"form": Form({"email": ""}), "brand": brand, "cart_summary": None})

    assert "<title>Error: " in title
    assert "Atelier</title>" in title


def test_a_site_without_colors_of_its_own_loads_no_style_sheet_for_them() -> None:
    assert Brand(name="Tessera").stylesheet_url == ""


def test_a_site_with_colors_of_its_own_has_an_address_that_follows_them() -> None:
    one, other = Brand(name="A", colors=Colors("#5B2BD9")), Brand(name="A", colors=Colors("#C8102E"))

    assert one.stylesheet_url != other.stylesheet_url


@pytest.mark.django_db
def test_the_colors_may_be_kept_only_at_their_own_address(client: Client) -> None:
    digest = Colors().digest

    assert "immutable" in client.get(f"/brand.css?v={digest}")["Cache-Control"]
    assert "immutable" not in client.get("/brand.css?v=somethingelse")["Cache-Control"]


@pytest.mark.django_db
def test_the_style_guide_shows_everything(client: Client) -> None:
    assert client.get("/style-guide/").status_code == 200


@pytest.mark.parametrize("page", ["400", "403", "403_csrf", "404", "410", "429", "500"])
def test_error_pages_need_nothing(page: str) -> None:
    html = render_to_string(f"{page}.html")

    assert html.count("<h1>") == 1
    assert "btn-primary" in html

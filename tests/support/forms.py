"""Forms as a browser sends them: read from the page, with what someone changes in them."""

from __future__ import annotations

from typing import Any

from bs4 import BeautifulSoup, Tag
from django.test import Client


def read_form(html: str, *, having: str = "seen") -> dict[str, list[str]]:
    """Return the values of the first form with this field, by name. A field whose name ends in it counts."""
    soup = BeautifulSoup(html, "html.parser")
    for form in soup.select("form"):
        names = {str(each.get("name", "")) for each in form.select("[name]")}
        if any(name == having or name.endswith(f"-{having}") for name in names):
            return _read_values(form)
    raise AssertionError(f"no form has the field {having}")


def open_form(client: Client, url: str, *, having: str = "seen") -> dict[str, list[str]]:
    response = client.get(url, follow=True)
    assert response.status_code == 200, (url, response.status_code)
    return read_form(response.content.decode(), having=having)


def send_form(client: Client, url: str, values: dict[str, list[str]], **changes: Any) -> Any:
    return client.post(url, {**values, **changes}, follow=True)


def _read_values(form: Tag) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for each in form.select("input[name], select[name], textarea[name]"):
        name = str(each["name"])
        if each.has_attr("disabled"):
            continue
        if each.name == "select":
            chosen = [str(option.get("value", option.text)) for option in each.select("option[selected]")]
            if not chosen and not each.has_attr("multiple"):
                chosen = [str(option.get("value", option.text)) for option in each.select("option")][:1]
            values.setdefault(name, []).extend(chosen)
        elif each.name == "textarea":
            values.setdefault(name, []).append(each.text.removeprefix("\n"))
        elif each.get("type") in {"checkbox", "radio"}:
            if each.has_attr("checked"):
                values.setdefault(name, []).append(str(each.get("value", "on")))
        elif each.get("type") not in {"submit", "button", "file", "image"}:
            values.setdefault(name, []).append(str(each.get("value", "")))
    return {name: each for name, each in values.items() if each}

"""A refusal on the form that was sent: one helper, and the views that could do without it have none of their own."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from django import forms

from mitxonline.kernel.errors import Forbidden, NotFound
from mitxonline.kernel.forms import refusals_on

ROOT = Path(__file__).resolve().parents[2]
APPS = ("api", "b2b", "cms", "courses", "ecommerce", "frontend", "mitxonline", "reports")
# The base of all staff pages, which names the field by the refusal.
EXEMPT = {"mitxonline/staff/pages.py"}


class CodeForm(forms.Form):
    code = forms.CharField()


def test_a_refusal_is_shown_at_its_field() -> None:
    form = CodeForm({"code": "x"})
    with refusals_on(form, "code") as caught:
        raise Forbidden
    assert isinstance(caught.refusal, Forbidden)
    assert not form.is_valid()
    assert form.errors == {"code": ["You don’t have permission to do this."]}
    assert form.errors.as_data()["code"][0].code == "forbidden"


def test_a_form_that_is_not_refused_stays_valid() -> None:
    form = CodeForm({"code": "x"})
    with refusals_on(form) as caught:
        pass
    assert caught.refusal is None
    assert form.is_valid()


def test_other_refusals_go_on() -> None:
    form = CodeForm({"code": "x"})
    with pytest.raises(NotFound), refusals_on(form, only=Forbidden):
        raise NotFound
    assert form.is_valid()


def test_no_view_writes_a_refusal_on_a_form_by_hand() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for app in APPS
        for path in sorted((ROOT / app).rglob("*.py"))
        if str(path.relative_to(ROOT)) not in EXEMPT
        for handler in ast.walk(ast.parse(path.read_text()))
        if isinstance(handler, ast.ExceptHandler) and _names_refusal(handler)
        for call in ast.walk(handler)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "add_error"
    ]
    assert found == []


def _names_refusal(handler: ast.ExceptHandler) -> bool:
    kinds = ast.unparse(handler.type) if handler.type is not None else ""
    return any(word in kinds for word in ("DomainError", "Refused", "RateLimited", "NotFound"))

"""A person in the Wagtail admin, who fills in forms and reads what the pages say."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property, partial
from http.cookies import SimpleCookie
from typing import Any

from bs4 import BeautifulSoup, Tag
from django.http import QueryDict
from django.test import Client
from wagtail.test.utils.form_data import querydict_from_html

from mitxonline.users.models import User

REDIRECTS = 6
_FORM = re.compile(r"<form\b.*?</form>", re.DOTALL)
_POSTS = re.compile(r"<form\b[^>]*method=\"post\"", re.IGNORECASE)
# Where the admin says why something wasn't done.
SENTENCES = (
    ".messages li.error, .messages li.warning, .error-message, .w-field__errors, .errors,"
    " .help-critical, .help-warning,"
    # The plan that is shown before a contract is published.
    " .workbench-note"
)
REDIRECTING = {301, 302, 303, 307, 308}


class ServerError(AssertionError):
    """A page answered with a status from 500 on."""


@dataclass(frozen=True)
class Answer:
    """The last page of a request. It is only parsed where a case asks why."""

    status: int
    content: str
    is_json: bool = False
    is_absent: bool = False
    follow: Callable[[], Answer] | None = None

    @cached_property
    def sentences(self) -> list[str]:
        if self.follow is not None:
            return self.follow().sentences
        if self.is_json:
            data = json.loads(self.content)
            error = data.get("error_message", "") if isinstance(data, dict) else ""
            return [error] if error else _sentences(data.get("html", "") if isinstance(data, dict) else "", self.status)
        return _sentences(self.content, self.status)

    @property
    def why(self) -> str:
        return self.sentences[0] if self.sentences else ""


class Walker:
    """`said` is the last answer. Signs in, or continues with the cookies of someone who did."""

    def __init__(self, user: User, cookies: SimpleCookie | None = None) -> None:
        self.user = user
        self.client = Client(raise_request_exception=False)
        if cookies is None:
            self.client.force_login(user)
        else:
            self.client.cookies = deepcopy(cookies)
        self.said = Answer(0, "")

    def look(self, path: str, data: Any = None) -> Answer:
        return self._follow(self.client.get(path, data or {}), path)

    def send(self, path: str, data: Any = None, **headers: str) -> Answer:
        body = data if data is not None else {}
        if isinstance(body, QueryDict):
            body = dict(body.lists())
        response = self.client.post(path, body, headers=headers)
        if response.status_code not in REDIRECTING:
            return self._follow(response, path)
        # Where it leads to is only opened where a case asks why: lists are slow to draw.
        self.said = Answer(response.status_code, "", follow=partial(self._follow, response, path))
        return self.said

    def save(self, path: str, data: QueryDict) -> Answer:
        """Send a form as autosave does."""
        return self.send(path, data, accept="application/json")

    def finds_no_button(self) -> None:
        """Note that the page offers no such action, which is as good as a sentence."""
        self.said = Answer(self.said.status, '<p class="error-message">This isn’t offered.</p>', is_absent=True)

    def form(self, path: str, form_id: str = "") -> QueryDict | None:
        """Return the fields of the page's form with their values, or None where the page offers none."""
        answer = self.look(path)
        if form_id:
            start = answer.content.find(f'id="{form_id}"')
            if start < 0:
                return None
            start = answer.content.rindex("<form", 0, start)
            end = answer.content.index("</form>", start) + len("</form>")
            form: QueryDict = querydict_from_html(answer.content[start:end], form_id=form_id)
            return form
        return form_of(answer.content)

    def fill(self, path: str, form_id: str = "", **fields: Any) -> Answer | None:
        """Send the page's form with these fields changed, or return None where it offers none."""
        form = self.form(path, form_id)
        if form is None:
            return None
        return self.send(path, fill(form, **fields))

    def _follow(self, response: Any, path: str) -> Answer:
        visited = [path]
        while response.status_code in REDIRECTING:
            visited.append(response["Location"])
            if len(visited) > REDIRECTS:
                raise ServerError(f"round in circles: {visited}")
            response = self.client.get(visited[-1])
        if response.status_code >= 500:
            raise ServerError(f"{response.status_code} at {visited}: {_cause(response)}")
        content = b"".join(response.streaming_content) if response.streaming else response.content
        is_json = response.headers.get("Content-Type", "").startswith("application/json")
        self.said = Answer(response.status_code, content.decode(errors="replace"), is_json)
        return self.said


def fill(form: QueryDict, **fields: Any) -> QueryDict:
    filled = form.copy()
    for name, value in fields.items():
        key = name.replace("__", "-")
        if value is None:
            filled.pop(key, None)
        elif isinstance(value, list):
            filled.setlist(key, value)
        else:
            filled[key] = value
    return filled


def form_of(content: str) -> QueryDict | None:
    """Return the fields of the form that does something: the last one that posts."""
    forms = [each for each in _FORM.findall(content) if _POSTS.match(each) and "/logout/" not in each]
    return querydict_from_html(forms[-1]) if forms else None


def _sentences(content: str, status: int) -> list[str]:
    soup = BeautifulSoup(content, "html.parser")
    found = [text for text in map(_text, soup.select(SENTENCES)) if text]
    if status >= 400 and (heading := soup.find("h1")) is not None:
        found.append(_text(heading))
    if not found:
        # A page to confirm something says above its lists what the person may not do.
        found = [each for each in map(_text, soup.select("p")) if "permission" in each]
    return found


def _text(element: Tag) -> str:
    return " ".join(element.get_text(" ", strip=True).split())


def _cause(response: Any) -> str:
    found = getattr(response, "exc_info", None)
    return f"{found[0].__name__}: {found[1]}" if found else ""

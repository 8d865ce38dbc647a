"""Refuses what no form of the two admins sends, before a view of theirs fails on it with a server error.

Such a request comes from a page that loaded halfway, from an old tab, or was made by hand. Each rule names what is
wrong with the request; what a view does with a right one is never hidden.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import NoReverseMatch, reverse
from django.utils.datastructures import MultiValueDictKeyError
from django.utils.translation import gettext_lazy as _
from taggit.models import Tag
from wagtail.models import Page

from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.http import domain_error_response

KEY = re.compile(r"\A[0-9]{1,18}\Z")
# What each address of rows has in its query, and the bulk actions' word for every row of a list.
KEYS = ("id", "parent_page_id")
EVERY_ROW = "all"
# Fields that Wagtail's views read without asking whether they are there.
REQUIRED = {
    "wagtailadmin_choose_page_external_link": ("external-link-chooser-url",),
    "wagtailredirects:process_import": ("import_file_name", "input_format"),
}
NUMBERS = {"wagtailadmin_workflows:edit": ("p",)}
# Actions on a page that go on to the page above, which the root of the tree doesn't have.
BELOW_ROOT = {"wagtailadmin_pages:lock", "wagtailadmin_pages:unlock", "wagtailadmin_pages:set_page_position"}


class FormIncomplete(DomainError):
    """A request to an admin lacks what its form always sends, or has something else in its place."""

    code = "form_incomplete"
    status = 400
    message = _("The form didn’t arrive complete, so nothing was done.")
    advice = _("Reload the page and try again.")


class WagtailFormsMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, _view: Any, _args: Any, kwargs: dict[str, Any]) -> HttpResponse | None:
        if (_is_in_admin(request) and _is_forged(request, kwargs)) or _merges_no_tags(request):
            return domain_error_response(request, FormIncomplete())
        return None

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        # Only the data of a request raises it: a field that the view reads isn't there.
        if isinstance(exception, MultiValueDictKeyError) and _is_in_admin(request):
            return domain_error_response(request, FormIncomplete())
        return None


def _is_in_admin(request: HttpRequest) -> bool:
    try:
        return request.path.startswith(reverse("wagtailadmin_home"))
    except NoReverseMatch:  # this process serves no Wagtail admin
        return False


def _merges_no_tags(request: HttpRequest) -> bool:
    """Whether tags are to be merged that nobody chose from the list before, or that are gone since."""
    match = request.resolver_match
    if match is None or match.view_name != "admin:taggit_tag_merge_tags" or request.method != "POST":
        return False
    chosen = set(request.session.get("selected_tag_ids", "").split(","))
    return not all(map(KEY.match, chosen)) or Tag.objects.filter(pk__in=chosen).count() < len(chosen)


def _is_forged(request: HttpRequest, kwargs: dict[str, Any]) -> bool:
    match = request.resolver_match
    view = match.view_name if match is not None else ""
    sent: list[QueryDict] = [request.GET, request.POST] if request.method == "POST" else [request.GET]
    if any(not KEY.match(value) for data in sent for value in _list_keys(data, view)):
        return True
    if any(not value.startswith(("/", "http")) for data in sent for value in data.getlist("next") if value):
        return True
    if request.method != "POST":
        return False
    if any(name not in request.POST for name in REQUIRED.get(view, ())):
        return True
    page_id = kwargs.get("page_id") or kwargs.get("page_to_move_id")
    return view in BELOW_ROOT and Page.objects.filter(pk=page_id, depth=1).exists()


def _list_keys(data: QueryDict, view: str) -> Iterator[str]:
    """Yield what has to be the key of a row or another number."""
    for name in (*KEYS, *NUMBERS.get(view, ())):
        yield from (value for value in data.getlist(name) if value != EVERY_ROW and (value or name == "id"))
    # Rows of Django's formsets; an empty one is new. Blocks of a stream have ids too, which are no keys.
    for name in data:
        prefix, is_formset, _rest = name.partition("-TOTAL_FORMS")
        if is_formset:
            rows = re.compile(rf"{re.escape(prefix)}-[0-9]+-id\Z")
            yield from (value for each in data if rows.match(each) for value in data.getlist(each) if value)


def find_instance_by_key(find: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Make Wagtail's choosers find nothing for what is no key, as for a row that is gone. The form refuses both."""

    def find_or_nothing(chooser: Any, value: Any) -> Any:
        return None if isinstance(value, str) and not KEY.match(value) else find(chooser, value)

    return find_or_nothing


def list_choices_by_key(list_choices: Callable[..., Any]) -> Callable[..., Any]:
    """Make the Django admin's searchable choices offer nothing for what is no key. The form refuses it."""

    def list_those_with_keys(widget: Any, name: str, value: Any, attr: Any = None) -> Any:
        return list_choices(widget, name, [each for each in value if KEY.match(str(each))], attr)

    return list_those_with_keys


def require_creation_form(can_create: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Make a chooser that offers no form for a new row refuse to make one."""

    def can_create_by_form(view: Any) -> bool:
        return view.get_creation_form_class() is not None and can_create(view)

    return can_create_by_form

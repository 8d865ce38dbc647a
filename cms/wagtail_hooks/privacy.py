"""Who is refused a private page or document, and how."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from wagtail import hooks

Serve = Callable[..., HttpResponse]


@hooks.register("on_serve_page", order=-1)
def refuse_those_outside_the_group(serve: Serve) -> Serve:
    """Answer 403 where Wagtail would send someone to sign in who already is.

    The sign-in page would send them back here at once.
    """

    def refuse_or_serve(page: Any, request: HttpRequest, args: Any, kwargs: Any) -> HttpResponse:
        response = serve(page, request, args, kwargs)
        if request.user.is_authenticated and _leads_to_sign_in(response):
            raise PermissionDenied
        return response

    return refuse_or_serve


@hooks.register("before_serve_document", order=-1)
def refuse_document_to_those_outside_the_group(document: Any, request: HttpRequest) -> None:
    if not request.user.is_authenticated:
        return
    for restriction in document.collection.get_view_restrictions():
        is_by_password = restriction.restriction_type == restriction.PASSWORD
        if not is_by_password and not restriction.accept_request(request):
            raise PermissionDenied


def _leads_to_sign_in(response: HttpResponse) -> bool:
    location = response.headers.get("Location", "")
    return response.status_code == 302 and urlsplit(location).path in {reverse("login"), reverse("wagtailadmin_login")}

"""What the Wagtail admin may not do with organizations and contracts, each refused with a sentence."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from wagtail import hooks
from wagtail.models import Page

from b2b.models import ContractPage, OrganizationPage
from b2b.selectors.keeping import page_to_keep


@hooks.register("before_delete_page")
def keep_what_something_hangs_on(request: HttpRequest, page: Page) -> HttpResponse | None:
    """Refuse to delete what has runs, codes or members, here or below."""
    return _refuse_to_delete(request, page)


@hooks.register("before_move_page")
def leave_where_it_is(request: HttpRequest, page: Page, destination: Page) -> HttpResponse | None:
    """Refuse to move a contract to another organization, or an organization away."""
    return _refuse_to_move(request, page)


@hooks.register("before_copy_page")
def make_a_new_one_instead(request: HttpRequest, page: Page) -> HttpResponse | None:
    """Refuse to copy: an organization's key is its own, and a copied contract would be in force unseen."""
    below = Page.objects.descendant_of(page, inclusive=True).type(OrganizationPage, ContractPage)
    if not below.exists():
        return None
    return _back(request, page, _("Organizations and contracts can't be copied. Make a new one instead."))


@hooks.register("before_bulk_action")
def keep_in_bulk_too(
    request: HttpRequest, action_type: str, objects: Iterable[object], action_class_instance: object
) -> HttpResponse | None:
    """Refuse a bulk deletion or move as a whole if one of the pages has to stay."""
    for page in objects:
        if not isinstance(page, Page):
            return None
        if action_type == "delete" and (refused := _refuse_to_delete(request, page)) is not None:
            return refused
        if action_type == "move" and (refused := _refuse_to_move(request, page)) is not None:
            return refused
    return None


def _refuse_to_delete(request: HttpRequest, page: Page) -> HttpResponse | None:
    kept = page_to_keep(page)
    if kept is None:
        return None
    sentence = _(
        "“%(page)s” can't be deleted: it has runs, codes or members. Unpublish it instead: then it is inactive."
    )
    return _back(request, page, sentence % {"page": kept.get_admin_display_title()})


def _refuse_to_move(request: HttpRequest, page: Page) -> HttpResponse | None:
    kept = page_to_keep(page)
    if kept is None:
        return None
    return _back(
        request,
        page,
        _("“%(page)s” can't be moved: it has runs, codes or members.") % {"page": kept.get_admin_display_title()},
    )


def _back(request: HttpRequest, page: Page, sentence: str) -> HttpResponse:
    messages.error(request, sentence)
    parent = page.get_parent()
    return redirect("wagtailadmin_explore", (parent or page).pk)

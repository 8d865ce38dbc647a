"""What the Wagtail admin refuses to do with organizations and contracts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from wagtail import hooks
from wagtail.admin.api.views import PagesAdminAPIViewSet
from wagtail.api.v2.router import WagtailAPIRouter
from wagtail.models import Page

from b2b.models import ContractPage, OrganizationPage
from b2b.selectors.contracts import find_page_in_use


@hooks.register("before_delete_page")
def block_delete_of_pages_in_use(request: HttpRequest, page: Page) -> HttpResponse | None:
    """Refuse to delete a page that has runs, codes or members, itself or below it."""
    return _refuse_to_delete(request, page)


@hooks.register("before_move_page")
def block_move_of_pages_in_use(request: HttpRequest, page: Page, destination: Page) -> HttpResponse | None:
    # Wagtail runs this hook before it checks rights to the page: don't reveal its name to users who can't move it.
    if not page.permissions_for_user(request.user).can_move():
        raise PermissionDenied
    return _refuse_to_move(request, page)


@hooks.register("before_copy_page")
def block_copy_of_contracts(request: HttpRequest, page: Page) -> HttpResponse | None:
    """Refuse to copy: an organization's key is unique, and a copied contract would be in force without a plan."""
    below = Page.objects.descendant_of(page, inclusive=True).type(OrganizationPage, ContractPage)
    if not below.exists():
        return None
    return _back(request, page, _("Organizations and contracts can’t be copied. Add a new one instead."))


@hooks.register("before_convert_alias_page")
def block_conversion_of_aliases(request: HttpRequest, page: Page) -> HttpResponse | None:
    """Refuse to turn an alias into a page: it would be a copied contract, in force without a plan."""
    if not isinstance(page.specific, OrganizationPage | ContractPage):
        return None
    return _back(
        request, page, _("An alias of an organization or contract can’t be converted. Add a new page instead.")
    )


@hooks.register("before_bulk_action")
def block_bulk_actions(
    request: HttpRequest, action_type: str, objects: Iterable[object], action_class_instance: object
) -> HttpResponse | None:
    """Refuse a bulk action as a whole if one of its pages refuses it."""
    refuse = {
        "delete": _refuse_to_delete,
        "move": _refuse_to_move,
        "publish": _refuse_to_publish,
        "unpublish": _refuse_to_unpublish,
    }.get(action_type)
    if refuse is None:
        return None
    for page in objects:
        if isinstance(page, Page) and (refused := refuse(request, page)) is not None:
            return refused
    return None


class ReadOnlyPagesAPI(PagesAdminAPIViewSet):
    """The pages that the admin's menus and choosers list.

    Wagtail's own also publishes, copies, moves and deletes pages without asking the hooks above, and no admin page
    uses that.
    """

    actions: dict[str, Any] = {}


@hooks.register("construct_admin_api")
def block_page_actions_by_api(router: WagtailAPIRouter) -> None:
    router.register_endpoint("pages", ReadOnlyPagesAPI)


@hooks.register("construct_page_chooser_queryset")
def hide_contracts_from_choosers(pages: Any, request: HttpRequest) -> Any:
    # A contract has no URL, so nothing can link to it.
    return pages.not_type(ContractPage)


def _refuse_to_delete(request: HttpRequest, page: Page) -> HttpResponse | None:
    kept = find_page_in_use(page)
    if kept is None:
        return None
    sentence = _("“%(page)s” can’t be deleted because it has runs, codes or members. Unpublish it to make it inactive.")
    return _back(request, page, sentence % {"page": kept.get_admin_display_title()})


def _refuse_to_move(request: HttpRequest, page: Page) -> HttpResponse | None:
    kept = find_page_in_use(page)
    if kept is None:
        return None
    return _back(
        request,
        page,
        _("“%(page)s” can’t be moved because it has runs, codes or members.")
        % {"page": kept.get_admin_display_title()},
    )


def _refuse_to_publish(request: HttpRequest, page: Page) -> HttpResponse | None:
    # No contract is published together with its organization either: its plan wasn't shown.
    reached = Page.objects.filter(pk=page.pk)
    if request.POST.get("include_descendants"):
        reached |= Page.objects.descendant_of(page).not_live()
    if not reached.type(ContractPage).exists():
        return None
    return _back(
        request,
        page,
        _("Contracts are published one by one, because each shows first what publishing does. Nothing was published."),
    )


def _refuse_to_unpublish(request: HttpRequest, page: Page) -> HttpResponse | None:
    # None stays in force under an unpublished organization, so those below count too.
    live_ones = ContractPage.objects.descendant_of(page, inclusive=True).live()
    if not live_ones.exists():
        return None
    return _back(
        request,
        page,
        _(
            "Live contracts are unpublished one by one, because each first shows what that does. "
            "Nothing was unpublished."
        ),
    )


def _back(request: HttpRequest, page: Page, sentence: str) -> HttpResponse:
    messages.error(request, sentence)
    return redirect("wagtailadmin_explore", (page.get_parent() or page).pk)

"""What the Wagtail admin refuses to do with our pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from wagtail import hooks
from wagtail.models import Page

from cms.models.addresses import is_taken_by_application
from cms.models.base import SitePage
from cms.models.forms import only_pages


@hooks.register("after_copy_page")
def keep_copies_drafts(request: HttpRequest, page: Page, new_page: Page) -> None:
    """Unpublish copies that have no course or program: their addresses would answer 404."""
    for model in only_pages():
        copies = model.objects.descendant_of(new_page, inclusive=True).filter(**{model.subject_field: None})
        for copy in copies.live():
            copy.unpublish(user=request.user)
        if request.POST.get("publish_copies") and copies.exists():
            messages.warning(request, _("Copies stay drafts until you choose their course or program."))


@hooks.register("before_move_page")
def block_move_to_taken_address(request: HttpRequest, page: Page, destination: Page) -> HttpResponse | None:
    return _refuse_address(request, page, destination)


@hooks.register("before_bulk_action")
def block_bulk_actions(
    request: HttpRequest, action_type: str, objects: Iterable[object], action_class_instance: Any
) -> HttpResponse | None:
    """Refuse a bulk action as a whole if one of its pages refuses it."""
    pages = [page for page in objects if isinstance(page, Page)]
    if action_type == "move" and pages:
        destination = action_class_instance.cleaned_form.cleaned_data["chooser"]
        return next(filter(None, (_refuse_address(request, page, destination) for page in pages)), None)
    if action_type == "publish":
        for page in _list_reached(request, pages):
            if problem := _problem_of_draft(page):
                sentence = _("“%(title)s” can’t be published: %(problem)s Nothing was published.")
                messages.error(request, sentence % {"title": page.get_admin_display_title(), "problem": problem})
                return redirect("wagtailadmin_explore", page.get_parent().pk)
    return None


def _refuse_address(request: HttpRequest, page: Page, destination: Page) -> HttpResponse | None:
    if not issubclass(page.specific_class, SitePage) or not is_taken_by_application(page.slug, destination):
        return None
    sentence = _("“%(title)s” can’t be moved there, because “%(slug)s” is an address of this site that isn’t a page.")
    messages.error(request, sentence % {"title": page.get_admin_display_title(), "slug": page.slug})
    return redirect("wagtailadmin_explore", page.get_parent().pk)


def _list_reached(request: HttpRequest, pages: list[Page]) -> Iterator[Page]:
    for page in pages:
        yield page
        if request.POST.get("include_descendants"):
            yield from page.get_descendants().not_live().defer_streamfields()


def _problem_of_draft(page: Page) -> str:
    """Return why the latest draft can't be published. A bulk action publishes it without asking its form."""
    if not issubclass(page.specific_class, SitePage):
        return ""
    draft = page.get_latest_revision_as_object()
    if isinstance(draft, only_pages()) and draft.subject is None:
        return str(draft.subject_missing)
    try:
        draft.full_clean()
    except ValidationError as error:
        return " ".join(error.messages)
    return ""

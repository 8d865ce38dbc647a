"""Wagtail's own pages for our page types, where they differ from those for other pages."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponseBase
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from wagtail.admin.views.pages.create import CreateView
from wagtail.admin.views.pages.edit import EditView
from wagtail.admin.viewsets.pages import PageViewSet, page_viewset_registry
from wagtail.models import Page, get_page_models

from cms.models.base import SitePage
from cms.models.forms import NEW_PAGE_KEY, only_pages
from mitxonline.kernel.db import transaction_lock


class OnePageCreateView(CreateView):
    """Make one page of one form, however often it is sent.

    Autosave sends it in the background. If someone presses “Publish” meanwhile, the browser sends it here again, where
    it would make a second page, or find its course taken by the first.
    """

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        # Of a page that there is once, the autosaved draft would forbid to publish the form.
        is_only_one = self.page_class.max_count or self.page_class.max_count_per_parent
        return context | ({"autosave_enabled": False} if is_only_one else {})

    def post(self, request: HttpRequest) -> HttpResponseBase:
        if self.expects_json_response and not self._has_subject:
            # Left like this, an autosaved page would stay behind as a draft about nothing.
            return self._refuse_json("validation_error", str(self.page_class.subject_missing))
        with transaction.atomic():
            self._wait_for_others()
            page = self._find_page_of_form()
            if page is None:
                response: HttpResponseBase = super().post(request)
                return response
        if self.expects_json_response:
            # It was sent before the page was saved, so it has nothing newer.
            refused: HttpResponseBase = self.json_error_response(
                "invalid_revision", _("This page was saved meanwhile.")
            )
            return refused
        edit: HttpResponseBase = page_viewset_registry.get_by_page_id(page.pk).edit_view(request, page_id=page.pk)
        return edit

    def _refuse_json(self, code: str, sentence: str) -> HttpResponseBase:
        response: HttpResponseBase = self.json_error_response(code, sentence)
        return response

    @property
    def _has_subject(self) -> bool:
        return self.page_class not in only_pages() or bool(self.request.POST.get(self.page_class.subject_field))

    @cached_property
    def form_key(self) -> uuid.UUID | None:
        try:
            return uuid.UUID(self.request.POST.get(NEW_PAGE_KEY, ""))
        except ValueError:
            return None

    def _wait_for_others(self) -> None:
        if self.form_key is not None:
            transaction_lock("new-page", str(self.form_key))
        lock_subject(self.page_class, self.request)

    def _find_page_of_form(self) -> Page | None:
        pages = self.page_class.objects.child_of(self.parent_page).filter(owner=self.request.user)
        if self.form_key is not None:
            found: Page | None = pages.filter(translation_key=self.form_key).first()
            return found
        if self.page_class not in only_pages():
            return None
        # A program's request without a key: the person's own draft that was never published.
        subject = self.request.POST.get(self.page_class.subject_field, "")
        drafts = pages.filter(live=False, first_published_at=None)
        own: Page | None = (
            drafts.filter(**{self.page_class.subject_field: subject}).first() if subject.isdigit() else None
        )
        return own


class OnePageEditView(EditView):
    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        with transaction.atomic():
            lock_subject(self.page_class, request)
            response: HttpResponseBase = super().post(request, *args, **kwargs)
            return response


def lock_subject(model: type[Page], request: HttpRequest) -> None:
    """Let one request at a time give this course or program a page, so that the form sees what the other has done."""
    if model in only_pages() and (subject := request.POST.get(model.subject_field)):
        transaction_lock(f"page-of-{model.subject_field}", subject)


class SitePageViewSet(PageViewSet):
    add_view_class = OnePageCreateView
    edit_view_class = OnePageEditView


def site_page_viewsets() -> list[SitePageViewSet]:
    """Return a viewset for each of our page types."""
    return [SitePageViewSet(model=model) for model in get_page_models() if issubclass(model, SitePage)]

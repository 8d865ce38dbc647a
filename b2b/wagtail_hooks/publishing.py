"""A contract is published by a page of ours that says first what that does; nothing else in the admin publishes one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from wagtail import hooks
from wagtail.actions.publish_page_revision import PublishPageRevisionAction
from wagtail.admin import messages
from wagtail.admin.views.pages.create import CreateView
from wagtail.admin.views.pages.edit import EditView
from wagtail.admin.views.pages.unpublish import UnpublishView
from wagtail.admin.viewsets.pages import PageViewSet
from wagtail.admin.widgets.button import Button, HeaderButton
from wagtail.models import Page, Revision

from b2b.models import ContractPage, OrganizationPage
from b2b.services.contracts.pages import lock_page
from b2b.services.contracts.terms_plan import TermsPlan, plan_terms
from b2b.services.courseware.wording import terms_lines
from b2b.wagtail_hooks.contracts import contract_url
from b2b.wagtail_hooks.rights import SEE_CONTRACTS, SEE_ORGANIZATIONS
from b2b.wagtail_hooks.workbench import ContractTemplateView
from mitxonline.kernel import clock
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.fingerprint import PlanChanged, fingerprint, refuse_unless_seen


class CreateWithoutAutosaveView(CreateView):
    """Create the page when someone saves it, not half typed by autosave.

    A click on “Save draft” during an autosave would also make a second page, and complain of its address.
    """

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {"autosave_enabled": False}


class ContractCreateView(CreateWithoutAutosaveView):
    def post(self, request: HttpRequest) -> HttpResponseBase:
        # Wagtail would add the page as live and publish its revision afterwards: the sweep could see it in between, and
        # the plan page wouldn't be the first to publish it.
        self.page.live = False
        response: HttpResponseBase = super().post(request)
        return response


class ContractEditView(EditView):
    @property
    def header_buttons(self) -> list[HeaderButton]:
        if self.page.alias_of_id is not None:
            return []
        url = contract_url("terms", self.page.pk)
        return [HeaderButton(_("Codes, members, courseware"), url=url, icon_name="clipboard-list")]


class ContractUnpublishView(UnpublishView):
    """Unpublishing a contract makes it inactive, and says so first."""

    template_name = "b2b/admin/confirm_unpublish_contract.html"


class OrganizationUnpublishView(UnpublishView):
    """An organization goes with its contracts: none stays in force under one that isn't there."""

    template_name = "b2b/admin/confirm_unpublish_organization.html"

    def get_objects_to_unpublish(self) -> list[Page]:
        contracts = ContractPage.objects.child_of(self.object).live()
        return [*contracts, *super().get_objects_to_unpublish()]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {"contracts": ContractPage.objects.child_of(self.object).live().order_by("name")}


class ContractPages(PageViewSet):
    model = ContractPage
    add_view_class = ContractCreateView
    edit_view_class = ContractEditView
    unpublish_view_class = ContractUnpublishView


class OrganizationPages(PageViewSet):
    model = OrganizationPage
    add_view_class = CreateWithoutAutosaveView
    unpublish_view_class = OrganizationUnpublishView


@hooks.register("register_admin_viewset")
def register_pages() -> list[PageViewSet]:
    return [ContractPages(), OrganizationPages()]


@hooks.register("before_publish_page")
def show_plan_before_publishing(request: HttpRequest, page: Page) -> HttpResponse | None:
    """Redirect “Publish” to the plan page. Wagtail has saved the revision by now and publishes nothing."""
    if not isinstance(page, ContractPage):
        return None
    return redirect(contract_url("review", page.pk, page.latest_revision_id))


@hooks.register("register_page_listing_more_buttons")
def lead_to_the_workbench(page: Page, user: Any, next_url: str | None = None) -> Iterator[Button]:
    """From the tree of pages to where they are looked after."""
    if isinstance(page, ContractPage) and user.has_perm(SEE_CONTRACTS):
        url = contract_url("terms", page.pk)
        yield Button(_("Codes, members, courseware"), url=url, icon_name="clipboard-list", priority=5)
    elif isinstance(page, OrganizationPage) and user.has_perm(SEE_ORGANIZATIONS):
        url = reverse("b2b_organizations:detail", args=[page.pk])
        yield Button(_("Contracts and managers"), url=url, icon_name="group", priority=5)


class ReviewView(ContractTemplateView):
    """What publishing a revision does; confirming publishes exactly the one that was shown."""

    works = True
    tab = "terms"
    template_name = "b2b/admin/review.html"

    def get_page_subtitle(self) -> str:
        return _("Publish")

    @cached_property
    def revision(self) -> Revision:
        """The revision of this address."""
        contract = ContractPage.objects.get(pk=self.contract.pk)
        return get_object_or_404(contract.revisions, pk=self.kwargs["revision_id"])

    @cached_property
    def written(self) -> ContractPage:
        """The contract as the revision says."""
        page: ContractPage = self.revision.as_object()
        return page

    def get(self, request: HttpRequest, pk: int, revision_id: int) -> HttpResponse:
        return self._refuse_unless_publishable(request) or self._newest(request) or self._render_plan()

    def post(self, request: HttpRequest, pk: int, revision_id: int) -> HttpResponse:
        if (refused := self._refuse_unless_publishable(request)) is not None:
            return refused
        with transaction.atomic():
            # The page lock serializes saves and publications, so the plan can't go stale between check and publish.
            lock_page(pk)
            if (newer := self._newest(request)) is not None:
                return newer
            try:
                plan = plan_terms(page=self.written, now=clock.now())
                refuse_unless_seen(request.POST.get("seen", ""), self._fingerprint(plan))
            except PlanChanged as refusal:
                messages.warning(request, str(refusal))
                return self._render_plan()
            except DomainError:
                return self._render_plan()
            PublishPageRevisionAction(self.revision, user=request.user).execute()
        self._say_done(request)
        return redirect(contract_url("terms", pk))

    def _refuse_unless_publishable(self, request: HttpRequest) -> HttpResponse | None:
        """Who may not publish, and what can't be published at all."""
        page = ContractPage.objects.get(pk=self.contract.pk)
        if not page.permissions_for_user(request.user).can_publish():
            raise PermissionDenied
        edit = reverse("wagtailadmin_pages:edit", args=[page.pk])
        lock = page.get_lock()
        if lock is not None and lock.for_user(request.user):
            messages.error(request, _("This contract is locked, so it can't be published now."))
            return redirect(edit)
        try:
            self.written.full_clean()
        except ValidationError as invalid:
            sentence = _("The draft isn't complete: %(problems)s Complete it, then publish.")
            messages.error(request, sentence % {"problems": _problems(self.written, invalid)})
            return redirect(edit)
        return None

    def _newest(self, request: HttpRequest) -> HttpResponse | None:
        """Where a newer draft is what would be published."""
        newest = ContractPage.objects.get(pk=self.contract.pk).latest_revision_id
        if newest is None or newest == self.revision.pk:
            return None
        messages.warning(request, _("There is a newer draft. This is what publishing that one does."))
        return redirect(contract_url("review", self.contract.pk, newest))

    def _render_plan(self) -> HttpResponse:
        context: dict[str, Any] = {"edit_url": reverse("wagtailadmin_pages:edit", args=[self.contract.pk])}
        try:
            plan = plan_terms(page=self.written, now=clock.now())
        except DomainError as refusal:
            context["refusal"] = str(refusal)
        else:
            context |= {"plan": plan, "lines": terms_lines(plan), "seen": self._fingerprint(plan)}
        go_live_at = self.written.go_live_at
        context |= {
            "revision": self.revision,
            "go_live_at": go_live_at if go_live_at and go_live_at > timezone.now() else None,
            "expire_at": self.written.expire_at,
            "is_in_force": self.contract.live and self.contract.live_revision_id == self.revision.pk,
        }
        return self.render_to_response(self.get_context_data(**context))

    def _fingerprint(self, plan: TermsPlan) -> str:
        # Autosave writes over a revision, so its id alone doesn't say which terms were shown.
        return fingerprint(self.revision.pk, self.revision.created_at, plan.fingerprint)

    def _say_done(self, request: HttpRequest) -> None:
        go_live_at = self.written.go_live_at
        if go_live_at and go_live_at > timezone.now():
            when = date_format(localtime(go_live_at), "DATETIME_FORMAT")
            messages.success(request, _("These terms come into force by themselves on %(when)s.") % {"when": when})
        else:
            messages.success(request, _("Published: these terms are in force. Runs and codes follow."))


def _problems(page: ContractPage, invalid: ValidationError) -> str:
    """What is wrong, each with the name of its field."""
    found = []
    for name, sentences in invalid.message_dict.items():
        label = str(page._meta.get_field(name).verbose_name) if name != "__all__" else ""
        found.append(f"{label}: {' '.join(sentences)}" if label else " ".join(sentences))
    return " ".join(found)

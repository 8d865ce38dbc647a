"""A contract is published by a page of ours that says first what that does; nothing else in the admin publishes one."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
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
from wagtail.admin.views.pages.revisions import RevisionsRevertView
from wagtail.admin.views.pages.unpublish import UnpublishView
from wagtail.admin.views.pages.workflow import CollectWorkflowActionDataView, WorkflowActionView
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

MODERATION = ("action-submit", "action-restart-workflow", "action-workflow-action")


class CreateByHandView(CreateView):
    """Organizations and contracts come into being when someone says so, not half typed by autosave.

    A click on “Save draft” while Wagtail is saving by itself would also make a second one, and complain of its address.
    """

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {"autosave_enabled": False}


class ContractCreateView(CreateByHandView):
    """A new contract is a draft: it is published from there, once one has seen what that does."""

    @cached_property
    def action_name_and_method(self) -> tuple[str, Any]:
        """Only drafts are made here, however the request came about."""
        if self.request.POST.get("action-publish") or self.request.POST.get("action-submit"):
            return "refuse", self.refuse_action
        made: tuple[str, Any] = super().action_name_and_method
        return made

    def refuse_action(self) -> HttpResponse:
        """Nothing is made, nothing typed is lost."""
        messages.error(
            self.request,
            _("A contract is saved as a draft first. Publish it from there: you see what that does before it is done."),
        )
        self.has_unsaved_changes = True
        answer: HttpResponse = self.render_to_response(self.get_context_data())
        return answer


class ReviewedMixin:
    """“Publish” saves what was typed and leads to the page that says what publishing it does."""

    request: HttpRequest
    page: Any
    form: Any
    next_url: str

    @cached_property
    def action_name_and_method(self) -> tuple[str, Any]:
        if any(self.request.POST.get(name) for name in MODERATION):
            return "save", self.save_unmoderated
        done: tuple[str, Any] = super().action_name_and_method  # type: ignore[misc]  # a mixin for Wagtail's views
        return done

    def save_unmoderated(self) -> HttpResponseBase:
        """The draft is kept, and it is said why no one is asked to approve it."""
        messages.warning(
            self.request,
            _("The draft is saved. Contracts aren't sent to moderation: whoever looks after them publishes them."),
        )
        answer: HttpResponseBase = self.save_action()  # type: ignore[attr-defined]
        return answer

    def publish_action(self) -> HttpResponse:
        """Save the revision, as Wagtail's view does, but let it be published by ``ReviewView``."""
        self.page = self.form.save(commit=not self.page.live)
        self.subscription.save()  # type: ignore[attr-defined]
        revision = self.page.save_revision(
            user=self.request.user,
            log_action=True,
            previous_revision=self.previous_revision,  # type: ignore[attr-defined]
        )
        if self.has_content_changes and "comments" in self.form.formsets:  # type: ignore[attr-defined]
            changes = self.get_commenting_changes()  # type: ignore[attr-defined]
            self.log_commenting_changes(changes, revision)  # type: ignore[attr-defined]
            self.send_commenting_notifications(changes)  # type: ignore[attr-defined]
        return redirect(contract_url("review", self.page.pk, revision.pk))

    @property
    def header_buttons(self) -> list[HeaderButton]:
        """The way to everything that isn't written on the page."""
        if self.page.alias_of_id is not None:
            return []
        url = contract_url("terms", self.page.pk)
        return [HeaderButton(_("Codes, members, courseware"), url=url, icon_name="clipboard-list")]


class ContractEditView(ReviewedMixin, EditView):
    """The terms as written."""


class ContractRevertView(ReviewedMixin, RevisionsRevertView):
    """Terms as they were written once, to be written again."""


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


class _NotModerated:
    """A workflow that someone started some other way publishes no contract."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        page = self.object  # type: ignore[attr-defined]
        if not page.permissions_for_user(request.user).can_edit():
            raise PermissionDenied
        messages.error(request, _("Contracts aren't moderated. Open the draft and publish it from there."))
        return redirect("wagtailadmin_pages:edit", page.pk)


class ContractWorkflowActionView(_NotModerated, WorkflowActionView):
    """Approve, reject …"""


class ContractCollectWorkflowView(_NotModerated, CollectWorkflowActionDataView):
    """… with words."""


class ContractPages(PageViewSet):
    """How Wagtail's own pages about contracts differ from those about other pages."""

    model = ContractPage
    add_view_class = ContractCreateView
    edit_view_class = ContractEditView
    revisions_revert_view_class = ContractRevertView
    unpublish_view_class = ContractUnpublishView
    workflow_action_view_class = ContractWorkflowActionView
    collect_workflow_action_data_view_class = ContractCollectWorkflowView


class OrganizationPages(PageViewSet):
    """The same about organizations."""

    model = OrganizationPage
    add_view_class = CreateByHandView
    unpublish_view_class = OrganizationUnpublishView


@hooks.register("register_admin_viewset")
def register_pages() -> list[PageViewSet]:
    """Take Wagtail's place for these kinds of page."""
    return [ContractPages(), OrganizationPages()]


@hooks.register("construct_page_action_menu")
def offer_only_drafts(menu_items: list[Any], request: HttpRequest, context: dict[str, Any]) -> None:
    """The form for a new contract has “Save draft” and nothing else."""
    if context["view"] == "create" and isinstance(context["parent_page"], OrganizationPage):
        menu_items[:] = [item for item in menu_items if item.name == "action-save-draft"]


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
        """Publish under the page's lock, or say what has changed since it was shown, and show that."""
        if (refused := self._refuse_unless_publishable(request)) is not None:
            return refused
        with transaction.atomic():
            # Whoever saves or publishes at this moment is before us or after us, never between look and deed.
            lock_page(pk)
            if (newer := self._newest(request)) is not None:
                return newer
            try:
                plan = plan_terms(page=self.written, now=clock.now())
            except DomainError:
                return self._render_plan()
            if request.POST.get("seen") != self._mark(plan):
                messages.warning(request, _("Something has changed meanwhile. This is what publishing does now."))
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
            context["refusal"] = refusal.message
        else:
            context |= {"plan": plan, "lines": terms_lines(plan), "seen": self._mark(plan)}
        go_live_at = self.written.go_live_at
        context |= {
            "revision": self.revision,
            "go_live_at": go_live_at if go_live_at and go_live_at > timezone.now() else None,
            "expire_at": self.written.expire_at,
            "is_in_force": self.contract.live and self.contract.live_revision_id == self.revision.pk,
        }
        return self.render_to_response(self.get_context_data(**context))

    def _mark(self, plan: TermsPlan) -> str:
        """A mark of what is shown: this revision as it was saved last, and what it does."""
        facts = (str(self.revision.pk), self.revision.created_at.isoformat(), plan.fingerprint)
        return blake2b("\n".join(facts).encode(), digest_size=16).hexdigest()

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

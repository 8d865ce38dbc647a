"""Publishing a contract: the page that says what it does, and the only way to publish one in the admin (ADR 0013)."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail import hooks
from wagtail.actions.publish_page_revision import PublishPageRevisionAction
from wagtail.admin import messages
from wagtail.models import Page, Revision

from b2b.models import ContractPage
from b2b.services.contracts.pages import lock_page
from b2b.services.contracts.terms_plan import TermsPlan, plan_terms
from b2b.wagtail_hooks.base import ContractPageView, contract_url
from mitxonline.kernel import clock
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.fingerprint import PlanChanged, fingerprint, refuse_unless_seen


@hooks.register("before_publish_page")
def show_plan_before_publishing(request: HttpRequest, page: Page) -> HttpResponse | None:
    """Redirect “Publish” to the plan. Wagtail has saved the revision by now, and publishes nothing after a redirect."""
    if not isinstance(page, ContractPage):
        return None
    return redirect(contract_url("review", page.pk, page.latest_revision_id))


class ReviewView(ContractPageView):
    """What publishing a revision does. Confirming publishes exactly the revision and the plan that were shown."""

    requires_edit = True
    tab = "terms"
    page_subtitle = gettext_lazy("Publish")
    template_name = "b2b/admin/review.html"

    @cached_property
    def page(self) -> ContractPage:
        page: ContractPage = ContractPage.objects.get(pk=self.contract.pk)
        return page

    @cached_property
    def revision(self) -> Revision:
        return get_object_or_404(self.page.revisions, pk=self.kwargs["revision_id"])

    @cached_property
    def draft(self) -> ContractPage:
        """The contract as the revision has it."""
        page: ContractPage = self.revision.as_object()
        return page

    @property
    def edit_url(self) -> str:
        return reverse("wagtailadmin_pages:edit", args=[self.contract.pk])

    @property
    def goes_live_later(self) -> bool:
        return bool(self.draft.go_live_at and self.draft.go_live_at > timezone.now())

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._refuse_unless_publishable() or self._redirect_to_newer_draft() or self._render_plan()

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if (refused := self._refuse_unless_publishable()) is not None:
            return refused
        with transaction.atomic():
            # The page lock serializes saves and publications, so the plan can't go stale between check and publish.
            lock_page(self.contract.pk)
            if (newer := self._redirect_to_newer_draft()) is not None:
                return newer
            try:
                plan = plan_terms(page=self.draft, now=clock.now())
                refuse_unless_seen(request.POST.get("seen", ""), self._fingerprint(plan))
            except PlanChanged as refusal:
                messages.warning(request, str(refusal))
                return self._render_plan()
            except DomainError:
                return self._render_plan()  # it shows the refusal
            PublishPageRevisionAction(self.revision, user=request.user).execute()
        if self.goes_live_later:
            when = date_format(localtime(self.draft.go_live_at), "DATETIME_FORMAT")
            messages.success(request, _("These terms will take effect automatically on %(when)s.") % {"when": when})
        else:
            messages.success(request, _("Published. These terms are in force; runs and codes will follow in a moment."))
        return redirect(self.tab_url)

    def _refuse_unless_publishable(self) -> HttpResponse | None:
        """Raise PermissionDenied without the right to publish; redirect to a draft that is locked or incomplete."""
        if not self.page.permissions_for_user(self.request.user).can_publish():
            raise PermissionDenied
        lock = self.page.get_lock()
        if lock is not None and lock.for_user(self.request.user):
            messages.error(self.request, _("This contract is locked, so it can’t be published now."))
            return redirect(self.edit_url)
        try:
            self.draft.full_clean()
        except ValidationError as invalid:
            sentence = _("The draft is incomplete. Fix it, then publish. %(problems)s")
            messages.error(self.request, sentence % {"problems": _list_problems(self.draft, invalid)})
            return redirect(self.edit_url)
        return None

    def _redirect_to_newer_draft(self) -> HttpResponse | None:
        # Asked of the database each time: the answer before the lock may be outdated after it.
        newest = ContractPage.objects.values_list("latest_revision_id", flat=True).get(pk=self.contract.pk)
        if newest is None or newest == self.revision.pk:
            return None
        self._announce_newer_draft()
        return redirect(contract_url("review", self.contract.pk, newest))

    def _announce_newer_draft(self) -> None:
        """Say who wrote the newer draft. One's own is mostly what autosave kept a second ago."""
        newer = self.contract.revisions.filter(pk__gt=self.revision.pk).select_related("user").order_by("-pk")
        by_others = next((each for each in newer if each.user_id != self.request.user.pk), None)
        if by_others is None:
            messages.info(self.request, _("This includes your latest changes."))
        elif by_others.user is None:
            messages.warning(self.request, _("There is a newer draft. This is what publishing it does."))
        else:
            sentence = _("There is a newer draft by %(person)s. This is what publishing it does.")
            messages.warning(self.request, sentence % {"person": by_others.user.get_full_name()})

    def _render_plan(self) -> HttpResponse:
        context: dict[str, Any] = {
            "edit_url": self.edit_url,
            "revision": self.revision,
            "go_live_at": self.draft.go_live_at if self.goes_live_later else None,
            "expire_at": self.draft.expire_at,
            "is_in_force": self.contract.live and self.contract.live_revision_id == self.revision.pk,
        }
        try:
            plan = plan_terms(page=self.draft, now=clock.now())
        except DomainError as refusal:
            context["refusal"] = str(refusal)
        else:
            context |= {"plan": plan, "lines": plan.lines, "seen": self._fingerprint(plan)}
        return self.render_to_response(self.get_context_data(**context))

    def _fingerprint(self, plan: TermsPlan) -> str:
        # Autosave writes over a revision, so its id alone doesn't say which terms were shown.
        return fingerprint(self.revision.pk, self.revision.created_at, plan.fingerprint)


def _list_problems(page: ContractPage, invalid: ValidationError) -> str:
    found = []
    for name, sentences in invalid.message_dict.items():
        label = f"{page._meta.get_field(name).verbose_name}: " if name != "__all__" else ""
        found.append(label + " ".join(sentences))
    return " ".join(found)

"""Pages that aren't lists: one that shows something, a form whose action may be refused, a button."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy
from django.views.generic import FormView, TemplateView, View
from wagtail.admin import messages
from wagtail.admin.menu import MenuItem
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin

from mitxonline.kernel.errors import DomainError, NotFound
from mitxonline.kernel.fingerprint import PlanChanged, refuse_unless_seen

UNPROCESSABLE = 422


class StaffPageMixin(PermissionCheckedMixin, WagtailAdminTemplateMixin):
    """A page in Wagtail's frame, for those who have `permission_required` (an action such as "view") on `model`."""

    request: HttpRequest
    kwargs: dict[str, Any]
    permission_required: ClassVar[str | None] = "view"

    def get_parents(self) -> list[tuple[str, object]]:
        """Return the address and the name of each page above this one, for the breadcrumbs."""
        return []

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        parents = [{"url": url, "label": label} for url, label in self.get_parents()]
        # Wagtail folds the parents away, and what is left is the heading: with “Refund” alone, of which order?
        return [*self.breadcrumbs_items, *parents, {"url": "", "label": self.get_header_title()}]


class StaffPage(StaffPageMixin, TemplateView):
    """A page that shows something."""


class StaffFormPage(StaffPageMixin, FormView[Any]):
    """A form with an action. A refusal is shown on the form, with status 422, so nothing typed is lost."""

    def perform(self, form: Any) -> str:
        """Do what the form asks and return the message for staff; empty where one was already added."""
        raise NotImplementedError

    def get_refused_field(self, form: Any, refusal: DomainError) -> str | None:
        """Name the field a refusal is about; None for the form as a whole."""
        return None

    def get_refusal_message(self, refusal: DomainError) -> str:
        return str(refusal)

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            message = self.perform(form)
        except NotFound as missing:
            raise Http404 from missing
        except DomainError as refusal:
            return self.show_refusal(form, refusal)
        if message:
            messages.success(self.request, message)
        return redirect(self.get_success_url())

    def show_refusal(self, form: Any, refusal: DomainError) -> HttpResponse:
        form.add_error(self.get_refused_field(form, refusal), self.get_refusal_message(refusal))
        return self.form_invalid(form)

    def form_invalid(self, form: Any) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=UNPROCESSABLE)


class StaffButtonView(PermissionCheckedMixin, View):
    """A button on another page: it acts on POST and leads back there."""

    http_method_names = ["post"]
    request: HttpRequest
    kwargs: dict[str, Any]

    def perform(self) -> str:
        """Act and return the message for staff."""
        raise NotImplementedError

    def get_success_url(self) -> str:
        raise NotImplementedError

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return run_and_redirect(request, self.perform, self.get_success_url)


class ReasonForm(forms.Form):
    """Why staff decide something. The reason goes to the log, and some models keep it too."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=255,
        help_text=gettext_lazy("Only staff can read this. Leave out addresses and codes."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": gettext_lazy("Enter a reason. It is kept in the log.")},
    )


def run_and_redirect(request: HttpRequest, action: Callable[[], str], to: str | Callable[[], str]) -> HttpResponse:
    """Run the action, flash its message or the refusal, and redirect. What doesn't exist answers 404."""
    try:
        message = action()
    except NotFound as missing:
        raise Http404 from missing
    except DomainError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, message)
    return redirect(to() if callable(to) else to)


def has_confirmed(request: HttpRequest, current: str) -> bool:
    """Tell whether the plan with this fingerprint was confirmed. If another one was, warn that it has changed since."""
    seen = request.POST.get("seen", "")
    if not seen:
        return False
    try:
        refuse_unless_seen(seen, current)
    except PlanChanged as refusal:
        messages.warning(request, str(refusal))
        return False
    return True


def menu_item_for(permission: str) -> type[MenuItem]:
    """Make a class of menu item that is shown to users with the permission."""

    class PermissionMenuItem(MenuItem):
        def is_shown(self, request: HttpRequest) -> bool:
            return request.user.has_perm(permission)

    return PermissionMenuItem

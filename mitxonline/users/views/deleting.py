"""Deleting one's account: what it does, confirmed by the password or by a mailed link."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from mitxonline.kernel import clock
from mitxonline.kernel.fingerprint import PlanChanged, refuse_unless_seen
from mitxonline.kernel.forms import refusals_on
from mitxonline.users import mails
from mitxonline.users.closing import AccountBusy, AccountNeeded, close_account, plan_closing
from mitxonline.users.forms import DeleteAccountForm
from mitxonline.users.limits import count_mail
from mitxonline.users.models import User
from mitxonline.users.sso.connections import has_password
from mitxonline.users.sso.sessions import find_provider_session
from mitxonline.users.verification import refuse_delete_token
from mitxonline.users.views.accounts import AccountFormView, account_links, current_user
from mitxonline.users.views.providers import end_session


class DeleteAccountView(LoginRequiredMixin, AccountFormView):
    """Show what deleting the account does. People without a password get a link that confirms it."""

    form_class = DeleteAccountForm
    template_name = "users/account_delete.html"

    @property
    def asks_password(self) -> bool:
        return has_password(self.user)

    @property
    def is_last_step(self) -> bool:
        return self.asks_password

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            self.user: User = current_user(request)
            self.plan = plan_closing(self.user)
        return super().dispatch(request, *args, **kwargs)

    def get_form_kwargs(self) -> dict[str, Any]:
        kwargs = {"user": self.user, "request": self.request, "asks_password": self.asks_password}
        return super().get_form_kwargs() | kwargs

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"plan": self.plan, "is_last_step": self.is_last_step}

    def form_valid(self, form: DeleteAccountForm) -> HttpResponse:
        if self.plan.obstacles:
            return self.form_invalid(form)
        if self.is_last_step:
            return self.delete(form)
        count_mail(self.request, email=self.user.email, retry_url=reverse("account_delete"))
        mails.queue_account_email(mails.DELETE, user=self.user)
        return render(self.request, "users/account_delete_mailed.html", account_links("") | {"person": self.user})

    def form_invalid(self, form: Any) -> HttpResponse:
        response = super().form_invalid(form)
        if response.status_code == HTTPStatus.OK and (self.plan.obstacles or form.non_field_errors()):
            response.status_code = HTTPStatus.CONFLICT
        return response

    def delete(self, form: DeleteAccountForm) -> HttpResponse:
        session = find_provider_session(self.request)
        with refusals_on(form, only=(PlanChanged, AccountNeeded, AccountBusy)) as caught:
            refuse_unless_seen(self.request.POST.get("seen", ""), self.plan.fingerprint)
            close_account(user_id=self.user.pk, now=clock.now(), by_id=self.user.pk)
        if caught.refusal is not None:
            self.plan = plan_closing(self.user)
            return self.form_invalid(form)
        return end_session(self.request, session, reverse("account_deleted"))


class DeleteLinkView(DeleteAccountView):
    """Delete by a button, because mail scanners follow links. The person has to be signed in, as the link alone is
    no more than access to their inbox."""

    asks_password = False
    is_last_step = True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            refuse_delete_token(kwargs["token"], current_user(request))
        return super().dispatch(request, *args, **kwargs)


@never_cache
@require_GET
def show_deleted(request: HttpRequest) -> HttpResponse:
    """Say goodbye, to people who are signed out by now."""
    if request.user.is_authenticated:
        return redirect("account")
    return render(request, "users/account_deleted.html", account_links(""))

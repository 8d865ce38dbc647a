"""Pages of local accounts: signing in and out, registering, passwords and settings.

They pass `next` on from page to page, so that a visitor who came from a cart gets back to it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import SESSION_KEY, authenticate, login, update_session_auth_hash
from django.contrib.auth import views as auth_views
from django.contrib.auth.decorators import login_required
from django.contrib.auth.mixins import LoginRequiredMixin
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse, reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django.views.generic import FormView, TemplateView, UpdateView, View

from mitxonline.kernel import clock
from mitxonline.kernel.errors import Forbidden, RateLimited
from mitxonline.kernel.forms import refusals_on
from mitxonline.users import services
from mitxonline.users.email_change import (
    AddressUnchanged,
    ask_email_change,
    confirm_email_change,
    find_email_change,
)
from mitxonline.users.forms import (
    AccountForm,
    AddressChangeForm,
    LimitedForm,
    NewPasswordForm,
    PasswordChangeForm,
    PasswordResetForm,
    RegistrationForm,
    SignInForm,
)
from mitxonline.users.limits import count_mail
from mitxonline.users.models import User
from mitxonline.users.next_page import find_reason, next_page, safe_page, with_next
from mitxonline.users.own_data import collect_own_data
from mitxonline.users.sso.backend import Errand
from mitxonline.users.sso.connections import connections_of, has_password, name_providers
from mitxonline.users.sso.providers import only_provider, providers
from mitxonline.users.verification import read_token, verify_email
from mitxonline.users.views.providers import log_out_everywhere, redirect_to_provider


class StaffOnly(Forbidden):
    """A signed-in person without rights opened one of the admins."""

    code = "staff_only"
    message = gettext_lazy("Your account doesn’t have access.")
    advice = gettext_lazy("Sign in with a different account.")
    retry_url: str | None = None


BACKEND = "mitxonline.users.backends.EmailBackend"
_SESSION_NEXT = "users.next_after_reset"


def account_links(page: str) -> dict[str, Any]:
    """Return the template context of these pages: their links, which pass the page on, and the ways to sign in."""
    return {
        "local_accounts": settings.LOCAL_ACCOUNTS,
        "providers": providers(),
        "next_page": page,
        "reason": find_reason(page),
        "login_url": with_next(reverse("login"), page),
        "register_url": with_next(reverse("register"), page),
        "reset_url": with_next(reverse("password_reset"), page),
    }


def current_user(request: HttpRequest) -> User:
    """Return a fresh copy of the signed-in user."""
    return User.objects.get(pk=request.session[SESSION_KEY])


@method_decorator([sensitive_post_parameters(), never_cache], name="dispatch")
class AccountFormView(FormView[Any]):
    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | account_links(next_page(self.request))

    def get_success_url(self) -> str:
        return next_page(self.request) or resolve_url(settings.LOGIN_REDIRECT_URL)

    def form_invalid(self, form: BaseForm) -> HttpResponse:
        response = super().form_invalid(form)
        if isinstance(form, LimitedForm) and form.limited:
            response.status_code = form.limited.status
            response.headers["Retry-After"] = str(form.limited.retry_after)
        return response


class EntranceView(AccountFormView):
    """A form that signs visitors in. Those who are signed in already are redirected."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            return HttpResponseRedirect(self.get_success_url())
        return super().dispatch(request, *args, **kwargs)

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"request": self.request}

    def sign_in(self, user: User) -> HttpResponse:
        # Django keeps the content of the session, unless it was another person's.
        login(self.request, user, backend=BACKEND)
        return HttpResponseRedirect(self.get_success_url())


class LocalAccountsMixin:
    """Redirects pages about passwords to the sign-in page on a site without local accounts."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not settings.LOCAL_ACCOUNTS:
            return redirect(with_next(reverse("login"), next_page(request)))
        return cast("View", super()).dispatch(request, *args, **kwargs)


class LoginView(EntranceView):
    """Sign in with e-mail and password, or choose a provider."""

    form_class = SignInForm
    template_name = "users/login.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        # With one provider as the only way in there is nothing to choose. But another site that sends a visitor here
        # must not be able to sign them in.
        provider = only_provider()
        if provider is not None and request.headers.get("Sec-Fetch-Site") != "cross-site":
            return redirect_to_provider(request, provider, Errand(next_page(request)))
        return super().get(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not settings.LOCAL_ACCOUNTS:
            return redirect(with_next(reverse("login"), next_page(request)))
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: SignInForm) -> HttpResponse:
        response = self.sign_in(form.get_user())
        if not form.cleaned_data["stay"]:
            self.request.session.set_expiry(0)  # until the browser is closed
        return response


class RegisterView(LocalAccountsMixin, EntranceView):
    """Create an account and sign in, without waiting for an e-mail.

    If the address has an account, its password signs in, and otherwise the page only says to check the inbox.
    """

    form_class = RegistrationForm
    template_name = "users/register.html"

    def form_valid(self, form: RegistrationForm) -> HttpResponse:
        content = form.cleaned_data
        user = services.register(
            email=content["email"], name=content["name"], password=content["password"], now=clock.now()
        )
        if user is None:
            user = authenticate(self.request, username=content["email"], password=content["password"])
        if isinstance(user, User):
            return self.sign_in(user)
        email, page = content["email"], next_page(self.request)
        # Beyond the limit no e-mail is sent and the page stays the same: it must not tell who has an account.
        with suppress(RateLimited):
            count_mail(self.request, email=email)
            services.remind_of_account(email=email, next_page=page)
        return render(self.request, "users/register_mailbox.html", {"email": email} | account_links(page))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def log_out(request: HttpRequest) -> HttpResponse:
    """Sign out on POST, so that no link or picture elsewhere can. On GET ask first."""
    page = next_page(request)
    if request.method == "POST" or not request.user.is_authenticated:
        return log_out_everywhere(request, page)
    return render(request, "users/logout.html", account_links(page))


@never_cache
def staff_login(request: HttpRequest, home: str = "/") -> HttpResponse:
    """Redirect visitors whom the admins don't let in to the sign-in page that everyone uses."""
    page = next_page(request) or home
    if request.user.is_authenticated:  # They lack the rights, so signing in again would lead in a circle.
        raise StaffOnly(retry_url=with_next(reverse("logout"), page))
    return redirect(with_next(reverse("login"), page), preserve_request=request.method == "POST")


class PasswordResetView(LocalAccountsMixin, AccountFormView):
    """Ask for a link to reset the password. The answer is the same whether or not the address has an account."""

    form_class = PasswordResetForm
    template_name = "users/password_reset.html"

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"request": self.request}

    def get_success_url(self) -> str:
        return with_next(reverse("password_reset_done"), next_page(self.request))

    def form_valid(self, form: PasswordResetForm) -> HttpResponse:
        services.request_password_reset(email=form.cleaned_data["email"], next_page=next_page(self.request))
        return super().form_valid(form)


@require_GET
def password_reset_done(request: HttpRequest) -> HttpResponse:
    if not settings.LOCAL_ACCOUNTS:
        return redirect("login")
    return render(request, "users/password_reset_done.html", account_links(next_page(request)))


class PasswordResetConfirmView(LocalAccountsMixin, auth_views.PasswordResetConfirmView):
    """Set a new password from the link in the e-mail, and sign in."""

    template_name = "users/password_reset_confirm.html"
    post_reset_login = True
    post_reset_login_backend = BACKEND

    def dispatch(self, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # Django moves the token from the address into the session and redirects, and loses the query.
        if page := next_page(self.request):
            self.request.session[_SESSION_NEXT] = page
        return super().dispatch(*args, **kwargs)

    def get_form_class(self) -> type[Any]:
        return NewPasswordForm

    def form_valid(self, form: Any) -> HttpResponse:
        response = super().form_valid(form)
        services.record_password_reset(user=form.user, now=clock.now())
        messages.success(self.request, _("Your new password has been set."))
        return response

    def get_success_url(self) -> str:
        page = safe_page(self.request, self.request.session.pop(_SESSION_NEXT, ""))
        return page or resolve_url(settings.LOGIN_REDIRECT_URL)


class PasswordChangeView(LoginRequiredMixin, LocalAccountsMixin, AccountFormView):
    """Change the password. All other sessions of the account end."""

    form_class = PasswordChangeForm
    template_name = "users/password_change.html"

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"user": current_user(self.request), "request": self.request}

    def get_success_url(self) -> str:
        return reverse("account")

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        update_session_auth_hash(self.request, form.save())
        messages.success(self.request, _("Your password has been changed. Other devices are signed out."))
        return super().form_valid(form)


class EmailChangeView(LoginRequiredMixin, AccountFormView):
    """Ask for another e-mail address. The answer is the same whether or not the new one has an account."""

    form_class = AddressChangeForm
    template_name = "users/email_change.html"

    def get_form_kwargs(self) -> dict[str, Any]:
        user = current_user(self.request)
        kwargs = {"user": user, "request": self.request, "asks_password": has_password(user)}
        return super().get_form_kwargs() | kwargs

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"through": name_providers(current_user(self.request))}

    def form_valid(self, form: AddressChangeForm) -> HttpResponse:
        with refusals_on(form, field="new_email", only=AddressUnchanged) as caught:
            ask_email_change(user=form.user, new_email=form.cleaned_data["new_email"], now=clock.now())
        if caught.refusal is not None:
            return self.form_invalid(form)
        context = account_links("") | {"is_two_steps": not has_password(form.user)}
        return render(self.request, "users/email_change_mailed.html", context)


@method_decorator(never_cache, name="dispatch")
class EmailChangeLinkView(TemplateView):
    """Confirm a change of address by a button. The link is proof enough: it works on any device."""

    template_name = "users/email_change_confirm.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        change, _side = find_email_change(self.kwargs["token"])
        return super().get_context_data(**kwargs) | {"change": change}

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        change, _side = find_email_change(token)
        asks_password = has_password(change.user)
        if not confirm_email_change(token=token, now=clock.now()):
            messages.success(request, _("Thank you. Now open the link in the other inbox."))
        elif asks_password:
            messages.success(request, _("Your e-mail address has changed. Sign in with the new one."))
        else:
            messages.success(request, _("Your e-mail address has changed. Sign in as before."))
        return redirect("account" if request.user.is_authenticated else "login")


@method_decorator(never_cache, name="dispatch")
class AccountView(LoginRequiredMixin, UpdateView[User, AccountForm]):
    form_class = AccountForm
    template_name = "users/account.html"
    success_url = reverse_lazy("account")

    def get_object(self, queryset: object = None) -> User:
        # A copy, so that an invalid name doesn't show in the header, which displays `request.user`.
        return current_user(self.request)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {
            "local_accounts": settings.LOCAL_ACCOUNTS,
            "connections": connections_of(self.object),
        }

    def form_valid(self, form: AccountForm) -> HttpResponse:
        messages.success(self.request, _("Your settings have been saved."))
        return super().form_valid(form)


@never_cache
@require_GET
@login_required
def download_data(request: HttpRequest) -> HttpResponse:
    """Send people a file of what is stored about them."""
    response = JsonResponse(
        collect_own_data(current_user(request)), json_dumps_params={"indent": 2, "ensure_ascii": False}
    )
    filename = f"account-{clock.date_of(clock.now()).isoformat()}.json"
    response.headers["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response


@require_POST
@login_required
def send_verification(request: HttpRequest) -> HttpResponse:
    user = current_user(request)
    count_mail(request, email=user.email, retry_url=reverse("account"))
    if services.request_verification(user=user):
        messages.success(request, _("We’ve sent you a new link. Check your inbox."))
    else:
        messages.info(request, _("Your e-mail address is already confirmed."))
    return redirect("account")


@method_decorator(never_cache, name="dispatch")
class VerifyEmailView(TemplateView):
    """Confirm an address by a button, because mail scanners follow links but press no buttons."""

    template_name = "users/verify_email.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        person = read_token(self.kwargs["token"])
        return super().get_context_data(**kwargs) | {"person": person}

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        verify_email(token=token, now=clock.now())
        messages.success(request, _("Thank you. Your e-mail address is confirmed."))
        return redirect("account" if request.user.is_authenticated else "login")

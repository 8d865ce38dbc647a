"""Pages of a sign-in through a provider: going there, coming back, connecting, disconnecting, signing out."""

from __future__ import annotations

import logging
from typing import cast
from urllib.parse import urljoin

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, logout
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from social_core.exceptions import SocialAuthBaseException
from social_django.utils import load_strategy

from mitxonline.kernel import clock
from mitxonline.kernel.shop import current_shop
from mitxonline.kernel.trace import trace_id
from mitxonline.users.connect_by_mail import connect_pending, find_pending, keep_pending, read_link, send_link
from mitxonline.users.limits import count_mail, count_provider_redirect
from mitxonline.users.models import ProviderSession, User
from mitxonline.users.next_page import next_page, safe_page, with_next
from mitxonline.users.sso import connections
from mitxonline.users.sso.backend import Errand, ProviderBackend
from mitxonline.users.sso.errors import LastWayIn, NeedsConnecting, SignInRefused, SignInStale
from mitxonline.users.sso.failures import refusal_of
from mitxonline.users.sso.keycloak import AnotherIssuer, KeycloakBackend
from mitxonline.users.sso.logout_token import read_logout_token
from mitxonline.users.sso.pipeline import add_change_messages
from mitxonline.users.sso.providers import KEYCLOAK, Provider, find_provider
from mitxonline.users.sso.rights import rights_end_at
from mitxonline.users.sso.sessions import end_sessions, find_provider_session, remember_session
from mitxonline.users.sso.tokens import TokenRefused

logger = logging.getLogger(__name__)

_AFTER_LOGOUT = "users.next_after_logout"


@never_cache
@require_POST
def begin(request: HttpRequest, provider_name: str) -> HttpResponse:
    """Send the visitor to the provider. By POST with our token, so that no other site can begin a sign-in."""
    provider = _provider_or_404(provider_name)
    connects = request.user.pk if "connect" in request.POST and request.user.is_authenticated else None
    return redirect_to_provider(request, provider, Errand(next_page(request), connects))


def redirect_to_provider(request: HttpRequest, provider: Provider, errand: Errand) -> HttpResponse:
    """Redirect to the provider, or show why that isn't possible."""
    count_provider_redirect(request)
    backend = _load_backend(request, provider)
    backend.errand = errand
    try:
        response: HttpResponse = backend.start()
    except SocialAuthBaseException as error:
        return _render_failure(request, provider, error, errand)
    return response


@never_cache
@require_GET
def complete(request: HttpRequest, provider_name: str) -> HttpResponse:
    """Sign in a visitor who is back from the provider, or say in a sentence why not."""
    provider = _provider_or_404(provider_name)
    backend = _load_backend(request, provider)
    errand = backend.pending_errand()
    try:
        user = cast("User", backend.complete(request=request))
    except (SocialAuthBaseException, SignInRefused) as error:
        if isinstance(error, NeedsConnecting):
            keep_pending(
                request,
                identity=backend.signed_in_as,
                provider=provider,
                next_page=errand.next_page,
                now=clock.now(),
            )
        refusal = error if isinstance(error, SignInRefused) else refusal_of(error, provider.title)
        if request.user.is_authenticated and isinstance(refusal, SignInStale):
            return redirect(settings.LOGIN_REDIRECT_URL)  # The person went back in the browser, or reloaded.
        return _render_failure(request, provider, error, errand)
    # Django keeps what the session held, unless it was another person's.
    login(request, user)
    # A moment and not a number of seconds, which Django would count from every write of the session.
    request.session.set_expiry(rights_end_at(user))
    remember_session(
        request,
        user=user,
        identity=backend.signed_in_as,
        sid=backend.sid,
        id_token=backend.raw_id_token,
        now=clock.now(),
    )
    page = safe_page(request, backend.errand.next_page)
    if backend.errand.connects is not None:
        page = page or reverse("account")
    return HttpResponseRedirect(page or resolve_url(settings.LOGIN_REDIRECT_URL))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def ask_for_link(request: HttpRequest) -> HttpResponse:
    """Mail the link that connects an account that has rights."""
    pending = find_pending(request, now=clock.now())
    if pending is None:
        return redirect("login")
    if request.method == "POST":
        count_mail(request, email=pending.identity.email, retry_url=reverse("sso_connect"))
        send_link(request, pending)
        return redirect("sso_connect")
    return render(request, "users/connect_mailed.html", {"pending": pending})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def connect_by_link(request: HttpRequest, token: str) -> HttpResponse:
    """Connect on POST, because mail scanners follow links but press no buttons. Then sign in through the provider."""
    now = clock.now()
    pending, user = read_link(request, token, now=now)
    if request.method != "POST":
        return render(request, "users/connect.html", {"pending": pending, "person": user})
    errand = Errand(safe_page(request, pending.next_page))
    try:
        match = connect_pending(request, pending, user, now=now)
    except SignInRefused as error:
        return _render_failure(request, pending.provider, error, errand)
    add_change_messages(request, match, pending.provider.title)
    return redirect_to_provider(request, pending.provider, errand)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def disconnect(request: HttpRequest, connection_id: int) -> HttpResponse:
    """Show what goes with a connection. On POST undo it."""
    user = cast("User", request.user)
    try:
        if request.method != "POST":
            plan = connections.plan_disconnect(user=user, connection_id=connection_id)
            return render(request, "users/disconnect.html", {"plan": plan}) if plan else redirect("account")
        had_rights = connections.disconnect(
            user=user, connection_id=connection_id, now=clock.now(), session_key=request.session.session_key
        )
    except LastWayIn as refusal:
        messages.error(request, str(refusal))
    else:
        sentence = _("It is disconnected.")
        if had_rights:
            sentence = _("It is disconnected. The rights that came with it are gone.")
        messages.success(request, sentence)
    return redirect("account")


@never_cache
@csrf_exempt  # The caller is a server, which proves itself by its signature.
@require_POST
def backchannel_logout(request: HttpRequest, provider_name: str) -> HttpResponse:
    """End the sessions here that belong to a session that the provider has ended."""
    if provider_name != KEYCLOAK:
        raise Http404
    backend = cast("KeycloakBackend", _load_backend(request, _provider_or_404(provider_name)))
    try:
        notice = read_logout_token(backend, request.POST.get("logout_token", ""))
    except TokenRefused as refusal:
        logger.warning("logout notice refused", extra={"provider": provider_name, "reason": str(refusal)})
        return _refuse_notice(400, str(refusal))
    except SocialAuthBaseException as error:
        logger.warning("logout notice not checked", extra={"provider": provider_name, "reason": error.code})
        return _refuse_notice(503, "the keys of the provider could not be fetched")
    ended = end_sessions(notice)
    if ended is None:
        return _refuse_notice(400, "this token was acted on before")
    logger.info("sessions ended by the provider", extra={"provider": provider_name, "sessions": ended})
    return HttpResponse(status=200)


def log_out_everywhere(request: HttpRequest, page: str) -> HttpResponse:
    """Sign out here and at the provider where the session began. `page` is where to go in the end."""
    return end_session(request, find_provider_session(request), page)


def end_session(request: HttpRequest, row: ProviderSession | None, page: str) -> HttpResponse:
    """Sign out as `log_out_everywhere` does, of a provider's session that may be forgotten here already."""
    provider = find_provider(row.provider) if row else None
    # Here first, so that a provider that is away keeps no one signed in.
    logout(request)
    logout_url = ""
    if row is not None and provider is not None:
        back_to = urljoin(f"{current_shop().base_url}/", reverse("logged_out").lstrip("/"))
        logout_url = _load_backend(request, provider).logout_url(id_token=row.id_token, back_to=back_to)
    if not logout_url:
        return redirect(page or settings.LOGOUT_REDIRECT_URL)
    if page:
        request.session[_AFTER_LOGOUT] = page
    return HttpResponseRedirect(logout_url)


@never_cache
@require_GET
def logged_out(request: HttpRequest) -> HttpResponse:
    """Receive a visitor who is back from signing out at the provider."""
    page = safe_page(request, request.session.pop(_AFTER_LOGOUT, ""))
    return redirect(page or settings.LOGOUT_REDIRECT_URL)


def _load_backend(request: HttpRequest, provider: Provider) -> ProviderBackend:
    # Back to the public address of the site, whichever host the visitor used.
    redirect_uri = f"{current_shop().base_url}{reverse('sso_complete', args=[provider.name])}"
    strategy = load_strategy(request)  # type: ignore[no-untyped-call]
    return cast("ProviderBackend", strategy.get_backend(provider.name, redirect_uri=redirect_uri))


def _provider_or_404(name: str) -> Provider:
    provider = find_provider(name)
    if provider is None:
        raise Http404
    return provider


def _render_failure(
    request: HttpRequest, provider: Provider, error: SocialAuthBaseException | SignInRefused, errand: Errand
) -> HttpResponse:
    refusal = error if isinstance(error, SignInRefused) else refusal_of(error, provider.title)
    page = safe_page(request, errand.next_page)
    _log_failure(provider, error, refusal)
    names = {"provider": provider.title, "trace": trace_id()}
    context = {
        "refusal": refusal,
        "subject": _("Signing in through %(provider)s doesn’t work (%(trace)s)") % names,
        "provider": provider,
        "next_page": page,
        "connects": errand.connects is not None,
        "login_url": with_next(reverse("login"), page) if settings.LOCAL_ACCOUNTS else "",
    }
    return render(request, "users/sign_in_failed.html", context, status=refusal.status)


def _log_failure(provider: Provider, error: SocialAuthBaseException | SignInRefused, refusal: SignInRefused) -> None:
    details: dict[str, str] = {}
    is_forgeable = False
    if isinstance(error, SocialAuthBaseException):
        # social-core's own words for the reason, which name no one; never the provider's.
        details = {
            "reason": error.code,
            "stage": error.stage,
            "claim": error.claim or "",
            "setting": error.parameter or "",
        }
        # Anyone can make an address that comes back with an error, so those alert no one.
        is_forgeable = error.stage == "callback"
    level = logging.INFO if is_forgeable or not refusal.is_ours else logging.ERROR
    if isinstance(error, AnotherIssuer):
        details |= {"came": error.came, "expected": error.expected}
        # A provider set up with another host name answers this to everyone, so it isn't lost among the others.
        if is_forgeable and refusal.is_ours:
            level = logging.WARNING
    logger.log(level, "sign-in failed", extra={"provider": provider.name, "failure": refusal.code, **details})


def _refuse_notice(status: int, sentence: str) -> HttpResponse:
    return JsonResponse({"error": "invalid_request", "error_description": sentence}, status=status)

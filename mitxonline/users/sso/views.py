"""Going to a provider, coming back, and what the provider has to say about sessions that ended."""

from __future__ import annotations

import logging
from typing import Any, Protocol, cast
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
from mitxonline.kernel.trace import trace_id
from mitxonline.users.limits import count_mail, count_provider_redirect
from mitxonline.users.models import User
from mitxonline.users.next_page import next_page, safe_page, with_next
from mitxonline.users.sso import linking
from mitxonline.users.sso.by_mail import connect, keep_waiting, read_link, send_link, waiting_in
from mitxonline.users.sso.claims import Identity
from mitxonline.users.sso.errand import Errand
from mitxonline.users.sso.errors import LastWayIn, NeedsConnecting, SignInRefused
from mitxonline.users.sso.failures import Failure, ends_here, failure_of
from mitxonline.users.sso.keycloak import AnotherIssuer, KeycloakBackend
from mitxonline.users.sso.logout_token import TokenRefused, read_logout_token
from mitxonline.users.sso.pipeline import tell
from mitxonline.users.sso.providers import KEYCLOAK, Provider, find_provider
from mitxonline.users.sso.rights import rights_end_at
from mitxonline.users.sso.sessions import end_sessions, provider_session, remember_session

logger = logging.getLogger(__name__)

_AFTER_LOGOUT = "users.next_after_logout"


class Backend(Protocol):
    """What both backends can."""

    errand: Errand
    signed_in_as: Identity
    sid: str
    raw_id_token: str

    def start(self) -> HttpResponse: ...
    def complete(self, *args: Any, **kwargs: Any) -> Any: ...
    def pending_errand(self) -> Errand: ...
    def logout_url(self, *, id_token: str, back_to: str) -> str: ...


@never_cache
@require_POST
def begin(request: HttpRequest, backend: str) -> HttpResponse:
    """Send the visitor to the provider. A form with a token of ours, so that no other site can."""
    provider = _provider(backend)
    connects = request.user.pk if "connect" in request.POST and request.user.is_authenticated else None
    return start(request, provider, Errand(next_page(request), connects))


def start(request: HttpRequest, provider: Provider, errand: Errand) -> HttpResponse:
    """The redirect to the provider, or the page that says why there is none."""
    count_provider_redirect(request)
    engine = load_engine(request, provider)
    engine.errand = errand
    try:
        return engine.start()
    except SocialAuthBaseException as error:
        return _failure_page(request, provider, error, errand)


@never_cache
@require_GET
def complete(request: HttpRequest, backend: str) -> HttpResponse:
    """The visitor is back from the provider: sign them in, or say in a sentence why not."""
    provider = _provider(backend)
    engine = load_engine(request, provider)
    errand = engine.pending_errand()
    try:
        user = engine.complete(request=request)
    except (SocialAuthBaseException, SignInRefused) as error:
        if isinstance(error, NeedsConnecting):
            keep_waiting(
                request,
                identity=engine.signed_in_as,
                provider=provider,
                next_page=errand.next_page,
                now=clock.now(),
            )
        if request.user.is_authenticated and ends_here(failure_of(error)):
            return redirect(settings.LOGIN_REDIRECT_URL)  # gone back in the browser, or reloaded
        return _failure_page(request, provider, error, errand)
    _let_in(request, engine, user)
    page = safe_page(request, engine.errand.next_page)
    if engine.errand.connects is not None:
        page = page or reverse("account")
    return HttpResponseRedirect(page or resolve_url(settings.LOGIN_REDIRECT_URL))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def ask_for_link(request: HttpRequest) -> HttpResponse:
    """Mail the link that connects an account that has rights, and say where to look for it."""
    waiting = waiting_in(request, now=clock.now())
    if waiting is None:
        return redirect("login")
    if request.method == "POST":
        count_mail(request, email=waiting.identity.email, retry_url=reverse("sso_connect"))
        send_link(request, waiting)
        return redirect("sso_connect")
    return render(request, "users/connect_mailed.html", {"waiting": waiting})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def connect_by_link(request: HttpRequest, token: str) -> HttpResponse:
    """Connect on POST: mail scanners follow links and press no buttons. Then sign in through the provider as always."""
    now = clock.now()
    waiting, user = read_link(request, token, now=now)
    if request.method != "POST":
        return render(request, "users/connect.html", {"waiting": waiting, "person": user})
    errand = Errand(safe_page(request, waiting.next_page))
    try:
        known = connect(request, waiting, user, now=now)
    except SignInRefused as error:
        return _failure_page(request, waiting.provider, error, errand)
    tell(request, known, waiting.provider.title)
    return start(request, waiting.provider, errand)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def disconnect(request: HttpRequest, connection_id: int) -> HttpResponse:
    """Say what goes with a connection; on POST undo it."""
    try:
        if request.method != "POST":
            plan = linking.plan_disconnect(user=cast("User", request.user), connection_id=connection_id)
            return render(request, "users/disconnect.html", {"plan": plan}) if plan else redirect("account")
        had_rights = linking.disconnect(
            user=cast("User", request.user),
            connection_id=connection_id,
            now=clock.now(),
            session_key=request.session.session_key,
        )
    except LastWayIn as refusal:
        messages.error(request, refusal.message)
    else:
        said = (
            _("It is disconnected. The rights that came with it are gone.") if had_rights else _("It is disconnected.")
        )
        messages.success(request, said)
    return redirect("account")


@never_cache
@csrf_exempt  # a server asks, and proves itself by its signature
@require_POST
def backchannel_logout(request: HttpRequest, backend: str) -> HttpResponse:
    """End the sessions of ours that belong to a session the provider has ended."""
    if backend != KEYCLOAK:
        raise Http404
    engine = cast("KeycloakBackend", load_engine(request, _provider(backend)))
    try:
        notice = read_logout_token(engine, request.POST.get("logout_token", ""))
    except TokenRefused as refusal:
        logger.warning("logout notice refused", extra={"provider": backend, "reason": str(refusal)})
        return _notice_answer(400, str(refusal))
    except SocialAuthBaseException as error:
        logger.warning("logout notice not checked", extra={"provider": backend, "reason": error.code})
        return _notice_answer(503, "the keys of the provider could not be fetched")
    ended = end_sessions(notice)
    if ended is None:
        return _notice_answer(400, "this token was acted on before")
    logger.info("sessions ended by the provider", extra={"provider": backend, "sessions": ended})
    return HttpResponse(status=200)


def log_out_everywhere(request: HttpRequest, page: str) -> HttpResponse:
    """Sign out here, and where the session began at a provider also there; `page` is where to go in the end.

    Here first: a provider that is away keeps no one signed in.
    """
    row = provider_session(request)
    provider = find_provider(row.provider) if row else None
    logout(request)
    away = ""
    if row is not None and provider is not None:
        back_to = urljoin(f"{settings.SITE_BASE_URL}/", reverse("logged_out").lstrip("/"))
        away = load_engine(request, provider).logout_url(id_token=row.id_token, back_to=back_to)
    if not away:
        return redirect(page or settings.LOGOUT_REDIRECT_URL)
    if page:
        request.session[_AFTER_LOGOUT] = page
    return HttpResponseRedirect(away)


@never_cache
@require_GET
def logged_out(request: HttpRequest) -> HttpResponse:
    """Back from signing out at the provider."""
    page = safe_page(request, request.session.pop(_AFTER_LOGOUT, ""))
    return redirect(page or settings.LOGOUT_REDIRECT_URL)


def load_engine(request: HttpRequest, provider: Provider) -> Backend:
    """The backend, told the public address to come back to; the one the visitor happened to use is not asked."""
    back = f"{settings.SITE_BASE_URL}{reverse('sso_complete', args=[provider.name])}"
    strategy = load_strategy(request)  # type: ignore[no-untyped-call]
    return cast("Backend", strategy.get_backend(provider.name, redirect_uri=back))


def _provider(name: str) -> Provider:
    provider = find_provider(name)
    if provider is None:
        raise Http404
    return provider


def _let_in(request: HttpRequest, engine: Backend, user: Any) -> None:
    """Sign the person in; Django keeps what the session held, unless it was another person's."""
    login(request, user)
    # A moment, not a number of seconds: Django counts those anew whenever the session is written.
    request.session.set_expiry(rights_end_at(user))
    remember_session(
        request,
        user=user,
        identity=engine.signed_in_as,
        sid=engine.sid,
        id_token=engine.raw_id_token,
        now=clock.now(),
    )


def _failure_page(
    request: HttpRequest, provider: Provider, error: SocialAuthBaseException | SignInRefused, errand: Errand
) -> HttpResponse:
    failure = failure_of(error)
    names = {"provider": provider.title}
    page = safe_page(request, errand.next_page)
    logger.log(
        _level(error, failure),
        "sign-in failed",
        extra={"provider": provider.name, "failure": failure.code, **_details(error)},
    )
    context = {
        "failure": failure,
        "heading": str(failure.heading) % names,
        "sentence": str(failure.sentence) % names if not isinstance(error, SignInRefused) else failure.sentence,
        "subject": _("Signing in through %(provider)s doesn’t work (%(trace)s)") % (names | {"trace": trace_id()}),
        "provider": provider,
        "next_page": page,
        "connects": errand.connects is not None,
        "login_url": with_next(reverse("login"), page) if settings.LOCAL_ACCOUNTS else "",
    }
    return render(request, "users/sign_in_failed.html", context, status=failure.status)


def _level(error: SocialAuthBaseException | SignInRefused, failure: Failure) -> int:
    """How loudly to log it.

    Errors the address itself names are in the hands of whoever made the address: those wake no one up. Another issuer
    does get said, as a warning: it is what a provider that is set up with another hostname answers to everyone.
    """
    if not failure.is_ours:
        return logging.INFO
    if isinstance(error, SignInRefused) or error.stage != "callback":
        return logging.ERROR
    return logging.WARNING if isinstance(error, AnotherIssuer) else logging.INFO


def _details(error: SocialAuthBaseException | SignInRefused) -> dict[str, str]:
    """What helps an operator and names no one: social-core's own words for the reason, not the provider's.

    Of another issuer also what came, cut to one printable line, and what was expected.
    """
    if isinstance(error, SignInRefused):
        return {}
    known = {"reason": error.code, "stage": error.stage, "claim": error.claim or "", "setting": error.parameter or ""}
    return {**known, "came": error.came, "expected": error.expected} if isinstance(error, AnotherIssuer) else known


def _notice_answer(status: int, sentence: str) -> HttpResponse:
    return JsonResponse({"error": "invalid_request", "error_description": sentence}, status=status)

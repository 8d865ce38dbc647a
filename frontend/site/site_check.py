"""What `check_site` finds: whether everything that a site needs is there, and what to do where it isn't."""

from __future__ import annotations

import smtplib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from secrets import token_hex
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import requests
from celery import current_app
from django.conf import settings
from django.core.cache import cache as django_cache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.mail import get_connection
from django.db import DatabaseError
from django.http.request import validate_host
from django.urls import reverse
from django.utils.translation import gettext as _
from kombu.exceptions import KombuError
from wagtail.models import Site

from courses.gateways.openedx.diagnosis import check_course_site
from courses.models import Course
from ecommerce.gateways.accounts import accounts_of
from ecommerce.gateways.base import OUR_KEY, PaymentFailed, PaymentGateway
from ecommerce.gateways.labels import gateway_name
from ecommerce.gateways.registry import describe_unusable, offered_gateways
from ecommerce.models import ShopSettings
from ecommerce.models.shop_settings import CLIENTS
from ecommerce.models.shop_values import is_development, is_readable
from frontend.site.here import ask, is_proof
from mitxonline.coordinator.metrics import find_beat_age
from mitxonline.health import broker_works
from mitxonline.kernel.hosts import is_placeholder
from mitxonline.kernel.remote import RemoteSession, own_patience
from mitxonline.kernel.shop import Shop, current_shop, default_shop, shop_of_site, use_shop_of_host
from mitxonline.users.sso.diagnosis import diagnose
from mitxonline.users.sso.findings import ProviderReport, SetupFinding, State

WORKER_SECONDS = 2.0  # for all workers to answer
# How the parts of a finding are called in JSON.
ROW = ("site", "system", "subject", "state", "sentence")

Findings: TypeAlias = Iterator[SetupFinding]


@dataclass(frozen=True, slots=True)
class SiteFinding:
    """A finding about one site, or about the installation (no site)."""

    site: str
    finding: SetupFinding

    @property
    def needs_fixing(self) -> bool:
        return self.finding.state is State.MISSING

    def to_row(self) -> dict[str, str]:
        """Return what programs read, by the names of ROW."""
        each = self.finding
        return dict(zip(ROW, (self.site, each.provider, each.subject, each.state.value, each.sentence), strict=True))

    @classmethod
    def from_row(cls, row: Mapping[str, str]) -> SiteFinding:
        site, provider, subject, state, sentence = (row[name] for name in ROW)
        return cls(site, SetupFinding(provider, subject, State(state), sentence))


def check_sites(site_ids: Iterable[int], *, now: datetime, seconds: float) -> list[SiteFinding]:
    """Check these sites, and what they share. Each system has so many seconds to answer. Changes nothing."""
    found = []
    for site_id in site_ids:
        shop = shop_of_site(site_id)
        with use_shop_of_host(shop.hostname, port=shop.port):
            for check in SITE_CHECKS:
                found += [SiteFinding(shop.hostname, each) for each in _patiently(check, shop, now, seconds)]
    for check in SHARED_CHECKS:
        found += [SiteFinding("", each) for each in _patiently(check, current_shop(), now, seconds)]
    return found


def all_site_ids() -> list[int]:
    return list(Site.objects.order_by("-is_default_site", "pk").values_list("pk", flat=True))


def _patiently(check: Callable[[Shop, datetime], Findings], shop: Shop, now: datetime, seconds: float) -> Findings:
    with own_patience(seconds):
        yield from check(shop, now)


def _check_values(shop: Shop, now: datetime) -> Findings:
    report = ProviderReport("values")
    named = {
        "SITE_BASE_URL": shop.base_url,
        "sender": shop.sender,
        "course site": shop.lms_url,
        "course site for browsers": shop.lms_public_url,
        "sign-in": shop.sign_in_url,
        "support e-mail": shop.support_email,
        "cookie domain": shop.cookie_domain,
    }
    problems = False
    for name, value in named.items():
        if value and is_placeholder(value, in_development=is_development()):
            problems = True
            yield report.missing(
                name, _("%(value)s is a placeholder from a document. Replace it with your own.") % {"value": value}
            )
        elif not is_development() and value.startswith("http://"):
            problems = True
            yield report.missing(
                name, _("%(value)s isn’t https, which this site promises. Write it with https://.") % {"value": value}
            )
    for sentence in describe_unusable(shop.payment_processors):
        problems = True
        yield report.missing("payment processors", sentence)
    for secret in _find_unreadable(shop):
        problems = True
        yield report.missing(
            secret,
            _("It was encrypted with another SECRET_KEY. Enter it again, or put that key in SECRET_KEY_FALLBACKS."),
        )
    if not problems:
        yield report.fine("placeholders", _("No address is a placeholder, and none is http where https is promised."))


def _find_unreadable(shop: Shop) -> list[str]:
    row = ShopSettings.objects.filter(site_id=shop.site_id).first()
    return [name for name in CLIENTS.values() if row is not None and not is_readable(getattr(row, name))]


def _check_address(shop: Shop, now: datetime) -> Findings:
    report = ProviderReport("address")
    host = shop.hostname
    if not validate_host(host, settings.ALLOWED_HOSTS):
        yield report.missing(
            "host", _("%(host)s isn’t in ALLOWED_HOSTS, so it isn’t served. Add it and start again.") % {"host": host}
        )
    own = urlsplit(shop.base_url).hostname or ""
    if own != host:
        yield report.missing(
            "host",
            _("The site’s host is %(host)s, but links in e-mails lead to %(own)s. Make SITE_BASE_URL and both agree.")
            % {"host": host, "own": own},
        )
    for name, domain in (("cookie domain", shop.cookie_domain), ("SESSION_COOKIE_DOMAIN", _session_domain())):
        if domain and host != domain and not host.endswith(f".{domain}"):
            yield report.missing(
                name,
                _("%(host)s isn’t below %(domain)s, so browsers drop its cookies. Write a domain that ends the host.")
                % {"host": host, "domain": domain},
            )
    if not is_development() and not settings.SESSION_COOKIE_SECURE:
        yield report.missing("cookies", _("SESSION_COOKIE_SECURE is off. Leave it out: it is on in production."))
    yield _check_leads_here(report, shop)


def _session_domain() -> str:
    return (settings.SESSION_COOKIE_DOMAIN or "").removeprefix(".")


def _check_leads_here(report: ProviderReport, shop: Shop) -> SetupFinding:
    question = ask()
    url = f"{shop.base_url}{reverse('site-here')}"
    answer = _get(url, {"question": question})
    if answer is None:
        return report.missing(
            "public address",
            _(
                "%(url)s doesn’t answer. Is the web process running, does the proxy pass to its port (PORT), and "
                "does the name lead to this machine?"
            )
            % {"url": shop.base_url},
        )
    try:
        seen = answer.json() if answer.ok else {}
    except ValueError:
        seen = {}
    if not isinstance(seen, dict) or not is_proof(seen.get("proof"), question):
        return report.missing("public address", _explain_other(shop, answer))
    return _check_proxies(report, shop, seen)


def _explain_other(shop: Shop, answer: requests.Response) -> str:
    where = answer.headers.get("Location", "")
    if answer.is_redirect and where.startswith(shop.base_url):
        return _(
            "%(url)s sends visitors in circles: a proxy ends TLS, but TRUSTED_PROXY_COUNT (%(trusted)d) or its "
            "X-Forwarded-Proto doesn’t say so. Set both."
        ) % {"url": shop.base_url, "trusted": settings.TRUSTED_PROXY_COUNT}
    if answer.is_redirect:
        return _("%(url)s leads to %(where)s. Make that this site’s address, or end the redirect.") % {
            "url": shop.base_url,
            "where": where,
        }
    if answer.status_code == requests.codes.bad_request:
        return _("%(url)s answers “bad request”: add its host to ALLOWED_HOSTS and start the processes again.") % {
            "url": shop.base_url
        }
    return _(
        "%(url)s answers with status %(status)d, and not from this installation. Compare the proxy’s port "
        "with PORT, the name’s address with this machine’s, and SECRET_KEY of all processes."
    ) % {"url": shop.base_url, "status": answer.status_code}


def _check_proxies(report: ProviderReport, shop: Shop, seen: dict[str, Any]) -> SetupFinding:
    count, trusted = seen.get("proxies"), settings.TRUSTED_PROXY_COUNT
    if count != trusted:
        return report.missing(
            "proxies",
            _(
                "Proxies on the way here: %(count)s, but TRUSTED_PROXY_COUNT is %(trusted)s, so limits count the "
                "wrong addresses. Set TRUSTED_PROXY_COUNT=%(count)s."
            )
            % {"count": count, "trusted": trusted},
        )
    if shop.base_url.startswith("https://") and not seen.get("is_secure"):
        return report.missing(
            "proxies",
            _("Requests come by https and look like http here. Have the proxy send X-Forwarded-Proto: https."),
        )
    if seen.get("host", "").partition(":")[0] != (urlsplit(shop.base_url).hostname or ""):
        return report.missing(
            "proxies", _("The proxy changes the host to %(host)s. Have it pass Host on.") % {"host": seen.get("host")}
        )
    return report.fine(
        "public address",
        _("%(url)s leads here. Proxies on the way: %(count)s.") % {"url": shop.base_url, "count": count},
    )


def _check_course_site(shop: Shop, now: datetime) -> Findings:
    yield from check_course_site(shop, now=now)
    own, default = shop.lms_url, default_shop().lms_url
    if own != default and Course.objects.filter(site=None, live=True).exists():
        yield ProviderReport("course site").missing(
            "enrollments",
            _(
                "Some courses are on all sites. Who buys one here is enrolled at %(default)s, the default site’s, and "
                "not at %(own)s. Set the site of those that are at %(own)s."
            )
            % {"default": default or _("no course site"), "own": own},
        )


def _check_sign_in(shop: Shop, now: datetime) -> Findings:
    yield from diagnose(now=now)


def _check_gateways(shop: Shop, now: datetime) -> Findings:
    offered = offered_gateways()
    if not offered:
        yield ProviderReport("payment").missing(
            "gateways",
            _("No payment gateway is set up: only free courses can be bought. docs/payments.md explains it."),
        )
    for gateway in offered.values():
        host = shop.hostname
        yield _check_account(gateway, gateway.account_for(host))


def _check_account(gateway: PaymentGateway, account: str) -> SetupFinding:
    report = ProviderReport(gateway.name)
    named = {"gateway": gateway_name(gateway.name)}
    with suppress(AttributeError):
        if not accounts_of(gateway.name):
            return report.missing(
                "account",
                _("%(gateway)s has no keys. docs/payments.md says which it needs.") % named,
            )
    try:
        gateway.refunds_of(MADE_UP, account)
    except PaymentFailed as failure:
        if failure.code in OUR_KEY:
            return report.missing(
                "account",
                _("%(gateway)s refuses our key. Copy it again from its dashboard.") % named,
            )
        if failure.retriable:
            return report.missing(
                "account",
                _("%(gateway)s doesn’t answer. Try again; look at its status page.") % named,
            )
    return report.fine("account", _("%(gateway)s answers, and knows our key.") % named)


# A payment that no gateway has. Asking for its refunds shows whether our key works, and changes nothing.
MADE_UP = "pi_made_up_by_check_site"


def _check_mail(shop: Shop, now: datetime) -> Findings:
    report = ProviderReport("mail")
    backend = get_connection()
    try:
        backend.open()
        backend.close()
    except smtplib.SMTPAuthenticationError:
        yield report.missing("server", _("The mail server refuses user or password. Correct EMAIL_URL."))
    except (OSError, smtplib.SMTPException):
        yield report.missing(
            "server",
            _("%(host)s doesn’t take mail. Check EMAIL_URL: host, port and smtp+tls or smtp+ssl.")
            % {"host": settings.EMAIL_HOST},
        )
    else:
        sent_nowhere = not settings.EMAIL_BACKEND.endswith("PatientEmailBackend")
        sentence = _("E-mails are sent to no one. Set EMAIL_URL to your mail server.")
        if sent_nowhere and is_development():
            yield report.unknown("server", sentence)
        elif sent_nowhere:
            yield report.missing("server", sentence)
        else:
            yield report.fine("server", _("E-mails leave, from %(sender)s.") % {"sender": shop.sender})


def _check_stores(shop: Shop, now: datetime) -> Findings:
    yield _check_cache(ProviderReport("cache"))
    yield _check_storage(ProviderReport("files"))


def _check_cache(report: ProviderReport) -> SetupFinding:
    key, value = f"check_site:{token_hex(8)}", token_hex(8)
    django_cache.set(key, value, 30)
    kept = django_cache.get(key)
    django_cache.delete(key)
    if kept == value:
        return report.fine("cache", _("It keeps what it is given."))
    return report.missing("cache", _("Redis doesn’t keep what it is given. Check REDIS_URL, and its memory."))


def _check_storage(report: ProviderReport) -> SetupFinding:
    name, content = f"check_site-{token_hex(8)}.txt", token_hex(16).encode()
    try:
        stored = default_storage.save(name, ContentFile(content))
        try:
            with default_storage.open(stored) as file:
                read = file.read()
        finally:
            default_storage.delete(stored)
    except Exception as error:  # noqa: BLE001 - whatever a storage raises
        kind = type(error).__name__
        return report.missing(
            "storage",
            _("Files can’t be written (%(kind)s). Check MEDIA_ROOT, its owner and space, or the bucket and its key.")
            % {"kind": kind},
        )
    if read != content:
        return report.missing("storage", _("A file isn’t read as it was written. Do all processes see one MEDIA_ROOT?"))
    return report.fine("storage", _("Files can be written and read."))


def _check_processes(shop: Shop, now: datetime) -> Findings:
    report = ProviderReport("background")
    if not broker_works():
        yield report.missing("broker", _("The broker doesn’t answer. Check CELERY_BROKER_URL, and that it runs."))
        return
    yield report.fine("broker", _("The broker takes tasks."))
    yield _check_workers(report)
    yield _check_beat(report, now)


def _check_workers(report: ProviderReport) -> SetupFinding:
    try:
        queues = current_app.control.inspect(timeout=WORKER_SECONDS).active_queues() or {}
    except (OSError, KombuError):
        queues = {}
    if not queues:
        return report.missing("worker", _("No worker answers, so no e-mail leaves. Start the worker of the Procfile."))
    served = {queue["name"] for each in queues.values() for queue in each}
    wanted = {settings.CELERY_TASK_DEFAULT_QUEUE, settings.REMOTE_QUEUE}
    if lacking := sorted(wanted - served):
        return report.missing(
            "worker", _("No worker reads %(names)s. Start the Procfile’s that does.") % {"names": ", ".join(lacking)}
        )
    return report.fine("worker", _("Workers that answer: %(n)s. They read all queues.") % {"n": len(queues)})


def _check_beat(report: ProviderReport, now: datetime) -> SetupFinding:
    try:
        age = find_beat_age(now=now)
    except DatabaseError:
        return report.missing("beat", _("The database lacks tables. Run migrate."))
    if age is None or age > settings.READY_BEAT_SECONDS:
        last = (
            _("The schedule has never run")
            if age is None
            else _("The schedule last ran %(n)d minutes ago") % {"n": round(age / 60)}
        )
        return report.missing(
            "beat", _("%(last)s, so nothing that was missed is caught up. Start one beat process.") % {"last": last}
        )
    return report.fine("beat", _("The schedule runs."))


def _get(url: str, params: dict[str, str]) -> requests.Response | None:
    try:
        return _session(urlsplit(url).netloc).request("GET", url, params=params, allow_redirects=False)
    except (requests.RequestException, ValueError):
        return None


@cache
def _session(host: str) -> RemoteSession:
    return RemoteSession(f"check_site/{host}")


SITE_CHECKS = (_check_values, _check_address, _check_course_site, _check_sign_in, _check_gateways, _check_mail)
SHARED_CHECKS = (_check_stores, _check_processes)

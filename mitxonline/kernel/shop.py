"""What the site of a request decides for its shop: accounts, addresses, sender, currencies.

`SHOPS` names the function of the app that stores it. What a site leaves open is as the environment says, so an
installation that stores nothing works as it is configured. The stored values are read once per process and
`SHOPS_KEPT_SECONDS`; saving them forgets what this process knows at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port
from django.utils.module_loading import import_string


@dataclass(frozen=True, slots=True)
class Shop:
    """The values of one site, the environment's where it stores none. ``site_id`` is None where there is no site.

    ``lms_url`` is the course site for servers, ``lms_public_url`` for browsers. ``payment_processors`` are names of
    gateways, the first one first; empty: all that are configured.
    """

    site_id: int | None
    hostname: str
    port: int
    base_url: str
    partner_name: str
    partner_code: str
    lms_url: str
    lms_public_url: str
    studio_url: str
    learning_url: str
    sign_in_url: str
    sign_in_public_url: str
    sso_client_id: str
    sso_client_secret: str = field(repr=False)
    backend_client_id: str
    backend_client_secret: str = field(repr=False)
    discovery_url: str
    payment_processors: tuple[str, ...]
    sender: str
    support_email: str
    support_url: str
    cookie_domain: str
    currencies: tuple[str, ...]
    order_number_prefix: str

    @property
    def currency(self) -> str:
        """The usual one, which forms offer first."""
        return self.currencies[0]

    @property
    def has_sign_in(self) -> bool:
        """Whether people can sign in with their account of the course site."""
        return bool(self.sign_in_url and self.sso_client_id and self.sso_client_secret)


@dataclass(frozen=True, slots=True)
class StoredShop:
    """What a site stores; empty is left to the environment. ``port`` is part of the site's address."""

    site_id: int
    hostname: str
    port: int = 443
    is_default: bool = False
    partner_name: str = ""
    partner_code: str = ""
    lms_url: str = ""
    lms_public_url: str = ""
    sso_client_id: str = ""
    sso_client_secret: str = field(default="", repr=False)
    backend_client_id: str = ""
    backend_client_secret: str = field(default="", repr=False)
    discovery_url: str = ""
    payment_processors: tuple[str, ...] = ()
    sender: str = ""
    support_email: str = ""
    support_url: str = ""
    cookie_domain: str = ""
    currencies: tuple[str, ...] = ()
    order_number_prefix: str = ""


Stored: TypeAlias = tuple[StoredShop, ...]

# Host and port of the request that is answered. Tasks and commands have none, and get the default site.
_host: ContextVar[tuple[str, int]] = ContextVar("shop_host", default=("", 0))
_kept: tuple[float, Stored] | None = None
_version = ""  # of the shared page that was drawn last
_forgotten = 0  # how often
_lock = threading.Lock()


def current_shop() -> Shop:
    """Return the shop of the request that is answered, else that of the default site. At most one query."""
    return _complete(_find(*_host.get()))


def default_shop() -> Shop:
    """Return the shop of tasks and commands, such as enrolling learners at the course site."""
    return _complete(_find("", 0))


def current_host() -> str:
    """Return the host of the request that is answered, without its port; empty where there is none."""
    return _host.get()[0]


def current_site_id() -> int | None:
    """Return the id of the site of the request that is answered, else of the default one; None where there is none."""
    stored = _find(*_host.get())
    return stored.site_id if stored is not None else None


def shop_of_site(site_id: int | None) -> Shop:
    """Return the shop of a site. One that stores nothing, or doesn't exist, has the environment's values."""
    return _complete(_find_of_site(site_id))


def all_shops() -> list[Shop]:
    """Return the shops of all sites."""
    return [_complete(stored) for stored in _find_stored()]


def has_several_sites() -> bool:
    """Whether there is anything to choose between."""
    return len(_find_stored()) > 1


@contextmanager
def use_shop_of_host(host: str, *, port: int = 0) -> Iterator[None]:
    """Make the shop of a host, such as shop.example:8000, the current one within the block.

    ``port`` is the one a request came to, which a proxy may have changed.
    """
    name, own_port = split_domain_port(host)
    token = _host.set((name, port or int(own_port or 0)))
    try:
        yield
    finally:
        _host.reset(token)


@contextmanager
def use_shop_of_site(site_id: int | None) -> Iterator[None]:
    """Make the shop of a site the current one within the block, such as that of an order; with None the default one."""
    stored = _find_of_site(site_id)
    token = _host.set((stored.hostname, stored.port) if stored is not None else ("", 0))
    try:
        yield
    finally:
        _host.reset(token)


def forget_shops() -> None:
    """Read the stored values again, because they have changed."""
    global _kept, _forgotten
    with _lock:
        _forgotten += 1
        if _kept is not None:
            _kept = 0.0, _kept[1]  # for when they can't be read


def forget_older_shops(version: str) -> None:
    """Read the stored values again if this version of what shared pages show is another one than the last.

    Such a page is kept for long, so it must not be drawn from what this process knew before a change elsewhere.
    """
    global _version
    if _version != version:
        forget_shops()
    _version = version


def remember_shops(stored: Stored, *, seconds: float) -> None:
    """Take these for the stored values for so long."""
    global _kept
    _kept = (time.monotonic() + seconds, stored)


def _find_stored() -> Stored:
    global _kept
    known = _kept
    if known is not None and time.monotonic() < known[0]:
        return known[1]
    load: Callable[[], Stored | None] = import_string(settings.SHOPS)
    before = _forgotten
    stored = load()
    if stored is None:  # The environment may name other accounts than the site, so what was known is the better guess.
        stored = known[1] if known is not None else ()
    with _lock:
        if before == _forgotten:  # else they may be from before the change
            _kept = (time.monotonic() + settings.SHOPS_KEPT_SECONDS, stored)
    return stored


def _find_of_site(site_id: int | None) -> StoredShop | None:
    return next((each for each in _find_stored() if each.site_id == site_id), None)


def _find(host: str, port: int) -> StoredShop | None:
    """Return the shop of the site whose pages Wagtail shows there: several sites may have one host, by their ports."""
    stored = _find_stored()
    of_host = [each for each in stored if each.hostname == host]
    exact = next((each for each in of_host if each.port == port), None)
    default = next((each for each in stored if each.is_default), None)
    return exact or (of_host[0] if len(of_host) == 1 and default not in of_host else default)


def _complete(stored: StoredShop | None) -> Shop:
    """Fill what a site leaves open. An id and its secret belong together, as do an address and its public twin.

    The environment's clients are for the environment's LMS alone.
    """
    own = stored or StoredShop(site_id=0, hostname="", is_default=True)
    sso, backend = (own.sso_client_id, own.sso_client_secret), (own.backend_client_id, own.backend_client_secret)
    if not own.sso_client_id and not _is_other(own, settings.SOCIAL_AUTH_EDX_OAUTH2_URL_ROOT):
        sso = _setting_pair(_SSO)
    if not own.backend_client_id and not _is_other(own, settings.OPENEDX_API_BASE_URL):
        backend = _setting_pair(_BACKEND)
    public = own.lms_public_url or own.lms_url
    return Shop(
        site_id=own.site_id or None,
        hostname=own.hostname or urlsplit(settings.SITE_BASE_URL).hostname or "",
        port=own.port,
        base_url=_base_url(own),
        partner_name=own.partner_name,
        partner_code=own.partner_code,
        lms_url=own.lms_url or settings.OPENEDX_API_BASE_URL,
        lms_public_url=public or settings.OPENEDX_BASE_REDIRECT_URL,
        studio_url=_of_same_lms(own, settings.OPENEDX_STUDIO_API_BASE_URL),
        learning_url=_of_same_lms(own, settings.OPENEDX_LEARNING_BASE_URL),
        sign_in_url=own.lms_url or settings.SOCIAL_AUTH_EDX_OAUTH2_URL_ROOT,
        sign_in_public_url=public or settings.SOCIAL_AUTH_EDX_OAUTH2_PUBLIC_URL_ROOT,
        sso_client_id=sso[0],
        sso_client_secret=sso[1],
        backend_client_id=backend[0],
        backend_client_secret=backend[1],
        discovery_url=own.discovery_url,
        payment_processors=own.payment_processors,
        sender=own.sender or settings.DEFAULT_FROM_EMAIL,
        support_email=own.support_email,
        support_url=own.support_url,
        cookie_domain=own.cookie_domain,
        currencies=own.currencies or tuple(settings.CURRENCIES),
        order_number_prefix=own.order_number_prefix or own.partner_code or settings.ORDER_NUMBER_PREFIX,
    )


_SSO = ("SOCIAL_AUTH_EDX_OAUTH2_KEY", "SOCIAL_AUTH_EDX_OAUTH2_SECRET")
_BACKEND = ("OPENEDX_COURSES_SERVICE_WORKER_CLIENT_ID", "OPENEDX_COURSES_SERVICE_WORKER_CLIENT_SECRET")


def _setting_pair(names: tuple[str, str]) -> tuple[str, str]:
    return getattr(settings, names[0]), getattr(settings, names[1])


def _of_same_lms(own: StoredShop, url: str) -> str:
    """A server beside the environment's LMS, unless the site has another LMS."""
    return "" if _is_other(own, settings.OPENEDX_API_BASE_URL) else url


def _is_other(own: StoredShop, lms_url: str) -> bool:
    """Whether the site stores another LMS than the environment has, whose clients and servers aren't that one's."""
    return bool(own.lms_url and lms_url and own.lms_url != lms_url)


def _base_url(own: StoredShop) -> str:
    """The default site's address is the environment's; another one has its host, and the same scheme."""
    if own.is_default:
        return str(settings.SITE_BASE_URL)
    scheme = urlsplit(settings.SITE_BASE_URL).scheme
    port = "" if own.port in (80, 443) else f":{own.port}"
    return f"{scheme}://{own.hostname}{port}"


def default_currency() -> str:
    return current_shop().currency

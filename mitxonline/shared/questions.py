"""What an anonymous visitor asks for, reduced to what the answer may depend on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import blake2b
from io import BytesIO
from typing import Any, cast
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.core.handlers.wsgi import WSGIRequest
from django.db import connection
from django.http import HttpRequest, QueryDict
from django.urls import Resolver404, resolve
from django.utils.translation import get_language_from_request

from mitxonline.kernel.http import wants_fragment
from mitxonline.shared.code import code_fingerprint
from mitxonline.shared.marks import may_be_shared

# All that a view learns of a visitor. The addresses are for the log.
_KEPT = frozenset(
    {
        "HTTP_X_FORWARDED_FOR",
        "HTTP_X_FORWARDED_PROTO",
        "PATH_INFO",
        "REMOTE_ADDR",
        "SCRIPT_NAME",
        "SERVER_NAME",
        "SERVER_PORT",
        "SERVER_PROTOCOL",
    }
)


@dataclass(frozen=True, slots=True)
class PageQuestion:
    """Two requests with the same question get the same answer."""

    scheme: str
    host: str
    server: str  # its port, by which Wagtail may find the site, and the prefix of its addresses
    path: str
    query: str
    language: str
    is_fragment: bool
    dismissed: str  # the announcement that was

    @property
    def key(self) -> str:
        return "\0".join(
            (
                self.scheme,
                self.host,
                self.server,
                self.path,
                self.query,
                self.language,
                "f" * self.is_fragment,
                self.dismissed,
            )
        )

    @property
    def digest(self) -> str:
        return blake2b(f"{code_fingerprint()}\0{self.key}".encode(), digest_size=16).hexdigest()

    @property
    def has_variants(self) -> bool:
        """Whether a visitor could make up any number of questions like this one."""
        return bool(self.query or self.dismissed) or self.host not in _own_hosts()  # any port is allowed

    def to_request(self, asked: HttpRequest) -> DrawnRequest:
        """A request that has nothing of the visitor but the question, so that the answer can't depend on more."""
        environ = {name: value for name, value in asked.META.items() if name in _KEPT or name.startswith("wsgi.")}
        environ |= {
            "REQUEST_METHOD": "GET",
            "HTTP_HOST": self.host,  # not as this visitor spelled it
            "QUERY_STRING": self.query,
            "HTTP_ACCEPT": "text/html",
            "HTTP_ACCEPT_LANGUAGE": self.language,
            "wsgi.input": BytesIO(),
        }
        if self.is_fragment:
            environ |= {"HTTP_HX_REQUEST": "true"}
        if self.dismissed:
            environ |= {"HTTP_COOKIE": f"{settings.SHARED_ANNOUNCEMENT_COOKIE}={self.dismissed}"}
        return DrawnRequest(environ)


class WatchedParameters(QueryDict):
    """Notes the names that a view asks for, of copies too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.names_asked: set[str] = set()
        super().__init__(*args, **kwargs)

    def __copy__(self) -> Any:
        found = super().__copy__()
        found.names_asked = self.names_asked
        return found

    def __deepcopy__(self, memo: Any) -> Any:
        found = super().__deepcopy__(memo)
        found.names_asked = self.names_asked
        return found

    def __getitem__(self, key: str) -> Any:
        self.names_asked.add(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self.names_asked.add(str(key))
        return super().__contains__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self.names_asked.add(key)
        return super().get(key, default)

    def getlist(self, key: str, default: Any = None) -> Any:
        self.names_asked.add(key)
        return super().getlist(key, default)


class DrawnRequest(WSGIRequest):
    """The request from which a shared page is drawn. It knows which parameters were asked for."""

    def __init__(self, environ: dict[str, Any]) -> None:
        super().__init__(environ)
        self.parameters: Any = WatchedParameters(environ["QUERY_STRING"])  # the stubs make it a plain QueryDict
        self.GET = cast("Any", self.parameters)

    @property
    def unshared_names(self) -> set[str]:
        """The parameters that the answer depends on, though they have no part in its key."""
        asked: set[str] = self.parameters.names_asked
        return asked - set(settings.SHARED_PARAMETERS)


def is_shared_address(request: HttpRequest) -> bool:
    """Whether what is there may be shared, which its view decides. Depends on the path alone."""
    return _is_shared_path(request.path_info)


def read_question(request: HttpRequest) -> PageQuestion | None:
    """The question of an anonymous visitor; None for everyone else, and where the answer isn't kept."""
    if request.method not in ("GET", "HEAD") or type(request) is not WSGIRequest:
        return None
    # Wagtail's previews are such requests. In a transaction versions aren't those that others see.
    if getattr(request, "is_dummy", False) or "HTTP_AUTHORIZATION" in request.META or connection.in_atomic_block:
        return None
    if not _personal_cookies().isdisjoint(request.COOKIES):
        return None
    try:
        query = _shared_part(request.GET)
    except SuspiciousOperation:  # too many; the view says so
        return None
    dismissed = request.COOKIES.get(settings.SHARED_ANNOUNCEMENT_COOKIE, "")
    is_odd = len(dismissed) > 16 or bool(
        dismissed and not (dismissed.isascii() and dismissed.isalnum())
    )  # ours is a short digest
    if is_odd or len(query) > settings.SHARED_PARAMETERS_LENGTH:
        return None
    several = len(settings.LANGUAGES) > 1
    return PageQuestion(
        scheme=request.scheme or "",
        host=request.get_host().lower(),
        server=f"{request.get_port()}{request.META.get('SCRIPT_NAME', '')}",
        path=request.path_info,
        query=query,
        language=get_language_from_request(request) if several else settings.LANGUAGE_CODE,
        is_fragment=wants_fragment(request) if "HTTP_HX_REQUEST" in request.META else False,
        dismissed=dismissed,
    )


def _shared_part(asked: QueryDict) -> str:
    """The parameters that pages read, in one order."""
    # All values of a parameter, in their order: of some parameters the last counts, whether it came before or not.
    return urlencode(
        [(name, asked.getlist(name)) for name in sorted(set(asked).intersection(settings.SHARED_PARAMETERS))],
        doseq=True,
    )


def _own_hosts() -> set[str]:
    return {*settings.ALLOWED_HOSTS, urlsplit(settings.SITE_BASE_URL).netloc}


@cache
def _personal_cookies() -> frozenset[str]:
    return frozenset({settings.SESSION_COOKIE_NAME, settings.LANGUAGE_COOKIE_NAME, *settings.SHARED_PERSONAL_COOKIES})


@lru_cache(maxsize=4096)
def _is_shared_path(path: str) -> bool:
    try:
        return may_be_shared(resolve(path).func)
    except Resolver404:
        return False


def drops_parameters(question: PageQuestion, request: HttpRequest) -> bool:
    """Whether the request has parameters that aren't in the question. A redirect may depend on them."""
    asked: Mapping[str, Any] = request.GET
    return not set(asked).issubset(settings.SHARED_PARAMETERS)

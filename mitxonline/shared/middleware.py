"""Answers anonymous visitors from the cache, before sessions, accounts and the database have a part in it."""

from __future__ import annotations

import gzip
import logging
import time
from collections.abc import Callable

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotModified
from django.utils.cache import add_never_cache_headers, patch_cache_control

from mitxonline.kernel import clock
from mitxonline.kernel.shop import forget_older_shops
from mitxonline.kernel.versions import (
    Versions,
    current_versions,
    forget_older_addresses,
    is_database_away,
    settle,
    watch_tables,
)
from mitxonline.server_error import server_error
from mitxonline.shared.counts import count
from mitxonline.shared.entries import (
    KeptPage,
    find_entry,
    is_being_drawn,
    is_unkept,
    keep_entry,
    make_entry,
    note_unkept,
    turn_to_draw,
)
from mitxonline.shared.listening import start_listening
from mitxonline.shared.marks import is_marked
from mitxonline.shared.questions import PageQuestion, drops_parameters, is_shared_address, read_question

logger = logging.getLogger(__name__)

_LOOK_AGAIN = 0.03  # seconds


class SharedPageMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not settings.SHARED_PAGES:
            return self.get_response(request)
        try:
            return self._answer(request)
        finally:
            settle()

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        if not is_shared_address(request):
            return self.get_response(request)
        start_listening()
        question = read_question(request)
        if question is None:
            return self._answer_one(request)
        try:
            versions = current_versions(now=clock.now())
        except (OperationalError, InterfaceError):
            return _refuse(request)
        except DatabaseError:  # such as a table that isn't migrated yet
            return self._answer_one(request)
        entry = find_entry(question, versions, now=clock.now())
        if entry is not None:
            count("hit")
            return _respond(request, entry)
        if is_database_away():
            return _refuse(request)  # drawing would wait for it and fail
        if request.method != "GET" or is_unkept(question, versions):
            return self._answer_one(request)
        return self._wait_or_draw(request, question, versions)

    def _answer_one(self, request: HttpRequest) -> HttpResponseBase:
        """Answer this visitor alone. No cache on the way may keep it for another."""
        count("personal")
        response = self.get_response(request)
        if not response.has_header("Cache-Control"):
            patch_cache_control(response, private=True, no_cache=True)
        return response

    def _wait_or_draw(self, request: HttpRequest, question: PageQuestion, versions: Versions) -> HttpResponseBase:
        until = time.monotonic() + settings.SHARED_PAGES_WAIT_SECONDS
        while True:
            with turn_to_draw(question, versions) as is_ours:
                if is_ours or time.monotonic() >= until:
                    # Whoever had the turn before may have kept the page just now.
                    entry = find_entry(question, versions, now=clock.now())
                    return _respond(request, entry) if entry else self._draw(request, question, versions)
            # Another one draws it. The page from before the change would be wrong.
            while is_being_drawn(question, versions) and time.monotonic() < until:
                time.sleep(_LOOK_AGAIN)
            if (entry := find_entry(question, versions, now=clock.now())) is not None:
                count("waited")
                return _respond(request, entry)

    def _draw(self, request: HttpRequest, question: PageQuestion, versions: Versions) -> HttpResponseBase:
        """Draw the page for everyone. The versions were read before, so it can't be older than they are."""
        forget_older_shops(versions.of_names("prices", "brand"))
        forget_older_addresses(versions.of_names("brand"))
        drawn = question.to_request(request)
        with watch_tables() as unversioned:
            response = self.get_response(drawn)
        if not _may_be_kept(response, unversioned | drawn.unshared_names, question):
            count("unkept")
            # Drawn without what this visitor sent, on which a redirect or a form may depend.
            if response.status_code < 500:
                note_unkept(question, versions)
            is_other = response.status_code == 200 or drops_parameters(question, request)
            return self._answer_one(request) if is_other else response
        assert isinstance(response, HttpResponse)  # noqa: S101 - `_may_be_kept` looked
        count("drawn")
        entry = make_entry(response, versions)
        keep_entry(question, entry, now=clock.now())
        return _respond(request, entry)


def _may_be_kept(response: HttpResponseBase, unknown: set[str], question: PageQuestion) -> bool:
    """`unknown`: tables and parameters on which the page depends, and its key doesn't."""
    is_shared = (
        isinstance(response, HttpResponse)
        and response.status_code == 200
        and is_marked(response)
        and not response.cookies
        and "private" not in response.get("Cache-Control", "")
        and "no-store" not in response.get("Cache-Control", "")
        and "*" not in response.get("Vary", "")
    )
    if is_shared and unknown:
        logger.error(
            "a shared page isn't kept: add what it reads to VERSIONS or SHARED_PARAMETERS",
            extra={"path": question.path, "reads": sorted(unknown)},
        )
    return is_shared and not unknown


def _refuse(request: HttpRequest) -> HttpResponse:
    """Say at once that no page can be drawn now."""
    count("refused")
    logger.error("a shared page can't be drawn without the database")
    response = server_error(request)
    response.status_code = 503
    response.headers["Retry-After"] = "5"
    add_never_cache_headers(response)
    return response


def _respond(request: HttpRequest, entry: KeptPage) -> HttpResponse:
    known = request.META.get("HTTP_IF_NONE_MATCH", "")
    is_known = known and (known.strip() == "*" or entry.etag in {_weak(each) for each in known.split(",")})
    response = HttpResponseNotModified() if is_known else HttpResponse()
    if not is_known:
        if _takes_gzip(request.META.get("HTTP_ACCEPT_ENCODING", "")):
            response.content = entry.body
            response.headers["Content-Encoding"] = "gzip"
        else:
            response.content = gzip.decompress(entry.body)
        for name, value in entry.headers:
            response.headers[name] = value
        response.headers["Content-Length"] = str(len(response.content))
    response.headers["ETag"] = entry.etag
    response.headers["Vary"] = entry.vary
    response.headers["Cache-Control"] = _cache_control()
    return response


def _cache_control() -> str:
    """Caches may keep the page, but ask each time whether it still holds, unless a site allows more."""
    if not settings.SHARED_PAGES_CDN_SECONDS:
        return "public, no-cache"
    seconds = settings.SHARED_PAGES_CDN_SECONDS
    return f"public, max-age=0, s-maxage={seconds}, stale-while-revalidate={seconds}"


def _weak(etag: str) -> str:
    return f'W/"{etag.strip().removeprefix("W/").strip(chr(34))}"'


def _takes_gzip(accepted: str) -> bool:
    for each in accepted.lower().split(","):
        coding, _semicolon, quality = each.partition(";")
        if coding.strip() in ("gzip", "*"):
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False

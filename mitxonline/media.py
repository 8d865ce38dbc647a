"""Serving uploaded pictures from the web process, for sites without a proxy that does."""

from mimetypes import guess_type
from posixpath import normpath
from typing import Final

from django.core.exceptions import SuspiciousOperation
from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotModified
from django.utils.cache import patch_cache_control
from django.utils.http import http_date
from django.views.static import was_modified_since

from mitxonline.kernel.remote import RemoteAway

WEEK: Final = 7 * 24 * 60 * 60
# Wagtail serves documents at an address of their own, which checks who may read them.
DOCUMENTS: Final = "documents"


def media(request: HttpRequest, path: str) -> HttpResponseBase:
    name = normpath(path).lstrip("/")
    if name.partition("/")[0] == DOCUMENTS:
        raise Http404
    try:
        response = _read_picture(request, name)
    except (FileNotFoundError, IsADirectoryError, SuspiciousOperation):
        raise Http404 from None
    except RemoteAway:
        response = HttpResponse(status=503, headers={"Retry-After": "30"})
        patch_cache_control(response, no_store=True)
        return response
    # The name of a picture changes with its content, so browsers may keep it.
    patch_cache_control(response, public=True, max_age=WEEK)
    return response


def _read_picture(request: HttpRequest, name: str) -> HttpResponseBase:
    changed_at = default_storage.get_modified_time(name).timestamp()
    if not was_modified_since(request.headers.get("If-Modified-Since"), changed_at):
        return HttpResponseNotModified()
    kind, encoding = guess_type(name)
    response = FileResponse(default_storage.open(name), content_type=kind or "application/octet-stream")
    response.headers["Last-Modified"] = http_date(changed_at)
    if encoding:
        response.headers["Content-Encoding"] = encoding
    return response

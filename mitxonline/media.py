"""Serving uploaded files from the web process, for sites without a proxy that does."""

from posixpath import normpath
from typing import Final

from django.conf import settings
from django.http import FileResponse, Http404, HttpRequest, HttpResponseBase
from django.utils.cache import patch_cache_control
from django.views.static import serve

WEEK: Final = 7 * 24 * 60 * 60
# Wagtail serves documents at an address of their own, which checks who may read them.
DOCUMENTS: Final = "documents"


def media(request: HttpRequest, path: str) -> HttpResponseBase:
    # The name of a picture changes with its content, so browsers may keep it.
    name = normpath(path).lstrip("/")
    if name.partition("/")[0] == DOCUMENTS:
        raise Http404
    response = serve(request, name, document_root=settings.MEDIA_ROOT)
    if isinstance(response, FileResponse):
        patch_cache_control(response, public=True, max_age=WEEK)
    return response

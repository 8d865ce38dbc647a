"""Uploaded files from the web process itself, where no proxy sends them."""

from posixpath import normpath
from typing import Final

from django.conf import settings
from django.http import FileResponse, Http404, HttpRequest, HttpResponseBase
from django.utils.cache import patch_cache_control
from django.views.static import serve

WEEK: Final = 7 * 24 * 60 * 60
# Documents have an address of their own, which asks who may read them.
NOT_HERE: Final = "documents"


def media(request: HttpRequest, path: str) -> HttpResponseBase:
    """A picture. Its name changes with its content, so a browser may keep it; Http404 for what isn't there."""
    name = normpath(path).lstrip("/")
    if name.partition("/")[0] == NOT_HERE:
        raise Http404
    response = serve(request, name, document_root=settings.MEDIA_ROOT)
    if isinstance(response, FileResponse):
        patch_cache_control(response, public=True, max_age=WEEK)
    return response

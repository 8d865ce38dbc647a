"""The page that says something went wrong on our end."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseServerError
from django.template import loader
from django.urls import reverse
from django.views.defaults import ERROR_PAGE_TEMPLATE

from mitxonline.kernel.trace import trace_id

# The admins' first pages, by the beginning of their addresses' names.
ADMINS = ("wagtailadmin_home", "admin:index")


def server_error(request: HttpRequest) -> HttpResponseServerError:
    """Show the number under which the log has the traceback, and lead staff back to where they work.

    Makes no query and runs no context processor, because any of those may be what failed.
    """
    try:
        context = {"reference": trace_id(), "admin_url": _admin_of(request.path)}
        return HttpResponseServerError(loader.get_template("500.html").render(context))
    except Exception:  # noqa: BLE001 - whatever failed may fail here again, and the error has been logged
        return HttpResponseServerError(ERROR_PAGE_TEMPLATE % {"title": "Server Error (500)", "details": ""})


def _admin_of(path: str) -> str:
    homes = [reverse(name) for name in ADMINS]
    return next((home for home in homes if path.startswith(home)), "")

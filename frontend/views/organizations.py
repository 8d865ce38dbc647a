"""An organization’s page, for its members. No one else learns which organizations exist."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from b2b.models import OrganizationPage
from frontend.views.decorators import signed_in


@signed_in()
@require_safe
def organization(request: HttpRequest, rest: str) -> HttpResponse:
    """Serve the page below /organizations/.

    Signed-out visitors sign in first, whatever the address. People who aren’t members get the page’s own 404, the same
    as for an organization that doesn’t exist. Pages below an organization (its contracts) aren’t for visitors.
    """
    page = OrganizationPage.objects.live().filter(slug=rest).select_related("logo").first()
    if page is None:
        raise Http404
    response: HttpResponse = page.serve(request)
    return response

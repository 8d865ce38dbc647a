"""An organization's page, for its members. No one else learns which organizations there are (API-01)."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from b2b.models import OrganizationPage
from frontend.views.decorators import signed_in


@signed_in()
@require_safe
def organization(request: HttpRequest, rest: str) -> HttpResponse:
    """The page at this address below /organizations/.

    Signed out: sign in first, for every address. Not a member: 404 from the page itself, as for an organization that
    doesn't exist. What lies under an organization (its contracts) is no visitor's page at all.
    """
    page = OrganizationPage.objects.live().filter(slug=rest).select_related("logo").first()
    if page is None:
        raise Http404
    response: HttpResponse = page.serve(request)
    return response

"""Enrolling in a free public course."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from courses.errors import RunUnknown
from ecommerce.services.checkout.free_enrollment import enroll_free
from frontend.site.parsing import parse_row_id
from frontend.views.decorators import personal
from mitxonline.kernel import clock
from mitxonline.kernel.http import accept_from_own_pages
from mitxonline.users.next_page import next_page


@accept_from_own_pages
@personal
@require_POST
def enroll(request: HttpRequest) -> HttpResponse:
    """Enroll in a free run. Signed-out visitors sign in first and come back to the page with the button (`next`)."""
    if not request.user.is_authenticated:
        return redirect_to_login(next_page(request) or reverse("dashboard"))
    run_id = parse_row_id(request.POST.get("run"))
    if run_id is None:
        raise RunUnknown
    enrollment = enroll_free(user_id=request.user.pk, run_id=run_id, now=clock.now())
    messages.success(request, _("You’re enrolled in “%(title)s”.") % {"title": enrollment.run.title})
    return redirect("dashboard")

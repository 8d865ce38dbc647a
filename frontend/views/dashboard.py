"""The learner’s dashboard, and starting a course of a contract."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from b2b.services.seats.redemption import start_course
from courses.errors import RunUnknown
from frontend.pages.dashboard import dashboard_page
from frontend.site.parsing import account, account_id, parse_row_id
from frontend.views.decorators import signed_in
from mitxonline.kernel import clock
from mitxonline.users.next_page import next_page


@signed_in()
@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    page = dashboard_page(user=account(request), now=clock.now())
    return render(request, "frontend/dashboard/page.html", {"page": page})


@signed_in()
@require_POST
def start(request: HttpRequest) -> HttpResponse:
    """Enroll a member in a course of their contract."""
    contract_run_id = parse_row_id(request.POST.get("contract_run"))
    if contract_run_id is None:
        raise RunUnknown
    enrollment = start_course(contract_run_id=contract_run_id, user_id=account_id(request), now=clock.now())
    messages.success(request, _("You’re enrolled in “%(title)s”.") % {"title": enrollment.run.title})
    return redirect(next_page(request) or reverse("dashboard"))

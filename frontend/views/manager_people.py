"""Pages for an organization's managers: its people, withdrawing their access, and asking for more seats."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from b2b.enums import WithdrawnBy
from b2b.errors.seats import SeatUnknown
from b2b.models import SeatRequest
from b2b.selectors.managers import managed_contracts
from b2b.selectors.people import seats_of_organization
from b2b.services.seats.membership import remove_member
from b2b.services.seats.requests import ask_for_seats
from frontend.pages.manager_people import MoreSeatsForm, build_people_page
from frontend.pages.managers import manager_crumbs
from frontend.site.navigation import Crumb
from frontend.site.parsing import account_id
from frontend.views.answers import UNPROCESSABLE
from frontend.views.decorators import signed_in
from frontend.views.managers import get_contract, get_membership, get_place
from mitxonline.kernel import clock
from mitxonline.kernel.forms import refusals_on


@signed_in()
@require_safe
def list_people(request: HttpRequest, slug: str) -> HttpResponse:
    """List who has a seat in the organization's contracts, how they joined and which courses they take."""
    membership = get_membership(request, slug)
    contracts = managed_contracts(membership.organization_id, now=clock.now())
    page = build_people_page(organization=membership.organization, contracts=contracts, params=request.GET)
    return render(request, "frontend/managers/people.html", {"page": page, "organization": membership.organization})


@signed_in()
@require_http_methods(["GET", "HEAD", "POST"])
def remove_person(request: HttpRequest, slug: str, seat_id: int) -> HttpResponse:
    """Withdraw one person's access after a page that says who it is and what it means."""
    now = clock.now()
    membership = get_membership(request, slug)
    seat = seats_of_organization(membership.organization_id).filter(pk=seat_id).first()
    people_url = reverse("manage-people", args=[slug])
    if seat is None:
        if request.method != "POST":
            raise Http404
        messages.info(request, _("This person has no seat any more, so nothing was changed."))
        return redirect(people_url)
    if request.method != "POST":
        _membership, contract = get_contract(request, slug, seat.contract_id, now)
        crumbs = [
            *manager_crumbs(membership.organization),
            Crumb(_("People"), people_url),
            Crumb(_("Withdraw access")),
        ]
        context = {
            "person": seat.user,
            "contract": contract,
            "crumbs": crumbs,
            "back": people_url,
            "action": request.path,
            "had_code": seat.code_use_id is not None,
        }
        return render(request, "frontend/managers/withdraw.html", context)
    try:
        remove_member(
            contract_id=seat.contract_id,
            user_id=seat.user_id,
            reason="",
            now=now,
            removed_by_id=account_id(request),
            authority=WithdrawnBy.MANAGER,
        )
    except SeatUnknown as refusal:
        messages.error(request, str(refusal))
    else:
        sentence = _("%(person)s’s access is withdrawn. Their seat is free.")
        messages.success(request, sentence % {"person": seat.user.display_name})
    return redirect(people_url)


@signed_in()
@require_http_methods(["GET", "HEAD", "POST"])
def ask_for_more_seats(request: HttpRequest, slug: str, contract_id: int) -> HttpResponse:
    """Ask staff for more seats in a contract with a limit."""
    now = clock.now()
    place = get_place(request, slug, contract_id, now)
    if not place.contract.has_cap:
        raise Http404
    form = MoreSeatsForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        with refusals_on(form):
            asked = ask_for_seats(
                contract_id=contract_id,
                seats=form.cleaned_data["seats"],
                message=form.cleaned_data["message"],
                by_id=account_id(request),
                now=now,
            )
            sentence = ngettext(
                "We got your request for %(count)s more seat. We’ll answer by e-mail.",
                "We got your request for %(count)s more seats. We’ll answer by e-mail.",
                asked.seats,
            )
            messages.success(request, sentence % {"count": f"{asked.seats:,}"})
            return redirect(place.list_url)
    context = {
        "form": form,
        "contract": place.contract,
        "crumbs": place.crumbs(_("Ask for more seats")),
        "here": place.list_url,
        "open_request": SeatRequest.objects.open().filter(contract_id=contract_id).first(),
    }
    status = UNPROCESSABLE if form.errors else 200
    return render(request, "frontend/managers/more_seats.html", context, status=status)

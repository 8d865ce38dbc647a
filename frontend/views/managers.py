"""Pages for an organization's managers: seats, codes, invitations. For everyone else they don't exist (404)."""

from __future__ import annotations

from datetime import datetime

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from b2b.enums import WithdrawnBy
from b2b.errors.handouts import TooManyMails
from b2b.errors.seats import SeatUnknown
from b2b.models import OrganizationMembership
from b2b.selectors.codes import CodeFilter, code_file, redemption_file
from b2b.selectors.managers import (
    ManagedContract,
    SharedCode,
    find_member_by_code,
    managed_contracts,
    managed_membership,
    shared_code_lines,
)
from b2b.services.handouts.assign import replace_shared_code
from b2b.services.seats.membership import remove_member
from frontend.pages.handout_form import RecipientsForm
from frontend.pages.managers import ContractPlace, build_codes_page, manager_crumbs, parse_code_filter
from frontend.site.parsing import account_id
from frontend.views.decorators import signed_in
from frontend.views.handouts import Selection, answer_hand_out, answer_selection, parse_selection
from mitxonline.kernel import clock
from mitxonline.kernel.audit import record
from mitxonline.kernel.spreadsheets import spreadsheet_response


@signed_in()
@require_safe
def choose_organization(request: HttpRequest) -> HttpResponse:
    """Redirect to the organization someone manages, or list them if there are several."""
    managed = list(
        OrganizationMembership.objects.filter(user_id=account_id(request), is_manager=True, organization__live=True)
        .select_related("organization__logo")
        .order_by("organization__name", "pk")
    )
    if len(managed) == 1:
        return redirect("manage", managed[0].organization.slug)
    return render(request, "frontend/managers/mine.html", {"managed": managed})


@signed_in()
@require_safe
def list_contracts(request: HttpRequest, slug: str) -> HttpResponse:
    membership = get_membership(request, slug)
    contracts = managed_contracts(membership.organization_id, now=clock.now())
    crumbs = manager_crumbs(membership.organization)
    context = {"organization": membership.organization, "contracts": contracts, "crumbs": crumbs}
    return render(request, "frontend/managers/overview.html", context)


@signed_in()
@require_safe
def list_codes(request: HttpRequest, slug: str, contract_id: int) -> HttpResponse:
    now = clock.now()
    place = get_place(request, slug, contract_id, now)
    page = build_codes_page(place, params=request.GET, now=now)
    form = RecipientsForm(place.courses, initial={"run": page.code_filter.run_id})
    context = {"page": page, "place": place, "contract": place.contract, "form": form}
    return render(request, "frontend/managers/codes.html", context)


@signed_in()
@require_http_methods(["GET", "HEAD", "POST"])
def hand_out_codes(request: HttpRequest, slug: str, contract_id: int) -> HttpResponse:
    """Check a list of people, and send codes once the manager has seen the plan."""
    return answer_hand_out(request, get_place(request, slug, contract_id, clock.now()), now=clock.now())


@signed_in()
@require_POST
def act_on_selection(request: HttpRequest, slug: str, contract_id: int) -> HttpResponse:
    """Remind, send again, take back or withdraw the checked codes or invitations."""
    now = clock.now()
    place = get_place(request, slug, contract_id, now)
    selection = parse_selection(request, place)
    if selection.action == "withdraw" and selection.ids:
        return _withdraw_access(request, place, selection, now=now)
    return answer_selection(request, place, selection, now=now)


@signed_in()
@require_http_methods(["GET", "HEAD", "POST"])
def replace_link(request: HttpRequest, slug: str, contract_id: int, run_id: int) -> HttpResponse:
    """Replace the code everyone shares, after showing how many invitations are open."""
    now = clock.now()
    place = get_place(request, slug, contract_id, now)
    contract = place.contract
    shared: SharedCode | None = None
    if contract.has_codes and not contract.has_cap:
        shared = next((each for each in shared_code_lines(contract) if each.run.pk == run_id), None)
    if shared is None:
        raise Http404
    if request.method != "POST":
        crumbs = place.crumbs(_("Replace the link"))
        context = {"contract": contract, "here": place.list_url, "crumbs": crumbs, "shared": shared}
        return render(request, "frontend/managers/replace.html", context)
    resend = request.POST.get("resend") == "yes"
    try:
        replace_shared_code(contract_run_id=run_id, by_id=account_id(request), now=now, resend=resend)
    except TooManyMails as refusal:
        messages.error(request, str(refusal))
        return redirect(request.path)
    sentence = _("“%(course)s” has a new link. The old one no longer works.")
    messages.success(request, sentence % {"course": shared.run.title})
    return redirect(place.list_url)


@signed_in()
@require_safe
def download_redemptions(request: HttpRequest, slug: str, contract_id: int, kind: str) -> HttpResponseBase:
    _membership, contract = get_contract(request, slug, contract_id, clock.now())
    rows = redemption_file(contract.terms.pk)
    return spreadsheet_response(rows, name=_file_name(contract, "redemptions"), title="Redemptions", style=kind)


@signed_in()
@require_safe
def download_codes(request: HttpRequest, slug: str, contract_id: int) -> HttpResponseBase:
    """Download the codes of one course or of all, and record who did: each code is worth a seat."""
    _membership, contract = get_contract(request, slug, contract_id, clock.now())
    code_filter = CodeFilter(run_id=parse_code_filter(request.GET, contract).run_id)
    record(contract.terms.page, "b2b.code.export", by_id=account_id(request), data={"run": code_filter.run_id})
    rows = code_file(contract_id=contract.terms.pk, code_filter=code_filter)
    return spreadsheet_response(rows, name=_file_name(contract, "codes"), title=_("Codes"), style="csv")


# --- Requests --------------------------------------------------------------------------------------------------------


def get_membership(request: HttpRequest, slug: str) -> OrganizationMembership:
    """Return the manager's membership. The 404 is the same whether or not the organization exists."""
    membership = managed_membership(user_id=account_id(request), slug=slug)
    if membership is None:
        raise Http404
    return membership


def get_contract(
    request: HttpRequest, slug: str, contract_id: int, now: datetime
) -> tuple[OrganizationMembership, ManagedContract]:
    membership = get_membership(request, slug)
    contracts = managed_contracts(membership.organization_id, now=now, contract_id=contract_id)
    if not contracts:
        raise Http404
    return membership, contracts[0]


def get_place(request: HttpRequest, slug: str, contract_id: int, now: datetime) -> ContractPlace:
    membership, contract = get_contract(request, slug, contract_id, now)
    return ContractPlace(membership.organization, contract)


def _file_name(contract: ManagedContract, subject: str) -> str:
    return f"{slugify(contract.name) or 'contract'}-{subject}"


# --- Actions ---------------------------------------------------------------------------------------------------------


def _withdraw_access(
    request: HttpRequest, place: ContractPlace, selection: Selection, *, now: datetime
) -> HttpResponse:
    """Withdraw one person's access after a page that says who it is and what it means."""
    contract, ids, person = place.contract, selection.ids, None
    if len(ids) == 1 and contract.has_cap:
        person = find_member_by_code(ids[0], contract_id=contract.terms.pk)
    if person is None:
        messages.warning(request, _("No one has a seat with this code, so nothing was changed."))
        return redirect(selection.back)
    if request.POST.get("sure") != "yes":
        context = {
            "organization": place.organization,
            "contract": contract,
            "here": place.list_url,
            "crumbs": place.crumbs(_("Withdraw access")),
            "person": person,
            "back": selection.back,
            "action": request.path,
            "hidden": {"only": f"withdraw-{ids[0]}", "sure": "yes", "query": request.POST.get("query", "")}.items(),
            "had_code": True,
        }
        return render(request, "frontend/managers/withdraw.html", context)
    try:
        remove_member(
            contract_id=contract.terms.pk,
            user_id=person.pk,
            reason="",
            now=now,
            removed_by_id=account_id(request),
            authority=WithdrawnBy.MANAGER,
        )
    except SeatUnknown as refusal:
        messages.error(request, str(refusal))
    else:
        sentence = _("%(person)s’s access is withdrawn. Their seat is free.")
        messages.success(request, sentence % {"person": person.display_name})
    return redirect(selection.back)

"""Pages for an organization's managers: seats, codes, invitations. For everyone else they don't exist (404)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from b2b.enums import WithdrawnBy
from b2b.errors.handouts import HandOutRefused, TooManyMails
from b2b.errors.seats import SeatUnknown
from b2b.models import OrganizationMembership
from b2b.selectors.codes import CodeFilter, code_file, redemption_file
from b2b.selectors.handouts import addresses_of, has_codes_of_their_own
from b2b.selectors.lots import ContractLot
from b2b.selectors.managers import (
    ManagedContract,
    SharedCode,
    find_member_by_code,
    managed_contracts,
    managed_membership,
    shared_code_lines,
)
from b2b.services.handouts.assign import (
    HandOutPlan,
    HandOutRequest,
    hand_out,
    plan_hand_out,
    remind,
    remind_codes,
    replace_shared_code,
)
from b2b.services.handouts.mails import open_hand_outs_of, send_again
from b2b.services.handouts.revoke import revoke_codes, take_back
from b2b.services.seats.membership import remove_member
from frontend.pages.handout_form import ManagerHandOutForm
from frontend.pages.managers import (
    HandOutReport,
    build_codes_page,
    contract_url,
    manager_crumbs,
    parse_code_filter,
)
from frontend.site.navigation import Crumb
from frontend.site.parsing import account_id, parse_row_id
from frontend.views.answers import UNPROCESSABLE
from frontend.views.decorators import signed_in
from mitxonline.kernel import clock
from mitxonline.kernel.audit import record
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.fingerprint import PlanChanged
from mitxonline.kernel.http import wants_fragment
from mitxonline.kernel.spreadsheets import spreadsheet_response

# A page shows 25 lines; this many can still be checked by hand.
MAX_SELECTED = 200
QUERY_MAX_LENGTH = 500


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
    membership, contract = get_contract(request, slug, contract_id, now)
    page = build_codes_page(organization=membership.organization, contract=contract, params=request.GET, now=now)
    form = ManagerHandOutForm(contract.runs, initial={"run": page.code_filter.run_id})
    return render(request, "frontend/managers/codes.html", {"page": page, "contract": contract, "form": form})


@signed_in()
@require_http_methods(["GET", "HEAD", "POST"])
def hand_out_codes(request: HttpRequest, slug: str, contract_id: int) -> HttpResponse:
    """Check a list of people, and send codes once the manager has seen the plan."""
    now = clock.now()
    membership, contract = get_contract(request, slug, contract_id, now)
    if request.method != "POST":
        form = ManagerHandOutForm(contract.runs, initial={"run": parse_row_id(request.GET.get("run"))})
        return _render_hand_out(request, membership, contract, form)
    form = ManagerHandOutForm(contract.runs, request.POST, request.FILES)
    if not form.is_valid():
        return _render_hand_out(request, membership, contract, form, status=UNPROCESSABLE)
    asked = HandOutRequest(contract_run_id=int(form.cleaned_data["run"]), recipients=form.recipients)
    seen = request.POST.get("seen", "")
    refusal: DomainError | None = None
    # Browsers don't send a file a second time, so its people are shown in the list before anything is sent, and so are
    # those of a table whose column was asked for.
    if request.POST.get("action") == "send" and seen and not form.has_new_text:
        try:
            plan = hand_out(asked, by_id=account_id(request), now=now, seen=seen)
        except (HandOutRefused, PlanChanged, TooManyMails) as error:
            refusal = error
        else:
            messages.success(request, _sent_sentence(plan))
            return redirect(f"{contract_url(membership, contract)}?state=invited")
    plan = plan_hand_out(asked, now=now)
    shown = form.as_typed(contract.runs) if form.has_new_text else form
    shown.is_valid()
    return _render_hand_out(
        request,
        membership,
        contract,
        shown,
        report=HandOutReport(plan),
        refusal=refusal,
        status=refusal.status if refusal is not None else 200,
        is_rewritten=form.has_new_text,
        heading=form.heading,
    )


@signed_in()
@require_POST
def act_on_selection(request: HttpRequest, slug: str, contract_id: int) -> HttpResponse:
    """Remind, send again, take back or withdraw the checked codes or invitations."""
    now = clock.now()
    membership, contract = get_contract(request, slug, contract_id, now)
    action, ids = _parse_selection(request)
    back = _back_url(request, contract_url(membership, contract))
    if not ids:
        messages.warning(request, _("Check at least one line first, then choose what to do."))
        return redirect(back)
    if action == "withdraw":
        return _withdraw_access(request, membership, contract, ids, back=back, now=now)
    if action in ("remind", "again"):
        try:
            if action == "remind":
                _remind(request, contract, ids, now=now)
            else:
                _send_again(request, contract, ids, now=now)
        except (HandOutRefused, TooManyMails) as refusal:
            messages.error(request, str(refusal))
    elif action == "revoke" and request.POST.get("sure") != "yes":
        context = _page_context(membership, contract, _("Take back")) | {
            "ids": ids,
            "addresses": addresses_of(contract.terms.pk, ids, is_shared=not contract.has_cap),
            "back": back,
            "has_own": not contract.has_cap and has_codes_of_their_own(contract.terms.pk, ids),
            "query": request.POST.get("query", ""),
        }
        return render(request, "frontend/managers/revoke.html", context)
    elif action == "revoke":
        _revoke(request, contract, ids, now=now)
    return redirect(back)


@signed_in()
@require_http_methods(["GET", "HEAD", "POST"])
def replace_link(request: HttpRequest, slug: str, contract_id: int, run_id: int) -> HttpResponse:
    """Replace the code everyone shares, after showing how many invitations are open."""
    now = clock.now()
    membership, contract = get_contract(request, slug, contract_id, now)
    shared: SharedCode | None = None
    if contract.has_codes and not contract.has_cap:
        shared = next((each for each in shared_code_lines(contract) if each.run.pk == run_id), None)
    if shared is None:
        raise Http404
    if request.method != "POST":
        context = _page_context(membership, contract, _("Replace the link")) | {"shared": shared}
        return render(request, "frontend/managers/replace.html", context)
    resend = request.POST.get("resend") == "yes"
    try:
        replace_shared_code(contract_run_id=run_id, by_id=account_id(request), now=now, resend=resend)
    except TooManyMails as refusal:
        messages.error(request, str(refusal))
        return redirect(request.path)
    sentence = _("“%(course)s” has a new link. The old one no longer works.")
    messages.success(request, sentence % {"course": shared.run.title})
    return redirect(contract_url(membership, contract))


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


def _page_context(membership: OrganizationMembership, contract: ManagedContract, title: str) -> dict[str, Any]:
    here = contract_url(membership, contract)
    crumbs = [*manager_crumbs(membership.organization), Crumb(contract.name, here), Crumb(title)]
    return {"organization": membership.organization, "contract": contract, "here": here, "crumbs": crumbs}


def _render_hand_out(
    request: HttpRequest,
    membership: OrganizationMembership,
    contract: ManagedContract,
    form: ManagerHandOutForm,
    *,
    report: HandOutReport | None = None,
    refusal: DomainError | None = None,
    status: int = 200,
    is_rewritten: bool = False,
    heading: str = "",
) -> HttpResponse:
    """Render the form as a page; for htmx only the report and the button, always with status 200."""
    context = _page_context(membership, contract, _("Hand out codes"))
    context |= {"form": form, "report": report, "refusal": refusal, "is_rewritten": is_rewritten, "heading": heading}
    if wants_fragment(request):
        if form.is_bound:
            form.ask_quietly()
        response = render(request, "frontend/managers/hand_out_checked.html", context)
    else:
        response = render(request, "frontend/managers/hand_out.html", context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _back_url(request: HttpRequest, here: str) -> str:
    """Return the list with the filter it had. The query string is only ever appended to our own address."""
    query = request.POST.get("query", "")
    is_plain = query.isascii() and query.isprintable() and len(query) < QUERY_MAX_LENGTH
    return f"{here}?{query}" if query and is_plain else here


def _parse_selection(request: HttpRequest) -> tuple[str, list[int]]:
    """Return the action and the ids: of the one line whose menu was used, or of the checked lines."""
    action, _dash, only = request.POST.get("only", "").partition("-")
    if action:
        texts = [only]
    else:
        action, texts = request.POST.get("action", ""), request.POST.getlist("id")
    return action, sorted({pk for text in texts[:MAX_SELECTED] if (pk := parse_row_id(text)) is not None})


def _file_name(contract: ManagedContract, subject: str) -> str:
    return f"{slugify(contract.name) or 'contract'}-{subject}"


# --- Actions ---------------------------------------------------------------------------------------------------------


def _withdraw_access(
    request: HttpRequest,
    membership: OrganizationMembership,
    contract: ManagedContract,
    ids: Sequence[int],
    *,
    back: str,
    now: datetime,
) -> HttpResponse:
    """Withdraw one person's access after a page that says who it is and what it means."""
    person = None
    if len(ids) == 1 and contract.has_cap:
        person = find_member_by_code(ids[0], contract_id=contract.terms.pk)
    if person is None:
        messages.warning(request, _("No one has a seat with this code, so nothing was changed."))
        return redirect(back)
    if request.POST.get("sure") != "yes":
        context = _page_context(membership, contract, _("Withdraw access")) | {
            "person": person,
            "back": back,
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
    return redirect(back)


def _remind(request: HttpRequest, contract: ManagedContract, ids: Sequence[int], *, now: datetime) -> None:
    contract_id, by_id = contract.terms.pk, account_id(request)
    if contract.has_cap:
        report = remind_codes(ContractLot(contract_id), code_ids=ids, by_id=by_id, now=now)
    else:
        hand_out_ids = open_hand_outs_of(ContractLot(contract_id), hand_out_ids=ids)
        report = remind(hand_out_ids=hand_out_ids, by_id=by_id, now=now)
    sentences = []
    if report.sent:
        sent = ngettext("Reminder sent to %(count)d person.", "Reminder sent to %(count)d people.", report.sent)
        sentences.append(sent % {"count": report.sent})
    if report.too_soon:
        too_soon = ngettext(
            "%(count)d already had a reminder today.",
            "%(count)d already had a reminder today; one a day is the limit.",
            report.too_soon,
        )
        sentences.append(too_soon % {"count": report.too_soon})
    if report.over:
        over = ngettext("%(count)d isn’t waiting for anyone.", "%(count)d aren’t waiting for anyone.", report.over)
        sentences.append(over % {"count": report.over})
    level = messages.SUCCESS if report.sent else messages.WARNING
    messages.add_message(request, level, " ".join(sentences))


def _send_again(request: HttpRequest, contract: ManagedContract, ids: Sequence[int], *, now: datetime) -> None:
    if contract.has_cap:
        hand_out_ids = open_hand_outs_of(ContractLot(contract.terms.pk), code_ids=ids)
    else:
        hand_out_ids = open_hand_outs_of(ContractLot(contract.terms.pk), hand_out_ids=ids)
    sent = send_again(hand_out_ids=hand_out_ids, by_id=account_id(request), now=now)
    if sent:
        sentence = ngettext("Sending %(count)d e-mail again.", "Sending %(count)d e-mails again.", sent)
        messages.success(request, sentence % {"count": sent})
    else:
        messages.warning(request, _("None of these e-mails failed, so nothing was sent again."))


def _revoke(request: HttpRequest, contract: ManagedContract, ids: Sequence[int], *, now: datetime) -> None:
    contract_id, by_id = contract.terms.pk, account_id(request)
    if contract.has_cap:
        revoked = revoke_codes(ContractLot(contract_id), code_ids=ids, by_id=by_id, now=now)
        sentence = ngettext(
            "%(count)d code is free again. Its old link no longer works.",
            "%(count)d codes are free again. Their old links no longer work.",
            revoked,
        )
    else:
        revoked = take_back(contract_id=contract_id, hand_out_ids=ids, by_id=by_id, now=now)
        sentence = ngettext("%(count)d invitation is canceled.", "%(count)d invitations are canceled.", revoked)
    if not revoked:
        messages.warning(request, _("None of these has an unused code, so nothing was taken back."))
        return
    text = sentence % {"count": revoked}
    if left := len(ids) - revoked:
        unchanged = ngettext(
            "%(count)d wasn’t changed: already used, or not assigned to anyone.",
            "%(count)d weren’t changed: already used, or not assigned to anyone.",
            left,
        )
        text = f"{text} {unchanged % {'count': left}}"
    messages.success(request, text)


def _sent_sentence(plan: HandOutPlan) -> str:
    sentence = ngettext("Codes sent to %(count)d person.", "Codes sent to %(count)d people.", plan.people_count)
    sentence %= {"count": plan.people_count}
    if plan.free_after is None:
        return sentence
    free = ngettext("%(free)d seat is free.", "%(free)d seats are free.", plan.free_after)
    return f"{sentence} {free % {'free': plan.free_after}}"

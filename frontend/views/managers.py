"""An organization's managers at work: seats, codes, invitations. Everyone else is told that there is no such page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

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
from b2b.selectors.handouts import has_codes_of_their_own
from b2b.selectors.managers import ManagedContract, joined_with, managed_contracts, managed_membership, shared
from b2b.services.handouts.assign import (
    HandOutPlan,
    HandOutRequest,
    ReminderReport,
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
from frontend.pages.managers import Crumb, Report, codes_page, contract_url, parse_code_filter, way
from frontend.site.parsing import account_id, row_id
from frontend.views.answers import UNPROCESSABLE
from frontend.views.decorators import signed_in
from mitxonline.kernel import clock
from mitxonline.kernel.audit import record
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.fingerprint import PlanChanged
from mitxonline.kernel.http import wants_fragment
from mitxonline.kernel.spreadsheets import spreadsheet_response

# A page's worth and some: what someone can check by hand.
MOST_SELECTED = 200


@signed_in()
@require_safe
def mine(request: HttpRequest) -> HttpResponse:
    """Where “Manage seats” leads: to the one organization someone manages, or to choose among several."""
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
def overview(request: HttpRequest, slug: str) -> HttpResponse:
    """The organization's contracts with their seats."""
    membership = _membership(request, slug)
    contracts = managed_contracts(membership.organization_id, now=clock.now())
    crumbs = way(membership.organization)
    context = {"organization": membership.organization, "contracts": contracts, "crumbs": crumbs}
    return render(request, "frontend/managers/overview.html", context)


@signed_in()
@require_safe
def codes(request: HttpRequest, slug: str, contract_id: int) -> HttpResponse:
    """The codes of a contract by state, or its invitations."""
    now = clock.now()
    membership, contract = _contract(request, slug, contract_id, now)
    page = codes_page(organization=membership.organization, contract=contract, params=request.GET, now=now)
    form = ManagerHandOutForm(contract.runs, initial={"run": page.code_filter.run_id})
    return render(request, "frontend/managers/codes.html", {"page": page, "contract": contract, "form": form})


@signed_in()
@require_http_methods(["GET", "HEAD", "POST"])
def give(request: HttpRequest, slug: str, contract_id: int) -> HttpResponse:
    """Hand codes out: the list is looked at as a whole, and sent only once the manager has seen what comes of it."""
    now = clock.now()
    membership, contract = _contract(request, slug, contract_id, now)
    if request.method != "POST":
        form = ManagerHandOutForm(contract.runs, initial={"run": row_id(request.GET.get("run"))})
        return _hand_out_page(request, membership, contract, form)
    form = ManagerHandOutForm(contract.runs, request.POST, request.FILES)
    if not form.is_valid():
        return _hand_out_page(request, membership, contract, form, status=UNPROCESSABLE)
    run_id, seen = int(form.cleaned_data["run"]), request.POST.get("seen", "")
    refusal: DomainError | None = None
    if request.POST.get("action") == "send" and seen and not form.had_a_file:
        try:
            plan = hand_out(
                HandOutRequest(contract_run_id=run_id, recipients=form.recipients),
                by_id=account_id(request),
                now=now,
                seen=seen,
            )
        except (HandOutRefused, PlanChanged, TooManyMails) as error:
            refusal = error
        else:
            _tell_sent(request, plan)
            return redirect(f"{contract_url(membership, contract)}?state=invited")
    plan = plan_hand_out(HandOutRequest(contract_run_id=run_id, recipients=form.recipients), now=now)
    shown = form.as_typed(contract.runs) if form.had_a_file else form
    shown.is_valid()
    status = refusal.status if refusal is not None else 200
    return _hand_out_page(
        request, membership, contract, shown, report=Report(plan), refusal=refusal, status=status, file=form.had_a_file
    )


@signed_in()
@require_POST
def selected(request: HttpRequest, slug: str, contract_id: int) -> HttpResponse:
    """Do something with the codes or invitations that were checked: remind, send again, take back."""
    now = clock.now()
    membership, contract = _contract(request, slug, contract_id, now)
    here = contract_url(membership, contract)
    action, ids = _parse_selection(request)
    back = _back(request, here, contract)
    if not ids:
        messages.warning(request, _("Check at least one line first, then choose what to do."))
        return redirect(back)
    if action == "withdraw":
        return _withdraw(request, membership, contract, ids, back=back, now=now)
    if action in ("remind", "again"):
        _write_to(request, contract, action, ids, now=now)
    elif action == "revoke" and request.POST.get("sure") != "yes":
        context = {
            "organization": membership.organization,
            "contract": contract,
            "ids": ids,
            "back": back,
            "here": here,
            "has_own": not contract.has_cap and has_codes_of_their_own(contract.terms.pk, ids),
        }
        context["crumbs"] = [*way(membership.organization), Crumb(contract.name, here), Crumb(_("Take back"))]
        context["query"] = request.POST.get("query", "")
        return render(request, "frontend/managers/revoke.html", context)
    elif action == "revoke":
        _tell_revoked(request, contract, _revoke(contract, ids, by_id=account_id(request), now=now), len(ids))
    return redirect(back)


@signed_in()
@require_http_methods(["GET", "HEAD", "POST"])
def replace(request: HttpRequest, slug: str, contract_id: int, run_id: int) -> HttpResponse:
    """Replace the code everyone shares, after saying how many invitations are open."""
    now = clock.now()
    membership, contract = _contract(request, slug, contract_id, now)
    found = next((each for each in shared(contract) if each.run.pk == run_id), None) if not contract.has_cap else None
    if found is None or not contract.has_codes:
        raise Http404
    here = contract_url(membership, contract)
    if request.method == "POST":
        resend = request.POST.get("resend") == "yes"
        try:
            replace_shared_code(contract_run_id=run_id, by_id=account_id(request), now=now, resend=resend)
        except TooManyMails as refusal:
            messages.error(request, refusal.message)
            return redirect(request.path)
        messages.success(
            request, _("“%(course)s” has a new link. The old one doesn’t work any more.") % {"course": found.run.title}
        )
        return redirect(here)
    crumbs = [*way(membership.organization), Crumb(contract.name, here), Crumb(_("Replace the link"))]
    context = {"organization": membership.organization, "contract": contract, "shared": found, "crumbs": crumbs}
    return render(request, "frontend/managers/replace.html", context | {"here": here})


@signed_in()
@require_safe
def redemptions(request: HttpRequest, slug: str, contract_id: int, kind: str) -> HttpResponseBase:
    """Who used which code, as a file."""
    _membership, contract = _contract(request, slug, contract_id, clock.now())
    rows = redemption_file(contract.terms.pk)
    return spreadsheet_response(rows, name=_file_name(contract, "redemptions"), title="Redemptions", style=kind)


@signed_in()
@require_safe
def codes_file(request: HttpRequest, slug: str, contract_id: int) -> HttpResponseBase:
    """The codes with their links as a file, of one course or of all."""
    _membership, contract = _contract(request, slug, contract_id, clock.now())
    code_filter = CodeFilter(run_id=parse_code_filter(request.GET, contract).run_id)
    record(contract.terms.page, "b2b.code.export", by_id=account_id(request), data={"run": code_filter.run_id})
    rows = code_file(contract_id=contract.terms.pk, code_filter=code_filter)
    return spreadsheet_response(rows, name=_file_name(contract, "codes"), title=_("Codes"), style="csv")


# --- Who and what ----------------------------------------------------------------------------------------------------


def _membership(request: HttpRequest, slug: str) -> OrganizationMembership:
    """The manager's membership; 404 for everyone else, for every organization there is or isn't."""
    membership = managed_membership(user_id=account_id(request), slug=slug)
    if membership is None:
        raise Http404
    return membership


def _contract(
    request: HttpRequest, slug: str, contract_id: int, now: datetime
) -> tuple[OrganizationMembership, ManagedContract]:
    membership = _membership(request, slug)
    found = managed_contracts(membership.organization_id, now=now, contract_id=contract_id)
    if not found:
        raise Http404
    return membership, found[0]


def _hand_out_page(
    request: HttpRequest,
    membership: OrganizationMembership,
    contract: ManagedContract,
    form: ManagerHandOutForm,
    *,
    report: Report | None = None,
    refusal: DomainError | None = None,
    status: int = 200,
    file: bool = False,
) -> HttpResponse:
    """The form as a page; for htmx what the list comes to, and what the button says."""
    here = contract_url(membership, contract)
    context = {
        "organization": membership.organization,
        "contract": contract,
        "form": form,
        "report": report,
        "refusal": refusal,
        "here": here,
        "file": file,
        "crumbs": [*way(membership.organization), Crumb(contract.name, here), Crumb(_("Hand out codes"))],
    }
    fragment = wants_fragment(request)
    template = "frontend/managers/hand_out_checked.html" if fragment else "frontend/managers/hand_out.html"
    response = render(request, template, context, status=200 if fragment else status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _back(request: HttpRequest, here: str, contract: ManagedContract) -> str:
    """The list as it was looked at; the query string is read again, never followed."""
    query = request.POST.get("query", "")
    return f"{here}?{query}" if query and query.isascii() and query.isprintable() and len(query) < 500 else here


def _parse_selection(request: HttpRequest) -> tuple[str, list[int]]:
    """What is to be done with which lines: with the one whose menu was used, else with those that are checked."""
    action, _dash, only = request.POST.get("only", "").partition("-")
    if action:
        return action, _ids([only])
    return request.POST.get("action", ""), _ids(request.POST.getlist("id"))


def _ids(texts: Sequence[str]) -> list[int]:
    return sorted({each for text in texts[:MOST_SELECTED] if (each := row_id(text)) is not None})


def _count(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 6 else None


def _file_name(contract: ManagedContract, subject: str) -> str:
    return f"{slugify(contract.name) or 'contract'}-{subject}"


def _withdraw(
    request: HttpRequest,
    membership: OrganizationMembership,
    contract: ManagedContract,
    ids: Sequence[int],
    *,
    back: str,
    now: datetime,
) -> HttpResponse:
    """Take one person's access away, once the manager has read who that is and what it means."""
    person = joined_with(ids[0], contract_id=contract.terms.pk) if len(ids) == 1 and contract.has_cap else None
    if person is None:
        messages.warning(request, _("No one has a seat with this code, so nothing was changed."))
        return redirect(back)
    if request.POST.get("sure") != "yes":
        here = contract_url(membership, contract)
        crumbs = [*way(membership.organization), Crumb(contract.name, here), Crumb(_("Withdraw access"))]
        context = {
            "organization": membership.organization,
            "contract": contract,
            "person": person,
            "code_id": ids[0],
            "back": back,
            "crumbs": crumbs,
            "query": request.POST.get("query", ""),
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
        messages.error(request, refusal.message)
    else:
        said = _("%(person)s’s access is withdrawn. Their seat is free.")
        messages.success(request, said % {"person": person.display_name})
    return redirect(back)


# --- What is done with a selection -----------------------------------------------------------------------------------


def _write_to(
    request: HttpRequest, contract: ManagedContract, action: str, ids: Sequence[int], *, now: datetime
) -> None:
    """Remind or send again, and say what became of it; a refusal is said on the list, where the manager was."""
    try:
        if action == "remind":
            _tell_reminded(request, _remind(contract, ids, by_id=account_id(request), now=now))
        else:
            _tell_again(request, _send_again(contract, ids, by_id=account_id(request), now=now))
    except (HandOutRefused, TooManyMails) as refusal:
        messages.error(request, refusal.message)


def _remind(contract: ManagedContract, ids: Sequence[int], *, by_id: int, now: datetime) -> ReminderReport:
    if contract.has_cap:
        return remind_codes(contract_id=contract.terms.pk, code_ids=ids, by_id=by_id, now=now)
    mine = open_hand_outs_of(contract_id=contract.terms.pk, hand_out_ids=ids)
    return remind(hand_out_ids=mine, by_id=by_id, now=now)


def _send_again(contract: ManagedContract, ids: Sequence[int], *, by_id: int, now: datetime) -> int:
    if contract.has_cap:
        mine = open_hand_outs_of(contract_id=contract.terms.pk, code_ids=ids)
    else:
        mine = open_hand_outs_of(contract_id=contract.terms.pk, hand_out_ids=ids)
    return send_again(hand_out_ids=mine, by_id=by_id, now=now)


def _revoke(contract: ManagedContract, ids: Sequence[int], *, by_id: int, now: datetime) -> int:
    if contract.has_cap:
        return revoke_codes(contract_id=contract.terms.pk, code_ids=ids, by_id=by_id, now=now)
    return take_back(contract_id=contract.terms.pk, hand_out_ids=ids, by_id=by_id, now=now)


def _tell_sent(request: HttpRequest, plan: HandOutPlan) -> None:
    sentence = ngettext("Codes sent to %(count)d person.", "Codes sent to %(count)d people.", plan.gives)
    sentence %= {"count": plan.gives}
    if plan.free_after is not None:
        free = ngettext("%(free)d seat is free.", "%(free)d seats are free.", plan.free_after)
        sentence = f"{sentence} {free % {'free': plan.free_after}}"
    messages.success(request, sentence)


def _tell_reminded(request: HttpRequest, report: ReminderReport) -> None:
    said = []
    if report.sent:
        said.append(
            ngettext("Reminder sent to %(count)d person.", "Reminder sent to %(count)d people.", report.sent)
            % {"count": report.sent}
        )
    if report.too_soon:
        said.append(
            ngettext(
                "%(count)d already had a reminder today.",
                "%(count)d were reminded today already; once a day is enough.",
                report.too_soon,
            )
            % {"count": report.too_soon}
        )
    if report.over:
        said.append(
            ngettext("%(count)d isn’t waiting for anyone.", "%(count)d aren’t waiting for anyone.", report.over)
            % {"count": report.over}
        )
    level = messages.SUCCESS if report.sent else messages.WARNING
    messages.add_message(request, level, " ".join(said))


def _tell_again(request: HttpRequest, sent: int) -> None:
    if sent:
        messages.success(
            request,
            ngettext("%(count)d mail is sent again.", "%(count)d mails are sent again.", sent) % {"count": sent},
        )
    else:
        messages.warning(request, _("None of these mails failed, so nothing was sent again."))


def _tell_revoked(request: HttpRequest, contract: ManagedContract, revoked: int, asked: int) -> None:
    if not revoked:
        messages.warning(request, _("None of these is waiting for someone, so nothing was taken back."))
        return
    if contract.has_cap:
        sentence = ngettext(
            "%(count)d code is taken back and free again. Its old link doesn’t work any more.",
            "%(count)d codes are taken back and free again. Their old links don’t work any more.",
            revoked,
        )
    else:
        sentence = ngettext("%(count)d invitation is canceled.", "%(count)d invitations are canceled.", revoked)
    said = sentence % {"count": revoked}
    if asked > revoked:
        left = ngettext(
            "%(count)d was left as it is: used, or not given to anyone.",
            "%(count)d were left as they are: used, or not given to anyone.",
            asked - revoked,
        )
        said = f"{said} {left % {'count': asked - revoked}}"
    messages.success(request, said)

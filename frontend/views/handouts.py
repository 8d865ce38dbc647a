"""Handing codes out, and acting on the checked ones: alike on every page that does, whoever has the codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from b2b.errors.handouts import HandOutRefused, TooManyMails
from b2b.selectors.handouts import addresses_of, has_codes_of_their_own
from b2b.services.handouts.assign import HandOutPlan, hand_out, plan_hand_out, remind, remind_codes
from b2b.services.handouts.mails import open_hand_outs_of, send_again
from b2b.services.handouts.revoke import revoke_codes, take_back
from frontend.pages.handout_form import RecipientsForm
from frontend.pages.handouts import HandOutPlace, HandOutReport
from frontend.site.parsing import account_id, parse_row_id
from frontend.views.answers import UNPROCESSABLE
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.fingerprint import PlanChanged
from mitxonline.kernel.http import wants_fragment

# A page shows 25 lines; this many can still be checked by hand.
MAX_SELECTED = 200
QUERY_MAX_LENGTH = 500


# --- Handing out -----------------------------------------------------------------------------------------------------


def answer_hand_out(request: HttpRequest, place: HandOutPlace, *, now: datetime) -> HttpResponse:
    """Show the form, check a list of people, or send codes to those of a plan that was seen."""
    if request.method != "POST":
        form = RecipientsForm(place.courses, initial={"run": parse_row_id(request.GET.get("run"))})
        return _render_hand_out(request, place, form)
    form = RecipientsForm(place.courses, request.POST, request.FILES)
    if not form.is_valid():
        return _render_hand_out(request, place, form, status=UNPROCESSABLE)
    asked = place.make_request(form.course_id, form.recipients)
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
            return redirect(f"{place.list_url}?state=invited")
    plan = plan_hand_out(asked, now=now)
    shown = form.as_typed(place.courses) if form.has_new_text else form
    shown.is_valid()
    return _render_hand_out(
        request,
        place,
        shown,
        report=HandOutReport(plan),
        refusal=refusal,
        status=refusal.status if refusal is not None else 200,
        is_rewritten=form.has_new_text,
        heading=form.heading,
    )


def _render_hand_out(
    request: HttpRequest,
    place: HandOutPlace,
    form: RecipientsForm,
    *,
    report: HandOutReport | None = None,
    refusal: DomainError | None = None,
    status: int = 200,
    is_rewritten: bool = False,
    heading: str = "",
) -> HttpResponse:
    """Render the form as a page; for htmx only the report and the button, always with status 200."""
    context = {
        "place": place,
        "here": place.list_url,
        "crumbs": place.crumbs(_("Hand out codes")),
        "form": form,
        "report": report,
        "refusal": refusal,
        "is_rewritten": is_rewritten,
        "heading": heading,
    }
    if wants_fragment(request):
        if form.is_bound:
            form.ask_quietly()
        response = render(request, "frontend/handouts/hand_out_checked.html", context)
    else:
        response = render(request, "frontend/handouts/hand_out.html", context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _sent_sentence(plan: HandOutPlan) -> str:
    sentence = ngettext("Codes sent to %(count)d person.", "Codes sent to %(count)d people.", plan.people_count)
    sentence %= {"count": plan.people_count}
    if plan.free_after is None:
        return sentence
    free = ngettext("%(free)d seat is free.", "%(free)d seats are free.", plan.free_after)
    return f"{sentence} {free % {'free': plan.free_after}}"


# --- Checked lines ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Selection:
    """What to do with which lines: codes, or hand-outs where everyone shares a code. `back` is the list."""

    action: str
    ids: Sequence[int]
    back: str


def parse_selection(request: HttpRequest, place: HandOutPlace) -> Selection:
    """Read the action and the ids: of the one line whose menu was used, or of the checked lines."""
    action, _dash, only = request.POST.get("only", "").partition("-")
    if action:
        texts = [only]
    else:
        action, texts = request.POST.get("action", ""), request.POST.getlist("id")
    ids = sorted({pk for text in texts[:MAX_SELECTED] if (pk := parse_row_id(text)) is not None})
    return Selection(action=action, ids=ids, back=_back_url(request, place.list_url))


def answer_selection(request: HttpRequest, place: HandOutPlace, selection: Selection, *, now: datetime) -> HttpResponse:
    """Remind, send again, or take back once it was confirmed."""
    action, ids = selection.action, selection.ids
    if not ids:
        messages.warning(request, _("Check at least one line first, then choose what to do."))
    elif action in ("remind", "again"):
        try:
            if action == "remind":
                _remind(request, place, ids, now=now)
            else:
                _send_again(request, place, ids, now=now)
        except (HandOutRefused, TooManyMails) as refusal:
            messages.error(request, str(refusal))
    elif action == "revoke" and request.POST.get("sure") != "yes":
        context = {
            "place": place,
            "crumbs": place.crumbs(_("Take back")),
            "ids": ids,
            "addresses": addresses_of(place.lot, ids, is_shared=not place.has_own_codes),
            "back": selection.back,
            "has_own": not place.has_own_codes and has_codes_of_their_own(place.lot, ids),
            "query": request.POST.get("query", ""),
        }
        return render(request, "frontend/handouts/revoke.html", context)
    elif action == "revoke":
        _revoke(request, place, ids, now=now)
    return redirect(selection.back)


def _back_url(request: HttpRequest, here: str) -> str:
    """Return the list with the filter it had. The query string is only ever appended to our own address."""
    query = request.POST.get("query", "")
    is_plain = query.isascii() and query.isprintable() and len(query) < QUERY_MAX_LENGTH
    return f"{here}?{query}" if query and is_plain else here


def _remind(request: HttpRequest, place: HandOutPlace, ids: Sequence[int], *, now: datetime) -> None:
    by_id = account_id(request)
    if place.has_own_codes:
        report = remind_codes(place.lot, code_ids=ids, by_id=by_id, now=now)
    else:
        report = remind(hand_out_ids=open_hand_outs_of(place.lot, hand_out_ids=ids), by_id=by_id, now=now)
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


def _send_again(request: HttpRequest, place: HandOutPlace, ids: Sequence[int], *, now: datetime) -> None:
    if place.has_own_codes:
        hand_out_ids = open_hand_outs_of(place.lot, code_ids=ids)
    else:
        hand_out_ids = open_hand_outs_of(place.lot, hand_out_ids=ids)
    sent = send_again(hand_out_ids=hand_out_ids, by_id=account_id(request), now=now)
    if sent:
        sentence = ngettext("Sending %(count)d e-mail again.", "Sending %(count)d e-mails again.", sent)
        messages.success(request, sentence % {"count": sent})
    else:
        messages.warning(request, _("None of these e-mails failed, so nothing was sent again."))


def _revoke(request: HttpRequest, place: HandOutPlace, ids: Sequence[int], *, now: datetime) -> None:
    by_id = account_id(request)
    if place.has_own_codes:
        revoked = revoke_codes(place.lot, code_ids=ids, by_id=by_id, now=now)
        sentence = ngettext(
            "%(count)d code is free again. Its old link no longer works.",
            "%(count)d codes are free again. Their old links no longer work.",
            revoked,
        )
    else:
        revoked = take_back(place.lot, hand_out_ids=ids, by_id=by_id, now=now)
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

"""Group purchases for buyers and helpers: hand codes out, share the work. For everyone else a purchase is a 404."""

from __future__ import annotations

from datetime import datetime

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from b2b.errors.groups import TooManyHelpersNamed
from b2b.models import CompanyList
from b2b.selectors.groups import find_group_sale, helpers_of, lists_open_to
from b2b.services.groups.helpers import name_helper, name_list_helper, remove_helper
from b2b.services.groups.lists import create_list, delete_list, list_sale, unlist_sale
from frontend.pages.groups import (
    CompanyListForm,
    GroupPlace,
    HelperForm,
    build_group_page,
    build_groups_page,
    group_file,
)
from frontend.pages.handout_form import RecipientsForm
from frontend.site.navigation import Crumb
from frontend.site.parsing import account, account_id, parse_row_id
from frontend.views.answers import refused_status, with_retry_after
from frontend.views.decorators import signed_in
from frontend.views.handouts import answer_hand_out, answer_selection, parse_selection
from mitxonline.kernel import clock
from mitxonline.kernel.audit import record
from mitxonline.kernel.errors import RateLimited
from mitxonline.kernel.forms import refusals_on
from mitxonline.kernel.ratelimit import RateLimit
from mitxonline.kernel.spreadsheets import spreadsheet_response

HELPERS = RateLimit("helpers")


@signed_in()
@require_safe
def list_groups(request: HttpRequest) -> HttpResponse:
    page = build_groups_page(account(request), params=request.GET, now=clock.now())
    return render(request, "frontend/groups/groups.html", {"page": page})


@signed_in(back_to="groups")
@require_safe
def show_group(request: HttpRequest, sale_id: int) -> HttpResponse:
    return _render_group(request, get_place(request, sale_id, clock.now()), HelperForm())


@signed_in(back_to="groups")
@require_http_methods(["GET", "HEAD", "POST"])
def hand_out_codes(request: HttpRequest, sale_id: int) -> HttpResponse:
    """Check a list of people, and send codes once the plan was seen."""
    now = clock.now()
    return answer_hand_out(request, get_place(request, sale_id, now), now=now)


@signed_in(back_to="groups")
@require_POST
def act_on_selection(request: HttpRequest, sale_id: int) -> HttpResponse:
    """Remind, send again or take back the checked codes."""
    now = clock.now()
    place = get_place(request, sale_id, now)
    return answer_selection(request, place, parse_selection(request, place), now=now)


@signed_in(back_to="groups")
@require_safe
def download_codes(request: HttpRequest, sale_id: int, kind: str) -> HttpResponseBase:
    """Download the codes, and record who did: each is worth a seat."""
    now = clock.now()
    place = get_place(request, sale_id, now)
    record(place.group.sale, "b2b.code.export", by_id=account_id(request))
    name = f"{slugify(place.group.title) or 'course'}-codes"
    return spreadsheet_response(group_file(place, now=now), name=name, title=_("Codes"), style=kind)


@signed_in(back_to="groups")
@require_POST
def add_helper(request: HttpRequest, sale_id: int) -> HttpResponse:
    """Let someone hand out the codes. Only the buyer may."""
    now = clock.now()
    place = _get_own_place(request, sale_id, now)
    form = HelperForm(request.POST)
    if form.is_valid():
        with refusals_on(form) as caught:
            _refuse_many_helpers(request)
            helper = name_helper(
                user_id=account_id(request), sale_id=sale_id, email=form.cleaned_data["email"].email, now=now
            )
            _count_helper(request)
            messages.success(request, _("%(email)s can hand out these codes now.") % {"email": helper.email})
            return redirect(f"{place.list_url}#helpers")
        if caught.refusal is not None:
            response = _render_group(request, place, form, status=refused_status(caught.refusal))
            return with_retry_after(response, caught.refusal)
    return _render_group(request, place, form, status=422)


@signed_in(back_to="groups")
@require_POST
def drop_helper(request: HttpRequest, sale_id: int, helper_id: int) -> HttpResponse:
    place = _get_own_place(request, sale_id, clock.now())
    helper = helpers_of(sale_id=sale_id).filter(pk=helper_id).first()
    if helper is not None:  # else another tab was faster
        remove_helper(user_id=account_id(request), helper_id=helper.pk)
        messages.success(request, _("%(email)s can no longer hand out these codes.") % {"email": helper.email})
    return redirect(f"{place.list_url}#helpers")


@signed_in(back_to="groups")
@require_POST
def choose_list(request: HttpRequest, sale_id: int) -> HttpResponse:
    """Put a purchase of one's own on a company list, or take it off."""
    now = clock.now()
    place = _get_own_place(request, sale_id, now)
    chosen = parse_row_id(request.POST.get("list"))
    if chosen is None:
        unlist_sale(user_id=account_id(request), sale_id=sale_id)
        messages.success(request, _("This purchase is on no company list now."))
    else:
        company_list = _get_list(request, chosen)
        list_sale(user_id=account_id(request), sale_id=sale_id, company_list_id=chosen, now=now)
        messages.success(request, _("This purchase is on the list “%(name)s” now.") % {"name": company_list.name})
    return redirect(f"{place.list_url}#company")


# --- Company lists ---------------------------------------------------------------------------------------------------


@signed_in(back_to="groups")
@require_http_methods(["GET", "HEAD", "POST"])
def add_list(request: HttpRequest) -> HttpResponse:
    form = CompanyListForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        made = create_list(owner_id=account_id(request), name=form.cleaned_data["name"], now=clock.now())
        messages.success(request, _("The list is ready. Put purchases on it from their pages."))
        return redirect("company-list", made.pk)
    context = {"form": form, "crumbs": [_groups_crumb(), Crumb(_("New company list"))]}
    return render(request, "frontend/groups/new_list.html", context, status=422 if form.is_bound else 200)


@signed_in(back_to="groups")
@require_safe
def show_list(request: HttpRequest, list_id: int) -> HttpResponse:
    return _render_list(request, _get_list(request, list_id), HelperForm())


@signed_in(back_to="groups")
@require_POST
def add_list_helper(request: HttpRequest, list_id: int) -> HttpResponse:
    company_list = _get_own_list(request, list_id)
    form = HelperForm(request.POST)
    if form.is_valid():
        with refusals_on(form) as caught:
            _refuse_many_helpers(request)
            helper = name_list_helper(
                user_id=account_id(request),
                company_list_id=list_id,
                email=form.cleaned_data["email"].email,
                now=clock.now(),
            )
            _count_helper(request)
            sentence = _("%(email)s can hand out the codes of this list now.")
            messages.success(request, sentence % {"email": helper.email})
            return redirect("company-list", list_id)
        if caught.refusal is not None:
            response = _render_list(request, company_list, form, status=refused_status(caught.refusal))
            return with_retry_after(response, caught.refusal)
    return _render_list(request, company_list, form, status=422)


@signed_in(back_to="groups")
@require_POST
def drop_list_helper(request: HttpRequest, list_id: int, helper_id: int) -> HttpResponse:
    _get_own_list(request, list_id)
    helper = helpers_of(company_list_id=list_id).filter(pk=helper_id).first()
    if helper is not None:  # else another tab was faster
        remove_helper(user_id=account_id(request), helper_id=helper.pk)
        sentence = _("%(email)s can no longer hand out the codes of this list.")
        messages.success(request, sentence % {"email": helper.email})
    return redirect("company-list", list_id)


@signed_in(back_to="groups")
@require_POST
def take_off_list(request: HttpRequest, list_id: int, sale_id: int) -> HttpResponse:
    """Take someone's purchase off one's own list."""
    _get_own_list(request, list_id)
    unlist_sale(user_id=account_id(request), sale_id=sale_id)
    return redirect("company-list", list_id)


@signed_in(back_to="groups")
@require_http_methods(["GET", "HEAD", "POST"])
def remove_list(request: HttpRequest, list_id: int) -> HttpResponse:
    """Delete a list of one's own after a page that says what it means."""
    company_list = _get_own_list(request, list_id)
    if request.method == "POST":
        delete_list(user_id=account_id(request), company_list_id=list_id)
        sentence = _("The list “%(name)s” is deleted. Its purchases stay with their buyers.")
        messages.success(request, sentence % {"name": company_list.name})
        return redirect("groups")
    crumbs = [
        _groups_crumb(),
        Crumb(company_list.name, reverse("company-list", args=[list_id])),
        Crumb(_("Delete the list")),
    ]
    return render(request, "frontend/groups/delete_list.html", {"company_list": company_list, "crumbs": crumbs})


# --- Requests --------------------------------------------------------------------------------------------------------


def get_place(request: HttpRequest, sale_id: int, now: datetime) -> GroupPlace:
    """Return the purchase. The 404 is the same whether or not it exists."""
    group = find_group_sale(account(request), sale_id, now=now)
    if group is None:
        raise Http404
    return GroupPlace(group)


def _get_own_place(request: HttpRequest, sale_id: int, now: datetime) -> GroupPlace:
    """Return a purchase of one's own: helpers name no one and decide about no list."""
    place = get_place(request, sale_id, now)
    if not place.group.is_mine:
        raise Http404
    return place


def _get_list(request: HttpRequest, list_id: int) -> CompanyList:
    found = lists_open_to(account(request)).filter(pk=list_id).first()
    if found is None:
        raise Http404
    return found


def _get_own_list(request: HttpRequest, list_id: int) -> CompanyList:
    found = _get_list(request, list_id)
    if found.owner_id != account_id(request):
        raise Http404
    return found


def _groups_crumb() -> Crumb:
    return Crumb(_("Group purchases"), reverse("groups"))


def _refuse_many_helpers(request: HttpRequest) -> None:
    try:
        HELPERS.check({"user": account_id(request)})
    except RateLimited as limited:
        raise TooManyHelpersNamed(retry_after=limited.retry_after) from None


def _count_helper(request: HttpRequest) -> None:
    HELPERS.count({"user": account_id(request)})


def _render_group(
    request: HttpRequest, place: GroupPlace, helper_form: HelperForm, *, status: int = 200
) -> HttpResponse:
    page = build_group_page(place, account(request), params=request.GET, now=place.group.now)
    context = {
        "page": page,
        "place": place,
        "group": place.group,
        "crumbs": place.crumbs(),
        "form": RecipientsForm(None),
        "helper_form": helper_form,
    }
    return render(request, "frontend/groups/group.html", context, status=status)


def _render_list(
    request: HttpRequest, company_list: CompanyList, helper_form: HelperForm, *, status: int = 200
) -> HttpResponse:
    user = account(request)
    is_mine = company_list.owner_id == user.pk
    context = {
        "company_list": company_list,
        "page": build_groups_page(user, params=request.GET, now=clock.now(), company_list=company_list),
        "is_mine": is_mine,
        "helpers": helpers_of(company_list_id=company_list.pk) if is_mine else (),
        "helper_form": helper_form,
        "crumbs": [_groups_crumb(), Crumb(company_list.name)],
    }
    return render(request, "frontend/groups/list.html", context, status=status)

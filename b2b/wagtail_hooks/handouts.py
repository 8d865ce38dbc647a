"""Giving codes to people from the workbench, one or many, and taking them back."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.functional import cached_property
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from wagtail.admin import messages

from b2b.errors.handouts import NoSeatToGive
from b2b.selectors.codes import CodeLine, RunOfContract, code_line, runs_of
from b2b.services.handouts.assign import (
    HandOutRequest,
    Recipient,
    assign_code,
    hand_out,
    plan_hand_out,
    remind_code,
)
from b2b.services.handouts.revoke import revoke_code
from b2b.wagtail_hooks.codes import named
from b2b.wagtail_hooks.contracts import contract_url
from b2b.wagtail_hooks.workbench import ContractTemplateView, said
from mitxonline.kernel import clock
from mitxonline.kernel.addresses import parse_people
from mitxonline.kernel.errors import DomainError

MOST_PEOPLE = 1_000
NAME_LENGTH = 255


class AssignForm(forms.Form):
    """Whom a code is for."""

    email = forms.EmailField(label=_("E-mail"), widget=forms.EmailInput(attrs={"autocomplete": "off"}))
    name = forms.CharField(label=_("Name"), max_length=NAME_LENGTH, required=False)


class CodeView(ContractTemplateView):
    """An act on one code, after it was shown."""

    works = True
    tab = "codes"

    @cached_property
    def line(self) -> CodeLine:
        """The code of this address, which has to be this contract's."""
        line = code_line(contract_id=self.contract.pk, code_id=self.kwargs["code_id"], now=clock.now())
        if line is None:
            raise Http404
        return line

    @property
    def back_url(self) -> str:
        """The list."""
        return contract_url("codes", self.contract.pk)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(line=self.line, back_url=self.back_url, **kwargs)


class AssignView(CodeView):
    """Give this very code to someone."""

    template_name = "b2b/admin/assign_code.html"

    def get_page_subtitle(self) -> str:
        return gettext("Assign a code")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        kwargs.setdefault("form", AssignForm())
        return super().get_context_data(**kwargs)

    def post(self, request: HttpRequest, pk: int, code_id: int) -> HttpResponse:
        """A refusal is shown beside what was typed."""
        form = AssignForm(request.POST)
        if form.is_valid():
            given = form.cleaned_data
            try:
                assign_code(
                    code_id=self.line.pk,
                    email=given["email"],
                    name=given["name"],
                    by_id=request.user.pk,
                    now=clock.now(),
                )
            except DomainError as refusal:
                form.add_error(None, told_to_staff(refusal))
            else:
                done = gettext("The code is for %(email)s now; a mail with the link is on its way.")
                messages.success(request, done % {"email": given["email"]})
                return redirect(self.back_url)
        return self.render_to_response(self.get_context_data(form=form), status=422)


class RevokeView(CodeView):
    """Take an assigned code back; the link in the mail stops working."""

    template_name = "b2b/admin/revoke_code.html"

    def get_page_subtitle(self) -> str:
        return gettext("Revoke a code")

    def post(self, request: HttpRequest, pk: int, code_id: int) -> HttpResponse:
        line = self.line

        def act() -> str:
            revoke_code(code_id=line.pk, by_id=request.user.pk, now=clock.now())
            return gettext("The code is free again, with a new text. The old one opens nothing.")

        return said(request, act, then=self.back_url)


class RemindView(CodeView):
    """Write to someone again; once a day at most."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int, code_id: int) -> HttpResponse:
        line = self.line

        def act() -> str:
            remind_code(code_id=line.pk, by_id=request.user.pk, now=clock.now())
            return gettext("A reminder is on its way to %(email)s.") % {"email": line.assigned_email}

        return said(request, act, then=self.back_url)


class HandOutForm(forms.Form):
    """Who shall get codes, for which course."""

    people = forms.CharField(
        label=_("People"),
        help_text=_("An e-mail address on each line, with a name behind it if you like: ada@example.org, Ada Lovelace"),
        widget=forms.Textarea(attrs={"rows": 6, "autocomplete": "off"}),
        max_length=100_000,
    )

    def __init__(self, *args: Any, runs: list[RunOfContract], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        current = [(str(run.pk), named(run)) for run in runs if not run.is_removed]
        self.fields["run"] = forms.ChoiceField(label=_("Course"), choices=current)
        self.order_fields(["run", "people"])

    def clean_people(self) -> list[Recipient]:
        """One for each line; whether they are addresses is said by the plan, line by line."""
        people = parse_people(self.cleaned_data["people"])
        if len(people) > MOST_PEOPLE:
            sentence = ngettext("That is more than %(most)d line.", "That are more than %(most)d lines.", MOST_PEOPLE)
            raise forms.ValidationError(sentence % {"most": MOST_PEOPLE})
        return [Recipient(person.email, person.name) for person in people]


class HandOutView(ContractTemplateView):
    """Give codes to many: first the plan, then, on the same page, the deed."""

    works = True
    tab = "codes"
    template_name = "b2b/admin/hand_out.html"

    def get_page_subtitle(self) -> str:
        return gettext("Assign codes")

    @cached_property
    def runs(self) -> list[RunOfContract]:
        """The contract's runs."""
        return runs_of(self.contract.pk)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        kwargs.setdefault("form", HandOutForm(runs=self.runs))
        return super().get_context_data(back_url=contract_url("codes", self.contract.pk), **kwargs)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        form = HandOutForm(request.POST, runs=self.runs)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form), status=422)
        wanted, now = HandOutRequest(int(form.cleaned_data["run"]), form.cleaned_data["people"]), clock.now()
        if seen := request.POST.get("seen"):
            try:
                done = hand_out(wanted, by_id=request.user.pk, now=now, seen=seen)
            except DomainError as refusal:
                messages.error(request, told_to_staff(refusal))
            else:
                n = done.people_count
                sentence = ngettext(
                    "A code is on its way to %(n)d person.", "Codes are on their way to %(n)d people.", n
                )
                messages.success(request, sentence % {"n": n})
                return redirect(contract_url("codes", pk))
        plan = plan_hand_out(wanted, now=now)
        told = told_to_staff(plan.refusal) if plan.refusal is not None else ""
        return self.render_to_response(self.get_context_data(form=form, plan=plan, refusal=told))


def told_to_staff(refusal: DomainError) -> str:
    """A refusal in staff's words: no one is told to ask us who is us."""
    return str(refusal.for_staff() if isinstance(refusal, NoSeatToGive) else refusal)

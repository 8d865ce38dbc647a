"""One invoice in the Wagtail admin: the draft's form, its preview, issuing, and what happens to it afterwards."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail import hooks
from wagtail.admin import messages

from ecommerce.enums import InvoiceEntryKind
from ecommerce.errors.invoices import DraftChanged, InvoiceIssuedAlready, InvoiceNotReady, InvoiceUnknown, NothingIsDue
from ecommerce.forms.invoices import (
    CreditForm,
    InvoiceForm,
    LineFormSet,
    MoneyMovedForm,
    ReversalForm,
    VoidForm,
    initial_lines,
    products_to_invoice,
    read_typed_lines,
)
from ecommerce.models import Customer, Invoice, InvoiceEntry
from ecommerce.roles import Action, ShopScope, may
from ecommerce.selectors.invoice_document import name_tax_rate
from ecommerce.selectors.invoice_seats import count_seats
from ecommerce.selectors.invoices import InvoiceFile, draft_fingerprint, invoices_in, read_invoice
from ecommerce.selectors.order_desk import read_log
from ecommerce.selectors.shop import shop_settings
from ecommerce.services.invoices import entries
from ecommerce.services.invoices.drafts import delete_draft, save_draft
from ecommerce.services.invoices.files import draw_credit_note_file, draw_invoice_file, make_code_file
from ecommerce.services.invoices.issuing import issue_invoice, plan_invoice, send_again
from ecommerce.wagtail_hooks.invoice_lists import INVOICE_TONES, INVOICES, invoice_url, standing_of
from ecommerce.wagtail_hooks.invoice_policies import customers_of, invoice_scope
from mitxonline.kernel import audit, clock
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.fingerprint import PlanChanged
from mitxonline.kernel.forms import refusals_on
from mitxonline.kernel.timeline import SubjectKind, timeline_url
from mitxonline.staff.pages import StaffButtonView, StaffFormPage, StaffPage, StaffPageMixin

# Other apps name what an invoice is about: functions of the request and the invoice that return (label, address) pairs.
INVOICE_LINKS = "register_invoice_links"
MORE_LINES = 5
LINES = "lines"


class OneInvoiceMixin:
    """Asks for a permission on this one invoice. Invoices that someone may not see answer 404, like missing ones."""

    model = Invoice
    request: HttpRequest
    kwargs: dict[str, Any]

    def user_has_permission(self, permission: str) -> bool:
        seen, scope = invoice_scope(self.request.user, "view"), invoice_scope(self.request.user, permission)
        if seen and not self._is_in(seen):
            raise Http404
        return self._is_in(scope)

    def _is_in(self, scope: ShopScope) -> bool:
        return scope.is_whole or bool(scope and invoices_in(scope).filter(pk=self.kwargs["pk"]).exists())


class InvoiceMixin(OneInvoiceMixin, StaffPageMixin):
    """A page about one invoice. An empty subtitle means the invoice's own page."""

    header_icon = "doc-full"

    @cached_property
    def file(self) -> InvoiceFile:
        try:
            return read_invoice(self.kwargs["pk"])
        except InvoiceUnknown as unknown:
            raise Http404 from unknown

    @property
    def invoice(self) -> Invoice:
        return self.file.invoice

    def get_page_title(self) -> str:
        return name_invoice(self.invoice)

    def get_parents(self) -> list[tuple[str, object]]:
        parents: list[tuple[str, object]] = [(reverse(f"{INVOICES}:index"), _("Invoices"))]
        if self.get_page_subtitle():
            parents.append((self.get_success_url(), name_invoice(self.invoice)))
        return parents

    def get_success_url(self) -> str:
        return invoice_url(self.kwargs["pk"])

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {"file": self.file, "invoice": self.invoice, "back_url": self.get_success_url()}

    def refuse(self, message: str) -> HttpResponse:
        """Lead back to the invoice with the reason why this page can't be used."""
        messages.error(self.request, message)
        return redirect(self.get_success_url())


def name_invoice(invoice: Invoice) -> str:
    if invoice.number:
        return _("Invoice %(number)s") % {"number": invoice.number}
    return _("Draft invoice %(id)d") % {"id": invoice.pk}


class InvoiceView(InvoiceMixin, StaffPage):
    """Everything about an invoice."""

    template_name = "ecommerce/admin/invoice.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        standing = standing_of(self.invoice)
        links = [
            link for hook in hooks.get_hooks(INVOICE_LINKS) for link in hook(request=self.request, invoice=self.invoice)
        ]
        counts = count_seats(self.invoice)
        return super().get_context_data(
            may={name: self.user_has_permission(name) for name in ("issue", "pay", "void")},
            standing=standing,
            tone=INVOICE_TONES[standing],
            links=links,
            lines=[(line, counts.get(line.line.pk)) for line in self.file.lines],
            has_codes=bool(counts),
            tax_rate=name_tax_rate(self.invoice),
            timeline=self._find_timeline(),
            log=list(read_log(self.invoice)),
            can_void=self.invoice.is_alive and not (self.invoice.paid_total or self.invoice.credited_total),
            can_credit=self.invoice.is_alive and any(line.can_be_credited for line in self.file.lines),
            **kwargs,
        )

    def _find_timeline(self) -> str:
        """Return the address of its timeline, for those who may search timelines for invoices."""
        if not may(self.request.user, Action.INVOICE_VIEW):
            return ""
        return timeline_url(SubjectKind.INVOICE, self.invoice.pk)


class DraftFormPage(StaffFormPage):
    """The form of a draft. Its lines are a form set; “More lines” adds some without saving."""

    model = Invoice
    permission_required = "issue"
    header_icon = "doc-full"
    form_class = InvoiceForm
    template_name = "ecommerce/admin/invoice_form.html"

    def get_draft(self) -> Invoice | None:
        return None

    @cached_property
    def draft(self) -> Invoice | None:
        return self.get_draft()

    def get_parents(self) -> list[tuple[str, object]]:
        return [(reverse(f"{INVOICES}:index"), _("Invoices"))]

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"instance": self.draft, **self._form_options}

    @property
    def _form_options(self) -> dict[str, Any]:
        return {"shop": shop_settings(), "customers": customers_of(self.request.user)}

    @cached_property
    def line_forms(self) -> Any:
        form_kwargs = {
            "products": products_to_invoice(self.draft, invoice_scope(self.request.user, "issue")),
            "currency": self._read_currency(),
        }
        if self.request.method != "POST":
            return LineFormSet(initial=initial_lines(self.draft), form_kwargs=form_kwargs, prefix=LINES)
        if "more" in self.request.POST:
            typed = read_typed_lines(self.request.POST, LINES, more=MORE_LINES)
            return LineFormSet(initial=typed, form_kwargs=form_kwargs, prefix=LINES)
        return LineFormSet(self.request.POST, form_kwargs=form_kwargs, prefix=LINES)

    def _read_currency(self) -> str:
        posted = self.request.POST.get("currency", "")
        form = InvoiceForm(**self._form_options)
        offered = [value for value, _label in form.fields["currency"].choices]  # type: ignore[attr-defined]
        return posted if posted in offered else str(offered[0])

    @property
    def seen(self) -> str:
        """The fingerprint of the draft as it is stored; empty for a new one."""
        if self.draft is None:
            return ""
        stored = Invoice.objects.get(pk=self.draft.pk)
        return draft_fingerprint(stored, list(stored.lines.order_by("pk")))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            line_forms=self.line_forms,
            seen=kwargs.pop("seen", None) or self.request.POST.get("seen") or self.seen,
            customers_url=reverse(Customer.snippet_viewset.get_url_name("add")),  # type: ignore[attr-defined]
            back_url=invoice_url(self.draft.pk) if self.draft is not None else reverse(f"{INVOICES}:index"),
            **kwargs,
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if "more" in request.POST:
            # Nothing is checked yet: the form shows what was typed.
            typed = {name: value for name, value in request.POST.items() if value}
            typed["is_reverse_charge"] = typed.get("is_reverse_charge", "")
            form = InvoiceForm(initial=typed, instance=self.draft, **self._form_options)
            return self.render_to_response(self.get_context_data(form=form))
        form = self.get_form()
        is_valid = form.is_valid()
        if not self.line_forms.is_valid() or not is_valid:
            return self.form_invalid(form)
        return self.form_valid(form)

    def perform(self, form: InvoiceForm) -> str:
        invoice = form.save(commit=False)
        if not invoice_scope(self.request.user, "issue").is_whole and not self._is_of_courses():
            raise InvoiceNotReady(sentence=_("Add a line for one of your courses."))
        is_new = invoice.pk is None
        saved = save_draft(
            invoice,
            self.line_forms.to_lines(),
            by_id=self.request.user.pk,
            seen=None if is_new else self.request.POST.get("seen", ""),
        )
        self.saved_id = saved.pk
        if form.has_new_customer:
            return _(
                "The draft is saved for %(company)s. Contact and address are this customer’s now, except what you "
                "changed: check them on the preview."
            ) % {"company": saved.company}
        return _("The draft is saved. Look at its preview, then issue it.")

    def _is_of_courses(self) -> bool:
        """Whether there are lines, all of them for courses: only then people with a role for some find the draft."""
        lines = self.line_forms.to_lines()
        return bool(lines) and all(line.product is not None for line in lines)

    def show_refusal(self, form: Any, refusal: DomainError) -> HttpResponse:
        if isinstance(refusal, InvoiceIssuedAlready) and self.draft is not None:
            messages.error(self.request, str(refusal))
            return redirect(invoice_url(self.draft.pk))
        if isinstance(refusal, DraftChanged):
            form.add_error(None, str(refusal))
            return self.render_to_response(self.get_context_data(form=form, seen=self.seen), status=422)
        return super().show_refusal(form, refusal)

    def get_success_url(self) -> str:
        return invoice_url(self.saved_id)


class AddInvoiceView(DraftFormPage):
    page_title = gettext_lazy("Create invoice")

    def get_initial(self) -> dict[str, Any]:
        key = self.request.GET.get("customer", "")
        customer = customers_of(self.request.user).filter(pk=key).first() if key.isdecimal() and len(key) < 19 else None
        return InvoiceForm.initial_for(customer, shop_settings())


class EditInvoiceView(OneInvoiceMixin, DraftFormPage):
    page_subtitle = gettext_lazy("Edit")

    def get_draft(self) -> Invoice | None:
        draft = Invoice.objects.select_related("customer").filter(pk=self.kwargs["pk"]).first()
        if draft is None:
            raise Http404
        return draft

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if self.user_has_permission("issue") and self.draft is not None and not self.draft.is_draft:
            messages.error(request, str(InvoiceIssuedAlready(number=self.draft.number)))
            return redirect(invoice_url(self.draft.pk))
        return super().dispatch(request, *args, **kwargs)

    def get_page_title(self) -> str:
        return name_invoice(self.draft) if self.draft is not None else ""


class IssueView(InvoiceMixin, StaffFormPage):
    """What issuing will do, and the button that does it."""

    permission_required = "issue"
    page_subtitle = gettext_lazy("Issue")
    form_class = forms.Form
    template_name = "ecommerce/admin/invoice_issue.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.invoice.is_draft:
            return self.refuse(str(InvoiceIssuedAlready(number=self.invoice.number)))
        return super().get(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        plan = plan_invoice(invoice_id=self.kwargs["pk"], now=clock.now())
        return super().get_context_data(plan=plan, seen=plan.fingerprint(), **kwargs)

    def perform(self, form: forms.Form) -> str:
        invoice = issue_invoice(
            invoice_id=self.kwargs["pk"],
            seen=self.request.POST.get("seen", ""),
            by_id=self.request.user.pk,
            now=clock.now(),
        )
        return _("Invoice %(number)s is issued. Its e-mail is on its way.") % {"number": invoice.number}

    def show_refusal(self, form: Any, refusal: DomainError) -> HttpResponse:
        if isinstance(refusal, InvoiceIssuedAlready):
            return self.refuse(_("Invoice %(number)s has already been issued.") % {"number": refusal.number})
        return super().show_refusal(form, refusal)


class DecisionPage(InvoiceMixin, StaffFormPage):
    """A decision about an invoice: what it will do, the form, and a button."""

    template_name = "ecommerce/admin/invoice_decide.html"

    def get_effects(self) -> list[str]:
        """Say what the decision will do, a sentence each."""
        return []

    def show_refusal(self, form: Any, refusal: DomainError) -> HttpResponse:
        """Show the invoice and the form as they are now: what they said before may be what is refused."""
        self.__dict__.pop("file", None)
        again = self.get_form()
        again.is_valid()
        return super().show_refusal(again, refusal)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(effects=self.get_effects(), button=self.get_page_subtitle(), **kwargs)


class DeleteDraftView(DecisionPage):
    permission_required = "issue"
    page_subtitle = gettext_lazy("Delete the draft")
    form_class = forms.Form

    def get_effects(self) -> list[str]:
        return [_("The draft and its lines are gone. It has no number, so no number is lost.")]

    def perform(self, form: forms.Form) -> str:
        delete_draft(invoice_id=self.kwargs["pk"], by_id=self.request.user.pk)
        return _("The draft is deleted.")

    def get_success_url(self) -> str:
        return invoice_url(self.kwargs["pk"]) if self.request.method == "GET" else reverse(f"{INVOICES}:index")


class PaymentView(DecisionPage):
    permission_required = "pay"
    page_subtitle = gettext_lazy("Record a payment")
    form_class: type[forms.Form] = MoneyMovedForm

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"invoice": self.invoice}

    def get_initial(self) -> dict[str, Any]:
        return MoneyMovedForm.initial_for(self.invoice, self.invoice.balance)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.invoice.is_open:
            return self.refuse(str(NothingIsDue(number=self.invoice.number)))
        return super().get(request, *args, **kwargs)

    def get_effects(self) -> list[str]:
        return [
            _("%(left)s is still due.") % {"left": self.invoice.balance.formatted()},
            _("A recorded payment can’t be changed, only reversed."),
        ]

    def get_refused_field(self, form: Any, refusal: DomainError) -> str | None:
        return _REFUSED_FIELDS.get(refusal.code)

    def perform(self, form: MoneyMovedForm) -> str:
        entry = entries.record_payment(
            invoice_id=self.kwargs["pk"], moved=form.to_moved(), by_id=self.request.user.pk, now=clock.now()
        )
        return _("The payment of %(amount)s is recorded.") % {"amount": entry.money.formatted()}


_REFUSED_FIELDS = {
    "payment_in_other_currency": "currency",
    "payment_too_large": "amount",
    "payment_amount_needed": "amount",
    "nothing_to_pay_back": "amount",
    "payment_in_future": "happened_on",
    "payment_long_before": "happened_on",
}


class PayoutView(PaymentView):
    page_subtitle = gettext_lazy("Record money paid back")

    def get_initial(self) -> dict[str, Any]:
        return MoneyMovedForm.initial_for(self.invoice, -self.invoice.balance)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.invoice.balance.is_negative:
            return self.refuse(_("We owe the customer nothing on this invoice."))
        return StaffFormPage.get(self, request, *args, **kwargs)

    def get_effects(self) -> list[str]:
        return [_("We owe the customer %(owed)s.") % {"owed": (-self.invoice.balance).formatted()}]

    def perform(self, form: MoneyMovedForm) -> str:
        entry = entries.record_payout(
            invoice_id=self.kwargs["pk"], moved=form.to_moved(), by_id=self.request.user.pk, now=clock.now()
        )
        return _("%(amount)s is recorded as paid back.") % {"amount": entry.money.formatted()}


class ReversePaymentView(DecisionPage):
    permission_required = "pay"
    page_subtitle = gettext_lazy("Reverse the payment")
    form_class = ReversalForm

    @cached_property
    def payment(self) -> InvoiceEntry:
        found = (entry for entry in self.file.entries if entry.pk == self.kwargs["entry_id"] and entry.can_be_reversed)
        payment = next(found, None)
        if payment is None and self.request.method != "POST":
            raise Http404
        return payment or InvoiceEntry(amount=0, currency=self.invoice.currency)

    def get_initial(self) -> dict[str, Any]:
        return {"posted_as": uuid.uuid4()}

    def get_effects(self) -> list[str]:
        return [
            _("%(amount)s is due again.") % {"amount": self.payment.money.formatted()},
            _("The payment stays on the list, with its reversal."),
        ]

    def perform(self, form: ReversalForm) -> str:
        entries.reverse_payment(
            invoice_id=self.kwargs["pk"],
            entry_id=self.kwargs["entry_id"],
            reason=form.cleaned_data["reason"],
            posted_as=form.cleaned_data["posted_as"],
            by_id=self.request.user.pk,
            now=clock.now(),
        )
        return _("The payment is reversed.")


class CreditView(InvoiceMixin, StaffFormPage):
    """A credit note: the seats, then what will happen, then the note."""

    permission_required = "void"
    page_subtitle = gettext_lazy("Credit note")
    form_class = CreditForm
    template_name = "ecommerce/admin/invoice_credit.html"

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"lines": self.file.lines, "counts": count_seats(self.invoice)}

    def get_initial(self) -> dict[str, Any]:
        return {"posted_as": uuid.uuid4()}

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.invoice.is_alive:
            return self.refuse(_("Only an issued invoice can be credited."))
        return super().get(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if "back" in request.POST:
            return self.render_to_response(self.get_context_data())
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: CreditForm) -> HttpResponse:
        return super().form_valid(form) if "confirmed" in self.request.POST else self.show_plan(form)

    def show_refusal(self, form: Any, refusal: DomainError) -> HttpResponse:
        if not isinstance(refusal, PlanChanged):
            return super().show_refusal(form, refusal)
        messages.warning(self.request, str(refusal))
        return self.show_plan(form)

    def show_plan(self, form: CreditForm) -> HttpResponse:
        with refusals_on(form):
            plan = entries.plan_credit_note(form.to_request(), invoice_id=self.kwargs["pk"])
        if not form.is_valid():
            return self.form_invalid(form)
        self.template_name = "ecommerce/admin/invoice_credit_confirm.html"
        return self.render_to_response(self.get_context_data(form=form, plan=plan, seen=plan.fingerprint()))

    def perform(self, form: CreditForm) -> str:
        entry = entries.issue_credit_note(
            form.to_request(),
            invoice_id=self.kwargs["pk"],
            seen=self.request.POST.get("seen", ""),
            posted_as=form.cleaned_data["posted_as"],
            by_id=self.request.user.pk,
            now=clock.now(),
        )
        return _("Credit note %(number)s is issued. Its e-mail is on its way.") % {"number": entry.number}


class VoidView(DecisionPage):
    permission_required = "void"
    page_subtitle = gettext_lazy("Void the invoice")
    form_class = VoidForm
    template_name = "ecommerce/admin/invoice_decide.html"

    @cached_property
    def plan(self) -> Any:
        return entries.plan_voiding(invoice_id=self.kwargs["pk"])

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not self.user_has_permission("void"):
            raise PermissionDenied
        try:
            _plan = self.plan
        except InvoiceUnknown as unknown:
            raise Http404 from unknown
        except DomainError as refusal:
            return self.refuse(str(refusal))
        return super().dispatch(request, *args, **kwargs)

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"used": self.plan.used}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(seen=self.plan.fingerprint(), **kwargs)

    def get_effects(self) -> list[str]:
        effects = [
            _("Nothing is due on it any more. It keeps its number, and this can’t be undone."),
            _("Codes that are switched off, because no one has used them: %(count)d.") % {"count": self.plan.free},
        ]
        if self.plan.used:
            effects.append(
                _("Codes that were used: %(count)d. They can’t be taken back here; decide below.")
                % {"count": self.plan.used}
            )
        return [*effects, _("The customer is told by e-mail.")]

    def show_refusal(self, form: Any, refusal: DomainError) -> HttpResponse:
        del self.plan  # read before the change
        try:
            _plan = self.plan
        except DomainError as stopped:  # paid or credited meanwhile
            return self.refuse(str(stopped))
        return super().show_refusal(form, refusal)

    def perform(self, form: VoidForm) -> str:
        invoice = entries.void_invoice(
            invoice_id=self.kwargs["pk"],
            reason=form.cleaned_data["reason"],
            keeps_used=bool(form.cleaned_data.get("keeps_used")),
            seen=self.request.POST.get("seen", ""),
            by_id=self.request.user.pk,
            now=clock.now(),
        )
        return _("Invoice %(number)s is void.") % {"number": invoice.number}


class InvoiceButtonView(OneInvoiceMixin, StaffButtonView):
    permission_required = "issue"

    def get_success_url(self) -> str:
        return invoice_url(self.kwargs["pk"])


class SendView(InvoiceButtonView):
    """E-mail the invoice again."""

    def perform(self) -> str:
        send_again(invoice_id=self.kwargs["pk"], by_id=self.request.user.pk)
        return _("The invoice is on its way to the customer.")


class PauseView(InvoiceButtonView):
    """Pause or resume reminders."""

    def perform(self) -> str:
        is_paused = self.request.POST.get("paused") == "1"
        entries.pause_reminders(invoice_id=self.kwargs["pk"], is_paused=is_paused, by_id=self.request.user.pk)
        return _("Reminders are paused.") if is_paused else _("Reminders go on.")


class InvoicePDFView(InvoiceMixin, StaffPage):
    """The PDF of an invoice, or the preview of a draft."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        content = draw_invoice_file(self.invoice, now=clock.now())
        return pdf_response(content, self.invoice.number or f"draft-{self.invoice.pk}")


class CreditNotePDFView(InvoiceMixin, StaffPage):
    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        notes = InvoiceEntry.objects.filter(invoice_id=self.kwargs["pk"], kind=InvoiceEntryKind.CREDIT_NOTE)
        entry = notes.select_related("invoice").filter(pk=self.kwargs["entry_id"]).first()
        if entry is None:
            raise Http404
        return pdf_response(draw_credit_note_file(entry), entry.number)


class InvoiceCodesView(InvoiceMixin, StaffPage):
    """The list of codes, as the customer gets it."""

    permission_required = "issue"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        codes = make_code_file(self.invoice)
        if codes is None:
            return self.refuse(_("This invoice has no codes that work."))
        # Each is worth a seat.
        audit.record(self.invoice, "ecommerce.invoice.export", by_id=request.user.pk, data={"codes": codes.count})
        response = HttpResponse(codes.file.content, content_type=codes.file.kind)
        response["Content-Disposition"] = f'attachment; filename="{codes.file.name}"'
        response["Cache-Control"] = "no-store"
        return response


def pdf_response(content: bytes, name: str) -> HttpResponse:
    response = HttpResponse(content, content_type="application/pdf")
    response["Content-Disposition"] = f'inline; filename="{name}.pdf"'
    response["Cache-Control"] = "no-store"
    return response

"""One order at the desk, and what can be done with it. Everything that changes money asks twice and goes to the log."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.views.generic import TemplateView, View
from wagtail.admin import messages
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from ecommerce.enums import RefundState
from ecommerce.errors.checkout import OrderUnknown
from ecommerce.gateways.base import PaymentFailed
from ecommerce.models import Refund
from ecommerce.selectors.order_desk import OrderAtDesk, order_at_desk
from ecommerce.services.checkout import review
from ecommerce.services.refunds import refunds
from ecommerce.wagtail_hooks.order_forms import AnswerForm, ReasonForm, RefundForm, UndoForm
from ecommerce.wagtail_hooks.order_lists import (
    ORDER_TONES,
    ORDERS,
    REFUND_TONES,
    Allowed,
    order_url,
)
from mitxonline.kernel import clock
from mitxonline.kernel.errors import DomainError

REFUND, FULFILL, CANCEL = "ecommerce.refund_order", "ecommerce.fulfill_order", "ecommerce.cancel_order"
UNPROCESSABLE = 422


class DeskView(Allowed, WagtailAdminTemplateMixin, TemplateView):
    """A page about one order."""

    header_icon = "clipboard-list"

    @cached_property
    def desk(self) -> OrderAtDesk:
        """The order of this address."""
        try:
            return order_at_desk(self.kwargs["pk"])
        except OrderUnknown as unknown:
            raise Http404 from unknown

    @property
    def by_id(self) -> int | None:
        """Who sits at the desk."""
        return self.request.user.pk

    def get_page_title(self) -> str:
        return _("Order %(number)s") % {"number": self.desk.order.number}

    def get_page_subtitle(self) -> str:
        return ""

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        pk = self.desk.order.pk
        items = [
            *self.breadcrumbs_items,
            {"url": reverse(f"{ORDERS}:index"), "label": _("Orders")},
            {"url": order_url(pk), "label": self.desk.order.number},
        ]
        return [*items, {"url": "", "label": self.get_page_subtitle()}] if self.get_page_subtitle() else items

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        user = self.request.user
        rights = {"refund": user.has_perm(REFUND), "fulfill": user.has_perm(FULFILL), "cancel": user.has_perm(CANCEL)}
        return context | {
            "desk": self.desk,
            "order": self.desk.order,
            "may": rights,
            "tone": ORDER_TONES.get(self.desk.order.state, "quiet"),
            "back_url": order_url(self.desk.order.pk),
        }

    def done(self, sentence: str) -> HttpResponse:
        """Back to the order, with what was done."""
        messages.success(self.request, sentence)
        return redirect(order_url(self.kwargs["pk"]))

    def refused(self, sentence: str) -> HttpResponse:
        """Back to the order, with why not."""
        messages.error(self.request, sentence)
        return redirect(order_url(self.kwargs["pk"]))


class OrderView(DeskView):
    """Everything about one order."""

    template_name = "ecommerce/admin/order.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        shown = [(refund, REFUND_TONES.get(refund.state, "quiet")) for refund in self.desk.refunds]
        return super().get_context_data(**kwargs) | {"refunds": shown}


class RefundView(DeskView):
    """Give money back: the form, then what will happen, then the act. Also the answer “yes” to a buyer's request."""

    needs = REFUND
    template_name = "ecommerce/admin/refund.html"

    def get_page_subtitle(self) -> str:
        return _("Refund")

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.desk.may_refund:
            return self.refused(_("There is nothing left to give back of this order."))
        return self.render_to_response(self.get_context_data(form=RefundForm.first(self.desk)))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = RefundForm(request.POST, desk=self.desk)
        if not form.is_valid() or "back" in request.POST:
            status = 200 if "back" in request.POST else UNPROCESSABLE
            return self.render_to_response(self.get_context_data(form=form), status=status)
        try:
            if "confirmed" in request.POST:
                return self._act(form)
            plan = refunds.plan_refund(order_id=self.desk.order.pk, wish=form.wish)
        except DomainError as refusal:
            form.add_error(None, refusal.message)
            return self.render_to_response(self.get_context_data(form=form), status=UNPROCESSABLE)
        self.template_name = "ecommerce/admin/refund_confirm.html"
        return self.render_to_response(self.get_context_data(form=form, plan=plan))

    def _act(self, form: RefundForm) -> HttpResponse:
        request = self.desk.open_request
        given = {
            "wish": form.wish,
            "now": clock.now(),
            "by_id": self.by_id,
            "reference": form.cleaned_data["reference"],
        }
        if request is not None:
            refund = refunds.approve(request_id=request.pk, **given)
        else:
            refund = refunds.refund_order(order_id=self.desk.order.pk, **given)
        return tell(self, refund)


class DenyView(DeskView):
    """Say no to a buyer, with a sentence."""

    needs = REFUND
    template_name = "ecommerce/admin/deny.html"

    def get_page_subtitle(self) -> str:
        return _("Deny the refund")

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.desk.open_request is None:
            return self.refused(_("Nothing is asked for this order at the moment."))
        return self.render_to_response(self.get_context_data(form=AnswerForm()))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form, asked = AnswerForm(request.POST), self.desk.open_request
        if asked is None:
            return self.refused(_("Someone has decided about this already. Look at the order again."))
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form), status=UNPROCESSABLE)
        try:
            refunds.deny(request_id=asked.pk, answer=form.cleaned_data["answer"], now=clock.now(), by_id=self.by_id)
        except DomainError as refusal:
            return self.refused(refusal.message)
        return self.done(_("The buyer gets your answer by e-mail."))


class DecideView(DeskView):
    """Something that is decided with a reason: a form, a sentence of what will happen, a button."""

    template_name = "ecommerce/admin/decide.html"

    def get_form(self, data: Any = None) -> forms.Form:
        """What is asked."""
        return ReasonForm(data)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=self.get_form()))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = self.get_form(request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form), status=UNPROCESSABLE)
        try:
            return self.decide(form.cleaned_data)
        except DomainError as refusal:
            form.add_error(None, refusal.message)
            return self.render_to_response(self.get_context_data(form=form), status=UNPROCESSABLE)

    def decide(self, given: dict[str, Any]) -> HttpResponse:
        """Do it."""
        raise NotImplementedError

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {
            "explained": self.explained(),
            "button": self.get_page_subtitle(),
        }

    def explained(self) -> list[str]:
        """What will happen."""
        raise NotImplementedError


class FulfillView(DecideView):
    """Give the buyer what was bought."""

    needs = FULFILL

    def get_page_subtitle(self) -> str:
        return _("Fulfill the order")

    def explained(self) -> list[str]:
        return [
            _("The buyer gets the courses and a receipt."),
            _("Codes and seats are claimed again; if none is left, nothing happens and you are told so."),
            _("It was stopped because: %(reason)s") % {"reason": self.desk.order.why or "–"},
        ]

    def decide(self, given: dict[str, Any]) -> HttpResponse:
        review.fulfill_from_review(
            order_id=self.desk.order.pk, reason=given["reason"], by_id=self.by_id, now=clock.now()
        )
        return self.done(_("The order is fulfilled."))


class CancelView(DecideView):
    """End an order for which no money came."""

    needs = CANCEL

    def get_page_subtitle(self) -> str:
        return _("Cancel the order")

    def explained(self) -> list[str]:
        return [
            _("The order ends without courses and without a receipt; the buyer isn’t mailed."),
            _("Only an order whose money never came, or went back, can be canceled."),
        ]

    def decide(self, given: dict[str, Any]) -> HttpResponse:
        review.cancel_from_review(
            order_id=self.desk.order.pk, reason=given["reason"], by_id=self.by_id, now=clock.now()
        )
        return self.done(_("The order is canceled."))


class UndoView(DecideView):
    """Take back what cost nothing: courses, and the codes that opened them."""

    needs = REFUND

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.desk.free_lines:
            return self.refused(_("There is nothing left to undo of this order."))
        return super().get(request, *args, **kwargs)

    def get_form(self, data: Any = None) -> forms.Form:
        return UndoForm(data, desk=self.desk)

    def get_page_subtitle(self) -> str:
        return _("Undo")

    def explained(self) -> list[str]:
        return [
            _("The courses are taken away, unless the buyer has them in another way too."),
            _("The codes they were got with can be used again; with an enrollment code the seat is free too."),
            _("Nothing was paid, so no money goes back. The buyer is told by e-mail."),
        ]

    def decide(self, given: dict[str, Any]) -> HttpResponse:
        chosen = given.get("lines") or [each.line.pk for each in self.desk.free_lines]
        wish = refunds.RefundWish(
            reason=given["reason"], frees_codes=True, line_ids=tuple(int(line_id) for line_id in chosen)
        )
        refunds.undo_free_order(order_id=self.desk.order.pk, wish=wish, now=clock.now(), by_id=self.by_id)
        return self.done(_("It is undone, and the codes can be used again."))


class RefundDecisionView(DecideView):
    """A refund waiting for a decision: of a second payment, or one that the gateway made otherwise."""

    needs = REFUND

    @cached_property
    def refund(self) -> Refund:
        """The refund of this address."""
        found = next((each for each in self.desk.refunds if each.pk == self.kwargs["refund_id"]), None)
        if found is None:
            raise Http404
        return found


class SendMarkedView(RefundDecisionView):
    """Give a second payment back."""

    def get_form(self, data: Any = None) -> forms.Form:
        return forms.Form(data)

    def get_page_subtitle(self) -> str:
        return _("Give the second payment back")

    def explained(self) -> list[str]:
        return [
            _("%(amount)s goes back to where it came from.") % {"amount": self.refund.money.formatted()},
            _("The order and its courses stay as they are."),
        ]

    def decide(self, given: dict[str, Any]) -> HttpResponse:
        refund = refunds.send_marked(refund_id=self.refund.pk, now=clock.now(), by_id=self.by_id)
        return tell(self, refund)


class BookToldView(RefundDecisionView):
    """Accept that the gateway gave back something else than was asked for."""

    def get_page_subtitle(self) -> str:
        return _("Accept what was given back")

    def explained(self) -> list[str]:
        told = self.refund.told_money
        return [
            _("You asked for %(asked)s, and the gateway says that %(told)s went back.")
            % {"asked": self.refund.money.formatted(), "told": told.formatted() if told else "–"},
            _("The refund is booked with what the gateway says, and the courses and the order follow it."),
        ]

    def decide(self, given: dict[str, Any]) -> HttpResponse:
        refunds.book_what_went_back(refund_id=self.refund.pk, reason=given["reason"], now=clock.now(), by_id=self.by_id)
        return self.done(_("The refund is booked as the gateway made it."))


class DismissMarkedView(RefundDecisionView):
    """Keep a second payment."""

    def get_page_subtitle(self) -> str:
        return _("Keep the second payment")

    def explained(self) -> list[str]:
        return [_("%(amount)s stays here, and no one is asked again.") % {"amount": self.refund.money.formatted()}]

    def decide(self, given: dict[str, Any]) -> HttpResponse:
        refunds.dismiss_marked(refund_id=self.refund.pk, reason=given["reason"], now=clock.now(), by_id=self.by_id)
        return self.done(_("The second payment stays."))


class PressView(Allowed, View):
    """A button on the order's page that needs no more words."""

    needs = REFUND
    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Do it and come back."""
        try:
            messages.success(request, self.press(pk))
        except OrderUnknown as unknown:
            raise Http404 from unknown
        except DomainError as refusal:
            messages.error(request, refusal.message)
        except PaymentFailed as failure:
            messages.error(request, _("The gateway can't be asked just now: %(why)s") % {"why": failure})
        return redirect(order_url(pk))

    def press(self, pk: int) -> str:
        """What was done, as a sentence."""
        raise NotImplementedError


class CheckView(PressView):
    """Ask the gateway how things stand."""

    def press(self, pk: int) -> str:
        order = review.check_with_gateway(order_id=pk, by_id=self.request.user.pk, now=clock.now())
        return _("The gateway was asked. The order is: %(state)s.") % {"state": order.get_state_display()}


class ReceiptView(PressView):
    """Send the receipt again."""

    def press(self, pk: int) -> str:
        review.send_receipt_again(order_id=pk, by_id=self.request.user.pk)
        return _("The receipt is on its way to the buyer.")


def tell(view: DeskView, refund: Refund) -> HttpResponse:
    """Back to the order with what became of a refund."""
    amount = {"amount": refund.money.formatted()}
    if refund.state == RefundState.FAILED:
        return view.refused(_("The gateway refused: %(why)s Nothing was given back.") % {"why": refund.failure})
    if refund.state == RefundState.DIFFERS and refund.told_money is not None:
        return view.refused(
            _("You asked for %(asked)s, and the gateway says that %(told)s went back. Look at the gateway.")
            % {"asked": refund.money.formatted(), "told": refund.told_money.formatted()}
        )
    if refund.state == RefundState.SUCCEEDED:
        return view.done(_("%(amount)s was given back.") % amount)
    if refund.state == RefundState.PENDING:
        return view.done(_("%(amount)s is on its way; the courses follow when it has arrived.") % amount)
    return view.done(
        _("The gateway hasn't answered. %(amount)s is set aside, and we go on asking by ourselves.") % amount
    )

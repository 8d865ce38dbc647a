"""One order at the desk and the decisions about it. Every change of money is confirmed first and goes to the log."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from wagtail.admin import messages

from ecommerce.enums import RefundState
from ecommerce.errors.checkout import OrderUnknown
from ecommerce.gateways.base import PaymentFailed
from ecommerce.models import Order, Refund
from ecommerce.roles import scope_of
from ecommerce.selectors.order_desk import OrderAtDesk, course_of_line, order_at_desk
from ecommerce.selectors.refund_plan import LoweredProgram, RefundChoice, find_lowered_programs, plan_refund
from ecommerce.services.checkout import review
from ecommerce.services.orders.notes import add_note
from ecommerce.services.refunds import refunds
from ecommerce.services.refunds.requests import deny_request
from ecommerce.services.refunds.seats import assign_seats
from ecommerce.wagtail_hooks.order_forms import AnswerForm, NoteForm, OrderRefundForm, RefundSeatsForm, UndoForm
from ecommerce.wagtail_hooks.order_lists import ORDER_TONES, ORDERS, REFUND_TONES, order_url
from mitxonline.kernel import clock
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.fingerprint import PlanChanged
from mitxonline.kernel.forms import refusals_on
from mitxonline.staff.pages import ReasonForm, StaffButtonView, StaffFormPage, StaffPageMixin


def find_desk(user: Any, order_id: int, *, action: str, is_about_whole: bool) -> OrderAtDesk:
    """Return what of the order this user may see or act on. An order of other courses is like none."""
    try:
        desk = order_at_desk(order_id).limit_to(scope_of(user, f"order.{action}"))
    except OrderUnknown as unknown:
        raise Http404 from unknown
    if is_about_whole and desk.is_part:
        raise PermissionDenied
    return desk


class OrderMixin(StaffPageMixin):
    """A page about one order. An empty subtitle means the order's own page.

    Pages `is_about_whole` orders are closed to those who look after some of the order's courses only.
    """

    model = Order
    header_icon = "clipboard-list"
    is_about_whole = True

    @cached_property
    def desk(self) -> OrderAtDesk:
        action = self.permission_required or "view"
        return find_desk(self.request.user, self.kwargs["pk"], action=action, is_about_whole=self.is_about_whole)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if self.user_has_permission(self.permission_required or "view"):
            self.desk  # noqa: B018  answers 404 or 403 before anything is done
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return response

    def get_page_title(self) -> str:
        return _("Order %(number)s") % {"number": self.desk.order.number}

    def get_parents(self) -> list[tuple[str, object]]:
        parents: list[tuple[str, object]] = [(reverse(f"{ORDERS}:index"), _("Orders"))]
        if self.get_page_subtitle():
            parents.append((self.get_success_url(), self.desk.order.number))
        return parents

    def get_success_url(self) -> str:
        return order_url(self.kwargs["pk"])

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {"desk": self.desk, "order": self.desk.order, "back_url": self.get_success_url()}

    def refuse(self, message: str) -> HttpResponse:
        """Lead back to the order with the reason why this page can't be used."""
        messages.error(self.request, message)
        return redirect(self.get_success_url())


class OrderView(OrderMixin, StaffFormPage):
    """Everything about an order; its form adds a note."""

    template_name = "ecommerce/admin/order.html"
    form_class = NoteForm
    is_about_whole = False

    @cached_property
    def may(self) -> dict[str, bool]:
        """Which decisions this user may take about the order, or, for refunds, about some line of it."""
        courses = [course_of_line(each.line) for each in self.desk.lines]
        scopes = {name: scope_of(self.request.user, f"order.{name}") for name in ("refund", "fulfill", "cancel")}
        is_whole = not self.desk.is_part
        return {name: is_whole and scope.has_all(courses) for name, scope in scopes.items()} | {
            "refund": any(scopes["refund"].has(course) for course in courses),
            "refund_whole": is_whole and scopes["refund"].has_all(courses),
            "trace": scope_of(self.request.user, "order.view").is_whole,
        }

    @property
    def can_write(self) -> bool:
        return any(self.may[name] for name in ("refund_whole", "fulfill", "cancel"))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        # Whoever decides about orders writes notes; the right to look is not enough.
        if not self.can_write:
            raise PermissionDenied
        return super().post(request, *args, **kwargs)

    def perform(self, form: NoteForm) -> str:
        text, by_id = form.cleaned_data["text"], self.request.user.pk
        add_note(order_id=self.desk.order.pk, text=text, by_id=by_id, now=clock.now())
        return _("The note is saved.")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            may=self.may,
            can_write=self.can_write,
            tone=ORDER_TONES[self.desk.order.state],
            refunds=[(refund, REFUND_TONES[refund.state]) for refund in self.desk.refunds],
            **kwargs,
        )


class RefundView(OrderMixin, StaffFormPage):
    """Refund an order: the form, then the plan, then the refund. It also approves the buyer's request."""

    permission_required = "refund"
    is_about_whole = False
    page_subtitle = gettext_lazy("Refund")
    form_class = OrderRefundForm
    template_name = "ecommerce/admin/refund.html"

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"desk": self.desk, "lowered": self.lowered}

    @cached_property
    def lowered(self) -> list[LoweredProgram]:
        return find_lowered_programs(self.desk.order)

    def get_initial(self) -> dict[str, Any]:
        return OrderRefundForm.initial_for(self.desk)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(lowered=self.lowered, **kwargs)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.desk.can_refund:
            return self.refuse(_("There is nothing left to refund on this order."))
        return super().get(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if "back" in request.POST:
            return self.render_to_response(self.get_context_data())
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: OrderRefundForm) -> HttpResponse:
        if "confirmed" not in self.request.POST:
            return self.show_plan(form)
        return super().form_valid(form)

    def show_refusal(self, form: Any, refusal: DomainError) -> HttpResponse:
        """Show the order and the form as they are now: what they said before may be what is refused."""
        for name in ("desk", "lowered"):
            self.__dict__.pop(name, None)
        again = self.get_form()
        again.is_valid()
        if not isinstance(refusal, PlanChanged):
            return super().show_refusal(again, refusal)
        messages.warning(self.request, str(refusal))
        return self.show_plan(again)

    def show_plan(self, form: OrderRefundForm) -> HttpResponse:
        with refusals_on(form):
            plan = plan_refund(order_id=self.desk.order.pk, choice=form.to_choice())
        if not form.is_valid():
            return self.form_invalid(form)
        self.template_name = "ecommerce/admin/refund_confirm.html"
        request = self.desk.open_request
        seen = plan.fingerprint(request_id=request.pk if request is not None else None)
        return self.render_to_response(self.get_context_data(form=form, plan=plan, seen=seen))

    def perform(self, form: OrderRefundForm) -> str:
        choice, now, by_id = form.to_choice(), clock.now(), self.request.user.pk
        reference, seen = form.cleaned_data["reference"], self.request.POST.get("seen", "")
        if (request := self.desk.open_request) is not None:
            refund = refunds.approve_request(
                request_id=request.pk, choice=choice, now=now, by_id=by_id, reference=reference, seen=seen
            )
        else:
            refund = refunds.refund_order(
                order_id=self.desk.order.pk, choice=choice, now=now, by_id=by_id, reference=reference, seen=seen
            )
        add_refund_message(self.request, refund)
        return ""


class DenyView(OrderMixin, StaffFormPage):
    """Deny a buyer's refund request. The answer is e-mailed to the buyer."""

    permission_required = "refund"
    is_about_whole = False
    page_subtitle = gettext_lazy("Deny the refund")
    form_class = AnswerForm
    template_name = "ecommerce/admin/deny.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.desk.open_request is None:
            return self.refuse(_("The buyer has no open refund request for this order."))
        return super().get(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        # Someone else may have decided while this page was open; the buyer must not get a second answer.
        if self.desk.open_request is None:
            return self.refuse(_("Someone has already decided about this request. Check the order again."))
        return super().post(request, *args, **kwargs)

    def perform(self, form: AnswerForm) -> str:
        if (request := self.desk.open_request) is not None:
            deny_request(
                request_id=request.pk,
                answer=form.cleaned_data["answer"],
                now=clock.now(),
                by_id=self.request.user.pk,
            )
        return _("Denied. Your answer is on its way to the buyer.")


class DecisionView(OrderMixin, StaffFormPage):
    """A decision with a reason: what it will do, the form, and a button."""

    form_class: type[forms.Form] = ReasonForm
    template_name = "ecommerce/admin/decide.html"

    def get_effects(self) -> list[str]:
        """Say what the decision will do, a sentence each."""
        raise NotImplementedError

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(effects=self.get_effects(), button=self.get_page_subtitle(), **kwargs)


class FulfillView(DecisionView):
    permission_required = "fulfill"
    page_subtitle = gettext_lazy("Fulfill the order")

    def get_effects(self) -> list[str]:
        return [
            _("The buyer gets the courses and a receipt."),
            _("Codes and seats are claimed again. If none is left, nothing happens and you are told so."),
            _("The order was stopped because: %(reason)s") % {"reason": self.desk.order.explanation or "–"},
        ]

    def perform(self, form: ReasonForm) -> str:
        review.fulfill_from_review(
            order_id=self.desk.order.pk,
            reason=form.cleaned_data["reason"],
            by_id=self.request.user.pk,
            now=clock.now(),
        )
        return _("The order is fulfilled.")


class CancelView(DecisionView):
    permission_required = "cancel"
    page_subtitle = gettext_lazy("Cancel the order")

    def get_effects(self) -> list[str]:
        return [
            _("The order ends without courses and without a receipt. The buyer isn’t notified."),
            _("You can only cancel an order whose payment never arrived or was refunded."),
        ]

    def perform(self, form: ReasonForm) -> str:
        review.cancel_from_review(
            order_id=self.desk.order.pk,
            reason=form.cleaned_data["reason"],
            by_id=self.request.user.pk,
            now=clock.now(),
        )
        return _("The order is canceled.")


class UndoView(DecisionView):
    """Undo what cost nothing: the courses, and the use of the codes that opened them."""

    permission_required = "refund"
    is_about_whole = False
    page_subtitle = gettext_lazy("Undo")
    form_class = UndoForm

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.desk.free_lines:
            return self.refuse(_("There is nothing left to undo on this order."))
        return super().get(request, *args, **kwargs)

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"desk": self.desk}

    def get_effects(self) -> list[str]:
        return [
            _("The buyer loses the courses, unless they also have them some other way."),
            _("The codes used for them can be used again. An enrollment code frees its seat too."),
            *self._say_seats(),
            _("Nothing was paid, so nothing is refunded. The buyer gets an e-mail."),
        ]

    def _say_seats(self) -> list[str]:
        if not any(each.seats_left for each in self.desk.free_lines):
            return []
        return [_("The registration codes of a group’s seats are switched off.")]

    def perform(self, form: UndoForm) -> str:
        line_ids = tuple(int(line_id) for line_id in form.cleaned_data["lines"])
        choice = RefundChoice(
            reason=form.cleaned_data["reason"],
            frees_codes=True,
            line_ids=line_ids,
            takes_redeemed=form.cleaned_data.get("takes_redeemed", False),
        )
        refunds.undo_free_order(order_id=self.desk.order.pk, choice=choice, now=clock.now(), by_id=self.request.user.pk)
        return _("Undone. The codes can be used again.")


class RefundDecisionView(DecisionView):
    """A decision about a refund that waits for one: of a second payment, or one that the gateway made differently."""

    permission_required = "refund"

    @cached_property
    def refund(self) -> Refund:
        refund = next((each for each in self.desk.refunds if each.pk == self.kwargs["refund_id"]), None)
        if refund is None:
            raise Http404
        return refund


class RefundSecondPaymentView(RefundDecisionView):
    page_subtitle = gettext_lazy("Refund the second payment")
    form_class = forms.Form

    def get_effects(self) -> list[str]:
        return [
            _("%(amount)s goes back to the payment method it came from.") % {"amount": self.refund.money.formatted()},
            _("The order and its courses stay as they are."),
        ]

    def perform(self, form: forms.Form) -> str:
        refund = refunds.refund_second_payment(refund_id=self.refund.pk, now=clock.now(), by_id=self.request.user.pk)
        add_refund_message(self.request, refund)
        return ""


class KeepSecondPaymentView(RefundDecisionView):
    page_subtitle = gettext_lazy("Keep the second payment")

    def get_effects(self) -> list[str]:
        amount = self.refund.money.formatted()
        return [_("We keep %(amount)s, and no one is asked about it again.") % {"amount": amount}]

    def perform(self, form: ReasonForm) -> str:
        refunds.keep_second_payment(
            refund_id=self.refund.pk,
            reason=form.cleaned_data["reason"],
            now=clock.now(),
            by_id=self.request.user.pk,
        )
        return _("The second payment is kept.")


class AcceptRefundView(RefundDecisionView):
    """Accept that the gateway refunded another amount than we requested."""

    page_subtitle = gettext_lazy("Accept the gateway’s amount")

    def get_effects(self) -> list[str]:
        told = self.refund.reported_money
        return [
            _("You requested %(asked)s, and the gateway says that it refunded %(told)s.")
            % {"asked": self.refund.money.formatted(), "told": told.formatted() if told else "–"},
            _("The refund is recorded with the gateway’s amount. The courses and the order follow it."),
        ]

    def perform(self, form: ReasonForm) -> str:
        refunds.accept_difference(
            refund_id=self.refund.pk,
            reason=form.cleaned_data["reason"],
            now=clock.now(),
            by_id=self.request.user.pk,
        )
        return _("The refund is recorded with the gateway’s amount.")


class RefundSeatsView(RefundDecisionView):
    """Say which seats of a group a refund was for that was made at the gateway or taken by a bank."""

    page_subtitle = gettext_lazy("Say which seats")
    form_class = RefundSeatsForm

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.refund not in self.desk.without_seats:
            return self.refuse(_("Someone has already decided about this refund. Check the order again."))
        return super().get(request, *args, **kwargs)

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"desk": self.desk}

    def get_effects(self) -> list[str]:
        amount = self.refund.money.formatted()
        return [
            _("%(amount)s went back: %(reason)s.") % {"amount": amount, "reason": self.refund.reason},
            _("The codes of the seats you enter are switched off. No more money moves."),
            _("The amount counts for these seats first, at their price; what is left counts for the whole order."),
        ]

    def perform(self, form: RefundSeatsForm) -> str:
        choice, by_id = form.to_choice(), self.request.user.pk
        assign_seats(refund_id=self.refund.pk, choice=choice, now=clock.now(), by_id=by_id)
        if not choice.seats:
            return _("Recorded: the price was lowered, and every code still works.")
        count = sum(number for _line, number in choice.seats)
        message = ngettext(
            "Recorded: the code of %(count)d seat is off.", "Recorded: the codes of %(count)d seats are off.", count
        )
        return message % {"count": count}


class OrderButtonView(StaffButtonView):
    model = Order
    permission_required = "refund"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if self.user_has_permission("refund"):
            find_desk(request.user, kwargs["pk"], action="refund", is_about_whole=True)
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return response

    def get_success_url(self) -> str:
        return order_url(self.kwargs["pk"])


class CheckView(OrderButtonView):
    """Ask the gateway about the order's payments."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().post(request, *args, **kwargs)
        except PaymentFailed as failure:
            messages.error(request, _("We couldn’t reach the gateway: %(why)s") % {"why": failure})
            return redirect(self.get_success_url())

    def perform(self) -> str:
        order = review.check_with_gateway(order_id=self.kwargs["pk"], by_id=self.request.user.pk, now=clock.now())
        return _("We asked the gateway. The order is: %(state)s.") % {"state": order.get_state_display()}


class ReceiptView(OrderButtonView):
    """Send the receipt again."""

    def perform(self) -> str:
        review.send_receipt_again(order_id=self.kwargs["pk"], by_id=self.request.user.pk)
        return _("The receipt is on its way to the buyer.")


def add_refund_message(request: HttpRequest, refund: Refund) -> None:
    """Tell staff how the gateway answered. A failed refund is no refusal: it is recorded, and the page says so."""
    amount = refund.money.formatted()
    match refund.state:
        case RefundState.FAILED:
            message = _("The gateway refused: %(why)s Nothing was refunded.") % {"why": refund.failure}
            messages.error(request, message)
        case RefundState.DIFFERS if refund.reported_money is not None:
            message = _("You requested %(asked)s, but the gateway says that it refunded %(told)s. Check there.")
            messages.error(request, message % {"asked": amount, "told": refund.reported_money.formatted()})
        case RefundState.SUCCEEDED:
            messages.success(request, _("%(amount)s was refunded.") % {"amount": amount})
        case RefundState.PENDING:
            message = _("The refund of %(amount)s is on its way. The courses change once it arrives.")
            messages.success(request, message % {"amount": amount})
        case _other:
            message = _("The gateway hasn’t answered. %(amount)s is set aside, and we keep asking.")
            messages.success(request, message % {"amount": amount})

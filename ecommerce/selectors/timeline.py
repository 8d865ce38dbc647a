"""What the shop tells on timelines: baskets, orders, payments, notices, refunds, disputes, uses of codes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import CharField, OuterRef, Q
from django.db.models.functions import Cast, JSONObject
from django.urls import reverse
from django.utils.translation import gettext as _

from ecommerce.enums import (
    OPEN_DISPUTE_STATES,
    AlertKind,
    AttemptState,
    CodeChangeKind,
    DisputeState,
    NoticeState,
    OrderState,
    RefundOrigin,
    RefundRequestState,
    RefundState,
    ReviewCause,
    UseState,
)
from ecommerce.gateways.labels import gateway_name
from ecommerce.gateways.registry import gateways
from ecommerce.models import (
    Basket,
    BasketCode,
    CodeUse,
    DiscountCode,
    Dispute,
    GatewayNotice,
    MoneyAlert,
    Order,
    OrderLine,
    OrderNote,
    OrderTransition,
    PaymentAttempt,
    Refund,
    RefundRequest,
    RegistrationCodeChange,
    SeatSale,
)
from ecommerce.roles import Action, may
from ecommerce.selectors.discount_access import discount_access_of
from ecommerce.selectors.receipts import seats_text
from mitxonline.kernel.money import Money
from mitxonline.kernel.text import normalize_code
from mitxonline.kernel.timeline import (
    Entry,
    EntryKind,
    EntryLink,
    Scope,
    Source,
    Subject,
    SubjectKind,
    Viewer,
    describe_duration,
    nest_rows,
    read_moment,
)

SEE_ORDERS = "ecommerce.view_order"
SEE_CONTRACTS = "b2b.view_contractpage"
# Entries of the log that say what a row says too.
SAID_BY_ROWS = (
    "ecommerce.refund.record",
    "ecommerce.refund.settle",
    "ecommerce.refund.follow",
    "ecommerce.refund.mark",
    "ecommerce.refund.ask",
    "ecommerce.refund.approve",
    "ecommerce.refund.deny",
    "ecommerce.dispute.follow",
    "ecommerce.code.change",
)
# A code with what decides who may open its timeline.
CODE = "code__discount__seat_sale__course_run"
# Orders whose whole story is told on a timeline about a person, a code or a trace.
MOST_ORDERS = 100


class ShopSource(Source):
    def find(self, text: str) -> Iterator[Subject]:
        # Numbers are in capitals, and their index knows no others.
        for order in Order.objects.filter(number__in={text, text.upper()})[:1]:
            yield _order_subject(order)
        if normalized := normalize_code(text):
            for code in DiscountCode.objects.filter(normalized=normalized).select_related("discount"):
                yield code_subject(code)

    def get(self, kind: SubjectKind, key: str) -> Subject | None:
        if not key.isdecimal():
            return None
        if kind == SubjectKind.ORDER:
            order = Order.objects.filter(pk=key).first()
            return _order_subject(order) if order is not None else None
        if kind == SubjectKind.CODE:
            code = DiscountCode.objects.select_related("discount").filter(pk=key).first()
            return code_subject(code) if code is not None else None
        return None

    def knows_trace(self, trace_id: str) -> bool:
        return Order.objects.filter(_touched_in(trace_id)).exists()

    def may_see(self, subject: Subject, viewer: Viewer) -> bool:
        if subject.kind == SubjectKind.ORDER:
            return viewer.may(SEE_ORDERS)
        if subject.kind == SubjectKind.CODE:
            code = DiscountCode.objects.select_related("discount__seat_sale__course_run").filter(pk=subject.pk).first()
            return code is not None and _may_open(code, viewer)
        return False

    def tell(self, scope: Scope) -> Iterator[Entry]:
        if scope.is_about(SubjectKind.PERSON):
            uses = scope.read(uses_at_hand().filter(user=scope.subject.pk), "uses")
            yield from _tell_baskets(scope)
            orders = Order.objects.filter(purchaser=scope.subject.pk)
        elif scope.is_about(SubjectKind.CODE):
            uses = scope.read(uses_at_hand().filter(code=scope.subject.pk), "uses")
            in_carts = scope.read(
                BasketCode.objects.filter(code=scope.subject.pk).select_related("basket__user"), "carts"
            )
            yield from (_tell_basket_code(row, scope) for row in in_carts)
            orders = Order.objects.filter(lines__code=scope.subject.pk)
            scope.add("code", [scope.subject.pk])
            yield from _tell_registration_code(scope)
        elif scope.is_about(SubjectKind.ORDER):
            uses = scope.read(uses_at_hand().filter(order=scope.subject.pk), "uses")
            orders = Order.objects.filter(pk=scope.subject.pk)
        elif scope.subject.trace_id:
            orders = Order.objects.filter(_touched_in(scope.subject.trace_id))
            uses = []
        else:
            return
        if not scope.is_about(SubjectKind.ORDER) and not scope.viewer.may(SEE_ORDERS):
            orders = Order.objects.none()
        yield from _Stories(scope, orders, uses).tell()


def code_subject(code: DiscountCode) -> Subject:
    return Subject(SubjectKind.CODE, str(code.pk), name=_("Code %(code)s") % {"code": shorten_code(code.text)})


def link_code(scope: Scope, code: DiscountCode | None) -> tuple[EntryLink, ...]:
    """Link a code’s timeline, for those whom it opens to. The code comes with `CODE`."""
    if code is None or scope.is_about(SubjectKind.CODE):
        return ()
    is_of_contract = code.discount.unlocks_id is not None
    may_open = scope.viewer.may(SEE_CONTRACTS) if is_of_contract else _may_open(code, scope.viewer)
    return (scope.link(_("Code"), SubjectKind.CODE, code.pk),) if may_open else ()


def _may_open(code: DiscountCode, viewer: Viewer) -> bool:
    """Whether someone may read a code’s timeline, as far as the shop says: contracts say so for their own."""
    if code.discount.unlocks_id is not None:
        return False
    if viewer.user is None:
        return True
    sale: SeatSale | None = getattr(code.discount, "seat_sale", None)
    if sale is not None:
        return may(viewer.user, Action.CODE_VIEW, sale.course_run.course_id)
    access = discount_access_of(viewer.user)
    return access.may_see or code.discount.course_id in access.courses


def shorten_code(text: str) -> str:
    """Return enough of a code to recognize it, and too little to use it."""
    return f"{text[:8] if len(text) > 20 else text[: len(text) // 2]}…"


def tell_uses(uses: Iterable[CodeUse], scope: Scope) -> Iterator[Entry]:
    """Tell of uses of codes, also those of contracts. They come with their code, person and order."""
    for use in uses:
        code, person = shorten_code(use.code.text), scope.viewer.name_person(use.user)
        links = _order_link(scope, use.order)
        links += link_code(scope, use.code)
        words = {"code": code, "person": person}
        made = _("The code %(code)s was used.") if use.order is None else _("The code %(code)s was held for the order.")
        said = Entry(at=use.created_at, kind=EntryKind.CODE, sentence=made % words, person=person, links=links)
        if use.state != UseState.HELD and (use.changed_at == use.created_at or use.order is None):
            said = replace(said, sentence=_("The code %(code)s was used.") % words)
        yield said
        if use.changed_at != use.created_at and use.state != UseState.HELD:
            sentence = _USE_SENTENCES[UseState(use.state)]() % words
            is_gone = use.state == UseState.RETIRED
            yield replace(said, at=use.changed_at, sentence=sentence, is_problem=is_gone)


_USE_SENTENCES = {
    UseState.CONFIRMED: lambda: _("The code %(code)s is used: the order was fulfilled."),
    UseState.RELEASED: lambda: _("The code %(code)s is free again."),
    UseState.RETIRED: lambda: _("The use of the code %(code)s was withdrawn. It still counts."),
}


def _tell_registration_code(scope: Scope) -> Iterator[Entry]:
    """Tell when the code was sold, and what was done to it besides using it."""
    sales = SeatSale.objects.filter(discount__codes=scope.subject.pk)
    for sale in scope.read(sales.select_related("buyer", "order_line__order", "invoice_line__invoice"), "sales"):
        sentence = _("The code was sold with a group purchase of %(seats)d seats.") % {"seats": sale.seats}
        if sale.invoice_line is not None:
            words = {"seats": sale.seats, "number": sale.invoice_line.invoice.number}
            sentence = _("The code was sold with invoice %(number)s, with %(seats)d seats.") % words
        yield Entry(
            at=sale.sold_at,
            kind=EntryKind.CODE,
            sentence=sentence,
            person=scope.viewer.name_person(sale.buyer),
            links=_order_link(scope, sale.order_line.order if sale.order_line is not None else None),
        )
    changes = RegistrationCodeChange.objects.filter(code=scope.subject.pk)
    for change in scope.read(
        changes.select_related("by", "run_before", "run_after", "use__user", "refund__order"), "changes"
    ):
        refunded = change.refund.order if change.refund is not None else None
        yield replace(describe_change(change, scope), links=_order_link(scope, refunded))


def describe_change(change: RegistrationCodeChange, scope: Scope) -> Entry:
    sentence = _CHANGE_SENTENCES[CodeChangeKind(change.kind)]()
    details = [change.reason]
    if change.run_before is not None and change.run_after is not None:
        details.insert(0, f"{change.run_before.courseware_id} → {change.run_after.courseware_id}")
    if change.use is not None:
        person = scope.viewer.name_person(change.use.user)
        details.insert(0, _("Redeemed by %(person)s") % {"person": person})
    return Entry(
        at=change.at,
        kind=EntryKind.CODE,
        sentence=sentence,
        details=tuple(details),
        person=scope.viewer.name_person(change.by),
        trace_id=change.trace_id,
    )


_CHANGE_SENTENCES = {
    CodeChangeKind.SWITCHED_OFF: lambda: _("The code was switched off."),
    CodeChangeKind.SWITCHED_ON: lambda: _("The code was switched on again."),
    CodeChangeKind.REFUNDED: lambda: _("The seat was refunded and the code switched off."),
    CodeChangeKind.FREED: lambda: _("The code was marked as unused."),
    CodeChangeKind.MOVED: lambda: _("The code was moved to another start."),
}


def uses_at_hand() -> Any:
    return CodeUse.objects.select_related(CODE, "user", "order")


def _touched_in(trace_id: str) -> Q:
    """Match the orders of which a row was written in the trace. Each part reads its own index, which has no ''."""
    rows = [
        Order.objects.order_by().values_list("pk"),
        OrderTransition.objects.order_by().values_list("order"),
        PaymentAttempt.objects.order_by().values_list("order"),
        GatewayNotice.objects.filter(order__isnull=False).order_by().values_list("order"),
    ]
    first, *others = (each.filter(trace_id=trace_id).exclude(trace_id="") for each in rows)
    return Q(pk__in=first.union(*others))


def _order_subject(order: Order) -> Subject:
    name = _("Order %(number)s") % {"number": order.number}
    return Subject(SubjectKind.ORDER, str(order.pk), name=name, url=reverse("shop_orders:order", args=[order.pk]))


def _order_link(scope: Scope, order: Order | None) -> tuple[EntryLink, ...]:
    if order is None or scope.is_about(SubjectKind.ORDER) or not scope.viewer.may(SEE_ORDERS):
        return ()
    return (scope.link(_("Order %(number)s") % {"number": order.number}, SubjectKind.ORDER, order.pk),)


def _tell_baskets(scope: Scope) -> Iterator[Entry]:
    """Tell of carts that are still there. Those that were checked out are told with their orders."""
    codes = nest_rows(BasketCode.objects.filter(basket=OuterRef("pk")), at="applied_at", text="code__text")
    for basket in scope.read(Basket.objects.filter(user=scope.subject.pk).annotate(code_rows=codes), "carts"):
        yield Entry(at=basket.opened_at, kind=EntryKind.ORDER, sentence=_("A cart was opened that is still there."))
        for row in basket.code_rows:
            words = {"code": shorten_code(row["text"])}
            sentence = _("The code %(code)s was applied to the cart.") % words
            yield Entry(at=datetime.fromisoformat(row["at"]), kind=EntryKind.CODE, sentence=sentence)


def _tell_basket_code(row: BasketCode, scope: Scope) -> Entry:
    return Entry(
        at=row.applied_at,
        kind=EntryKind.CODE,
        sentence=_("The code was applied to a cart that hasn’t been checked out yet."),
        person=scope.viewer.name_person(row.basket.user) or _("a visitor who isn’t signed in"),
    )


@dataclass
class _Stories:
    """The stories of some orders, told from all their rows at once."""

    scope: Scope
    found: Any
    uses: Sequence[CodeUse]
    orders: Mapping[int, Any] = field(default_factory=dict)  # with the columns of `_NESTED`

    def tell(self) -> Iterator[Entry]:
        scope = self.scope
        found = Order.objects.filter(pk__in=self.found.values("pk")).select_related("purchaser").annotate(**_NESTED)
        rows: list[Any] = list(found.order_by("-placed_at", "-pk")[: MOST_ORDERS + 1])
        if len(rows) > MOST_ORDERS:
            scope.cut.add("orders")
        self.orders = {order.pk: order for order in rows[:MOST_ORDERS]}
        ids = scope.add("order", self.orders)
        scope.add("person", (order.purchaser_id for order in self.orders.values()))
        scope.add("address", (order.purchaser.email for order in self.orders.values()))
        scope.add("reference", (order.number for order in self.orders.values()))
        name = scope.viewer.name_person
        scope.expect_log(Order, {order.pk: name(order.purchaser) for order in self.orders.values()})
        scope.said.update(SAID_BY_ROWS)
        scope.expect_event("order_id", ids)
        if not ids:
            yield from tell_uses(self.uses, scope)
            return
        lines = self._read(OrderLine.objects.select_related(CODE, "product"), "lines")
        scope.add("code", (line.code_id for line in lines))
        scope.add("run", (line.product.course_run_id for line in lines))
        for order in self.orders.values():
            yield from self._tell_placing(order, [line for line in lines if line.order_id == order.pk])
        yield from tell_uses(self._find_uses(), scope)
        yield from self._tell_payments()
        yield from self._tell_refunds()
        yield from self._tell_states()
        yield from self._tell_staff()

    def _find_uses(self) -> Sequence[CodeUse]:
        if not self.scope.subject.trace_id or not self.orders:
            return self.uses
        return self._read(uses_at_hand(), "uses")

    def _read(self, rows: Any, name: str) -> list[Any]:
        return self.scope.read(rows.filter(order__in=self.orders), name)

    def _links(self, order_id: int | None, *more: EntryLink) -> tuple[EntryLink, ...]:
        return (*_order_link(self.scope, self.orders.get(order_id or 0)), *more)

    def _tell_placing(self, order: Order, lines: Sequence[OrderLine]) -> Iterator[Entry]:
        buyer = self.scope.viewer.name_person(order.purchaser)
        links = self._links(order.pk)
        if not self.scope.is_about(SubjectKind.PERSON) and self.scope.viewer.may("users.view_user"):
            links += (self.scope.link(_("Buyer"), SubjectKind.PERSON, order.purchaser_id),)
        if order.basket_opened_at is not None:
            yield Entry(
                at=order.basket_opened_at, kind=EntryKind.ORDER, sentence=_("The cart was opened."), links=links[:-1]
            )
        applied = {line.code_applied_at: line.code for line in lines if line.code_applied_at is not None}
        for at, code in applied.items():
            words = {"code": shorten_code(code.text) if code is not None else ""}
            sentence = _("The code %(code)s was applied to the cart.") % words
            yield Entry(at=at, kind=EntryKind.CODE, sentence=sentence, links=link_code(self.scope, code))
        details = [_describe_line(line) for line in lines]
        words = {"number": order.number}
        yield Entry(
            at=order.placed_at,
            kind=EntryKind.ORDER,
            sentence=_("Order %(number)s was placed.") % words,
            details=tuple(details),
            money=order.money,
            person=buyer,
            links=links,
            trace_id=order.trace_id,
        )

    def _tell_states(self) -> Iterator[Entry]:
        for order in self.orders.values():
            for row in order.state_rows:
                yield self._tell_state(order, **row)
            if order.state_rows or order.state == OrderState.PENDING:
                continue
            # Orders from before their changes were kept know the moments of their last ones.
            if order.fulfilled_at is not None:
                yield self._tell_state(order, OrderState.FULFILLED, order.fulfilled_at)
            if order.state != OrderState.FULFILLED:
                at = order.closed_at or order.updated_at
                yield self._tell_state(order, order.state, at, order.review_cause, order.state_reason)

    def _tell_state(
        self, order: Order, after: str, at: datetime | str, cause: str = "", reason: str = "", trace_id: str = ""
    ) -> Entry:
        state = OrderState(after)
        why = [str(ReviewCause(cause).label)] if cause else []
        if reason:
            why.append(reason)
        return Entry(
            at=at if isinstance(at, datetime) else datetime.fromisoformat(at),
            kind=EntryKind.ORDER,
            sentence=_STATE_SENTENCES[state](),
            details=tuple(why),
            links=self._links(order.pk),
            trace_id=trace_id,
            is_problem=state in _BAD_STATES,
        )

    def _tell_payments(self) -> Iterator[Entry]:
        attempts = self._read(PaymentAttempt.objects.all(), "payments")
        for attempt in attempts:
            yield from self._tell_attempt(attempt)
        notices = self._read(GatewayNotice.objects.defer("body"), "notices")
        self.scope.expect_event("notice_id", [notice.pk for notice in notices])
        self.scope.expect_log(GatewayNotice, [notice.pk for notice in notices])
        for notice in notices:
            yield self._tell_notice(notice)

    def _tell_attempt(self, attempt: PaymentAttempt) -> Iterator[Entry]:
        gateway = gateway_name(attempt.gateway)
        links = self._links(attempt.order_id, *_gateway_links(attempt))
        ids = {_("session"): attempt.session_id, _("our reference"): str(attempt.reference)}
        known = tuple(f"{name}: {value}" for name, value in ids.items() if value)
        said = Entry(
            at=attempt.started_at,
            kind=EntryKind.PAYMENT,
            sentence=_("A payment through %(gateway)s was started.") % {"gateway": gateway},
            details=known,
            money=attempt.money,
            links=links,
            trace_id=attempt.trace_id,
        )
        yield said
        if attempt.came_back_at is not None:
            sentence = _("The buyer came back from the payment page, and %(gateway)s didn’t answer.")
            yield replace(
                said, at=attempt.came_back_at, sentence=sentence % {"gateway": gateway}, details=(), trace_id=""
            )
        state = AttemptState(attempt.state)
        at = attempt.settled_at or (attempt.expires_at if state == AttemptState.EXPIRED else None)
        if state in _ATTEMPT_SENTENCES and at is not None:
            payment = f"{_('payment')}: {attempt.payment_id}" if attempt.payment_id else ""
            facts = [
                attempt.paid_with,
                payment,
                attempt.note,
                _("This is a second payment.") if attempt.is_surplus else "",
            ]
            if state == AttemptState.PAID and attempt.paid_money != attempt.money:
                facts.append(_("%(amount)s was asked for.") % {"amount": attempt.money.formatted()})
            yield replace(
                said,
                at=at,
                sentence=_ATTEMPT_SENTENCES[state]() % {"gateway": gateway},
                details=tuple(filter(None, facts)),
                money=attempt.paid_money if state == AttemptState.PAID else None,
                trace_id="",
                is_problem=state in _BAD_ATTEMPTS or attempt.is_surplus,
            )

    def _tell_notice(self, notice: GatewayNotice) -> Entry:
        words = {"gateway": gateway_name(notice.gateway), "kind": notice.kind}
        state = NoticeState(notice.state)
        details = [f"{_('notice')}: {notice.event_id}", str(state.label), notice.error]
        if notice.processed_at is not None:
            took = describe_duration(notice.processed_at - notice.received_at)
            details.append(_("processed after %(duration)s") % {"duration": took})
        return Entry(
            at=notice.received_at,
            kind=EntryKind.PAYMENT,
            sentence=_("%(gateway)s sent a notice: %(kind)s.") % words,
            details=tuple(filter(None, details)),
            links=self._links(notice.order_id),
            trace_id=notice.trace_id,
            is_problem=state in {NoticeState.FAILED, NoticeState.STUCK, NoticeState.UNKNOWN},
        )

    def _tell_refunds(self) -> Iterator[Entry]:
        for order in self.orders.values():
            for row in order.request_rows:
                yield from self._tell_request(order, row)
        refunds = self._read(Refund.objects.select_related("begun_by"), "refunds")
        for refund in refunds:
            yield from self._tell_refund(refund)
        for order in self.orders.values():
            for row in order.dispute_rows:
                yield from self._tell_dispute(order, row)

    def _tell_request(self, order: Order, row: Mapping[str, Any]) -> Iterator[Entry]:
        request = RefundRequest(why=row["why"], text=row["text"], state=row["state"])
        said = Entry(
            at=datetime.fromisoformat(row["asked_at"]),
            kind=EntryKind.REFUND,
            sentence=_("The buyer requested a refund."),
            details=tuple(filter(None, [request.get_why_display(), request.text])),
            person=self.scope.viewer.name_person(order.purchaser),
            links=self._links(order.pk),
        )
        yield said
        if decided_at := read_moment(row["decided_at"]):
            is_denied = request.state == RefundRequestState.DENIED
            yield replace(
                said,
                at=decided_at,
                sentence=_("The refund was denied.") if is_denied else _("The refund was approved."),
                details=tuple(filter(None, [row["answer"]])),
                person=self._name_staff(row["decided_by"]),
            )

    def _tell_refund(self, refund: Refund) -> Iterator[Entry]:
        # Failures, and amounts that differ, are in the log: the row only knows the last one.
        sentence = _("A refund was started.")
        if refund.state == RefundState.MARKED:
            sentence = _("The order was paid a second time. Someone has to decide about the refund.")
        elif refund.origin == RefundOrigin.PROVIDER:
            sentence = _("A refund was made on %(gateway)s’s own pages.") % {"gateway": gateway_name(refund.gateway)}
        elif refund.origin == RefundOrigin.BANK:
            sentence = _("The buyer’s bank took the money back.")
        gateway_id = f"{_('refund')}: {refund.gateway_refund_id}" if refund.gateway_refund_id else ""
        said = Entry(
            at=refund.recorded_at,
            kind=EntryKind.REFUND,
            sentence=sentence,
            details=tuple(filter(None, [refund.reason, gateway_id])),
            money=refund.money,
            person=self.scope.viewer.name_person(refund.begun_by),
            links=self._links(refund.order_id),
            trace_id=refund.trace_id,
            is_problem=refund.state == RefundState.MARKED,
        )
        yield said
        state = RefundState(refund.state)
        at = refund.settled_at or refund.looked_up_at or refund.sent_at
        if state in _REFUND_SENTENCES and at is not None:
            yield replace(said, at=at, sentence=_REFUND_SENTENCES[state](), details=(), person="", trace_id="")
        if refund.took_effect_at is not None and refund.took_effect_at != at:
            after = refund.get_enrollment_after_display()
            sentence = _("The refund took effect on courses and codes.")
            yield replace(
                said, at=refund.took_effect_at, sentence=sentence, details=(after,), money=None, person="", trace_id=""
            )

    def _tell_dispute(self, order: Order, row: Mapping[str, Any]) -> Iterator[Entry]:
        dispute = Dispute(state=row["state"])
        said = Entry(
            at=datetime.fromisoformat(row["opened_at"]),
            kind=EntryKind.REFUND,
            sentence=_("The buyer’s bank disputes the payment."),
            details=tuple(filter(None, [row["reason"], f"{_('dispute')}: {row['dispute_id']}"])),
            money=Money(Decimal(row["amount"]), row["currency"]),
            links=self._links(order.pk),
            is_problem=dispute.state in OPEN_DISPUTE_STATES,
        )
        yield said
        moments = (
            (read_moment(row["funds_withdrawn_at"]), _("The disputed money was withdrawn."), True),
            (read_moment(row["funds_reinstated_at"]), _("The disputed money was returned to us."), False),
            (
                read_moment(row["closed_at"]),
                _("The dispute ended: %(state)s.") % {"state": dispute.get_state_display()},
                dispute.state == DisputeState.LOST,
            ),
        )
        for at, sentence, is_problem in moments:
            if at is not None:
                yield replace(said, at=at, sentence=sentence, details=(), is_problem=is_problem)

    def _tell_staff(self) -> Iterator[Entry]:
        for order in self.orders.values():
            for note in order.note_rows:
                yield Entry(
                    at=datetime.fromisoformat(note["at"]),
                    kind=EntryKind.ORDER,
                    sentence=_("Staff wrote a note."),
                    details=(note["text"],),
                    person=self._name_staff(note["by"]),
                    links=self._links(order.pk),
                )
            for alert in order.alert_rows:
                words = {"what": AlertKind(alert["kind"]).label}
                is_sent = alert["mailed_at"] is not None
                sentence = _("Finance was e-mailed: %(what)s.") if is_sent else _("Finance will be e-mailed: %(what)s.")
                yield Entry(
                    at=datetime.fromisoformat(alert["mailed_at"] or alert["raised_at"]),
                    kind=EntryKind.MAIL,
                    sentence=sentence % words,
                    links=self._links(order.pk),
                )

    def _name_staff(self, row: Mapping[str, str | None]) -> str:
        return self.scope.viewer.name_person(_Staff(row["name"] or "", row["email"])) if row["email"] else ""


@dataclass(frozen=True, slots=True)
class _Staff:
    name: str
    email: str


_NESTED = {
    "state_rows": nest_rows(
        OrderTransition.objects.filter(order=OuterRef("pk")),
        after="after",
        at="at",
        cause="cause",
        reason="reason",
        trace_id="trace_id",
    ),
    "note_rows": nest_rows(
        OrderNote.objects.filter(order=OuterRef("pk")),
        at="written_at",
        text="text",
        by=JSONObject(name="written_by__name", email="written_by__email"),
    ),
    "request_rows": nest_rows(
        RefundRequest.objects.filter(order=OuterRef("pk")),
        asked_at="asked_at",
        why="why",
        text="text",
        state="state",
        answer="answer",
        decided_at="decided_at",
        decided_by=JSONObject(name="decided_by__name", email="decided_by__email"),
    ),
    "dispute_rows": nest_rows(
        Dispute.objects.filter(order=OuterRef("pk")),
        opened_at="opened_at",
        dispute_id="dispute_id",
        reason="reason",
        state="state",
        amount=Cast("amount", CharField()),  # A number would be read as a float.
        currency="currency",
        funds_withdrawn_at="funds_withdrawn_at",
        funds_reinstated_at="funds_reinstated_at",
        closed_at="closed_at",
    ),
    "alert_rows": nest_rows(
        MoneyAlert.objects.filter(order=OuterRef("pk")), kind="kind", raised_at="raised_at", mailed_at="mailed_at"
    ),
}


def _describe_line(line: OrderLine) -> str:
    price = Money(line.due, line.currency).formatted()
    # A discount without a name is called by the code that was applied.
    note = line.discount_note
    if line.code is not None:
        note = note.replace(line.code.text, shorten_code(line.code.text))
    seats = seats_text(line.seats, line.unit_price)
    title = f"{line.title}, {seats}" if seats else line.title
    return f"{title}: {price} ({note})" if note else f"{title}: {price}"


def _gateway_links(attempt: PaymentAttempt) -> tuple[EntryLink, ...]:
    gateway = gateways().get(attempt.gateway)
    url = gateway.dashboard_url(session_id=attempt.session_id, payment_id=attempt.payment_id) if gateway else ""
    return (
        (EntryLink(_("At %(gateway)s") % {"gateway": gateway_name(attempt.gateway)}, url),) if gateway and url else ()
    )


_STATE_SENTENCES = {
    OrderState.PENDING: lambda: _("The order waits for its payment."),
    OrderState.FULFILLED: lambda: _("The order was fulfilled."),
    OrderState.DECLINED: lambda: _("The order was closed because the payment was declined."),
    OrderState.ERRORED: lambda: _("The order failed."),
    OrderState.CANCELED: lambda: _("The order was canceled."),
    OrderState.REVIEW: lambda: _("The order went to review: someone has to decide."),
    OrderState.PARTIALLY_REFUNDED: lambda: _("The order was refunded in part."),
    OrderState.REFUNDED: lambda: _("The order was refunded."),
}
_BAD_STATES = frozenset({OrderState.DECLINED, OrderState.ERRORED, OrderState.REVIEW})
_ATTEMPT_SENTENCES = {
    AttemptState.PAID: lambda: _("The payment arrived."),
    AttemptState.DECLINED: lambda: _("The payment was declined."),
    AttemptState.FAILED: lambda: _("The payment failed."),
    AttemptState.EXPIRED: lambda: _("The payment page ended without a payment."),
    AttemptState.DOUBTFUL: lambda: _("%(gateway)s doesn’t say clearly whether the payment arrived."),
}
_BAD_ATTEMPTS = frozenset({AttemptState.DECLINED, AttemptState.FAILED, AttemptState.DOUBTFUL})
_REFUND_SENTENCES = {
    RefundState.SUCCEEDED: lambda: _("The refund reached the buyer."),
    RefundState.CANCELED: lambda: _("The refund was called off."),
    RefundState.SENT: lambda: _("The refund was sent to the gateway, which hasn’t answered yet."),
    RefundState.PENDING: lambda: _("The gateway accepted the refund. It is on its way."),
}

SHOP = ShopSource()

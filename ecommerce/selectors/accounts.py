"""What the shop has on a buyer, for that buyer. What staff noted for themselves stays out."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db.models import Prefetch, Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from ecommerce.enums import (
    OPEN_DISPUTE_STATES,
    UNSETTLED_STATES,
    OrderState,
    RefundRequestState,
    RefundState,
)
from ecommerce.models import (
    Basket,
    CodeUse,
    DiscountPerson,
    Dispute,
    Order,
    OrderLine,
    PaymentAttempt,
    Refund,
    RefundRequest,
)
from mitxonline.kernel.money import Money
from mitxonline.users.closing import Obstacle
from mitxonline.users.models import User


def data_of_account(user: User) -> dict[str, Any]:
    """Return someone's orders with payments and refunds, the codes they used, their carts, and discounts for them."""
    return {
        "orders": [_describe_order(each) for each in _find_orders(user)],
        "codes_used": _describe_code_uses(user),
        "carts": _describe_carts(user),
        "discounts_for_you": _describe_discounts(user),
    }


# Money that still moves, or that someone has to decide on.
_UNSETTLED_REFUNDS = (
    RefundState.MARKED,
    RefundState.RECORDED,
    RefundState.SENT,
    RefundState.PENDING,
    RefundState.DIFFERS,
)


def find_obstacles(user: User) -> list[Obstacle]:
    """Return what stops a buyer from deleting their account: payments, refunds and disputes under way.

    Afterwards no one could reach them about their money.
    """
    orders = Order.objects.of(user.pk)
    paying = orders.filter(Q(state=OrderState.PENDING) | Q(attempts__state__in=UNSETTLED_STATES))
    is_refunding = Q(refunds__state__in=_UNSETTLED_REFUNDS) | Q(refund_requests__state=RefundRequestState.ASKED)
    disputed = orders.filter(attempts__disputes__state__in=OPEN_DISPUTE_STATES)
    return [
        *_describe_obstacle(paying, _open_payment()),
        *_describe_obstacle(orders.filter(state=OrderState.REVIEW), _("We’re looking into order %(number)s.")),
        *_describe_obstacle(orders.filter(is_refunding), _("A refund of order %(number)s is under way.")),
        *_describe_obstacle(disputed, _("Your bank hasn’t decided yet about your payment for order %(number)s.")),
    ]


def losses_of_account(user: User) -> list[str]:
    """Return what a buyer loses with their account, in sentences."""
    has_cart = Basket.objects.filter(user=user, items__isnull=False).exists()
    has_discounts = _find_discounts(user).exists()
    return [
        *([_("Your cart and what you saved for later are deleted.")] if has_cart else []),
        *([_("Discounts for your e-mail address end.")] if has_discounts else []),
    ]


def remains_of_account(user: User) -> list[str]:
    """Return what the shop keeps about orders; nothing for people who never bought anything."""
    if not Order.objects.of(user.pk).exists():
        return []
    return [
        _("Your orders stay in our books, without your account’s name and e-mail address."),
        _("Paid orders keep the name and address they were billed to, because tax law requires it."),
        _("You can’t open your receipts or ask for refunds anymore. Download your receipts first."),
    ]


def _open_payment() -> str:
    return _(
        "The payment for order %(number)s isn’t settled yet. If you left it, it ends automatically, usually within an "
        "hour or two."
    )


def _describe_obstacle(orders: QuerySet[Order], sentence: str) -> list[Obstacle]:
    numbers = orders.order_by("number").values_list("number", flat=True).distinct()
    receipt = reverse("receipt")
    return [
        Obstacle(sentence % {"number": number}, url=f"{receipt}?order_number={number}", link=_("Open the order"))
        for number in numbers
    ]


def _find_orders(user: User) -> list[Order]:
    attempts = PaymentAttempt.objects.order_by("pk").prefetch_related(
        Prefetch("disputes", Dispute.objects.order_by("pk"))
    )
    orders = Order.objects.of(user.pk).prefetch_related(
        Prefetch("lines", OrderLine.objects.order_by("pk")),
        Prefetch("attempts", attempts),
        Prefetch("refunds", Refund.objects.order_by("pk").prefetch_related("lines__line")),
        Prefetch("refund_requests", RefundRequest.objects.order_by("pk")),
    )
    return list(orders.order_by("placed_at", "pk"))


def _describe_order(order: Order) -> dict[str, Any]:
    return {
        "number": order.number,
        "state": order.state,
        "placed_at": order.placed_at,
        "fulfilled_at": order.fulfilled_at,
        "closed_at": order.closed_at,
        "currency": order.currency,
        "list_total": _amount(order.list_total, order.currency),
        "discount_total": _amount(order.discount_total, order.currency),
        "total": _amount(order.total, order.currency),
        "tax_total": _amount(order.tax_total, order.currency),
        "billed_to": {
            "name": order.billing_name,
            "street": order.billing_street,
            "city": order.billing_city,
            "region": order.billing_region,
            "postal_code": order.billing_postal_code,
            "country": order.billing_country,
            "tax_number": order.billing_tax_id,
            "company": order.company,
            "contact": order.contact_name,
            "contact_email": order.contact_email,
            "purchase_order": order.po_number,
        },
        "lines": [_describe_line(each) for each in order.lines.all()],
        "payments": [_describe_payment(each) for each in order.attempts.all()],
        "refunds": [_describe_refund(each) for each in order.refunds.all()],
        "refund_requests": [_describe_request(each) for each in order.refund_requests.all()],
    }


def _describe_line(line: OrderLine) -> dict[str, Any]:
    return {
        "title": line.title,
        "item": line.item_id,
        "seats": line.seats,
        "list_price": _amount(line.list_price, line.currency),
        "discount": _amount(line.discount_amount, line.currency),
        "discount_note": line.discount_note,
        "price": _amount(line.due, line.currency),
        "refunded": _amount(line.refunded, line.currency),
        "organization": line.provider,
        "undone_at": line.undone_at,
    }


def _describe_payment(attempt: PaymentAttempt) -> dict[str, Any]:
    return {
        "gateway": attempt.gateway,
        "state": attempt.state,
        "started_at": attempt.started_at,
        "settled_at": attempt.settled_at,
        "amount": _amount(attempt.amount, attempt.currency),
        "currency": attempt.currency,
        "paid_with": attempt.paid_with,
        "disputes": [
            {
                "state": each.state,
                "amount": _amount(each.amount, each.currency),
                "currency": each.currency,
                "opened_at": each.opened_at,
            }
            for each in attempt.disputes.all()
        ],
    }


def _describe_refund(refund: Refund) -> dict[str, Any]:
    return {
        "amount": _amount(refund.amount, refund.currency),
        "currency": refund.currency,
        "state": refund.state,
        "recorded_at": refund.recorded_at,
        "settled_at": refund.settled_at,
        "lines": [
            {"title": each.line.title, "amount": _amount(each.amount, refund.currency)} for each in refund.lines.all()
        ],
    }


def _describe_request(request: RefundRequest) -> dict[str, Any]:
    return {
        "asked_at": request.asked_at,
        "why": request.why,
        "message": request.text,
        "state": request.state,
        "decided_at": request.decided_at,
        "answer": request.answer,
    }


def _amount(amount: Decimal | None, currency: str) -> Decimal | None:
    """Return the amount with as many digits as its currency has; columns have room for more."""
    return None if amount is None else Money(amount, currency).amount


def _describe_code_uses(user: User) -> list[dict[str, Any]]:
    uses = CodeUse.objects.filter(user=user).select_related("code", "order").order_by("pk")
    return [
        {
            "code": each.code.text,
            "state": each.state,
            "order": each.order.number if each.order else None,
            "used_at": each.created_at,
            "changed_at": each.changed_at,
        }
        for each in uses
    ]


def _describe_carts(user: User) -> list[dict[str, Any]]:
    baskets = Basket.objects.filter(user=user).prefetch_related("items__product", "applied_codes__code")
    return [
        {
            "opened_at": basket.opened_at,
            "items": [{"item": each.product.item_id, "added_at": each.added_at} for each in basket.items.all()],
            "codes": [each.code.text for each in basket.applied_codes.all()],
        }
        for basket in baskets.order_by("pk")
    ]


def _describe_discounts(user: User) -> list[dict[str, Any]]:
    named = _find_discounts(user).select_related("discount").order_by("pk")
    return [{"discount": str(each.discount), "added_at": each.added_at} for each in named]


def _find_discounts(user: User) -> QuerySet[DiscountPerson]:
    return DiscountPerson.objects.filter(email=user.email) if user.is_email_verified else DiscountPerson.objects.none()

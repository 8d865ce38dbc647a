"""What the shop has on a buyer, for that buyer. What staff noted for themselves stays out."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db.models import Prefetch

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
from mitxonline.users.models import User


def data_of_account(user: User) -> dict[str, Any]:
    """Return someone's orders with payments and refunds, the codes they used, their carts, and discounts for them."""
    return {
        "orders": [_describe_order(each) for each in _find_orders(user)],
        "codes_used": _describe_code_uses(user),
        "carts": _describe_carts(user),
        "discounts_for_you": _describe_discounts(user),
    }


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
    if not user.is_email_verified:
        return []
    named = DiscountPerson.objects.filter(email=user.email).select_related("discount").order_by("pk")
    return [{"discount": str(each.discount), "added_at": each.added_at} for each in named]

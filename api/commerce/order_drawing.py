"""Orders as answers: the history and the receipts of their buyers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db.models import prefetch_related_objects

from api.accounts.drawing import draw_public_user
from api.commerce import schemas
from api.commerce.drawing import (
    CODE_LENGTH,
    amount_of,
    discount_type_of,
    draw_products,
    redemption_type_of,
)
from ecommerce.models import Discount, DiscountCode, Order, OrderLine, Refund, ShopSettings
from ecommerce.selectors.receipts import Receipt, billed_to
from ecommerce.selectors.refund_window import refund_window
from ecommerce.selectors.shop import shop_settings
from mitxonline.kernel.money import Money


def draw_status(order: Order) -> schemas.OrderStatus:
    return schemas.OrderStatus(
        id=order.pk,
        reference_number=order.number,
        total_price_paid=order.money.amount,
        state=schemas.StateEnum(order.state),
    )


def draw_history(orders: Sequence[Order], *, now: datetime) -> list[schemas.OrderHistory]:
    """Draw `completed_orders_of`. Three queries, whatever the number."""
    shops = _settings_of(orders)
    lines = [line for order in orders for line in order.lines.all()]
    products = {product.pk: product for product in (line.product for line in lines)}
    drawn = {each.id: each for each in draw_products(products.values())}
    return [
        schemas.OrderHistory(
            id=order.pk,
            state=schemas.StateEnum(order.state),
            reference_number=order.number,
            purchaser=draw_public_user(order.purchaser),
            total_price_paid=order.money.amount,
            lines=[_draw_history_line(line, drawn[line.product_id]) for line in order.lines.all()],
            created_on=order.placed_at,
            titles=[line.title for line in order.lines.all()],
            updated_on=order.updated_at,
            refund_eligible=refund_window(order, now=now, shop=shops[order.site_id]).refusal is None,
        )
        for order in orders
    ]


def draw_receipts(receipts: Sequence[Receipt], *, now: datetime) -> list[schemas.Order]:
    """Draw receipts with the discounts of their lines. Four queries, whatever the number."""
    shops = _settings_of([each.order for each in receipts])
    prefetch_related_objects([each.order for each in receipts], "lines__code__discount", "lines__discount")
    return [
        _draw_receipt(
            each, refund_eligible=refund_window(each.order, now=now, shop=shops[each.order.site_id]).refusal is None
        )
        for each in receipts
    ]


def _settings_of(orders: Iterable[Order]) -> dict[int | None, ShopSettings]:
    """Return the settings of the orders' sites; a query for each site."""
    return {site_id: shop_settings(site_id) for site_id in {each.site_id for each in orders}}


def _draw_history_line(line: OrderLine, product: schemas.Product) -> schemas.Line:
    return schemas.Line(
        id=line.pk,
        quantity=line.seats or 1,
        item_description=line.title,
        unit_price=line.unit_price.amount,
        total_price=line.money.amount,
        product=product,
    )


def _draw_receipt(receipt: Receipt, *, refund_eligible: bool) -> schemas.Order:
    order, to, payment = receipt.order, billed_to(receipt.order), receipt.paid_by
    return schemas.Order(
        id=order.pk,
        state=schemas.StateEnum(order.state),
        purchaser=schemas.ExtendedLegalAddress(
            country=to.country,
            first_name=to.name,
            last_name="",
            street_address_1=to.street,
            street_address_2="",
            city=to.city,
            state=to.region,
            postal_code=to.postal_code,
            email=order.purchaser.email,
        ),
        total_price_paid=order.money.amount,
        lines=[_draw_receipt_line(line) for line in receipt.lines],
        discounts=[schemas.RedeemedDiscount(redeemed_discount=each) for each in _draw_discounts(receipt.lines)],
        refunds=[_draw_refund(each) for each in receipt.refunds],
        reference_number=order.number,
        created_on=order.placed_at,
        transactions=schemas.ReceiptPayment(
            card_number="",
            card_type="",
            name=to.name if payment is not None else "",
            bill_to_email=order.purchaser.email if payment is not None else "",
            payment_method=payment.paid_with or payment.gateway_name if payment is not None else "",
        ),
        street_address=schemas.ReceiptAddress(
            line=[to.street] if to.street else [],
            postal_code=to.postal_code,
            state=to.region,
            city=to.city,
            country=to.country,
        ),
        refund_eligible=refund_eligible,
    )


def _draw_receipt_line(line: OrderLine) -> schemas.TransactionLine:
    run = line.product.course_run
    return schemas.TransactionLine(
        quantity=line.seats or 1,
        CEUs="",
        content_title=line.title,
        content_type="courserun" if run is not None else "program",
        readable_id=line.item_id,
        start_date=run.start_date if run is not None else None,
        end_date=run.end_date if run is not None else None,
        total_paid=str(line.money.amount),
        discount=str(Money(line.discount_amount, line.currency).amount),
        price=str(line.unit_price.amount),
    )


def _draw_refund(refund: Refund) -> schemas.ReceiptRefund:
    return schemas.ReceiptRefund(amount=refund.money.amount, date=refund.settled_at or refund.recorded_at)


def _draw_discounts(lines: Iterable[OrderLine]) -> list[schemas.Nested]:
    """The codes and automatic discounts of these lines, each once."""
    drawn: dict[int, schemas.Nested] = {}
    for line in lines:
        if line.code is not None:
            drawn.setdefault(line.code.pk, _draw_discount(line.code.discount, line.code))
        elif line.discount is not None:
            drawn.setdefault(-line.discount.pk, _draw_discount(line.discount, None))
    return list(drawn.values())


def _draw_discount(discount: Discount, code: DiscountCode | None) -> schemas.Nested:
    return schemas.Nested(
        id=code.pk if code is not None else -discount.pk,
        created_on=code.created_at if code is not None else discount.created_at,
        updated_on=discount.updated_at,
        amount=amount_of(discount),
        automatic=discount.automatic,
        discount_type=discount_type_of(discount),
        redemption_type=redemption_type_of(discount),
        payment_type=schemas.PaymentTypeEnum(discount.payment_type),
        max_redemptions=code.max_uses if code is not None else None,
        discount_code=code.text if code is not None else discount.name[:CODE_LENGTH],
        activation_date=discount.activates_at,
        expiration_date=discount.expires_at,
        is_bulk=discount.is_bulk,
        is_program_discount=False,
        b2b_sheet_location=None,
    )

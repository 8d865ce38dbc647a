"""Products, discounts, baskets, orders, and the money that comes and goes back."""

from ecommerce.models.alert import MoneyAlert
from ecommerce.models.basket import Basket, BasketCode, BasketItem, BasketItemStart
from ecommerce.models.discount import CodeUse, Discount, DiscountCode, DiscountPerson
from ecommerce.models.dispute import Dispute
from ecommerce.models.invoice import (
    CreditNoteLine,
    Customer,
    Invoice,
    InvoiceEntry,
    InvoiceLine,
    InvoiceQuerySet,
    InvoiceReminder,
)
from ecommerce.models.note import OrderNote
from ecommerce.models.notice import GatewayNotice
from ecommerce.models.order import Order, OrderLine, OrderLineCourse, OrderQuerySet, OrderTransition
from ecommerce.models.payment import PaymentAttempt
from ecommerce.models.product import MAX_SEATS, LineKey, PriceChange, Product, ProductQuerySet
from ecommerce.models.refund import Refund, RefundLine, RefundQuerySet, RefundRequest
from ecommerce.models.seat_sale import RegistrationCodeChange, SeatSale
from ecommerce.models.shop_role import ShopRole
from ecommerce.models.shop_settings import ShopSettings

__all__ = [
    "MAX_SEATS",
    "Basket",
    "BasketCode",
    "BasketItem",
    "BasketItemStart",
    "CodeUse",
    "CreditNoteLine",
    "Customer",
    "Discount",
    "DiscountCode",
    "DiscountPerson",
    "Dispute",
    "GatewayNotice",
    "Invoice",
    "InvoiceEntry",
    "InvoiceLine",
    "InvoiceQuerySet",
    "InvoiceReminder",
    "LineKey",
    "MoneyAlert",
    "Order",
    "OrderLine",
    "OrderLineCourse",
    "OrderNote",
    "OrderQuerySet",
    "OrderTransition",
    "PaymentAttempt",
    "PriceChange",
    "Product",
    "ProductQuerySet",
    "Refund",
    "RefundLine",
    "RefundQuerySet",
    "RefundRequest",
    "RegistrationCodeChange",
    "SeatSale",
    "ShopRole",
    "ShopSettings",
]

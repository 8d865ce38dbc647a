"""What is sold, and how it is paid."""

from ecommerce.models.basket import Basket, BasketCode, BasketItem
from ecommerce.models.discount import CodeUse, Discount, DiscountCode
from ecommerce.models.order import Order, OrderLine, OrderQuerySet
from ecommerce.models.payment import PaymentAttempt
from ecommerce.models.product import PriceChange, Product, ProductQuerySet

__all__ = [
    "Basket",
    "BasketCode",
    "BasketItem",
    "CodeUse",
    "Discount",
    "DiscountCode",
    "Order",
    "OrderLine",
    "OrderQuerySet",
    "PaymentAttempt",
    "PriceChange",
    "Product",
    "ProductQuerySet",
]

"""What operations on baskets, orders, discounts and products take and answer."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, PlainSerializer

from api.http.paging import Paginated
from api.http.shapes import LEFT_OUT, DecimalText, Id, Input, Omittable, Reply

# An amount as a JSON number, where clients expect one.
DecimalNumber = Annotated[
    Decimal, PlainSerializer(float, return_type=float), Field(json_schema_extra={"type": "number"})
]


class DiscountTypeEnum(StrEnum):
    PERCENT_OFF = "percent-off"
    DOLLARS_OFF = "dollars-off"
    FIXED_PRICE = "fixed-price"


class RedemptionTypeEnum(StrEnum):
    ONE_TIME = "one-time"
    ONE_TIME_PER_USER = "one-time-per-user"
    UNLIMITED = "unlimited"


class PaymentTypeEnum(StrEnum):
    MARKETING = "marketing"
    SALES = "sales"
    FINANCIAL_ASSISTANCE = "financial-assistance"
    CUSTOMER_SUPPORT = "customer-support"
    STAFF = "staff"
    LEGACY = "legacy"


class ErrorEnum(StrEnum):
    ENROLL_BLOCKED = "enroll-blocked"
    ENROLL_DUPLICATED = "enroll-duplicated"
    COURSE_NON_UPGRADABLE = "course-non-upgradable"
    DISCOUNT_INVALID = "discount-invalid"
    B2B_ERROR_MISSING_ENROLLMENT_CODE = "b2b-error-missing-enrollment-code"
    B2B_INVALID_BASKET = "b2b-invalid-basket"
    BASKET_EMPTY = "basket-empty"


# Products -----------------------------------------------------------------------------------------------------------


class ProductPageLink(Reply):
    """The page of a course or program; empty without a page that visitors can open."""

    page_url: str


class ProductCourse(Reply):
    id: int
    title: str
    page: ProductPageLink


class ProductRun(Reply):
    """A start of a course that a product sells."""

    id: int
    title: str
    run_tag: str
    start_date: datetime | None
    end_date: datetime | None
    course: ProductCourse
    readable_id: str
    enrollment_start: datetime | None
    enrollment_end: datetime | None
    course_number: str


class ProductProgram(Reply):
    """A program that a product sells."""

    id: int
    title: str
    readable_id: str
    page: ProductPageLink


class Product(Reply):
    id: int
    price: DecimalText
    description: str
    is_active: Omittable[bool]
    purchasable_object: ProductRun | ProductProgram


class PaginatedProductList(Paginated[Product]):
    pass


# Discounts ----------------------------------------------------------------------------------------------------------


class V0Discount(Reply):
    """A code with its discount, or a discount that applies automatically."""

    id: int
    amount: DecimalText
    automatic: Omittable[bool]
    discount_type: DiscountTypeEnum
    redemption_type: RedemptionTypeEnum
    max_redemptions: Omittable[int | None]
    discount_code: str
    payment_type: Omittable[PaymentTypeEnum | None]
    is_redeemed: bool
    activation_date: Omittable[datetime | None]
    expiration_date: Omittable[datetime | None]


class ProductFlexiblePrice(Reply):
    id: int
    price: DecimalText
    description: str
    is_active: Omittable[bool]
    product_flexible_price: V0Discount | None


# Baskets ------------------------------------------------------------------------------------------------------------


class BasketItem(Reply):
    basket: int
    product: int
    id: int


class Basket(Reply):
    id: int
    user: Omittable[int | None]
    basket_items: list[BasketItem]


class BasketDiscountDetail(Reply):
    redeemed_discount: V0Discount
    redeemed_basket: Basket


class BasketProduct(Reply):
    id: Omittable[int]
    price: Omittable[DecimalNumber]
    description: Omittable[str]
    is_active: Omittable[bool]
    purchasable_object: Omittable[ProductRun | ProductProgram]


class BasketItemWithProduct(Reply):
    """An item of a basket. `unavailable` says why it can't be bought, and then no total contains it."""

    basket: Omittable[int]
    product: Omittable[BasketProduct]
    id: Omittable[int]
    quantity: Omittable[int]
    unavailable: Omittable[str]


class BasketWithProduct(Reply):
    id: int
    user: Omittable[int | None]
    anonymous_id: Omittable[UUID | None]
    basket_items: list[BasketItemWithProduct]
    total_price: DecimalNumber
    discounted_price: DecimalNumber
    discounts: list[BasketDiscountDetail]


class CheckoutPayload(Reply):
    """How an order goes on: it is complete, or it is paid at `url`, or `error` says why there is none."""

    no_checkout: bool
    url: str
    method: str
    payload: dict[str, Any]
    order_id: int
    error: ErrorEnum | None
    detail: Omittable[str]


class CreateBasketWithProductIDRequest(Input):
    product_id: Id
    quantity: int = Field(ge=1, le=1000)


class CreateBasketWithProductsRequest(Input):
    """Products to add. `system_slug` and `checkout` are read by other shops alone."""

    system_slug: str = LEFT_OUT
    product_ids: list[CreateBasketWithProductIDRequest] = Field(min_length=1, max_length=100)
    checkout: bool = LEFT_OUT
    discount_code: str = LEFT_OUT


class ItemRequest(Input):
    product: Id


class PatchedItemRequest(Input):
    product: Id = LEFT_OUT

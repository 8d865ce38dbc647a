"""What operations on baskets, orders, discounts and products take and answer."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, PlainSerializer

from api.accounts.schemas import PublicUser, User, UserRequest
from api.http.paging import Offsets, Paginated
from api.http.shapes import LEFT_OUT, DecimalInput, DecimalText, Email, Id, Input, Moment, Omittable, Reply

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


class ProductSearch(Offsets):
    """Which products to list: those whose key, title, SKU or description has every word."""

    search: str = Field(LEFT_OUT, max_length=200, description="A search term.")


class ProductRequest(Input):
    price: DecimalInput
    description: str = Field(min_length=1)
    is_active: bool = LEFT_OUT


class NewProductRequest(ProductRequest):
    """A product to create. `readable_id` is the key of the run or program that it sells."""

    readable_id: str = Field(min_length=1)


class PatchedProductRequest(Input):
    price: DecimalInput = LEFT_OUT
    description: str = Field(LEFT_OUT, min_length=1)
    is_active: bool = LEFT_OUT


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


class PaginatedV0DiscountList(Paginated[V0Discount]):
    pass


class DiscountFilters(Offsets):
    """Which discounts to list. `q` is a part of a code, or of the name of a discount without a code."""

    is_redeemed: Literal["no", "yes"] = LEFT_OUT
    payment_type: PaymentTypeEnum | None = None
    q: str = Field(LEFT_OUT, max_length=100)
    redemption_type: RedemptionTypeEnum = LEFT_OUT


class PatchedV0DiscountRequest(Input):
    amount: DecimalInput = LEFT_OUT
    automatic: bool = LEFT_OUT
    discount_type: DiscountTypeEnum = LEFT_OUT
    redemption_type: RedemptionTypeEnum = LEFT_OUT
    max_redemptions: int | None = Field(None, ge=0, le=2147483647)
    discount_code: str = Field(LEFT_OUT, min_length=1, max_length=100)
    payment_type: PaymentTypeEnum | None = None
    activation_date: Moment | None = None
    expiration_date: Moment | None = None


class V0DiscountRequest(PatchedV0DiscountRequest):
    amount: DecimalInput
    discount_type: DiscountTypeEnum
    redemption_type: RedemptionTypeEnum
    discount_code: str = Field(min_length=1, max_length=100)


class DiscountBatchRequest(V0DiscountRequest):
    """Codes to create. With `count` so many, whose texts begin with `discount_code`."""

    count: int = Field(LEFT_OUT, ge=1, le=1000)


class DiscountBatch(V0Discount):
    """The first of new codes, and all of them."""

    codes: list[V0Discount]


class NamedPerson(Input):
    email: Email = Field(min_length=1)


class UserDiscountMetaRequest(Input):
    """Whom a discount is for: the id of an account, or an e-mail address."""

    user: Id | NamedPerson


class PatchedUserDiscountMetaRequest(Input):
    user: Id | NamedPerson = LEFT_OUT


class UserDiscountMeta(Reply):
    """Someone a discount is for. `user` is null if no account has the address, or you may not view people.

    `id` is that of the account, or negative without one.
    """

    id: int
    discount: V0Discount
    user: User | None
    email: Email


class PaginatedUserDiscountMetaList(Paginated[UserDiscountMeta]):
    pass


class DiscountProductRequest(Input):
    product: Id


class PatchedDiscountProductRequest(Input):
    product: Id = LEFT_OUT


class DiscountProduct(Reply):
    """A product that a discount is for. `id` is the product's."""

    id: int
    discount: V0Discount
    product: Product


class PaginatedDiscountProductList(Paginated[DiscountProduct]):
    pass


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


# Orders -------------------------------------------------------------------------------------------------------------


class StateEnum(StrEnum):
    PENDING = "pending"
    FULFILLED = "fulfilled"
    CANCELED = "canceled"
    DECLINED = "declined"
    ERRORED = "errored"
    REFUNDED = "refunded"
    REVIEW = "review"
    PARTIALLY_REFUNDED = "partially_refunded"


class OrderPaging(Offsets):
    limit: int = Field(20, description="Number of results to return per page.")


class OrderStatus(Reply):
    id: int
    reference_number: str | None
    total_price_paid: DecimalText
    state: StateEnum


class Line(Reply):
    """A line of an order. `unit_price` is the list price of one seat, `total_price` what all of them cost."""

    quantity: int
    item_description: str
    unit_price: DecimalText
    total_price: DecimalText
    id: int
    product: Product


class OrderHistory(Reply):
    """An order that was fulfilled, even if it was refunded later."""

    id: int
    state: StateEnum
    reference_number: Omittable[str | None]
    purchaser: PublicUser
    total_price_paid: DecimalText
    lines: list[Line]
    created_on: datetime
    titles: list[str]
    updated_on: datetime
    refund_eligible: bool


class PaginatedOrderHistoryList(Paginated[OrderHistory]):
    pass


class ExtendedLegalAddress(Reply):
    """Whom an order was billed to. `first_name` is the whole name: how it divides isn't known."""

    country: str
    first_name: Omittable[str]
    last_name: Omittable[str]
    street_address_1: Omittable[str]
    street_address_2: Omittable[str]
    city: Omittable[str]
    state: Omittable[str | None]
    postal_code: Omittable[str]
    email: str


class TransactionLine(Reply):
    """A line of a receipt. `price` is that of one seat; `discount` and `total_paid` are those of all."""

    quantity: int
    CEUs: str
    content_title: str
    content_type: str
    readable_id: str
    start_date: datetime | None
    end_date: datetime | None
    total_paid: str
    discount: str
    price: str


class Nested(Reply):
    """A code with its discount as it is now, or a discount that applies automatically."""

    id: int
    created_on: datetime
    updated_on: datetime
    amount: DecimalText
    automatic: Omittable[bool]
    discount_type: DiscountTypeEnum
    redemption_type: RedemptionTypeEnum
    payment_type: Omittable[PaymentTypeEnum | None]
    max_redemptions: Omittable[int | None]
    discount_code: str
    activation_date: Omittable[datetime | None]
    expiration_date: Omittable[datetime | None]
    is_bulk: Omittable[bool]
    is_program_discount: Omittable[bool | None]
    b2b_sheet_location: Omittable[str | None]


class RedeemedDiscount(Reply):
    redeemed_discount: Nested


class ReceiptRefund(Reply):
    """Money that went back, or is on its way."""

    amount: Omittable[DecimalNumber]
    date: Omittable[datetime]


class ReceiptPayment(Reply):
    """How an order was paid. `payment_method` says it as the receipt does; the card's number isn't known here."""

    card_number: Omittable[str]
    card_type: Omittable[str]
    name: Omittable[str]
    bill_to_email: Omittable[str]
    payment_method: Omittable[str]


class ReceiptAddress(Reply):
    line: Omittable[list[str]]
    postal_code: Omittable[str]
    state: Omittable[str]
    city: Omittable[str]
    country: Omittable[str]


class Order(Reply):
    """An order as its receipt shows it, from what was written down when it was placed and paid."""

    id: int
    state: StateEnum
    purchaser: ExtendedLegalAddress
    total_price_paid: DecimalText
    lines: list[TransactionLine]
    discounts: list[RedeemedDiscount]
    refunds: list[ReceiptRefund]
    reference_number: Omittable[str | None]
    created_on: datetime
    transactions: ReceiptPayment
    street_address: ReceiptAddress
    refund_eligible: bool


class RefundReasonEnum(StrEnum):
    ENROLLED_IN_ANOTHER_COURSE = "enrolled_in_another_course"
    COURSE_NOT_AS_EXPECTED = "course_not_as_expected"
    TECHNICAL_DIFFICULTIES = "technical_difficulties"
    FINANCIAL_REASONS = "financial_reasons"
    OTHER = "other"


class RefundRequestRequest(Input):
    """Which order to refund, and why. `consent_given` says that the buyer agrees to lose the courses."""

    order: Id
    refund_reason: RefundReasonEnum | Literal[""] = LEFT_OUT
    refund_reason_text: str = Field(LEFT_OUT, max_length=2000)
    consent_given: bool = LEFT_OUT


class RefundRequest(Reply):
    order: int
    refund_reason: Omittable[RefundReasonEnum | Literal[""]]
    refund_reason_text: Omittable[str]
    consent_given: Omittable[bool]


# Redemptions --------------------------------------------------------------------------------------------------------


class DiscountRedemption(Reply):
    """The use of a discount by an order."""

    id: int
    redemption_date: datetime
    redeemed_by: User
    redeemed_discount: V0Discount
    redeemed_order: Order


class PaginatedDiscountRedemptionList(Paginated[DiscountRedemption]):
    pass


class OrderRequest(Input):
    state: StateEnum
    total_price_paid: DecimalInput
    reference_number: str | None = Field(None, max_length=255)


class PatchedDiscountRedemptionRequest(Input):
    redeemed_by: UserRequest = LEFT_OUT
    redeemed_discount: V0DiscountRequest = LEFT_OUT
    redeemed_order: OrderRequest = LEFT_OUT


class DiscountRedemptionRequest(Input):
    redeemed_by: UserRequest
    redeemed_discount: V0DiscountRequest
    redeemed_order: OrderRequest

"""Rows as answers: products, codes and baskets."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from api.commerce import schemas
from cms.selectors.addresses import page_urls
from ecommerce.enums import DiscountType, RedemptionType
from ecommerce.models import Basket, Discount, DiscountCode, Product
from ecommerce.selectors.basket_prices import PricedBasket, PricedLine, price_basket
from ecommerce.selectors.discount_entries import DiscountEntry
from ecommerce.selectors.discounts import find_redeemed
from mitxonline.kernel.money import Money

_DISCOUNT_TYPES: Mapping[str, schemas.DiscountTypeEnum] = {
    DiscountType.PERCENT_OFF: schemas.DiscountTypeEnum.PERCENT_OFF,
    DiscountType.AMOUNT_OFF: schemas.DiscountTypeEnum.DOLLARS_OFF,
    DiscountType.AMOUNT_OFF_EACH: schemas.DiscountTypeEnum.DOLLARS_OFF,
    DiscountType.FIXED_PRICE: schemas.DiscountTypeEnum.FIXED_PRICE,
}
_REDEMPTION_TYPES: Mapping[str, schemas.RedemptionTypeEnum] = {
    RedemptionType.ONE_TIME: schemas.RedemptionTypeEnum.ONE_TIME,
    RedemptionType.ONE_TIME_PER_USER: schemas.RedemptionTypeEnum.ONE_TIME_PER_USER,
    RedemptionType.UNLIMITED: schemas.RedemptionTypeEnum.UNLIMITED,
}
CODE_LENGTH = 100


def draw_products(products: Collection[Product]) -> list[schemas.Product]:
    """Two queries for the pages of the courses and programs, whatever the number. Needs ``with_item``."""
    urls = page_urls(products)
    return [
        schemas.Product(
            id=product.pk,
            price=product.money.amount,
            description=describe_product(product),
            is_active=product.is_active,
            purchasable_object=draw_item(product, urls.get(product.pk, "")),
        )
        for product in products
    ]


def describe_product(product: Product) -> str:
    return product.description or product.title


def draw_item(product: Product, url: str) -> schemas.ProductRun | schemas.ProductProgram:
    """Draw the run or program that a product sells; `url` is the address of its page."""
    page = schemas.ProductPageLink(page_url=url)
    run = product.course_run
    if run is None:
        program = product.program
        assert program is not None  # noqa: S101 - a constraint: a product sells one of the two
        return schemas.ProductProgram(id=program.pk, title=program.title, readable_id=program.readable_id, page=page)
    return schemas.ProductRun(
        id=run.pk,
        title=run.title,
        run_tag=run.run_tag,
        start_date=run.start_date,
        end_date=run.end_date,
        course=schemas.ProductCourse(id=run.course_id, title=run.course.title, page=page),
        readable_id=run.courseware_id,
        enrollment_start=run.enrollment_start,
        enrollment_end=run.enrollment_end,
        course_number=run.course.number,
    )


def draw_code(code: DiscountCode, *, is_redeemed: bool) -> schemas.V0Discount:
    return _draw_discount(
        code.discount, number=code.pk, text=code.text, max_uses=code.max_uses, is_redeemed=is_redeemed
    )


def draw_entry(entry: DiscountEntry) -> schemas.V0Discount:
    if entry.code is not None:
        return draw_code(entry.code, is_redeemed=entry.is_redeemed)
    return draw_automatic(entry.discount, is_redeemed=entry.is_redeemed)


def draw_automatic(discount: Discount, *, is_redeemed: bool = False) -> schemas.V0Discount:
    """Draw a discount that applies without a code: its number is negative, and its name stands for the code."""
    return _draw_discount(
        discount, number=-discount.pk, text=discount.name[:CODE_LENGTH], max_uses=None, is_redeemed=is_redeemed
    )


def _draw_discount(
    discount: Discount, *, number: int, text: str, max_uses: int | None, is_redeemed: bool
) -> schemas.V0Discount:
    return schemas.V0Discount(
        id=number,
        amount=amount_of(discount),
        automatic=discount.automatic,
        discount_type=discount_type_of(discount),
        redemption_type=redemption_type_of(discount),
        max_redemptions=max_uses,
        discount_code=text,
        payment_type=schemas.PaymentTypeEnum(discount.payment_type),
        is_redeemed=is_redeemed,
        activation_date=discount.activates_at,
        expiration_date=discount.expires_at,
    )


def amount_of(discount: Discount) -> Decimal:
    return Money(discount.amount, discount.currency).amount if discount.currency else round(discount.amount, 2)


def discount_type_of(discount: Discount) -> schemas.DiscountTypeEnum:
    return _DISCOUNT_TYPES[discount.discount_type]


def redemption_type_of(discount: Discount) -> schemas.RedemptionTypeEnum:
    return _REDEMPTION_TYPES[discount.redemption_type]


def price_and_draw(basket: Basket, *, user_id: int | None, now: datetime) -> schemas.BasketWithProduct:
    return draw_basket(basket, price_basket(basket, user_id=user_id, now=now))


def draw_basket(basket: Basket, priced: PricedBasket) -> schemas.BasketWithProduct:
    """What would be bought, and what can't be, with the reason. What is kept for later isn't in it."""
    lines = [*priced.lines, *(line for line in priced.aside if not line.is_kept)]
    urls = page_urls(line.product for line in lines)
    return schemas.BasketWithProduct(
        id=basket.pk,
        user=basket.user_id,
        anonymous_id=basket.token,
        basket_items=[_draw_line(basket, line, urls.get(line.product.pk, "")) for line in lines],
        total_price=priced.list_total.amount,
        discounted_price=priced.total.amount,
        discounts=_draw_discounts(basket, priced, lines),
    )


def _draw_line(basket: Basket, line: PricedLine, url: str) -> schemas.BasketItemWithProduct:
    product = line.product
    return schemas.BasketItemWithProduct(
        basket=basket.pk,
        id=line.row_id,
        product=schemas.BasketProduct(
            id=product.pk,
            price=product.money.amount,
            description=describe_product(product),
            is_active=product.is_active,
            purchasable_object=draw_item(product, url),
        ),
        quantity=line.seats or 1,
        unavailable=str(line.refusal) if line.refusal is not None else "",
    )


def _draw_discounts(
    basket: Basket, priced: PricedBasket, lines: Iterable[PricedLine]
) -> list[schemas.BasketDiscountDetail]:
    """The codes that lower a price or open a course here, and the discounts that apply automatically."""
    codes = [each.code for each in priced.codes if each.refusal is None and not each.is_idle]
    redeemed = find_redeemed({code.pk for code in codes})
    offers = [line.price.offer for line in priced.lines]
    automatic = {offer.discount_id for offer in offers if offer is not None and offer.code_id is None}
    drawn = [draw_code(code, is_redeemed=code.pk in redeemed) for code in codes]
    if automatic:
        drawn += [draw_automatic(each) for each in Discount.objects.filter(pk__in=automatic).order_by("pk")]
    items = [schemas.BasketItem(basket=basket.pk, product=line.product.pk, id=line.row_id) for line in lines]
    own = schemas.Basket(id=basket.pk, user=basket.user_id, basket_items=items)
    return [schemas.BasketDiscountDetail(redeemed_discount=each, redeemed_basket=own) for each in drawn]

"""What is in a basket and what it costs now: the one calculation behind cart, checkout and data for others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.db.models import Prefetch, Q, prefetch_related_objects
from django.utils import timezone
from django.utils.formats import date_format

from ecommerce.enums import RedemptionType, UseState
from ecommerce.errors import (
    BasketEmpty,
    CodeExpired,
    CodeForAnotherProduct,
    CodeNeeded,
    CodeNotYetValid,
    CodeRefused,
    CodeSwitchedOff,
    CodeUnknown,
    CodeUsed,
    NotForSale,
    SeveralCurrencies,
)
from ecommerce.models import Basket, BasketCode, BasketItem, CodeUse, Discount, DiscountCode, Product
from ecommerce.pricing import Item, Offer, Price, price_items
from ecommerce.rules import Finding, Purchase, PurchaseLine, checkout_rules, first_refusals
from ecommerce.selectors.baskets import BasketOwner, open_baskets
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.money import Money


@dataclass(frozen=True, slots=True)
class PricedLine:
    """One product in the basket, as it stands now."""

    product: Product
    price: Price
    code: DiscountCode | None
    refusal: DomainError | None
    entitlement: str
    provider: str
    contact: str

    @property
    def title(self) -> str:
        """What is bought."""
        return self.product.title

    @property
    def item_id(self) -> str:
        """The course key or program id."""
        return self.product.item_id

    @property
    def listed(self) -> Money:
        """The list price."""
        return self.price.listed

    @property
    def off(self) -> Money:
        """What the discount takes off."""
        return self.price.off

    @property
    def due(self) -> Money:
        """What is to be paid."""
        return self.price.due

    @property
    def discount_label(self) -> str:
        """The discount's name, as buyer and receipt see it."""
        return self.price.offer.label if self.price.offer else ""

    @property
    def needs_code(self) -> bool:
        """Whether the product's own code is still missing."""
        return self.product.requires_code and self.code is None and not self.entitlement


@dataclass(frozen=True, slots=True)
class AppliedCode:
    """A code on the basket: what it does, or why it does nothing any more."""

    code: DiscountCode
    refusal: DomainError | None


@dataclass(frozen=True, slots=True)
class PricedBasket:
    """A basket with prices, refusals and totals, worked out at one moment."""

    basket: Basket | None
    lines: tuple[PricedLine, ...] = ()
    codes: tuple[AppliedCode, ...] = ()
    currency: str = field(default_factory=lambda: settings.DEFAULT_CURRENCY)
    other_basket_count: int = 0

    @property
    def is_link(self) -> bool:
        """Whether a contract's link opened it."""
        return self.basket is not None and self.basket.is_link

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it."""
        return not self.lines

    @property
    def has_one_currency(self) -> bool:
        """Whether the lines can be added up."""
        return len({line.due.currency for line in self.lines}) <= 1

    @property
    def list_total(self) -> Money:
        """The sum of the list prices."""
        return Money.sum((line.listed for line in self._addable), self.currency)

    @property
    def discount_total(self) -> Money:
        """The sum of what is taken off."""
        return Money.sum((line.off for line in self._addable), self.currency)

    @property
    def total(self) -> Money:
        """What is to be paid."""
        return Money.sum((line.due for line in self._addable), self.currency)

    @property
    def needs_code(self) -> bool:
        """Whether a line still waits for its own code."""
        return any(line.needs_code for line in self.lines)

    @property
    def refusals(self) -> tuple[DomainError, ...]:
        """Everything that stands in the way of checking out."""
        if not self.lines:
            return (BasketEmpty(),)
        ways = [line.refusal for line in self.lines if line.refusal is not None]
        if not self.has_one_currency:
            ways.append(SeveralCurrencies())
        ways += [CodeNeeded(title=line.title) for line in self.lines if line.needs_code and line.refusal is None]
        return tuple(ways)

    @property
    def can_check_out(self) -> bool:
        """Whether the button is shown."""
        return not self.refusals

    @property
    def _addable(self) -> tuple[PricedLine, ...]:
        return tuple(line for line in self.lines if line.due.currency == self.currency)


def priced_basket(owner: BasketOwner, *, user_id: int | None, now: datetime) -> PricedBasket:
    """The owner's current basket with today's prices and refusals; constant queries for any number of lines."""
    baskets = open_baskets(owner, now=now)
    if baskets.current is None:
        return PricedBasket(basket=None)
    return price_basket(baskets.current, user_id=user_id, now=now, other_count=baskets.waiting_count)


def price_basket(
    basket: Basket,
    *,
    user_id: int | None,
    now: datetime,
    other_count: int = 0,
    ask_rules: bool = True,
    with_code: DiscountCode | None = None,
) -> PricedBasket:
    """Price one basket: its products, the codes that still work, automatic discounts, and what the rules say.

    Checkout leaves the rules out here: it asks them under their locks. ``with_code`` is supposed to be applied too.
    """
    products = products_in(basket)
    codes = codes_on(basket)
    if with_code is not None and with_code not in codes:
        codes = [code for code in codes if not is_replaced(code, by=with_code)] + [with_code]
    own_uses = uses_of(codes, user_id)
    applied = [AppliedCode(code, code_refusal(code, own=own_uses.get(code.pk), now=now)) for code in codes]
    offers = [offer_of(each.code.discount, code=each.code) for each in applied if each.refusal is None]
    if not all(product.requires_code for product in products):
        offers += [offer_of(discount) for discount in automatic_discounts(now)]
    prices = price_items([Item(p.pk, p.money, p.requires_code) for p in products], offers)
    by_id = {each.code.pk: each.code for each in applied}
    spent = [by_id.get(price.offer.code_id or 0) if price.offer else None for price in prices]
    opened = {code.discount.unlocks_id for code in codes}
    purchase = Purchase(
        lines=tuple(
            PurchaseLine(product, code, knows_code=product.pk in opened)
            for product, code in zip(products, spent, strict=True)
        ),
        user_id=user_id,
        now=now,
    )
    findings = check_rules(purchase) if ask_rules else []
    refusals = first_refusals(findings)
    lines = tuple(
        _line(product, price, code, refusals.get(product.pk), findings)
        for product, price, code in zip(products, prices, spent, strict=True)
    )
    return PricedBasket(
        basket=basket,
        lines=lines,
        codes=tuple(applied),
        currency=lines[0].listed.currency if lines else settings.DEFAULT_CURRENCY,
        other_basket_count=other_count,
    )


def check_rules(purchase: Purchase) -> list[Finding]:
    """Everything the rules find, in the order of asking; what needs its code and no rule vouches for isn't sold."""
    findings = [finding for rule in checkout_rules() for finding in rule.check(purchase)]
    vouched = {finding.product_id for finding in findings if finding.vouches}
    return findings + [
        Finding(product_id=line.product.pk, refusal=NotForSale(title=line.product.title))
        for line in purchase.lines
        if line.product.requires_code and line.product.pk not in vouched
    ]


def products_in(basket: Basket) -> list[Product]:
    """The basket's products with what they sell, in the order they were added; one query."""
    items = BasketItem.objects.filter(basket=basket).order_by("pk")
    return [
        item.product
        for item in items.select_related("product__course_run__course__department", "product__program__department")
    ]


def codes_on(basket: Basket) -> list[DiscountCode]:
    """The codes applied to a basket, with their discounts and the products these are for."""
    rows = BasketCode.objects.filter(basket=basket).select_related(
        "code__discount__unlocks__course_run", "code__discount__unlocks__program"
    )
    codes = [row.code for row in rows.order_by("pk")]
    _load_products([code.discount for code in codes])
    return codes


def uses_of(codes: Sequence[DiscountCode], user_id: int | None) -> dict[int, CodeUse]:
    """The learner's own live uses of these codes."""
    if user_id is None or not codes:
        return {}
    return {use.code_id: use for use in CodeUse.objects.live().filter(user_id=user_id, code__in=codes)}


def automatic_discounts(now: datetime) -> list[Discount]:
    """Discounts that apply by themselves at this moment."""
    found = list(
        Discount.objects.filter(
            Q(activates_at__isnull=True) | Q(activates_at__lte=now),
            Q(expires_at__isnull=True) | Q(expires_at__gt=now),
            automatic=True,
            is_active=True,
        )
    )
    _load_products(found)
    return found


def offer_of(discount: Discount, *, code: DiscountCode | None = None) -> Offer:
    """A discount as pricing sees it; its products are loaded already."""
    return Offer(
        discount_id=discount.pk,
        discount_type=discount.discount_type,
        amount=discount.amount,
        currency=discount.currency,
        products=None if discount.for_all_products else _chosen(discount),
        unlocks=discount.unlocks_id,
        code_id=code.pk if code else None,
        label=_label(discount, code),
    )


def code_refusal(code: DiscountCode, *, own: CodeUse | None, now: datetime) -> DomainError | None:
    """Why a code can't be used at all, or None. What it was used for stays the learner's, see ``_serves_again``."""
    discount = code.discount
    if own is not None and _serves_again(own, code, now=now):
        return None
    if discount.activates_at is not None and now < discount.activates_at:
        return CodeNotYetValid(opens=_moment(discount.activates_at))
    if discount.expires_at is not None and now >= discount.expires_at:
        return CodeExpired(ended=_moment(discount.expires_at))
    if not code.active or not discount.is_active:
        return CodeSwitchedOff()
    if own is not None and own.state == UseState.CONFIRMED and is_for_one_order(code):
        return CodeUsed()
    if own is None and code.max_uses is not None and code.uses >= code.max_uses:
        return CodeUsed()
    return None


def _serves_again(own: CodeUse, code: DiscountCode, *, now: datetime) -> bool:
    """Whether the learner's own live use is what they come with again.

    Held for an order in payment: it was judged when that was placed, and its hold isn't over. An enrollment code: the
    seat is theirs, and the contract's rule says what that means.
    """
    if own.state == UseState.HELD:
        return own.held_until is not None and now <= own.held_until
    return code.discount.unlocks_id is not None


def is_for_one_order(code: DiscountCode) -> bool:
    """Whether one person can buy with the code only once: a person has one use of it, and here uses are limited.

    An enrollment code is not: the contract's rule judges who comes with it again.
    """
    limited = code.max_uses is not None or code.discount.redemption_type != RedemptionType.UNLIMITED
    return limited and code.discount.unlocks_id is None


def refuse_code(code: DiscountCode, *, user_id: int | None, now: datetime) -> None:
    """Raise why this person can't use the code at all, naming the organization that gave it out."""
    refusal = code_refusal(code, own=uses_of([code], user_id).get(code.pk), now=now)
    if refusal is None:
        return
    opens = code.discount.unlocks
    if opens is None:
        raise refusal
    findings = check_rules(Purchase(lines=(PurchaseLine(opens, code),), user_id=user_id, now=now))
    for finding in findings:
        if isinstance(finding.refusal, CodeRefused) and finding.refusal.outranks:
            raise finding.refusal
    provider = next((finding.provider for finding in findings if finding.provider), "")
    if isinstance(refusal, CodeUsed | CodeSwitchedOff):
        refusal = type(refusal)(organization=provider)
    raise refusal


def find_code(text: str) -> DiscountCode:
    """The code with this text, with its discount and what it opens; CodeUnknown if there is none."""
    code = (
        DiscountCode.objects.matching(text)
        .select_related("discount__unlocks__course_run__course__department", "discount__unlocks__program__department")
        .first()
    )
    if code is None:
        raise CodeUnknown
    _load_products([code.discount])
    return code


def is_replaced(code: DiscountCode, *, by: DiscountCode) -> bool:
    """Whether a code gives way: a contract product has one code, and a second one replaces the first."""
    return by.discount.unlocks_id is not None and code.discount_id == by.discount_id and code != by


def code_fits(code: DiscountCode, products: Sequence[Product]) -> DomainError | None:
    """CodeForAnotherProduct where the code touches nothing in the basket, or None."""
    offer = offer_of(code.discount, code=code)
    if any(offer.covers(Item(p.pk, p.money, p.requires_code)) for p in products):
        return None
    opens = code.discount.unlocks
    return CodeForAnotherProduct(title=opens.title if opens is not None else "")


def _chosen(discount: Discount) -> frozenset[int]:
    """The products a discount was limited to; one that opens a contract product has none of these."""
    return frozenset() if discount.unlocks_id is not None else frozenset(p.pk for p in discount.products.all())


def _load_products(discounts: Sequence[Discount]) -> None:
    """Read what the discounts are limited to, in one query for all that need it."""
    limited = [each for each in discounts if not each.for_all_products and each.unlocks_id is None]
    prefetch_related_objects(limited, Prefetch("products", queryset=Product.objects.only("pk")))


def _line(
    product: Product,
    price: Price,
    code: DiscountCode | None,
    refusal: DomainError | None,
    findings: list[Finding],
) -> PricedLine:
    mine = [finding for finding in findings if finding.product_id == product.pk]
    return PricedLine(
        product=product,
        price=price,
        code=code,
        refusal=refusal,
        entitlement=next((finding.entitlement for finding in mine if finding.entitlement), ""),
        provider=next((finding.provider for finding in mine if finding.provider), ""),
        contact=next((finding.contact for finding in mine if finding.contact), ""),
    )


def _label(discount: Discount, code: DiscountCode | None) -> str:
    if discount.unlocks_id is not None or code is None:
        return discount.name
    return code.text


def _moment(moment: datetime) -> str:
    """A moment with its time zone, as a buyer reads it (D9)."""
    local = timezone.localtime(moment)
    return f"{date_format(local, 'DATETIME_FORMAT')} {local.tzname()}"

"""What is in a basket and what it costs now: the one calculation behind cart, checkout and data for others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.conf import settings

from ecommerce.errors.checkout import (
    AlreadyEnrolled,
    BasketEmpty,
    CodeNeeded,
    CourseTwice,
    NotForSale,
    PartlyEnrolled,
    SeveralCurrencies,
)
from ecommerce.errors.codes import (
    CodeForAnotherProduct,
    CodeInUse,
    CodeMissing,
    CodeRefused,
    CodeSwitchedOff,
    CodeUnknown,
    CodeUsed,
)
from ecommerce.models import Basket, BasketCode, BasketItem, CodeUse, DiscountCode, Product
from ecommerce.pricing import Item, Offer, Price, price_item, price_items
from ecommerce.rules import Finding, Purchase, PurchaseLine, checkout_rules, first_refusals
from ecommerce.selectors.baskets import BasketOwner, open_baskets
from ecommerce.selectors.offers import (
    applies_to,
    automatic_discounts,
    buyer_of,
    code_refusal,
    is_for_one_order,
    load_products,
    offer_of,
    uses_of,
)
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.fingerprint import fingerprint
from mitxonline.kernel.money import Money
from mitxonline.kernel.text import normalize_email, strip_punctuation
from mitxonline.users.models import User


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
    note: str = ""
    kept_at: datetime | None = None

    @property
    def is_kept(self) -> bool:
        """Whether it waits beside the basket already."""
        return self.kept_at is not None

    @property
    def is_had(self) -> bool:
        """Whether the buyer has all of it already: there is nothing to wait for."""
        return isinstance(self.refusal, AlreadyEnrolled) and not isinstance(self.refusal, PartlyEnrolled)

    @property
    def is_twice(self) -> bool:
        """Whether something else in the cart gives the same course, so that one of the two is to be removed."""
        return isinstance(self.refusal, CourseTwice)

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
    """A code on the basket: what it does, or why it does nothing any more.

    One that is fine and prices no line is idle: everything it could touch is as cheap or cheaper without it.
    """

    code: DiscountCode
    refusal: DomainError | None
    is_idle: bool = False


@dataclass(frozen=True, slots=True)
class PricedBasket:
    """A basket with prices, refusals and totals, worked out at one moment.

    ``aside`` is what is neither added up nor bought: kept for later, or refused by a rule. In a link basket nothing is
    set aside: there a refusal stands in the way of the whole.
    """

    basket: Basket | None
    lines: tuple[PricedLine, ...] = ()
    aside: tuple[PricedLine, ...] = ()
    codes: tuple[AppliedCode, ...] = ()
    currency: str = field(default_factory=lambda: settings.DEFAULT_CURRENCY)
    other_basket_count: int = 0

    @property
    def is_link(self) -> bool:
        """Whether a contract's link opened it."""
        return self.basket is not None and self.basket.is_link

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it to be bought."""
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
    def fingerprint(self) -> str:
        """What is to be bought, at which price and by which code: the same again is the same order."""
        return fingerprint(
            *sorted(
                f"{line.product.pk}:{line.listed}:{line.due}:{line.code.pk if line.code else ''}" for line in self.lines
            )
        )

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


def price_current_basket(owner: BasketOwner, *, user_id: int | None, now: datetime) -> PricedBasket:
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
    items = items_in(basket)
    products = [item.product for item in items if item.kept_at is None]
    kept = [item.product for item in items if item.kept_at is not None]
    codes = codes_on(basket)
    if with_code is not None and with_code not in codes:
        codes = [code for code in codes if not is_replaced(code, by=with_code)] + [with_code]
    applied, offers = _usable(codes, products, user_id=user_id, now=now)
    prices = price_items([_item(product) for product in products], offers)
    by_id = {each.code.pk: each.code for each in applied}
    spent = [by_id.get(price.offer.code_id or 0) if price.offer else None for price in prices]
    findings = []
    if ask_rules:
        opened = {code.discount.unlocks_id for code in codes}
        asked = [
            *(
                PurchaseLine(product, code, knows_code=product.pk in opened)
                for product, code in zip(products, spent, strict=True)
            ),
            *(PurchaseLine(product, None, knows_code=product.pk in opened, is_kept=True) for product in kept),
        ]
        findings = check_rules(Purchase(lines=tuple(asked), user_id=user_id, now=now))
    refusals = _without_settled(first_refusals(findings))
    lines = [
        _line(product, price, code, refusals.get(product.pk), findings)
        for product, price, code in zip(products, prices, spent, strict=True)
    ]
    waiting = [
        _line(item.product, price_item(_item(item.product), []), None, refusals.get(item.product_id), findings, item)
        for item in items
        if item.kept_at is not None
    ]
    sold = [line for line in lines if basket.is_link or not _is_set_aside(line.refusal)]
    if len(sold) < len(lines):  # what is set aside takes no part of an amount that comes off the cart once
        prices = price_items([_item(line.product) for line in sold], offers)
        sold = [
            replace(line, price=price, code=by_id.get(price.offer.code_id or 0) if price.offer else None)
            for line, price in zip(sold, prices, strict=True)
        ]
    used = {line.code.pk for line in sold if line.code is not None}
    return PricedBasket(
        basket=basket,
        lines=tuple(sold),
        aside=tuple([line for line in lines if line.product.pk not in {each.product.pk for each in sold}] + waiting),
        codes=tuple(replace(each, is_idle=each.refusal is None and each.code.pk not in used) for each in applied),
        currency=sold[0].listed.currency if sold else settings.DEFAULT_CURRENCY,
        other_basket_count=other_count,
    )


def _is_set_aside(refusal: DomainError | None) -> bool:
    """Whether a refusal takes a line out of an ordinary cart; what the buyer has to choose between stays."""
    return refusal is not None and getattr(refusal, "is_set_aside", True)


def _without_settled(refusals: dict[int, DomainError]) -> dict[int, DomainError]:
    """The refusals without “twice in your cart” where the other of the two is set aside."""
    return {
        product_id: refusal
        for product_id, refusal in refusals.items()
        if not (isinstance(refusal, CourseTwice) and _is_set_aside(refusals.get(refusal.beside_id)))
    }


def _usable(
    codes: list[DiscountCode], products: list[Product], *, user_id: int | None, now: datetime
) -> tuple[list[AppliedCode], list[Offer]]:
    """The codes with why they don't work, and everything that may lower a price: by code, or by itself."""
    automatic = [] if all(product.requires_code for product in products) else automatic_discounts(now)
    buyer = buyer_of(user_id, discounts=[*automatic, *(code.discount for code in codes)], codes=codes)
    own = uses_of(codes, user_id)
    applied = [AppliedCode(code, code_refusal(code, own=own.get(code.pk), buyer=buyer, now=now)) for code in codes]
    offers = [offer_of(each.code.discount, code=each.code) for each in applied if each.refusal is None]
    return applied, offers + [offer_of(discount) for discount in automatic if applies_to(discount, buyer)]


def check_rules(purchase: Purchase) -> list[Finding]:
    """Everything the rules find, in the order of asking; what needs its code and no rule vouches for isn't sold."""
    findings = [finding for rule in checkout_rules() for finding in rule.check(purchase)]
    vouched = {finding.product_id for finding in findings if finding.vouches}
    return findings + [
        Finding(product_id=line.product.pk, refusal=NotForSale(title=line.product.title))
        for line in purchase.lines
        if line.product.requires_code and line.product.pk not in vouched
    ]


def items_in(basket: Basket) -> list[BasketItem]:
    """What is in the basket or kept beside it, with what it sells, in the order it was added; one query."""
    items = BasketItem.objects.filter(basket=basket).order_by("pk")
    return list(items.select_related("product__course_run__course__department", "product__program__department"))


def codes_on(basket: Basket) -> list[DiscountCode]:
    """The codes applied to a basket, with their discounts and the products these are for."""
    rows = BasketCode.objects.filter(basket=basket).select_related(
        "code__discount__unlocks__course_run", "code__discount__unlocks__program"
    )
    codes = [row.code for row in rows.order_by("pk")]
    load_products([code.discount for code in codes])
    return codes


def is_held_by(code: DiscountCode, user_id: int | None) -> bool:
    """Whether the code is this person's: they have used it, or it was given to their address."""
    if user_id is None:
        return False
    if CodeUse.objects.filter(code=code, user_id=user_id).exists():
        return True
    email = normalize_email(code.assigned_email)
    return bool(email) and User.objects.filter(pk=user_id, email=email).exists()


def mark_if_held(refusal: CodeRefused, *, text: str, user_id: int | None) -> None:
    """Note on a refusal that the code is this person's own, so that it isn't counted as a guess."""
    if refusal.is_failure and not isinstance(refusal, CodeUnknown | CodeMissing):
        refusal.is_own = is_held_by(find_code(text), user_id)


def refuse_code(code: DiscountCode, *, user_id: int | None, now: datetime) -> None:
    """Raise why this person can't use the code at all, naming the organization that gave it out."""
    buyer = buyer_of(user_id, discounts=[code.discount], codes=[code])
    refusal = code_refusal(code, own=uses_of([code], user_id).get(code.pk), buyer=buyer, now=now)
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
    if isinstance(refusal, CodeInUse):
        raise refusal
    if isinstance(refusal, CodeUsed | CodeSwitchedOff):
        refusal = type(refusal)(organization=provider)
    raise refusal


def find_code(text: str) -> DiscountCode:
    """The code with this text, with its discount and what it opens; CodeUnknown if there is none.

    Punctuation around it, which mail programs link along, is left out: no code has any.
    """
    code = (
        DiscountCode.objects.matching(strip_punctuation(text))
        .select_related("discount__unlocks__course_run__course__department", "discount__unlocks__program__department")
        .first()
    )
    if code is None:
        raise CodeUnknown
    load_products([code.discount])
    return code


def is_replaced(code: DiscountCode, *, by: DiscountCode) -> bool:
    """Whether a code gives way: a contract product has one code, and a second one replaces the first."""
    return by.discount.unlocks_id is not None and code.discount_id == by.discount_id and code != by


def code_fits(code: DiscountCode, products: Sequence[Product]) -> DomainError | None:
    """CodeForAnotherProduct where the code touches nothing in the basket, or None."""
    offer = offer_of(code.discount, code=code)
    if any(offer.covers(_item(product)) for product in products):
        return None
    opens = code.discount.unlocks
    return CodeForAnotherProduct(title=opens.title if opens is not None else "")


def _item(product: Product) -> Item:
    return Item(product.pk, product.money, product.requires_code)


def _line(
    product: Product,
    price: Price,
    code: DiscountCode | None,
    refusal: DomainError | None,
    findings: list[Finding],
    item: BasketItem | None = None,
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
        note=next((finding.note for finding in mine if finding.note), ""),
        kept_at=item.kept_at if item is not None else None,
    )


__all__ = [
    "AppliedCode",
    "PricedBasket",
    "PricedLine",
    "check_rules",
    "code_fits",
    "find_code",
    "is_for_one_order",
    "is_replaced",
    "price_basket",
    "price_current_basket",
    "refuse_code",
]

"""What a basket costs at one moment: the one calculation behind cart and checkout. Nothing is written here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from courses.models import CourseRun
from ecommerce.errors.checkout import (
    BasketEmpty,
    CodeNeeded,
    CourseTwice,
    PaymentUnderWay,
    SeveralCurrencies,
    StartClosed,
)
from ecommerce.models import Basket, BasketCode, BasketItem, BasketItemStart, DiscountCode, LineKey, Product
from ecommerce.pricing import Item, Offer, Price, price_item, price_items
from ecommerce.programs import ChosenStarts, ProgramTerms, describe_programs
from ecommerce.rules import Purchase, PurchaseLine, RuleVerdict, check_rules, first_refusals
from ecommerce.selectors.baskets import BasketOwner, find_baskets
from ecommerce.selectors.codes import CodeVerdict, judge_codes, name_organization
from ecommerce.selectors.offers import find_automatic_discounts, find_buyer, is_for_buyer, load_products, make_offer
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.fingerprint import fingerprint
from mitxonline.kernel.money import Money
from mitxonline.kernel.shop import current_shop, current_site_id

NO_PROGRAM = ProgramTerms()


@dataclass(frozen=True, slots=True)
class PricedLine:
    """One product in the basket with its price and what the rules say of it.

    ``entitlement`` is a right that replaces the code. ``provider`` is the organization whose contract pays, ``contact``
    its manager. ``kept_at`` is set where the buyer keeps the product for later. ``program`` has the terms of a program.
    With ``seats`` it is for a group, and the amounts are those of all seats together. ``row_id`` is its basket item.
    """

    row_id: int
    product: Product
    price: Price
    code: DiscountCode | None
    refusal: DomainError | None
    entitlement: str
    provider: str
    contact: str
    kept_at: datetime | None = None
    program: ProgramTerms = field(default_factory=ProgramTerms)
    seats: int | None = None

    @property
    def is_group(self) -> bool:
        return self.seats is not None

    @property
    def key(self) -> LineKey:
        return self.product.pk, self.is_group

    @property
    def can_be_group(self) -> bool:
        """Whether the buyer may choose between themselves and a group."""
        return self.product.sells_seats

    @property
    def is_kept(self) -> bool:
        return self.kept_at is not None

    @property
    def is_owned(self) -> bool:
        """Whether the buyer has all of it already. An ordinary basket loses it, a link basket shows it alone."""
        return getattr(self.refusal, "is_owned", False)

    @property
    def is_awaited(self) -> bool:
        """Whether an order of the buyer for it is being paid."""
        return isinstance(self.refusal, PaymentUnderWay)

    @property
    def is_code_needless(self) -> bool:
        """Whether the buyer’s seat serves in place of the code. A code given to someone by name is theirs to use."""
        is_free_code = self.code is not None and not self.code.assigned_email
        return is_free_code and bool(self.entitlement) and self.refusal is None

    @property
    def is_twice(self) -> bool:
        """Whether another line gives the same course, so that the buyer has to remove one of the two."""
        return isinstance(self.refusal, CourseTwice)

    @property
    def title(self) -> str:
        return self.product.title

    @property
    def item_id(self) -> str:
        return self.product.item_id

    @property
    def listed(self) -> Money:
        return self.price.listed

    @property
    def discount(self) -> Money:
        return self.price.discount

    @property
    def deduction(self) -> Money:
        """What comes off for courses of a program that the buyer already has."""
        return self.price.deduction

    @property
    def due(self) -> Money:
        return self.price.due

    @property
    def is_program(self) -> bool:
        return self.product.program_id is not None

    @property
    def start_is_closed(self) -> bool:
        """Whether a start has closed since it was chosen, so that the buyer has to choose again."""
        return isinstance(self.refusal, StartClosed)

    @property
    def discount_label(self) -> str:
        """The discount's name, as cart and receipt show it."""
        return self.price.offer.label if self.price.offer else ""

    @property
    def needs_code(self) -> bool:
        """Whether the product's own code is still missing."""
        return self.product.requires_code and self.code is None and not self.entitlement


@dataclass(frozen=True, slots=True)
class PricedBasket:
    """A basket with prices, refusals and totals.

    ``aside`` holds what is neither added up nor bought: kept for later by the buyer, or refused by a rule. A link
    basket sets nothing aside: there one refused line blocks the whole basket.
    """

    basket: Basket | None
    lines: tuple[PricedLine, ...] = ()
    aside: tuple[PricedLine, ...] = ()
    codes: tuple[CodeVerdict, ...] = ()
    currency: str = field(default_factory=lambda: current_shop().currency)
    other_basket_count: int = 0
    other_program_count: int = 0

    @property
    def is_link(self) -> bool:
        """Whether a contract's link opened it."""
        return self.basket is not None and self.basket.is_link

    @property
    def is_empty(self) -> bool:
        return not self.lines

    @property
    def has_one_currency(self) -> bool:
        return len({line.due.currency for line in self.lines}) <= 1

    @property
    def list_total(self) -> Money:
        return Money.sum((line.listed for line in self._addable), self.currency)

    @property
    def discount_total(self) -> Money:
        return Money.sum((line.discount for line in self._addable), self.currency)

    @property
    def deduction_total(self) -> Money:
        return Money.sum((line.deduction for line in self._addable), self.currency)

    @property
    def seat_count(self) -> int:
        """How many seats are bought for groups."""
        return sum(line.seats or 0 for line in self.lines)

    @property
    def is_for_groups_only(self) -> bool:
        """Whether the buyer gets nothing but registration codes."""
        return bool(self.lines) and all(line.is_group for line in self.lines)

    @property
    def program_count(self) -> int:
        return sum(line.is_program for line in self.lines)

    @property
    def total(self) -> Money:
        """What is to be paid; lines in another currency aren't counted, and block checkout."""
        return Money.sum((line.due for line in self._addable), self.currency)

    @property
    def fingerprint(self) -> str:
        """A digest of products, prices, codes and starts: baskets with the same one make the same order."""
        return fingerprint(
            *sorted(
                f"{line.product.pk}:{line.listed}:{line.due}:{line.code.pk if line.code else ''}"
                f"{f':{line.seats} seats' if line.is_group else ''}"
                f"{''.join(f':{course}@{run}' for course, run in sorted(line.program.runs.items()))}"
                for line in self.lines
            )
        )

    @property
    def needs_code(self) -> bool:
        return any(line.needs_code for line in self.lines)

    @property
    def refusals(self) -> tuple[DomainError, ...]:
        if not self.lines:
            return (BasketEmpty(),)
        refusals = [line.refusal for line in self.lines if line.refusal is not None]
        if not self.has_one_currency:
            refusals.append(SeveralCurrencies())
        refusals += [CodeNeeded(title=line.title) for line in self.lines if line.needs_code and line.refusal is None]
        return tuple(refusals)

    @property
    def has_news(self) -> bool:
        """Whether the cart's page has something to say first: a line set aside, or a code that isn't needed."""
        return any(not line.is_kept for line in self.aside) or any(line.is_code_needless for line in self.lines)

    @property
    def can_check_out(self) -> bool:
        return not self.refusals

    @property
    def _addable(self) -> tuple[PricedLine, ...]:
        return tuple(line for line in self.lines if line.due.currency == self.currency)


def price_current_basket(owner: BasketOwner, *, user_id: int | None, now: datetime) -> PricedBasket:
    """Price the owner's current basket; the number of queries doesn't depend on the number of lines."""
    baskets = find_baskets(owner, now=now)
    if baskets.current is None:
        return PricedBasket(basket=None)
    priced = price_basket(baskets.current, user_id=user_id, now=now)
    return replace(priced, other_basket_count=baskets.waiting_count, other_program_count=baskets.waiting_program_count)


def price_basket(
    basket: Basket,
    *,
    user_id: int | None,
    now: datetime,
    ask_rules: bool = True,
    with_code: DiscountCode | None = None,
) -> PricedBasket:
    """Price a basket with the codes on it and automatic discounts, and ask the rules about each line.

    ``with_code`` is priced as if it were on the basket. Checkout passes ``ask_rules=False``, because it asks the rules
    again under their locks.
    """
    items = _load_items(basket)
    bought = [item for item in items if item.kept_at is None]
    kept = [item for item in items if item.kept_at is not None]
    programs = describe_programs(
        [item.product for item in items], user_id=user_id, now=now, chosen=_load_chosen_starts(items)
    )
    codes = _load_codes(basket, with_code=with_code)
    verdicts, offers = _judge_discounts(
        codes, [item.product for item in bought], user_id=user_id, site_id=basket.site_id, now=now
    )
    by_id = {code.pk: code for code in codes}
    prices = price_items([_make_item(item, programs) for item in bought], offers)
    spent = [by_id.get(price.offer.code_id or 0) if price.offer else None for price in prices]
    rule_verdicts: list[RuleVerdict] = []
    if ask_rules:
        opened = {code.discount.unlocks_id for code in codes}
        asked = [
            PurchaseLine(
                item.product,
                code,
                knows_code=item.product_id in opened,
                is_kept=item.kept_at is not None,
                program=programs.get(item.product_id, NO_PROGRAM),
                seats=item.seats,
            )
            for item, code in (*zip(bought, spent, strict=True), *((item, None) for item in kept))
        ]
        rule_verdicts = check_rules(Purchase(tuple(asked), user_id=user_id, now=now, site_id=basket.site_id))
    refusals = _drop_settled_doubles(first_refusals(rule_verdicts))
    lines = [
        _make_line(item, price, code, refusals.get(item.key), rule_verdicts, programs)
        for item, price, code in zip(bought, prices, spent, strict=True)
    ]
    sold = [line for line in lines if basket.is_link or not _is_set_aside(line.refusal)]
    aside = [line for line in lines if line not in sold]
    if aside:  # a line set aside takes no part of an amount that comes off the cart once
        prices = price_items([line.price.item for line in sold], offers)
        sold = [
            replace(line, price=price, code=by_id.get(price.offer.code_id or 0) if price.offer else None)
            for line, price in zip(sold, prices, strict=True)
        ]
    for item in kept:
        price = price_item(_make_item(item, programs), [])
        line = _make_line(item, price, None, refusals.get(item.key), rule_verdicts, programs)
        aside.append(replace(line, kept_at=item.kept_at))
    used = {line.code.pk for line in sold if line.code is not None}
    providers = {line.product.pk: line.provider for line in lines}
    return PricedBasket(
        basket=basket,
        lines=tuple(sold),
        aside=tuple(aside),
        codes=tuple(
            replace(
                name_organization(verdict, providers.get(verdict.code.discount.unlocks_id or 0, "")),
                is_idle=verdict.refusal is None and verdict.code.pk not in used,
            )
            for verdict in verdicts
        ),
        currency=sold[0].listed.currency if sold else current_shop().currency,
    )


def make_item(product: Product, program: ProgramTerms | None = None, *, seats: int | None = None) -> Item:
    """Describe a product to pricing; a program's terms say what comes off for courses the buyer has."""
    deduction = program.deduction if program is not None and seats is None else None  # what the buyer has is theirs
    return Item(product.pk, product.money * (seats or 1), product.requires_code, deduction=deduction, seats=seats)


def quote_seats(product: Product, *, seats: int, user_id: int | None, now: datetime) -> Price:
    """Return what seats of a product cost that are bought alone and without a code, as the cart will say."""
    _verdicts, offers = _judge_discounts([], [product], user_id=user_id, site_id=current_site_id(), now=now)
    (price,) = price_items([make_item(product, seats=seats)], offers)
    return price


def _make_item(item: BasketItem, programs: Mapping[int, ProgramTerms]) -> Item:
    return make_item(item.product, programs.get(item.product_id), seats=item.seats)


def _load_chosen_starts(items: list[BasketItem]) -> dict[int, ChosenStarts]:
    """Read the starts chosen for programs, by the product's id; no query where there is no program."""
    programs = {item.pk: item.product_id for item in items if item.product.program_id is not None}
    chosen: dict[int, dict[int, CourseRun]] = {}
    if programs:
        for row in BasketItemStart.objects.filter(item__in=programs).select_related("run"):
            chosen.setdefault(programs[row.item_id], {})[row.course_id] = row.run
    return dict(chosen)


def _load_items(basket: Basket) -> list[BasketItem]:
    items = BasketItem.objects.filter(basket=basket).order_by("pk")
    return list(items.select_related("product__course_run__course__department", "product__program__department"))


def _load_codes(basket: Basket, *, with_code: DiscountCode | None) -> list[DiscountCode]:
    rows = BasketCode.objects.filter(basket=basket).select_related(
        "code__discount__unlocks__course_run__course", "code__discount__unlocks__program"
    )
    codes = [row.code for row in rows.order_by("pk")]
    load_products([code.discount for code in codes])
    if with_code is None or with_code in codes:
        return codes
    if with_code.discount.unlocks_id is not None:  # a contract product has one code: a second one replaces the first
        codes = [code for code in codes if code.discount_id != with_code.discount_id]
    return [*codes, with_code]


def _judge_discounts(
    codes: list[DiscountCode], products: list[Product], *, user_id: int | None, site_id: int | None, now: datetime
) -> tuple[list[CodeVerdict], list[Offer]]:
    """Judge the codes, and return everything that may lower a price: usable codes and automatic discounts."""
    is_contracts = all(product.requires_code for product in products)
    automatic = [] if is_contracts else find_automatic_discounts(now, site_id=site_id)
    buyer = find_buyer(user_id, discounts=[*automatic, *(code.discount for code in codes)], codes=codes)
    verdicts = judge_codes(codes, buyer=buyer, user_id=user_id, site_id=site_id, now=now)
    offers = [make_offer(each.code.discount, code=each.code) for each in verdicts if each.refusal is None]
    return verdicts, offers + [make_offer(discount) for discount in automatic if is_for_buyer(discount, buyer)]


def _is_set_aside(refusal: DomainError | None) -> bool:
    # Refusals between which the buyer has to choose keep their line in the cart.
    return refusal is not None and getattr(refusal, "is_set_aside", True)


def _drop_settled_doubles(refusals: dict[LineKey, DomainError]) -> dict[LineKey, DomainError]:
    """Drop “twice in your cart” where the other of the two lines is set aside."""
    return {
        key: refusal
        for key, refusal in refusals.items()
        if not (isinstance(refusal, CourseTwice) and _is_set_aside(refusals.get((refusal.beside_id, False))))
    }


def _make_line(
    item: BasketItem,
    price: Price,
    code: DiscountCode | None,
    refusal: DomainError | None,
    rule_verdicts: list[RuleVerdict],
    programs: Mapping[int, ProgramTerms],
) -> PricedLine:
    mine = [verdict for verdict in rule_verdicts if verdict.key == item.key]
    return PricedLine(
        row_id=item.pk,
        product=item.product,
        seats=item.seats,
        price=price,
        code=code,
        refusal=refusal,
        entitlement=next((verdict.entitlement for verdict in mine if verdict.entitlement), ""),
        provider=next((verdict.provider for verdict in mine if verdict.provider), ""),
        contact=next((verdict.contact for verdict in mine if verdict.contact), ""),
        program=programs.get(item.product_id, NO_PROGRAM),
    )

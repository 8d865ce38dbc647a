"""Which discounts someone may use at a moment: those that apply by themselves, and the codes they brought."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, Prefetch, prefetch_related_objects

from ecommerce.enums import PAYING_STATES, RedemptionType, UseState
from ecommerce.errors.codes import (
    AddressUnconfirmed,
    CodeExpired,
    CodeForSomebodyElse,
    CodeInUse,
    CodeNotYetValid,
    CodeRefused,
    CodeSwitchedOff,
    CodeUsed,
)
from ecommerce.models import CodeUse, Discount, DiscountCode, DiscountPerson, PaymentAttempt, Product
from ecommerce.pricing import Offer
from ecommerce.selectors.sentences import moment_text
from mitxonline.kernel.text import normalize_email
from mitxonline.users.models import User


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who wants to use a discount, as far as discounts for chosen people ask.

    ``discounts`` are those meant for this address; they count once it is confirmed.
    """

    email: str = ""
    is_confirmed: bool = False
    discounts: frozenset[int] = frozenset()


NOBODY = Buyer()


@dataclass(frozen=True, slots=True)
class OwnUse:
    """The live use someone has of a code, and the order it belongs to; no number: it was attached without one."""

    state: str
    held_until: datetime | None
    number: str
    is_being_paid: bool


def uses_of(codes: Sequence[DiscountCode], user_id: int | None) -> dict[int, OwnUse]:
    """The learner's own live uses of these codes, by the code; one query."""
    if user_id is None or not codes:
        return {}
    paying = PaymentAttempt.objects.filter(order=OuterRef("order"), state__in=PAYING_STATES)
    uses = CodeUse.objects.live().filter(user_id=user_id, code__in=codes)
    rows = uses.values_list("code_id", "state", "held_until", "order__number", Exists(paying))
    return {code_id: OwnUse(state, until, number or "", paid) for code_id, state, until, number, paid in rows}


def buyer_of(user_id: int | None, *, discounts: Iterable[Discount], codes: Iterable[DiscountCode] = ()) -> Buyer:
    """What has to be known of the person for these discounts and codes; two queries, none where nothing is personal."""
    chosen = [each.pk for each in discounts if each.for_chosen_people]
    if user_id is None or not (chosen or any(is_given_to_one(code) for code in codes)):
        return NOBODY
    user = User.objects.filter(pk=user_id).only("email", "email_verified_at").first()
    if user is None:
        return NOBODY
    email = normalize_email(user.email)
    mine = DiscountPerson.objects.filter(email=email, discount__in=chosen).values_list("discount_id", flat=True)
    return Buyer(email=email, is_confirmed=user.is_email_verified, discounts=frozenset(mine) if chosen else frozenset())


def automatic_discounts(now: datetime) -> list[Discount]:
    """Discounts that apply by themselves at this moment, to someone."""
    found = list(Discount.objects.in_force(now).filter(automatic=True))
    load_products(found)
    return found


def applies_to(discount: Discount, buyer: Buyer) -> bool:
    """Whether an automatic discount is for this person."""
    return not discount.for_chosen_people or (buyer.is_confirmed and discount.pk in buyer.discounts)


def offer_of(discount: Discount, *, code: DiscountCode | None = None) -> Offer:
    """A discount as pricing sees it; its products are loaded already."""
    return Offer(
        discount_id=discount.pk,
        discount_type=discount.discount_type,
        amount=discount.amount,
        currency=discount.currency,
        products=None if discount.for_all_products else _product_ids(discount),
        unlocks=discount.unlocks_id,
        code_id=code.pk if code else None,
        label=discount.name if discount.unlocks_id is not None or code is None else code.text,
        until=discount.expires_at,
    )


def load_products(discounts: Sequence[Discount]) -> None:
    """Read what the discounts are limited to, in one query for all that need it."""
    limited = [each for each in discounts if not each.for_all_products and each.unlocks_id is None]
    prefetch_related_objects(limited, Prefetch("products", queryset=Product.objects.only("pk")))


def code_refusal(code: DiscountCode, *, own: OwnUse | None, buyer: Buyer, now: datetime) -> CodeRefused | None:
    """Why a code can't be used at all, or None. What it was used for stays the learner's, see ``_serves_again``."""
    discount = code.discount
    if own is not None and _is_another_orders(own, code):
        return CodeInUse(number=own.number) if own.state == UseState.HELD else CodeUsed(number=own.number)
    if own is not None and _serves_again(own, code, now=now):
        return None
    if discount.activates_at is not None and now < discount.activates_at:
        return CodeNotYetValid(opens=moment_text(discount.activates_at))
    if discount.expires_at is not None and now >= discount.expires_at:
        return CodeExpired(ended=moment_text(discount.expires_at))
    if not code.active or not discount.is_active:
        return CodeSwitchedOff()
    if (refusal := _person_refusal(code, buyer)) is not None:
        return refusal
    if own is None and code.max_uses is not None and code.uses >= code.max_uses:
        return CodeUsed()
    return None


def _is_another_orders(own: OwnUse, code: DiscountCode) -> bool:
    """Whether the learner's own use can't serve what they come with now: it was bought with, or is being paid for.

    One held for an order that no one is paying is that order's too, and of the one that replaces it: checkout gives the
    first one up under its lock.
    """
    if own.state == UseState.HELD:
        return own.is_being_paid and (is_for_one_order(code) or code.discount.unlocks_id is not None)
    return is_for_one_order(code)


def is_for_one_order(code: DiscountCode) -> bool:
    """Whether one person can buy with the code only once: a person has one use of it, and here uses are limited.

    An enrollment code is not: the contract's rule judges who comes with it again.
    """
    limited = code.max_uses is not None or code.discount.redemption_type != RedemptionType.UNLIMITED
    return limited and code.discount.unlocks_id is None


def takes_use(code: DiscountCode) -> bool:
    """Whether an order with this code needs a use that is its own, or the learner's own of an enrollment code."""
    return code.max_uses is not None or is_for_one_order(code)


def is_given_to_one(code: DiscountCode) -> bool:
    """Whether a discount code works for one address only. Whose an enrollment code is, its contract says."""
    return bool(code.assigned_email) and code.discount.unlocks_id is None


def _person_refusal(code: DiscountCode, buyer: Buyer) -> CodeRefused | None:
    is_theirs = not code.discount.for_chosen_people or code.discount_id in buyer.discounts
    if is_given_to_one(code):
        is_theirs = is_theirs and buyer.email == normalize_email(code.assigned_email)
    elif not code.discount.for_chosen_people:
        return None
    if not is_theirs:
        return CodeForSomebodyElse()
    return None if buyer.is_confirmed else AddressUnconfirmed()


def _serves_again(own: OwnUse, code: DiscountCode, *, now: datetime) -> bool:
    """Whether the learner's own live use is what they come with again.

    Held for an order that this one replaces: it was judged when that was placed, and its hold isn't over. An enrollment
    code: the seat is theirs, and the contract's rule says what that means.
    """
    if own.state == UseState.HELD:
        return own.held_until is not None and now <= own.held_until
    return code.discount.unlocks_id is not None


def _product_ids(discount: Discount) -> frozenset[int]:
    """The products a discount was limited to; one that opens a contract product has none of these."""
    return frozenset() if discount.unlocks_id is not None else frozenset(p.pk for p in discount.products.all())

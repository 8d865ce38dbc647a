"""RuleVerdict a discount code and judging it: the one verdict that cart, checkout and a code's own page read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef

from ecommerce.enums import PAYING_STATES, RedemptionType, UseState
from ecommerce.errors.codes import (
    CodeAddressUnconfirmed,
    CodeExpired,
    CodeForSomebodyElse,
    CodeInUse,
    CodeNotBetter,
    CodeNotForGroups,
    CodeNotYetValid,
    CodeOfAnotherSite,
    CodeRefused,
    CodeSwitchedOff,
    CodeUnknown,
    CodeUsed,
    CodeUsedByYou,
    EnrollmentCodeOff,
    EnrollmentCodeUsed,
)
from ecommerce.models import CodeUse, DiscountCode, PaymentAttempt
from ecommerce.rules import Purchase, PurchaseLine, check_rules
from ecommerce.selectors.offers import Buyer, find_buyer, is_for_one_address, load_products
from mitxonline.kernel.dates import format_moment
from mitxonline.kernel.shop import current_site_id, shop_of_site
from mitxonline.kernel.text import normalize_email, read_code
from mitxonline.users.models import User


@dataclass(frozen=True, slots=True)
class CodeVerdict:
    """Whether a code works for a buyer.

    ``refusal`` says why it doesn't. A code that ``is_idle`` works, but lowers no price in the basket.
    """

    code: DiscountCode
    refusal: CodeRefused | None
    is_idle: bool = False


@dataclass(frozen=True, slots=True)
class OwnUse:
    """The buyer's live use of a code. ``number`` is the order's; empty where the code was redeemed without one."""

    state: str
    held_until: datetime | None
    number: str
    is_being_paid: bool


def find_code(text: str) -> DiscountCode:
    """Return the code in this text as people paste it, with its discount and what it opens. Raises CodeUnknown."""
    code = (
        DiscountCode.objects.matching(read_code(text))
        .select_related(
            "discount__unlocks__course_run__course__department",
            "discount__unlocks__program__department",
            "discount__seat_sale__course_run__course__department",
            "discount__seat_sale__product",
            "discount__seat_sale__order_line__order",
            "discount__seat_sale__invoice_line__invoice",
            "discount__seat_sale__buyer",
            "moved_to__course__department",
        )
        .first()
    )
    if code is None:
        raise CodeUnknown
    load_products([code.discount])
    return code


def judge_code(code: DiscountCode, *, user_id: int | None, now: datetime) -> CodeVerdict:
    """Judge one code without a basket, in the words of the contract whose code it is."""
    buyer = find_buyer(user_id, discounts=[code.discount], codes=[code])
    (verdict,) = judge_codes([code], buyer=buyer, user_id=user_id, site_id=current_site_id(), now=now)
    return ask_contract(verdict, user_id=user_id, now=now)


def judge_codes(
    codes: Sequence[DiscountCode], *, buyer: Buyer, user_id: int | None, site_id: int | None, now: datetime
) -> list[CodeVerdict]:
    """Judge codes by their sites, discounts, uses and the people they are for; one query for any number of codes."""
    own = _find_own_uses(codes, user_id)
    return [
        CodeVerdict(
            code,
            find_site_refusal(code, site_id) or _refusal(code, own=own.get(code.pk), buyer=buyer, now=now),
        )
        for code in codes
    ]


def ask_contract(verdict: CodeVerdict, *, user_id: int | None, now: datetime) -> CodeVerdict:
    """Let the contract have its say about a refused enrollment code: it knows who gave it out, and who was removed."""
    opens = verdict.code.discount.unlocks
    if verdict.refusal is None or opens is None:
        return verdict
    findings = check_rules(Purchase(lines=(PurchaseLine(opens, verdict.code),), user_id=user_id, now=now))
    for finding in findings:
        if isinstance(finding.refusal, CodeRefused) and finding.refusal.outranks:
            return CodeVerdict(verdict.code, finding.refusal)
    return name_organization(verdict, next((finding.provider for finding in findings if finding.provider), ""))


def name_organization(verdict: CodeVerdict, organization: str) -> CodeVerdict:
    """Name the organization that can give out another code, where a refusal sends the learner to ask for one."""
    refusal = verdict.refusal
    if organization and isinstance(refusal, EnrollmentCodeUsed | EnrollmentCodeOff):
        refusal.organization = organization
    return verdict


@contextmanager
def guard_refusals(code: DiscountCode, *, user_id: int | None) -> Iterator[None]:
    """Tell signed-out visitors CodeUnknown for every refusal, so that they can't find out which codes exist.

    For others, mark refusals of their own codes, which aren't counted as guesses.
    """
    try:
        yield
    except (CodeNotBetter, CodeNotForGroups):  # says nothing about the code: it works
        raise
    except CodeRefused as refusal:
        if user_id is None:
            raise CodeUnknown from None
        if refusal.is_failure and not isinstance(refusal, CodeUnknown):
            refusal.is_own = _is_own(code, user_id)
        raise


def is_for_one_order(code: DiscountCode) -> bool:
    """Whether each person can buy with the code only once: they have one use of it, and its uses are limited.

    An enrollment code is not: the contract's rule judges learners who bring it again.
    """
    limited = code.max_uses is not None or code.discount.redemption_type != RedemptionType.UNLIMITED
    return limited and code.discount.unlocks_id is None


def takes_use(code: DiscountCode) -> bool:
    """Whether an order with this code needs a use that is its own, or the learner's own of an enrollment code."""
    return code.max_uses is not None or is_for_one_order(code)


def _find_own_uses(codes: Sequence[DiscountCode], user_id: int | None) -> dict[int, OwnUse]:
    if user_id is None or not codes:
        return {}
    paying = PaymentAttempt.objects.filter(order=OuterRef("order"), state__in=PAYING_STATES)
    uses = CodeUse.objects.live().filter(user_id=user_id, code__in=codes)
    rows = uses.values_list("code_id", "state", "held_until", "order__number", Exists(paying))
    return {code_id: OwnUse(state, until, number or "", paid) for code_id, state, until, number, paid in rows}


def _refusal(code: DiscountCode, *, own: OwnUse | None, buyer: Buyer, now: datetime) -> CodeRefused | None:
    discount = code.discount
    if own is not None and _belongs_to_other_order(own, code):
        return CodeInUse(number=own.number) if own.state == UseState.HELD else CodeUsedByYou(number=own.number)
    if own is not None and _can_use_again(own, code, now=now):
        return None
    if discount.activates_at is not None and now < discount.activates_at:
        return CodeNotYetValid(opens=format_moment(discount.activates_at))
    if discount.expires_at is not None and now >= discount.expires_at:
        return CodeExpired(ended=format_moment(discount.expires_at))
    if not code.active or not discount.is_active:
        return make_off_refusal(code)
    if (refusal := find_person_refusal(code, buyer)) is not None:
        return refusal
    if own is None and code.max_uses is not None and code.uses >= code.max_uses:
        return make_used_refusal(code)
    return None


def make_off_refusal(code: DiscountCode) -> CodeSwitchedOff:
    return CodeSwitchedOff() if code.discount.unlocks_id is None else EnrollmentCodeOff()


def make_used_refusal(code: DiscountCode) -> CodeUsed:
    return CodeUsed() if code.discount.unlocks_id is None else EnrollmentCodeUsed()


def _belongs_to_other_order(own: OwnUse, code: DiscountCode) -> bool:
    # A use held for an order that no one is paying passes to the order that replaces it: checkout gives the first
    # order up under its lock.
    if own.state == UseState.HELD:
        return own.is_being_paid and (is_for_one_order(code) or code.discount.unlocks_id is not None)
    return is_for_one_order(code)


def _can_use_again(own: OwnUse, code: DiscountCode, *, now: datetime) -> bool:
    # A held use was judged when its order was placed. A confirmed use of an enrollment code means that the learner has
    # the seat, and the contract's rule judges that.
    if own.state == UseState.HELD:
        return own.held_until is not None and now <= own.held_until
    return code.discount.unlocks_id is not None


def find_site_refusal(code: DiscountCode, site_id: int | None) -> CodeRefused | None:
    """Say where a code works, if that isn't on this site."""
    own_id = code.discount.own_site_id
    if own_id is None or own_id == site_id:
        return None
    return CodeOfAnotherSite(host=shop_of_site(own_id).hostname)


def find_person_refusal(code: DiscountCode, buyer: Buyer) -> CodeRefused | None:
    """Say why this buyer may not use a code that is for certain people, if so."""
    is_theirs = not code.discount.for_chosen_people or code.discount_id in buyer.discounts
    if is_for_one_address(code):
        is_theirs = is_theirs and buyer.email == normalize_email(code.assigned_email)
    elif not code.discount.for_chosen_people:
        return None
    if not is_theirs:
        return CodeForSomebodyElse()
    return None if buyer.is_confirmed else CodeAddressUnconfirmed()


def _is_own(code: DiscountCode, user_id: int) -> bool:
    if CodeUse.objects.filter(code=code, user_id=user_id).exists():
        return True
    email = normalize_email(code.assigned_email)
    return bool(email) and User.objects.filter(pk=user_id, email=email).exists()

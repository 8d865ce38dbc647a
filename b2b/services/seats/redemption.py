"""Ways into a contract without a cart: a code's own link, and a member's click on a course."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from b2b.codes import with_code_facts
from b2b.enums import MembershipSource, MembershipState
from b2b.errors.seats import (
    AlreadySeated,
    ContractClosed,
    ContractFull,
    ContractPromised,
    NotAMember,
    PaymentNeeded,
)
from b2b.models import ContractMembership, ContractRun, ContractTerms
from b2b.rules import contacts_of, find_entry_refusal, refuse_replaced
from b2b.seats import Seats, claim_seat, lock_terms, seats_for
from b2b.selectors.code_offers import contract_run_of, judge_learner
from courses.enums import EnrollmentMode, EnrollmentSource
from courses.errors import EnrollmentRefused
from courses.models import Enrollment
from courses.rules import refuse_unless_enrollable
from courses.services.enrollments import enroll
from ecommerce.codes import in_state
from ecommerce.enums import CodeState, OrderState
from ecommerce.errors.codes import CourseNotOpen
from ecommerce.models import Basket, DiscountCode, Order
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.selectors.codes import find_code, judge_code
from ecommerce.services.baskets.baskets import add_products, apply_code
from ecommerce.services.discounts.batches import apply_to_basket
from ecommerce.services.discounts.codes import use_code
from mitxonline.kernel import clock
from mitxonline.kernel.money import Money
from mitxonline.kernel.text import normalize_email
from mitxonline.users.models import User


@dataclass(frozen=True, slots=True)
class CodeRedemption:
    """The result of redeeming a code; `was_redeemed_before` if the learner had redeemed it before."""

    membership: ContractMembership
    contract_run: ContractRun
    enrollment: Enrollment
    was_redeemed_before: bool


def redeem_enrollment_code(*, text: str, user_id: int, now: datetime) -> CodeRedemption:
    """Redeem a free contract's code: one use, one seat, one enrollment, all or nothing. May be repeated.

    Locks the contract's terms. Raises what `code_offer` raises, and PaymentNeeded if the contract has a price.
    """
    with transaction.atomic():
        code = find_code(text)
        run = contract_run_of(code, user_id=user_id)
        terms = lock_terms([run.contract_id])[run.contract_id]
        refuse_replaced([code])
        if (refusal := judge_code(code, user_id=user_id, now=now).refusal) is not None:
            raise refusal
        verdict = judge_learner(code, run, user_id=user_id, now=now)
        if verdict.refusal is not None and not isinstance(verdict.refusal, AlreadySeated):
            raise verdict.refusal
        membership, use_id = _take_seat(code, terms, user_id=user_id, contact=verdict.contact, now=now)
        enrollment = enroll(
            user_id=user_id,
            run_id=run.course_run_id,
            mode=EnrollmentMode.VERIFIED,
            source=EnrollmentSource.CODE,
            reference=f"use {use_id}",
            now=now,
        )
    return CodeRedemption(
        membership=membership, contract_run=run, enrollment=enrollment, was_redeemed_before=verdict.refusal is not None
    )


@dataclass(frozen=True, slots=True)
class Attachment:
    """The contract of a code, in which the learner has a seat; `is_new` if the code gave it to them."""

    terms: ContractTerms
    is_new: bool


def attach_by_code(*, text: str, user_id: int, now: datetime) -> Attachment:
    """Redeem a free contract's code for a seat alone; whoever has one keeps their code. May be repeated.

    The course that the code opens may be closed: the seat serves the contract's other courses too. Raises what
    `redeem_enrollment_code` raises, and ContractFull for a code that no longer works if there is no seat anyway.
    """
    with transaction.atomic():
        code = find_code(text)
        run = contract_run_of(code, user_id=user_id)
        terms = lock_terms([run.contract_id])[run.contract_id]
        refuse_replaced([code])
        seats = seats_for([terms.pk], user_id, code_ids=[code.pk])[terms.pk]
        if (refusal := judge_code(code, user_id=user_id, now=now).refusal) is not None:
            raise _find_no_seat(terms, seats, now=now) or refusal
        if (closed := find_entry_refusal(terms, now=now)) is not None:
            raise closed
        if seats.state == MembershipState.ACTIVE:
            return Attachment(terms, is_new=False)
        verdict = judge_learner(code, run, user_id=user_id, now=now)
        if verdict.refusal is not None and not isinstance(verdict.refusal, CourseNotOpen):
            raise verdict.refusal
        _take_seat(code, terms, user_id=user_id, contact=verdict.contact, now=now)
    return Attachment(terms, is_new=True)


def _find_no_seat(terms: ContractTerms, seats: Seats, *, now: datetime) -> ContractFull | None:
    """Return the refusal of a contract that people may join today, but in which this person finds no seat."""
    if find_entry_refusal(terms, now=now) is not None or not seats.is_full:
        return None
    full = ContractPromised if seats.count.invited else ContractFull
    return full(contact=contacts_of([terms.organization_id]).get(terms.organization_id, ""))


def _take_seat(
    code: DiscountCode, terms: ContractTerms, *, user_id: int, contact: str, now: datetime
) -> tuple[ContractMembership, int]:
    """Use the code and take a seat, once both were judged under the lock of the terms; return seat and use.

    Raises PaymentNeeded.
    """
    if not terms.is_free:
        raise PaymentNeeded(price=terms.money.formatted())
    use_id = use_code(code=code, user_id=user_id, now=now)
    membership = claim_seat(
        terms=terms,
        user_id=user_id,
        state=MembershipState.ACTIVE,
        source=MembershipSource.CODE,
        code_ids=[code.pk],
        code_use_id=use_id,
        now=now,
        contact=contact,
        lifts_withdrawal=True,  # a withdrawal that stays was refused before
    )
    return membership, use_id


def put_in_link_basket(*, text: str, owner: BasketOwner, user_id: int, now: datetime) -> Basket:
    """Put a paid contract's course and its code into the link basket; the order will hold the use and the seat."""
    with transaction.atomic():
        run = contract_run_of(find_code(text), user_id=user_id)
        if run.product_id is None:
            raise NotAMember
        basket = add_products(owner=owner, product_ids=[run.product_id], now=now)
        apply_code(owner=owner, text=text, user_id=user_id, now=now)
    return basket


def apply_assigned_codes(*, basket: Basket, user: User, now: datetime) -> None:
    """Apply the codes assigned to a learner's confirmed address to the courses in their link basket.

    Members of a free contract need no code, so theirs stay unused. At most two queries. Codes are
    checked again each time the basket is priced.
    """
    if user.email_verified_at is None or not basket.is_link:
        return
    seat = ContractMembership.objects.filter(
        contract=OuterRef("discount__unlocks__contract_run__contract"), user=user, state=MembershipState.ACTIVE
    )
    codes = DiscountCode.objects.filter(assigned_email=normalize_email(user.email))
    assigned = (
        with_code_facts(codes)
        .filter(
            Q(discount__unlocks__contract_run__contract__terms__price__isnull=False) | ~Exists(seat),
            in_state(CodeState.ASSIGNED),
            discount__unlocks__basket_items__basket=basket,
        )
        .exclude(discount__codes__basket_codes__basket=basket)
        .order_by("discount_id", "assigned_at", "pk")
        .distinct("discount_id")
    )
    apply_to_basket(assigned, basket=basket, now=now)


@dataclass(frozen=True, slots=True)
class StartedCourse:
    """What a member's click on a course did: they are in it, by this order if they bought it, or have to pay first."""

    order_id: int | None = None
    price: Money | None = None


def start_or_pay(*, contract_run_id: int, user: User, now: datetime) -> StartedCourse:
    """Enroll a member, or put a priced contract's course into their link basket with the code assigned to them.

    Their ordinary basket waits, and nobody else's code is used. Raises what `start_course` raises but PaymentNeeded.
    """
    with transaction.atomic():
        run = _find_own_run(contract_run_id, user_id=user.pk, now=now)
        _refuse_closed_course(run, now=now)
        owned = Enrollment.objects.active().of(user.pk).filter(run=run.course_run_id, mode=EnrollmentMode.VERIFIED)
        if owned.exists():
            orders = Order.objects.of(user.pk).filter(lines__product=run.product_id, state=OrderState.FULFILLED)
            return StartedCourse(order_id=orders.order_by("-pk").values_list("pk", flat=True).first())
        terms = run.contract.terms
        if terms.is_free:
            start_course(contract_run_id=run.pk, user_id=user.pk, now=now)
            return StartedCourse()
        if run.product_id is None:
            raise NotAMember
        basket = add_products(owner=BasketOwner(user_id=user.pk), product_ids=[run.product_id], now=now)
        apply_assigned_codes(basket=basket, user=user, now=now)
    return StartedCourse(price=terms.money)


def start_course(*, contract_run_id: int, user_id: int, now: datetime) -> Enrollment:
    """Enroll a member of a free contract without using a code.

    Raises NotAMember for a run of another contract, ContractClosed, PaymentNeeded if the contract has a price, or the
    reason why the course isn't open.
    """
    run = _find_own_run(contract_run_id, user_id=user_id, now=now)
    if not run.contract.terms.is_free:
        raise PaymentNeeded(price=run.contract.terms.money.formatted())
    _refuse_closed_course(run, now=now)
    return enroll(
        user_id=user_id,
        run_id=run.course_run_id,
        mode=EnrollmentMode.VERIFIED,
        source=EnrollmentSource.CONTRACT,
        reference=f"contract {run.contract_id}",
        now=now,
    )


def _find_own_run(contract_run_id: int, *, user_id: int, now: datetime) -> ContractRun:
    """Return a run of a contract that is open and in which the person has a seat; raises NotAMember, ContractClosed."""
    run = (
        ContractRun.objects.current()
        .filter(
            pk=contract_run_id,
            contract__memberships__user_id=user_id,
            contract__memberships__state=MembershipState.ACTIVE,
        )
        .select_related("course_run", "contract__terms")
        .first()
    )
    if run is None:
        raise NotAMember
    if not run.contract.terms.is_valid_on(clock.date_of(now)):
        raise ContractClosed(contract=run.contract.name)
    return run


def _refuse_closed_course(run: ContractRun, *, now: datetime) -> None:
    try:
        refuse_unless_enrollable(run.course_run, now=now)
    except EnrollmentRefused as refusal:
        refusal.retry_url = ContractClosed.retry_url
        raise

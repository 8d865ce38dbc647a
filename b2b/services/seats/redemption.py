"""Ways into a contract without a cart: a code's own link, and a member's click on a course."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from b2b.codes import with_code_facts
from b2b.enums import MembershipSource, MembershipState
from b2b.errors.seats import AlreadySeated, ContractClosed, NotAMember, PaymentNeeded
from b2b.models import ContractMembership, ContractRun
from b2b.rules import refuse_replaced
from b2b.seats import claim_seat, lock_terms
from b2b.selectors.code_offers import contract_run_of, judge_learner
from courses.enums import EnrollmentMode, EnrollmentSource
from courses.errors import EnrollmentRefused
from courses.models import Enrollment
from courses.rules import refuse_unless_enrollable
from courses.services.enrollments import enroll
from ecommerce.codes import in_state
from ecommerce.enums import CodeState
from ecommerce.models import Basket, DiscountCode
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.selectors.codes import find_code, judge_code
from ecommerce.services.baskets.baskets import add_products, apply_code
from ecommerce.services.discounts.batches import apply_to_basket
from ecommerce.services.discounts.codes import use_code
from mitxonline.kernel import clock
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
            contact=verdict.contact,
            lifts_withdrawal=True,  # a withdrawal that stays was refused above
        )
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


def start_course(*, contract_run_id: int, user_id: int, now: datetime) -> Enrollment:
    """Enroll a member of a free contract without using a code.

    Raises NotAMember for a run of another contract, ContractClosed, PaymentNeeded if the contract has a price, or the
    reason why the course isn't open.
    """
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
    terms = run.contract.terms
    if not terms.is_valid_on(clock.date_of(now)):
        raise ContractClosed(contract=run.contract.name)
    if not terms.is_free:
        raise PaymentNeeded(price=terms.money.formatted())
    try:
        refuse_unless_enrollable(run.course_run, now=now)
    except EnrollmentRefused as refusal:
        refusal.retry_url = ContractClosed.retry_url
        raise
    return enroll(
        user_id=user_id,
        run_id=run.course_run_id,
        mode=EnrollmentMode.VERIFIED,
        source=EnrollmentSource.CONTRACT,
        reference=f"contract {run.contract_id}",
        now=now,
    )

"""What an enrollment code offers a visitor."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from b2b.errors.seats import AccessWithdrawn, AlreadyHasCourse, AlreadySeated, CourseRemoved, NotAMember, OwnCodeUsed
from b2b.models import ContractRun, ContractTerms, OrganizationPage
from b2b.rules import ContractSeats, contacts_of
from b2b.seats import seats_for
from courses.models import CourseRun, Enrollment
from ecommerce.enums import UseState
from ecommerce.errors.codes import CodeBelongsInCart, CodeMissing, CodeRefused, CodeUnknown
from ecommerce.models import CodeUse, DiscountCode
from ecommerce.rules import Purchase, PurchaseLine, RuleVerdict
from ecommerce.selectors.codes import find_code, guard_refusals, judge_code
from mitxonline.kernel.money import Money


@dataclass(frozen=True, slots=True)
class CodeOffer:
    """The contract and run a code opens for this visitor, and the price.

    `is_mine`: they have used the code already. `needs_no_code`: their seat includes the course, and the code isn't
    assigned to anyone, so it can serve someone else.
    """

    code: DiscountCode
    contract_run: ContractRun
    terms: ContractTerms
    is_mine: bool
    contact: str
    needs_no_code: bool = False

    @property
    def organization(self) -> OrganizationPage:
        return self.terms.organization

    @property
    def run(self) -> CourseRun:
        return self.contract_run.course_run

    @property
    def price(self) -> Money:
        return self.terms.money

    @property
    def is_free(self) -> bool:
        return self.terms.is_free


def code_offer(*, text: str, user_id: int | None, now: datetime) -> CodeOffer:
    """Return what this code offers the visitor.

    Raises CodeMissing, CodeUnknown, CodeBelongsInCart, or the reason why it doesn't work for them. A signed-out visitor
    gets CodeUnknown for every code that doesn't work, so that codes can't be probed.
    """
    if not text.strip():
        raise CodeMissing
    return offer_contract_seat(find_code(text), user_id=user_id, now=now)


def offer_contract_seat(code: DiscountCode, *, user_id: int | None, now: datetime) -> CodeOffer:
    """Return what this code offers the visitor, as `code_offer` does."""
    with guard_refusals(code, user_id=user_id):
        return _make_offer(code, user_id=user_id, now=now)


def contract_run_of(code: DiscountCode, *, user_id: int | None = None) -> ContractRun:
    """Return the run an enrollment code opens, with course, contract, terms and organization; one query.

    Raises CodeBelongsInCart for a code that opens no contract run. For a removed run it raises AccessWithdrawn,
    OwnCodeUsed, AlreadyHasCourse or CourseRemoved, and for a signed-out visitor CodeUnknown.
    """
    run = contract_run_behind(code)
    if run.removed_at is not None:
        raise _refusal_of_removed_run(code, run, user_id=user_id)
    return run


def contract_run_behind(code: DiscountCode) -> ContractRun:
    """Return the run of an enrollment code even if it was removed; raises CodeBelongsInCart, CodeUnknown."""
    if code.discount.unlocks_id is None:
        raise CodeBelongsInCart
    run = (
        ContractRun.objects.filter(product_id=code.discount.unlocks_id, contract__terms__isnull=False)
        .select_related("course_run__course__department", "contract__terms__organization__logo", "product")
        .first()
    )
    if run is None:
        raise CodeUnknown
    return run


def _refusal_of_removed_run(code: DiscountCode, run: ContractRun, *, user_id: int | None) -> CodeRefused:
    if user_id is None:
        return CodeUnknown()
    organization = run.contract.terms.organization
    seats = seats_for([run.contract_id], user_id)[run.contract_id]
    states = set(CodeUse.objects.filter(code=code, user_id=user_id).values_list("state", flat=True))
    if seats.state is None and (seats.withdrawn_at is not None or states == {UseState.RETIRED}):
        contact = contacts_of([organization.pk]).get(organization.pk, "")
        return AccessWithdrawn(organization=organization.name, contact=contact)
    if Enrollment.objects.active().of(user_id).filter(run=run.course_run_id).exists():
        if UseState.CONFIRMED in states:
            return OwnCodeUsed()
        return AlreadyHasCourse(contact=contacts_of([organization.pk]).get(organization.pk, ""))
    return CourseRemoved(organization=organization.name)


def judge_learner(code: DiscountCode, run: ContractRun, *, user_id: int | None, now: datetime) -> RuleVerdict:
    """Return what the contract rule says about this learner with this code."""
    product = code.discount.unlocks
    if product is None:
        raise NotAMember
    purchase = Purchase(lines=(PurchaseLine(product, code),), user_id=user_id, now=now)
    return next(iter(ContractSeats().check(purchase)), RuleVerdict(product_id=product.pk, refusal=CodeUnknown()))


def _make_offer(code: DiscountCode, *, user_id: int | None, now: datetime) -> CodeOffer:
    run = contract_run_of(code, user_id=user_id)
    if (refusal := judge_code(code, user_id=user_id, now=now).refusal) is not None:
        raise refusal
    verdict = judge_learner(code, run, user_id=user_id, now=now)
    if verdict.refusal is not None and not isinstance(verdict.refusal, AlreadySeated):
        raise verdict.refusal
    is_mine = isinstance(verdict.refusal, AlreadySeated)
    return CodeOffer(
        code=code,
        contract_run=run,
        terms=run.contract.terms,
        is_mine=is_mine,
        contact=verdict.contact,
        needs_no_code=bool(verdict.entitlement) and not is_mine and not code.assigned_email,
    )

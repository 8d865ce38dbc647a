"""What a code opens, before anyone walks through."""

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
    """What a code opens for this visitor: the contract, the run, and what is to be paid.

    ``needs_no_code``: they have a seat that opens the course anyway, so the code can serve someone else. One that was
    given to them by name is theirs to use.
    """

    code: DiscountCode
    contract_run: ContractRun
    terms: ContractTerms
    is_mine: bool
    contact: str
    needs_no_code: bool = False

    @property
    def organization(self) -> OrganizationPage:
        """Who gave the code out."""
        return self.terms.organization

    @property
    def contract_name(self) -> str:
        """The contract's name."""
        return self.contract_run.contract.name

    @property
    def run(self) -> CourseRun:
        """The run it opens."""
        return self.contract_run.course_run

    @property
    def price(self) -> Money:
        """What the learner pays."""
        return self.terms.money

    @property
    def is_free(self) -> bool:
        """Whether there is nothing to pay."""
        return self.terms.is_free


def code_offer(*, text: str, user_id: int | None, now: datetime) -> CodeOffer:
    """What this code opens for this visitor; writes nothing.

    Raises CodeMissing, CodeUnknown, CodeBelongsInCart, or why it doesn't work for them. A signed-out visitor gets
    CodeUnknown for every code that doesn't work (X2).
    """
    if not text.strip():
        raise CodeMissing
    code = find_code(text)
    with guard_refusals(code, user_id=user_id):
        return _offer(code, user_id=user_id, now=now)


def contract_run_of(code: DiscountCode, *, user_id: int | None = None) -> ContractRun:
    """The run an enrollment code opens, with course, contract, terms and organization; one query.

    Raises CodeBelongsInCart for a code that opens no contract run, and where the run was removed from its contract
    AccessWithdrawn, OwnCodeUsed, AlreadyHasCourse or CourseRemoved, CodeUnknown to a signed-out visitor.
    """
    run = contract_run_behind(code)
    if run.removed_at is not None:
        raise _removed(code, run, user_id=user_id)
    return run


def contract_run_behind(code: DiscountCode) -> ContractRun:
    """The run of an enrollment code, also one that was removed from its contract. Raises as ``contract_run_of``."""
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


def _removed(code: DiscountCode, run: ContractRun, *, user_id: int | None) -> CodeRefused:
    """What the code of a removed course comes to for this person."""
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


def finding_for(code: DiscountCode, run: ContractRun, *, user_id: int | None, now: datetime) -> RuleVerdict:
    """What the contract's rule says of this learner with this code."""
    product = code.discount.unlocks
    if product is None:
        raise NotAMember
    purchase = Purchase(lines=(PurchaseLine(product, code),), user_id=user_id, now=now)
    return next(iter(ContractSeats().check(purchase)), RuleVerdict(product_id=product.pk, refusal=CodeUnknown()))


def _offer(code: DiscountCode, *, user_id: int | None, now: datetime) -> CodeOffer:
    run = contract_run_of(code, user_id=user_id)
    if (refusal := judge_code(code, user_id=user_id, now=now).refusal) is not None:
        raise refusal
    finding = finding_for(code, run, user_id=user_id, now=now)
    if finding.refusal is not None and not isinstance(finding.refusal, AlreadySeated):
        raise finding.refusal
    is_mine = isinstance(finding.refusal, AlreadySeated)
    return CodeOffer(
        code=code,
        contract_run=run,
        terms=run.contract.terms,
        is_mine=is_mine,
        contact=finding.contact,
        needs_no_code=bool(finding.entitlement) and not is_mine and not code.assigned_email,
    )

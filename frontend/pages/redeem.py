"""The card on a code’s own page: what the code opens, or why it doesn’t."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from b2b.models import ContractRun, OrganizationMembership, OrganizationPage
from b2b.selectors.code_offers import CodeOffer, contract_run_behind, offer_contract_seat
from courses.models import Course, CourseRun
from ecommerce.errors.codes import CodeMissing, CodeRefused
from ecommerce.selectors.codes import find_code
from ecommerce.selectors.registration import find_seat_sale, offer_seat
from mitxonline.kernel.errors import DomainError, WayOn
from mitxonline.users.models import User


class OfferState(StrEnum):
    """What the visitor can do with a code. Templates compare with the values."""

    READY = "ready"
    MINE = "mine"
    NEEDS_NO_CODE = "needs_no_code"


@dataclass(frozen=True, slots=True)
class OfferCard:
    """What a code gives the visitor: a seat that an organization or a company paid for, or a contract's price.

    `giver` is empty where only an address is known. `contract` holds what only an enrollment code has.
    """

    text: str
    run: CourseRun
    giver: str
    state: OfferState
    now: datetime
    contract: CodeOffer | None = None
    others: tuple[str, ...] = ()

    @property
    def course(self) -> Course:
        return self.run.course

    @property
    def organization(self) -> OrganizationPage | None:
        return self.contract.organization if self.contract is not None else None

    @property
    def is_free(self) -> bool:
        return self.contract is None or self.contract.is_free

    @property
    def price(self) -> str:
        return self.contract.price.formatted() if self.contract is not None else ""


@dataclass(frozen=True, slots=True)
class RefusalCard:
    refusal: DomainError
    way_on: WayOn
    code: str
    organization: OrganizationPage | None
    manager: User | None


def read_offer(text: str, *, user_id: int | None, now: datetime) -> OfferCard:
    """Return what any code that is redeemed on its page gives the visitor.

    Raises CodeMissing, CodeUnknown, CodeBelongsInCart for a discount code, or the reason why it doesn’t work for them.
    """
    if not text.strip():
        raise CodeMissing
    code = find_code(text)
    sale = find_seat_sale(code)
    if sale is None:
        return _contract_card(offer_contract_seat(code, user_id=user_id, now=now), text=text, now=now)
    offer = offer_seat(code, sale, user_id=user_id, now=now)
    state = OfferState.MINE if offer.is_mine else OfferState.READY
    return OfferCard(text=text, run=offer.run, giver=offer.giver, state=state, now=now)


def _contract_card(offer: CodeOffer, *, text: str, now: datetime) -> OfferCard:
    """The card of an enrollment code, with the other courses of its contract."""
    others: tuple[str, ...] = ()
    if offer.is_free:
        siblings = ContractRun.objects.current().filter(contract_id=offer.contract_run.contract_id)
        siblings = siblings.exclude(pk=offer.contract_run.pk).order_by("course_run__title")
        others = tuple(siblings.values_list("course_run__title", flat=True))
    state = OfferState.MINE if offer.is_mine else OfferState.READY
    return OfferCard(
        text=text,
        run=offer.run,
        giver=offer.organization.name,
        state=OfferState.NEEDS_NO_CODE if offer.needs_no_code else state,
        now=now,
        contract=offer,
        others=others,
    )


def refusal_card(refusal: DomainError, *, text: str, user_id: int | None) -> RefusalCard:
    """The card of a code that doesn’t work. Only someone who is signed in learns which organization gave it out."""
    may_ask = user_id is not None and isinstance(refusal, CodeRefused) and refusal.manager_helps
    organization = _find_organization(text) if may_ask else None
    return RefusalCard(
        refusal=refusal,
        way_on=refusal.ways_on[0],
        code=text,
        organization=organization,
        manager=_find_manager(organization),
    )


def _find_organization(text: str) -> OrganizationPage | None:
    try:
        organization: OrganizationPage = contract_run_behind(find_code(text)).contract.terms.organization
    except CodeRefused:
        return None
    return organization


def _find_manager(organization: OrganizationPage | None) -> User | None:
    """The manager a learner may ask: the same one the sentences name."""
    if organization is None:
        return None
    managers = OrganizationMembership.objects.filter(organization=organization, is_manager=True, user__is_active=True)
    first = managers.select_related("user").order_by("pk").first()
    return first.user if first else None

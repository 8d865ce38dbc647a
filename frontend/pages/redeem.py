"""The card on a code’s own page: what the code opens, or why it doesn’t."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from b2b.models import ContractRun, OrganizationMembership, OrganizationPage
from b2b.selectors.code_offers import CodeOffer, contract_run_behind
from courses.models import Course, CourseRun
from ecommerce.errors.codes import CodeRefused
from ecommerce.selectors.codes import find_code
from mitxonline.kernel.errors import DomainError, WayOn
from mitxonline.users.models import User


@dataclass(frozen=True, slots=True)
class OfferCard:
    offer: CodeOffer
    text: str
    now: datetime
    others: tuple[str, ...]

    @property
    def organization(self) -> OrganizationPage:
        return self.offer.organization

    @property
    def run(self) -> CourseRun:
        return self.offer.run

    @property
    def course(self) -> Course:
        return self.offer.run.course

    @property
    def price(self) -> str:
        return self.offer.price.formatted()


@dataclass(frozen=True, slots=True)
class RefusalCard:
    refusal: DomainError
    way_on: WayOn
    code: str
    organization: OrganizationPage | None
    manager: User | None


def offer_card(offer: CodeOffer, *, text: str, now: datetime) -> OfferCard:
    """The card of a code that works, with the other courses of the contract."""
    others: tuple[str, ...] = ()
    if offer.is_free:
        siblings = ContractRun.objects.current().filter(contract_id=offer.contract_run.contract_id)
        siblings = siblings.exclude(pk=offer.contract_run.pk).order_by("course_run__title")
        others = tuple(siblings.values_list("course_run__title", flat=True))
    return OfferCard(offer=offer, text=text, now=now, others=others)


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

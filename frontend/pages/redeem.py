"""The card a code's own page shows: what the code opens, or why it doesn't."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from b2b.models import ContractRun, OrganizationMembership, OrganizationPage
from b2b.services.seats.offers import CodeOffer, contract_run_behind
from courses.models import Course, CourseRun
from ecommerce.errors.codes import CodeRefused
from ecommerce.selectors.codes import find_code
from mitxonline.kernel.errors import DomainError
from mitxonline.users.models import User

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

OTHERS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Words:
    """How a refusal is told on a card: the reason as its heading, what to do about it, and one way on."""

    heading: StrPromise
    text: StrPromise
    way_on: str = "another"
    asks: bool = True


# The sentences of the refusals, each cut at its first stop into heading and text.
WORDS: dict[str, Words] = {
    "contract_full": Words(
        _("All seats are taken"),
        _(
            "Your code is valid, but %(organization)s has no seats left right now. "
            "Your code stays valid: try again when a seat is free."
        ),
        way_on="again",
    ),
    "contract_not_started": Words(
        _("This code is valid from %(opens)s"), _("Keep it until then."), way_on="home", asks=False
    ),
    "contract_ended": Words(_("This code expired on %(ended)s"), _("Ask %(organization)s whether there is a new one.")),
    "contract_inactive": Words(
        _("This contract isn’t active right now"), _("Ask %(organization)s about it."), way_on="again"
    ),
    "code_used": Words(_("Someone else has already used this code"), _("Ask %(organization)s for a new one.")),
    "code_in_use": Words(
        _("This code is in use for your order %(number)s"),
        _("Its payment is still on its way. Your course opens when it arrives; you don't need to do anything else."),
        way_on="order",
        asks=False,
    ),
    "code_off": Words(_("This code is no longer active"), _("Ask %(organization)s for a new one.")),
    "access_withdrawn": Words(
        _("Your access was withdrawn by %(organization)s"),
        _("If that is a mistake, ask %(contact)s."),
        way_on="dashboard",
    ),
    "already_has_course": Words(
        _("You already have this course"),
        _("So your code was not used. You can give it back to %(contact)s."),
        way_on="dashboard",
    ),
    "already_has_course_own_code": Words(
        _("You already have this course"), _("So your code was not used."), way_on="dashboard", asks=False
    ),
    "own_code_used": Words(
        _("You’ve used this code already"),
        _("You have its course: it’s on your dashboard."),
        way_on="dashboard",
        asks=False,
    ),
    "course_removed": Words(
        _("This course is no longer part of the contract"),
        _("Ask %(organization)s for a code for another course."),
        way_on="dashboard",
    ),
    "course_not_open": Words(_("This course isn’t open"), _("%(message)s"), way_on="dashboard"),
    "code_other_person": Words(
        _("This code was given to someone else"), _("Sign in with the address it was sent to."), way_on="account"
    ),
    "address_unconfirmed": Words(
        _("Confirm your address first"),
        _("This code was given to your address. Open the link in the mail we sent you, then come back."),
        way_on="again",
        asks=False,
    ),
    "code_belongs_in_cart": Words(
        _("This is a discount code"), _("Put a course into your cart and enter it there."), way_on="cart", asks=False
    ),
    "too_many_codes": Words(_("Too many attempts"), _("%(message)s"), way_on="home", asks=False),
    "code_unknown": Words(
        _("We can’t find this code"),
        _("Check it against your invitation: it has 36 characters, in five groups."),
        asks=False,
    ),
}


@dataclass(frozen=True, slots=True)
class OfferCard:
    """What a code opens for this visitor."""

    offer: CodeOffer
    text: str
    now: datetime
    others: tuple[str, ...]

    @property
    def organization(self) -> OrganizationPage:
        """Who gave the code out."""
        return self.offer.organization

    @property
    def run(self) -> CourseRun:
        """The run it opens."""
        return self.offer.run

    @property
    def course(self) -> Course:
        """The course of that run."""
        return self.offer.run.course

    @property
    def price(self) -> str:
        """What the learner pays, as a person reads it."""
        return self.offer.price.formatted()


@dataclass(frozen=True, slots=True)
class RefusalCard:
    """Why a code doesn't open anything for this visitor, and whom to ask."""

    heading: str
    text: str
    way_on: str
    code: str
    organization: OrganizationPage | None
    manager: User | None
    number: str = ""


def offer_card(offer: CodeOffer, *, text: str, now: datetime) -> OfferCard:
    """The card of a code that works, with what else the seat opens."""
    others: tuple[str, ...] = ()
    if offer.is_free:
        siblings = ContractRun.objects.current().filter(contract_id=offer.contract_run.contract_id)
        siblings = siblings.exclude(pk=offer.contract_run.pk).order_by("course_run__title")
        others = tuple(siblings.values_list("course_run__title", flat=True))
    return OfferCard(offer=offer, text=text, now=now, others=others)


def refusal_card(refusal: DomainError, *, text: str, user_id: int | None) -> RefusalCard:
    """The card of a code that doesn't work. Only someone signed in learns whose code it is (X2)."""
    words = WORDS.get(refusal.code, WORDS["code_unknown"])
    organization = _organization_of(text) if user_id is not None and words.asks else None
    manager = _manager_of(organization)
    number = str(getattr(refusal, "number", ""))
    said = {
        "organization": str(organization or gettext("your organization")),
        "contact": manager.display_name if manager else gettext("your organization"),
        "message": refusal.message,
        "number": number,
    } | {name: date_format(day, "DATE_FORMAT") for name in ("opens", "ended") if (day := getattr(refusal, name, None))}
    return RefusalCard(
        heading=str(words.heading) % said,
        text=str(words.text) % said,
        way_on=words.way_on,
        code=text,
        organization=organization,
        manager=manager,
        number=number,
    )


def _organization_of(text: str) -> OrganizationPage | None:
    try:
        organization: OrganizationPage = contract_run_behind(find_code(text)).contract.terms.organization
    except CodeRefused:
        return None
    return organization


def _manager_of(organization: OrganizationPage | None) -> User | None:
    """The manager whom a learner may ask: the same one the sentences name."""
    if organization is None:
        return None
    managers = OrganizationMembership.objects.filter(organization=organization, is_manager=True, user__is_active=True)
    first = managers.select_related("user").order_by("pk").first()
    return first.user if first else None

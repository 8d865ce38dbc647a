"""Organizations and contracts of the demo, created by the same services as real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Q

from b2b.enums import IntegrationType, MailState
from b2b.models import ContractMembership, ContractPage, ContractRun, HandOut, HandOutMail, OrganizationPage
from b2b.services.contracts.contracts import ModifyContract, WrittenTerms, create_contract, modify_contract
from b2b.services.contracts.reconcile import run_reconcile
from b2b.services.courseware.courseware import AddCourseware, add_courseware
from b2b.services.handouts.assign import HandOutRequest, hand_out, remind
from b2b.services.handouts.recipients import Recipient
from b2b.services.organizations.managers import set_manager
from b2b.services.organizations.organizations import OrganizationRequest, ensure_organization
from b2b.services.seats.membership import add_member
from b2b.services.seats.redemption import redeem_enrollment_code
from b2b.services.seats.requests import ask_for_seats
from dev.demo.calendar import ContractDates
from dev.demo.people import AMARA, DANA, JONAS, OSKAR, email_of, ensure_colleagues, ensure_people
from dev.demo.specs import ORGANIZATION
from ecommerce.models import DiscountCode
from mitxonline.kernel import clock
from mitxonline.kernel.shop import current_shop
from mitxonline.users.models import User

NORTHGATE, LARKFIELD, BRIGHTWATER = "Northgate Health", "Larkfield University", "Brightwater Council"
SEATS = 200
INVITED = 22
ENDING_SEATS, FULL_SEATS = 16, 12
INVITED_NAMES = (
    "Agnes Lund", "Benedikt Auer", "Chiara Romano", "Dmitri Sokolov", "Esther Mensah", "Filip Novak",
    "Gabriela Pinto", "Hugo Martel", "Imani Njoroge", "Jana Vesela", "Kenji Mori", "Leila Farah",
    "Magnus Holt", "Nina Petrova", "Omar Said", "Paula Reyes", "Quentin Roux", "Rosa Delgado",
    "Stefan Krug", "Tara Singh", "Ulla Jensen",
)  # fmt: skip
BRIGHTWATER_NAMES = (
    "Alma Reid", "Callum Price", "Fiona Grant", "George Amos", "Hannah Doyle", "Iain Mackay",
    "Joyce Okoro", "Liam Byrne", "Megan Shaw", "Owen Pugh", "Ruth Carey", "Simon Teller",
)  # fmt: skip
REMINDED = 3


@dataclass(frozen=True, slots=True)
class ContractSpec:
    """A contract. ``key`` is its name without the year, by which loading finds it again in later years."""

    organization: str
    key: str
    name: str
    terms: WrittenTerms
    courses: tuple[str, ...]


def contract_specs(dates: ContractDates) -> tuple[ContractSpec, ...]:
    """Return a contract with a cap and codes, one that starts later, one with single sign-on and one with a price."""
    currency = current_shop().currency
    by_code, by_sso = IntegrationType.NON_SSO, IntegrationType.SSO
    return (
        ContractSpec(
            NORTHGATE,
            "Clinical skills",
            f"Clinical skills {dates.year}",
            WrittenTerms(by_code, currency, start=dates.start, end=dates.end, max_learners=SEATS),
            ("ST120", "HE201", "WR101", "PY102", "HE220", "BU210"),
        ),
        ContractSpec(
            NORTHGATE,
            "Leading teams",
            f"Leading teams {dates.next_start.year}",
            WrittenTerms(by_code, currency, start=dates.next_start, end=dates.next_end, max_learners=40),
            ("BU210", "BU260"),
        ),
        ContractSpec(
            LARKFIELD,
            "Campus",
            "Campus",
            WrittenTerms(by_sso, currency, start=dates.start),
            ("ST120", "WR101", "ET210"),
        ),
        ContractSpec(
            BRIGHTWATER,
            "Service design",
            "Service design",
            WrittenTerms(by_code, currency, start=dates.start, end=dates.end, max_learners=25, price=Decimal(49)),
            ("DE105", "WR101"),
        ),
        ContractSpec(
            NORTHGATE,
            "Patient safety",
            "Patient safety",
            WrittenTerms(by_code, currency, start=dates.start, end=dates.ends_soon, max_learners=ENDING_SEATS),
            ("HE201",),
        ),
        ContractSpec(
            BRIGHTWATER,
            "Accessible services",
            "Accessible services",
            WrittenTerms(by_code, currency, start=dates.start, end=dates.end, max_learners=FULL_SEATS),
            ("DE105",),
        ),
    )


def ensure_contract(spec: ContractSpec, *, now: datetime) -> ContractPage:
    """Create the contract with its runs, products and codes, or extend it if it has ended."""
    organization, _new = ensure_organization(OrganizationRequest(name=spec.organization, create=True))
    page = _find_contract(organization, spec.key)
    if page is None:
        page = create_contract(organization_id=organization.pk, name=spec.name, terms=spec.terms, now=now).page
        for number in spec.courses:
            readable_id = f"course-v1:{ORGANIZATION}+{number}"
            add_courseware(AddCourseware(contract_id=page.pk, readable_id=readable_id), now=now)
        run_reconcile(contract_id=page.pk, now=now)
    elif page.contract_end is not None and page.contract_end < clock.date_of(now):
        modify_contract(
            ModifyContract(contract_id=page.pk, changes={"contract_end": spec.terms.end}, over_draft=True), now=now
        )
        run_reconcile(contract_id=page.pk, now=now)
    return page


def ensure_members(
    contract: ContractPage, people: Mapping[str, User], colleagues: Sequence[User], *, now: datetime
) -> None:
    """Let Dana hand out codes. Amara and her colleagues have used some, and others are still waiting."""
    dana = people[DANA.email]
    set_manager(organization_id=contract.get_parent().pk, user_id=dana.pk, is_manager=True, by_id=None, now=now)
    if ContractMembership.objects.filter(contract=contract).exists():
        return
    runs = {run.course_run.course.number: run for run in _runs(contract)}
    _hand_out(runs["PY102"], [Recipient(AMARA.email, AMARA.name)], by=dana, now=now)
    invited = [Recipient(email_of(name, "northgate.example"), name) for name in INVITED_NAMES[: INVITED - 1]]
    _hand_out(runs["HE201"], [Recipient(JONAS.email, JONAS.name), *invited], by=dana, now=now)
    _mark_as_mailed(runs["HE201"], by=dana, now=now)
    # Everyone joined with a code of their own, so that the lists of people and of codes add up.
    redeem_codes(runs["WR101"], [people[AMARA.email], *colleagues[:40]], now=now)
    redeem_codes(runs["HE201"], colleagues[40:], now=now)


def redeem_codes(run: ContractRun, people: Sequence[User], *, now: datetime) -> None:
    """Let each person use a code of the course, over the last weeks."""
    codes = _free_codes(run)[: len(people)]
    for number, (user, code) in enumerate(zip(people, codes, strict=True)):
        redeem_enrollment_code(text=code.text, user_id=user.pk, now=now - timedelta(hours=5 * number))


def ensure_small_contracts(contracts: Sequence[ContractPage], people: Mapping[str, User], *, now: datetime) -> None:
    """Fill one contract nearly and one completely, whose manager asks for more seats."""
    ending, full = contracts
    oskar = people[OSKAR.email]
    set_manager(organization_id=full.get_parent().pk, user_id=oskar.pk, is_manager=True, by_id=None, now=now)
    if not ContractMembership.objects.filter(contract=ending).exists():
        redeem_codes(_runs(ending)[0], ensure_colleagues(now=now)[: ENDING_SEATS - 2], now=now)
    if not ContractMembership.objects.filter(contract=full).exists():
        redeem_codes(_runs(full)[0], ensure_people(BRIGHTWATER_NAMES, "brightwater.example", now=now), now=now)
        message = "Two more teams would like to join in January."
        ask_for_seats(contract_id=full.pk, seats=10, message=message, by_id=oskar.pk, now=now)


def ensure_member(contract: ContractPage, user: User, *, source: str, now: datetime) -> None:
    if not ContractMembership.objects.filter(contract=contract, user=user).exists():
        add_member(contract_id=contract.pk, user_id=user.pk, source=source, now=now)


def _find_contract(organization: OrganizationPage, key: str) -> ContractPage | None:
    contracts = ContractPage.objects.child_of(organization).filter(Q(name=key) | Q(name__startswith=f"{key} "))
    contract: ContractPage | None = contracts.first()
    return contract


def _runs(contract: ContractPage) -> list[ContractRun]:
    return list(ContractRun.objects.current().filter(contract=contract).select_related("course_run__course"))


def _free_codes(run: ContractRun) -> list[DiscountCode]:
    codes = DiscountCode.objects.filter(discount__unlocks_id=run.product_id, active=True, assigned_email="", uses=0)
    return list(codes.order_by("pk"))


def _hand_out(run: ContractRun, people: Sequence[Recipient], *, by: User, now: datetime) -> None:
    hand_out(HandOutRequest(contract_run_id=run.pk, recipients=people), by_id=by.pk, now=now)


def _mark_as_mailed(run: ContractRun, *, by: User, now: datetime) -> None:
    """Mark all e-mails as sent, so that none goes out. Some people were reminded and one address bounced."""
    hand_outs = list(HandOut.objects.open().filter(contract_run=run).order_by("-pk"))
    remind(hand_out_ids=[hand_out.pk for hand_out in hand_outs[:REMINDED]], by_id=by.pk, now=now)
    mails = HandOutMail.objects.filter(hand_out__contract_run__contract=run.contract_id)
    mails.update(state=MailState.SENT, finished_at=now)
    mails.filter(hand_out=hand_outs[REMINDED]).update(state=MailState.FAILED, reason="The address was refused.")

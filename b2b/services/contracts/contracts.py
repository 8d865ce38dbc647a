"""Creating and changing contracts the way an editor does: by publishing a page.

A page has the terms as written; the terms in force are in ``ContractTerms`` (ADR 0007).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TypedDict

from django.db import transaction
from django.utils.formats import date_format
from django.utils.html import linebreaks
from django.utils.timezone import localtime
from django.utils.translation import gettext

from b2b.enums import IntegrationType
from b2b.errors.contracts import ContractNotPublished, DraftInTheWay
from b2b.models import ContractPage, OrganizationPage
from b2b.selectors.contracts import find_contract
from b2b.services.contracts.pages import add_child, lock_page, publish_changed, publish_new
from b2b.services.contracts.terms import bring_into_force
from mitxonline.users.models import User


@dataclass(frozen=True, slots=True)
class WrittenTerms:
    """The terms that an operator types for a new contract. A cap or price of 0 means none."""

    integration_type: IntegrationType
    currency: str
    start: date | None = None
    end: date | None = None
    max_learners: int | None = None
    price: Decimal | None = None
    description: str = ""

    def to_page(self, name: str) -> ContractPage:
        """Make a page with these terms; not saved, not live."""
        return ContractPage(
            title=name,
            name=name,
            live=False,
            integration_type=self.integration_type,
            currency=self.currency,
            contract_start=self.start,
            contract_end=self.end,
            max_learners=self.max_learners or None,
            enrollment_fixed_price=self.price or None,
            description=as_rich_text(self.description),
        )


@dataclass(frozen=True, slots=True)
class CreatedContract:
    """A contract, whether it is new, and the ids of other contracts with its name."""

    page: ContractPage
    is_new: bool
    namesakes: tuple[int, ...]


class PageChanges(TypedDict, total=False):
    """Columns of a contract's page that change, with their new values."""

    name: str
    title: str
    description: str
    integration_type: IntegrationType
    active: bool
    contract_start: date | None
    contract_end: date | None
    max_learners: int | None
    enrollment_fixed_price: Decimal | None
    currency: str
    codes_only_for_assignee: bool


@dataclass(frozen=True, slots=True)
class ModifyContract:
    """Publish a contract with these changes.

    ``over_draft`` goes on from the published page although someone has unpublished changes; their draft stays in the
    page's history.
    """

    contract_id: int
    changes: PageChanges
    over_draft: bool = False


def find_equal_contract(
    *, organization_id: int, name: str, terms: WrittenTerms
) -> tuple[ContractPage | None, list[int]]:
    """Find the published contract with this name and these terms, and the ids of all contracts with the name."""
    wanted = terms.to_page(name)
    fields = (
        "integration_type",
        "currency",
        "contract_start",
        "contract_end",
        "max_learners",
        "enrollment_fixed_price",
        "active",
    )
    organization = OrganizationPage.objects.get(pk=organization_id)
    namesakes = list(ContractPage.objects.child_of(organization).filter(name=name).order_by("pk"))
    ids = [page.pk for page in namesakes]
    for page in namesakes:
        # A cap or price of 0 is none, as in the terms in force.
        if page.live and all((getattr(page, field) or None) == (getattr(wanted, field) or None) for field in fields):
            return page, ids
    return None, ids


def create_contract(
    *, organization_id: int, name: str, terms: WrittenTerms, now: datetime, user: User | None = None
) -> CreatedContract:
    """Create a contract under its organization and publish it, unless an equal one is published.

    Its terms are in force when this returns. Raises TermsInvalid.
    """
    name = name.strip()
    with transaction.atomic():
        # Two equal commands at once create one contract: the second waits here, then finds the first's.
        lock_page(organization_id)
        equal, ids = find_equal_contract(organization_id=organization_id, name=name, terms=terms)
        if equal is not None:
            others = tuple(pk for pk in ids if pk != equal.pk)
            return CreatedContract(page=equal, is_new=False, namesakes=others)
        page = add_child(parent_id=organization_id, make=lambda: terms.to_page(name))
        publish_new(page, user=user)
        bring_into_force(page_id=page.pk, now=now, by_id=user.pk if user is not None else None)
    return CreatedContract(page=find_contract(page.pk), is_new=True, namesakes=tuple(ids))


def modify_contract(request: ModifyContract, *, now: datetime, user: User | None = None) -> bool:
    """Publish the live contract with other terms, and tell whether that changed anything.

    Raises ContractUnknown, ContractNotPublished, TermsInvalid, and DraftInTheWay where someone has unpublished changes.
    """
    contract_id = request.contract_id
    with transaction.atomic():
        find_contract(contract_id)
        lock_page(contract_id)
        page = page_to_modify(request)
        if not _would_change(page, request.changes):
            return False
        publish_changed(page, user=user)
        bring_into_force(page_id=contract_id, now=now, by_id=user.pk if user is not None else None)
    return True


def page_to_modify(request: ModifyContract) -> ContractPage:
    """Return the live page with the changes made in memory. Raises ContractNotPublished, DraftInTheWay."""
    page = find_contract(request.contract_id)
    if not page.live:
        raise ContractNotPublished(name=page.name)
    if not request.over_draft:
        refuse_over_draft(page)
    for name, value in request.changes.items():
        setattr(page, name, value)
    return page


def refuse_over_draft(page: ContractPage) -> None:
    """Raise DraftInTheWay where someone has unpublished changes."""
    if not page.has_unpublished_changes:
        return
    draft = page.latest_revision
    author = str(draft.user or "") if draft else ""
    day = date_format(localtime(draft.created_at), "DATE_FORMAT") if draft else ""
    raise DraftInTheWay(name=page.name, author=author or gettext("author unknown"), day=day)


def as_rich_text(text: str) -> str:
    """Turn plain text into paragraphs of a rich text field; markup in it is escaped."""
    return str(linebreaks(text.strip(), autoescape=True)) if text.strip() else ""


def _would_change(page: ContractPage, changes: PageChanges) -> bool:
    published = ContractPage.objects.filter(pk=page.pk).values(*changes).first() if changes else None
    return published is not None and any(published[name] != getattr(page, name) for name in changes)

"""Columns of the lists, and the words in them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import TextChoices
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin.ui.tables import TitleColumn

from b2b.enums import CodeState, ContractStanding, IntegrationType, MembershipState, ReconcileState
from b2b.models import ContractPage, ContractTerms, OrganizationPage
from b2b.selectors.contracts import LOGO, initials
from mitxonline.kernel.money import Money


class PageState(TextChoices):
    """Whether an organization's page can be found."""

    PUBLISHED = "published", gettext_lazy("Published")
    UNPUBLISHED = "unpublished", gettext_lazy("Unpublished")
    DRAFT = "page_draft", gettext_lazy("Draft")


# The color beside a state; the word says it.
TONES = {
    PageState.PUBLISHED: "good",
    PageState.UNPUBLISHED: "quiet",
    ContractStanding.OPEN: "good",
    ContractStanding.FULL: "warn",
    ContractStanding.ENDED: "quiet",
    ContractStanding.INACTIVE: "quiet",
    CodeState.USED: "good",
    CodeState.HELD: "warn",
    CodeState.OFF: "quiet",
    CodeState.WITHDRAWN: "quiet",
    CodeState.ASSIGNED: "plain",
    MembershipState.ACTIVE: "good",
    ReconcileState.DONE: "good",
    ReconcileState.WAITING: "warn",
    ReconcileState.FAILED: "bad",
}


class OrganizationColumn(TitleColumn):
    """The name with the logo before it, or two letters."""

    cell_template_name = "b2b/admin/organization_cell.html"

    def get_cell_context_data(self, instance: OrganizationPage, parent_context: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_cell_context_data(instance, parent_context)
        return context | picture_of(instance)


def picture_of(organization: OrganizationPage) -> dict[str, Any]:
    """What a template shows before an organization's name."""
    logo = organization.logo.get_rendition(LOGO) if organization.logo else None
    return {"logo": logo, "initials": initials(organization.name)}


@dataclass(frozen=True, slots=True)
class TermsShown:
    """What a list says about a contract's terms: those in force, or a draft's that never were."""

    type: str
    cap: int | None
    start: date | None
    end: date | None
    price: Money

    @classmethod
    def of(cls, contract: ContractPage) -> TermsShown:
        """Without a query, where the terms were selected with the contract."""
        in_force: ContractTerms | None = getattr(contract, "terms", None)
        if in_force is not None:
            return cls(
                type=str(IntegrationType(in_force.integration_type).label),
                cap=in_force.max_learners,
                start=in_force.start,
                end=in_force.end,
                price=in_force.money,
            )
        return cls(
            type=str(IntegrationType(contract.integration_type).label),
            cap=contract.max_learners or None,
            start=contract.contract_start,
            end=contract.contract_end,
            price=Money(contract.enrollment_fixed_price or 0, contract.currency),
        )

    @property
    def price_text(self) -> str:
        """The price for each learner and course, in a word where there is none."""
        return _("Free") if self.price.is_zero else self.price.formatted()


def state_of(contract: Any) -> ContractStanding:
    """Where a listed contract stands."""
    return ContractStanding(contract.state)


def seats(taken: int, invited: int, cap: int | None) -> str:
    """“131 of 200, 4 invited”, or how many where there is no cap."""
    if cap is None:
        return _("%(taken)d, no limit") % {"taken": taken}
    if invited:
        return _("%(taken)d of %(cap)d, %(invited)d invited") % {"taken": taken, "cap": cap, "invited": invited}
    return _("%(taken)d of %(cap)d") % {"taken": taken, "cap": cap}


def day(value: date | None) -> str:
    """A day in words, or nothing."""
    return date_format(value, "DATE_FORMAT") if value else ""

"""Pages that have to stay because something hangs on them."""

from __future__ import annotations

from wagtail.models import Page

from b2b.models import ContractPage, OrganizationIndexPage, OrganizationPage


def page_to_keep(page: Page) -> Page | None:
    """The first page here or below that can't go: a contract that was in force or covers something, an organization
    with members, the organizations page itself. None where nothing is lost (design 5.1)."""
    contracts = ContractPage.objects.descendant_of(page, inclusive=True)
    used = contracts.filter(terms__isnull=False) | contracts.filter(courseware__isnull=False)
    if (contract := used.order_by("path").first()) is not None:
        return contract
    organizations = OrganizationPage.objects.descendant_of(page, inclusive=True)
    if (organization := organizations.filter(memberships__isnull=False).order_by("path").first()) is not None:
        return organization
    return OrganizationIndexPage.objects.descendant_of(page, inclusive=True).first()

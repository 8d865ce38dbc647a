"""Organizations and contracts as answers have them, in constant queries for any number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.http import HttpRequest
from wagtail.rich_text import expand_db_html

from api.b2b import schemas
from b2b.enums import IntegrationType
from b2b.models import ContractTerms, OrganizationPage
from b2b.selectors.visible import contracts_loaded, programs_of

# The words clients know. Who signs in through the organization is a member of all its contracts of that kind.
MEMBERSHIP_TYPES = {IntegrationType.SSO: "managed", IntegrationType.NON_SSO: "code"}
_BETWEEN = "\x1e"  # in no text: PostgreSQL's rich text comes from an editor that drops control characters


def draw_organizations(
    request: HttpRequest, organizations: Sequence[OrganizationPage]
) -> list[schemas.OrganizationPage]:
    """Draw organizations with the contracts that were loaded with them."""
    contracts: dict[int, list[schemas.ContractPage]] = {}
    for each in draw_contracts(contracts_loaded(organizations)):
        contracts.setdefault(each.organization, []).append(each)
    texts = expand_texts(each.description for each in organizations)
    return [
        schemas.OrganizationPage(
            id=each.pk,
            name=each.name,
            description=text,
            logo=request.build_absolute_uri(each.logo.file.url) if each.logo is not None else None,
            slug=each.slug,
            sso_organization_id=_keycloak_id(each),
            contracts=contracts.get(each.pk, []),
        )
        for each, text in zip(organizations, texts, strict=True)
    ]


def draw_contracts(terms: Sequence[ContractTerms]) -> list[schemas.ContractPage]:
    """Draw contracts as their terms in force are, with their programs."""
    programs = programs_of(each.pk for each in terms)
    welcomes = expand_texts(each.page.welcome_message_extra for each in terms)
    return [
        schemas.ContractPage(
            **base.model_dump(),
            welcome_message=each.page.welcome_message,
            welcome_message_extra=welcome,
            programs=programs.get(each.pk, []),
            variant_options=[],
        )
        for each, base, welcome in zip(terms, draw_short_contracts(terms), welcomes, strict=True)
    ]


def draw_short_contracts(terms: Sequence[ContractTerms]) -> list[schemas.BaseContractPage]:
    texts = expand_texts(each.page.description for each in terms)
    return [
        schemas.BaseContractPage(
            id=each.pk,
            name=each.page.name,
            description=text,
            membership_type=MEMBERSHIP_TYPES[IntegrationType(each.integration_type)],
            organization=each.organization_id,
            contract_start=each.start,
            contract_end=each.end,
            slug=each.page.slug,
        )
        for each, text in zip(terms, texts, strict=True)
    ]


def expand_texts(texts: Iterable[str]) -> list[str]:
    """Turn rich texts into HTML; the pages they link to are looked up together."""
    sources = list(texts)
    return expand_db_html(_BETWEEN.join(sources)).split(_BETWEEN) if sources else []


def _keycloak_id(organization: OrganizationPage) -> UUID | None:
    keycloak = getattr(organization, "keycloak", None)
    return keycloak.keycloak_id if keycloak is not None else None

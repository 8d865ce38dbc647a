"""Background work for contracts."""

from __future__ import annotations

import logging

from celery import shared_task
from django.conf import settings
from django.utils.translation import gettext as _

from b2b.gateways.keycloak import KeycloakGateway
from b2b.requests import STUCK_AFTER, request_reconcile
from b2b.services.contracts.terms import bring_into_force, contracts_out_of_line
from b2b.services.organizations.keycloak_joins import ask_for_joins
from b2b.services.organizations.keycloak_sync import sync_organizations
from mitxonline.kernel import clock
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.remote import patience

logger = logging.getLogger(__name__)


@shared_task(ignore_result=True, soft_time_limit=240, time_limit=270)
def sweep_contracts() -> None:
    """Find contracts whose signal or request was lost, and reconcile them."""
    now = clock.now()
    for contract_id in contracts_out_of_line(stuck_before=now - STUCK_AFTER):
        if bring_into_force(page_id=contract_id, now=now) is not None:
            request_reconcile(contract_id=contract_id, reason=_("Sweep"), now=now)


@shared_task(ignore_result=True, soft_time_limit=570, time_limit=600)
def sync_keycloak_orgs() -> None:
    """Synchronize the organizations' pages with Keycloak; problems are in the record of the synchronization."""
    try:
        with patience(settings.KEYCLOAK_SYNC_PATIENCE):
            report = sync_organizations(keycloak=KeycloakGateway.from_settings(), now=clock.now())
    except DomainError as refusal:
        logger.warning("organizations not synchronized with Keycloak", extra={"reason": refusal.code})
        return
    for outcome in ("problem", "gone"):
        if lines := [line for line in report.lines if line.outcome == outcome]:
            logger.warning("organizations of Keycloak", extra={"outcome": outcome, "count": len(lines)})


@shared_task(ignore_result=True, soft_time_limit=50, time_limit=60)
def sweep_keycloak_joins() -> None:
    """Request that people who joined by code are added in Keycloak, for organizations whose page says so."""
    ask_for_joins(now=clock.now())

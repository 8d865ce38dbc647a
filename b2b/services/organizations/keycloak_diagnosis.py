"""The findings of `check_sso` about the service account that reads Keycloak's organizations and adds people to them."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _

from b2b.errors.organizations import KeycloakNotConfigured
from b2b.gateways.keycloak import KEYCLOAK_SETTINGS, KeycloakGateway, keycloak_id_of
from b2b.models import OrganizationPage
from b2b.services.organizations.keycloak_sync import count_known_organizations, refuse_if_none
from mitxonline.kernel.errors import DomainError
from mitxonline.users.sso.findings import ProviderReport, SetupFinding
from mitxonline.users.sso.providers import KEYCLOAK

ACCOUNT, LISTING, ADDING = "service account", "organizations list", "adding people"


def service_account_findings() -> Iterator[SetupFinding]:
    """Check its secret, whether it can list organizations and, where a page needs that, whether it can add people.

    Asks Keycloak, and changes nothing there or here.
    """
    report = ProviderReport(KEYCLOAK)
    try:
        keycloak = KeycloakGateway.from_settings()
    except KeycloakNotConfigured as refusal:
        if len(refusal.missing) == len(KEYCLOAK_SETTINGS):
            yield report.unknown(
                ACCOUNT, _("Not configured: %(names)s are empty.") % {"names": ", ".join(refusal.missing)}
            )
        else:
            yield report.missing(ACCOUNT, str(refusal))
        return
    try:
        keycloak.connect()
    except DomainError as refusal:
        yield report.missing(ACCOUNT, str(refusal))
        return
    yield report.fine(ACCOUNT, _("Keycloak accepts KEYCLOAK_CLIENT_ID with its secret."))
    try:
        raws = keycloak.organizations()
        refuse_if_none(raws)
    except DomainError as refusal:
        yield report.missing(LISTING, str(refusal))
        return
    if not raws:
        yield report.unknown(
            LISTING,
            _(
                "Keycloak shows no organizations. If it has some, give the service account the role "
                "view-organizations of realm-management."
            ),
        )
        return
    yield report.fine(
        LISTING,
        _("Can be read: %(n)s. Known here: %(known)s.") % {"n": len(raws), "known": count_known_organizations()},
    )
    if not OrganizationPage.objects.live().filter(add_code_learners_to_sso=True).exists():
        return
    organization_id = next(filter(None, map(keycloak_id_of, raws)), None)
    if organization_id is None:
        yield report.unknown(ADDING, _("No organization in Keycloak has an id to try it with."))
        return
    try:
        keycloak.check_adding(organization_id=organization_id)
    except DomainError as refusal:
        yield report.missing(ADDING, str(refusal))
    else:
        yield report.fine(ADDING, _("People who came by code can be added."))

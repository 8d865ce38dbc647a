"""Refusals about organizations and their Keycloak."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from mitxonline.kernel.errors import DomainError, NotFound


class OrganizationUnknown(NotFound):
    """No organization has this id, name, slug or key."""

    code = "organization_unknown"
    message = _("There is no organization “{text}”.")
    advice = _("“b2b_list organizations” shows them all.")
    text: str


class OrganizationUnclear(DomainError):
    code = "organization_unclear"
    message = _("Several organizations match “{text}” ({ids}).")
    advice = _("Name one by its id.")
    exposes = ("ids",)
    text: str
    ids: tuple[int, ...]


class SimilarOrganization(DomainError):
    """A new organization would have almost the name of another one."""

    code = "organization_similar"
    message = _("There is an organization “{similar}” ({organization_id}), whose name is almost “{name}”.")
    advice = _("Use its exact name, or add --create to create another one.")
    exposes = ("organization_id",)
    name: str
    similar: str
    organization_id: int


class OrgKeyTaken(DomainError):
    code = "org_key_taken"
    message = _("The organization key “{key}” belongs to “{organization}”.")
    advice = _("Choose another one.")
    key: str
    organization: str


class OrgKeyDiffers(DomainError):
    """An existing organization was named together with a key that isn’t its own."""

    code = "org_key_differs"
    message = _("“{organization}” already exists, with the organization key “{key}”.")
    advice = _("Leave --org-key out.")
    organization: str
    key: str


class OrgKeyImpossible(DomainError):
    """The name has no character that is allowed in a course key."""

    code = "org_key_impossible"
    message = _("“{name}” has no letters that a course key allows.")
    advice = _("Give the organization a key with --org-key.")
    name: str


class KeycloakNotConfigured(DomainError):
    """Keycloak isn’t administered from here, or settings for it are missing."""

    code = "keycloak_not_configured"
    message = _("Keycloak isn’t configured: set {missing}.")
    advice = _("docs/keycloak.md says where to find them.")
    exposes = ("missing",)
    missing: tuple[str, ...]


class KeycloakUnavailable(DomainError):
    """Keycloak didn’t answer, or its answer can’t be read."""

    code = "keycloak_unavailable"
    status = 503
    message = _("Keycloak didn’t answer as expected.")
    advice = _("Check KEYCLOAK_URL and KEYCLOAK_REALM, or try again later.")


class KeycloakDenied(DomainError):
    """The service account may not do this. Each kind says which right is missing."""

    code = "keycloak_denied"
    client_id: str
    realm: str


class KeycloakSecretWrong(KeycloakDenied):
    code = "keycloak_secret_wrong"
    message = _("Keycloak doesn’t accept the client “{client_id}” in realm “{realm}”.")
    advice = _(
        "Check KEYCLOAK_CLIENT_ID and KEYCLOAK_CLIENT_SECRET, and that client authentication and service account roles "
        "are on for the client."
    )


class KeycloakReadDenied(KeycloakDenied):
    code = "keycloak_read_denied"
    message = _("Keycloak doesn’t let the client “{client_id}” read the organizations of realm “{realm}”.")
    advice = _(
        "Give its service account the role view-organizations of realm-management; before Keycloak 26.7, manage-realm."
    )


class KeycloakAddDenied(KeycloakDenied):
    code = "keycloak_add_denied"
    message = _("Keycloak doesn’t let the client “{client_id}” add people to the organizations of realm “{realm}”.")
    advice = _(
        "Give its service account the roles manage-organizations and manage-users of realm-management; before "
        "Keycloak 26.7, manage-realm."
    )


class KeycloakOrganizationsOff(DomainError):
    """The realm exists, and organizations are disabled in it."""

    code = "keycloak_organizations_off"
    message = _("Organizations are off in realm “{realm}”.")
    advice = _("Turn them on: Realm settings, General, Organizations.")
    realm: str


class KeycloakShowsNone(DomainError):
    """An empty list although organizations were known: what an account sees that may only query them."""

    code = "keycloak_shows_none"
    message = ngettext_lazy(
        "Keycloak shows no organization, and {known} was known; nothing was marked as gone. Check that the service "
        "account has the role view-organizations of realm-management (query-organizations isn’t enough). If it is "
        "really gone, run sync_keycloak_orgs --all-gone.",
        "Keycloak shows none of the {known} organizations that were known; nothing was marked as gone. Check that the "
        "service account has the role view-organizations of realm-management (query-organizations isn’t enough). If "
        "they are really gone, run sync_keycloak_orgs --all-gone.",
        "known",
    )
    exposes = ("known",)
    known: int


class KeycloakPersonUnknown(DomainError):
    code = "keycloak_person_unknown"
    message = _("The person or the organization is no longer in Keycloak.")


class KeycloakOrganizationUnreadable(DomainError):
    code = "keycloak_organization_unreadable"
    message = _("Keycloak describes “{name}” without an id, an alias or a name.")
    name: str


class LooksLikeAnother(DomainError):
    """An organization in Keycloak that may be one we have under another key."""

    code = "keycloak_looks_like_another"
    message = _("“{alias}” in Keycloak looks like “{organization}” here.")
    advice = _("If they are the same, run sync_keycloak_orgs --link {alias}={key}; if not, rename one of them.")
    alias: str
    organization: str
    key: str


class LinkedToAnother(DomainError):
    """An organization’s page that is linked to another organization of Keycloak, which still exists."""

    code = "keycloak_linked_to_another"
    message = _("“{organization}” is linked to “{alias}” in Keycloak, which still exists.")
    organization: str
    alias: str

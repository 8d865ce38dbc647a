"""Refusals about organizations and their Keycloak."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from mitxonline.kernel.errors import DomainError, NotFound

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


class OrganizationUnknown(NotFound):
    """No organization goes by this id, name, slug or key."""

    code: ClassVar[str] = "organization_unknown"

    def __init__(self, text: str) -> None:
        super().__init__(
            _("There is no organization “%(text)s”. “b2b_list organizations” shows them all.") % {"text": text}
        )


class OrganizationUnclear(DomainError):
    """Several organizations go by this name."""

    code: ClassVar[str] = "organization_unclear"
    exposes = ("ids",)

    def __init__(self, text: str, *, ids: tuple[int, ...]) -> None:
        self.ids = ids
        super().__init__(
            _("Several organizations answer to “%(text)s” (%(ids)s). Say which one by its id.")
            % {"text": text, "ids": ", ".join(map(str, ids))}
        )


class SimilarOrganization(DomainError):
    """A new organization would have almost the name of another one."""

    code: ClassVar[str] = "organization_similar"
    exposes = ("organization_id",)

    def __init__(self, name: str, *, similar: str, organization_id: int) -> None:
        self.organization_id = organization_id
        super().__init__(
            _(
                "There is an organization “%(similar)s” (%(id)s), whose name is almost “%(name)s”. Write its name, "
                "or add --create to make another one."
            )
            % {"similar": similar, "id": organization_id, "name": name}
        )


class OrgKeyTaken(DomainError):
    """The wanted organization key is another organization's."""

    code: ClassVar[str] = "org_key_taken"

    def __init__(self, key: str, *, organization: str) -> None:
        super().__init__(
            _("The organization key “%(key)s” belongs to “%(organization)s”. Choose another one.")
            % {"key": key, "organization": organization}
        )


class OrgKeyDiffers(DomainError):
    """An organization that exists was named together with another key than its own."""

    code: ClassVar[str] = "org_key_differs"

    def __init__(self, *, organization: str, key: str) -> None:
        super().__init__(
            _("“%(organization)s” exists already, with the organization key “%(key)s”. Leave --org-key out.")
            % {"organization": organization, "key": key}
        )


class OrgKeyImpossible(DomainError):
    """Nothing of the name can stand in a course key."""

    code: ClassVar[str] = "org_key_impossible"

    def __init__(self, name: str) -> None:
        super().__init__(
            _("No letter of “%(name)s” can stand in a course key. Give the organization a key with --org-key.")
            % {"name": name}
        )


class KeycloakNotConfigured(DomainError):
    """No Keycloak is administrated from here, or not all of it is said."""

    code: ClassVar[str] = "keycloak_not_configured"
    exposes = ("missing",)

    def __init__(self, missing: tuple[str, ...]) -> None:
        self.missing = missing
        super().__init__(
            _("Keycloak isn't configured: set %(settings)s. docs/keycloak.md says where to find them.")
            % {"settings": ", ".join(missing)}
        )


class KeycloakUnavailable(DomainError):
    """Keycloak didn't answer, or with something that isn't an answer."""

    code: ClassVar[str] = "keycloak_unavailable"
    status: ClassVar[int] = 503

    def __init__(self) -> None:
        super().__init__(
            _("Keycloak didn't answer as it should. Check KEYCLOAK_URL and KEYCLOAK_REALM, or try again later.")
        )


class KeycloakDenied(DomainError):
    """The service account may not do this. Each kind says what is missing for what was refused."""

    code: ClassVar[str] = "keycloak_denied"
    sentence: ClassVar[StrOrPromise]

    def __init__(self, *, client_id: str, realm: str) -> None:
        super().__init__(self.sentence % {"client": client_id, "realm": realm})


class KeycloakSecretWrong(KeycloakDenied):
    code: ClassVar[str] = "keycloak_secret_wrong"
    sentence = _(
        "Keycloak doesn't accept the client “%(client)s” in realm “%(realm)s”. Check KEYCLOAK_CLIENT_ID and "
        "KEYCLOAK_CLIENT_SECRET, and that the client has client authentication and service account roles on."
    )


class KeycloakReadDenied(KeycloakDenied):
    code: ClassVar[str] = "keycloak_read_denied"
    sentence = _(
        "Keycloak doesn't let the client “%(client)s” read the organizations of realm “%(realm)s”. Give its service "
        "account the role view-organizations of realm-management; before Keycloak 26.7, manage-realm."
    )


class KeycloakAddDenied(KeycloakDenied):
    code: ClassVar[str] = "keycloak_add_denied"
    sentence = _(
        "Keycloak doesn't let the client “%(client)s” add people to the organizations of realm “%(realm)s”. Give its "
        "service account the roles manage-organizations and manage-users of realm-management; before Keycloak 26.7, "
        "manage-realm."
    )


class KeycloakOrganizationsOff(DomainError):
    """The realm is there, and has no organizations at all."""

    code: ClassVar[str] = "keycloak_organizations_off"

    def __init__(self, *, realm: str) -> None:
        super().__init__(
            _("Organizations are off in realm “%(realm)s”. Turn them on: Realm settings, General, Organizations.")
            % {"realm": realm}
        )


class KeycloakShowsNone(DomainError):
    """An empty list although organizations were known: what an account sees that may only query them."""

    code: ClassVar[str] = "keycloak_shows_none"
    exposes = ("known",)

    def __init__(self, known: int) -> None:
        self.known = known
        super().__init__(
            ngettext(
                "Keycloak shows no organization, and %(known)d was known; nothing was marked as gone. Check that the "
                "service account has the role view-organizations of realm-management (query-organizations isn't "
                "enough). If it is really gone, run sync_keycloak_orgs --all-gone.",
                "Keycloak shows none of the %(known)d organizations that were known; nothing was marked as gone. Check "
                "that the service account has the role view-organizations of realm-management (query-organizations "
                "isn't enough). If they are really gone, run sync_keycloak_orgs --all-gone.",
                known,
            )
            % {"known": known}
        )


class KeycloakPersonUnknown(DomainError):
    """The person or the organization is not in Keycloak (any more)."""

    code: ClassVar[str] = "keycloak_person_unknown"

    def __init__(self) -> None:
        super().__init__(_("Keycloak knows no such person or organization any more."))


class KeycloakOrganizationUnreadable(DomainError):
    """One organization came without what it needs."""

    code: ClassVar[str] = "keycloak_organization_unreadable"

    def __init__(self, named: str) -> None:
        super().__init__(_("Keycloak describes “%(name)s” without an id, an alias or a name.") % {"name": named})


class LooksLikeAnother(DomainError):
    """An organization in Keycloak that may be one we have under another key."""

    code: ClassVar[str] = "keycloak_looks_like_another"

    def __init__(self, *, alias: str, organization: str, key: str) -> None:
        super().__init__(
            _(
                "“%(alias)s” in Keycloak looks like “%(organization)s” here. If it is the same, run "
                "sync_keycloak_orgs --link %(alias)s=%(key)s; if not, rename one of them."
            )
            % {"alias": alias, "organization": organization, "key": key}
        )


class LinkedToAnother(DomainError):
    """An organization's page that stands for another organization of Keycloak."""

    code: ClassVar[str] = "keycloak_linked_to_another"

    def __init__(self, *, organization: str, alias: str) -> None:
        super().__init__(
            _("“%(organization)s” stands for “%(alias)s” in Keycloak, which is still there.")
            % {"organization": organization, "alias": alias}
        )

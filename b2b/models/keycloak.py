"""Organizations in Keycloak, what signing in changed, and people to add there.

These aren't columns of pages because publishing an old draft would overwrite them (ADR 0007).
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from b2b.enums import JoinState, SignInChange, SyncState
from b2b.models.pages import ContractPage, OrganizationPage
from mitxonline.kernel.models import TracedModel


class KeycloakOrganization(models.Model):
    """The Keycloak organization that belongs to an organization page. Only the synchronization writes it."""

    organization = models.OneToOneField(
        OrganizationPage,
        verbose_name=_("organization"),
        primary_key=True,
        on_delete=models.CASCADE,
        related_name="keycloak",
    )
    keycloak_id = models.UUIDField(_("Keycloak id"), unique=True)
    alias = models.CharField(_("alias"), max_length=255, db_index=True, help_text=_("Keycloak never changes it."))
    enabled = models.BooleanField(_("enabled in Keycloak"), default=True)
    seen_at = models.DateTimeField(_("last seen in Keycloak"))
    gone_since = models.DateTimeField(_("gone from Keycloak since"), null=True, blank=True)

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("organization in Keycloak")
        verbose_name_plural = _("organizations in Keycloak")
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.alias


class KeycloakSync(models.Model):
    """One synchronization of organizations. The lists hold page ids, `problems` sentences."""

    state = models.CharField(_("state"), max_length=20, choices=SyncState, default=SyncState.RUNNING)
    started_at = models.DateTimeField(_("started"))
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    found = models.PositiveIntegerField(_("organizations in Keycloak"), default=0)
    created = models.JSONField(_("created"), default=list, blank=True)
    linked = models.JSONField(_("linked"), default=list, blank=True)
    updated = models.JSONField(_("updated"), default=list, blank=True)
    disabled = models.JSONField(_("disabled in Keycloak"), default=list, blank=True)
    gone = models.JSONField(_("gone from Keycloak"), default=list, blank=True)
    problems = models.JSONField(_("problems"), default=list, blank=True)

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("synchronization with Keycloak")
        verbose_name_plural = _("synchronizations with Keycloak")
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"synchronization {self.pk}: {self.state}"


class SignInFact(TracedModel):
    """Something that signing in through Keycloak changed for a person, or a seat it couldn't give."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("person"), on_delete=models.CASCADE, related_name="sign_in_facts"
    )
    at = models.DateTimeField(_("at"))
    change = models.CharField(_("what happened"), max_length=30, choices=SignInChange)
    organization = models.ForeignKey(
        OrganizationPage,
        verbose_name=_("organization"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    contract = models.ForeignKey(
        ContractPage, verbose_name=_("contract"), null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    detail = models.CharField(_("detail"), max_length=255, blank=True)

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("change at sign-in")
        verbose_name_plural = _("changes at sign-in")
        ordering = ["-pk"]
        indexes = [models.Index(fields=["user", "-id"], name="sign_in_facts_of_a_person")]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.change}"


class KeycloakJoin(models.Model):
    """A person who joined by code, to be added to the organization in Keycloak. One row per person."""

    organization = models.ForeignKey(
        OrganizationPage, verbose_name=_("organization"), on_delete=models.CASCADE, related_name="keycloak_joins"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("person"), on_delete=models.CASCADE, related_name="keycloak_joins"
    )
    state = models.CharField(_("state"), max_length=20, choices=JoinState, default=JoinState.WAITING)
    asked_at = models.DateTimeField(_("asked"))
    settled_at = models.DateTimeField(_("settled"), null=True, blank=True)

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("addition to Keycloak")
        verbose_name_plural = _("additions to Keycloak")
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "user"], name="added_in_keycloak_once"),
            models.CheckConstraint(
                condition=Q(state=JoinState.DONE, settled_at__isnull=False) | ~Q(state=JoinState.DONE),
                name="settled_when_done",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} into organization {self.organization_id}: {self.state}"

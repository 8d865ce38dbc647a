"""Members of contracts and organizations."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from b2b.enums import MembershipSource, MembershipState
from b2b.models.pages import ContractPage, OrganizationPage
from ecommerce.models import CodeUse, Order


class ContractMembership(models.Model):
    """One seat of a contract, taken by a person or held for an order. Both count toward the cap."""

    contract = models.ForeignKey(
        ContractPage, verbose_name=_("contract"), on_delete=models.PROTECT, related_name="memberships"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("learner"),
        on_delete=models.PROTECT,
        related_name="contract_memberships",
    )
    state = models.CharField(_("state"), max_length=20, choices=MembershipState, default=MembershipState.ACTIVE)
    source = models.CharField(_("source"), max_length=20, choices=MembershipSource)
    code_use = models.ForeignKey(
        CodeUse,
        verbose_name=_("code use"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    order = models.ForeignKey(
        Order,
        verbose_name=_("held for the order"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("added by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    since = models.DateTimeField(_("since"))

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("contract member")
        verbose_name_plural = _("contract members")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["contract", "user"], name="one_seat_per_learner_and_contract"),
            models.CheckConstraint(
                condition=~Q(state=MembershipState.HELD) | Q(order__isnull=False),
                name="held_seat_names_its_order",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in contract {self.contract_id} ({self.state})"


class OrganizationMembership(models.Model):
    """A person in an organization; managers hand out its seats."""

    organization = models.ForeignKey(
        OrganizationPage, verbose_name=_("organization"), on_delete=models.PROTECT, related_name="memberships"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("person"),
        on_delete=models.PROTECT,
        related_name="organization_memberships",
    )
    source = models.CharField(_("source"), max_length=20, choices=MembershipSource)
    is_manager = models.BooleanField(_("manager"), default=False)
    seen_in_claim = models.BooleanField(
        _("seen in Keycloak's claim"),
        default=False,
        help_text=_("People added here keep their membership until Keycloak has named them once."),
    )
    since = models.DateTimeField(_("since"))

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("organization member")
        verbose_name_plural = _("organization members")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "user"], name="organization_member_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in organization {self.organization_id}"

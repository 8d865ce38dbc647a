"""The terms in force, which every rule reads and locks."""

from __future__ import annotations

from datetime import date
from typing import Self

from django.db import models
from django.db.models import Case, CharField, F, Q, Value, When
from django.utils.translation import gettext_lazy as _

from b2b.enums import ContractStanding, IntegrationType
from b2b.models.pages import ContractPage, OrganizationPage
from mitxonline.kernel.db import LockableQuerySet
from mitxonline.kernel.money import Money


def standing_case(day: date, *, path: str = "", full: Q | None = None) -> Case:
    """Return `ContractTerms.standing_on` as SQL for terms at `path`; `full` tells which open contracts are full."""
    cases = [
        When(**{f"{path}active": False}, then=Value(ContractStanding.INACTIVE.value)),
        When(**{f"{path}start__gt": day}, then=Value(ContractStanding.NOT_STARTED.value)),
        When(**{f"{path}end__lt": day}, then=Value(ContractStanding.ENDED.value)),
    ]
    if full is not None:
        cases.append(When(full, then=Value(ContractStanding.FULL.value)))
    return Case(*cases, default=Value(ContractStanding.OPEN.value), output_field=CharField())


class ContractTermsQuerySet(LockableQuerySet["ContractTerms"]):
    def valid_on(self, day: date) -> Self:
        """Contracts people can join on this day; the first and last day are included."""
        return self.alias(standing=standing_case(day)).filter(standing=ContractStanding.OPEN)


class ContractTerms(models.Model):
    """A contract's terms in force: one row per contract page, with the same primary key.

    Only `b2b.services` writes it. Every door locks the row before it counts seats. `max_learners` and `price` are null
    if the editor wrote 0, which means the same as nothing.
    """

    page = models.OneToOneField(
        ContractPage,
        verbose_name=_("contract"),
        primary_key=True,
        on_delete=models.PROTECT,
        related_name="terms",
    )
    organization = models.ForeignKey(
        OrganizationPage, verbose_name=_("organization"), on_delete=models.PROTECT, related_name="terms"
    )
    integration_type = models.CharField(_("how people join"), max_length=20, choices=IntegrationType)
    active = models.BooleanField(_("active"))
    start = models.DateField(_("first day"), null=True, blank=True)
    end = models.DateField(_("last day"), null=True, blank=True)
    max_learners = models.PositiveIntegerField(_("seats"), null=True, blank=True)
    price = models.DecimalField(_("price"), max_digits=12, decimal_places=3, null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=3)
    codes_only_for_assignee = models.BooleanField(_("codes only for their recipients"), default=False)
    revision_id = models.BigIntegerField(
        _("revision in force"),
        null=True,
        blank=True,
        help_text=_("The page's revision these terms were read from."),
    )
    reconciled_revision_id = models.BigIntegerField(_("revision last reconciled"), null=True, blank=True)
    reconciled_at = models.DateTimeField(_("reconciled"), null=True, blank=True)
    in_force_since = models.DateTimeField(_("in force since"))

    objects = ContractTermsQuerySet.as_manager()

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("terms in force")
        verbose_name_plural = _("terms in force")
        constraints = [
            models.CheckConstraint(condition=Q(price__isnull=True) | Q(price__gt=0), name="terms_price_positive"),
            models.CheckConstraint(condition=Q(currency__regex=r"^[A-Z]{3}$"), name="terms_currency_is_a_code"),
            models.CheckConstraint(
                condition=Q(max_learners__isnull=True) | Q(max_learners__gt=0), name="terms_seats_positive"
            ),
            models.CheckConstraint(
                condition=Q(start__isnull=True) | Q(end__isnull=True) | Q(end__gte=F("start")),
                name="terms_end_after_start",
            ),
        ]

    def __str__(self) -> str:
        return f"terms of contract {self.pk}"

    @property
    def is_free(self) -> bool:
        return self.price is None

    @property
    def money(self) -> Money:
        """What a learner pays for each course."""
        return Money(self.price or 0, self.currency)

    @property
    def needs_codes(self) -> bool:
        """Whether the contract has codes: always without single sign-on, and with it only for paid courses."""
        return self.integration_type == IntegrationType.NON_SSO or not self.is_free

    def standing_on(self, day: date) -> ContractStanding:
        """Return the standing on this day; never FULL, because seats aren't counted. Keep `standing_case` equal."""
        if not self.active:
            return ContractStanding.INACTIVE
        if self.start is not None and day < self.start:
            return ContractStanding.NOT_STARTED
        if self.end is not None and day > self.end:
            return ContractStanding.ENDED
        return ContractStanding.OPEN

    def is_valid_on(self, day: date) -> bool:
        return self.standing_on(day) is ContractStanding.OPEN

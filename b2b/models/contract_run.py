"""The runs of contracts."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from b2b.models.courseware import ContractCourseware
from b2b.models.pages import ContractPage
from courses.models import CourseRun
from ecommerce.models import Product


class ContractRunQuerySet(models.QuerySet["ContractRun"]):
    def current(self) -> Self:
        """Runs that were not removed from their contract."""
        return self.filter(removed_at__isnull=True)


class ContractRun(models.Model):
    """A run that belongs to a contract, with the product that its codes unlock.

    A removed run keeps its row (`removed_at`), so that it never shows up in public lists.
    """

    contract = models.ForeignKey(
        ContractPage, verbose_name=_("contract"), on_delete=models.PROTECT, related_name="contract_runs"
    )
    course_run = models.OneToOneField(
        CourseRun, verbose_name=_("course run"), on_delete=models.PROTECT, related_name="contract_run"
    )
    product = models.OneToOneField(
        Product,
        verbose_name=_("product"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="contract_run",
    )
    courseware = models.ForeignKey(
        ContractCourseware,
        verbose_name=_("created for"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="contract_runs",
    )
    generation = models.PositiveSmallIntegerField(
        _("generation"),
        default=1,
        help_text=_("1 for the first run of the course in this contract, 2 for its first rerun, and so on."),
    )
    given_start = models.DateTimeField(
        _("start set by the contract"),
        help_text=_("The start the contract last gave this run. A run that still has it follows the next change."),
    )
    given_end = models.DateTimeField(
        _("end set by the contract"),
        null=True,
        blank=True,
        help_text=_("The end the contract last gave this run; empty means no end."),
    )
    added_at = models.DateTimeField(_("added"))
    removed_at = models.DateTimeField(_("removed"), null=True, blank=True)

    objects = ContractRunQuerySet.as_manager()

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("contract run")
        verbose_name_plural = _("contract runs")
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(removed_at__isnull=False) | Q(product__isnull=False),
                name="contract_run_has_its_product",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.course_run_id} of contract {self.contract_id}"

"""Which runs belong to a contract."""

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
    """The vocabulary for asking after a contract's runs."""

    def current(self) -> Self:
        """Runs that were not removed from their contract."""
        return self.filter(removed_at__isnull=True)


class ContractRun(models.Model):
    """A run that a contract owns, with the product its codes open.

    A removed one keeps its row (``removed_at``), so that the run can never turn up in public; lists leave it out.
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
        verbose_name=_("made for"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="contract_runs",
    )
    generation = models.PositiveSmallIntegerField(
        _("generation"),
        default=1,
        help_text=_("1 for the first run of the course in this contract, 2 for a re-run …"),
    )
    given_start = models.DateTimeField(
        _("start given by the contract"),
        help_text=_("Where the contract’s first day last put the run; a run that stands there follows the next one."),
    )
    given_end = models.DateTimeField(
        _("end given by the contract"),
        null=True,
        blank=True,
        help_text=_("Where the contract’s last day last put the run; empty for no end."),
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

"""Columns that models of several apps have."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from mitxonline.kernel.trace import MAX_LENGTH, trace_id


class TracedModel(models.Model):
    """A row that remembers the request, command or task that wrote it, so that timelines show together what belongs so.

    The database has the default too: web processes of the version before insert rows without the column.
    """

    trace_id = models.CharField(
        _("trace"), max_length=MAX_LENGTH, blank=True, default=trace_id, db_default="", editable=False
    )

    class Meta:
        abstract = True


class VersionChange(models.Model):
    """A transaction that changed what a version is about (`kernel.versions`). Written by triggers."""

    name = models.CharField(max_length=40)
    nonce = models.DecimalField(max_digits=40, decimal_places=0)
    at = models.DateTimeField()

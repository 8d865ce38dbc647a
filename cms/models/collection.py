"""Collections of programs, which a learning front end shows together."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _
from modelcluster.fields import ParentalKey
from modelcluster.models import ClusterableModel
from wagtail.admin.panels import FieldPanel, InlinePanel
from wagtail.models import Orderable
from wagtail.search import index

from courses.models import Program


class ProgramCollection(index.Indexed, ClusterableModel):
    """Programs in an order that editors choose. Those whose page visitors can't open are left out."""

    title = models.CharField(_("title"), max_length=255, unique=True)
    description = models.TextField(_("description"), blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    panels = [
        FieldPanel("title"),
        FieldPanel("description"),
        InlinePanel("items", heading=_("Programs"), label=_("Program")),
    ]
    search_fields = [index.SearchField("title"), index.AutocompleteField("title")]

    class Meta:
        verbose_name = _("program collection")
        verbose_name_plural = _("program collections")
        ordering = ["title", "pk"]

    def __str__(self) -> str:
        return self.title


class ProgramCollectionItem(Orderable):
    collection = ParentalKey(ProgramCollection, on_delete=models.CASCADE, related_name="items")
    program = models.ForeignKey(Program, verbose_name=_("program"), on_delete=models.CASCADE, related_name="+")

    panels = [FieldPanel("program")]

    class Meta(Orderable.Meta):
        verbose_name = _("program of a collection")
        verbose_name_plural = _("programs of a collection")
        constraints = [
            models.UniqueConstraint(
                fields=["collection", "program"],
                name="program_once_per_collection",
                violation_error_message=_("This program is in the collection already."),
            ),
        ]

    def __str__(self) -> str:
        return str(self.program)

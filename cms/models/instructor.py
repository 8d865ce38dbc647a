"""People who teach, written about once and shown on every course of theirs."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel
from wagtail.images.models import Image
from wagtail.search import index


class Instructor(index.Indexed, models.Model):
    """Someone who teaches."""

    name = models.CharField(_("name"), max_length=120)
    about = models.CharField(
        _("about"), max_length=255, blank=True, help_text=_("One or two sentences: what they do, what they did.")
    )
    picture = models.ForeignKey(
        Image,
        verbose_name=_("picture"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text=_("Empty: their initials."),
    )

    panels = [FieldPanel("name"), FieldPanel("about"), FieldPanel("picture")]
    search_fields = [
        index.SearchField("name"),
        index.AutocompleteField("name"),
        index.SearchField("about"),
    ]

    class Meta:
        verbose_name = _("instructor")
        verbose_name_plural = _("instructors")
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name

    @property
    def initials(self) -> str:
        """One or two letters in the place of a picture."""
        words = self.name.split()
        return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper()

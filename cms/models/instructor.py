"""Instructors."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel
from wagtail.images.models import Image
from wagtail.search import index


class Instructor(index.Indexed, models.Model):
    """Written about once and shown on each of their courses."""

    name = models.CharField(_("name"), max_length=120)
    about = models.CharField(
        _("about"), max_length=255, blank=True, help_text=_("One or two sentences about what they do.")
    )
    picture = models.ForeignKey(
        Image,
        verbose_name=_("picture"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text=_("Leave empty to show their initials."),
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
        words = self.name.split()
        return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper()

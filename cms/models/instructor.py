"""Instructors."""

from __future__ import annotations

from itertools import count
from typing import Any

from django.db import models
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel
from wagtail.images.models import Image
from wagtail.search import index

from mitxonline.kernel.search_words import fold


class Instructor(index.Indexed, models.Model):
    """Written about once and shown on each of their courses."""

    name = models.CharField(_("name"), max_length=120)
    slug = models.SlugField(
        _("short name"),
        max_length=120,
        unique=True,
        null=True,
        blank=True,
        help_text=_("The end of the address of their page. Leave empty to use the name."),
    )
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

    panels = [FieldPanel("name"), FieldPanel("slug"), FieldPanel("about"), FieldPanel("picture")]
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

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self.slug:
            self.slug = self._free_slug()
        super().save(*args, **kwargs)

    def get_absolute_url(self) -> str:
        """Return the address of their page, which is there while one of their courses is."""
        return f"/instructors/{self.slug}/"

    def _free_slug(self) -> str:
        """Return the name as a slug; of two people with the same name, the second gets a number."""
        base = slugify(fold(self.name))[:100] or "instructor"
        taken = set(Instructor.objects.filter(slug__startswith=base).values_list("slug", flat=True))
        numbers = (base if number == 1 else f"{base}-{number}" for number in count(1))
        return next(slug for slug in numbers if slug not in taken)

    @property
    def initials(self) -> str:
        words = self.name.split()
        return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper()

"""A change of a person's address that both addresses have to confirm."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class EmailChange(models.Model):
    """Asked for by a person, at most one at a time: a new one replaces the last, whose links stop working."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="email_change")
    new_email = models.EmailField(max_length=254)
    asked_at = models.DateTimeField()
    old_confirmed_at = models.DateTimeField(null=True, blank=True)
    new_confirmed_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.new_email

    @property
    def is_confirmed(self) -> bool:
        return self.old_confirmed_at is not None and self.new_confirmed_at is not None

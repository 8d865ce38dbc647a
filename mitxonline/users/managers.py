"""Making people: the e-mail address is the login, kept in one form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import BaseUserManager
from django.db import models
from django.db.models.functions import Lower

from mitxonline.kernel.text import normalize_email

if TYPE_CHECKING:
    from mitxonline.users.models import User


class UserManager(BaseUserManager["User"]):
    """Creates users and superusers, and finds them by address."""

    def with_email(self, email: str) -> models.QuerySet[User]:
        """The person with that address, however it is written; at most one, by constraint."""
        return self.alias(lowered=Lower("email")).filter(lowered=normalize_email(email))

    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        """The whole address in lower case: Django's own leaves the part before the @ alone."""
        return normalize_email(email or "")

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Make a person; without a password they can't sign in by one. ValueError without an address."""
        if not email or not email.strip():
            raise ValueError("A user needs an e-mail address")
        user = self.model(email=email, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Make a person who may do everything."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        """Look a login up as Django's authentication does: case does not matter."""
        return self.with_email(username or "").get()

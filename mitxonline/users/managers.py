"""The manager of users, whose login is their normalized e-mail address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import BaseUserManager
from django.db import models
from django.db.models.functions import Lower

from mitxonline.kernel.text import normalize_email

if TYPE_CHECKING:
    from mitxonline.users.models import User


class UserManager(BaseUserManager["User"]):
    def with_email(self, email: str) -> models.QuerySet[User]:
        """Select the user with that address, however it is written. A constraint allows at most one."""
        return self.alias(lowered=Lower("email")).filter(lowered=normalize_email(email))

    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        """Normalize the whole address. Django's own method leaves the part before the @ as it is."""
        return normalize_email(email or "")

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Create a user, who can't sign in by password unless one is given. Raises ValueError without an address."""
        if not email or not email.strip():
            raise ValueError("A user needs an e-mail address")
        user = self.model(email=email, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.with_email(username or "").get()

"""What follows from someone having signed in, by whatever door."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver

from mitxonline.kernel import clock
from mitxonline.users.backends import EmailBackend
from mitxonline.users.models import User
from mitxonline.users.sso.rights import end_given_rights

_BY_PASSWORD = f"{EmailBackend.__module__}.{EmailBackend.__qualname__}"


@receiver(user_logged_in)
def end_rights_of_roles(user: User, **_kwargs: Any) -> None:
    """A password proves no role: who signs in by one has the rights that are their own, and no others.

    Else a role that was taken away at the provider would go on for whoever avoids to sign in through it.
    """
    if getattr(user, "backend", "") == _BY_PASSWORD:
        end_given_rights(user=user, now=clock.now())

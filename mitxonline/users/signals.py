"""Receivers of Django's signals about signing in."""

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
    """End rights by roles after a sign-in by password, which proves no role.

    Otherwise a role that was taken away would last as long as the person avoids signing in through the provider.
    """
    if getattr(user, "backend", "") == _BY_PASSWORD:
        end_given_rights(user=user, now=clock.now())

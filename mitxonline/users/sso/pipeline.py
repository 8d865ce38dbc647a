"""The steps of ours in a sign-in (SOCIAL_AUTH_PIPELINE): who it is, and what rights come with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest
from django.utils.translation import gettext as _
from social_django.models import UserSocialAuth

from mitxonline.kernel import clock
from mitxonline.users.models import User
from mitxonline.users.sso import linking
from mitxonline.users.sso.linking import Known, Note
from mitxonline.users.sso.providers import find_provider
from mitxonline.users.sso.rights import follow_roles


def know_person(*, strategy: Any, backend: Any, response: Mapping[str, Any], **_kwargs: Any) -> dict[str, Any]:
    """Find, connect or make the account; SignInRefused where it can't be."""
    identity, errand, now = backend.identity(response), backend.errand, clock.now()
    backend.signed_in_as = identity
    title = title_of(backend.name)
    if errand.connects is not None and strategy.request.user.pk == errand.connects:
        known = linking.connect(identity, user_id=errand.connects, title=title, now=now)
    else:
        known = linking.know(identity, title=title, now=now)
    tell(strategy.request, known, title)
    return {"user": known.user, "social": known.connection, "is_new": known.is_new}


def follow_rights(
    *, backend: Any, user: User, social: UserSocialAuth, response: Mapping[str, Any], **_kwargs: Any
) -> None:
    """Give and take away the rights of staff that follow roles at the provider."""
    follow_roles(
        user=user,
        issuer=backend.identity(response).issuer,
        roles=backend.roles(response),
        mapping=backend.staff_roles(),
        now=clock.now(),
        connection_id=social.pk,
    )


def title_of(name: str) -> str:
    """What people call the provider."""
    provider = find_provider(name)
    return provider.title if provider else name


def tell(request: HttpRequest, known: Known, title: str) -> None:
    """Say on the next page what happened to the account."""
    names = {"provider": title, "email": known.user.email}
    said = {
        Note.CONNECTED: _("%(provider)s is connected. From now on you can sign in through it."),
        Note.PASSWORD_GONE: _(
            "Your account is connected with %(provider)s. Its e-mail address had never been confirmed, so for your "
            "safety the password it had no longer works."
        ),
        Note.EMAIL_CHANGED: _("Your e-mail address is now %(email)s, as at %(provider)s."),
        Note.EMAIL_TAKEN: _(
            "%(provider)s has a new e-mail address of yours, but another account here uses it. This account keeps "
            "%(email)s."
        ),
    }
    for note in known.notes:
        messages.info(request, said[note] % names)

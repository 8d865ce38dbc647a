"""Our steps of a sign-in through a provider (SOCIAL_AUTH_PIPELINE): whose account it is, and which rights it has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest
from django.utils.translation import gettext as _
from social_django.models import UserSocialAuth

from mitxonline.kernel import clock
from mitxonline.users.models import User
from mitxonline.users.sso import accounts
from mitxonline.users.sso.accounts import AccountChange, AccountMatch
from mitxonline.users.sso.backend import ProviderBackend
from mitxonline.users.sso.providers import find_provider
from mitxonline.users.sso.rights import follow_roles


def find_account(
    *, strategy: Any, backend: ProviderBackend, response: Mapping[str, Any], **_kwargs: Any
) -> dict[str, Any]:
    """Find, connect or create the account. Raises SignInRefused."""
    identity, connects = backend.identity(response), backend.errand.connects
    backend.signed_in_as = identity
    provider = find_provider(backend.name)
    title = provider.title if provider else backend.name
    if connects is not None and strategy.request.user.pk == connects:
        match = accounts.connect_account(identity, user_id=connects, title=title, now=clock.now())
    else:
        match = accounts.find_or_create_account(identity, title=title, now=clock.now())
    add_change_messages(strategy.request, match, title)
    return {"user": match.user, "social": match.connection, "is_new": match.is_new}


def follow_rights(
    *, backend: ProviderBackend, user: User, social: UserSocialAuth, response: Mapping[str, Any], **_kwargs: Any
) -> None:
    """Give and take away the staff rights that follow roles at the provider."""
    follow_roles(
        user=user,
        issuer=backend.identity(response).issuer,
        roles=backend.roles(response),
        mapping=backend.staff_roles(),
        now=clock.now(),
        connection_id=social.pk,
    )


def add_change_messages(request: HttpRequest, match: AccountMatch, title: str) -> None:
    """Tell the person on the next page what happened to their account."""
    sentences = {
        AccountChange.CONNECTED: _("%(provider)s is connected. From now on you can sign in through it."),
        AccountChange.PASSWORD_REMOVED: _(
            "Your account is connected with %(provider)s. Its e-mail address had never been confirmed, so for your "
            "safety the password it had no longer works."
        ),
        AccountChange.EMAIL_CHANGED: _("Your e-mail address is now %(email)s, as at %(provider)s."),
        AccountChange.EMAIL_TAKEN: _(
            "%(provider)s has a new e-mail address of yours, but another account here uses it. This account keeps "
            "%(email)s."
        ),
    }
    for change in match.changes:
        messages.info(request, sentences[change] % {"provider": title, "email": match.user.email})

"""What is stored about a person, for that person: each app adds its part through the setting `ACCOUNT_DATA`."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string
from social_django.models import UserSocialAuth

from mitxonline.users.models import EmailChange, User


def collect_own_data(user: User) -> dict[str, Any]:
    """Return everything the apps have on the person, by subject, ready to be written as JSON.

    What was stored about an address is theirs only once they have confirmed it.
    """
    return {subject: import_string(path)(user) for subject, path in settings.ACCOUNT_DATA.items()}


def data_of_account(user: User) -> dict[str, Any]:
    """Return the account itself, and how its owner signs in."""
    connections = UserSocialAuth.objects.filter(user=user).order_by("pk")
    change = EmailChange.objects.filter(user=user).first()
    return {
        "email": user.email,
        "email_confirmed_at": user.email_verified_at,
        "new_email_asked_for": change.new_email if change else None,
        "name": user.name,
        "joined_at": user.date_joined,
        "last_signed_in_at": user.last_login,
        "has_password": user.has_usable_password(),
        "appearance": user.theme,
        "time_zone": user.time_zone,
        "groups": list(user.groups.order_by("name").values_list("name", flat=True)),
        "connections": [
            {"provider": each.provider, "id_there": each.uid, "connected_at": each.created} for each in connections
        ],
    }

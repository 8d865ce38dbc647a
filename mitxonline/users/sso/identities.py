"""Who people are at their provider, for those who talk with it about them."""

from __future__ import annotations

from collections.abc import Iterable

from social_django.models import UserSocialAuth

from mitxonline.users.models import User


def subject_of(user: User, issuer: str) -> str | None:
    """The person's id at that issuer, if they ever signed in through it."""
    prefix = f"{issuer}#"
    uid = UserSocialAuth.objects.filter(user=user, uid__startswith=prefix).values_list("uid", flat=True).first()
    return uid.removeprefix(prefix) if uid else None


def is_connected(*, user_id: int, issuer: str, besides: int | None = None) -> bool:
    """Whether the account is connected with someone of that issuer; by another connection than `besides`."""
    connections = UserSocialAuth.objects.filter(user_id=user_id, uid__startswith=f"{issuer}#")
    return (connections if besides is None else connections.exclude(pk=besides)).exists()


def user_ids_of_subjects(issuer: str, subjects: Iterable[str]) -> dict[str, int]:
    """Our people by their id at that issuer; who never signed in is not in it."""
    prefix = f"{issuer}#"
    found = UserSocialAuth.objects.filter(uid__in=[f"{prefix}{subject}" for subject in subjects])
    return {uid.removeprefix(prefix): user_id for uid, user_id in found.values_list("uid", "user_id")}

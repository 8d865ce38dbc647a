"""Deleting an account: apps say what stands in the way, what is lost and what stays, and give up what is theirs.

The row stays, without name and address, because orders and enrollments refer to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from secrets import token_hex

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import models, transaction
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from social_django.models import UserSocialAuth
from wagtail.models import Comment, CommentReply, ModelLogEntry
from wagtail.users.models import UserProfile

from mitxonline.coordinator.bus import publish
from mitxonline.kernel import audit
from mitxonline.kernel.errors import DomainError, WayOn
from mitxonline.kernel.fingerprint import fingerprint
from mitxonline.kernel.mail import UNREACHABLE_DOMAIN
from mitxonline.users import mails
from mitxonline.users.events import AccountClosed
from mitxonline.users.models import User
from mitxonline.users.sso.connections import lock_user, undo_connection
from mitxonline.users.sso.rights import has_staff_rights

CLOSED = "users.account_deleted"

# How often to begin again where something was given to the account at the same moment.
TRIES = 5

# What a person wrote for others, or did as staff, stays when everything else that hangs on the row goes.
_KEPT = (LogEntry, Comment, CommentReply)


class AccountNeeded(DomainError):
    """Something is still under way, or others depend on the account."""

    code = "account_needed"
    heading = gettext_lazy("Your account can’t be deleted yet")
    message = "{sentences}"
    ways_on = (WayOn.ACCOUNT,)
    retry_url = "/account/delete/"
    obstacles: tuple[Obstacle, ...]

    def details(self) -> dict[str, object]:
        return {"sentences": " ".join(each.sentence for each in self.obstacles)}


class AccountBusy(DomainError):
    code = "account_busy"
    heading = gettext_lazy("Your account can’t be deleted right now")
    message = gettext_lazy("Something in it is changing at this moment.")
    advice = gettext_lazy("Try again shortly.")
    ways_on = (WayOn.ACCOUNT,)
    retry_url = "/account/delete/"


class _CameMeanwhile(Exception):
    pass


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What has to be settled before the account can be deleted, and the page where it can be, if there is one."""

    sentence: str
    url: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class ClosingPlan:
    """What deleting an account would do, in sentences."""

    obstacles: tuple[Obstacle, ...]
    losses: tuple[str, ...]
    remains: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """What a form was shown (ADR 0023)."""
        return fingerprint(self.losses, self.remains)


def plan_closing(user: User) -> ClosingPlan:
    return ClosingPlan(
        obstacles=tuple(_collect(settings.ACCOUNT_OBSTACLES, user)),
        losses=tuple(_collect(settings.ACCOUNT_LOSSES, user)),
        remains=tuple(_collect(settings.ACCOUNT_REMAINS, user)),
    )


def close_account(*, user_id: int, now: datetime, by_id: int | None) -> None:
    """Give up what the person has, sign every device out, and leave no name and address. Deleting again does nothing.

    Raises AccountNeeded, or AccountBusy where the account never came to rest.
    """
    for _attempt in range(TRIES):
        try:
            with transaction.atomic():
                _close(user_id, now=now, by_id=by_id)
        except _CameMeanwhile:
            continue
        return
    raise AccountBusy


def find_staff_rights(user: User) -> list[Obstacle]:
    if has_staff_rights(user):
        return [Obstacle(_("Your account has staff rights. Ask an administrator to take them away first."))]
    return []


def _close(user_id: int, *, now: datetime, by_id: int | None) -> None:
    user = lock_user(user_id)
    if user.closed_at is not None:
        return
    _refuse_obstacles(plan_closing(user))
    email, alias = user.email, f"deleted-{token_hex(12)}@{UNREACHABLE_DOMAIN}"
    # An address that was never confirmed may be someone else's, so nothing is taken back by it.
    publish(AccountClosed(user_id=user.pk, email=email if user.is_email_verified else "", alias=alias, at=now))
    for connection in UserSocialAuth.objects.filter(user=user).order_by("pk"):
        undo_connection(connection, now=now)
    user.refresh_from_db()  # rights by roles went with the connections
    mails.queue_account_email(mails.ACCOUNT_DELETED, user=user, to=email)
    # Changing a unique column waits for everyone who is just giving the account something, and whoever comes later is
    # refused by the database (`users_refuse_closed`). So what is seen now is all there is.
    _anonymize(user, alias, now=now)
    plan = plan_closing(user)
    _refuse_obstacles(plan)
    if plan.losses:
        raise _CameMeanwhile
    audit.record(user, CLOSED, by_id=by_id)


def _refuse_obstacles(plan: ClosingPlan) -> None:
    if plan.obstacles:
        raise AccountNeeded(obstacles=plan.obstacles)


def _anonymize(user: User, alias: str, *, now: datetime) -> None:
    user.email, user.name = alias, ""
    user.email_verified_at, user.closed_at, user.is_active = None, now, False
    user.theme, user.time_zone, user.last_login = "auto", "", None
    user.sessions_ended += 1
    user.set_unusable_password()
    user.save()
    _delete_avatar(user)
    for relation in User._meta.get_fields(include_hidden=True):
        if isinstance(relation, models.ManyToOneRel) and relation.on_delete is models.CASCADE:
            model = relation.related_model
            if model not in _KEPT and not model._meta.auto_created:
                model._base_manager.filter(**{relation.field.name: user}).delete()
    # Both logs keep the address as what the row was called.
    person = ContentType.objects.get_for_model(User)
    ModelLogEntry.objects.filter(content_type=person, object_id=str(user.pk)).update(label=alias)
    LogEntry.objects.filter(content_type=person, object_id=str(user.pk)).update(object_repr=alias)


def _delete_avatar(user: User) -> None:
    profile = UserProfile.objects.filter(user=user).exclude(avatar="").first()
    if profile is not None:
        storage, name = profile.avatar.storage, profile.avatar.name
        transaction.on_commit(lambda: storage.delete(name), robust=True)


def _collect(paths: Iterable[str], user: User) -> list:  # type: ignore[type-arg]
    return [each for path in paths for each in import_string(path)(user)]

"""What is kept of sign-ins through a provider: sessions, logout tokens and rights."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.utils.translation import gettext_lazy as _

from mitxonline.kernel import clock


class ProviderSession(models.Model):
    """A session that began at a provider.

    A logout notice finds it by `issuer` and `sid`. The provider wants to see the ID token when someone signs out here.
    The row follows the key of the session (`sso.session_store`) and is deleted with it.
    """

    session_key = models.CharField(max_length=40, unique=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    provider = models.CharField(max_length=32)
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    sid = models.CharField(max_length=255, blank=True)
    id_token = models.TextField(blank=True)
    started_at = models.DateTimeField(default=clock.now)

    class Meta:
        verbose_name = _("session begun at a provider")
        verbose_name_plural = _("sessions begun at a provider")
        indexes = [
            models.Index(fields=["issuer", "sid"], name="users_provider_sid"),
            models.Index(fields=["issuer", "subject"], name="users_provider_subject"),
        ]


class SeenLogoutToken(models.Model):
    """A logout token that was acted on. The same one a second time is a replay."""

    issuer = models.CharField(max_length=255)
    jti = models.CharField(max_length=255)
    until = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = _("logout notice")
        verbose_name_plural = _("logout notices")
        constraints = [models.UniqueConstraint(fields=["issuer", "jti"], name="users_logout_token_once")]


class RightKind(models.TextChoices):
    STAFF = "staff", _("Staff")
    SUPERUSER = "superuser", _("Superuser")
    GROUP = "group", _("Member of a group")
    ROLE = "role", _("Role in the shop")


class GivenRight(models.Model):
    """A right that a person has because of a role at a provider. Rights given by hand have no row.

    It ends `SIGN_IN_STAFF_SECONDS` after `proved_at`, when a sign-in last showed the role.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="given_rights")
    issuer = models.CharField(max_length=255)
    kind = models.CharField(max_length=9, choices=RightKind.choices)
    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="+", null=True, blank=True)
    role = models.CharField(max_length=50, blank=True, default="", db_default="")
    course_key = models.CharField(
        max_length=255, blank=True, default="", db_default="", help_text=_("Empty if the role is for all courses.")
    )
    given_at = models.DateTimeField(default=clock.now)
    proved_at = models.DateTimeField(default=clock.now)

    class Meta:
        verbose_name = _("right given by a provider")
        verbose_name_plural = _("rights given by a provider")
        constraints = [
            models.UniqueConstraint(
                fields=["user", "issuer", "kind"],
                condition=~models.Q(kind__in=[RightKind.GROUP, RightKind.ROLE]),
                name="users_right_once",
            ),
            models.UniqueConstraint(
                fields=["user", "issuer", "group"],
                condition=models.Q(kind=RightKind.GROUP),
                name="users_group_right_once",
            ),
            models.UniqueConstraint(
                fields=["user", "issuer", "role", "course_key"],
                condition=models.Q(kind=RightKind.ROLE),
                name="users_role_right_once",
            ),
            models.CheckConstraint(
                condition=models.Q(kind=RightKind.GROUP, group__isnull=False)
                | (~models.Q(kind=RightKind.GROUP) & models.Q(group__isnull=True)),
                name="users_right_names_its_group",
            ),
            models.CheckConstraint(
                condition=(models.Q(kind=RightKind.ROLE) & ~models.Q(role=""))
                | (~models.Q(kind=RightKind.ROLE) & models.Q(role="", course_key="")),
                name="users_right_names_its_role",
            ),
        ]

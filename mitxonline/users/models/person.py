"""The user model: an e-mail address to sign in with, and one name."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.auth.models import AbstractBaseUser, PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from mitxonline.kernel import clock
from mitxonline.kernel.mail import UNREACHABLE_DOMAIN
from mitxonline.kernel.names import clean_name, has_address, order_name
from mitxonline.kernel.text import normalize_email
from mitxonline.kernel.zones import find_zone, validate_zone
from mitxonline.users.managers import UserManager


class Theme(models.TextChoices):
    AUTO = "auto", _("Match my device")
    LIGHT = "light", _("Light")
    DARK = "dark", _("Dark")


class User(AbstractBaseUser, PermissionsMixin):
    """A person who can sign in: learner, organization manager, editor or operator."""

    email = models.EmailField(
        _("e-mail"),
        max_length=254,
        unique=True,  # Django requires it of USERNAME_FIELD. The constraint below also ignores case.
        error_messages={"unique": _("There is already an account with this e-mail address.")},
    )
    name = models.CharField(_("name"), max_length=150, blank=True)
    is_active = models.BooleanField(
        _("active"),
        default=True,
        help_text=_("Deactivate people instead of deleting them, so that orders and enrollments keep their person."),
    )
    is_staff = models.BooleanField(_("staff"), default=False, help_text=_("May sign in to the Django admin."))
    date_joined = models.DateTimeField(_("joined"), default=clock.now, editable=False)
    email_verified_at = models.DateTimeField(_("e-mail verified"), null=True, blank=True)
    theme = models.CharField(_("theme"), max_length=5, choices=Theme.choices, default=Theme.AUTO)
    time_zone = models.CharField(
        _("time zone"),
        max_length=64,
        blank=True,
        default="",
        db_default="",  # web processes of the version before insert people too
        validators=[validate_zone],
        help_text=_("Like “America/New_York”. If empty, times are shown in the zone of the person’s device."),
    )

    closed_at = models.DateTimeField(
        _("deleted"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("When the account was deleted. The row stays, without name and address, for the orders’ sake."),
    )
    sessions_ended = models.PositiveIntegerField(
        _("times all sessions ended"),
        default=0,
        db_default=0,  # web processes of the version before insert people too
        editable=False,
    )

    objects = UserManager()

    EMAIL_FIELD = "email"
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = []

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="user_email_once",
                violation_error_message=_("There is already an account with this e-mail address."),
            ),
            models.CheckConstraint(
                condition=models.Q(closed_at=None)
                | models.Q(is_active=False, email__endswith=f"@{UNREACHABLE_DOMAIN}", name=""),
                name="user_deleted_stays_so",
                violation_error_message=_("This account was deleted. Nothing in it can be changed."),
            ),
        ]

    def __str__(self) -> str:
        return self.email

    def clean(self) -> None:
        super().clean()
        self._normalize()

    def save(self, *args: Any, **kwargs: Any) -> None:
        self._normalize()
        super().save(*args, **kwargs)

    def _normalize(self) -> None:
        self.email, self.name = normalize_email(self.email), clean_name(self.name)

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Tie sessions to `sessions_ended` as well as to the password: counting it up signs every device out."""
        # 0 gives Django's own hash, so that sessions from before the field go on.
        value = self.password if not self.sessions_ended else f"{self.password}:{self.sessions_ended}"
        salt = "django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash"
        return salted_hmac(salt, value, secret=secret, algorithm="sha256").hexdigest()

    def get_full_name(self) -> str:
        return self.name

    def get_short_name(self) -> str:
        return self.first_name

    @property
    def first_name(self) -> str:
        """The first word of the name, or the part of the address before the @."""
        return next(iter(order_name(self.name).split()), "") or self.email.partition("@")[0]

    @property
    def greeting_name(self) -> str:
        """The name for e-mails; empty until the address is confirmed, because a stranger may have typed both."""
        is_safe = self.is_email_verified and not has_address(self.name)
        return self.first_name if is_safe and self.name else ""

    @property
    def last_name(self) -> str:
        """The rest of the name, for some of Wagtail's pages."""
        return " ".join(order_name(self.name).split()[1:])

    @property
    def zone(self) -> ZoneInfo | None:
        """The time zone the person chose; None shows times in the zone of their device."""
        return find_zone(self.time_zone)

    @property
    def display_name(self) -> str:
        return str(_("Deleted account")) if self.closed_at else self.name or self.email

    @property
    def display_initials(self) -> str:
        """One or two letters that stand in for a picture."""
        words = order_name(self.name).split()
        letters = words[0][0] + words[-1][0] if len(words) > 1 else (self.name.strip() or self.email)[:1]
        return letters.upper()

    @property
    def is_email_verified(self) -> bool:
        return self.email_verified_at is not None

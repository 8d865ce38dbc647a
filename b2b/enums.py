"""The closed lists of what contracts count with."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class IntegrationType(models.TextChoices):
    """How learners come in; the documents' values."""

    SSO = "sso", _("Single sign-on")
    NON_SSO = "non-sso", _("Enrollment codes")


class MembershipState(models.TextChoices):
    """Whether a seat gives access yet."""

    HELD = "held", _("In checkout")
    ACTIVE = "active", _("Joined")


class MembershipSource(models.TextChoices):
    """How somebody came in. ``sso`` becomes one of the others when the person also enters that way, never back."""

    SSO = "sso", _("Single sign-on")
    CODE = "code", _("Enrollment code")
    STAFF = "staff", _("Staff")
    API = "api", _("API")


class ReconcileState(models.TextChoices):
    """Where one bringing-in-line of a contract stands."""

    WAITING = "waiting", _("Waiting")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")

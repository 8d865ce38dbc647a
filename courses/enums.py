"""The closed lists of what courses count with."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Level(models.TextChoices):
    """How much a learner should know before starting."""

    INTRO = "intro", _("Intro")
    INTERMEDIATE = "intermediate", _("Intermediate")
    ADVANCED = "advanced", _("Advanced")


class RunAccess(models.TextChoices):
    """Who may come into a run: anyone, or only those an upper app entitles."""

    PUBLIC = "public", _("Public")
    CONTRACT = "contract", _("Contract only")


class EnrollmentMode(models.TextChoices):
    """What the learner may do; the order of the members is their strength."""

    AUDIT = "audit", _("Audit")
    VERIFIED = "verified", _("Verified")


class EnrollmentSource(models.TextChoices):
    """Where the right to be in a run comes from."""

    FREE = "free", _("Free enrollment")
    ORDER = "order", _("Order")
    CODE = "code", _("Enrollment code")
    CONTRACT = "contract", _("Contract")
    MANUAL = "manual", _("Staff")


class RequirementKind(models.TextChoices):
    """What one node of a program's requirements asks for."""

    ALL_OF = "all_of", _("All of")
    AT_LEAST = "at_least", _("At least")
    COURSE = "course", _("Course")


class LmsState(models.TextChoices):
    """How far the course site (Open edX) has followed."""

    NOT_NEEDED = "not_needed", _("Not needed")
    WAITING_FOR_SOURCE = "waiting_for_source", _("Waiting for a source run")
    PENDING = "pending", _("Waiting to be sent")
    SENT = "sent", _("Done")
    FAILED = "failed", _("Failed")

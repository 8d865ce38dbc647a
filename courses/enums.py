"""Choices of the course models."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Level(models.TextChoices):
    INTRO = "intro", _("Intro")
    INTERMEDIATE = "intermediate", _("Intermediate")
    ADVANCED = "advanced", _("Advanced")


class RunAccess(models.TextChoices):
    PUBLIC = "public", _("Public")
    CONTRACT = "contract", _("Contract only")


class EnrollmentMode(models.TextChoices):
    """Members are ordered from weakest to strongest."""

    AUDIT = "audit", _("Audit")
    VERIFIED = "verified", _("Verified")


class EnrollmentSource(models.TextChoices):
    FREE = "free", _("Free enrollment")
    ORDER = "order", _("Order")
    CODE = "code", _("Enrollment code")
    REGISTRATION = "registration", _("Registration code")
    CONTRACT = "contract", _("Contract")
    MANUAL = "manual", _("Staff")


class RequirementKind(models.TextChoices):
    ALL_OF = "all_of", _("All of")
    AT_LEAST = "at_least", _("At least")
    COURSE = "course", _("Course")


class EnrollmentLmsState(models.TextChoices):
    """Whether the course site (Open edX) has what an enrollment says now."""

    PENDING = "pending", _("Waiting to be sent")
    WAITING = "waiting", _("Waiting for the learner")
    THERE = "there", _("There")
    REFUSED = "refused", _("Refused")


class RunLmsState(models.TextChoices):
    """Where a run stands in the course site (Open edX). Set only for runs that it has to make."""

    NOT_NEEDED = "not_needed", _("Not needed")
    WAITING_FOR_SOURCE = "waiting_for_source", _("Waiting for a source run")
    PENDING = "pending", _("Waiting to be sent")
    COPYING = "copying", _("Being copied")
    THERE = "there", _("There")
    REFUSED = "refused", _("Refused")


class DifferenceKind(models.TextChoices):
    """How an enrollment differs between here and the course site."""

    MISSING = "missing", _("Not in the course site")
    EXTRA = "extra", _("Only in the course site")
    MODE = "mode", _("In another mode there")

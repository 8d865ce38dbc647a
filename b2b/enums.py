"""Choices of contracts, seats, codes and e-mails."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class IntegrationType(models.TextChoices):
    """How people join a contract."""

    SSO = "sso", _("Single sign-on")
    NON_SSO = "non-sso", _("Enrollment codes")


class ContractStanding(models.TextChoices):
    """Where a contract stands on a day. Inactive wins over whatever the dates say."""

    DRAFT = "draft", _("Draft")
    INACTIVE = "inactive", _("Inactive")
    NOT_STARTED = "not_started", _("Not started")
    ENDED = "ended", _("Ended")
    FULL = "full", _("Full")
    OPEN = "open", _("Open")


class ManagedCodeState(models.TextChoices):
    """The states of a code or an invitation in the words of an organization's managers."""

    FREE = "free", _("Not handed out")
    INVITED = "invited", _("Invited")
    HELD = "held", _("In checkout")
    JOINED = "joined", _("Used")
    FAILED = "failed", _("E-mail failed")
    WITHDRAWN = "withdrawn", _("Withdrawn")
    OFF = "off", _("Off")


class MembershipState(models.TextChoices):
    HELD = "held", _("In checkout")
    ACTIVE = "active", _("Joined")


class MembershipSource(models.TextChoices):
    """How a person joined. `sso` gives way to any other source, never the other way around."""

    SSO = "sso", _("Single sign-on")
    CODE = "code", _("Enrollment code")
    STAFF = "staff", _("Staff")
    API = "api", _("API")


class WithdrawnBy(models.TextChoices):
    """Who withdrew access, which decides who can lift the withdrawal."""

    STAFF = "staff", _("Staff")
    MANAGER = "manager", _("Manager of the organization")


class ReconcileState(models.TextChoices):
    WAITING = "waiting", _("Waiting")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")


class SignInChange(models.TextChoices):
    """What signing in through Keycloak did for one organization or contract."""

    JOINED_ORGANIZATION = "joined_organization", _("Joined the organization")
    LEFT_ORGANIZATION = "left_organization", _("Left the organization")
    JOINED_CONTRACT = "joined_contract", _("Got a seat")
    LEFT_CONTRACT = "left_contract", _("Gave up the seat")
    CONTRACT_FULL = "contract_full", _("No seat: the contract is full")
    WITHDRAWN = "withdrawn", _("No seat: access was withdrawn")
    FAILED = "failed", _("Failed")


class JoinState(models.TextChoices):
    """The state of adding a person to an organization in Keycloak."""

    WAITING = "waiting", _("Waiting")
    UNLINKED = "unlinked", _("No Keycloak account yet")
    DONE = "done", _("Done")
    IMPOSSIBLE = "impossible", _("No longer in Keycloak")
    REFUSED = "refused", _("Refused: roles missing")


class SyncState(models.TextChoices):
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    PROBLEMS = "problems", _("Done, with problems")
    FAILED = "failed", _("Failed")


class MailKind(models.TextChoices):
    INVITATION = "invitation", _("Invitation")
    REMINDER = "reminder", _("Reminder")
    NEW_LINK = "new_link", _("New link")


class MailState(models.TextChoices):
    QUEUED = "queued", _("Queued")
    SENDING = "sending", _("Sending")
    SENT = "sent", _("Sent")
    FAILED = "failed", _("E-mail failed")
    UNKNOWN = "unknown", _("May have been sent")
    CANCELED = "canceled", _("Canceled")

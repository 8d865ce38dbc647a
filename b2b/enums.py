"""The closed lists of what contracts count with."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class IntegrationType(models.TextChoices):
    """How people join; the documents' values."""

    SSO = "sso", _("Single sign-on")
    NON_SSO = "non-sso", _("Enrollment codes")


class ContractStanding(models.TextChoices):
    """Where a contract stands on a day. Terms that were switched off stay so, whatever their dates say."""

    DRAFT = "draft", _("Draft")
    INACTIVE = "inactive", _("Inactive")
    NOT_STARTED = "not_started", _("Not started")
    ENDED = "ended", _("Ended")
    FULL = "full", _("Full")
    OPEN = "open", _("Open")


class CodeState(models.TextChoices):
    """What a contract's code is at the moment; `b2b.codes` decides it."""

    FREE = "free", _("Not assigned")
    ASSIGNED = "assigned", _("Assigned")
    HELD = "held", _("In checkout")
    USED = "used", _("Used")
    WITHDRAWN = "withdrawn", _("Withdrawn")
    OFF = "off", _("Off")


class ManagedCodeState(models.TextChoices):
    """The states of a code or an invitation in the words of an organization's managers."""

    FREE = "free", _("Free")
    INVITED = "invited", _("Invited")
    HELD = "held", _("In checkout")
    JOINED = "joined", _("Joined")
    FAILED = "failed", _("E-mail failed")
    WITHDRAWN = "withdrawn", _("Withdrawn")
    OFF = "off", _("Off")


class MembershipState(models.TextChoices):
    """Whether a seat gives access yet."""

    HELD = "held", _("In checkout")
    ACTIVE = "active", _("Joined")


class MembershipSource(models.TextChoices):
    """How someone came in. ``sso`` becomes one of the others when the person also enters that way, never back."""

    SSO = "sso", _("Single sign-on")
    CODE = "code", _("Enrollment code")
    STAFF = "staff", _("Staff")
    API = "api", _("API")


class WithdrawnBy(models.TextChoices):
    """On whose authority access was withdrawn, which decides who gives it back."""

    STAFF = "staff", _("Staff")
    MANAGER = "manager", _("A manager of the organization")


class ReconcileState(models.TextChoices):
    """Where one bringing-in-line of a contract stands."""

    WAITING = "waiting", _("Waiting")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")


class SignInChange(models.TextChoices):
    """What signing in through Keycloak came to, one for each organization or contract."""

    JOINED_ORGANIZATION = "joined_organization", _("Joined the organization")
    LEFT_ORGANIZATION = "left_organization", _("Left the organization")
    JOINED_CONTRACT = "joined_contract", _("Took a seat")
    LEFT_CONTRACT = "left_contract", _("Gave the seat back")
    CONTRACT_FULL = "contract_full", _("No seat: the contract is full")
    WITHDRAWN = "withdrawn", _("No seat: access was withdrawn")
    FAILED = "failed", _("Could not be followed")


class JoinState(models.TextChoices):
    """Where adding someone to an organization in Keycloak stands."""

    WAITING = "waiting", _("Waiting")
    UNLINKED = "unlinked", _("No Keycloak account yet")
    DONE = "done", _("Done")
    IMPOSSIBLE = "impossible", _("Not in Keycloak any more")
    REFUSED = "refused", _("Refused: roles missing")


class SyncState(models.TextChoices):
    """Where a synchronization of organizations stands."""

    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    PROBLEMS = "problems", _("Done, with problems")
    FAILED = "failed", _("Failed")


class MailKind(models.TextChoices):
    """Why someone is written to about a code."""

    INVITATION = "invitation", _("Invitation")
    REMINDER = "reminder", _("Reminder")
    NEW_LINK = "new_link", _("New link")


class MailState(models.TextChoices):
    """What became of a mail about a code."""

    QUEUED = "queued", _("Queued")
    SENDING = "sending", _("Being sent")
    SENT = "sent", _("Sent")
    FAILED = "failed", _("E-mail failed")
    UNKNOWN = "unknown", _("Perhaps sent")
    CANCELED = "canceled", _("Not sent any more")

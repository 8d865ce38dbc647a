"""What people did with seats, codes and courseware, in the words of Wagtail's reports."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from wagtail import hooks

# The action as it is recorded, its name in filters, and what the reports say of it. Never a code or an address.
ACTIONS = (
    ("b2b.seat.give", _("Give seat"), _("Gave a seat")),
    ("b2b.seat.withdraw", _("Withdraw seat"), _("Withdrew a seat")),
    ("b2b.seat.move", _("Move to another contract"), _("Moved a person to another contract")),
    ("b2b.withdrawal.lift", _("Lift withdrawal"), _("Gave withdrawn access back")),
    ("b2b.code.assign", _("Give code"), _("Gave a code to someone")),
    ("b2b.code.revoke", _("Revoke code"), _("Took a code back")),
    ("b2b.code.remind", _("Remind"), _("Reminded someone of a code")),
    ("b2b.code.replace", _("Replace shared code"), _("Replaced the shared code")),
    ("b2b.code.switch_off", _("Switch codes off"), _("Switched codes off")),
    ("b2b.code.export", _("Export codes"), _("Exported codes")),
    ("b2b.invitation.cancel", _("Cancel invitation"), _("Canceled an invitation")),
    ("b2b.member.remove", _("Remove member"), _("Removed a member of the organization")),
    ("b2b.manager.set", _("Appoint manager"), _("Said who manages the organization")),
    ("b2b.terms.change", _("Change terms"), _("Changed the terms in force")),
    ("b2b.contract.fix", _("Bring in line"), _("Brought the contract in line after a check")),
    ("b2b.courseware.add", _("Add courseware"), _("Added courseware")),
    ("b2b.courseware.remove", _("Remove courseware"), _("Removed courseware")),
)


@hooks.register("register_log_actions")
def register_actions(actions: Any) -> None:
    """Tell Wagtail what the acts are called."""
    for name, label, message in ACTIONS:
        actions.register_action(name, label, message)

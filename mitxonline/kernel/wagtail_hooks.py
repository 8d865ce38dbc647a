"""How Wagtail's reports name what the kernel records."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from wagtail import hooks
from wagtail.log_actions import LogActionRegistry


@hooks.register("register_log_actions")  # type: ignore[untyped-decorator]  # Wagtail has no types
def register_actions(actions: LogActionRegistry) -> None:
    """Register the actions of ``mitxonline.kernel.mail``."""
    actions.register_action("email.send", _("Send e-mail"), _("Sent an e-mail"))

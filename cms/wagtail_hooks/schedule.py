"""Tells in a page's history why its schedule wasn't kept."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail import hooks
from wagtail.log_actions import LogFormatter

from cms.services.schedule import NOT_PUBLISHED


@hooks.register("register_log_actions")
def register_actions(actions: Any) -> None:
    @actions.register_action(NOT_PUBLISHED)
    class NotPublishedFormatter(LogFormatter):
        label = gettext_lazy("Keep the schedule")

        def format_message(self, entry: Any) -> str:
            return _("The schedule couldn’t be kept: %(reason)s It is tried again every minute.") % {
                "reason": entry.data.get("why", "")
            }

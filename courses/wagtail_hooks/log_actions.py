"""The actions of staff on enrollments, as Wagtail's reports and histories name them."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from wagtail import hooks

from courses.services.course_site import FORCE, SEND_AGAIN


@hooks.register("register_log_actions")
def register_actions(actions: Any) -> None:
    actions.register_action(SEND_AGAIN, _("Send enrollment again"), _("Sent an enrollment to the course site again"))
    actions.register_action(FORCE, _("Enroll anyway"), _("Enrolled a learner in a run that is closed there"))

"""Sending several enrollments again, from the list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from wagtail import hooks
from wagtail.admin.views.bulk_action import BulkAction

from courses.enums import EnrollmentLmsState
from courses.models import Enrollment
from courses.services.course_site import send_again
from courses.wagtail_hooks.enrollments import CHANGE_ENROLLMENT, EnrollmentIndex
from mitxonline.kernel import clock
from mitxonline.staff.lists import find_listed


@hooks.register("register_bulk_action")
class SendEnrollmentsAgain(BulkAction):
    """Those that the course site has already stay as they are."""

    models = [Enrollment]
    template_name = "courses/admin/several.html"
    display_name = _("Try again")
    aria_label = _("Send the selected enrollments to the course site again")
    action_type = "send_again"
    action_priority = 10

    def check_perm(self, obj: Enrollment) -> bool:
        return self.request.user.has_perm(CHANGE_ENROLLMENT) and obj.lms_state != EnrollmentLmsState.THERE

    @classmethod
    def get_queryset(cls, model: type[Enrollment], object_ids: Sequence[Any]) -> list[Enrollment]:
        # The ids come from the address as they are; what isn't a key would raise.
        ids = [int(each) for each in object_ids if str(each).isascii() and str(each).isdigit() and len(str(each)) < 19]
        return list(Enrollment.objects.filter(pk__in=ids).select_related("user", "run"))

    def get_all_objects_in_listing_query(self, parent_id: Any) -> list[int]:
        listed = find_listed(EnrollmentIndex, self.request).exclude(lms_state=EnrollmentLmsState.THERE)
        return list(listed.values_list("pk", flat=True))

    def object_context(self, obj: Enrollment) -> dict[str, Any]:
        return {"item": obj}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        may_change = self.request.user.has_perm(CHANGE_ENROLLMENT)
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {"may_change": may_change}

    def get_execution_context(self) -> dict[str, Any]:
        return {"by_id": self.request.user.pk}

    @classmethod
    def execute_action(cls, objects: list[Enrollment], *, by_id: int | None = None, **_kwargs: Any) -> tuple[int, int]:
        return send_again(ids=[each.pk for each in objects], by_id=by_id, now=clock.now()), 0

    def get_success_message(self, num_parent_objects: int, num_child_objects: int) -> str:
        sentence = ngettext("%(n)d enrollment is being sent.", "%(n)d enrollments are being sent.", num_parent_objects)
        return sentence % {"n": num_parent_objects}

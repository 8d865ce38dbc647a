"""Enrollments that need someone, on the first page of the admin."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from wagtail import hooks

from courses.enums import EnrollmentLmsState
from courses.gateways.openedx.client import Server
from courses.models import Enrollment
from courses.selectors.course_address import is_course_site_connected
from courses.wagtail_hooks.differences import count_differences, describe_last_comparison
from courses.wagtail_hooks.enrollments import NAMESPACE, VIEW_ENROLLMENT
from courses.wagtail_hooks.site_runs import count_open_runs
from mitxonline.kernel.breaker import find_open_breakers
from mitxonline.staff.needs import NEEDS, Need, NeedsSection, SectionFact


@hooks.register(NEEDS, order=35)
def add_enrollment_needs(request: HttpRequest) -> NeedsSection | None:
    if not request.user.has_perm(VIEW_ENROLLMENT):
        return None
    url = reverse(f"{NAMESPACE}:index")
    state = EnrollmentLmsState.REFUSED
    refused = Need(
        _("Enrollments refused by the course site"), Enrollment.objects.refused(), f"{url}?lms_state={state}", "bad"
    )
    needs = (refused, count_differences(), *count_open_runs())
    facts = (*_describe_course_site(), *describe_last_comparison())
    return NeedsSection("enrollments", _("Enrollments"), needs, facts=facts)


def _describe_course_site() -> tuple[SectionFact, ...]:
    if not is_course_site_connected():
        return (SectionFact(_("Course site"), str(_("Not connected"))),)
    names = {Server.LMS: _("Course site"), Server.STUDIO: _("Studio")}
    silent = set(find_open_breakers())
    return tuple(
        SectionFact(label, str(_("isn’t answering")), tone="bad") for server, label in names.items() if server in silent
    )

"""Course dates for calendars."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from cms.selectors.addresses import course_url
from frontend.pages.calendar_file import find_dated_run, run_calendar
from mitxonline.kernel import clock


@require_safe
def run_dates(request: HttpRequest, run_id: int) -> HttpResponse:
    """A run's dates as a file. A run the visitor can't see answers like one that doesn’t exist."""
    now = clock.now()
    run = find_dated_run(run_id, user_id=request.user.pk, now=now)
    if run is None:
        raise Http404
    url = request.build_absolute_uri(course_url(run.course))
    file = run_calendar(run, host=request.get_host(), url=url, now=now)
    response = HttpResponse(file, content_type="text/calendar; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="course-dates-{run.pk}.ics"'
    response["Cache-Control"] = "no-store"
    return response

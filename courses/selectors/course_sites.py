"""Which course site a run is at: that of its course's site, of a course of all sites the default one's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db.models import Q

from courses.models import CourseRun, Enrollment
from mitxonline.kernel.shop import (
    all_shops,
    current_shop,
    current_site_id,
    default_shop,
    has_several_sites,
    use_shop_of_site,
)


def each_course_site() -> Iterator[int | None]:
    """Make the shop of each course site of this installation the current one, and the default one's last.

    Yields the id of a site with that course site; None is the default one.
    """
    others = {shop.lms_url: shop.site_id for shop in all_shops()}
    others.pop(default_shop().lms_url, None)
    for site_id in (*others.values(), None):
        with use_shop_of_site(site_id):
            yield site_id


def is_at_course_site(path: str = "course__site") -> Q:
    """Match what is at the course site of the current shop. ``path`` leads to the course's site."""
    lms_url = current_shop().lms_url
    sites = [shop.site_id for shop in all_shops() if shop.lms_url == lms_url]
    is_default = default_shop().lms_url == lms_url
    return Q(**{f"{path}__in": sites}) | (Q(**{f"{path}__isnull": True}) if is_default else Q(pk__in=[]))


@contextmanager
def at_course_site_of(run: CourseRun) -> Iterator[None]:
    """Make the shop of the run's course site the current one. No query where there is one site."""
    with use_shop_of_site(run.course.site_id if has_several_sites() else current_site_id()):
        yield


@contextmanager
def at_course_site_of_run(run_id: int) -> Iterator[None]:
    """Do the same for a run by its id; for one that is gone, the default one."""
    sites = CourseRun.all_objects.filter(pk=run_id).values_list("course__site_id", flat=True)
    with use_shop_of_site(sites.first() if has_several_sites() else None):
        yield


@contextmanager
def at_course_site_of_enrollment(enrollment_id: int) -> Iterator[None]:
    """Do the same for an enrollment by its id."""
    sites = Enrollment.objects.filter(pk=enrollment_id).values_list("run__course__site_id", flat=True)
    with use_shop_of_site(sites.first() if has_several_sites() else None):
        yield

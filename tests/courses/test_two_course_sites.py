"""Two sites with a course site each: learners, links and comparisons go to the one that has the course."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from courses.enums import EnrollmentMode, EnrollmentSource
from courses.gateways.openedx.client import OpenEdxClient
from courses.models import CourseRun, EnrollmentDifference
from courses.selectors.course_sites import each_course_site
from courses.services.enrollments import enroll, revoke
from courses.tasks import compare_enrollments, sync_courseruns
from ecommerce.models import ShopSettings
from ecommerce.models.shop_values import seal
from frontend.pages.course_site import course_door
from mitxonline.kernel import clock
from mitxonline.kernel.breaker import find_open_breakers
from mitxonline.kernel.shop import current_shop
from mitxonline.users.models import User
from tests.courses.openedx import connect, said, work
from tests.factories import make_course, make_run, make_user
from tests.factories.sites import make_second_site
from tests.openedx import server
from tests.openedx.server import CourseSite
from tests.openedx.state import LMS_CLIENT, LMS_SECRET

pytestmark = pytest.mark.django_db


@dataclass
class World:
    """A run at each course site and one of a course of all sites; both course sites know the learner and all runs."""

    first: CourseSite
    second: CourseSite
    runs: dict[str, CourseRun]
    ada: User


@pytest.fixture
def second_course_site() -> Iterator[CourseSite]:
    with server.course_site() as site:
        yield site


@pytest.fixture
def world(course_site: CourseSite, second_course_site: CourseSite, settings: Any) -> World:
    connect(course_site, settings)
    site = make_second_site()
    ShopSettings.objects.filter(site=site).update(
        lms_url_root=second_course_site.lms_url,
        backend_service_client_id=LMS_CLIENT,
        backend_service_client_secret=seal(LMS_SECRET),
    )
    runs = {
        "one": make_run(make_course(title="Of one")),
        "two": make_run(make_course(title="Of two", site=site)),
    }
    ada = make_user("ada@mail.example")
    for each in (course_site, second_course_site):
        each.state.add_account("ada", ada.email)
        for run in runs.values():
            each.state.add_run(run.courseware_id, run.title)
    return World(course_site, second_course_site, runs, ada)


def give(world: World, name: str) -> None:
    enroll(
        user_id=world.ada.pk,
        run_id=world.runs[name].pk,
        mode=EnrollmentMode.AUDIT,
        source=EnrollmentSource.ORDER,
        reference="TS-1",
        now=clock.now(),
    )


def revoke_all(world: World, name: str) -> None:
    revoke(
        user_id=world.ada.pk,
        run_id=world.runs[name].pk,
        source=EnrollmentSource.ORDER,
        reference="TS-1",
        now=clock.now(),
    )


def test_learners_are_enrolled_at_the_course_site_of_the_course(world: World) -> None:
    give(world, "one")
    give(world, "two")
    work()
    there = {
        (name, run): said(site, "ada", world.runs[run])
        for name, site in (("first", world.first), ("second", world.second))
        for run in ("one", "two")
    }
    assert there == {
        ("first", "one"): ("audit", True),
        ("first", "two"): None,
        ("second", "one"): None,
        ("second", "two"): ("audit", True),
    }


def test_the_link_to_a_course_leads_to_its_course_site(world: World) -> None:
    links = {name: course_door(run, "there", user=world.ada, now=clock.now()).url for name, run in world.runs.items()}
    assert links["two"].startswith(world.second.lms_url)
    assert not links["one"].startswith(world.second.lms_url)


def test_one_course_site_that_is_silent_does_not_stop_calls_to_the_other(world: World) -> None:
    world.second.misbehave("drop", times=100)
    for _time in range(4):  # as often as opens its breaker
        give(world, "two")
        work()
        revoke_all(world, "two")
    assert find_open_breakers() == [f"openedx-lms:{urlsplit(world.second.lms_url).netloc}"]
    give(world, "one")
    work()
    assert said(world.first, "ada", world.runs["one"]) == ("audit", True)


def test_each_course_site_is_compared_with_its_own_runs(world: World) -> None:
    give(world, "one")
    give(world, "two")
    work()
    # A run with this key at the other course site is another school's, so who is in it is no news.
    world.first.state.add_enrollment("ada", world.runs["two"].courseware_id)
    world.second.state.add_enrollment("bob", world.runs["two"].courseware_id)
    compare_enrollments()
    assert [(each.run, each.username) for each in EnrollmentDifference.objects.all()] == [(world.runs["two"], "bob")]


def test_the_default_course_site_comes_last(world: World) -> None:
    assert [current_shop().lms_url for _site in each_course_site()] == [world.second.lms_url, world.first.lms_url]
    assert current_shop().lms_url == world.first.lms_url
    assert OpenEdxClient.from_settings()._host == ""


def test_titles_of_another_sites_runs_stay_as_they_are(world: World) -> None:
    """The default Studio has a run with the same key, and it is another school's."""
    world.first.state.runs[world.runs["two"].courseware_id].title = "Another title"
    world.first.state.runs[world.runs["one"].courseware_id].title = "A new title"
    for run in world.runs.values():
        CourseRun.objects.filter(pk=run.pk).update(synced_at=clock.now(), synced_title=run.title)
    sync_courseruns()
    titles = {name: CourseRun.objects.get(pk=run.pk).title for name, run in world.runs.items()}
    assert titles == {"one": "A new title", "two": "Of two"}

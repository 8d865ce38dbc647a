"""The runs a contract makes: keys, sources, dates and products."""

from datetime import UTC, date, datetime

import pytest
from django.core.exceptions import ValidationError
from pytest_django import Settings
from wagtail.models import PageLogEntry

from b2b.errors.contracts import CourseKeyImpossible
from b2b.models import ContractPage, ContractRun, OrganizationPage
from b2b.services.contracts.checks import check_contracts, fix_contract
from b2b.services.contracts.contracts import ModifyContract
from b2b.services.contracts.pages import publish_changed
from b2b.services.contracts.terms_plan import plan_modify_contract
from b2b.services.contracts.wording import summarize
from b2b.services.products.runs import sku_of
from courses.enums import RunAccess, RunLmsState
from courses.events import RunsRequested
from courses.models import Course, CourseRun
from courses.models.keys import validate_run_key
from mitxonline.coordinator.routes import Route
from mitxonline.event_routes import ROUTES
from tests.b2b.worlds import (
    NOW,
    add_to_contract,
    change_terms,
    ensure_organization_page,
    make_program_of,
    make_public_run,
    make_source_course,
    publish_contract,
    reconcile_contract,
    require_courses,
    runs_of,
)

HEARD: list[RunsRequested] = []
LISTENING = {**ROUTES, RunsRequested: Route(within=(HEARD.append,))}

LAST_MICROSECOND = {"hour": 23, "minute": 59, "second": 59, "microsecond": 999999}


def keys_of(page: ContractPage) -> list[str]:
    return [run.courseware_id for run in runs_of(page)]


def test_the_key_has_organization_number_year_and_contract() -> None:
    page = publish_contract(make_source_course("course-v1:MITx+6.00.1x"), cap=1)
    assert keys_of(page) == [f"course-v1:UAI_UniversityX+6.00.1x+2025_C{page.pk}"]
    assert runs_of(page)[0].run_tag == f"2025_C{page.pk}"


def test_the_year_is_the_site_s() -> None:
    new_year = datetime(2025, 12, 31, 23, 30, tzinfo=UTC)
    assert "+2025_C" in keys_of(publish_contract(make_source_course(), now=new_year))[0]


def test_the_year_is_the_sites_wherever_the_site_is(settings: Settings) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    new_year = datetime(2025, 12, 31, 23, 30, tzinfo=UTC)
    assert "+2026_C" in keys_of(publish_contract(make_source_course(), now=new_year))[0]


def test_an_organization_may_have_a_prefix_of_its_own() -> None:
    owner = ensure_organization_page()
    owner.org_key_prefix = "B2B-"
    publish_changed(owner, user=None)
    page = publish_contract(make_source_course("course-v1:MITx+1x"), of=OrganizationPage.objects.get(pk=owner.pk))
    assert keys_of(page) == [f"course-v1:B2B-UniversityX+1x+2025_C{page.pk}"]


def test_a_taken_key_gets_a_number() -> None:
    page = publish_contract()
    stem = f"course-v1:UAI_UniversityX+1x+2025_C{page.pk}"
    other = make_source_course("course-v1:Other+1x", runs=())
    for key in (stem, f"{stem}-2", f"{stem}-3".upper().replace("COURSE-V1", "course-v1")):
        CourseRun.objects.create(course=other, courseware_id=key, run_tag="x", title="x")
    add_to_contract(page, make_source_course("course-v1:MITx+1x"))
    reconcile_contract(page)
    assert keys_of(page) == [f"{stem}-4"]
    assert runs_of(page)[0].run_tag == f"2025_C{page.pk}-4"


def test_two_courses_of_one_number_get_two_keys() -> None:
    page = publish_contract(make_source_course("course-v1:MITx+1x"), make_source_course("course-v1:HarvardX+1x"))
    stem = f"course-v1:UAI_UniversityX+1x+2025_C{page.pk}"
    assert keys_of(page) == [stem, f"{stem}-2"]


def test_a_number_at_the_end_of_another_contracts_key_is_not_ours() -> None:
    page = publish_contract()
    other = make_source_course("course-v1:Other+1x", runs=())
    CourseRun.objects.create(
        course=other,
        courseware_id=f"course-v1:UAI_UniversityX+1x+2025_C{page.pk}9",
        run_tag="x",
        title="x",
    )
    add_to_contract(page, make_source_course("course-v1:MITx+1x"))
    reconcile_contract(page)
    assert keys_of(page) == [f"course-v1:UAI_UniversityX+1x+2025_C{page.pk}"]


@pytest.mark.parametrize("prefix", ["U A I", "UAI+", "ÜAI/", "x" * 300])
def test_a_key_open_edx_would_refuse_is_refused_with_the_reason(prefix: str) -> None:
    page = publish_contract(cap=2)
    with pytest.raises(CourseKeyImpossible, match="Open edX would refuse"):
        add_to_contract(page, make_source_course(), prefix=prefix)
    assert runs_of(page) == []


def test_every_made_key_is_one_open_edx_accepts() -> None:
    page = publish_contract(
        make_source_course("course-v1:MITx+6.00.1x_a-b"), make_source_course("course-v1:MITx+CTL.SC1x")
    )
    for key in keys_of(page):
        validate_run_key(key)
    with pytest.raises(ValidationError):
        validate_run_key("course-v1:UAI_X+1 x+2025_C1")


def test_the_source_is_the_run_tagged_source() -> None:
    one = make_source_course(runs=("1T2024", "SOURCE", "2T2024"))
    (run,) = runs_of(publish_contract(one))
    assert run.source_run is not None
    assert run.source_run.run_tag == "SOURCE"
    assert run.lms_state == RunLmsState.PENDING


def test_without_a_source_run_the_first_run_serves() -> None:
    one = make_source_course(runs=("1T2024", "2T2024"))
    (run,) = runs_of(publish_contract(one))
    assert run.source_run is not None
    assert run.source_run.run_tag == "1T2024"


def test_another_contracts_run_is_no_source() -> None:
    one = make_source_course(runs=())
    publish_contract(one, name="First")
    (run,) = runs_of(publish_contract(one, name="Second"))
    assert run.source_run is None


def test_a_course_needs_no_runs() -> None:
    one = make_source_course(runs=())
    (run,) = runs_of(publish_contract(one))
    assert (run.source_run, run.title, run.lms_state) == (None, one.title, RunLmsState.WAITING_FOR_SOURCE)


def test_open_edx_is_asked_for_the_runs_that_have_a_source(settings: Settings) -> None:
    HEARD.clear()
    settings.EVENT_ROUTES = "tests.b2b.test_runs.LISTENING"
    page = publish_contract(make_source_course(), make_source_course(runs=()), make_source_course())
    first, _second, third = runs_of(page)
    assert [RunsRequested(run_ids=(first.pk, third.pk))] == HEARD


def test_a_run_of_a_contract_is_live_self_paced_and_hidden() -> None:
    one = make_source_course()
    (run,) = runs_of(publish_contract(one))
    assert (run.live, run.is_self_paced, run.access) == (True, True, RunAccess.CONTRACT)
    assert not CourseRun.objects.filter(pk=run.pk).exists()
    assert run.course_id == one.pk


def test_dates_are_the_contracts_with_both_ends_included() -> None:
    (run,) = runs_of(publish_contract(make_source_course(), start=date(2026, 1, 1), end=date(2026, 6, 30)))
    assert run.start_date == run.enrollment_start == datetime(2026, 1, 1, tzinfo=UTC)
    assert run.end_date == run.enrollment_end == datetime(2026, 6, 30, **LAST_MICROSECOND, tzinfo=UTC)


def test_dates_are_days_where_the_site_is(settings: Settings) -> None:
    settings.TIME_ZONE = "America/New_York"
    (run,) = runs_of(publish_contract(make_source_course(), start=date(2026, 1, 1), end=date(2026, 6, 30)))
    assert run.start_date == datetime(2026, 1, 1, 5, tzinfo=UTC)
    # Summer time by then: midnight is four hours behind UTC.
    assert run.end_date == datetime(2026, 7, 1, 3, 59, 59, 999999, tzinfo=UTC)


def test_an_open_contracts_runs_begin_now_and_never_end() -> None:
    (run,) = runs_of(publish_contract(make_source_course()))
    assert (run.start_date, run.enrollment_start, run.end_date, run.enrollment_end) == (NOW, NOW, None, None)


def test_a_run_of_a_contract_that_is_over_still_begins_before_it_ends() -> None:
    (run,) = runs_of(publish_contract(make_source_course(), end=date(2025, 1, 31)))
    assert run.start_date is not None
    assert run.end_date is not None
    assert run.start_date < run.end_date


def test_a_contract_lasting_one_day_has_runs_of_one_day() -> None:
    (run,) = runs_of(publish_contract(make_source_course(), start=date(2026, 1, 1), end=date(2026, 1, 1)))
    assert run.start_date == datetime(2026, 1, 1, tzinfo=UTC)
    assert run.end_date == datetime(2026, 1, 1, **LAST_MICROSECOND, tzinfo=UTC)


def test_runs_move_with_the_contracts_dates() -> None:
    page = publish_contract(make_source_course(), start=date(2026, 1, 1), end=date(2026, 6, 30))
    change_terms(page, contract_start=date(2026, 2, 1), contract_end=date(2026, 7, 31))
    (run,) = runs_of(page)
    assert run.start_date == run.enrollment_start == datetime(2026, 2, 1, tzinfo=UTC)
    assert run.end_date == run.enrollment_end == datetime(2026, 7, 31, **LAST_MICROSECOND, tzinfo=UTC)


def test_a_date_set_by_hand_stays() -> None:
    page = publish_contract(make_source_course(), start=date(2026, 1, 1), end=date(2026, 6, 30))
    by_hand = datetime(2026, 3, 1, tzinfo=UTC)
    CourseRun.all_objects.filter(contract_run__contract=page).update(enrollment_end=by_hand)
    change_terms(page, contract_end=date(2026, 7, 31))
    (run,) = runs_of(page)
    assert run.enrollment_end == by_hand
    assert run.end_date == datetime(2026, 7, 31, **LAST_MICROSECOND, tzinfo=UTC)


def test_a_date_set_by_hand_that_would_contradict_keeps_the_run_where_it_is() -> None:
    page = publish_contract(make_source_course(), start=date(2026, 1, 1), end=date(2026, 12, 31))
    by_hand = datetime(2026, 3, 1, tzinfo=UTC)
    CourseRun.all_objects.filter(contract_run__contract=page).update(end_date=by_hand, enrollment_end=by_hand)
    change_terms(page, contract_start=date(2026, 5, 1))
    (run,) = runs_of(page)
    assert (run.start_date, run.end_date) == (datetime(2026, 1, 1, tzinfo=UTC), by_hand)


def test_removing_the_contracts_dates_changes_no_run() -> None:
    page = publish_contract(make_source_course(), start=date(2026, 1, 1), end=date(2026, 6, 30))
    before = CourseRun.all_objects.filter(contract_run__contract=page).values().get()
    change_terms(page, contract_start=None, contract_end=None)
    assert CourseRun.all_objects.filter(contract_run__contract=page).values().get() == before


def test_an_open_contract_that_gets_dates_takes_its_runs_along() -> None:
    page = publish_contract(make_source_course())
    change_terms(page, contract_start=date(2026, 1, 1), contract_end=date(2026, 6, 30))
    (run,) = runs_of(page)
    assert run.start_date == run.enrollment_start == datetime(2026, 1, 1, tzinfo=UTC)
    assert run.end_date == run.enrollment_end == datetime(2026, 6, 30, **LAST_MICROSECOND, tzinfo=UTC)


YESTERDAY, NEXT_JUNE = date(2025, 11, 20), date(2026, 6, 30)


def test_a_last_day_mistyped_as_yesterday_and_corrected_is_followed_both_times() -> None:
    page, other = (
        publish_contract(make_source_course(), make_source_course(), name="Mistyped"),
        publish_contract(make_source_course(), name="Left alone"),
    )
    change_terms(page, contract_end=YESTERDAY)
    for run in runs_of(page):
        assert run.start_date == run.enrollment_start == datetime(2025, 11, 20, tzinfo=UTC)
        assert run.end_date == run.enrollment_end == datetime(2025, 11, 20, **LAST_MICROSECOND, tzinfo=UTC)
    change_terms(page, contract_end=NEXT_JUNE)
    for run in runs_of(page):
        assert run.start_date == run.enrollment_start == NOW
        assert run.end_date == run.enrollment_end == datetime(2026, 6, 30, **LAST_MICROSECOND, tzinfo=UTC)
    assert check_contracts(now=NOW) == []
    assert [run.end_date for run in runs_of(other)] == [None]


def test_a_run_that_could_not_follow_is_named_and_follows_the_next_time() -> None:
    page = publish_contract(
        make_source_course(title="Left behind"), make_source_course(title="Goes along"), end=date(2026, 12, 31)
    )
    hand_set, _free = runs_of(page)
    begins = datetime(2026, 3, 1, tzinfo=UTC)
    CourseRun.all_objects.filter(pk=hand_set.pk).update(start_date=begins, enrollment_start=begins)
    asked = plan_modify_contract(
        ModifyContract(contract_id=page.pk, changes={"contract_end": date(2026, 2, 1)}), now=NOW
    )
    assert [(one.title, one.reason) for one in asked.stays] == [
        ("Left behind", "begins on 1 March 2026, after the contract’s last day")
    ]
    assert "“Left behind” keeps its dates: it begins on 1 March 2026, after the contract’s last day." in asked.sentences
    assert summarize(asked.lines) == "dates of 1 run moved, 1 run keeps its dates"

    change_terms(page, contract_end=date(2026, 2, 1))
    ends = [run.end_date for run in runs_of(page)]
    assert ends == [
        datetime(2026, 12, 31, **LAST_MICROSECOND, tzinfo=UTC),
        datetime(2026, 2, 1, **LAST_MICROSECOND, tzinfo=UTC),
    ]
    (entry,) = PageLogEntry.objects.filter(page_id=page.pk, action="b2b.terms.change", data__has_key="runs_that_stay")
    assert entry.data["runs_that_stay"] == [hand_set.courseware_id]
    assert {one.kind for one in check_contracts(now=NOW)} == {"cannot_follow"}

    change_terms(page, contract_end=NEXT_JUNE)
    assert {run.end_date for run in runs_of(page)} == {datetime(2026, 6, 30, **LAST_MICROSECOND, tzinfo=UTC)}
    assert runs_of(page)[0].start_date == begins, "what was set by hand stays"
    assert check_contracts(now=NOW) == []


def test_a_run_that_ends_by_hand_before_the_first_day_says_so() -> None:
    page = publish_contract(make_source_course(title="Short"), start=date(2026, 1, 1), end=date(2026, 12, 31))
    by_hand = datetime(2026, 3, 1, tzinfo=UTC)
    CourseRun.all_objects.filter(contract_run__contract=page).update(end_date=by_hand, enrollment_end=by_hand)
    plan = plan_modify_contract(
        ModifyContract(contract_id=page.pk, changes={"contract_start": date(2026, 5, 1)}), now=NOW
    )
    assert [one.reason for one in plan.stays] == ["ends on 1 March 2026, before the contract’s first day"]


def test_days_that_were_removed_and_written_again_are_followed() -> None:
    page = publish_contract(make_source_course(), start=date(2026, 1, 1), end=date(2026, 6, 30))
    change_terms(page, contract_start=None, contract_end=None)
    change_terms(page, contract_end=date(2026, 9, 30))
    (run,) = runs_of(page)
    assert run.start_date == datetime(2026, 1, 1, tzinfo=UTC), "the first day was removed, and stays where it was"
    assert run.end_date == run.enrollment_end == datetime(2026, 9, 30, **LAST_MICROSECOND, tzinfo=UTC)
    change_terms(page, contract_start=date(2026, 2, 1))
    (run,) = runs_of(page)
    assert run.start_date == run.enrollment_start == datetime(2026, 2, 1, tzinfo=UTC)


def test_a_run_put_back_by_a_check_follows_again() -> None:
    page = publish_contract(make_source_course(), start=date(2026, 1, 1), end=date(2026, 6, 30))
    CourseRun.all_objects.filter(contract_run__contract=page).update(end_date=datetime(2026, 3, 1, tzinfo=UTC))
    fix_contract(contract_id=page.pk, now=NOW, reset=True)
    change_terms(page, contract_end=date(2026, 9, 30))
    (run,) = runs_of(page)
    assert run.end_date == datetime(2026, 9, 30, **LAST_MICROSECOND, tzinfo=UTC)


def test_a_program_makes_a_run_for_each_course_it_names() -> None:
    courses = [make_source_course() for _ in range(3)]
    page = publish_contract(make_program_of(*courses), cap=2)
    assert [run.course_id for run in runs_of(page)] == [one.pk for one in courses]


def test_a_program_that_gained_a_course_gives_it_to_the_contract() -> None:
    one = make_program_of(make_source_course(), make_source_course())
    page = publish_contract(one, cap=2)
    before = keys_of(page)
    new = make_source_course()
    require_courses(one, new)
    reconcile_contract(page)
    assert keys_of(page)[:2] == before
    assert [run.course_id for run in runs_of(page)][2:] == [new.pk]


def test_a_course_that_two_programs_name_gets_one_run() -> None:
    both = make_source_course()
    page = publish_contract(make_program_of(both, make_source_course()), make_program_of(both), both)
    assert [run.course_id for run in runs_of(page)].count(both.pk) == 1


def test_a_sku_fits_however_long_the_key_is() -> None:
    long = "course-v1:" + "x" * 200 + "+1+1"
    assert sku_of("course-v1:A+1+1") == "course-v1:A+1+1"
    assert len(sku_of(long)) == 100
    assert sku_of(long) != sku_of(long + "2")


def test_next_years_rerun_has_a_new_key() -> None:
    one = make_source_course("course-v1:MITx+1x")
    page = publish_contract(one, cap=2)
    next_year = NOW.replace(year=2026)
    add_to_contract(page, one, rerun=True, now=next_year)
    reconcile_contract(page, now=next_year)
    stem = "course-v1:UAI_UniversityX+1x"
    assert keys_of(page) == [f"{stem}+2025_C{page.pk}", f"{stem}+2026_C{page.pk}"]
    assert list(ContractRun.objects.order_by("pk").values_list("generation", flat=True)) == [1, 2]
    add_to_contract(page, one, rerun=True, now=next_year)
    assert keys_of(page)[2:] == [f"{stem}+2026_C{page.pk}-2"]


def test_a_prefix_can_be_given_for_once() -> None:
    page = publish_contract()
    add_to_contract(page, make_source_course("course-v1:MITx+1x"), prefix="ONCE_")
    reconcile_contract(page)
    assert keys_of(page) == [f"course-v1:ONCE_UniversityX+1x+2025_C{page.pk}"]


def test_runs_of_the_public_stay_public() -> None:
    one: Course = make_source_course(runs=())
    public = make_public_run(one, "1T2025")
    publish_contract(one)
    assert list(one.runs.all()) == [public]

"""The double's shapes are those of Open edX's public API: names of fields, statuses and headers."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.openedx.server import MANNERS, CourseSite
from tests.openedx.state import LMS_CLIENT, LMS_SECRET, Change

SOURCE, CONTRACT = "course-v1:UAI_SOURCE+OC101+SOURCE", "course-v1:UAI_LARK+OC101+2026_C7"
KEY, OTHER = "course-v1:TesseraX+OC101+2026_T1", "course-v1:TesseraX+OC102+2026_T1"


@pytest.fixture(autouse=True)
def _world(course_site: CourseSite) -> None:
    state = course_site.state
    state.add_account("ada", "ada@mail.example")
    state.add_account("ben", "ben@mail.example")
    for key in (SOURCE, KEY, OTHER):
        state.add_run(key, f"Ocean {key[-8:]}", end="2026-12-31T00:00:00Z")


def headers(site: CourseSite, *, kind: str = "jwt") -> dict[str, str]:
    form = {
        "grant_type": "client_credentials",
        "client_id": LMS_CLIENT,
        "client_secret": LMS_SECRET,
        "token_type": kind,
    }
    token = requests.post(f"{site.lms_url}/oauth2/access_token", data=form, timeout=5).json()
    return {"Authorization": f"{token['token_type']} {token['access_token']}"}


def ask(site: CourseSite, method: str, path: str, **options: Any) -> requests.Response:
    base = site.studio_url if path.startswith("/api/v1/") else site.lms_url
    return requests.request(method, base + path, timeout=5, **{"headers": headers(site), **options})


def enroll(site: CourseSite, user: str, key: str = KEY, **values: Any) -> requests.Response:
    body = {"user": user, "course_details": {"course_id": key}, **values}
    return ask(site, "POST", "/api/enrollment/v1/enrollment", json=body)


def test_a_token_is_given_for_client_credentials(course_site: CourseSite) -> None:
    form = {"grant_type": "client_credentials", "client_id": LMS_CLIENT, "client_secret": LMS_SECRET}
    url = f"{course_site.lms_url}/oauth2/access_token"
    token = requests.post(url, data=form, timeout=5).json()
    assert set(token) == {"access_token", "expires_in", "token_type", "scope"}
    assert (token["token_type"], token["expires_in"]) == ("Bearer", 3600)
    refused = requests.post(url, data={**form, "client_secret": "wrong"}, timeout=5)
    assert (refused.status_code, refused.json()) == (401, {"error": "invalid_client"})
    assert requests.post(url, data={**form, "grant_type": "password"}, timeout=5).status_code == 400


def test_a_call_needs_a_token_that_holds(course_site: CourseSite) -> None:
    path = "/api/user/v1/accounts?username=ada"
    assert ask(course_site, "GET", path, headers={}).status_code == 401
    old = headers(course_site)
    assert ask(course_site, "GET", path, headers=old).status_code == 200
    course_site.state.forget_tokens()
    assert ask(course_site, "GET", path, headers=old).status_code == 401
    # Studio reads JSON web tokens alone, and only from the scheme of that name.
    bearer = headers(course_site, kind="bearer")
    assert ask(course_site, "GET", "/api/v1/course_runs/", headers=bearer).status_code == 401
    assert ask(course_site, "GET", path, headers=bearer).status_code == 200


def test_accounts_are_found_by_name_and_address(course_site: CourseSite) -> None:
    found = ask(course_site, "GET", "/api/user/v1/accounts?username=ada,ben,nobody").json()
    assert [each["username"] for each in found] == ["ada", "ben"]
    found = ask(course_site, "GET", "/api/user/v1/accounts?email=Ben@mail.example").json()
    assert [(each["username"], each["email"]) for each in found] == [("ben", "ben@mail.example")]
    unknown = ask(course_site, "GET", "/api/user/v1/accounts?email=x@mail.example")
    assert (unknown.status_code, unknown.text) == (404, "")
    many = {"search_emails": ["ada@mail.example", "x@mail.example"]}
    found = ask(course_site, "POST", "/api/user/v1/accounts/search_emails", json=many).json()
    assert found == [{"email": "ada@mail.example", "id": 1, "username": "ada"}]


def test_an_enrollment_is_created_changed_and_deactivated(course_site: CourseSite) -> None:
    made = enroll(course_site, "ada", mode="audit", is_active=True)
    assert made.status_code == 200
    assert set(made.json()) == {"created", "mode", "is_active", "course_details", "user"}
    assert made.json()["course_details"]["course_id"] == KEY
    enroll(course_site, "ada", mode="audit", is_active=True)
    enroll(course_site, "ada", mode="verified", is_active=True)
    mismatch = enroll(course_site, "ada", mode="audit", is_active=False)
    assert (mismatch.status_code, "Won't deactivate" in mismatch.json()["message"]) == (400, True)
    enroll(course_site, "ada", mode="verified", is_active=False)
    assert course_site.state.changes == [
        Change("enrolled", KEY, "ada", "audit"),
        Change("mode", KEY, "ada", "verified"),
        Change("deactivated", KEY, "ada"),
    ]
    one = ask(course_site, "GET", f"/api/enrollment/v1/enrollment/ada,{KEY}").json()
    assert (one["mode"], one["is_active"]) == ("verified", False)
    assert ask(course_site, "GET", f"/api/enrollment/v1/enrollment/ben,{KEY}").text == ""


@pytest.mark.parametrize(
    ("user", "key", "values", "status", "words"),
    [
        ("nobody", KEY, {}, 406, "The user nobody does not exist."),
        ("ada", "course-v1:X+Y+Z", {}, 400, "No course 'course-v1:X+Y+Z' found for enrollment"),
        ("ada", KEY, {"mode": "honor"}, 400, "The [honor] course mode is expired or otherwise unavailable"),
        ("ada", KEY, {"is_active": "yes"}, 400, "'yes' is an invalid enrollment activation status."),
        ("ada", "", {}, 400, "Course ID must be specified to create a new enrollment."),
    ],
)
def test_an_enrollment_is_refused_in_the_sites_words(
    course_site: CourseSite, user: str, key: str, values: dict[str, Any], status: int, words: str
) -> None:
    refused = enroll(course_site, user, key, **values)
    assert refused.status_code == status
    assert words in refused.json()["message"]
    assert course_site.state.changes == []


def test_staff_list_enrollments_in_pages(course_site: CourseSite) -> None:
    course_site.state.page_size = 2
    for user in ("ada", "ben"):
        for key in (KEY, OTHER):
            enroll(course_site, user, key)
    enroll(course_site, "ada", SOURCE)
    first = ask(course_site, "GET", "/api/enrollment/v1/enrollments").json()
    assert set(first) == {"next", "previous", "results"}
    assert set(first["results"][0]) == {"created", "mode", "is_active", "user", "course_id"}
    seen, page = list(first["results"]), first
    while page["next"]:
        page = requests.get(page["next"], headers=headers(course_site), timeout=5).json()
        seen += page["results"]
    assert len({(row["user"], row["course_id"]) for row in seen}) == len(seen) == 5
    of_one = ask(course_site, "GET", "/api/enrollment/v1/enrollments", params={"course_id": OTHER}).json()
    assert {row["user"] for row in of_one["results"]} == {"ada", "ben"}
    assert ask(course_site, "GET", "/api/enrollment/v1/enrollments?course_id=nonsense").status_code == 400


def test_the_lms_describes_a_course(course_site: CourseSite) -> None:
    course = ask(course_site, "GET", f"/api/courses/v1/courses/{KEY}/").json()
    dates = {"start", "end", "enrollment_start", "enrollment_end"}
    assert dates | {"id", "name", "org", "number", "pacing"} <= set(course)
    assert (course["id"], course["org"], course["pacing"]) == (KEY, "TesseraX", "instructor")
    assert ask(course_site, "GET", "/api/courses/v1/courses/course-v1:X+Y+Z/").status_code == 404


def test_studio_describes_and_lists_its_runs(course_site: CourseSite) -> None:
    run = ask(course_site, "GET", f"/api/v1/course_runs/{KEY}/").json()
    assert set(run) == {"schedule", "pacing_type", "team", "id", "title", "images"}
    assert set(run["schedule"]) == {"start", "end", "enrollment_start", "enrollment_end"}
    page = ask(course_site, "GET", "/api/v1/course_runs/?page=2&page_size=2").json()
    assert (page["count"], page["num_pages"], page["next"], len(page["results"])) == (3, 2, None, 1)
    assert ask(course_site, "GET", "/api/v1/course_runs/?page=9").status_code == 404
    assert ask(course_site, "GET", "/api/v1/course_runs/course-v1:X+Y+Z/").status_code == 404


def test_a_run_is_edited_in_part(course_site: CourseSite) -> None:
    path = f"/api/v1/course_runs/{KEY}/"
    edited = ask(course_site, "PATCH", path, json={"schedule": {"start": "2026-03-01T00:00:00Z"}})
    assert edited.json()["schedule"]["start"] == "2026-03-01T00:00:00Z"
    assert edited.json()["schedule"]["end"] == "2026-12-31T00:00:00Z"
    refused = ask(course_site, "PATCH", path, json={"schedule": {"end": None}})
    assert (refused.status_code, refused.json()) == (400, {"schedule": {"end": ["This field may not be null."]}})
    ask(course_site, "PATCH", path, json={"schedule": {"start": "2026-03-01T00:00:00Z"}})
    assert [change.what for change in course_site.state.changes] == ["edited"]


def test_a_rerun_stays_in_the_organization_and_a_clone_may_leave_it(course_site: CourseSite) -> None:
    made = ask(course_site, "POST", f"/api/v1/course_runs/{SOURCE}/rerun/", json={"run": "2026_T2"})
    assert (made.status_code, made.json()["id"]) == (201, "course-v1:UAI_SOURCE+OC101+2026_T2")
    again = ask(course_site, "POST", f"/api/v1/course_runs/{SOURCE}/rerun/", json={"run": "2026_T2"})
    assert again.status_code == 400
    assert again.json() == {"run": ["Course run course-v1:UAI_SOURCE+OC101+2026_T2 already exists"]}
    body = {"source_course_id": SOURCE, "destination_course_id": CONTRACT}
    cloned = ask(course_site, "POST", "/api/v1/course_runs/clone/", json=body)
    assert (cloned.status_code, cloned.json()) == (201, {"message": "Course cloned successfully."})
    again = ask(course_site, "POST", "/api/v1/course_runs/clone/", json=body)
    assert (again.status_code, again.json()) == (400, {"non_field_errors": ["Destination course already exists."]})
    assert [change.what for change in course_site.state.changes] == ["copied", "copied"]


def test_a_copy_takes_some_polls_to_be_there(course_site: CourseSite) -> None:
    course_site.state.copy_polls = 2
    ask(course_site, "POST", f"/api/v1/course_runs/{SOURCE}/rerun/", json={"run": "2026_T2"})
    path = "/api/v1/course_runs/course-v1:UAI_SOURCE+OC101+2026_T2/"
    assert [ask(course_site, "GET", path).status_code for _poll in range(3)] == [404, 404, 200]


@pytest.mark.parametrize(
    ("manner", "status", "change_count"),
    [
        ("unauthorized", 401, 0),
        ("forbidden", 403, 0),
        ("unknown_learner", 406, 0),
        ("conflict", 409, 0),
        ("throttle", 429, 0),
        ("error", 500, 0),
        ("bad_gateway", 502, 0),
        ("unavailable", 503, 0),
        ("gateway_timeout", 504, 0),
        ("malformed", 200, 0),
        ("html", 200, 0),
        ("slow", 0, 1),
        ("late", 0, 1),
        ("drop", 0, 0),
        ("lost", 0, 1),
    ],
)
def test_it_misbehaves_once_and_then_behaves(
    course_site: CourseSite, manner: Any, status: int, change_count: int
) -> None:
    assert manner in MANNERS
    token = headers(course_site)
    course_site.misbehave(manner, path="/enrollment", seconds=0.6, retry_after=7)
    body: dict[str, Any] = {"user": "ada", "course_details": {"course_id": KEY}}
    url = f"{course_site.lms_url}/api/enrollment/v1/enrollment"
    try:
        answer = requests.post(url, json=body, headers=token, timeout=0.3)
    except requests.RequestException:
        assert status == 0
    else:
        assert answer.status_code == status
        assert answer.headers.get("Retry-After") == ("7" if manner == "throttle" else None)
    if manner == "slow":
        course_site.is_over.wait(0.6)
    assert len(course_site.state.changes) == change_count
    assert requests.post(url, json=body, headers=token, timeout=5).json()["mode"] == "audit"
    assert len(course_site.state.changes) == 1


def test_another_process_reads_the_state_and_orders_mischief(course_site: CourseSite) -> None:
    enroll(course_site, "ada")
    state = requests.get(f"{course_site.lms_url}/double/state", timeout=5).json()
    assert [(row["user"], row["course_id"]) for row in state["enrollments"]] == [("ada", KEY)]
    assert [change["what"] for change in state["changes"]] == ["enrolled"]
    order: dict[str, Any] = {"manner": "error", "path": "/enrollment", "times": 2}
    assert requests.post(f"{course_site.studio_url}/double/misbehave", json=order, timeout=5).ok
    assert [enroll(course_site, "ben").status_code for _call in range(3)] == [500, 500, 200]
    assert course_site.count("/enrollment") == 4

"""What the course site knows, and its answers, as the API documentation and code of Open edX have them."""

from __future__ import annotations

import base64
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote, urlencode

_KEY = re.compile(r"course-v1:[^/+ ]+\+[^/+ ]+\+[^/+ ]+")
# The start of every copy until someone sets another (xmodule's DEFAULT_START_DATE).
COPY_START = "2030-01-01T00:00:00Z"
LMS_CLIENT, LMS_SECRET = "storefront-lms", "lms-secret"
STUDIO_CLIENT, STUDIO_SECRET = "storefront-studio", "studio-secret"


@dataclass
class Account:
    username: str
    email: str
    name: str = ""
    is_active: bool = True


@dataclass
class SiteEnrollment:
    user: str
    course_id: str
    mode: str
    is_active: bool
    created: str


@dataclass
class SiteRun:
    """A course of Studio. For so many more calls of its address it isn't there yet: `polls_left`."""

    id: str
    title: str
    start: str | None = COPY_START
    end: str | None = None
    enrollment_start: str | None = None
    enrollment_end: str | None = None
    pacing_type: str = "instructor_paced"
    modes: tuple[str, ...] = ("audit", "verified")
    made_from: str = ""
    polls_left: int = 0

    @property
    def is_closed(self) -> bool:
        """Whether no one may enroll any more, except by force."""
        return self.enrollment_end is not None and datetime.fromisoformat(self.enrollment_end) < datetime.now(UTC)


@dataclass(frozen=True)
class Change:
    """Something that is different afterwards. `what`: enrolled, mode, activated, deactivated, copied, edited."""

    what: str
    course_id: str
    user: str = ""
    value: str = ""


@dataclass(frozen=True)
class Asked:
    """A request to one of the two sites: `site` is "lms" or "studio"."""

    site: str
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    base: str


@dataclass(frozen=True)
class Answer:
    """`body` is JSON's, or text as it is."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class SiteState:
    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.enrollments: dict[tuple[str, str], SiteEnrollment] = {}
        self.runs: dict[str, SiteRun] = {}
        self.changes: list[Change] = []
        self.clients = {LMS_CLIENT: LMS_SECRET, STUDIO_CLIENT: STUDIO_SECRET}
        self.tokens: dict[str, tuple[str, float]] = {}
        self.token_seconds = 3600
        self.is_staff = True  # the service account
        self.copy_polls = 0  # for how many calls a copy made from now on isn't there yet
        self.page_size = 100

    # What a test sets up

    def add_account(self, username: str, email: str, **values: Any) -> Account:
        self.accounts[username] = account = Account(username, email, **values)
        return account

    def add_run(self, key: str, title: str, **values: Any) -> SiteRun:
        self.runs[key] = run = SiteRun(key, title, **values)
        return run

    def add_enrollment(self, user: str, key: str, mode: str = "audit", *, is_active: bool = True) -> SiteEnrollment:
        row = SiteEnrollment(user, key, mode, is_active, _now())
        self.enrollments[user, key] = row
        return row

    def forget_tokens(self) -> None:
        self.tokens.clear()

    def as_json(self) -> dict[str, Any]:
        return {
            "accounts": [asdict(each) for each in self.accounts.values()],
            "enrollments": [asdict(each) for each in self.enrollments.values()],
            "runs": [asdict(each) for each in self.runs.values()],
            "changes": [asdict(each) for each in self.changes],
        }

    # What the sites answer

    def answer(self, asked: Asked) -> Answer:
        for site, method, pattern, view in _ADDRESSES:
            if site != asked.site or not (found := re.fullmatch(pattern, unquote(asked.path))):
                continue
            if method != asked.method:
                continue
            if view is not SiteState._token and (refusal := self._refuse_stranger(asked)) is not None:
                return refusal
            return view(self, asked, *found.groups())
        return Answer(404, "<h1>Not Found</h1>")

    def _token(self, asked: Asked) -> Answer:
        form = asked.body if isinstance(asked.body, dict) else {}
        client, secret = form.get("client_id"), form.get("client_secret")
        basic = asked.headers.get("authorization", "")
        if basic.lower().startswith("basic "):
            client, _colon, secret = base64.b64decode(basic[6:]).decode().partition(":")
        if form.get("grant_type") != "client_credentials":
            return Answer(400, {"error": "unsupported_grant_type"})
        if client is None or self.clients.get(client) != secret:
            return Answer(401, {"error": "invalid_client"})
        kind = "JWT" if str(form.get("token_type", "")).lower() == "jwt" else "Bearer"
        token = secrets.token_urlsafe(24)
        self.tokens[token] = (kind, time.monotonic() + self.token_seconds)
        body = {"access_token": token, "expires_in": self.token_seconds, "token_type": kind, "scope": "read write"}
        return Answer(200, body)

    def _refuse_stranger(self, asked: Asked) -> Answer | None:
        kind, _space, token = asked.headers.get("authorization", "").partition(" ")
        if not token:
            return Answer(401, {"detail": "Authentication credentials were not provided."})
        known, until = self.tokens.get(token, ("", 0.0))
        # Studio knows JSON web tokens only.
        if known != kind or (asked.site == "studio" and kind != "JWT"):
            return Answer(401, {"detail": "Invalid token."})
        if until < time.monotonic():
            return Answer(401, {"detail": "Token is expired."})
        if not self.is_staff:
            return Answer(403, {"detail": "You do not have permission to perform this action."})
        return None

    def _accounts(self, asked: Asked) -> Answer:
        if number := asked.query.get("lms_user_id", ""):
            found = [each for position, each in enumerate(self.accounts.values(), start=1) if str(position) == number]
        elif email := asked.query.get("email", ""):
            found = [each for each in self.accounts.values() if each.email.lower() == email.lower()]
        else:
            names = asked.query.get("username", "").split(",")
            found = [self.accounts[name] for name in names if name in self.accounts]
        if not found:
            return Answer(404, "")
        return Answer(200, [_show_account(each) for each in found])

    def _search_emails(self, asked: Asked) -> Answer:
        wanted = {str(each).lower() for each in (asked.body or {}).get("search_emails", ())}
        ids = {name: number for number, name in enumerate(self.accounts, start=1)}
        found = [each for each in self.accounts.values() if each.email.lower() in wanted]
        rows = [{"email": each.email, "id": ids[each.username], "username": each.username} for each in found]
        return Answer(200, rows)

    def _enroll(self, asked: Asked) -> Answer:
        body = asked.body if isinstance(asked.body, dict) else {}
        key = str((body.get("course_details") or {}).get("course_id") or "")
        user, mode, is_active = str(body.get("user", "")), body.get("mode"), body.get("is_active")
        if not key:
            return _message(400, "Course ID must be specified to create a new enrollment.")
        if user not in self.accounts:
            return _message(406, f"The user {user} does not exist.")
        run = self._run(key)
        if run is None:
            return _message(400, f"No course '{key}' found for enrollment")
        if is_active is not None and not isinstance(is_active, bool):
            return _message(400, f"'{is_active}' is an invalid enrollment activation status.")
        if mode is not None and mode not in run.modes:
            text = f"The [{mode}] course mode is expired or otherwise unavailable for course run [{key}]."
            return _message(400, text)
        row = self.enrollments.get((user, key))
        # Only changes of an enrollment aren't refused: the same once more is enrolling, for those who are in it, too.
        is_change = row is not None and ((mode or row.mode) != row.mode or is_active not in (None, row.is_active))
        if not is_change and run.is_closed and body.get("force_enrollment") is not True:
            return _message(
                400, f"An error occurred while creating the new course enrollment for user '{user}' in course '{key}'"
            )
        if row is None:
            row = self.add_enrollment(user, key, mode or "audit", is_active=is_active is not False)
            self.changes.append(Change("enrolled", key, user, row.mode if row.is_active else "inactive"))
        else:
            changes_mode = mode is not None and mode != row.mode
            if changes_mode and is_active is False and row.is_active:
                return _message(
                    400, f"Enrollment mode mismatch: active mode={row.mode}, requested mode={mode}. Won't deactivate."
                )
            self._change(row, mode if changes_mode else None, is_active)
        return Answer(200, self._show_enrollment(row))

    def _change(self, row: SiteEnrollment, mode: str | None, is_active: bool | None) -> None:
        if mode is not None:
            row.mode = mode
            self.changes.append(Change("mode", row.course_id, row.user, mode))
        # Without a word about it, the API enrolls again.
        wanted = True if is_active is None and mode is None else is_active
        if wanted is not None and wanted != row.is_active:
            row.is_active = wanted
            self.changes.append(Change("activated" if wanted else "deactivated", row.course_id, row.user))

    def _enrollment(self, asked: Asked, user: str, key: str) -> Answer:
        row = self.enrollments.get((user, key))
        return Answer(200, self._show_enrollment(row) if row is not None else "")

    def _enrollments_of_one(self, asked: Asked) -> Answer:
        user = asked.query.get("user", "")
        rows = [row for row in self.enrollments.values() if row.user == user and row.is_active]
        return Answer(200, [self._show_enrollment(row) for row in rows])

    def _enrollments(self, asked: Asked) -> Answer:
        """The list for staff, in pages with a cursor; the newest comes first."""
        key, names = asked.query.get("course_id", ""), asked.query.get("username", "")
        if key and not _KEY.fullmatch(key):
            return Answer(400, {"field_errors": {"course_id": [f"'{key}' is not a valid course id."]}})
        users = set(names.split(",")) if names else None
        rows = [
            row
            for row in reversed(list(self.enrollments.values()))
            if (not key or row.course_id == key) and (users is None or row.user in users)
        ]
        start = int(base64.urlsafe_b64decode(asked.query["cursor"])) if "cursor" in asked.query else 0
        end = start + self.page_size
        query = {name: value for name, value in asked.query.items() if name != "cursor"}
        return Answer(
            200,
            {
                "next": _cursor(asked, query, end) if end < len(rows) else None,
                "previous": _cursor(asked, query, max(start - self.page_size, 0)) if start else None,
                "results": [_show_row(row) for row in rows[start:end]],
            },
        )

    def _course(self, asked: Asked, key: str) -> Answer:
        run = self._run(key)
        return Answer(200, _show_course(run)) if run else Answer(404, {"developer_message": "Course not found."})

    def _runs(self, asked: Asked) -> Answer:
        """Studio's list: numbered pages of ten, or of up to a hundred."""
        size = min(int(asked.query.get("page_size", 10)), 100)
        page = int(asked.query.get("page", 1))
        there = [run for run in self.runs.values() if not run.polls_left]
        pages = max(-(-len(there) // size), 1)
        if not 1 <= page <= pages:
            return Answer(404, {"detail": "Invalid page."})

        def address(number: int) -> str | None:
            query = urlencode({**asked.query, "page": number})
            return f"{asked.base}{asked.path}?{query}" if 1 <= number <= pages else None

        return Answer(
            200,
            {
                "next": address(page + 1),
                "previous": address(page - 1),
                "count": len(there),
                "num_pages": pages,
                "current_page": page,
                "start": (page - 1) * size,
                "results": [self._show_run(run, asked) for run in there[(page - 1) * size : page * size]],
            },
        )

    def _read_run(self, asked: Asked, key: str) -> Answer:
        run = self._run(key, is_polled=True)
        return Answer(200, self._show_run(run, asked)) if run else _no_run()

    def _edit_run(self, asked: Asked, key: str) -> Answer:
        run = self._run(key)
        if run is None:
            return _no_run()
        body = asked.body if isinstance(asked.body, dict) else {}
        if errors := _schedule_errors(body):
            return Answer(400, errors)
        before = asdict(run)
        _apply(run, body)
        if asdict(run) != before:
            self.changes.append(Change("edited", key))
        return Answer(200, self._show_run(run, asked))

    def _create_run(self, asked: Asked) -> Answer:
        body = asked.body if isinstance(asked.body, dict) else {}
        names = ("title", "org", "number", "run")
        if missing := {name: ["This field is required."] for name in names if not body.get(name)}:
            return Answer(400, missing)
        key = f"course-v1:{body['org']}+{body['number']}+{body['run']}"
        if self._taken(key):
            return Answer(400, {"run": [f"Course run {key} already exists"]})
        run = self.add_run(key, body["title"])
        _apply(run, body)
        self.changes.append(Change("created", key))
        return Answer(201, self._show_run(run, asked))

    def _rerun(self, asked: Asked, key: str) -> Answer:
        source = self._run(key)
        if source is None:
            return _no_run()
        body = asked.body if isinstance(asked.body, dict) else {}
        if not body.get("run"):
            return Answer(400, {"run": ["This field is required."]})
        org, number, _run = key.removeprefix("course-v1:").split("+")
        copy_key = f"course-v1:{org}+{body.get('number') or number}+{body['run']}"
        if self._taken(copy_key):
            return Answer(400, {"run": [f"Course run {copy_key} already exists"]})
        copy = self._copy(source, copy_key)
        _apply(copy, body)
        return Answer(201, self._show_run(copy, asked))

    def _clone(self, asked: Asked) -> Answer:
        body = asked.body if isinstance(asked.body, dict) else {}
        names = ("source_course_id", "destination_course_id")
        if missing := {name: ["This field is required."] for name in names if not body.get(name)}:
            return Answer(400, missing)
        source_key, key = (str(body[name]) for name in names)
        source = self._run(source_key)
        if source is None:
            return Answer(400, {"non_field_errors": ["Source course does not exist."]})
        if self._taken(key):
            return Answer(400, {"non_field_errors": ["Destination course already exists."]})
        self._copy(source, key)
        return Answer(201, {"message": "Course cloned successfully."})

    def _copy(self, source: SiteRun, key: str) -> SiteRun:
        copy = self.add_run(
            key,
            source.title,
            end=source.end,
            pacing_type=source.pacing_type,
            modes=source.modes,
            made_from=source.id,
            polls_left=self.copy_polls,
        )
        self.changes.append(Change("copied", key, value=source.id))
        return copy

    def _run(self, key: str, *, is_polled: bool = False) -> SiteRun | None:
        run = self.runs.get(key)
        if run is None or not run.polls_left:
            return run
        if is_polled:
            run.polls_left -= 1
        return None

    def _taken(self, key: str) -> bool:
        return key.lower() in {each.lower() for each in self.runs}

    def _show_enrollment(self, row: SiteEnrollment) -> dict[str, Any]:
        run = self.runs.get(row.course_id) or SiteRun(row.course_id, "")
        return {
            "created": row.created,
            "mode": row.mode,
            "is_active": row.is_active,
            "course_details": {
                "course_id": row.course_id,
                "course_name": run.title,
                "enrollment_start": run.enrollment_start,
                "enrollment_end": run.enrollment_end,
                "course_start": run.start,
                "course_end": run.end,
                "invite_only": False,
                "course_modes": [_show_mode(mode) for mode in run.modes],
                "pacing_type": "Self Paced" if run.pacing_type == "self_paced" else "Instructor Paced",
            },
            "user": row.user,
        }

    def _show_run(self, run: SiteRun, asked: Asked) -> dict[str, Any]:
        names = ("start", "end", "enrollment_start", "enrollment_end")
        return {
            "schedule": {name: getattr(run, name) for name in names},
            "pacing_type": run.pacing_type,
            "team": [],
            "id": run.id,
            "title": run.title,
            "images": {"card_image": f"{asked.base}/asset-v1:{run.id.partition(':')[2]}+type@asset+block@card.jpg"},
        }


_View = Callable[..., Answer]
_RUN = r"(course-v1:[^/]+)"
_ADDRESSES: list[tuple[str, str, str, _View]] = [
    ("lms", "POST", r"/oauth2/access_token/?", SiteState._token),
    ("lms", "GET", r"/api/user/v1/accounts", SiteState._accounts),
    ("lms", "POST", r"/api/user/v1/accounts/search_emails", SiteState._search_emails),
    ("lms", "POST", r"/api/enrollment/v1/enrollment", SiteState._enroll),
    ("lms", "GET", r"/api/enrollment/v1/enrollment", SiteState._enrollments_of_one),
    ("lms", "GET", r"/api/enrollment/v1/enrollment/([^,/]+),(course-v1:[^/]+)", SiteState._enrollment),
    ("lms", "GET", r"/api/enrollment/v1/enrollments/?", SiteState._enrollments),
    ("lms", "GET", rf"/api/courses/v1/courses/{_RUN}/?", SiteState._course),
    ("studio", "GET", r"/api/v1/course_runs/", SiteState._runs),
    ("studio", "POST", r"/api/v1/course_runs/", SiteState._create_run),
    ("studio", "POST", r"/api/v1/course_runs/clone/", SiteState._clone),
    ("studio", "POST", rf"/api/v1/course_runs/{_RUN}/rerun/", SiteState._rerun),
    ("studio", "GET", rf"/api/v1/course_runs/{_RUN}/", SiteState._read_run),
    ("studio", "PATCH", rf"/api/v1/course_runs/{_RUN}/", SiteState._edit_run),
]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _message(status: int, text: str) -> Answer:
    return Answer(status, {"message": text})


def _no_run() -> Answer:
    return Answer(404, {"detail": "Not found."})


def _cursor(asked: Asked, query: Mapping[str, str], start: int) -> str:
    cursor = base64.urlsafe_b64encode(str(start).encode()).decode()
    return f"{asked.base}{asked.path}?{urlencode({**query, 'cursor': cursor})}"


def _show_account(account: Account) -> dict[str, Any]:
    return {
        "username": account.username,
        "email": account.email,
        "name": account.name,
        "is_active": account.is_active,
        "account_privacy": "private",
        "country": None,
        "date_joined": "2026-01-01T00:00:00Z",
    }


def _show_row(row: SiteEnrollment) -> dict[str, Any]:
    return {
        "created": row.created,
        "mode": row.mode,
        "is_active": row.is_active,
        "user": row.user,
        "course_id": row.course_id,
    }


def _show_mode(slug: str) -> dict[str, Any]:
    return {
        "slug": slug,
        "name": slug.title(),
        "min_price": 0,
        "suggested_prices": "",
        "currency": "usd",
        "expiration_datetime": None,
        "description": None,
        "sku": None,
        "bulk_sku": None,
    }


def _show_course(run: SiteRun) -> dict[str, Any]:
    org, number, _run = run.id.removeprefix("course-v1:").split("+")
    return {
        "blocks_url": f"/api/courses/v2/blocks/?course_id={quote(run.id, safe='')}",
        "effort": None,
        "end": run.end,
        "enrollment_start": run.enrollment_start,
        "enrollment_end": run.enrollment_end,
        "id": run.id,
        "course_id": run.id,
        "name": run.title,
        "number": number,
        "org": org,
        "short_description": None,
        "start": run.start,
        "start_display": None,
        "start_type": "timestamp" if run.start else "empty",
        "pacing": "self" if run.pacing_type == "self_paced" else "instructor",
        "mobile_available": False,
        "hidden": False,
        "invitation_only": False,
        "overview": "",
    }


def _schedule_errors(body: Mapping[str, Any]) -> dict[str, Any]:
    """Studio doesn't take a start or end away again: `null` is refused, and only another moment replaces them."""
    schedule = body.get("schedule") or {}
    empty = [name for name in ("start", "end") if name in schedule and schedule[name] is None]
    if empty:
        return {"schedule": {name: ["This field may not be null."] for name in empty}}
    return {"title": ["This field may not be blank."]} if body.get("title") == "" else {}


def _apply(run: SiteRun, body: Mapping[str, Any]) -> None:
    for name in _known(body.get("schedule") or {}, ("start", "end", "enrollment_start", "enrollment_end")):
        setattr(run, name, body["schedule"][name])
    for name in _known(body, ("title", "pacing_type")):
        setattr(run, name, body[name])


def _known(values: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    return [name for name in names if name in values]

"""Studio’s runs: read, copied and dated through its API for course runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import quote

from django.utils.dateparse import parse_datetime

from courses.errors import CourseSiteRefused, CourseSiteUnreadable
from courses.gateways.openedx.client import JSON, OpenEdxClient, Server, missing_lms_settings
from mitxonline.kernel.shop import current_shop

PATH = "/api/v1/course_runs/"
LONGEST_TITLE = 255
# The most that Studio gives at once.
_PAGE_SIZE = 100
# It can’t go on for ever, whatever Studio says about a next page.
_MOST_PAGES = 10_000


@dataclass(frozen=True, slots=True)
class StudioRun:
    key: str
    title: str
    is_self_paced: bool
    start: datetime | None = None
    end: datetime | None = None
    enrollment_start: datetime | None = None
    enrollment_end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """The dates to set on a run. Studio keeps a start and an end once they are set, so None leaves them."""

    start: datetime | None
    end: datetime | None
    enrollment_start: datetime | None
    enrollment_end: datetime | None


class RunExists(Exception):
    """Studio says that there is a run with this key already, or that it is being made."""


def is_studio_configured() -> bool:
    return bool(current_shop().studio_url) and not missing_lms_settings(current_shop())


class Studio:
    """Every call raises CourseSiteUnavailable, CourseSiteDenied, CourseSiteSecretWrong or CourseSiteNotConfigured."""

    def __init__(self, client: OpenEdxClient) -> None:
        self._client = client

    @classmethod
    def from_settings(cls) -> Self:
        return cls(OpenEdxClient.from_settings())

    def find(self, key: str) -> StudioRun | None:
        """Return the run, or None if Studio has none with this key, or isn’t done making it."""
        try:
            answer = self._client.get(_path(key), server=Server.STUDIO)
        except CourseSiteRefused as refusal:
            if refusal.http_status == HTTPStatus.NOT_FOUND:
                return None
            raise
        return read_run(answer.data)

    def copy(self, source_key: str, key: str) -> None:
        """Have Studio copy a run. Raises RunExists, and CourseSiteRefused with its reason.

        A rerun stays in the organization of its source; into another one, Studio clones.
        """
        org, number, run = _parts(key)
        try:
            if _parts(source_key)[0] == org:
                self._client.post(f"{_path(source_key)}rerun/", {"number": number, "run": run}, server=Server.STUDIO)
            else:
                body = {"source_course_id": source_key, "destination_course_id": key}
                self._client.post(f"{PATH}clone/", body, server=Server.STUDIO)
        except CourseSiteRefused as refusal:
            if refusal.http_status == HTTPStatus.CONFLICT or "already exist" in refusal.sentence.lower():
                raise RunExists from refusal
            raise

    def edit(self, key: str, *, schedule: Schedule, title: str = "", is_self_paced: bool | None = None) -> StudioRun:
        """Set the dates, and title and pace if they are given. Doing it twice changes nothing."""
        body: dict[str, Any] = {
            "schedule": {
                "enrollment_start": _format(schedule.enrollment_start),
                "enrollment_end": _format(schedule.enrollment_end),
            }
        }
        for name, moment in (("start", schedule.start), ("end", schedule.end)):
            if moment is not None:
                body["schedule"][name] = _format(moment)
        if title:
            body["title"] = title
        if is_self_paced is not None:
            body["pacing_type"] = "self_paced" if is_self_paced else "instructor_paced"
        return read_run(self._client.patch(_path(key), body, server=Server.STUDIO).data)

    def pages(self) -> Iterator[list[StudioRun]]:
        """Yield all runs of Studio, a page at a time."""
        for number in range(1, _MOST_PAGES):
            query = {"page": str(number), "page_size": str(_PAGE_SIZE)}
            data = self._client.get(PATH, params=query, server=Server.STUDIO).data
            if not isinstance(data, Mapping) or not isinstance(data.get("results"), list):
                raise CourseSiteUnreadable
            yield [read_run(each) for each in data["results"]]
            if not data.get("next"):
                return


def read_run(raw: JSON) -> StudioRun:
    """Parse a run as Studio describes it; raises CourseSiteUnreadable without a key or title."""
    if not isinstance(raw, Mapping):
        raise CourseSiteUnreadable
    key, title = raw.get("id"), raw.get("title")
    if not isinstance(key, str) or not isinstance(title, str):
        raise CourseSiteUnreadable
    schedule = raw.get("schedule")
    dates = schedule if isinstance(schedule, Mapping) else {}
    return StudioRun(
        key=key,
        title=title.replace("\0", "").strip()[:LONGEST_TITLE],
        is_self_paced=raw.get("pacing_type") == "self_paced",
        start=_moment(dates.get("start")),
        end=_moment(dates.get("end")),
        enrollment_start=_moment(dates.get("enrollment_start")),
        enrollment_end=_moment(dates.get("enrollment_end")),
    )


def to_seconds(moment: datetime | None) -> datetime | None:
    """Return the moment as precisely as the course site keeps it."""
    return moment.replace(microsecond=0) if moment is not None else None


def _moment(text: Any) -> datetime | None:
    if not isinstance(text, str) or not text:
        return None
    try:
        moment = parse_datetime(text)
    except ValueError as error:
        raise CourseSiteUnreadable from error
    if moment is None:
        raise CourseSiteUnreadable
    return to_seconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _format(moment: datetime | None) -> str | None:
    whole = to_seconds(moment)
    return whole.astimezone(UTC).isoformat().replace("+00:00", "Z") if whole is not None else None


def _path(key: str) -> str:
    return f"{PATH}{quote(key, safe=':+~@')}/"


def _parts(key: str) -> tuple[str, str, str]:
    """Return organization, number and run of a key, which has been checked before it got into our tables."""
    org, number, run, *_branch = key.partition(":")[2].split("+")
    return org, number, run

import re
from io import StringIO
from typing import Any
from unittest.mock import MagicMock

import pytest
from celery import Celery, current_app
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from mitxonline.celery import TracedTask
from mitxonline.kernel import broker
from mitxonline.kernel.broker import send_tasks
from mitxonline.kernel.console import OperatorCommand
from mitxonline.kernel.trace import (
    TraceMiddleware,
    find_trace_ids,
    open_trace,
    read_traceparent,
    trace_id,
    traceparent,
)
from mitxonline.logs import redact

THEIRS = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{THEIRS}-00f067aa0ba902b7-01"


def answer(request: HttpRequest) -> HttpResponse:
    return HttpResponse(trace_id())


def test_a_request_has_one_id_and_says_it(rf: RequestFactory) -> None:
    response = TraceMiddleware(answer)(rf.get("/"))
    assert response.content.decode() == response["X-Request-ID"] != ""
    assert trace_id() == ""


@pytest.fixture
def _behind_a_proxy(settings: Any) -> None:
    settings.TRUSTED_PROXY_COUNT = 1


def offer(rf: RequestFactory, *, forwarded: str = "203.0.113.7", **headers: str) -> HttpResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return TraceMiddleware(answer)(rf.get("/", headers={"X-Forwarded-For": forwarded, **named}))


@pytest.mark.usefixtures("_behind_a_proxy")
def test_a_proxys_id_is_taken_over(rf: RequestFactory) -> None:
    assert offer(rf, X_Request_ID="abc-12345").content == b"abc-12345"


@pytest.mark.usefixtures("_behind_a_proxy")
@pytest.mark.parametrize("offered", ["short", "x" * 65, "a b c d e f g h", "line\nbreak-12345"])
def test_an_id_that_could_forge_a_log_line_is_not(rf: RequestFactory, offered: str) -> None:
    assert offer(rf, X_Request_ID=offered)["X-Request-ID"] != offered


@pytest.mark.parametrize(("proxies", "forwarded"), [(0, "203.0.113.7"), (2, "203.0.113.7"), (1, "")])
def test_a_visitor_cant_join_anothers_trace(rf: RequestFactory, settings: Any, proxies: int, forwarded: str) -> None:
    settings.TRUSTED_PROXY_COUNT = proxies
    response = offer(rf, forwarded=forwarded, X_Request_ID="abc-12345", traceparent=PARENT)
    assert response["X-Request-ID"] not in ("abc-12345", THEIRS)


@pytest.mark.usefixtures("_behind_a_proxy")
def test_a_proxys_traceparent_comes_before_its_request_id(rf: RequestFactory) -> None:
    assert offer(rf, X_Request_ID="abc-12345", traceparent=PARENT)["X-Request-ID"] == THEIRS


@pytest.mark.usefixtures("_behind_a_proxy")
@pytest.mark.parametrize(
    "header",
    [
        "",
        THEIRS,
        f"ff-{THEIRS}-00f067aa0ba902b7-01",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{THEIRS}-{'0' * 16}-01",
        f"00-{THEIRS.upper()}-00f067aa0ba902b7-01",
        f"{PARENT}-more",
        f"{PARENT},{PARENT}",
    ],
)
def test_what_is_no_traceparent_is_ignored(rf: RequestFactory, header: str) -> None:
    assert offer(rf, X_Request_ID="abc-12345", traceparent=header)["X-Request-ID"] == "abc-12345"


def test_later_versions_of_traceparent_may_say_more() -> None:
    assert read_traceparent(f"cc-{THEIRS}-00f067aa0ba902b7-01-what-comes-later") == THEIRS


def test_a_call_to_another_system_belongs_to_the_trace() -> None:
    with open_trace() as ours:
        first, second = traceparent(), traceparent()
    assert re.fullmatch(rf"00-{'0' * 16}{ours}-[0-9a-f]{{16}}-01", first)
    assert first != second, "each call is a span of its own"
    assert read_traceparent(first) == ours, "another site of ours shows the same id"
    with open_trace(THEIRS):
        assert traceparent().split("-")[1] == THEIRS
    with open_trace("request-77"):
        assert traceparent().split("-")[1] == traceparent().split("-")[1] != "0" * 32
    assert read_traceparent(traceparent()), "and outside a trace it is valid too"


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        (PARENT, [THEIRS]),
        (THEIRS, [THEIRS]),
        (" 0123456789abcdef\n", ["0123456789abcdef"]),
        ("00000000000000000123456789ABCDEF", ["00000000000000000123456789ABCDEF", "0123456789abcdef"]),
        ("abc-12345", ["abc-12345"]),
        ("an order", []),
        ("", []),
    ],
)
def test_what_a_person_may_search_for(text: str, ids: list[str]) -> None:
    assert find_trace_ids(text) == ids


def test_traces_nest_and_are_not_taken_for_codes() -> None:
    with open_trace("outer-trace") as outer:
        with open_trace() as inner:
            assert trace_id() == inner != outer
        assert trace_id() == outer
    assert redact(inner) == inner


def test_a_trace_as_long_as_a_code_is_kept_in_its_own_lines() -> None:
    with open_trace(THEIRS):
        assert redact(f"{THEIRS} and {THEIRS[::-1]}") == f"{THEIRS} and [code]"
    assert redact(THEIRS) == "[code]"


def test_a_task_continues_the_trace_of_whatever_queued_it() -> None:
    app = Celery("tests", task_cls=TracedTask, set_as_current=False)
    task = app.task(name="tests.trace_id")(trace_id)
    task.push_request(trace="request-77")
    assert task() == "request-77"
    task.pop_request()
    assert len(task()) == 16, "a trace of its own"


def test_a_command_has_a_trace_and_one_in_a_task_the_tasks() -> None:
    class Command(OperatorCommand):
        requires_system_checks = ()

        def handle(self, *args: object, **options: object) -> str:
            return trace_id()

    with open_trace("request-77"):
        assert call_command(Command(), stdout=StringIO()) == "request-77"
    assert re.fullmatch("[0-9a-f]{16}", call_command(Command(), stdout=StringIO()))


def test_a_queued_task_carries_the_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(broker, "_producers", MagicMock())
    monkeypatch.setattr(current_app, "send_task", lambda name, **options: sent.append(options))
    with open_trace("request-77"):
        assert send_tasks("tests.nothing", [(1,)]) == 1
    assert sent[0]["headers"] == {"trace": "request-77"}

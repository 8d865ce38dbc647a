from typing import Any
from unittest.mock import MagicMock

import pytest
from celery import Celery, current_app
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from mitxonline.celery import TracedTask
from mitxonline.kernel import broker
from mitxonline.kernel.broker import send_tasks
from mitxonline.kernel.trace import TraceMiddleware, open_trace, trace_id
from mitxonline.logs import redact


def answer(request: HttpRequest) -> HttpResponse:
    return HttpResponse(trace_id())


def test_a_request_has_one_id_and_says_it(rf: RequestFactory) -> None:
    response = TraceMiddleware(answer)(rf.get("/"))
    assert response.content.decode() == response["X-Request-ID"] != ""
    assert trace_id() == ""


def test_a_proxys_id_is_taken_over(rf: RequestFactory) -> None:
    assert TraceMiddleware(answer)(rf.get("/", headers={"X-Request-ID": "abc-12345"})).content == b"abc-12345"


@pytest.mark.parametrize("offered", ["short", "x" * 65, "a b c d e f g h", "line\nbreak-12345"])
def test_an_id_that_could_forge_a_log_line_is_not(rf: RequestFactory, offered: str) -> None:
    response = TraceMiddleware(answer)(rf.get("/", headers={"X-Request-ID": offered}))
    assert response["X-Request-ID"] != offered


def test_traces_nest_and_are_not_taken_for_codes() -> None:
    with open_trace("outer-trace") as outer:
        with open_trace() as inner:
            assert trace_id() == inner != outer
        assert trace_id() == outer
    assert redact(inner) == inner


def test_a_task_continues_the_trace_of_whatever_queued_it() -> None:
    app = Celery("tests", task_cls=TracedTask, set_as_current=False)
    task = app.task(name="tests.trace_id")(trace_id)
    task.push_request(trace="request-77")
    assert task() == "request-77"
    task.pop_request()
    assert len(task()) == 16, "a trace of its own"


def test_a_queued_task_carries_the_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(broker, "_producers", MagicMock())
    monkeypatch.setattr(current_app, "send_task", lambda name, **options: sent.append(options))
    with open_trace("request-77"):
        assert send_tasks("tests.nothing", [(1,)]) == 1
    assert sent[0]["headers"] == {"trace": "request-77"}

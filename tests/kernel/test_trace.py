import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

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

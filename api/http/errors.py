"""Refusals as JSON, in one of two forms that the caller chooses by `Accept`.

Without a choice the body is `{"detail": sentence, "code": …}`, with the refusal's data as `data`, and for wrong fields
each with its sentences. With `application/problem+json` it is a problem of RFC 9457.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext_lazy as _
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from mitxonline.kernel.constraints import refusal_for
from mitxonline.kernel.errors import DomainError, Forbidden, NotFound, RateLimited
from mitxonline.kernel.trace import trace_id

logger = logging.getLogger(__name__)

PROBLEM = "application/problem+json"
# What is wrong with a request as a whole, where the file's front end looks for it.
WHOLE = "non_field_errors"


class NotSignedIn(DomainError):
    code = "not_signed_in"
    status = 403
    heading = _("You aren’t signed in")
    message = _("Sign in, or send an API key or a token.")


class BadCredentials(DomainError):
    """A key or token that can't be used. The reason isn't told to whoever tries some."""

    code = "bad_credentials"
    status = 401
    heading = _("This key or token doesn’t work")
    message = _("It is unknown, has expired or was revoked.")


class CredentialsUnclear(DomainError):
    code = "credentials_unclear"
    status = 503
    heading = _("We can’t check this token")
    message = _("The provider that issued it doesn’t answer. Try again in a minute.")


class CsrfMissing(DomainError):
    code = "csrf"
    status = 403
    heading = _("The CSRF token is missing or wrong")
    message = _("Send the value of the csrftoken cookie as X-CSRFToken.")


class InvalidRequest(DomainError):
    """Fields of a request are missing or wrong; `errors` has sentences by field."""

    code = "invalid"
    status = 400
    heading = _("Something in the request is wrong")
    message = "{first}"

    errors: Mapping[str, list[str]]

    def details(self) -> dict[str, object]:
        name, sentences = next(iter(self.errors.items()), (WHOLE, [""]))
        return super().details() | {"first": sentences[0] if name == WHOLE else f"{name}: {sentences[0]}"}


class BodyUnreadable(DomainError):
    code = "unreadable"
    status = 400
    heading = _("The request’s body can’t be read")
    message = _("Send JSON, or a form.")


class MethodNotAllowed(DomainError):
    code = "method_not_allowed"
    status = 405
    heading = _("This method isn’t allowed here")
    message = _("This address doesn’t take the method of the request.")


class ServerFailure(DomainError):
    code = "failure"
    status = 500
    heading = _("Something went wrong on our end")
    message = _("Try again later. If it stays, tell support the X-Trace-Id.")


_BY_STATUS: Mapping[int, type[DomainError]] = {
    400: BodyUnreadable,
    401: BadCredentials,
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
}


def refuse_fields(**errors: str) -> InvalidRequest:
    """Make the refusal of wrong fields: a sentence for each."""
    return InvalidRequest(errors={name: [str(sentence)] for name, sentence in errors.items()})


def refusal_of_status(status: int) -> DomainError:
    """Return the refusal that says what a status says."""
    return _BY_STATUS.get(status, ServerFailure if status >= HTTPStatus.INTERNAL_SERVER_ERROR else BodyUnreadable)()


def refuse(request: HttpRequest, error: DomainError, *, status: int | None = None) -> HttpResponse:
    """The response to a refusal."""
    status = status or error.status
    is_problem = _wants_problem(request)
    body = _problem(error, status) if is_problem else _detail(error)
    response = JsonResponse(body, status=status, content_type=PROBLEM if is_problem else "application/json")
    if isinstance(error, RateLimited):
        response.headers["Retry-After"] = str(error.retry_after)
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Bearer realm="api"'
    return response


def add_refusals(api: NinjaAPI) -> None:
    """Make an API answer with our refusals, whatever was raised."""
    api.add_exception_handler(DomainError, _refuse_domain_error)
    api.add_exception_handler(ValidationError, _refuse_invalid)
    api.add_exception_handler(IntegrityError, _refuse_constraint)
    api.add_exception_handler(Http404, lambda request, _error: refuse(request, NotFound()))
    api.add_exception_handler(HttpError, _refuse_http_error)
    api.add_exception_handler(Exception, _raise)


# Ninja's types allow classes of errors too, but only errors are raised.


def _refuse_domain_error(request: HttpRequest, error: DomainError | type[DomainError]) -> HttpResponse:
    return refuse(request, error if isinstance(error, DomainError) else error())


def _refuse_http_error(request: HttpRequest, error: HttpError | type[HttpError]) -> HttpResponse:
    return refuse(request, refusal_of_status(getattr(error, "status_code", 500)))


def _refuse_invalid(request: HttpRequest, error: ValidationError | type[ValidationError]) -> HttpResponse:
    if isinstance(error, type) or any(each["loc"][0] == "path" for each in error.errors):
        return refuse(request, NotFound())  # an id that is no number names nothing
    return refuse(request, InvalidRequest(errors=_by_field(error.errors)))


def _by_field(errors: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return sentences by field. The first part of a place is where it stood, the second our parameter's name."""
    found: dict[str, list[str]] = {}
    for each in errors:
        place = [str(part) for part in each["loc"][1:]]
        if each["loc"][0] in ("body", "query", "form") and len(place) > 1:
            place = place[1:]
        found.setdefault(".".join(place) or WHOLE, []).append(_sentence(each))
    return found


def _sentence(error: Mapping[str, Any]) -> str:
    text = str(error["msg"]).removeprefix("Value error, ")
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _refuse_constraint(request: HttpRequest, error: IntegrityError | type[IntegrityError]) -> HttpResponse:
    if isinstance(error, type) or (refusal := refusal_for(error)) is None:
        raise error
    # Every check before the database's should have refused this, so whoever runs the site hears of it.
    logger.error("a constraint refused what no check had", exc_info=error)
    return refuse(request, refusal)


def _raise(_request: HttpRequest, error: Exception | type[Exception]) -> HttpResponse:
    raise error


def _wants_problem(request: HttpRequest) -> bool:
    return request.get_preferred_type(["application/json", PROBLEM]) == PROBLEM


def _detail(error: DomainError) -> dict[str, Any]:
    body: dict[str, Any] = {"detail": str(error), "code": error.code}
    if error.exposes:
        body["data"] = error.data()
    return {**error.errors, **body} if isinstance(error, InvalidRequest) else body


def _problem(error: DomainError, status: int) -> dict[str, Any]:
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": error.heading_text,
        "status": status,
        "detail": str(error),
        "code": error.code,
        "instance": f"urn:trace:{trace_id()}",
    }
    if error.exposes:
        body["data"] = error.data()
    if isinstance(error, InvalidRequest):
        body["errors"] = [
            {"pointer": "#/" + name.replace(".", "/"), "detail": sentence}
            for name, sentences in error.errors.items()
            for sentence in sentences
        ]
    return body

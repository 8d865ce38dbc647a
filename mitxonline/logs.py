"""Log formats, without people's e-mail addresses and without codes that open a course."""

import logging
import re
from typing import Any

import structlog
from structlog.contextvars import get_contextvars

# Also as a parameter in the address of a call, where the @ and what isn't ASCII are quoted, or quoted twice.
_QUOTED = r"%(?:25)?(?:2[Bb]|[89A-Fa-f][0-9A-Fa-f])"
# Bounded and without going back, because anyone can ask for an address of thousands of such characters.
_EMAIL = re.compile(
    rf"(?:[\w.+-]|{_QUOTED}){{1,64}}+(?:@|%(?:25)?40)(?:[\w-]|{_QUOTED})++(?:\.(?:[\w-]|{_QUOTED})++)++"
)
_UUID = re.compile(r"(?:(?<![\w[-])|(?<=%2[Ff]))[0-9a-fA-F]{8}(?:-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}(?![\w\]-])")
# Parts of addresses that open something for anyone who has them: codes, and tokens from e-mails about accounts. Such an
# address may itself be a value in another one (`?next=%2Fenrollmentcode%2F…`).
_SLASH = r"(?:/|%2[Ff])"
_PART = r"(?:(?!%2[Ff])[^/?&\s\"'])+"
_IN_ADDRESS = re.compile(
    rf"({_SLASH}(?:enrollmentcode|verify-email|password-reset{_SLASH}{_PART}|account{_SLASH}(?:email|delete)"
    rf"|login{_SLASH}connect|b2b{_SLASH}attach|create_from_product{_SLASH}\d+){_SLASH}"
    rf"|contracts{_SLASH}\d+{_SLASH}codes{_SLASH}(?!(?:bulk_assign|send_test_email)(?:/|%2[Ff]))"
    rf"|[?&](?:code|token)=){_PART}"
)
# What else an error of a library may quote: whom it signed in as, and with what.
_NAMED = re.compile(
    r"""(?ix) ( \b [\w-]*
        (?: password | passwd | secret | token | api[_-]?key | signature | credentials? | authorization | cookie
        | session(?:id)? )
    ["']? \s* [=:] \s* (?: (?:bearer|basic|jwt) \s+ )? ["']? ) [^\s"'&,;)]+ """
)
_SCHEME = re.compile(r"(?i)\b(bearer|basic|jwt)\s+[\w.~+/=-]{8,}")
_LOGIN = re.compile(r"(?<=://)[^/\s@]+@")
_CODE = re.compile(r"(?i)(\bcodes?\b[\s:=]*[\"'“‘]?)(?=[\w-]*[a-z])(?-i:(?=[\w-]*[A-Z]))[\w-]{4,}")
_OPAQUE = re.compile(r"(?<![\w./-])(?=[\w+=-]*\d)(?=[\w+=-]*[A-Za-z])[\w+=-]{20,}")
_NUMBER = re.compile(r"(?<![\w.])(?:\+\d(?:[ -]?\d){7,}|\d(?:[ -]?\d){12,})(?!\w)")


def redact(text: str) -> str:
    """Replace e-mail addresses, and the codes and tokens that open something.

    Enrollment codes are UUIDs. A UUID in square brackets stays: that is how Celery writes the id of a task. So does the
    id of the open trace, which may be as long as a code.
    """
    trace = get_contextvars().get("trace")
    text = _IN_ADDRESS.sub(r"\1[code]", _EMAIL.sub("[e-mail]", text))
    return _UUID.sub(lambda found: found[0] if found[0] == trace else "[code]", text)


def scrub(message: str) -> str:
    """Return an error's message for people to read: one line, without anything that `redact` removes, nor passwords,
    tokens, codes that are typed in, or long numbers. What could be one of them counts as one.
    """
    # Lines after the first quote rows of the database or bodies of answers.
    line = redact(_LOGIN.sub("[login]@", message.strip().split("\n", 1)[0].strip()))
    for pattern, text in (
        (_NAMED, r"\1[secret]"),
        (_SCHEME, r"\1 [secret]"),
        (_CODE, r"\1[code]"),
        (_OPAQUE, "[secret]"),
        (_NUMBER, "[number]"),
    ):
        line = pattern.sub(text, line)
    return line[:200]


def redact_report(event: Any, _hint: dict[str, Any]) -> Any:
    """Redact all strings of an error report, for Sentry's `before_send`."""
    return _redact(event)


def _redact(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: _redact(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_redact(each) for each in value]
    return value


class _RedactingFormatter(structlog.stdlib.ProcessorFormatter):
    """Redacts the finished line, whether we or a library logged it."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class LineFormatter(_RedactingFormatter):
    """Lines for people."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                # Plain tracebacks, because rich ones show the values of variables, which may be codes.
                structlog.dev.ConsoleRenderer(
                    colors=False, pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
                ),
            ],
            **options,
        )


class JsonFormatter(_RedactingFormatter):
    """Lines for machines."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(default=str),
            ],
            **options,
        )

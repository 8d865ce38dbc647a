"""What a log may hold: no addresses of people, no codes that open a course."""

import logging
import re
from typing import Any

import structlog

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_UUID = re.compile(r"(?:(?<![\w[-])|(?<=%2[Ff]))[0-9a-fA-F]{8}(?:-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}(?![\w\]-])")
# What opens something for whoever has it: codes, and the links of account mails; also where such an address is itself a
# value in another one (`?next=%2Fenrollmentcode%2F…`).
_SLASH = r"(?:/|%2[Ff])"
_PART = r"(?:(?!%2[Ff])[^/?&\s\"'])+"
_IN_ADDRESS = re.compile(
    rf"({_SLASH}(?:enrollmentcode|verify-email|password-reset{_SLASH}{_PART}){_SLASH}|[?&](?:code|token)=){_PART}"
)


def redact(text: str) -> str:
    """The text without e-mail addresses and enrollment codes.

    Codes are UUIDs; one in square brackets is the number of a task, which Celery writes so, and stays.
    """
    return _UUID.sub("[code]", _IN_ADDRESS.sub(r"\1[code]", _EMAIL.sub("[e-mail]", text)))


def redact_report(event: Any, _hint: dict[str, Any]) -> Any:
    """An error report whose strings are redacted, at any depth."""
    return _redact(event)


def _redact(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: _redact(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_redact(each) for each in value]
    return value


class _Redacting(structlog.stdlib.ProcessorFormatter):
    """The last word: whatever was logged, by us or by a library, is redacted as it is written."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class LineFormatter(_Redacting):
    """A line a person reads."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                # A plain traceback: the rich one shows the values of variables, and some of those are codes.
                structlog.dev.ConsoleRenderer(
                    colors=False, pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
                ),
            ],
            **options,
        )


class JsonFormatter(_Redacting):
    """A line a machine reads."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(default=str),
            ],
            **options,
        )

"""Logs on stderr: lines for people in development, JSON in production."""

from typing import Any

import structlog
from django.core.exceptions import ImproperlyConfigured
from structlog.typing import EventDict, Processor, WrappedLogger

from mitxonline.settings.env import env

LOG_LEVEL = env.str("LOG_LEVEL", "INFO").upper()
if LOG_LEVEL not in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
    raise ImproperlyConfigured("LOG_LEVEL has to be DEBUG, INFO, WARNING or ERROR.")


def _drop_requests(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    # Django attaches the request to its own records, whose message has what matters of it.
    for name in ("request", "server_time"):
        event.pop(name, None)
    return event


_SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.ExtraAdder(),  # logger.info("…", extra={"order": 7}) shows order=7
    _drop_requests,
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
]

structlog.configure(
    processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)


def logging_config(*, json: bool) -> dict[str, Any]:
    """Return a configuration with one handler, whose formatter redacts every line."""
    formatter = "mitxonline.logs.JsonFormatter" if json else "mitxonline.logs.LineFormatter"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"all": {"()": formatter, "foreign_pre_chain": _SHARED}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "all"}},
        "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
        "loggers": {
            "django": {"handlers": [], "level": LOG_LEVEL, "propagate": True},
            "django.server": {"handlers": [], "level": LOG_LEVEL, "propagate": True},
            "_granian": {"handlers": [], "level": LOG_LEVEL, "propagate": True},
            "celery.worker.strategy": {"level": "WARNING"},
            "fontTools": {"level": "WARNING"},  # below that it writes some fifty lines for every receipt
            "stripe": {"level": "WARNING"},  # below this level it logs e-mail addresses that it refused
        },
    }


LOGGING = logging_config(json=False)

"""The Celery application, and the tasks that belong to no app."""

import os
import sys
import time
from typing import Any

from celery import Celery, Task, shared_task
from celery.signals import task_postrun, task_prerun, worker_init
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, close_old_connections, connections

from mitxonline.kernel.trace import open_trace
from mitxonline.startup import refuse_wrong_routes

# Without a name the settings are production's, which refuse to start without what they need. manage.py uses
# development's.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mitxonline.settings.production")


class TracedTask(Task[..., Any]):
    """A task that runs in the trace of whatever queued it, or in one of its own."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with open_trace(self.request.get("trace") or ""):
            return super().__call__(*args, **kwargs)


app = Celery("mitxonline", task_cls=TracedTask)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect
def _refuse_wrong_routes(**_kwargs: Any) -> None:
    try:
        refuse_wrong_routes()
    except ImproperlyConfigured as error:
        sys.exit(str(error))  # Celery would log any other exception, and start.


# Seconds after a task for which its connection counts as good, so that a busy worker doesn't ask before each task.
_TRUST = 1.0
_last_end = -_TRUST


def keep_good_connections(sender: Any = None, **_kwargs: Any) -> None:
    """Close database connections that are broken or older than `CONN_MAX_AGE`, as Django does around a request.

    Celery would open one for each task (`CELERY_DB_REUSE_MAX`).
    """
    if not sender.request.is_eager:
        close_old_connections()
        if time.monotonic() - _last_end < _TRUST:
            connections[DEFAULT_DB_ALIAS].health_check_done = True  # type: ignore[attr-defined]


def note_end(sender: Any = None, **kwargs: Any) -> None:
    global _last_end
    keep_good_connections(sender, **kwargs)
    _last_end = time.monotonic()


task_prerun.connect(keep_good_connections, dispatch_uid="good connections before a task")
task_postrun.connect(note_end, dispatch_uid="good connections after a task")


@shared_task
def publish_scheduled_pages() -> None:
    """Publish and unpublish the pages that are due."""
    call_command("publish_scheduled")


@shared_task
def clear_sessions() -> None:
    """Delete expired sessions."""
    call_command("clearsessions")

"""The worker's side of the project."""

import os

from celery import Celery, shared_task
from django.core.management import call_command

# Who says nothing means production, which refuses to start without what it needs. manage.py says development.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mitxonline.settings.production")

app = Celery("mitxonline")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@shared_task
def publish_scheduled_pages() -> None:
    """Publish and unpublish the pages whose moment has come."""
    call_command("publish_scheduled")


@shared_task
def clear_sessions() -> None:
    """Delete the sessions that have ended."""
    call_command("clearsessions")

"""Scheduled tasks exist and reach a worker."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from mitxonline.celery import app, clear_sessions
from tests.support.broker import StartWorker, until


def test_a_task_sent_by_the_web_is_done_by_a_worker(start_worker: StartWorker) -> None:
    start_worker()
    yesterday = timezone.now() - timedelta(days=1)
    Session.objects.create(session_key="ended", session_data="", expire_date=yesterday)
    clear_sessions.delay()
    until(lambda: not Session.objects.exists())


@pytest.mark.django_db  # a worker that starts runs the checks, which ask the database
@pytest.mark.parametrize("name", ["publish_scheduled_pages", "clear_sessions"])
def test_scheduled_tasks_exist(name: str) -> None:
    app.loader.import_default_modules()
    assert f"mitxonline.celery.{name}" in app.tasks

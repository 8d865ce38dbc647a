"""What is sent reaches a worker."""

import subprocess
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone
from redis import Redis

from mitxonline.celery import app, clear_sessions
from mitxonline.embedded.locks import wait_until


def test_a_task_sent_by_the_web_is_done_by_a_worker(celery_worker: "subprocess.Popen[str]") -> None:
    yesterday = timezone.now() - timedelta(days=1)
    Session.objects.create(session_key="ended", session_data="", expire_date=yesterday)
    clear_sessions.delay()
    assert wait_until(lambda: not Session.objects.exists(), seconds=20)


def test_without_a_worker_a_task_waits(redis_broker: str) -> None:
    clear_sessions.delay()
    with Redis.from_url(redis_broker) as broker:
        assert broker.llen(app.conf.task_default_queue) == 1


@pytest.mark.parametrize("name", ["publish_scheduled_pages", "clear_sessions"])
def test_scheduled_tasks_exist(name: str) -> None:
    app.loader.import_default_modules()
    assert f"mitxonline.celery.{name}" in app.tasks

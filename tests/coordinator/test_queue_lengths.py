"""The queues as monitoring, the sweep and workers read them, on Redis and on RabbitMQ."""

from __future__ import annotations

import pytest
from django.conf import settings
from kombu.exceptions import OperationalError

from mitxonline.coordinator.metrics import collect_queues
from mitxonline.coordinator.sending import DELIVER
from mitxonline.kernel.broker import broker_pause, measure_queues, send_tasks, take_task
from tests.support.brokers import OwnRabbit, OwnRedis

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("own brokers")]

HERE, ELSEWHERE = settings.CELERY_TASK_DEFAULT_QUEUE, settings.REMOTE_QUEUE


def test_queues_are_measured(own_broker: OwnRedis | OwnRabbit) -> None:
    assert measure_queues() == {HERE: 0, ELSEWHERE: 0}
    assert send_tasks(DELIVER, [(each,) for each in range(3)]) == 3
    assert send_tasks(DELIVER, [(7,)], queue=ELSEWHERE) == 1
    assert measure_queues() == {HERE: 3, ELSEWHERE: 1}
    (family,) = collect_queues()
    assert {sample.labels["queue"]: sample.value for sample in family.samples} == {HERE: 3, ELSEWHERE: 1}


def test_queues_that_no_worker_ever_declared_are_empty(own_broker: OwnRedis | OwnRabbit) -> None:
    own_broker.kill()
    own_broker.forget()
    own_broker.start()
    assert measure_queues() == {HERE: 0, ELSEWHERE: 0}


def test_a_broker_that_is_away_says_so(own_broker: OwnRedis | OwnRabbit) -> None:
    own_broker.kill()
    with pytest.raises((OperationalError, OSError)):
        measure_queues()


def test_the_first_task_is_taken_if_it_has_that_name(own_broker: OwnRedis | OwnRabbit) -> None:
    assert take_task(DELIVER, queue=HERE) is None
    assert send_tasks(DELIVER, [(1,), (2,)]) == 2
    assert send_tasks("another.task", [(3,)]) == 1
    assert send_tasks(DELIVER, [(4,)]) == 1
    assert [take_task(DELIVER, queue=HERE) for _each in range(4)] == [[1], [2], None, None]
    assert measure_queues()[HERE] == 2, "the other one keeps its place"
    assert take_task("another.task", queue=HERE) == [3]
    assert take_task(DELIVER, queue=HERE) == [4]
    assert measure_queues()[HERE] == 0


def test_nothing_is_taken_from_a_broker_that_is_away(own_broker: OwnRedis | OwnRabbit) -> None:
    assert send_tasks(DELIVER, [(1,)]) == 1
    assert take_task(DELIVER, queue=HERE) == [1]
    own_broker.kill()
    assert take_task(DELIVER, queue=HERE) is None
    assert broker_pause.is_on()
    own_broker.start()
    broker_pause.end()
    assert send_tasks(DELIVER, [(2,)]) == 1
    assert take_task(DELIVER, queue=HERE) == [2]

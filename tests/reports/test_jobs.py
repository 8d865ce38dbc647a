"""Reports in the background: asked for once, written with progress, fetched by whoever asked while they may."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.files.storage import default_storage

from courses.models import Course
from ecommerce.enums import Role
from ecommerce.models import ShopRole
from ecommerce.roles import ShopScope
from mitxonline.kernel import clock
from mitxonline.kernel.spreadsheets import csv_pieces
from mitxonline.settings.parts.tasks import CELERY_BEAT_SCHEDULE
from mitxonline.users.models import User
from reports import tasks
from reports.enums import JobState
from reports.exports import jobs
from reports.exports.base import Asked
from reports.exports.jobs import sweep_jobs, write_job
from reports.models import ReportJob
from tests.factories import NOON, make_user
from tests.reports.world import BASE, MARCH, Shop, client_of, course_id_of, make_shop, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Shop:
    return make_shop()


def finance_of(course_id: int | None = None) -> User:
    user = make_user()
    ShopRole.objects.create(user=user, role=Role.FINANCE_ADMIN, course_id=course_id, given_at=NOON)
    return user


def ask(client: Any, slug: str = "purchases", style: str = "csv", **asked: str) -> Any:
    return client.post(f"{BASE}{slug}/background/", {**MARCH, "file": style, **asked}, follow=True)


def fetch(client: Any, job: ReportJob) -> str:
    response = client.get(f"{BASE}files/{job.pk}/file/")
    assert response.status_code == 200
    text: str = b"".join(response.streaming_content).decode("utf-8-sig")
    for close in response._resource_closers:  # closing the answer itself would end the database's connection too
        close()
    return text


def test_a_file_is_written_announced_and_fetched(shop: Shop) -> None:
    user = finance_of()
    client = client_of(user)
    assert "Waiting for a worker" in text_of(ask(client))
    job = ReportJob.objects.get()
    assert (job.rows_total, job.courses, job.asked_by) == (5, None, user)
    tasks.write_report(job.pk)
    job.refresh_from_db()
    assert (job.state, job.percent) == (JobState.DONE, 100)
    assert job.file.startswith("documents/reports/")
    [message] = mail.outbox
    assert message.to == [user.email]
    assert f"{BASE}files/{job.pk}/" in message.body
    assert "Download" in text_of(client.get(f"{BASE}files/{job.pk}/"))
    lines = fetch(client, job).splitlines()
    assert len(lines) == 6
    assert lines[0].startswith("Sold,Order")
    tasks.write_report(job.pk)
    assert len(mail.outbox) == 1, "a task may run twice"


def test_a_workbook_too(shop: Shop) -> None:
    client = client_of(finance_of())
    ask(client, style="xlsx")
    job = ReportJob.objects.get()
    write_job(job_id=job.pk, now=clock.now())
    response = client.get(f"{BASE}files/{job.pk}/file/")
    assert b"".join(response.streaming_content).startswith(b"PK")  # type: ignore[attr-defined]
    response.close()


def test_one_at_a_time_and_the_second_says_so(shop: Shop) -> None:
    client, other = client_of(finance_of()), client_of(finance_of())
    ask(client)
    assert "This report is already being written for you." in text_of(ask(client))
    assert ReportJob.objects.count() == 1
    ask(client, slug="refunds")
    ask(other)
    assert ReportJob.objects.count() == 3
    write_job(job_id=ReportJob.objects.order_by("pk")[0].pk, now=clock.now())
    ask(client)
    assert ReportJob.objects.count() == 4, "the first one is done"


def test_only_who_asked_may_fetch_it(shop: Shop) -> None:
    ask(client_of(finance_of()))
    job = ReportJob.objects.get()
    write_job(job_id=job.pk, now=clock.now())
    for other in (finance_of(), make_user(is_superuser=True)):
        assert client_of(other).get(f"{BASE}files/{job.pk}/").status_code == 404
        assert client_of(other).get(f"{BASE}files/{job.pk}/file/").status_code == 404


def test_rights_are_looked_at_again_when_it_is_written_and_fetched(shop: Shop) -> None:
    user = finance_of(course_id_of(shop.botany))
    client = client_of(user)
    ask(client)
    job = ReportJob.objects.get()
    write_job(job_id=job.pk, now=clock.now())
    text = fetch(client, job)
    assert "Botany" in text
    assert "Zoology" not in text
    ShopRole.objects.filter(user=user).update(course=Course.objects.get(pk=course_id_of(shop.zoology)))
    assert client.get(f"{BASE}files/{job.pk}/file/").status_code == 404
    ask(client)
    waiting = ReportJob.objects.get(state=JobState.WAITING)
    ShopRole.objects.filter(user=user).delete()
    write_job(job_id=waiting.pk, now=clock.now())
    waiting.refresh_from_db()
    assert (waiting.state, waiting.file) == (JobState.FAILED, "")


def test_a_mistake_leads_back_to_the_form(shop: Shop) -> None:
    page = ask(client_of(finance_of()), first="31.3.", csrfmiddlewaretoken="a-token")
    assert "Enter a day like 2027-06-30." in text_of(page)
    assert "a-token" not in page.redirect_chain[0][0]
    assert not ReportJob.objects.exists()


def test_sales_administrators_and_learners_ask_for_nothing_else(shop: Shop) -> None:
    sales = make_user()
    ShopRole.objects.create(user=sales, role=Role.SALES_ADMIN, given_at=NOON)
    for user in (sales, make_user()):
        client_of(user).post(f"{BASE}purchases/background/", {**MARCH, "file": "csv"})
    assert not ReportJob.objects.exists()
    ask(client_of(sales), slug="codes")
    assert ReportJob.objects.count() == 1


def test_progress_is_told_by_the_part_that_reloads(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_of(finance_of())
    ask(client)
    job = ReportJob.objects.get()
    seen = []
    monkeypatch.setattr(jobs, "ROWS_PER_NOTE", 2)

    def watch(rows: Any) -> Any:
        for row in rows:
            seen.append(text_of(client.get(f"{BASE}files/{job.pk}/?state")))
            yield from csv_pieces([row])

    monkeypatch.setattr(jobs, "csv_pieces", watch)
    write_job(job_id=job.pk, now=clock.now())
    assert any("2 of 5 rows" in text for text in seen)
    assert any("4 of 5 rows" in text for text in seen)


def test_the_sweep_gives_up_the_silent_and_deletes_the_old(shop: Shop) -> None:
    client = client_of(finance_of())
    ask(client)
    job = ReportJob.objects.get()
    write_job(job_id=job.pk, now=clock.now())
    ReportJob.objects.update(changed_at=clock.now())
    job.refresh_from_db()
    sweep_jobs(now=clock.now())
    assert default_storage.exists(job.file)
    sweep_jobs(now=clock.now() + timedelta(days=7, minutes=1))
    assert not default_storage.exists(job.file)
    assert "deleted after its time" in text_of(client.get(f"{BASE}files/{job.pk}/file/", follow=True))
    ask(client)
    silent = ReportJob.objects.get(state=JobState.WAITING)
    ReportJob.objects.filter(pk=silent.pk).update(state=JobState.RUNNING)
    sweep_jobs(now=clock.now() + timedelta(minutes=16))
    silent.refresh_from_db()
    assert silent.state == JobState.FAILED
    assert CELERY_BEAT_SCHEDULE["sweep-reports"]["task"] == tasks.sweep_reports.name


def test_what_was_asked_survives_as_json() -> None:
    asked = Asked(
        first=NOON.date(), last=NOON.date(), scope=ShopScope(courses=frozenset([3])), by="month", contract_id=4
    )
    assert Asked.from_json(asked.to_json(), asked.scope) == asked

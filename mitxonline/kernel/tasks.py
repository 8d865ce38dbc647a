"""Celery tasks of the kernel."""

from celery import shared_task

from mitxonline.kernel import versions


@shared_task(ignore_result=True, soft_time_limit=50, time_limit=60)
def compact_versions() -> None:
    """Put old changes of versions together."""
    versions.compact_versions()

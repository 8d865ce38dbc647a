"""Background work for pages."""

from celery import shared_task

from cms.services.search_index import rebuild_index


@shared_task(ignore_result=True, soft_time_limit=1700, time_limit=1800)
def rebuild_search_index() -> None:
    """Read every page anew, in case something was changed past the signals."""
    rebuild_index()

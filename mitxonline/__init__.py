"""The storefront. Loading it makes the Celery application known, so that a task is sent from wherever it is called."""

from mitxonline.celery import app as celery_app

__all__ = ["celery_app"]

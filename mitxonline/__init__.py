"""The storefront. Loading it makes the Celery application known, so that every process can send tasks."""

from mitxonline.celery import app as celery_app

__all__ = ["celery_app"]

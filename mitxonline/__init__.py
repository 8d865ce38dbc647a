"""The storefront. Importing it sets up the Celery application, so that every process can send tasks."""

from mitxonline.celery import app as celery_app

__all__ = ["celery_app"]

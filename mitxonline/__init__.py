"""The storefront. Importing it sets up the Celery application, so that every process can send tasks."""

import gc

from mitxonline.celery import app as celery_app

__all__ = ["celery_app"]

# Starting makes a million objects that live as long as the process. With Python's own threshold of 700 the collector
# went through them again and again, a fifth of the time to start.
gc.set_threshold(50_000, 20, 20)

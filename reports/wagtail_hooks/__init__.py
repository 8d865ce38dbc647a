"""Audits and reports in the Wagtail admin."""

from reports.wagtail_hooks import audits  # noqa: F401 – importing it registers its hooks

"""Audits and reports in the Wagtail admin."""

# Wagtail imports this package; importing the modules registers their hooks.
from reports.wagtail_hooks import audits, contracts, reports  # noqa: F401

"""Audits and reports in the Wagtail admin."""

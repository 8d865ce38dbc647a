"""Organizations and contracts in the Wagtail admin: lists, a workbench for each contract, and what is refused."""

from b2b.wagtail_hooks import courses, needs, page_guards, page_rights, pages, viewsets  # noqa: F401 – importing them registers their hooks

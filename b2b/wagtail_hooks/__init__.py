"""Organizations and contracts in the Wagtail admin: lists, a workbench for each contract, and what is refused."""

from b2b.wagtail_hooks import addresses, log_actions, page_guards

__all__ = ["addresses", "log_actions", "page_guards"]

"""Organizations and contracts in the Wagtail admin: lists, a workbench for each contract, and what is refused."""

from b2b.wagtail_hooks import addresses, keeping, log_actions

__all__ = ["addresses", "keeping", "log_actions"]

"""The shop in the Wagtail admin."""

from ecommerce.wagtail_hooks import log_actions, menu

__all__ = ["log_actions", "menu"]

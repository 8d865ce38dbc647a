"""The shop in the Wagtail admin."""

from ecommerce.wagtail_hooks import discounts, home, log_actions, menu, orders, policies, products

__all__ = ["discounts", "home", "log_actions", "menu", "orders", "policies", "products"]

"""The shop in the Wagtail admin."""

# Wagtail imports this package; importing the modules registers their hooks.
from ecommerce.wagtail_hooks import discounts, home, log_actions, menu, orders, policies, products, unpriced  # noqa: F401

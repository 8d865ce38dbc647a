"""The shop in the Wagtail admin."""

# Wagtail imports this package; importing the modules registers their hooks.
from ecommerce.wagtail_hooks import (  # noqa: F401
    code_desk,
    courses,
    discounts,
    home,
    invoice_policies,
    invoices,
    log_actions,
    menu,
    orders,
    policies,
    products,
    roles,
    run_copies,
    unpriced,
)

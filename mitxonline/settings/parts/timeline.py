"""What apps tell on timelines."""

# Asked in this order: a later one builds on what the earlier ones found.
TIMELINE_SOURCES = (
    "mitxonline.users.timeline.ACCOUNTS",
    "ecommerce.selectors.timeline.SHOP",
    "ecommerce.selectors.invoice_timeline.INVOICES",
    "courses.selectors.timeline.COURSES",
    "b2b.selectors.timeline.CONTRACTS",
    "mitxonline.coordinator.timeline.DELIVERIES",
    "mitxonline.kernel.timeline_log.LOG",
)

"""What is sold, and under which rules."""

DEFAULT_CURRENCY = "USD"

# Asked in this order, once to show and once under the lock.
CHECKOUT_RULES = [
    "ecommerce.rules.Sellable",
    "ecommerce.rules.NotAlreadyEnrolled",
    "b2b.rules.ContractSeats",
]

# The payment page where everybody may decide how a payment ends. Never outside development.
SANDBOX_PAYMENTS = False

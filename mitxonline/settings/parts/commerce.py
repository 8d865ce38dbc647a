"""What is sold, and under which rules."""

DEFAULT_CURRENCY = "USD"

# Asked in this order, once to show and once under the lock. The contracts' first: who comes after a contract's end is
# told so, and not only that its run is closed.
CHECKOUT_RULES = [
    "b2b.rules.ContractSeats",
    "ecommerce.rules.Sellable",
    "ecommerce.rules.NotAlreadyEnrolled",
]

ORDER_NUMBER_PREFIX = "TS"

# How many days after the start (of a self-paced course: after buying) the whole price is given back; 0: never.
REFUND_WINDOW_DAYS = 14

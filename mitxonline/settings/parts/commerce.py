"""What is sold, and under which rules."""

DEFAULT_CURRENCY = "USD"

# Asked in this order, once to show and once under the lock. The contracts' first: who comes after a contract's end is
# told so, and not only that its run is closed.
CHECKOUT_RULES = [
    "b2b.rules.ContractSeats",
    "ecommerce.rules.Sellable",
    "ecommerce.rules.NotAlreadyEnrolled",
]

# The payment page where everybody may decide how a payment ends. Never outside development.
SANDBOX_PAYMENTS = False

# Adapters by dotted path; new payments begin with the first.
PAYMENT_GATEWAYS: list[str] = []

# How long a payment session lives, and how long codes and seats are held for its order: a quarter of an hour longer.
PAYMENT_SESSION_SECONDS = 30 * 60
ORDER_HOLD_SECONDS = PAYMENT_SESSION_SECONDS + 15 * 60

ORDER_NUMBER_PREFIX = "TS"

# How many days after the start (of a self-paced course: after buying) the whole price is given back; 0: never.
REFUND_WINDOW_DAYS = 14

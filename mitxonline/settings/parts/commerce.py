"""What is sold, and under which rules."""

from mitxonline.settings.env import env

# What the shop sells in: nothing new can be priced in another currency. The first one is offered first.
CURRENCIES: list[str] = [each.strip().upper() for each in env.list("CURRENCIES", default=["USD"]) if each.strip()] or [
    "USD"
]
DEFAULT_CURRENCY: str = CURRENCIES[0]

# Asked in this order, once to show and once under the lock. The contracts' first: who comes after a contract's end is
# told so, and not only that its run is closed.
CHECKOUT_RULES = [
    "b2b.rules.ContractSeats",
    "ecommerce.rules.Sellable",
    "ecommerce.rules.NotAlreadyEnrolled",
    "ecommerce.rules.EachCourseOnce",
]

# Whether someone who has some courses of a program can buy it at its full price, after being told which are theirs.
SELL_PARTLY_OWNED_PROGRAMS = env.bool("SELL_PARTLY_OWNED_PROGRAMS", default=False)

ORDER_NUMBER_PREFIX = "TS"

# How many days after the start (of a self-paced course: after buying) the whole price is given back; 0: never.
REFUND_WINDOW_DAYS = 14

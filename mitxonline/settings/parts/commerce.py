"""What the shop sells, under which rules, and how long it holds, keeps and refunds it."""

import re

from babel.core import Locale
from django.core.exceptions import ImproperlyConfigured

from mitxonline.settings.env import env, positive

# The function that draws a receipt as a PDF, which goes with its e-mail.
RECEIPT_FILE = "frontend.drawing.receipt_pdf.mailed_receipt_pdf"

# Contracts, products and discounts can only be priced in these currencies. Forms offer the first one first.
CURRENCIES: list[str] = [each.strip().upper() for each in env.str("CURRENCIES", "USD").split(",") if each.strip()]
if not CURRENCIES or set(CURRENCIES) - set(Locale("en").currencies):
    raise ImproperlyConfigured("CURRENCIES isn't a list of currencies. Write their codes by commas: USD,EUR.")
DEFAULT_CURRENCY: str = CURRENCIES[0]

# Checked in this order, once for display and once under the lock. The contract's rule comes first, so that a learner
# whose contract has ended reads that, and not only that the run is closed.
CHECKOUT_RULES = [
    "b2b.rules.ContractSeats",
    "ecommerce.rules.Sellable",
    "ecommerce.rules.NotAlreadyEnrolled",
    "ecommerce.rules.EachCourseOnce",
    "ecommerce.rules.PlacesLeft",
]

# The function that counts the places of runs that were sold or are being paid, and not taken yet.
PLACE_PROMISES = "ecommerce.places.count_promised"

ORDER_NUMBER_PREFIX = "TS"

# The function that returns what each site stores of its shop, and for how many seconds a process keeps it.
SHOPS = "ecommerce.selectors.shop.load_shops"
SHOPS_KEPT_SECONDS = 5

# Baskets of anonymous visitors are deleted after this many days without a change. Longer than their sessions live.
BASKET_KEPT_DAYS = positive("BASKET_KEPT_DAYS", 60, least=1)

# How long a payment page is open (Stripe allows half an hour to a day). Codes and seats are held for its order a
# quarter of an hour longer, so that a payment made in the last minute still finds them.
PAYMENT_SESSION_SECONDS = 30 * 60
ORDER_HOLD_SECONDS = PAYMENT_SESSION_SECONDS + 15 * 60
# Buyers who check out again within this time return to the same payment page; later they get a new one.
PAYMENT_SESSION_REUSE_SECONDS = 10 * 60

# The whole price is refunded on request for this many days after the course starts, or after the purchase of a
# self-paced course. 0 means never.
REFUND_WINDOW_DAYS = 14

# Limits for the staff of a single course: the largest discount in percent, and how many codes they create at once.
COURSE_STAFF_MOST_PERCENT_OFF = positive("COURSE_STAFF_MOST_PERCENT_OFF", 50)
COURSE_STAFF_MOST_CODES = positive("COURSE_STAFF_MOST_CODES", 200)


def number_series(invoices: str, credit_notes: str) -> tuple[list[str], str]:
    """Read the series of invoice numbers, and that of credit notes, which must be another one."""
    series = [each.strip() for each in invoices.split(",") if each.strip()]
    names = [*series, credit_notes]
    if not series or len(set(names)) < len(names) or not all(re.fullmatch("[A-Z0-9]{1,12}", name) for name in names):
        raise ImproperlyConfigured(
            "INVOICE_SERIES lists series such as INV,EDU and CREDIT_NOTE_SERIES is one more, such as CN: "
            "up to 12 capital letters and digits each, all different."
        )
    return series, credit_notes


def reminder_days(text: str) -> list[int]:
    """Read days relative to the due date: -3 is three days before it. The word “none” means no reminders."""
    if text.strip() == "none":
        return []
    try:
        days = sorted({int(each) for each in text.split(",") if each.strip()})
    except ValueError:
        days = [-1000]
    if any(abs(day) > MOST_REMINDER_DAYS for day in days):
        raise ImproperlyConfigured(
            "INVOICE_REMINDER_DAYS lists days from -365 to 365 around the due date, such as -3,7,21. "
            "Write none for no reminders."
        )
    return days


MOST_REMINDER_DAYS = 365

# The function that draws an invoice or a credit note as a PDF.
INVOICE_FILE = "frontend.drawing.invoice_pdf.draw_invoice"

# Invoices are numbered without gaps in each series and year; forms offer the first series. Credit notes have their own.
INVOICE_SERIES, CREDIT_NOTE_SERIES = number_series(
    env.str("INVOICE_SERIES", "INV"), env.str("CREDIT_NOTE_SERIES", "CN").strip()
)
# When customers are reminded of an invoice, in days after its due date; below zero: before it.
INVOICE_REMINDER_DAYS = reminder_days(env.str("INVOICE_REMINDER_DAYS", "-3,7,21"))

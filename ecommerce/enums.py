"""The closed lists of what the shop counts with."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class DiscountType(models.TextChoices):
    """What a discount does to a price."""

    PERCENT_OFF = "percent_off", _("Percent off")
    AMOUNT_OFF = "amount_off", _("Amount off")
    FIXED_PRICE = "fixed_price", _("Fixed price")


class RedemptionType(models.TextChoices):
    """How often the codes of a discount can be used."""

    ONE_TIME = "one_time", _("Once")
    ONE_TIME_PER_USER = "one_time_per_user", _("Once per person")
    UNLIMITED = "unlimited", _("Without limit")


class PaymentType(models.TextChoices):
    """Whose money a discount is."""

    MARKETING = "marketing", _("Marketing")
    SALES = "sales", _("Sales")
    FINANCIAL_ASSISTANCE = "financial-assistance", _("Financial assistance")
    CUSTOMER_SUPPORT = "customer-support", _("Customer support")
    STAFF = "staff", _("Staff")
    LEGACY = "legacy", _("Legacy")


class UseState(models.TextChoices):
    """Where a use of a code stands."""

    HELD = "held", _("Held for an order")
    CONFIRMED = "confirmed", _("Confirmed")
    RELEASED = "released", _("Released")
    RETIRED = "retired", _("Retired")


LIVE_USE_STATES = (UseState.HELD, UseState.CONFIRMED)


class BasketKind(models.TextChoices):
    """What a basket was opened for."""

    ORDINARY = "ordinary", _("Ordinary")
    LINK = "link", _("Opened by a contract's link")


class OrderState(models.TextChoices):
    """Where an order stands (design: orders have named transitions)."""

    PENDING = "pending", _("Waiting for payment")
    FULFILLED = "fulfilled", _("Fulfilled")
    DECLINED = "declined", _("Declined")
    ERRORED = "errored", _("Failed")
    CANCELED = "canceled", _("Canceled")
    REVIEW = "review", _("In review")
    PARTIALLY_REFUNDED = "partially_refunded", _("Partially refunded")
    REFUNDED = "refunded", _("Refunded")


class AttemptState(models.TextChoices):
    """Where one try at paying stands."""

    STARTED = "started", _("Started")
    PROCESSING = "processing", _("Processing")
    PAID = "paid", _("Paid")
    DECLINED = "declined", _("Declined")
    EXPIRED = "expired", _("Expired")
    FAILED = "failed", _("Failed")


# The money is on its way, or here: such an order is neither given up nor paid again.
PAYING_STATES = (AttemptState.PROCESSING, AttemptState.PAID)

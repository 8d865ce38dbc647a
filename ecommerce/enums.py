"""The closed lists of what the shop counts with."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class DiscountType(models.TextChoices):
    """What a discount does to a price."""

    PERCENT_OFF = "percent_off", _("Percent off")
    AMOUNT_OFF = "amount_off", _("Amount off the cart")
    AMOUNT_OFF_EACH = "amount_off_each", _("Amount off each course")
    FIXED_PRICE = "fixed_price", _("Fixed price")


AMOUNTS_OFF = (DiscountType.AMOUNT_OFF, DiscountType.AMOUNT_OFF_EACH)


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


class ReviewCause(models.TextChoices):
    """Why an order whose money came, or was said to come, is before staff."""

    PAID_AFTER_HOLD = "paid_after_hold", _("Paid after its codes and seats were free again")
    AMOUNT_DIFFERS = "amount_differs", _("Another amount came than was asked for")
    CURRENCY_DIFFERS = "currency_differs", _("Another currency came than was asked for")
    HAS_COURSE = "has_course", _("The buyer already has the course")
    CODE_GONE = "code_gone", _("Its code is no longer available")
    CODE_USE_MISSING = "code_use_missing", _("The use of its code isn’t this order’s")
    REFUSED = "refused", _("A rule refused it")
    IN_DOUBT = "in_doubt", _("The payment is in doubt")
    UNKNOWN_SESSION = "unknown_session", _("Its money came by a payment page we didn’t open")
    REFUND_FAILED = "refund_failed", _("A refund didn’t arrive, and the courses are closed")
    PAYMENT_MISSING = "payment_missing", _("The gateway doesn’t know the payment")


class AttemptState(models.TextChoices):
    """Where one try at paying stands. Only "paid" means that money came."""

    STARTED = "started", _("Started")
    PROCESSING = "processing", _("Processing")
    PAID = "paid", _("Paid")
    DECLINED = "declined", _("Declined")
    CLOSING = "closing", _("Given up, to be ended at the gateway")
    EXPIRED = "expired", _("Expired")
    FAILED = "failed", _("Failed")
    DOUBTFUL = "doubtful", _("In doubt")


# The money is on its way, or here: such an order is neither given up nor paid again.
PAYING_STATES = (AttemptState.PROCESSING, AttemptState.PAID)

# Of these the gateway may still have something to say.
UNSETTLED_STATES = (AttemptState.STARTED, AttemptState.PROCESSING, AttemptState.CLOSING)


class NoticeState(models.TextChoices):
    """What became of a gateway's notice."""

    RECEIVED = "received", _("Received")
    DONE = "done", _("Acted on")
    KEPT = "kept", _("Kept, nothing to do")
    UNKNOWN = "unknown", _("About a payment we don't know")
    FAILED = "failed", _("Failed, will be tried again")
    STUCK = "stuck", _("Can’t be acted on")


class PaymentStanding(models.TextChoices):
    """What a buyer may hear of the payment of an order that isn't fulfilled yet."""

    NOTHING = "nothing", _("Nothing was paid")
    OPEN = "open", _("The payment page is open")
    CONFIRMING = "confirming", _("The buyer came back, and the gateway didn’t answer")
    PROCESSING = "processing", _("The bank is still at it")
    RECEIVED = "received", _("The money has come")
    IN_DOUBT = "in_doubt", _("Staff find out whether money has come")


class RefundState(models.TextChoices):
    """Where money that goes back stands. The gateway is asked only after "recorded" is committed."""

    MARKED = "marked", _("Waiting for a decision")
    RECORDED = "recorded", _("Recorded")
    SENT = "sent", _("Sent to the gateway")
    PENDING = "pending", _("On its way")
    DIFFERS = "differs", _("Another amount than was asked for")
    SUCCEEDED = "succeeded", _("Given back")
    FAILED = "failed", _("Failed")
    CANCELED = "canceled", _("Canceled")


# Asked for by us, and not yet clear what became of it: the money is set aside, so that it can't go back twice.
RESERVED_REFUND_STATES = (RefundState.RECORDED, RefundState.SENT, RefundState.DIFFERS)
# The gateway has taken it on: the money is gone, unless the gateway says otherwise later.
COUNTED_REFUND_STATES = (RefundState.PENDING, RefundState.SUCCEEDED)
FAILED_REFUND_STATES = (RefundState.FAILED, RefundState.CANCELED)


class RefundOrigin(models.TextChoices):
    """Where a refund was begun."""

    OURS = "ours", _("Here")
    PROVIDER = "provider", _("At the gateway")
    BANK = "bank", _("By the buyer’s bank")


class AfterFailedRefund(models.TextChoices):
    """What becomes of courses a refund took away when its money comes back to us."""

    RESTORE = "restore", _("Open them again until the money goes back")
    STAY_CLOSED = "stay_closed", _("Leave them closed")


class AlertKind(models.TextChoices):
    """What finance is mailed about."""

    REVIEW = "review", _("In review")
    SECOND_PAYMENT = "second_payment", _("Paid twice")
    DISPUTE = "dispute", _("Disputed")
    DISPUTE_LOST = "dispute_lost", _("Dispute lost")
    REFUND_FAILED = "refund_failed", _("Refund failed")
    REFUND_DIFFERS = "refund_differs", _("Refund differs")
    REFUND_TWICE = "refund_twice", _("Refunded twice at the gateway")


class EnrollmentAfter(models.TextChoices):
    """What a refund does to the courses it is for."""

    REMOVE = "remove", _("Take the course away")
    AUDIT = "audit", _("Leave it for auditing")
    KEEP = "keep", _("Leave everything as it is")


class RefundRequestState(models.TextChoices):
    """Where a buyer's wish for their money stands."""

    ASKED = "asked", _("Asked")
    APPROVED = "approved", _("Approved")
    DENIED = "denied", _("Denied")


class RefundWhy(models.TextChoices):
    """Why a buyer wants their money back."""

    MIND_CHANGED = "mind_changed", _("I changed my mind")
    WRONG_COURSE = "wrong_course", _("I bought the wrong course")
    NO_TIME = "no_time", _("I don’t have the time")
    NOT_AS_DESCRIBED = "not_as_described", _("The course isn’t what I expected")
    TWICE = "twice", _("I bought it twice")
    OTHER = "other", _("Something else")


class DisputeState(models.TextChoices):
    """Where a payment stands that the buyer's bank asks back."""

    WARNING = "warning", _("Announced")
    NEEDS_RESPONSE = "needs_response", _("Needs an answer")
    UNDER_REVIEW = "under_review", _("With the bank")
    WON = "won", _("Won")
    LOST = "lost", _("Lost")
    CLOSED = "closed", _("Closed")


OPEN_DISPUTE_STATES = (DisputeState.WARNING, DisputeState.NEEDS_RESPONSE, DisputeState.UNDER_REVIEW)
# The bank may take the money, or has: what is given back now would be given back twice.
WITH_BANK_STATES = (*OPEN_DISPUTE_STATES, DisputeState.LOST)

"""The choices of the shop's models."""

from django.db import models
from django.utils.translation import gettext_lazy as _


# A new type also changes ecommerce/pricing.py (what it takes off), models/discount.py (constraints, with a migration),
# services/discounts/validation.py, selectors/discount_text.py, forms/discounts.py, wagtail_hooks/discount_lists.py and
# management/commands/generate_discount_code.py.
class DiscountType(models.TextChoices):
    PERCENT_OFF = "percent_off", _("Percent off")
    AMOUNT_OFF = "amount_off", _("Amount off the cart")
    AMOUNT_OFF_EACH = "amount_off_each", _("Amount off each course")
    FIXED_PRICE = "fixed_price", _("Fixed price")


AMOUNTS_OFF = (DiscountType.AMOUNT_OFF, DiscountType.AMOUNT_OFF_EACH)


class RedemptionType(models.TextChoices):
    """How often the codes of a discount can be used."""

    ONE_TIME = "one_time", _("Once")
    ONE_TIME_PER_USER = "one_time_per_user", _("Once per person")
    UNLIMITED = "unlimited", _("Unlimited")


class PaymentType(models.TextChoices):
    """Why a discount is given, for reports."""

    MARKETING = "marketing", _("Marketing")
    SALES = "sales", _("Sales")
    FINANCIAL_ASSISTANCE = "financial-assistance", _("Financial assistance")
    CUSTOMER_SUPPORT = "customer-support", _("Customer support")
    STAFF = "staff", _("Staff")
    LEGACY = "legacy", _("Legacy")


class UseState(models.TextChoices):
    HELD = "held", _("Held for an order")
    CONFIRMED = "confirmed", _("Confirmed")
    RELEASED = "released", _("Released")
    RETIRED = "retired", _("Retired")


class Role(models.TextChoices):
    """What someone may do in the shop, for one course or for all. `ecommerce.roles` says what that is."""

    FINANCE_ADMIN = "finance_admin", _("Finance administrator")
    SALES_ADMIN = "sales_admin", _("Sales administrator")


LIVE_USE_STATES = (UseState.HELD, UseState.CONFIRMED)


class CodeState(models.TextChoices):
    """What a code with one use is at the moment; `ecommerce.codes` decides it."""

    FREE = "free", _("Not assigned")
    ASSIGNED = "assigned", _("Assigned")
    HELD = "held", _("In checkout")
    USED = "used", _("Used")
    WITHDRAWN = "withdrawn", _("Withdrawn")
    OFF = "off", _("Off")


class CodeChangeKind(models.TextChoices):
    """What is done to a registration code besides using it."""

    SWITCHED_OFF = "switched_off", _("Switched off")
    SWITCHED_ON = "switched_on", _("Switched on again")
    REFUNDED = "refunded", _("Seat refunded")
    FREED = "freed", _("Marked as unused")
    MOVED = "moved", _("Moved to another start")


class DeskAction(models.TextChoices):
    """What staff can do with one registration code."""

    CANCEL = "cancel", _("Cancel the code")
    RESTORE = "restore", _("Restore the code")
    FREE = "free", _("Mark as unused")
    MOVE = "move", _("Move to another start")


class BasketKind(models.TextChoices):
    ORDINARY = "ordinary", _("Ordinary")
    LINK = "link", _("Opened by a contract's link")


class OrderState(models.TextChoices):
    """The states of an order. `Order.move` knows which may follow each other."""

    PENDING = "pending", _("Waiting for payment")
    FULFILLED = "fulfilled", _("Fulfilled")
    DECLINED = "declined", _("Declined")
    ERRORED = "errored", _("Failed")
    CANCELED = "canceled", _("Canceled")
    REVIEW = "review", _("In review")
    PARTIALLY_REFUNDED = "partially_refunded", _("Partially refunded")
    REFUNDED = "refunded", _("Refunded")


# The buyer got what they bought, even if it was refunded later.
COMPLETED_STATES = (OrderState.FULFILLED, OrderState.PARTIALLY_REFUNDED, OrderState.REFUNDED)


class ReviewCause(models.TextChoices):
    """Why an order whose money came, or was reported, is in review."""

    PAID_AFTER_HOLD = "paid_after_hold", _("Paid after its codes and seats were released")
    AMOUNT_DIFFERS = "amount_differs", _("The amount paid isn’t the amount asked for")
    CURRENCY_DIFFERS = "currency_differs", _("The currency paid isn’t the currency asked for")
    HAS_COURSE = "has_course", _("The buyer already has the course")
    START_CLOSED = "start_closed", _("A start the buyer chose has closed")
    CODE_GONE = "code_gone", _("Its code is no longer available")
    CODE_USE_MISSING = "code_use_missing", _("Its code’s use belongs to another order")
    REFUSED = "refused", _("A rule refused it")
    IN_DOUBT = "in_doubt", _("The payment is in doubt")
    UNKNOWN_SESSION = "unknown_session", _("Paid on a payment page we didn’t open")
    REFUND_FAILED = "refund_failed", _("A refund didn’t arrive, and the courses are closed")
    ACCOUNT_DELETED = "account_deleted", _("The buyer deleted their account")
    PAYMENT_MISSING = "payment_missing", _("The gateway doesn’t know the payment")


class AttemptState(models.TextChoices):
    """The state of a payment attempt. Only "paid" means that the money has come."""

    STARTED = "started", _("Started")
    PROCESSING = "processing", _("Processing")
    PAID = "paid", _("Paid")
    DECLINED = "declined", _("Declined")
    CLOSING = "closing", _("Given up, to be ended at the gateway")
    EXPIRED = "expired", _("Expired")
    FAILED = "failed", _("Failed")
    DOUBTFUL = "doubtful", _("In doubt")


class Decline(models.TextChoices):
    """Why a payment was declined, as far as the buyer can do something about it."""

    REFUSED = "refused", _("The bank declined it")
    CARD_EXPIRED = "card_expired", _("The card has expired")
    WRONG_DETAILS = "wrong_details", _("The card’s details are wrong")
    NO_FUNDS = "no_funds", _("Not enough money on the card")
    NOT_CONFIRMED = "not_confirmed", _("The buyer didn’t confirm it with their bank")
    TRY_LATER = "try_later", _("The bank couldn’t be reached")
    OUR_FAULT = "our_fault", _("The gateway refused our request; see its dashboard")


# The money is on its way or has come: such an order is neither given up nor paid again.
PAYING_STATES = (AttemptState.PROCESSING, AttemptState.PAID)

# The gateway may still report something new about these.
UNSETTLED_STATES = (AttemptState.STARTED, AttemptState.PROCESSING, AttemptState.CLOSING)


class NoticeState(models.TextChoices):
    RECEIVED = "received", _("Received")
    DONE = "done", _("Processed")
    KEPT = "kept", _("Stored, nothing to do")
    UNKNOWN = "unknown", _("About an unknown payment")
    FAILED = "failed", _("Failed, will be retried")
    STUCK = "stuck", _("Can’t be processed")


class PaymentStanding(models.TextChoices):
    """What a buyer is told about the payment of an order that isn't fulfilled yet."""

    NOTHING = "nothing", _("Nothing was paid")
    OPEN = "open", _("The payment page is open")
    CONFIRMING = "confirming", _("The buyer came back, and the gateway didn’t answer")
    PROCESSING = "processing", _("The bank is still processing it")
    RECEIVED = "received", _("The money has come")
    IN_DOUBT = "in_doubt", _("Staff are checking whether the money has come")


class MovementKind(models.TextChoices):
    """What moved money at a gateway. Payouts and reserves only put our own money elsewhere."""

    PAYMENT = "payment", _("Payment")
    REFUND = "refund", _("Refund")
    CHARGEBACK = "chargeback", _("Chargeback")
    WON_DISPUTE = "won_dispute", _("Dispute won")
    FEE = "fee", _("Fee")
    OWN_MONEY = "own_money", _("Payout or reserve")
    OTHER = "other", _("Something else")


class RefundState(models.TextChoices):
    """The state of a refund. The gateway is called only after "recorded" is committed."""

    MARKED = "marked", _("Waiting for a decision")
    RECORDED = "recorded", _("Recorded")
    SENT = "sent", _("Sent to the gateway")
    PENDING = "pending", _("On its way")
    DIFFERS = "differs", _("Not the amount asked for")
    SUCCEEDED = "succeeded", _("Refunded")
    FAILED = "failed", _("Failed")
    CANCELED = "canceled", _("Canceled")


# Requested by us, with an unknown result: the money is reserved, so that it can't be refunded twice.
RESERVED_REFUND_STATES = (RefundState.RECORDED, RefundState.SENT, RefundState.DIFFERS)
# Accepted by the gateway: the money is gone, unless the gateway reports a failure later.
COUNTED_REFUND_STATES = (RefundState.PENDING, RefundState.SUCCEEDED)
FAILED_REFUND_STATES = (RefundState.FAILED, RefundState.CANCELED)


class RefundOrigin(models.TextChoices):
    OURS = "ours", _("In this shop")
    PROVIDER = "provider", _("At the gateway")
    BANK = "bank", _("By the buyer’s bank")


class AfterFailedRefund(models.TextChoices):
    """What happens to the courses that a refund took away, when the refund fails."""

    RESTORE = "restore", _("Reopen them until the refund arrives")
    STAY_CLOSED = "stay_closed", _("Keep them closed")


class OwnedCourses(models.TextChoices):
    """What a program costs someone who has some of its courses already."""

    DEDUCT = "deduct", _("The program’s price minus the list prices of those courses")
    FULL_PRICE = "full_price", _("The full price")
    NOT_SOLD = "not_sold", _("It isn’t sold to them")


class AlertKind(models.TextChoices):
    REVIEW = "review", _("In review")
    SECOND_PAYMENT = "second_payment", _("Paid twice")
    DISPUTE = "dispute", _("Disputed")
    DISPUTE_LOST = "dispute_lost", _("Dispute lost")
    REFUND_FAILED = "refund_failed", _("Refund failed")
    REFUND_DIFFERS = "refund_differs", _("Refund differs")
    REFUND_TWICE = "refund_twice", _("Refunded twice at the gateway")


class EnrollmentAfter(models.TextChoices):
    REMOVE = "remove", _("Remove the course")
    AUDIT = "audit", _("Keep it for auditing")
    KEEP = "keep", _("Change nothing")


class RefundRequestState(models.TextChoices):
    ASKED = "asked", _("Requested")
    APPROVED = "approved", _("Approved")
    DENIED = "denied", _("Denied")


class RefundWhy(models.TextChoices):
    MIND_CHANGED = "mind_changed", _("I changed my mind")
    WRONG_COURSE = "wrong_course", _("I bought the wrong course")
    NO_TIME = "no_time", _("I don’t have the time")
    NOT_AS_DESCRIBED = "not_as_described", _("The course isn’t what I expected")
    TWICE = "twice", _("I bought it twice")
    OTHER = "other", _("Something else")


class DisputeState(models.TextChoices):
    WARNING = "warning", _("Warning")
    NEEDS_RESPONSE = "needs_response", _("Needs a response")
    UNDER_REVIEW = "under_review", _("With the bank")
    WON = "won", _("Won")
    LOST = "lost", _("Lost")
    CLOSED = "closed", _("Closed")


OPEN_DISPUTE_STATES = (DisputeState.WARNING, DisputeState.NEEDS_RESPONSE, DisputeState.UNDER_REVIEW)
# The bank may take the money or has taken it: a refund would return it twice.
WITH_BANK_STATES = (*OPEN_DISPUTE_STATES, DisputeState.LOST)


class InvoiceState(models.TextChoices):
    """The stored state of an invoice, which its amounts decide. Being overdue isn't stored: see `InvoiceStanding`."""

    DRAFT = "draft", _("Draft")
    ISSUED = "issued", _("Issued")
    PART_PAID = "part_paid", _("Partly paid")
    PAID = "paid", _("Paid")
    CREDITED = "credited", _("Credited")
    VOID = "void", _("Void")


OPEN_INVOICE_STATES = (InvoiceState.ISSUED, InvoiceState.PART_PAID)


class InvoiceStanding(models.TextChoices):
    """An invoice's state as people see it on a given day: open invoices past their due date are overdue."""

    DRAFT = "draft", _("Draft")
    ISSUED = "issued", _("Issued")
    PART_PAID = "part_paid", _("Partly paid")
    OVERDUE = "overdue", _("Overdue")
    PAID = "paid", _("Paid")
    CREDITED = "credited", _("Credited")
    VOID = "void", _("Void")


class InvoiceEntryKind(models.TextChoices):
    """What changes the balance of an issued invoice. Nothing else does, and no entry is ever changed."""

    PAYMENT = "payment", _("Payment")
    REVERSAL = "reversal", _("Payment reversed")
    PAYOUT = "payout", _("Paid back")
    CREDIT_NOTE = "credit_note", _("Credit note")


class InvoiceAge(models.TextChoices):
    """How long the balance of an invoice has been due."""

    NOT_DUE = "not_due", _("Not yet due")
    UP_TO_30 = "0-30", _("0–30 days")
    UP_TO_60 = "31-60", _("31–60 days")
    UP_TO_90 = "61-90", _("61–90 days")
    OVER_90 = "over-90", _("Over 90 days")

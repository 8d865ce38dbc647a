"""Refusals about invoices, read by finance."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from mitxonline.kernel.errors import DomainError, NotFound
from mitxonline.kernel.fingerprint import PlanChanged


class InvoiceUnknown(NotFound):
    code = "invoice_unknown"


class InvoiceRefused(DomainError):
    code = "invoice_refused"


class InvoiceIssuedAlready(InvoiceRefused):
    """An issued invoice neither changes nor is issued again."""

    code = "invoice_issued_already"
    message = _("Invoice {number} has already been issued, so it can’t be changed.")
    advice = _("To correct it, void it or issue a credit note.")
    number: str


class InvoiceNotReady(InvoiceRefused):
    """Something is missing on the draft."""

    code = "invoice_not_ready"
    message = "{sentence}"
    sentence: str


class DraftChanged(PlanChanged):
    """Someone else saved the draft since the form was opened."""

    code = "draft_changed"
    message = _("Someone changed this draft in the meantime, so your changes weren’t saved: {difference}.")
    advice = _("Check what is below, then save again: your version replaces theirs.")
    difference: str


class InvoiceNotIssued(InvoiceRefused):
    code = "invoice_not_issued"
    message = _("This invoice is a draft.")
    advice = _("Issue it first.")


class InvoiceIsVoid(InvoiceRefused):
    code = "invoice_is_void"
    message = _("Invoice {number} is void, so nothing more is recorded on it.")
    number: str


class PaymentInOtherCurrency(InvoiceRefused):
    code = "payment_in_other_currency"
    message = _("Invoice {number} is in {currency}, so a payment in {paid} can’t be recorded on it.")
    advice = _("Record what your bank credited in {currency}.")
    number: str
    currency: str
    paid: str


class PaymentTooLarge(InvoiceRefused):
    code = "payment_too_large"
    message = _("{paid} is more than the {left} still due on invoice {number}.")
    advice = _("Record {left} here, and return the rest or record it on another invoice.")
    number: str
    paid: str
    left: str


class PaymentAmountNeeded(InvoiceRefused):
    code = "payment_amount_needed"
    message = _("Enter an amount above zero, with at most {digits} decimals.")
    digits: int


class PaymentInFuture(InvoiceRefused):
    code = "payment_in_future"
    message = _("The day can’t be in the future: record money once it has arrived.")


class PaymentLongBefore(InvoiceRefused):
    code = "payment_long_before"
    message = _("That is more than a year before invoice {number} was issued.")
    advice = _("Check the year.")
    number: str


class NothingIsDue(InvoiceRefused):
    code = "nothing_is_due"
    message = _("Nothing is due on invoice {number}.")
    number: str


class NothingToPayBack(InvoiceRefused):
    code = "nothing_to_pay_back"
    message = _("We owe the customer {owed} on invoice {number}, so {amount} can’t be paid back.")
    advice = _("Issue a credit note first, or enter a smaller amount.")
    number: str
    owed: str
    amount: str


class PaymentReversedAlready(InvoiceRefused):
    code = "payment_reversed_already"
    message = _("This payment has already been reversed.")


class PaymentIsSpent(InvoiceRefused):
    """Part of the payment was already paid back, so taking it back would leave less than nothing paid."""

    code = "payment_is_spent"
    message = _("Part of this payment was paid back to the customer, so it can’t be reversed.")


class InvoiceHasEntries(InvoiceRefused):
    code = "invoice_has_entries"
    message = _("Invoice {number} has payments or credit notes, so it can’t be voided.")
    advice = _("Reverse the payments, or issue a credit note for the rest.")
    number: str


class NothingToCredit(InvoiceRefused):
    code = "nothing_to_credit"
    message = _("Enter what the credit note takes back.")


class CreditTooLarge(InvoiceRefused):
    code = "credit_too_large"
    message = _("Only {left} of “{title}” are left to credit.")
    left: int
    title: str


class SumTooLarge(InvoiceRefused):
    code = "credit_sum_too_large"
    message = _("Only {left} of “{title}” is left to credit.")
    left: str
    title: str


class SeatsAreUsed(InvoiceRefused):
    """Codes that were used can’t be switched off; taking money off for their seats is a decision."""

    code = "seats_are_used"
    message = _("{used} of these seats are used: “{title}”.")
    advice = _("Credit fewer seats, or decide below that those people keep their course.")
    used: int
    title: str


class NoRecipients(InvoiceRefused):
    code = "invoice_has_no_recipients"
    message = _("This invoice has no e-mail addresses to send it to.")

"""Refusals of refunds and of requests for one."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from mitxonline.kernel.errors import DomainError, NotFound


class RefundRefused(DomainError):
    code = "refund_refused"


class NothingToRefund(RefundRefused):
    """No money came for this, or all of it was refunded."""

    code = "nothing_to_refund"
    message = _("There is nothing left to refund for order {number}.")
    advice = _("Look at its payments and refunds.")
    number: str


class RefundTooMuch(RefundRefused):
    code = "refund_too_much"
    message = _("{wanted} is more than is left: you can refund at most {left}.")
    wanted: str
    left: str


class RefundAmountNeeded(RefundRefused):
    """The amount is zero, negative, or in another currency."""

    code = "refund_amount_needed"
    message = _("Enter an amount above zero in {currency}.")
    currency: str


class RefundLinesUnknown(RefundRefused):
    """One of the lines isn’t this order’s."""

    code = "refund_lines_unknown"
    message = _("Choose courses of order {number}.")
    number: str


class RefundDisputed(RefundRefused):
    """The buyer’s bank asks for the same money."""

    code = "refund_disputed"
    message = _("The buyer’s bank has disputed the payment of order {number}, or has already taken the money back.")
    advice = _("Look at the dispute at the gateway; a refund now would return the money twice.")
    number: str


class GatewayNotHere(RefundRefused):
    """The payment came through a gateway that is no longer configured."""

    code = "gateway_not_here"
    message = _("The payment came through “{gateway}”, which is no longer set up here.")
    advice = _("Refund it in that gateway’s own dashboard.")
    gateway: str


class RefundNotWhole(RefundRefused):
    """The gateway takes no fractions of a currency that has them, as some do of the forint."""

    code = "refund_not_whole"
    message = _("{gateway} can’t refund {amount}: it takes only whole amounts of this currency.")
    advice = _("Enter a whole amount.")
    gateway: str
    amount: str


class RefundUnknown(NotFound):
    code = "refund_unknown"


class RefundDecided(RefundRefused):
    code = "refund_decided"
    message = _("Someone has already decided about this.")
    advice = _("Look at the order again.")


class RefundNotAskable(RefundRefused):
    """A buyer can’t request a refund for this order here; the sentence says what to do instead."""

    code = "refund_not_askable"


class NothingWasPaid(RefundNotAskable):
    code = "nothing_was_paid"
    message = _("You paid nothing for this order, so there is nothing to refund.")


class NotPaidYet(RefundNotAskable):
    """The order failed, or its payment is still open."""

    code = "not_paid_yet"
    message = _("This order isn’t completed, so there is nothing to refund yet.")


class AllGivenBack(RefundNotAskable):
    code = "all_given_back"
    message = _("This has already been refunded, or the refund is on its way.")


class RefundTooLate(RefundNotAskable):
    code = "refund_too_late"
    message = _("You could request a refund until {until}.")
    advice = _("If something went wrong, write to us.")
    until: str


class RefundsNotAskedHere(RefundNotAskable):
    """This shop has no form for refunds."""

    code = "refunds_not_asked_here"
    message = _("You can’t request refunds here.")
    advice = _("If something went wrong, write to us.")


class RefundAskedAlready(RefundNotAskable):
    code = "refund_asked_already"
    message = _("You requested a refund on {on}. We’ll reply by e-mail; you don’t need to do anything else.")
    on: str


class RefundAnsweredAlready(RefundNotAskable):
    """Staff have refused a request for this order."""

    code = "refund_answered_already"
    message = _("We answered your request on {on}.")
    advice = _("If you disagree, write to us.")
    on: str


class RefundWithBank(RefundNotAskable):
    code = "refund_with_bank"
    message = _("You disputed this payment with your bank. They’ll decide.")


class RefundChoiceGone(RefundNotAskable):
    """The buyer chose courses that can no longer be refunded."""

    code = "refund_choice_gone"
    message = _("Some of the courses you chose can no longer be refunded.")
    advice = _("Choose again.")


class TooManySeats(RefundRefused):
    """More seats of a group purchase than are left to refund, or none."""

    code = "too_many_seats"
    message = ngettext_lazy(
        "“{title}”: {left} seat can still be refunded.",
        "“{title}”: {left} seats can still be refunded.",
        "left",
    )
    exposes = ("left",)
    title: str
    left: int


class SeatsNotDelivered(RefundRefused):
    """Some seats of an order in review: its codes don’t exist yet, so none can be switched off."""

    code = "seats_not_delivered"
    message = _("Order {number} is in review, so its seats have no codes yet.")
    advice = _("Fulfill it first, or refund the whole order.")
    number: str

"""Refusals of refunds and of requests for one."""

from __future__ import annotations

from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from mitxonline.kernel.errors import DomainError, NotFound


class RefundRefused(DomainError):
    """Money can't be given back as asked."""

    code: ClassVar[str] = "refund_refused"


class NothingToRefund(RefundRefused):
    """No money came for this, or all of it went back."""

    code: ClassVar[str] = "nothing_to_refund"

    def __init__(self, *, number: str) -> None:
        self.number = number
        super().__init__(
            _("There is nothing left to give back of order %(number)s: look at its payments and refunds.")
            % {"number": number}
        )


class RefundTooMuch(RefundRefused):
    """More than is left."""

    code: ClassVar[str] = "refund_too_much"

    def __init__(self, *, wanted: str, left: str) -> None:
        self.wanted = wanted
        self.left = left
        super().__init__(
            _("%(wanted)s is more than is left: at most %(left)s can be given back.") % {"wanted": wanted, "left": left}
        )


class RefundAmountNeeded(RefundRefused):
    """The amount is nothing, less than nothing, or in another currency."""

    code: ClassVar[str] = "refund_amount_needed"

    def __init__(self, *, currency: str) -> None:
        self.currency = currency
        super().__init__(_("Give an amount above zero in %(currency)s.") % {"currency": currency})


class RefundLinesUnknown(RefundRefused):
    """One of the lines isn't this order's."""

    code: ClassVar[str] = "refund_lines_unknown"

    def __init__(self, *, number: str) -> None:
        self.number = number
        super().__init__(_("Choose courses of order %(number)s.") % {"number": number})


class RefundReasonNeeded(RefundRefused):
    """Money goes back with a reason, or not at all."""

    code: ClassVar[str] = "refund_reason_needed"

    def __init__(self) -> None:
        super().__init__(_("Say why the money goes back."))


class RefundDisputed(RefundRefused):
    """The buyer's bank asks for the same money."""

    code: ClassVar[str] = "refund_disputed"

    def __init__(self, *, number: str) -> None:
        self.number = number
        super().__init__(
            _(
                "The buyer’s bank is asking for the payment of order %(number)s, or has taken it. Look at the dispute "
                "at the gateway; a refund now would give the money back twice."
            )
            % {"number": number}
        )


class GatewayNotHere(RefundRefused):
    """The payment came through a gateway that isn't configured any more."""

    code: ClassVar[str] = "gateway_not_here"

    def __init__(self, *, gateway: str) -> None:
        self.gateway = gateway
        super().__init__(
            _("The payment came through “%(gateway)s”, which isn’t set up here any more. Refund it on its own pages.")
            % {"gateway": gateway}
        )


class RefundUnknown(NotFound):
    """No such refund."""

    code: ClassVar[str] = "refund_unknown"


class RefundDecided(RefundRefused):
    """Someone has decided already."""

    code: ClassVar[str] = "refund_decided"

    def __init__(self) -> None:
        super().__init__(_("Someone has decided about this already. Look at the order again."))


class RefundAnswerNeeded(RefundRefused):
    """A refusal tells the buyer why."""

    code: ClassVar[str] = "refund_answer_needed"

    def __init__(self) -> None:
        super().__init__(_("Write a sentence to the buyer: it is sent with the refusal."))


class RefundNotAskable(RefundRefused):
    """A buyer can't ask for this order's money here; the sentence says what to do instead."""

    code: ClassVar[str] = "refund_not_askable"


class NothingWasPaid(RefundNotAskable):
    """The order was free."""

    code: ClassVar[str] = "nothing_was_paid"

    def __init__(self) -> None:
        super().__init__(_("You paid nothing for this order, so there is nothing to give back."))


class NotPaidYet(RefundNotAskable):
    """The order came to nothing, or no one knows yet."""

    code: ClassVar[str] = "not_paid_yet"

    def __init__(self) -> None:
        super().__init__(_("This order isn’t completed, so there is nothing to give back yet."))


class AllGivenBack(RefundNotAskable):
    """Everything went back, or is on its way."""

    code: ClassVar[str] = "all_given_back"

    def __init__(self) -> None:
        super().__init__(_("This has already been refunded, or the refund is on its way."))


class RefundTooLate(RefundNotAskable):
    """The time for asking is over."""

    code: ClassVar[str] = "refund_too_late"

    def __init__(self, *, until: str) -> None:
        self.until = until
        super().__init__(
            _("You could ask for a refund until %(until)s. If something went wrong, write to us.") % {"until": until}
        )


class RefundsNotAskedHere(RefundNotAskable):
    """This shop gives no refunds by form."""

    code: ClassVar[str] = "refunds_not_asked_here"

    def __init__(self) -> None:
        super().__init__(_("Refunds can’t be asked for here. If something went wrong, write to us."))


class RefundAskedAlready(RefundNotAskable):
    """There is an open request."""

    code: ClassVar[str] = "refund_asked_already"

    def __init__(self, *, on: str) -> None:
        self.on = on
        super().__init__(
            _("You asked for a refund on %(on)s. We’ll answer by e-mail; you don't need to do anything else.")
            % {"on": on}
        )


class RefundAnsweredAlready(RefundNotAskable):
    """Someone has said no."""

    code: ClassVar[str] = "refund_answered_already"

    def __init__(self, *, on: str) -> None:
        self.on = on
        super().__init__(_("We answered your request on %(on)s. If you see it differently, write to us.") % {"on": on})


class RefundWithBank(RefundNotAskable):
    """The buyer went to the bank."""

    code: ClassVar[str] = "refund_with_bank"

    def __init__(self) -> None:
        super().__init__(_("You asked your bank for this payment. Your bank decides about it."))


class RefundWhyNeeded(RefundNotAskable):
    """No reason was chosen, or another one without words."""

    code: ClassVar[str] = "refund_why_needed"

    def __init__(self) -> None:
        super().__init__(_("Choose why you want your money back."))


class RefundTextNeeded(RefundNotAskable):
    """“Something else” is explained."""

    code: ClassVar[str] = "refund_text_needed"

    def __init__(self) -> None:
        super().__init__(_("Tell us in a sentence what happened."))


class RefundTextTooLong(RefundNotAskable):
    """More words than fit."""

    code: ClassVar[str] = "refund_text_too_long"

    def __init__(self, *, most: int) -> None:
        self.most = most
        super().__init__(_("Tell it in at most %(most)d characters.") % {"most": most})


class RefundCoursesNeeded(RefundNotAskable):
    """Nothing was chosen of several courses."""

    code: ClassVar[str] = "refund_courses_needed"

    def __init__(self) -> None:
        super().__init__(_("Choose the courses you want your money back for."))

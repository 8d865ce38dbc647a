"""The shop's refusals: a code for machines, a sentence for people, typed data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from mitxonline.kernel.errors import DomainError, NotFound


class CheckoutRefused(DomainError):
    """The basket can't be bought as it is; the buyer goes back to the cart."""

    code: ClassVar[str] = "checkout_refused"
    is_set_aside: ClassVar[bool] = True
    retry_url = "/cart/"


class CodeRefused(CheckoutRefused):
    """A code doesn't work here. A signed-out visitor is told no more than ``CodeUnknown`` says.

    One that ``outranks`` is told even where the code is used up or switched off. One that is no
    ``is_failure`` says that the code is right, and may be looked at again and again: it isn't counted as a try.
    Nor is one that ``is_own``: the code was given to this person, or they have used it.
    """

    code: ClassVar[str] = "code_refused"
    outranks: ClassVar[bool] = False
    is_failure: ClassVar[bool] = True
    is_own = False


class CodeUnknown(CodeRefused):
    """No such code (LOOK 17)."""

    code: ClassVar[str] = "code_unknown"

    def __init__(self) -> None:
        super().__init__(
            _("We don't know this code. Check it against your invitation: it has 36 characters, in five groups.")
        )


class CodeMissing(CodeRefused):
    """Nothing was typed into the field."""

    code: ClassVar[str] = "code_missing"

    def __init__(self) -> None:
        super().__init__(_("Type or paste your code into the field first."))


class CodeUsed(CodeRefused):
    """Every use of the code is taken (LOOK 13)."""

    code: ClassVar[str] = "code_used"

    def __init__(self, *, organization: str = "", number: str = "") -> None:
        """``number``: the visitor's own order that the code was used for."""
        self.organization = organization
        self.number = number
        if number:
            super().__init__(_("You used this code for your order %(number)s.") % {"number": number})
        elif organization:
            sentence = _("This code has been used by somebody else. Ask %(organization)s for a new one.")
            super().__init__(sentence % {"organization": organization})
        else:
            super().__init__(_("This code has been used as often as it can be."))


class CodeInUse(CodeUsed):
    """The visitor's own use of the code is held for an order of theirs whose payment is under way."""

    code: ClassVar[str] = "code_in_use"
    is_failure: ClassVar[bool] = False
    exposes: ClassVar[tuple[str, ...]] = ("number",)

    def __init__(self, *, number: str) -> None:
        super().__init__(number=number)
        self._message = _("This code is in use for your order %(number)s.") % {"number": number}


class CodeOfAnotherOrder(CodeUsed):
    """The buyer's use of a code is another order's by now. Told to staff, who fulfill an order from review."""

    code: ClassVar[str] = "code_of_another_order"

    def __init__(self, *, number: str) -> None:
        super().__init__(number=number)
        self._message = _("The buyer's use of its code belongs to order %(number)s.") % {"number": number}


class CodeUseMissing(CheckoutRefused):
    """An order whose code can be used so many times has no use of it: what it was sold at isn't its own."""

    code: ClassVar[str] = "code_use_missing"

    def __init__(self, *, number: str) -> None:
        self.number = number
        super().__init__(_("Order %(number)s has no use of its code.") % {"number": number})


class CodeSwitchedOff(CodeRefused):
    """The code was switched off (LOOK 19)."""

    code: ClassVar[str] = "code_off"

    def __init__(self, *, organization: str = "") -> None:
        self.organization = organization
        super().__init__(
            _("This code has been switched off. Ask %(organization)s for a new one.") % {"organization": organization}
            if organization
            else _("This code has been switched off.")
        )


class CodeNotYetValid(CodeRefused):
    """The discount begins later."""

    code: ClassVar[str] = "code_not_yet"

    def __init__(self, *, opens: str) -> None:
        self.opens = opens
        super().__init__(_("This code can be used from %(opens)s.") % {"opens": opens})


class CodeExpired(CodeRefused):
    """The discount is over."""

    code: ClassVar[str] = "code_expired"

    def __init__(self, *, ended: str) -> None:
        self.ended = ended
        super().__init__(_("This code could be used until %(ended)s.") % {"ended": ended})


class CodeForAnotherProduct(CodeRefused):
    """The code opens something that isn't in the basket (LOOK 18)."""

    code: ClassVar[str] = "code_other_product"

    def __init__(self, *, title: str) -> None:
        self.title = title
        super().__init__(
            _("This code is for another course, “%(title)s”. Enter the code for this course.") % {"title": title}
            if title
            else _("This code is for other courses than those in your cart.")
        )


class CodeForSomebodyElse(CodeRefused):
    """The code works only for the person it was given to."""

    code: ClassVar[str] = "code_other_person"

    def __init__(self) -> None:
        super().__init__(_("This code was given to somebody else. Sign in with the address it was sent to."))


class AddressUnconfirmed(CodeForSomebodyElse):
    """The code works only for the person it was given to, and that this is the one hasn't been shown yet."""

    code: ClassVar[str] = "address_unconfirmed"
    is_failure: ClassVar[bool] = False

    def __init__(self) -> None:
        super(CodeForSomebodyElse, self).__init__(
            _("This code was given to your address. Confirm the address first: open the link in the mail we sent you.")
        )


class CodeNotBetter(CodeRefused):
    """Everything in the basket is as cheap or cheaper without this code."""

    code: ClassVar[str] = "code_not_better"

    def __init__(self) -> None:
        super().__init__(_("This code would not lower your total, so it was not used. Keep it for another course."))


class CodeBelongsInCart(CodeRefused):
    """A discount code was entered where enrollment codes are redeemed."""

    code: ClassVar[str] = "code_belongs_in_cart"

    def __init__(self) -> None:
        super().__init__(_("This is a discount code. Put a course into your cart and enter it there."))


class CodeNeeded(CheckoutRefused):
    """A contract product is in the basket without its own code (LOOK 8)."""

    code: ClassVar[str] = "code_needed"

    def __init__(self, *, title: str) -> None:
        self.title = title
        super().__init__(_("“%(title)s” needs its enrollment code. Enter it, then check out.") % {"title": title})


class BasketEmpty(CheckoutRefused):
    """There is nothing to buy (LOOK 24)."""

    code: ClassVar[str] = "basket_empty"

    def __init__(self) -> None:
        super().__init__(_("Your cart is empty. Browse courses, or redeem a code from your organization."))


class ProductUnknown(NotFound):
    """No such product on sale; the same answer for one that never was and one that was withdrawn."""

    code: ClassVar[str] = "product_unknown"
    retry_url = "/cart/"
    exposes: ClassVar[tuple[str, ...]] = ("sku",)

    def __init__(self, *, sku: str = "") -> None:
        """``sku``: the one that isn't on sale, where it looks like one; nobody's text is shown as ours."""
        self.sku = sku
        super().__init__(
            _("“%(sku)s” isn't on sale. Your cart is as it was. Check the link, or browse courses.") % {"sku": sku}
            if sku
            else _(
                "This link doesn't lead to a course on sale. Your cart is as it was. Check the link, or browse courses."
            )
        )


class NotForSale(CheckoutRefused):
    """A product in the basket can't be bought (any more)."""

    code: ClassVar[str] = "not_for_sale"

    def __init__(self, *, title: str) -> None:
        self.title = title
        super().__init__(_("“%(title)s” can't be bought any more.") % {"title": title})


class AlreadyEnrolled(CheckoutRefused):
    """The buyer has this course already (LOOK 12)."""

    code: ClassVar[str] = "already_enrolled"

    def __init__(self, *, title: str) -> None:
        self.title = title
        super().__init__(_("You already have “%(title)s”.") % {"title": title})


class PartlyEnrolled(AlreadyEnrolled):
    """The buyer has some courses of this program; at its full price they would pay for them again."""

    code: ClassVar[str] = "partly_enrolled"

    def __init__(self, *, title: str, had: Sequence[str], count: int) -> None:
        self.title = title
        self.had = tuple(sorted(had))
        sentence = _(
            "You already have %(n)d of the %(count)d courses in “%(title)s”: %(had)s. "
            "Buy the others individually, or ask us for a price."
        )
        details = {"n": len(had), "count": count, "title": title, "had": ", ".join(self.had)}
        super(AlreadyEnrolled, self).__init__(sentence % details)


class CourseTwice(CheckoutRefused):
    """Two things in the cart give the same course. The buyer decides which stays: nothing is set aside.

    ``beside_id`` is the product that stays if this one is removed.
    """

    code: ClassVar[str] = "course_twice"
    is_set_aside: ClassVar[bool] = False

    def __init__(self, *, title: str, beside: str, beside_id: int, is_part: bool, is_same: bool) -> None:
        self.title = title
        self.beside_id = beside_id
        if is_part:
            sentence = _("“%(title)s” is part of “%(beside)s”, which is in your cart too. You’d pay for it twice.")
        elif is_same:
            sentence = _("“%(title)s” is in your cart twice. You need it only once.")
        else:
            sentence = _("“%(title)s” and “%(beside)s” have courses in common. You’d pay for those twice.")
        super().__init__(sentence % {"title": title, "beside": beside})


class SeveralCurrencies(CheckoutRefused):
    """One basket, one currency."""

    code: ClassVar[str] = "several_currencies"

    def __init__(self) -> None:
        super().__init__(_("Your cart holds prices in different currencies. Buy them one after the other."))


class AnotherCurrency(SeveralCurrencies):
    """What is to be added has its price in another currency than what is in the basket."""

    code: ClassVar[str] = "another_currency"

    def __init__(self, *, title: str, currency: str, kept: str) -> None:
        self.title = title
        self.currency = currency
        self.kept = kept
        super(SeveralCurrencies, self).__init__(
            _(
                "“%(title)s” is sold in %(currency)s, and your cart holds prices in %(kept)s. "
                "Buy what is in your cart first, or keep it for later."
            )
            % {"title": title, "currency": currency, "kept": kept}
        )


class TotalChanged(CheckoutRefused):
    """The total is not what the buyer was shown."""

    code: ClassVar[str] = "total_changed"
    exposes: ClassVar[tuple[str, ...]] = ("shown", "now")

    def __init__(self, *, shown: str, now: str) -> None:
        self.shown = shown
        self.now = now
        super().__init__(
            _("The total was %(shown)s and is now %(now)s. Look at your cart again, then check out.")
            % {"shown": shown, "now": now}
        )


class BasketChanged(CheckoutRefused):
    """What is to be bought isn't what the buyer was shown, though it costs the same."""

    code: ClassVar[str] = "basket_changed"

    def __init__(self) -> None:
        super().__init__(_("Your cart has changed since you saw it. Look at it again, then check out."))


class PaymentUnderWay(CheckoutRefused):
    """What is in the basket is being paid for already; paying again would take the money twice."""

    code: ClassVar[str] = "payment_under_way"
    retry_url = "/orders/history/"

    def __init__(self, *, number: str) -> None:
        self.number = number
        super().__init__(
            _("Your payment for order %(number)s is still being processed. There is nothing more for you to do.")
            % {"number": number}
        )


class NoWayToPay(CheckoutRefused):
    """No gateway is configured."""

    code: ClassVar[str] = "no_way_to_pay"

    def __init__(self) -> None:
        super().__init__(_("Paying isn't possible here yet. Your cart is kept. Please write to us."))


class PaymentUnavailable(CheckoutRefused):
    """The gateway can't be reached at the moment."""

    code: ClassVar[str] = "payment_unavailable"

    def __init__(self) -> None:
        super().__init__(_("The payment page can't be reached just now. Nothing was taken. Try again in a moment."))


class TotalNotPayable(CheckoutRefused):
    """No gateway takes this total: it is below the least, or a fraction of the smallest coin."""

    code: ClassVar[str] = "total_not_payable"

    def __init__(self, *, total: str) -> None:
        self.total = total
        super().__init__(
            _("%(total)s can't be paid by card: the amount is too small or too odd. Please write to us.")
            % {"total": total}
        )


class GatewayUnknown(NotFound):
    """This installation takes no payments that way."""

    code: ClassVar[str] = "gateway_unknown"


class OrderUnknown(NotFound):
    """No such order of this buyer; the same answer for somebody else's."""

    code: ClassVar[str] = "order_unknown"

    def __init__(self) -> None:
        super().__init__(_("We can't find this order among yours."))


class WrongOrderState(DomainError):
    """Nothing leads from the order's state to the wanted one."""

    code: ClassVar[str] = "wrong_order_state"

    def __init__(self, *, number: str, state: str, wanted: str) -> None:
        self.number = number
        self.state = state
        self.wanted = wanted
        super().__init__(
            _("Order %(number)s is %(state)s; it can't become %(wanted)s.")
            % {"number": number, "state": state, "wanted": wanted}
        )


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
    """Somebody has decided already."""

    code: ClassVar[str] = "refund_decided"

    def __init__(self) -> None:
        super().__init__(_("Somebody has decided about this already. Look at the order again."))


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
    """The order came to nothing, or nobody knows yet."""

    code: ClassVar[str] = "not_paid_yet"

    def __init__(self) -> None:
        super().__init__(_("This order isn’t completed, so there is nothing to give back yet."))


class AllGivenBack(RefundNotAskable):
    """Everything went back, or is on its way."""

    code: ClassVar[str] = "all_given_back"

    def __init__(self) -> None:
        super().__init__(_("What you paid for this was given back already, or is on its way to you."))


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
            _("You asked for a refund on %(on)s. We’ll answer by e-mail; there is nothing more for you to do.")
            % {"on": on}
        )


class RefundAnsweredAlready(RefundNotAskable):
    """Somebody has said no."""

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


class FieldRefused(DomainError):
    """Something that was typed can't be so; ``field`` says which."""

    code: ClassVar[str] = "refused"
    exposes: ClassVar[tuple[str, ...]] = ("field",)

    def __init__(self, field: str, sentence: str) -> None:
        self.field = field
        super().__init__(sentence)


class DiscountRefused(FieldRefused):
    """A discount can't be made or changed like this."""

    code: ClassVar[str] = "discount_refused"


class ProductRefused(FieldRefused):
    """A product can't be made or priced like this."""

    code: ClassVar[str] = "product_refused"


class OrderReasonNeeded(DomainError):
    """Who decides about an order by hand says why."""

    code: ClassVar[str] = "order_reason_needed"

    def __init__(self) -> None:
        super().__init__(_("Say why, in a few words. It is kept with the order."))


class MoneyWasTaken(DomainError):
    """An order whose money is here isn't canceled."""

    code: ClassVar[str] = "money_was_taken"

    def __init__(self, *, number: str) -> None:
        self.number = number
        super().__init__(
            _("Money came for order %(number)s. Give it back, or fulfill the order; then nothing is left to cancel.")
            % {"number": number}
        )


class ReceiptNotYet(DomainError):
    """There is no receipt before the order is completed."""

    code: ClassVar[str] = "receipt_not_yet"

    def __init__(self, *, number: str) -> None:
        self.number = number
        super().__init__(_("Order %(number)s isn’t completed, so there is no receipt to send.") % {"number": number})

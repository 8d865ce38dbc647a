"""Refusals between the cart and a paid order."""

from __future__ import annotations

from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from ecommerce.errors.codes import CheckoutRefused
from mitxonline.kernel.errors import DomainError, NotFound, WayOn
from mitxonline.kernel.text import join_titles, list_titles


class CodeNeeded(CheckoutRefused):
    """A contract product is in the basket without its own code."""

    code = "code_needed"
    message = _("“{title}” needs its enrollment code.")
    advice = _("Enter it, then check out.")
    title: str


class BasketEmpty(CheckoutRefused):
    code = "basket_empty"
    message = _("Your cart is empty.")
    advice = _("Browse courses, or redeem a code from your organization.")


class ItemUnknown(NotFound):
    """No such item in this visitor's baskets; the same answer for someone else's."""

    code = "item_unknown"
    message = _("This isn’t in your cart.")


class BasketUnknown(NotFound):
    """No such basket of this visitor; the same answer for someone else's."""

    code = "basket_unknown"
    message = _("We can’t find that cart.")


class ProductUnknown(NotFound):
    """No such product on sale; the same answer for one that never existed and one that was withdrawn."""

    code = "product_unknown"
    message = _("This link doesn’t go to a course we sell. Your cart hasn’t changed.")
    advice = _("Check the link, or browse courses.")
    retry_url = "/cart/"
    exposes = ("sku",)
    sku: str = ""


class SkuUnknown(ProductUnknown):
    """`sku` looks like a SKU. Any other text from a link is never shown: it would appear to be our words."""

    message = _("“{sku}” isn’t on sale. Your cart hasn’t changed.")


class LinkedEmpty(DomainError):
    """A link of the course site names nothing that looks like a SKU."""

    code = "sku_missing"
    status = 400
    heading = _("This link names no course")
    message = _("It has no SKU of a product. Your cart hasn’t changed.")
    advice = _("Go back and try again, or browse courses.")


class LinkedUnknown(DomainError):
    """None of the SKUs in a link is of a product on sale here. Only what looks like a SKU is shown."""

    code = "sku_unknown"
    status = 400
    heading = _("These courses aren’t on sale")
    message = _("There is nothing on sale with {names}. Your cart hasn’t changed.")
    exposes = ("skus",)
    skus: tuple[str, ...]

    def details(self) -> dict[str, object]:
        return super().details() | {"names": join_titles(self.skus)}


class LinkedPartlyUnknown(LinkedUnknown):
    """Some SKUs of a link are of no product on sale here. The first of them are named."""

    code = "sku_left_out"
    message = _("There is nothing on sale with {names}, so it isn’t in your cart.")


class LinkedClosed(DomainError):
    """None of the products of a link can be bought by this person now."""

    code = "nothing_to_buy"
    status = 400
    heading = _("None of these can be bought now")
    message = _("{text} Your cart hasn’t changed.")
    reasons: tuple[str, ...]

    def details(self) -> dict[str, object]:
        return super().details() | {"text": " ".join(self.reasons)}


class LinkedBought(DomainError):
    """The link is right, and its person has all of it."""

    code = "already_purchased"
    status = 200
    heading = _("You have this already")
    message = _("You already have {text}. Your cart hasn’t changed.")
    ways_on = (WayOn.DASHBOARD,)
    titles: tuple[str, ...]

    def details(self) -> dict[str, object]:
        return super().details() | {"text": join_titles(self.titles)}


class NotForSale(CheckoutRefused):
    code = "not_for_sale"
    message = _("“{title}” is no longer available.")
    title: str


class SeatsNotSold(CheckoutRefused):
    """Programs and the products of contracts are sold to one person at a time."""

    code = "seats_not_sold"
    message = _("“{title}” can’t be bought for a group.")
    advice = _("Buy it for yourself, or ask us for an offer.")
    title: str


class SeatsNotANumber(CheckoutRefused):
    """What was sent as the number of seats isn’t one from 1 to 1,000. The page with the field says which."""

    code = "seats_not_a_number"
    message = _("Enter a whole number of seats from 1 to 1,000. Your cart hasn’t changed.")


class AlreadyEnrolled(CheckoutRefused):
    code = "already_enrolled"
    message = _("You already have {titles_text}.")
    is_owned: ClassVar[bool] = True
    titles: tuple[str, ...]

    def details(self) -> dict[str, object]:
        return super().details() | {"titles_text": join_titles(self.titles)}


class PartlyEnrolled(AlreadyEnrolled):
    """The buyer has some courses of this program; at its full price they would pay for them again."""

    code = "partly_enrolled"
    message = _("You already have {owned_count} of the {count} courses in {titles_text}: {owned_text}.")
    advice = _("Buy the others individually, or ask us for a price.")
    is_owned: ClassVar[bool] = False
    owned: tuple[str, ...]
    count: int

    def details(self) -> dict[str, object]:
        return super().details() | {"owned_count": len(self.owned), "owned_text": list_titles(self.owned)}


class OwnedCourseLost(CheckoutRefused):
    """The buyer no longer has a course that came off a program's price, so they would pay too little."""

    code = "owned_course_lost"
    message = _("The price of a program was lowered for “{title}”, which the buyer no longer has.")
    exposes = ("title",)
    title: str


class StartClosed(CheckoutRefused):
    """A start that was chosen for a course of a program is no longer open. The line stays, so the buyer can choose."""

    code = "start_closed"
    message = _("The start you chose for “{title}” ({start}) is no longer open.")
    advice = _("Choose another one.")
    is_set_aside: ClassVar[bool] = False
    exposes = ("title", "start")
    title: str
    start: str


class LastStartClosed(StartClosed):
    advice = _("The course has no other start right now, so the program would come without it.")


class StartUnknown(CheckoutRefused):
    """A start that isn't offered for any course of the program."""

    code = "start_unknown"
    message = _("That start isn’t open. Your cart hasn’t changed.")
    advice = _("Choose one of the starts shown.")


class CourseTwice(CheckoutRefused):
    """Two things in the cart give the same course. The buyer decides which stays: nothing is set aside.

    `beside_id` is the product that stays if this one is removed.
    """

    code = "course_twice"
    message = _("“{title}” and “{beside}” have courses in common: {shared_text}. You’d pay for those twice.")
    is_set_aside: ClassVar[bool] = False
    title: str
    beside: str
    beside_id: int
    shared: tuple[str, ...]

    def details(self) -> dict[str, object]:
        return super().details() | {"shared_text": list_titles(self.shared)}


class CourseInProgram(CourseTwice):
    message = _("“{title}” is part of “{beside}”, which is in your cart too. You’d pay for it twice.")


class SameCourseTwice(CourseTwice):
    message = _("“{title}” is in your cart twice. You need it only once.")


class SeveralCurrencies(CheckoutRefused):
    code = "several_currencies"
    message = _("Your cart has prices in two currencies.")
    advice = _("Check out one currency at a time.")


class AnotherCurrency(SeveralCurrencies):
    """The product to add has its price in another currency than the basket."""

    code = "another_currency"
    message = _("“{title}” is sold in {currency}, and your cart has prices in {basket_currency}.")
    advice = _("Buy what’s in your cart first, or save it for later.")
    title: str
    currency: str
    basket_currency: str


class TotalChanged(CheckoutRefused):
    code = "total_changed"
    message = _("The total was {shown} and is now {now}.")
    advice = _("Look at your cart again, then check out.")
    exposes = ("shown", "now")
    shown: str
    now: str


class BasketChanged(CheckoutRefused):
    """The basket isn’t what the buyer was shown, though it costs the same."""

    code = "basket_changed"
    message = _("Your cart has changed since you saw it.")
    advice = _("Look at it again, then check out.")


class PaymentUnderWay(CheckoutRefused):
    """The contents of the basket are being paid for already; paying again would charge the buyer twice."""

    code = "payment_under_way"
    message = _("Your payment for order {number} is still being processed. You don’t need to do anything else.")
    retry_url = "/orders/history/"
    number: str


class NoWayToPay(CheckoutRefused):
    """No gateway is configured."""

    code = "no_way_to_pay"
    message = _("Payments aren’t set up yet. We’ve kept your cart.")
    advice = _("Please write to us.")


class GatewayNotOffered(CheckoutRefused):
    """The way to pay that was chosen isn't offered for this cart (any more)."""

    code = "gateway_not_offered"
    message = _("You can’t pay that way right now. You weren’t charged, and we’ve kept your cart.")
    advice = _("Choose another way to pay.")
    retry_url = "/cart/"


class PaymentUnavailable(CheckoutRefused):
    code = "payment_unavailable"
    message = _("We can’t reach the payment page right now. You weren’t charged.")
    advice = _("Try again in a moment.")


class TotalNotPayable(CheckoutRefused):
    """No gateway takes this total: it is below the minimum, or has a fraction of the smallest coin."""

    code = "total_not_payable"
    message = _("{total} can’t be charged.")
    advice = _("Please write to us.")
    total: str


class GatewayUnknown(NotFound):
    code = "gateway_unknown"
    message = _("This shop doesn’t take payments that way.")


class OrderUnknown(NotFound):
    """No such order of this buyer; the same answer for someone else’s."""

    code = "order_unknown"
    message = _("We can’t find that order in your account.")


class BuyerGone(DomainError):
    """An order gives nothing to an account that was deleted. Money that still came for it goes back."""

    code = "buyer_gone"
    message = _("The buyer of order {number} deleted their account.")
    advice = _("Refund what was paid; then cancel the order.")
    number: str


class WrongOrderState(DomainError):
    """The order’s state can’t change to the wanted one."""

    code = "wrong_order_state"
    message = _("Order {number} is {state}; it can’t become {wanted}.")
    number: str
    state: str
    wanted: str

"""What a buyer reads about an order whose money is on its way, or here and not decided about."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from ecommerce.ownership import UnsettledOrder, find_unsettled_orders
from frontend.pages.places import order_url


@dataclass(frozen=True, slots=True)
class AwaitedOrder:
    """One such order: a title, a sentence, and where to see more."""

    order: UnsettledOrder

    @property
    def url(self) -> str:
        """Its own page."""
        return order_url(self.order.number)

    @property
    def title(self) -> str:
        """Where its money is."""
        if self.order.is_in_review:
            return _("We’re checking order %(number)s") % {"number": self.order.number}
        if self.order.is_at_bank:
            return _("Your payment for order %(number)s is on its way") % {"number": self.order.number}
        return _("Your payment for order %(number)s arrived") % {"number": self.order.number}

    @property
    def sentence(self) -> str:
        """What comes next."""
        if self.order.is_in_review:
            return _("You get what you ordered or your money back, and an e-mail that says which. Don’t pay again.")
        if self.order.is_at_bank:
            return _("Your bank hasn’t answered yet. You get in as soon as the payment arrives. Don’t pay again.")
        return _("You get in within minutes. You don’t have to do anything.")

    @property
    def text(self) -> str:
        """The same with what was ordered."""
        return f"{', '.join(self.order.titles)}. {self.sentence}"


def awaited_orders(user_id: int) -> tuple[AwaitedOrder, ...]:
    """Someone's such orders, the latest first; one query where there is none."""
    return tuple(AwaitedOrder(order) for order in reversed(find_unsettled_orders(user_id)))


def awaited_order_for(course_id: int, *, user_id: int) -> AwaitedOrder | None:
    """The order that would give this course."""
    return next((each for each in awaited_orders(user_id) if course_id in each.order.course_ids), None)


def awaited_order_of(product_id: int, *, user_id: int) -> AwaitedOrder | None:
    """The order that is for this product itself."""
    return next((each for each in awaited_orders(user_id) if product_id in each.order.product_ids), None)

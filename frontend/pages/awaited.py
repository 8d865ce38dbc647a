"""Orders that are paid or being paid and not settled yet, as their buyers read about them."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from ecommerce.ownership import UnsettledOrder, find_unsettled_orders
from frontend.pages.links import order_url
from mitxonline.kernel.text import list_titles


@dataclass(frozen=True, slots=True)
class AwaitedOrder:
    order: UnsettledOrder

    @property
    def url(self) -> str:
        return order_url(self.order.number)

    @property
    def title(self) -> str:
        if self.order.is_in_review:
            return _("We’re checking order %(number)s") % {"number": self.order.number}
        if self.order.is_at_bank:
            return _("Your payment for order %(number)s is on its way") % {"number": self.order.number}
        return _("Your payment for order %(number)s arrived") % {"number": self.order.number}

    @property
    def sentence(self) -> str:
        if self.order.is_in_review:
            return _("We’ll e-mail you: either your course opens or you get a refund. Don’t pay again.")
        if self.order.is_at_bank:
            return _("Your bank hasn’t confirmed it yet. Your course opens as soon as it arrives. Don’t pay again.")
        return _("Your course opens within minutes. You don’t need to do anything.")

    @property
    def text(self) -> str:
        return f"{list_titles(self.order.titles)}. {self.sentence}"


def awaited_orders(user_id: int) -> tuple[AwaitedOrder, ...]:
    """The buyer’s unsettled orders, the latest first; one query where there is none."""
    return tuple(AwaitedOrder(order) for order in reversed(find_unsettled_orders(user_id)))


def find_order_with_course(course_id: int, *, user_id: int) -> AwaitedOrder | None:
    return next((each for each in awaited_orders(user_id) if course_id in each.order.course_ids), None)


def find_order_with_product(product_id: int, *, user_id: int) -> AwaitedOrder | None:
    return next((each for each in awaited_orders(user_id) if (product_id, False) in each.order.line_keys), None)

"""Tags of the cart’s templates."""

from __future__ import annotations

from django import template

from ecommerce.selectors.basket_prices import PricedLine
from frontend.pages import cart

register = template.Library()


@register.filter
def discount_sentence(line: PricedLine) -> str:
    """`{{ line|discount_sentence }}`: the discount on a line, and until when."""
    return cart.discount_sentence(line)

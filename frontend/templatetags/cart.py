"""Tags of the cart’s templates."""

from __future__ import annotations

from collections.abc import Mapping

from django import template

from ecommerce.selectors.basket_prices import PricedLine
from frontend.pages import cart
from frontend.pages.seats_form import SeatsForm

register = template.Library()


@register.filter
def discount_sentence(line: PricedLine) -> str:
    """`{{ line|discount_sentence }}`: the discount on a line, and until when."""
    return cart.discount_sentence(line)


@register.simple_tag
def line_refund(line: PricedLine, page: cart.CartPage) -> str:
    """`{% line_refund line page as refund %}`: until when a line is refunded if it is bought now."""
    return cart.line_refund(line, page)


@register.simple_tag
def line_name(line: PricedLine, page: cart.CartPage) -> str:
    """`{% line_name line page as name %}`: what tells a line from the others of the cart."""
    return cart.line_name(line, page)


@register.filter
def seats_sum(line: PricedLine) -> str:
    """`{{ line|seats_sum }}`: the seats of a group and the price of one."""
    return cart.line_seats(line)


@register.simple_tag
def seats_form(line: PricedLine, page: cart.CartPage) -> SeatsForm:
    """`{% seats_form line page as who %}`: the form that says for whom a line is."""
    return page.seats_form(line)


@register.filter
def of(values: Mapping[int, object] | None, pk: int) -> object:
    """`{{ page.page_urls|of:line.product.pk }}`: what belongs to a row; nothing where there is none."""
    return (values or {}).get(pk, "")

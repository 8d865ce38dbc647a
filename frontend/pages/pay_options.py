"""The ways to pay that a buyer chooses from before checkout. No gateway is asked for them."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest

from ecommerce.gateways.labels import label_of
from ecommerce.gateways.registry import gateways_for
from mitxonline.kernel.money import Money

_SESSION_KEY = "frontend.pay_with"


@dataclass(frozen=True, slots=True)
class PayOption:
    """A gateway as its buyer reads it; ``mark`` is what is drawn beside it."""

    value: str
    name: str
    text: str
    mark: str
    is_chosen: bool


def list_pay_options(request: HttpRequest, total: Money) -> tuple[PayOption, ...]:
    """Return the ways to pay this total, the one chosen last or else the first one chosen; none where one is all.

    A free order has none.
    """
    names = [] if total.is_zero else list(gateways_for(total))
    if len(names) < 2:
        return ()
    wanted = request.POST.get("gateway") or request.session.get(_SESSION_KEY, "")
    chosen = wanted if wanted in names else names[0]
    labels = [(name, label_of(name)) for name in names]
    return tuple(
        PayOption(name, str(label.name), str(label.pays_with), str(label.mark), is_chosen=name == chosen)
        for name, label in labels
    )


def remember_choice(request: HttpRequest, gateway: str) -> None:
    """Offer it first when the buyer is back at the cart."""
    if gateway and request.session.get(_SESSION_KEY) != gateway:
        request.session[_SESSION_KEY] = gateway

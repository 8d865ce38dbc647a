"""What the cart page shows, and the count in every page's header."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _

from ecommerce.selectors.baskets import cart_count
from ecommerce.services.cart import AppliedCode, PricedBasket, PricedLine, priced_basket
from frontend.owner import basket_owner
from mitxonline.kernel import clock


@dataclass(frozen=True, slots=True)
class CodeField:
    """The code field as it comes back after a try: what was typed, and why it wasn't applied."""

    value: str = ""
    error: str = ""


@dataclass(frozen=True)
class CartPage:
    """The cart, in the words of the page."""

    priced: PricedBasket
    field: CodeField
    now: datetime

    @cached_property
    def lines(self) -> list[CartLine]:
        return [CartLine(line, self.now) for line in self.priced.lines]

    @property
    def heading(self) -> str:
        """“Ready to start” once a contract's code has done its work."""
        return _("Ready to start") if self.is_ready else _("Your cart")

    @property
    def title(self) -> str:
        """The title of the browser's tab; an error is the first thing it says."""
        return _("Error: %(title)s") % {"title": self.heading} if self.field.error else self.heading

    @property
    def is_ready(self) -> bool:
        """Whether this is a contract's cart with nothing left to do but to check out."""
        return self.priced.is_link and self.priced.can_check_out

    @property
    def is_free(self) -> bool:
        """Whether there is nothing to pay."""
        return self.priced.total.is_zero

    @property
    def shows_field(self) -> bool:
        """The field is there while a code could still do something; after an error always."""
        return bool(self.field.error) or any(
            line.code is None and not line.entitlement for line in self.priced.lines
        )

    @property
    def waiting_for_code(self) -> PricedLine | None:
        """The first line that needs its own code."""
        return next((line for line in self.priced.lines if line.needs_code), None)

    @property
    def provider(self) -> str:
        """The one organization that pays for everything here, or nothing."""
        providers = {line.provider for line in self.priced.lines}
        return providers.pop() if len(providers) == 1 else ""

    @property
    def blocked(self) -> list[str]:
        """What stands in the way besides a missing code, each sentence once; the lines say theirs themselves."""
        on_lines = {line.refusal.message for line in self.priced.lines if line.refusal is not None}
        if self.waiting_for_code is not None:
            return []
        return [each.message for each in self.priced.refusals if each.message not in on_lines]

    @property
    def codes_that_stopped_working(self) -> list[AppliedCode]:
        """Codes that were fine when they were applied."""
        return [applied for applied in self.priced.codes if applied.refusal is not None]

    @property
    def expected_total(self) -> str:
        """What the buyer sees, as the checkout compares it."""
        return str(self.priced.total)


@dataclass(frozen=True, slots=True)
class CartLine:
    """One line of the cart."""

    line: PricedLine
    now: datetime


def cart_page(request: HttpRequest, *, field: CodeField) -> CartPage:
    """The visitor's current cart."""
    now = clock.now()
    priced = priced_basket(basket_owner(request), user_id=request.user.pk, now=now)
    return CartPage(priced=priced, field=field, now=now)


def context(request: HttpRequest) -> dict[str, object]:
    """The header's count, worked out only where a page shows it; one query, none without a basket."""
    return {"cart_count": SimpleLazyObject(lambda: cart_count(basket_owner(request), now=clock.now()))}

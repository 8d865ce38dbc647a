"""Discounts one by one: each code with its discount, and the discounts that apply automatically."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Exists, OuterRef

from ecommerce.models import CodeUse, Discount, DiscountCode, Order, OrderLine, OrderQuerySet
from ecommerce.models.discount import CodeUseQuerySet, DiscountCodeQuerySet, DiscountQuerySet
from ecommerce.selectors.discount_access import DiscountAccess
from ecommerce.selectors.discounts import SOLD, SPENT
from mitxonline.kernel.errors import Forbidden, NotFound
from mitxonline.kernel.text import normalize_code, normalize_email
from mitxonline.users.models import User
from mitxonline.users.selectors import VIEW_PEOPLE


@dataclass(frozen=True, slots=True)
class DiscountEntry:
    """A code with its discount, or a discount that applies automatically and has no code."""

    discount: Discount
    code: DiscountCode | None
    is_redeemed: bool

    @property
    def number(self) -> int:
        """The code's id; that of a discount without a code is negative."""
        return self.code.pk if self.code is not None else -self.discount.pk


@dataclass(frozen=True, slots=True)
class EntryFilters:
    """Which entries to list; empty or None for all."""

    text: str = ""
    payment_type: str = ""
    redemption_type: str = ""
    is_redeemed: bool | None = None


class DiscountEntries:
    """The entries that a user may see: automatic discounts, then codes, the newest of each first.

    What is paused isn't among them. Raises Forbidden for users who may see no discounts.
    """

    def __init__(self, access: DiscountAccess, filters: EntryFilters | None = None) -> None:
        if not access.exists:
            raise Forbidden
        filters = filters or EntryFilters()
        discounts = access.discounts().filter(is_active=True)
        if filters.payment_type:
            discounts = discounts.filter(payment_type=filters.payment_type)
        if filters.redemption_type:
            discounts = discounts.filter(redemption_type=filters.redemption_type)
        self._automatic = _find_automatic(discounts, filters)
        self._codes = _find_codes(discounts, filters)

    def count(self) -> int:
        return self._automatic.count() + self._codes.count()

    def __getitem__(self, part: slice) -> list[DiscountEntry]:
        """Read the entries from a start to an end."""
        first = self._automatic.count()
        automatic = self._automatic[part.start : part.stop] if part.start < first else ()
        found = [_enter(discount, None, discount) for discount in automatic]
        if part.stop > first:
            codes = self._codes[max(0, part.start - first) : part.stop - first]
            found += [_enter(code.discount, code, code) for code in codes]
        return found

    def get(self, number: int) -> DiscountEntry:
        """Return one entry by its number. Raises NotFound."""
        if number < 0:
            discount = self._automatic.filter(pk=-number).first()
            if discount is not None:
                return _enter(discount, None, discount)
        elif (code := self._codes.filter(pk=number).first()) is not None:
            return _enter(code.discount, code, code)
        raise NotFound


@dataclass(frozen=True, slots=True)
class PersonOfDiscount:
    """Someone a discount is for, by address, with their account if the viewer may know of it."""

    row_id: int
    email: str
    user: User | None

    @property
    def number(self) -> int:
        """The id of their account; negative, and the row's, where none is known."""
        return self.user.pk if self.user is not None else -self.row_id


def add_accounts(rows: Collection[tuple[int, str]], *, viewer: User) -> list[PersonOfDiscount]:
    """Find the accounts with these addresses, for viewers who may view people; one query."""
    accounts: dict[str, User] = {}
    if viewer.has_perm(VIEW_PEOPLE):
        found = User.objects.filter(email__in=[email for _row_id, email in rows], closed_at=None)
        accounts = {normalize_email(user.email): user for user in found}
    return [PersonOfDiscount(row_id, email, accounts.get(normalize_email(email))) for row_id, email in rows]


def uses_of_code(code: DiscountCode) -> CodeUseQuerySet:
    """Return the uses of a code by completed orders, newest first."""
    return (
        CodeUse.objects.filter(code=code, state__in=SPENT, order__isnull=False).select_related("user").order_by("-pk")
    )


def orders_with_automatic(discount: Discount) -> OrderQuerySet:
    """Return the completed orders with a line that a discount without a code made cheaper, newest first."""
    lines = OrderLine.objects.filter(order=OuterRef("pk"), discount=discount, code=None)
    return Order.objects.filter(Exists(lines), state__in=SOLD).select_related("purchaser").order_by("-placed_at", "-pk")


def _find_automatic(discounts: DiscountQuerySet, filters: EntryFilters) -> DiscountQuerySet:
    sold = OrderLine.objects.filter(discount=OuterRef("pk"), code=None, order__state__in=SOLD)
    found = discounts.filter(automatic=True, name__icontains=filters.text)
    if filters.is_redeemed is not None:
        found = found.filter(Exists(sold) if filters.is_redeemed else ~Exists(sold))
    return found.annotate(is_redeemed=Exists(sold)).order_by("-pk")


def _find_codes(discounts: DiscountQuerySet, filters: EntryFilters) -> DiscountCodeQuerySet:
    spent = CodeUse.objects.filter(code=OuterRef("pk"), state__in=SPENT)
    found = DiscountCode.objects.filter(active=True, discount__in=discounts.filter(automatic=False))
    if filters.text:
        # A text without letters and digits is in no code.
        part = normalize_code(filters.text)
        found = found.filter(normalized__contains=part) if part else found.none()
    if filters.is_redeemed is not None:
        found = found.filter(Exists(spent) if filters.is_redeemed else ~Exists(spent))
    # By discount first: the index of a discount's codes spares reading those of contracts, which may be a million.
    return found.select_related("discount").annotate(is_redeemed=Exists(spent)).order_by("-discount_id", "-pk")


def _enter(discount: Discount, code: DiscountCode | None, row: Discount | DiscountCode) -> DiscountEntry:
    return DiscountEntry(discount, code, is_redeemed=row.is_redeemed)  # type: ignore[union-attr] # annotated above

"""The seats of a group purchase: which are left, what they cost, and which go back with a refund."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, OuterRef, Subquery

from ecommerce.enums import CodeChangeKind, UseState
from ecommerce.errors.registration import SeatsRedeemed
from ecommerce.models import CodeUse, DiscountCode, OrderLine, RegistrationCodeChange, SeatSale
from mitxonline.kernel.money import Money


@dataclass(frozen=True, slots=True)
class Seat:
    """A seat that wasn't refunded. `use_id` is the confirmed use of its code, `learner` who has it."""

    code_id: int
    is_active: bool
    is_assigned: bool
    use_id: int | None
    user_id: int | None
    learner: str


@dataclass(frozen=True, slots=True)
class SeatsToTakeBack:
    """The seats of one order line that go back with a refund: those no one redeemed first, then the last redeemed."""

    line: OrderLine
    seats: tuple[Seat, ...]

    @property
    def count(self) -> int:
        return len(self.seats)

    @property
    def redeemed(self) -> tuple[Seat, ...]:
        return tuple(each for each in self.seats if each.use_id is not None)


def find_seats(sale: SeatSale) -> list[Seat]:
    """Return the seats of a sale that weren't refunded, in one query."""
    used = CodeUse.objects.filter(code=OuterRef("pk"), state=UseState.CONFIRMED).order_by("-pk")
    changes = RegistrationCodeChange.objects.filter(code=OuterRef("pk")).exclude(kind=CodeChangeKind.MOVED)
    rows = DiscountCode.objects.filter(discount=sale.discount_id).values(
        "pk",
        "active",
        "assigned_email",
        use=Subquery(used.values("pk")[:1]),
        user=Subquery(used.values("user")[:1]),
        name=Subquery(used.values("user__name")[:1]),
        email=Subquery(used.values("user__email")[:1]),
        last_change=Subquery(changes.order_by("-pk").values("kind")[:1]),
    )
    return [
        Seat(
            code_id=row["pk"],
            is_active=row["active"],
            is_assigned=bool(row["assigned_email"]),
            use_id=row["use"],
            user_id=row["user"],
            learner=row["name"] or row["email"] or "",
        )
        for row in rows.order_by("pk")
        if row["active"] or row["last_change"] != CodeChangeKind.REFUNDED
    ]


def count_redeemed_seats(lines: Iterable[OrderLine]) -> dict[int, int]:
    """Return how many seats of each order line are redeemed and weren't refunded, in one query."""
    uses = CodeUse.objects.filter(
        state=UseState.CONFIRMED, code__active=True, code__discount__seat_sale__order_line__in=list(lines)
    )
    rows = uses.order_by().values_list("code__discount__seat_sale__order_line").annotate(Count("pk"))
    return dict(rows)


def choose_seats(line: OrderLine, sale: SeatSale, *, seats: int, takes_redeemed: bool) -> SeatsToTakeBack:
    """Choose which seats go back. Raises SeatsRedeemed where too few are free and redeemed ones mustn't be taken.

    Codes that were off anyway come first, then those no one was given, then the newest.
    """
    found = find_seats(sale)
    free = [each for each in found if each.use_id is None]
    redeemed = [each for each in found if each.use_id is not None]
    if seats > len(free) and not (takes_redeemed and seats <= len(found)):
        raise SeatsRedeemed(title=line.title, free=len(free))
    free.sort(key=lambda each: (each.is_active, each.is_assigned, -each.code_id))
    redeemed.sort(key=lambda each: -(each.use_id or 0))
    return SeatsToTakeBack(line, tuple([*free, *redeemed][:seats]))


def seats_left(line: OrderLine) -> int:
    """How many seats of the line weren't refunded; 0 of a line for the buyer."""
    return (line.seats or 0) - line.seats_refunded


def price_of_seats(line: OrderLine, seats: int) -> Money:
    """What refunding this many more seats costs.

    Seats are rounded cumulatively: however they are refunded, all of them together are exactly what is due. Money that
    was refunded without seats is missing from the last ones.
    """
    left = Money(line.due - line.refunded, line.currency)
    if line.seats is None or seats >= seats_left(line):
        return left
    upto = _share(line, line.seats_refunded + seats) - _share(line, line.seats_refunded)
    return min(upto, left)


def _share(line: OrderLine, seats: int) -> Money:
    whole = Money(line.due, line.currency)
    return Money.from_minor(whole.minor_units * seats // (line.seats or 1), line.currency)

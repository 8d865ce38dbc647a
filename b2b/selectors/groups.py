"""Group purchases, for their buyer and the helpers they named. Everyone else finds nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from b2b.codes import in_managed_state
from b2b.enums import ManagedCodeState
from b2b.models import CompanyList, Helper
from b2b.selectors.handouts import has_closed, moved_to_open_run
from b2b.selectors.managers import with_managed_facts
from courses.models import Enrollment
from ecommerce.codes import in_state, with_code_facts
from ecommerce.enums import CodeState
from ecommerce.models import DiscountCode, SeatSale
from ecommerce.selectors.registration import find_opened_run, name_giver
from mitxonline.kernel.text import normalize_email
from mitxonline.users.models import User

_ALWAYS_SHOWN = frozenset({ManagedCodeState.JOINED, ManagedCodeState.INVITED, ManagedCodeState.FREE})


@dataclass(frozen=True, slots=True)
class GroupCounts:
    """The seats of a purchase by what became of them. Together they are all that were bought.

    `moved` are those among them that staff moved to a start that is still open. Of those handed out, some are `held` in
    a checkout, and of some the e-mail `failed`; of those that are off, some were `withdrawn`.
    """

    free: int = 0
    handed_out: int = 0
    used: int = 0
    off: int = 0
    moved: int = 0
    held: int = 0
    failed: int = 0
    withdrawn: int = 0

    @property
    def shown(self) -> list[tuple[ManagedCodeState, int]]:
        """The numbers in the words of the list of codes; those of seldom states only where there are any."""
        counts = {
            ManagedCodeState.JOINED: self.used,
            ManagedCodeState.INVITED: self.handed_out - self.held - self.failed,
            ManagedCodeState.FREE: self.free,
            ManagedCodeState.HELD: self.held,
            ManagedCodeState.FAILED: self.failed,
            ManagedCodeState.WITHDRAWN: self.withdrawn,
            ManagedCodeState.OFF: self.off - self.withdrawn,
        }
        return [(state, count) for state, count in counts.items() if count or state in _ALWAYS_SHOWN]

    @property
    def bought(self) -> int:
        return self.free + self.handed_out + self.used + self.off

    @property
    def usable(self) -> int:
        return self.bought - self.off


@dataclass(frozen=True, slots=True)
class GroupSale:
    """One group purchase as someone finds it who may hand out its codes."""

    sale: SeatSale
    is_mine: bool
    counts: GroupCounts
    now: datetime
    company_list: CompanyList | None = None

    @property
    def title(self) -> str:
        return self.sale.course_run.title

    @property
    def is_open(self) -> bool:
        """Whether codes can be handed out: once enrollment has closed only those that were moved."""
        return not has_closed(self.sale.course_run, now=self.now) or self.counts.moved > 0

    @property
    def is_for_sale(self) -> bool:
        """Whether more seats could be bought."""
        return not has_closed(self.sale.course_run, now=self.now)

    @property
    def buyer(self) -> str:
        return self.sale.buyer.display_name if self.sale.buyer is not None else ""

    @property
    def invoice_number(self) -> str:
        return self.sale.invoice_line.invoice.number if self.sale.invoice_line is not None else ""

    @property
    def order_number(self) -> str:
        return self.sale.order_line.order.number if self.sale.order_line is not None else ""


# --- Access ----------------------------------------------------------------------------------------------------------


def sales_open_to(user: User) -> QuerySet[SeatSale]:
    """Return the group purchases whose codes this person may hand out.

    Their own, those they help with, and those on company lists that are theirs or that they help with. Helpers are
    known by their confirmed address. They help no one whose account is closed.
    """
    open_to = Q(buyer=user) | Q(listed__company_list__owner=user)
    if user.is_email_verified and user.email:
        mine = Helper.objects.filter(email=user.email)
        of_list = mine.filter(company_list__listed_sales__seat_sale=OuterRef("pk"))
        open_to |= Q(Exists(mine.filter(seat_sale=OuterRef("pk"))))
        open_to |= Q(Exists(of_list.filter(company_list__owner__is_active=True)))
    return SeatSale.objects.filter(open_to, buyer__is_active=True)


def lists_open_to(user: User) -> QuerySet[CompanyList]:
    """Return the company lists someone owns or helps with."""
    open_to = Q(owner=user)
    if user.is_email_verified and user.email:
        open_to |= Q(Exists(Helper.objects.filter(company_list=OuterRef("pk"), email=user.email)))
    return CompanyList.objects.filter(open_to, owner__is_active=True).select_related("owner")


def has_group_sales(user: User) -> bool:
    """Tell whether someone has group purchases to look after. For menus: three short look-ups."""
    return sales_open_to(user).exists()


def may_hand_out(*, user_id: int, sale_id: int) -> bool:
    user = User.objects.filter(pk=user_id, is_active=True).first()
    return user is not None and sales_open_to(user).filter(pk=sale_id).exists()


# --- Recipients ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WaitingSeat:
    """A code of a group purchase that was handed out to someone who hasn't used it."""

    code: DiscountCode
    title: str
    giver: str


def waiting_seats(user: User) -> list[WaitingSeat]:
    """Return the codes handed out to the person for courses they don't have yet.

    One query, and none before the address is confirmed.
    """
    if not user.is_email_verified:
        return []
    had = (
        Enrollment.objects.active()
        .of(user.pk)
        .filter(
            run=Coalesce(OuterRef("moved_to"), OuterRef("discount__seat_sale__course_run")),
            mode=OuterRef("discount__seat_sale__mode"),
        )
    )
    mine = DiscountCode.objects.filter(assigned_email=normalize_email(user.email), discount__seat_sale__isnull=False)
    codes = (
        with_code_facts(mine)
        .filter(in_state(CodeState.ASSIGNED), ~Exists(had))
        .select_related(
            "moved_to",
            "discount__seat_sale__course_run",
            "discount__seat_sale__buyer",
            "discount__seat_sale__order_line__order",
            "discount__seat_sale__invoice_line__invoice",
        )
        .order_by("assigned_at", "pk")
    )
    return [
        WaitingSeat(
            code=code,
            title=find_opened_run(code, code.discount.seat_sale).title,
            giver=name_giver(code.discount.seat_sale),
        )
        for code in codes
    ]


# --- Pages -----------------------------------------------------------------------------------------------------------


def find_group_sale(user: User, sale_id: int, *, now: datetime) -> GroupSale | None:
    found = list(_with_all(sales_open_to(user).filter(pk=sale_id)))
    return describe_sales(found, user, now=now)[0] if found else None


def list_group_sales(user: User, *, company_list: CompanyList | None = None) -> QuerySet[SeatSale]:
    """Return the purchases for a list, newest first."""
    found = sales_open_to(user)
    if company_list is not None:
        found = found.filter(listed__company_list=company_list)
    return _with_all(found).order_by("-sold_at", "-pk")


def describe_sales(sales: Iterable[SeatSale], user: User, *, now: datetime) -> list[GroupSale]:
    """Add what became of the seats; one query for any number of purchases and codes."""
    found = list(sales)
    counts = count_seats_of(found, now=now)
    return [
        GroupSale(
            sale=sale,
            is_mine=sale.buyer_id == user.pk,
            counts=counts.get(sale.discount_id, GroupCounts()),
            now=now,
            company_list=sale.listed.company_list if hasattr(sale, "listed") else None,
        )
        for sale in found
    ]


def count_seats_of(sales: Sequence[SeatSale], *, now: datetime) -> dict[int, GroupCounts]:
    """Return what became of the seats of these sales, by discount; one query."""
    sold = DiscountCode.objects.filter(discount__in=[sale.discount_id for sale in sales])
    codes = with_managed_facts(sold, now=now)
    grouped = (
        codes.order_by()
        .values("discount_id")
        .annotate(
            free=Count("pk", filter=in_state(CodeState.FREE)),
            handed_out=Count("pk", filter=in_state(CodeState.ASSIGNED, CodeState.HELD)),
            used=Count("pk", filter=in_state(CodeState.USED)),
            off=Count("pk", filter=in_state(CodeState.WITHDRAWN, CodeState.OFF)),
            moved=Count("pk", filter=moved_to_open_run(now) & in_state(CodeState.FREE, CodeState.ASSIGNED)),
            held=Count("pk", filter=in_managed_state(ManagedCodeState.HELD)),
            failed=Count("pk", filter=in_managed_state(ManagedCodeState.FAILED)),
            withdrawn=Count("pk", filter=in_managed_state(ManagedCodeState.WITHDRAWN)),
        )
    )
    names = ("free", "handed_out", "used", "off", "moved", "held", "failed", "withdrawn")
    return {discount_id: GroupCounts(*counted) for discount_id, *counted in grouped.values_list("discount_id", *names)}


def helpers_of(*, sale_id: int | None = None, company_list_id: int | None = None) -> QuerySet[Helper]:
    """Return the helpers of a purchase, or of a company list."""
    if sale_id is not None:
        return Helper.objects.filter(seat_sale=sale_id)
    return Helper.objects.filter(company_list=company_list_id)


def _with_all(sales: QuerySet[SeatSale]) -> QuerySet[SeatSale]:
    return sales.select_related(
        "course_run",
        "product",
        "buyer",
        "order_line__order",
        "invoice_line__invoice",
        "listed__company_list__owner",
    )

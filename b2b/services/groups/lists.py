"""Company lists: several buyers' group purchases in one list. Each buyer decides about purchases of their own."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from b2b.errors.groups import CompanyListUnknown
from b2b.errors.handouts import SeatSaleUnknown
from b2b.models import CompanyList, HandOut, Helper, ListedSale
from b2b.selectors.groups import lists_open_to
from b2b.selectors.lots import SaleLot
from b2b.services.handouts.revoke import revoke_codes
from ecommerce.models import SeatSale
from mitxonline.kernel.audit import record
from mitxonline.users.models import User


def create_list(*, owner_id: int, name: str, now: datetime) -> CompanyList:
    with transaction.atomic():
        made = CompanyList.objects.create(owner_id=owner_id, name=name, created_at=now)
        record(made, "b2b.company_list.create", by_id=owner_id)
    return made


def delete_list(*, user_id: int, company_list_id: int) -> None:
    """Delete a list of one's own. Its helpers and what it listed go with it, the purchases stay."""
    with transaction.atomic():
        owned = CompanyList.objects.filter(pk=company_list_id, owner=user_id).first()
        if owned is None:
            raise CompanyListUnknown
        record(owned, "b2b.company_list.delete", by_id=user_id)
        owned.delete()


def list_sale(*, user_id: int, sale_id: int, company_list_id: int, now: datetime) -> None:
    """Put a purchase of one's own on a list that one owns or helps with, in place of the list it was on.

    Raises SeatSaleUnknown, CompanyListUnknown.
    """
    with transaction.atomic():
        user = User.objects.get(pk=user_id)
        sale = SeatSale.objects.locked().filter(pk=sale_id, buyer=user).first()
        if sale is None:
            raise SeatSaleUnknown
        company_list = lists_open_to(user).filter(pk=company_list_id).first()
        if company_list is None:
            raise CompanyListUnknown
        ListedSale.objects.update_or_create(seat_sale=sale, defaults={"company_list": company_list, "listed_at": now})
        record(sale, "b2b.company_list.add", by_id=user_id, data={"list": company_list_id})


def unlist_sale(*, user_id: int, sale_id: int) -> None:
    """Take a purchase off its list: its buyer may, and the list's owner. Nothing happens if it is on none."""
    with transaction.atomic():
        may = Q(seat_sale__buyer=user_id) | Q(company_list__owner=user_id)
        listed = ListedSale.objects.filter(may, seat_sale=sale_id).select_related("seat_sale").first()
        if listed is not None:
            record(listed.seat_sale, "b2b.company_list.remove", by_id=user_id, data={"list": listed.company_list_id})
            listed.delete()


def end_sharing_of(sale_ids: Collection[int]) -> None:
    """Take purchases off their lists and from their helpers, as they got another buyer."""
    ListedSale.objects.filter(seat_sale__in=sale_ids).delete()
    Helper.objects.filter(seat_sale__in=sale_ids).delete()


def leave_groups(*, user_id: int, email: str, now: datetime) -> None:
    """End what a closed account shared and helped with, and take back the unused codes of its confirmed address."""
    CompanyList.objects.filter(owner=user_id).delete()
    ListedSale.objects.filter(seat_sale__buyer=user_id).delete()
    Helper.objects.filter(seat_sale__buyer=user_id).delete()
    if not email:
        return
    Helper.objects.filter(email=email).delete()
    given = HandOut.objects.open().filter(email=email, seat_sale__isnull=False, is_shared=False)
    by_sale: dict[int, list[int]] = {}
    for each in given.order_by("seat_sale"):
        if each.seat_sale_id is not None and each.code_id is not None:
            by_sale.setdefault(each.seat_sale_id, []).append(each.code_id)
    for sale_id, code_ids in by_sale.items():
        revoke_codes(SaleLot(sale_id), code_ids=code_ids, by_id=None, now=now)

"""Helpers: addresses that a buyer lets hand out codes, of one purchase or of all on a company list."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils.translation import get_language

from b2b.errors.groups import (
    CompanyListUnknown,
    HelperAddressIncomplete,
    HelperAlready,
    HelperIsYou,
    HelperUnknown,
    TooManyHelpers,
)
from b2b.errors.handouts import SeatSaleUnknown
from b2b.events import HelperNamed
from b2b.models import CompanyList, Helper, ListedSale
from b2b.models.group import MAX_HELPERS
from ecommerce.models import SeatSale
from mitxonline.coordinator.bus import publish
from mitxonline.kernel.audit import record
from mitxonline.kernel.mail import send_email
from mitxonline.kernel.names import has_address
from mitxonline.kernel.people.lines import is_email_address
from mitxonline.kernel.text import normalize_email
from mitxonline.users.models import User


def name_helper(*, user_id: int, sale_id: int, email: str, now: datetime) -> Helper:
    """Let this address hand out the codes of a purchase; only its buyer may.

    Raises SeatSaleUnknown, HelperAddressIncomplete, HelperIsYou, HelperAlready, TooManyHelpers.
    """
    with transaction.atomic():
        sale = SeatSale.objects.locked().filter(pk=sale_id, buyer=user_id).first()
        if sale is None:
            raise SeatSaleUnknown
        return _add_helper(Helper(seat_sale=sale), email=email, user_id=user_id, now=now)


def name_list_helper(*, user_id: int, company_list_id: int, email: str, now: datetime) -> Helper:
    """Let this address hand out the codes of all purchases on a list, now and later; only its owner may.

    Raises CompanyListUnknown, or what `name_helper` raises.
    """
    with transaction.atomic():
        owned = CompanyList.objects.filter(pk=company_list_id, owner=user_id)
        company_list = owned.select_for_update(of=("self",), no_key=True).first()
        if company_list is None:
            raise CompanyListUnknown
        return _add_helper(Helper(company_list=company_list), email=email, user_id=user_id, now=now)


def remove_helper(*, user_id: int, helper_id: int) -> None:
    """End what this address may do, at once. Raises HelperUnknown.

    Purchases of their own that they put on the list leave it with them.
    """
    with transaction.atomic():
        helper = Helper.objects.filter(pk=helper_id).select_related("seat_sale", "company_list").first()
        about = _about(helper) if helper is not None else None
        if helper is None or about is None or user_id != _responsible(about):
            raise HelperUnknown
        helper.delete()
        if helper.company_list is not None:
            theirs = User.objects.filter(email=helper.email).exclude(pk=helper.company_list.owner_id)
            ListedSale.objects.filter(company_list=helper.company_list, seat_sale__buyer__in=theirs).delete()
        record(about, "b2b.helper.remove", by_id=user_id, data={"helper": helper_id})


def email_helper(event: HelperNamed) -> None:
    """Tell a helper what they may do now; nothing if they were removed meanwhile."""
    helper = Helper.objects.filter(pk=event.helper_id).select_related(
        "seat_sale__course_run", "company_list", "named_by"
    )
    named = helper.first()
    if named is None:
        return
    sale, company_list = named.seat_sale, named.company_list
    url = (
        reverse("group", args=[sale.pk]) if sale is not None else reverse("company-list", args=[named.company_list_id])
    )
    course = sale.course_run.title if sale is not None else ""
    company = company_list.name if company_list is not None else ""
    by = named.named_by
    send_email(
        "b2b/emails/helper_named",
        to=[named.email],
        context={
            "person": "" if by is None or has_address(by.name) else by.name,
            "course": course,
            "company": "" if has_address(company) else company,
            "address": named.email,
            "link": f"{settings.SITE_BASE_URL}{url}",
        },
        language=event.language,
        reply_to=[by.email] if by is not None and by.is_active else [],
    )


def _add_helper(helper: Helper, *, email: str, user_id: int, now: datetime) -> Helper:
    """Save the helper of a locked purchase or list, so that two requests don't pass the limit together."""
    address = normalize_email(email)
    if not is_email_address(address):
        raise HelperAddressIncomplete
    if User.objects.filter(pk=user_id, email=address).exists():
        raise HelperIsYou
    others = Helper.objects.filter(seat_sale=helper.seat_sale, company_list=helper.company_list)
    if others.filter(email=address).exists():
        raise HelperAlready(email=address)
    if others.count() >= MAX_HELPERS:
        raise TooManyHelpers(most=MAX_HELPERS)
    helper.email, helper.named_at, helper.named_by_id = address, now, user_id
    helper.save()
    if (about := _about(helper)) is not None:
        record(about, "b2b.helper.name", by_id=user_id, data={"helper": helper.pk})
    publish(HelperNamed(helper_id=helper.pk, language=get_language() or settings.LANGUAGE_CODE))
    return helper


def _about(helper: Helper) -> SeatSale | CompanyList | None:
    return helper.seat_sale or helper.company_list


def _responsible(about: SeatSale | CompanyList) -> int | None:
    return about.buyer_id if isinstance(about, SeatSale) else about.owner_id

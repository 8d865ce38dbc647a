"""The pages of group purchases: their list, one purchase with its codes, its helpers, and company lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.core.paginator import Page, Paginator
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from b2b.enums import ManagedCodeState
from b2b.models import CompanyList, Helper
from b2b.selectors.codes import CodeFilter
from b2b.selectors.groups import GroupSale, describe_sales, helpers_of, list_group_sales, lists_open_to
from b2b.selectors.lots import SaleLot
from b2b.selectors.managers import count_codes, filter_codes, sale_code_lines
from b2b.services.handouts.assign import SaleHandOutRequest
from b2b.services.handouts.recipients import Recipient
from ecommerce.codes import redeem_url
from frontend.pages.handouts import CodeRow, HandOutPlace, StateTab, build_tabs, paginate_codes, parse_words
from frontend.site.navigation import Crumb, Link
from mitxonline.kernel.clock import date_of
from mitxonline.kernel.names import NameField
from mitxonline.kernel.paging import PAGE, find_page
from mitxonline.kernel.people.fields import ADDRESS_INCOMPLETE, PersonField
from mitxonline.users.models import User

SALES_ON_A_PAGE = 20

FILE_COLUMNS = (
    _("Code"),
    _("Link"),
    _("Course"),
    _("State"),
    _("Given to"),
    _("Name"),
    _("Given on"),
    _("Used by"),
    _("E-mail used by"),
    _("Used on"),
)


class GroupPlace(HandOutPlace):
    """The codes of a group purchase, for its buyer and their helpers."""

    def __init__(self, group: GroupSale) -> None:
        self.group = group

    @property
    def lot(self) -> SaleLot:
        return SaleLot(self.group.sale.pk)

    @property
    def has_own_codes(self) -> bool:
        return True

    @property
    def can_hand_out(self) -> bool:
        return self.group.is_open and self.group.counts.free > 0

    @property
    def courses(self) -> None:
        return None

    @property
    def list_url(self) -> str:
        return self.url("group")

    @property
    def hand_out_url(self) -> str:
        return self.url("group-hand-out")

    @property
    def selected_url(self) -> str:
        return self.url("group-selected")

    @property
    def more_seats(self) -> Link:
        return Link(_("Buy more seats"), f"{self.list_url}#more" if self.group.is_for_sale else "")

    @property
    def why_closed(self) -> str:
        if not self.group.is_open:
            return gettext(
                "Enrollment has closed. Write to us: we can move unused codes to a later start of the course."
            )
        return gettext("Every code was handed out or is off. Take unused codes back, or buy more seats.")

    def crumbs(self, title: str = "") -> list[Crumb]:
        crumbs = [Crumb(gettext("Group purchases"), reverse("groups"))]
        return (
            [*crumbs, Crumb(self.group.title, self.list_url), Crumb(title)]
            if title
            else [*crumbs, Crumb(self.group.title)]
        )

    def make_request(self, course_id: int | None, recipients: Sequence[Recipient]) -> SaleHandOutRequest:
        return SaleHandOutRequest(seat_sale_id=self.group.sale.pk, recipients=recipients)

    def url(self, name: str) -> str:
        return reverse(name, args=[self.group.sale.pk])


@dataclass(frozen=True, slots=True)
class PurchasePage:
    """One purchase: what became of its seats, and its codes."""

    place: GroupPlace
    code_filter: CodeFilter
    tabs: tuple[StateTab, ...]
    page: Page[Any]
    lines: tuple[CodeRow, ...]
    helpers: tuple[Helper, ...]
    lists: tuple[CompanyList, ...]

    @property
    def group(self) -> GroupSale:
        return self.place.group

    @property
    def is_filtered(self) -> bool:
        return self.code_filter != CodeFilter()


def build_group_page(place: GroupPlace, user: User, *, params: Mapping[str, str], now: datetime) -> PurchasePage:
    """Build the page its address asks for; as many queries for three codes as for a thousand."""
    group = place.group
    state = params.get("state", "")
    code_filter = CodeFilter(
        state=state if state in ManagedCodeState.values else "", words=parse_words(params.get("q", ""))
    )
    counts = count_codes(place.lot, code_filter, now=now)
    rows = filter_codes(place.lot, code_filter, now=now)
    page = paginate_codes(rows, code_filter, counts, params.get(PAGE))
    lines = sale_code_lines(list(page.object_list), title=group.title, now=now)
    return PurchasePage(
        place=place,
        code_filter=code_filter,
        tabs=build_tabs(code_filter, counts),
        page=page,
        lines=tuple(CodeRow(line) for line in lines),
        helpers=tuple(helpers_of(sale_id=group.sale.pk)) if group.is_mine else (),
        lists=tuple(lists_open_to(user)) if group.is_mine else (),
    )


def group_file(place: GroupPlace, *, now: datetime) -> Iterator[tuple[str, ...]]:
    """Yield the headings, then the codes of a purchase with who got and who used them."""
    yield tuple(map(str, FILE_COLUMNS))
    codes = list(filter_codes(place.lot, CodeFilter(), now=now))
    for line in sale_code_lines(codes, title=place.group.title, now=now):
        yield (
            line.text,
            redeem_url(line.text),
            line.title,
            str(line.state.label),
            line.email,
            line.name,
            date_of(line.given_at).isoformat() if line.given_at else "",
            line.used_name,
            line.used_by,
            date_of(line.used_at).isoformat() if line.used_at else "",
        )


@dataclass(frozen=True, slots=True)
class PurchasesPage:
    """Group purchases, all of someone's or those of a company list."""

    page: Page[Any]
    groups: tuple[GroupSale, ...]
    lists: tuple[CompanyList, ...]


def build_groups_page(
    user: User, *, params: Mapping[str, str], now: datetime, company_list: CompanyList | None = None
) -> PurchasesPage:
    """Build a page of the list; the queries don't grow with purchases and codes."""
    sales = list_group_sales(user, company_list=company_list)
    page = find_page(Paginator(sales, SALES_ON_A_PAGE), params.get(PAGE))
    return PurchasesPage(
        page=page,
        groups=tuple(describe_sales(page.object_list, user, now=now)),
        lists=tuple(lists_open_to(user)) if company_list is None else (),
    )


class HelperForm(forms.Form):
    """Someone to share the work with. The service decides whether the address will do."""

    use_required_attribute = False

    email = PersonField(
        label=_("Helper’s e-mail address"),
        max_length=500,
        error_messages={"required": _("Enter an e-mail address."), "max_length": ADDRESS_INCOMPLETE},
    )


class CompanyListForm(forms.Form):
    """A list that exists, or the name of a new one."""

    use_required_attribute = False

    name = NameField(
        label=_("Company"),
        max_length=100,
        error_messages={
            "required": _("Enter the company’s name."),
            "max_length": _("Use at most %(limit_value)d characters."),
        },
    )

"""Contract usage: the seats taken and the codes redeemed, of every contract, or of one by week."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, ClassVar

from django.db.models import Count, Q, QuerySet
from django.db.models.functions import TruncWeek
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from b2b.enums import MembershipState
from b2b.models import ContractMembership, ContractTerms
from ecommerce.enums import UseState
from ecommerce.models import CodeUse
from ecommerce.roles import NOWHERE, WHOLE_SHOP, Action, ShopScope, scope_of
from mitxonline.kernel import clock
from mitxonline.kernel.dates import format_day
from reports.charts import draw_bars
from reports.exports.base import Asked, Choice, Report, ReportAnswer, ReportFact, Row

SEE_CONTRACTS = "b2b.view_contractpage"
_CONTRACT = "code__discount__unlocks__contract_run__contract"


def _offer_contracts() -> list[tuple[str, str]]:
    terms = ContractTerms.objects.select_related("page", "organization").order_by("organization__title", "page__title")
    return [("", _("All")), *((str(each.page_id), f"{each.organization.name}: {each.page.name}") for each in terms)]


class Contracts(Report):
    slug = "contracts"
    title = gettext_lazy("Contract usage")
    about = gettext_lazy(
        "Seats taken and codes redeemed. With one contract chosen: week by week on these days. Seats are those of the "
        "people who have one now, by the day they joined; a seat that was freed since isn’t among them."
    )
    has_course = False
    choices: ClassVar[tuple[Choice, ...]] = (Choice("contract", gettext_lazy("Contract"), _offer_contracts),)
    numbers: ClassVar[frozenset[int]] = frozenset({2, 3, 4, 5})

    def scope_of(self, user: Any) -> ShopScope:
        """Contracts are for those who look after them, and for finance of the whole shop."""
        if user.is_active and user.has_perm(SEE_CONTRACTS):
            return WHOLE_SHOP
        return WHOLE_SHOP if scope_of(user, Action.REPORT_VIEW).is_whole else NOWHERE

    def head(self, asked: Asked) -> list[str]:
        if asked.contract_id is not None:
            return [_("Contract"), _("Week from"), _("Joined"), _("Seats taken"), _("Codes redeemed")]
        return [
            _("Organization"), _("Contract"), _("Seats"), _("Seats taken"), _("Joined on these days"),
            _("Codes redeemed on these days"),
        ]  # fmt: skip

    def count(self, asked: Asked) -> int:
        return len(weeks_of(asked)) if asked.contract_id is not None else ContractTerms.objects.count()

    def rows(self, asked: Asked, *, limit: int | None = None) -> Iterator[Row]:
        if asked.contract_id is not None:
            name = str(ContractTerms.objects.select_related("page").get(page=asked.contract_id).page.name)
            for week, joined, taken, redeemed in usage_by_week(asked)[:limit]:
                yield name, week, joined, taken, redeemed
            return
        members = _active_members()
        seats = dict(members.values_list("contract").annotate(Count("pk")))
        newer = dict(members.filter(asked.within("since")).values_list("contract").annotate(Count("pk")))
        uses = dict(_redemptions(asked).values_list(_CONTRACT).annotate(Count("pk")))
        terms = ContractTerms.objects.select_related("page", "organization").order_by(
            "organization__title", "page__title"
        )
        for each in terms[:limit]:
            key = each.page_id
            counts = (seats.get(key, 0), newer.get(key, 0), uses.get(key, 0))
            yield (each.organization.name, each.page.name, each.max_learners, *counts)

    def answer(self, asked: Asked) -> ReportAnswer:
        if asked.contract_id is None:
            seats = _active_members().count()
            return ReportAnswer(
                facts=(
                    ReportFact(_("Seats taken"), str(seats)),
                    ReportFact(_("Codes redeemed on these days"), str(_redemptions(asked).count())),
                )
            )
        weeks = usage_by_week(asked)
        terms = ContractTerms.objects.get(page=asked.contract_id)
        taken = weeks[-1][2] if weeks else 0
        seats_text = str(terms.max_learners) if terms.max_learners is not None else _("no limit")
        return ReportAnswer(
            facts=(ReportFact(_("Seats"), seats_text), ReportFact(_("Seats taken"), str(taken))),
            charts=(
                draw_bars(_("Seats taken, by week"), [(format_day(each[0]), each[2], str(each[2])) for each in weeks]),
                draw_bars(
                    _("Codes redeemed, by week"), [(format_day(each[0]), each[3], str(each[3])) for each in weeks]
                ),
            ),
        )


def weeks_of(asked: Asked) -> list[date]:
    """Return the Mondays of the weeks that these days touch."""
    first = asked.first - timedelta(days=asked.first.weekday())
    return [first + timedelta(weeks=number) for number in range((asked.last - first).days // 7 + 1)]


def usage_by_week(asked: Asked) -> list[tuple[date, int, int, int]]:
    """Return of each week its Monday, who joined, the seats taken by its end, and the codes redeemed."""
    weeks, zone = weeks_of(asked), timezone.get_default_timezone()
    members = _active_members().filter(contract=asked.contract_id, since__lte=asked.end)
    before = members.filter(since__lt=clock.start_of_day(weeks[0])).count()
    joined = _count_by_week(members.filter(since__gte=clock.start_of_day(weeks[0])), "since", zone)
    uses = _redemptions(asked).filter(**{_CONTRACT: asked.contract_id})
    redeemed = _count_by_week(uses, "created_at", zone)
    rows, taken = [], before
    for week in weeks:
        taken += joined[week]
        rows.append((week, joined[week], taken, redeemed[week]))
    return rows


def _count_by_week(rows: QuerySet[Any], column: str, zone: Any) -> Counter[date]:
    weeks = rows.annotate(week=TruncWeek(column, tzinfo=zone)).order_by().values_list("week").annotate(Count("pk"))
    return Counter({week.date(): count for week, count in weeks})


def _active_members() -> QuerySet[ContractMembership]:
    return ContractMembership.objects.filter(state=MembershipState.ACTIVE).order_by()


def _redemptions(asked: Asked) -> QuerySet[CodeUse]:
    used = Q(state=UseState.CONFIRMED, code__discount__unlocks__contract_run__isnull=False)
    return CodeUse.objects.filter(used, asked.within("created_at")).order_by()

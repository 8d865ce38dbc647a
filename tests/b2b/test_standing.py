"""Every reader gets the same answer about where a contract stands today."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import product

import pytest

from b2b.enums import ContractStanding
from b2b.errors.seats import ContractEnded, ContractInactive, ContractNotStarted
from b2b.models import ContractTerms
from b2b.models.terms import standing_case
from b2b.rules import find_entry_refusal
from b2b.selectors.contracts import list_contracts
from b2b.selectors.managers import managed_contracts
from b2b.selectors.seats import organizations_of
from b2b.services.seats.membership import add_member
from mitxonline.kernel import clock
from tests.b2b.worlds import NOW, make_learner, make_source_course, publish_contract

TODAY = clock.date_of(NOW)
DAY = timedelta(days=1)
STARTS = {"no start": None, "began": TODAY - DAY, "begins today": TODAY, "begins tomorrow": TODAY + DAY}
ENDS = {"no end": None, "over": TODAY - DAY, "last day": TODAY, "ends tomorrow": TODAY + DAY}
REFUSALS = {
    ContractStanding.INACTIVE: ContractInactive,
    ContractStanding.NOT_STARTED: ContractNotStarted,
    ContractStanding.ENDED: ContractEnded,
    ContractStanding.OPEN: type(None),
}


def expected(*, active: bool, start: date | None, end: date | None) -> ContractStanding:
    if not active:
        return ContractStanding.INACTIVE
    if start == TODAY + DAY:
        return ContractStanding.NOT_STARTED
    return ContractStanding.ENDED if end == TODAY - DAY else ContractStanding.OPEN


@pytest.mark.parametrize(
    ("active", "start", "end"),
    [
        pytest.param(active, STARTS[start], ENDS[end], id=f"{'on' if active else 'off'}, {start}, {end}")
        for active, start, end in product((True, False), STARTS, ENDS)
        if not (STARTS[start] and ENDS[end] and STARTS[start] > ENDS[end])  # type: ignore[operator]
    ],
)
def test_every_reader_sees_the_same_standing(active: bool, start: date | None, end: date | None) -> None:
    page, neighbor = (
        publish_contract(make_source_course(), name="Asked"),
        publish_contract(make_source_course(), name="Neighbor"),
    )
    member = make_learner()
    add_member(contract_id=page.pk, user_id=member.pk, now=NOW)
    ContractTerms.objects.filter(pk=page.pk).update(active=active, start=start, end=end)
    terms = ContractTerms.objects.get(pk=page.pk)
    want = expected(active=active, start=start, end=end)

    assert terms.standing_on(TODAY) is want
    assert terms.is_valid_on(TODAY) is (want is ContractStanding.OPEN)
    in_sql = ContractTerms.objects.annotate(standing=standing_case(TODAY)).values_list("pk", "standing")
    assert dict(in_sql) == {page.pk: want, neighbor.pk: ContractStanding.OPEN}
    open_ones = {page.pk, neighbor.pk} if want is ContractStanding.OPEN else {neighbor.pk}
    assert set(ContractTerms.objects.valid_on(TODAY).values_list("pk", flat=True)) == open_ones
    assert {one.pk: one.state for one in list_contracts(today=TODAY)}[page.pk] == want
    managed = managed_contracts(terms.organization_id, now=NOW, contract_id=page.pk)
    assert [one.standing for one in managed] == [want]
    assert organizations_of(member.pk, now=NOW)[0].contracts[0].standing is want
    assert type(find_entry_refusal(terms, now=NOW)) is REFUSALS[want]


def test_full_is_shown_only_for_open_contracts_and_not_to_members() -> None:
    page = publish_contract(make_source_course(), cap=1)
    member = make_learner()
    add_member(contract_id=page.pk, user_id=member.pk, now=NOW)
    assert [one.state for one in list_contracts(today=TODAY)] == [ContractStanding.FULL]
    assert organizations_of(member.pk, now=NOW)[0].contracts[0].standing is ContractStanding.OPEN
    ContractTerms.objects.update(active=False)
    assert [one.state for one in list_contracts(today=TODAY)] == [ContractStanding.INACTIVE]

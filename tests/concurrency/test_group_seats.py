"""Buyer, helpers, learners and refunds at once: a code for one person, never both used and taken back or refunded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from b2b.models import HandOut, HandOutMail, Helper
from b2b.models.group import MAX_HELPERS
from b2b.selectors.groups import GroupCounts, count_seats_of
from b2b.selectors.lots import SaleLot
from b2b.services.groups.helpers import name_helper
from b2b.services.handouts import stocks
from b2b.services.handouts.assign import SaleHandOutRequest, hand_out
from b2b.services.handouts.recipients import Recipient
from b2b.services.handouts.revoke import revoke_codes
from ecommerce.models import CodeUse, DiscountCode, SeatSale
from ecommerce.services.discounts import batches
from ecommerce.services.registration.codes import switch_off_unredeemed
from ecommerce.services.registration.redemption import redeem_registration_code
from mitxonline.kernel.db import LockableQuerySet
from tests.factories import NOON, make_user
from tests.factories.seats import make_seat_sale
from tests.support.together import MeetAt, Together

pytestmark = pytest.mark.django_db(transaction=True)


def giving(sale: SeatSale, *emails: str) -> Callable[[], Any]:
    people = [Recipient(email) for email in emails]
    return lambda: hand_out(SaleHandOutRequest(sale.pk, recipients=people), by_id=None, now=NOON)


def redeeming(code: DiscountCode) -> Callable[[], Any]:
    learner = make_user(code.assigned_email) if code.assigned_email else make_user()
    return lambda: redeem_registration_code(text=code.text, user_id=learner.pk, now=NOON)


def codes_of(sale: SeatSale) -> list[DiscountCode]:
    return list(DiscountCode.objects.filter(discount=sale.discount_id).order_by("pk"))


def counts_of(sale: SeatSale) -> GroupCounts:
    return count_seats_of([sale], now=NOON)[sale.discount_id]


def test_buyer_and_helper_give_the_same_person_one_code(together: Together) -> None:
    sale = make_seat_sale(seats=8)
    together(*(giving(sale, "ines@x.example", f"p{number}@x.example") for number in range(4)))
    assert HandOut.objects.filter(email="ines@x.example").count() == 1
    assert HandOut.objects.count() == HandOutMail.objects.count() == counts_of(sale).handed_out == 5


def test_without_the_lock_of_the_sale_the_harness_gives_two(
    together: Together, meet_at: MeetAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    sale = make_seat_sale(seats=8)
    monkeypatch.setattr(LockableQuerySet, "locked", lambda self: self)
    meeting = meet_at(stocks, "moved_to_open_run", parties=4, patience=20.0)
    together(*(giving(sale, "ines@x.example", f"p{number}@x.example") for number in range(4)))
    assert meeting.happened
    assert HandOut.objects.filter(email="ines@x.example").count() > 1  # else the test above proves nothing


def test_no_more_people_than_seats(together: Together) -> None:
    sale = make_seat_sale(seats=4)
    answers = together(*(giving(sale, f"a{number}@x.example", f"b{number}@x.example") for number in range(6)))
    assert sorted(type(each).__name__ for each in answers) == ["HandOutPlan"] * 2 + ["TooFewGroupSeats"] * 4
    assert HandOut.objects.values("code").distinct().count() == 4


def test_used_and_taken_back_at_once(together: Together) -> None:
    sale = make_seat_sale(seats=8)
    giving(sale, *(f"p{number}@x.example" for number in range(8)))()
    given = codes_of(sale)

    def taking_back(code: DiscountCode) -> Callable[[], Any]:
        return lambda: revoke_codes(SaleLot(sale.pk), code_ids=[code.pk], by_id=None, now=NOON)

    answers = together(*(act(code) for code in given for act in (redeeming, taking_back)))
    for number, code in enumerate(given):
        used, taken_back = answers[2 * number : 2 * number + 2]
        is_used = CodeUse.objects.filter(code=code).exists()
        assert (type(used).__name__ == "SeatRedemption") == is_used == (taken_back == 0)
    counts = counts_of(sale)
    assert (counts.bought, counts.handed_out) == (8, 0)


def test_without_its_condition_a_used_code_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    sale = make_seat_sale(seats=1)
    giving(sale, "ines@x.example")()
    code = codes_of(sale)[0]
    redeeming(code)()
    condition = batches.UNASSIGN[batches.UNASSIGN.index("AND (code.max_uses") : batches.UNASSIGN.index("RETURNING")]
    monkeypatch.setattr(batches, "UNASSIGN", batches.UNASSIGN.replace(condition, ""))
    revoke_codes(SaleLot(sale.pk), code_ids=[code.pk], by_id=None, now=NOON)
    assert codes_of(sale)[0].assigned_email == ""  # else the test above proves nothing


def test_handed_out_and_refunded_at_once(together: Together) -> None:
    """Codes that are switched off are given to no one afterwards, and all seats are accounted for."""
    sale = make_seat_sale(seats=12)

    def refunding() -> int:
        return switch_off_unredeemed(sale, seats=4, reason="Refunded", by_id=None, now=NOON)

    answers = together(
        *(giving(sale, f"a{number}@x.example", f"b{number}@x.example") for number in range(6)), refunding
    )
    counts = counts_of(sale)
    assert answers[-1] == counts.off == 4
    assert counts.bought == 12
    plans = sum(type(each).__name__ == "HandOutPlan" for each in answers)
    assert counts.handed_out + counts.free == 8
    assert plans >= 4


def test_handed_out_while_others_redeem_free_codes(together: Together) -> None:
    """A code that is being redeemed is passed over, so no one is sent a code that is gone."""
    sale = make_seat_sale(seats=8)
    free = codes_of(sale)
    together(*(redeeming(code) for code in free[:4]), giving(sale, *(f"p{number}@x.example" for number in range(4))))
    counts = counts_of(sale)
    assert counts.used + counts.handed_out + counts.free == 8
    assert not CodeUse.objects.exclude(code__assigned_email="").exists()


def test_no_more_helpers_than_the_limit(together: Together) -> None:
    sale = make_seat_sale(seats=1)
    for number in range(MAX_HELPERS - 1):
        name_helper(user_id=sale.buyer_id or 0, sale_id=sale.pk, email=f"h{number}@x.example", now=NOON)
    together(
        *(
            lambda number=number: name_helper(
                user_id=sale.buyer_id or 0, sale_id=sale.pk, email=f"new{number}@x.example", now=NOON
            )
            for number in range(4)
        )
    )
    assert Helper.objects.count() == MAX_HELPERS

"""Codes of group purchases are handed out by the managers’ mechanism: who gets one, reminders, taking back, mails."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module

import pytest
from django.core import mail
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from b2b.enums import MailState
from b2b.errors.handouts import SaleEnrollmentOver, SeatSaleUnknown, TooFewGroupSeats, TooManySaleMails
from b2b.models import HandOut, HandOutMail
from b2b.selectors.groups import GroupCounts, count_seats_of
from b2b.selectors.lots import SaleLot
from b2b.services.handouts.assign import HandOutPlan, SaleHandOutRequest, hand_out, plan_hand_out, remind_codes
from b2b.services.handouts.mails import send_mails
from b2b.services.handouts.recipients import Recipient, RecipientOutcome
from b2b.services.handouts.revoke import revoke_codes
from courses.services.enrollments import enroll
from ecommerce.enums import DeskAction
from ecommerce.models import DiscountCode, Order, SeatSale
from ecommerce.services.discounts.codes import use_code
from ecommerce.services.registration.codes import ALPHABET, switch_off_unredeemed
from ecommerce.services.registration.desk import ChangeCode, change_code, plan_change_code
from ecommerce.services.registration.redemption import redeem_registration_code
from ecommerce.services.registration.taking_back import take_back_seats
from mitxonline.kernel.db import run_sql
from mitxonline.users.models import User
from tests.factories import NOON, make_contract, make_contract_run, make_product, make_run, make_user
from tests.factories.seats import make_seat_sale

pytestmark = pytest.mark.django_db


@pytest.fixture
def buyer() -> User:
    return make_user("bea@acme.example", name="Bea Buyer")


@pytest.fixture
def sale(buyer: User) -> SeatSale:
    make_seat_sale(seats=2, buyer=buyer)  # another purchase, from which nothing may come
    return make_seat_sale(seats=5, buyer=buyer)


def give(sale: SeatSale, *emails: str, by: User | None = None) -> HandOutPlan:
    people = [Recipient(email, "Ines Caldera") for email in emails]
    return hand_out(
        SaleHandOutRequest(sale.pk, recipients=people), by_id=by.pk if by is not None else sale.buyer_id, now=NOON
    )


def outcomes(sale: SeatSale, *emails: str) -> list[RecipientOutcome]:
    plan = plan_hand_out(SaleHandOutRequest(sale.pk, recipients=[Recipient(email) for email in emails]), now=NOON)
    return [row.outcome for row in plan.rows]


def codes_of(sale: SeatSale) -> list[DiscountCode]:
    return list(DiscountCode.objects.filter(discount=sale.discount_id).order_by("pk"))


def counts_of(sale: SeatSale) -> GroupCounts:
    return count_seats_of([sale], now=NOON)[sale.discount_id]


def send_all() -> None:
    send_mails(list(HandOutMail.objects.order_by("pk").values_list("pk", flat=True)))


def test_each_person_gets_a_code_of_this_purchase_and_an_email(sale: SeatSale) -> None:
    plan = give(sale, "ines@x.example", "samuel@x.example")
    assert (plan.people_count, plan.free_before, plan.free_after) == (2, 5, 3)
    given = HandOut.objects.order_by("pk")
    assert {each.seat_sale_id for each in given} == {sale.pk}
    assert {each.contract_run_id for each in given} == {None}
    assert [code.assigned_email for code in codes_of(sale)] == ["ines@x.example", "samuel@x.example", "", "", ""]
    send_all()
    assert [each.to for each in mail.outbox] == [["ines@x.example"], ["samuel@x.example"]]
    text = str(mail.outbox[0].body)
    assert "Bea Buyer gave you a seat in" in text
    assert f"/enrollmentcode/{codes_of(sale)[0].text}/" in text
    assert "There’s nothing to pay." in text
    assert mail.outbox[0].reply_to == ["bea@acme.example"]


def test_the_email_names_the_company_but_never_a_link_in_its_name(sale: SeatSale) -> None:
    assert sale.order_line is not None
    Order.objects.filter(pk=sale.order_line.order_id).update(company="Acme Bearings")
    give(sale, "ines@x.example")
    send_all()
    assert "Bea Buyer from Acme Bearings gave you a seat in" in str(mail.outbox[0].body)
    Order.objects.filter(pk=sale.order_line.order_id).update(company="Win at www.evil.example")
    give(sale, "samuel@x.example")
    HandOutMail.objects.filter(state=MailState.SENT).delete()
    send_all()
    message = f"{mail.outbox[-1].subject} {mail.outbox[-1].body}"
    assert mail.outbox[-1].to == ["samuel@x.example"]
    assert "evil" not in message


def test_who_has_the_course_or_a_code_gets_none_and_the_code_stays_free(buyer: User, sale: SeatSale) -> None:
    other = make_seat_sale(sale.product, seats=1, buyer=buyer)
    give(other, "has-code@x.example")
    for email, mode in (("has-course@x.example", "verified"), ("audits@x.example", "audit")):
        enroll(user_id=make_user(email).pk, run_id=sale.course_run_id, mode=mode, source="free", now=NOON)
    enroll(user_id=make_user("elsewhere@x.example").pk, run_id=make_run().pk, mode="verified", source="free", now=NOON)
    assert outcomes(
        sale,
        "has-course@x.example",
        "audits@x.example",
        "elsewhere@x.example",
        "has-code@x.example",
        "ines@",
        "a@x.example",
        "A@X.example",
    ) == [
        RecipientOutcome.HAS_COURSE,
        RecipientOutcome.GETS_CODE,
        RecipientOutcome.GETS_CODE,
        RecipientOutcome.HAS_CODE,
        RecipientOutcome.INCOMPLETE,
        RecipientOutcome.GETS_CODE,
        RecipientOutcome.DUPLICATE,
    ]
    give(sale, "has-course@x.example", "audits@x.example")
    assert counts_of(sale) == GroupCounts(free=4, handed_out=1)


def test_codes_of_another_buyer_say_nothing(sale: SeatSale) -> None:
    give(make_seat_sale(sale.product, seats=1), "ines@x.example")
    assert outcomes(sale, "ines@x.example") == [RecipientOutcome.GETS_CODE]


def test_too_few_seats_give_no_one_a_code(sale: SeatSale) -> None:
    use_code(code=codes_of(sale)[0], user_id=make_user().pk, now=NOON)
    switch_off_unredeemed(sale, seats=2, reason="Refunded", by_id=None, now=NOON)
    with pytest.raises(TooFewGroupSeats) as refused:
        give(sale, "a@x.example", "b@x.example", "c@x.example")
    assert (refused.value.free, refused.value.wanted) == (2, 3)
    assert not HandOut.objects.exists()
    assert counts_of(sale) == GroupCounts(free=2, used=1, off=2)


def test_the_counts_add_up_to_what_was_bought(sale: SeatSale) -> None:
    give(sale, "a@x.example", "b@x.example")
    use_code(code=codes_of(sale)[0], user_id=make_user("a@x.example").pk, now=NOON)
    switch_off_unredeemed(sale, seats=1, reason="Refunded", by_id=None, now=NOON)
    counts = counts_of(sale)
    assert counts == GroupCounts(free=2, handed_out=1, used=1, off=1)
    assert counts.bought == sale.seats


def test_a_code_taken_back_gets_a_short_new_text_and_is_free(sale: SeatSale) -> None:
    give(sale, "a@x.example", "b@x.example")
    first, second = codes_of(sale)[:2]
    use_code(code=second, user_id=make_user().pk, now=NOON)
    code_ids = [first.pk, second.pk, codes_of(make_seat_sale())[0].pk]
    assert revoke_codes(SaleLot(sale.pk), code_ids=code_ids, by_id=sale.buyer_id, now=NOON) == 1
    after = codes_of(sale)[0]
    assert after.text != first.text
    assert len(after.text) == 8
    assert set(after.text) <= set(ALPHABET)
    assert counts_of(sale) == GroupCounts(free=4, used=1)
    send_all()
    assert [each.to for each in mail.outbox] == []  # one was taken back and the other was used meanwhile


def test_people_are_reminded_once_a_day(sale: SeatSale) -> None:
    give(sale, "a@x.example", "b@x.example")
    used, waiting, free = codes_of(sale)[:3]
    use_code(code=used, user_id=make_user().pk, now=NOON)
    ids = [used.pk, waiting.pk, free.pk]
    report = remind_codes(SaleLot(sale.pk), code_ids=ids, by_id=sale.buyer_id, now=NOON)
    assert (report.sent, report.over) == (1, 2)
    again = remind_codes(SaleLot(sale.pk), code_ids=ids, by_id=sale.buyer_id, now=NOON)
    assert (again.sent, again.too_soon) == (0, 1)


def test_no_code_of_another_purchase_is_reminded_or_taken_back(sale: SeatSale) -> None:
    other = make_seat_sale(seats=1)
    give(other, "a@x.example")
    contract_run = make_contract_run(make_contract(seats=2), codes=2)
    ids = [codes_of(other)[0].pk]
    assert remind_codes(SaleLot(sale.pk), code_ids=ids, by_id=sale.buyer_id, now=NOON).sent == 0
    assert revoke_codes(SaleLot(sale.pk), code_ids=ids, by_id=sale.buyer_id, now=NOON) == 0
    assert contract_run.contract_id not in {each.contract_run_id for each in HandOut.objects.all()}


def test_a_switched_off_code_is_no_longer_sent(sale: SeatSale) -> None:
    give(sale, *(f"p{number}@x.example" for number in range(5)))
    switch_off_unredeemed(sale, seats=None, reason="Refunded", by_id=None, now=NOON)
    send_all()
    assert mail.outbox == []
    assert set(HandOutMail.objects.values_list("state", flat=True)) == {MailState.CANCELED}


def test_once_enrollment_has_closed_nothing_is_handed_out(sale: SeatSale) -> None:
    run = sale.course_run
    run.enrollment_end = NOON - timedelta(days=1)
    run.save()
    with pytest.raises(SaleEnrollmentOver):
        give(sale, "a@x.example")
    with pytest.raises(SeatSaleUnknown):
        hand_out(SaleHandOutRequest(10**9, recipients=[Recipient("a@x.example")]), by_id=None, now=NOON)
    assert not HandOut.objects.exists()


def test_one_seat_cannot_email_everyone(buyer: User) -> None:
    sale = make_seat_sale(seats=1, buyer=buyer)
    for number in range(13):
        give(sale, f"p{number}@x.example")
        revoke_codes(SaleLot(sale.pk), code_ids=[codes_of(sale)[0].pk], by_id=buyer.pk, now=NOON)
    with pytest.raises(TooManySaleMails):
        give(sale, "one-more@x.example")
    assert counts_of(sale) == GroupCounts(free=1)


@pytest.mark.parametrize("both", [True, False])
def test_a_hand_out_is_of_a_contract_or_of_a_purchase(sale: SeatSale, both: bool) -> None:
    run = make_contract_run(make_contract(seats=2), codes=2)
    fields = {"contract_run": run, "seat_sale": sale} if both else {}
    with pytest.raises(IntegrityError, match="hand_out_of_contract_or_sale"), transaction.atomic():
        HandOut.objects.create(email="a@x.example", given_at=NOON, **fields)


def test_a_thousand_codes_take_as_many_queries_as_ten() -> None:
    counted = []
    for seats in (10, 1000):
        sale = make_seat_sale(make_product(), seats=seats)
        people = [Recipient(f"p{number}@s{seats}.example") for number in range(seats)]
        with CaptureQueriesContext(connection) as captured:
            hand_out(SaleHandOutRequest(sale.pk, recipients=people), by_id=sale.buyer_id, now=NOON)
        batches = sum('INSERT INTO "coordinator_delivery"' in each["sql"] for each in captured.captured_queries)
        with CaptureQueriesContext(connection) as back:
            ids = [code.pk for code in codes_of(sale)]
            assert revoke_codes(SaleLot(sale.pk), code_ids=ids, by_id=sale.buyer_id, now=NOON) == seats
        counted.append((len(captured) - batches, len(back)))
    assert counted[0] == counted[1]


def open_addresses() -> set[str]:
    return set(HandOut.objects.open().values_list("email", flat=True))


class TestHandOutsEndWithTheirCode:
    """Each sale has a code that stays good, and there is another sale."""

    @pytest.fixture
    def given(self, buyer: User, sale: SeatSale) -> SeatSale:
        other = make_seat_sale(sale.product, seats=2, buyer=buyer)
        give(other, "other@x.example")
        give(sale, "ann@x.example", "bo@x.example")
        return sale

    def code_of(self, email: str) -> DiscountCode:
        return DiscountCode.objects.get(assigned_email=email)

    def change(self, email: str, action: DeskAction) -> None:
        request = ChangeCode(code_id=self.code_of(email).pk, action=action)
        seen = plan_change_code(request, now=NOON).fingerprint()
        change_code(request, reason="Phone call", by_id=make_user().pk, now=NOON, seen=seen)

    def test_canceled_at_the_desk_and_open_again_once_restored(self, given: SeatSale) -> None:
        self.change("ann@x.example", DeskAction.CANCEL)
        assert open_addresses() == {"bo@x.example", "other@x.example"}
        ended = HandOut.objects.get(email="ann@x.example")
        assert (ended.ended_at, ended.ended_by is not None) == (NOON, True)
        assert set(HandOutMail.objects.filter(hand_out=ended).values_list("state", flat=True)) == {MailState.CANCELED}
        self.change("ann@x.example", DeskAction.RESTORE)
        assert open_addresses() == {"ann@x.example", "bo@x.example", "other@x.example"}
        assert HandOut.objects.get(email="ann@x.example").ended_by is None

    def test_void(self, given: SeatSale) -> None:
        switch_off_unredeemed(given, seats=None, reason="Void", by_id=None, now=NOON)
        assert open_addresses() == {"other@x.example"}

    def test_refunded_redeemed_or_not(self, given: SeatSale) -> None:
        learner = make_user("ann@x.example")
        redeem_registration_code(text=self.code_of("ann@x.example").text, user_id=learner.pk, now=NOON)
        assert given.order_line is not None
        with transaction.atomic():
            take_back_seats(
                given.order_line, seats=given.seats, takes_redeemed=True, reason="Refund", by_id=None, now=NOON
            )
        assert open_addresses() == {"other@x.example"}

    def test_what_was_taken_back_before_stays_ended(self, given: SeatSale) -> None:
        code = self.code_of("ann@x.example")
        revoke_codes(SaleLot(given.pk), code_ids=[code.pk], by_id=None, now=NOON)
        give(given, "cy@x.example")
        for action in (DeskAction.CANCEL, DeskAction.RESTORE):
            request = ChangeCode(code_id=code.pk, action=action)
            seen = plan_change_code(request, now=NOON).fingerprint()
            change_code(request, reason="Mistake", by_id=None, now=NOON, seen=seen)
        assert "ann@x.example" not in open_addresses()

    def test_earlier_ones_end_with_the_migration(self, given: SeatSale) -> None:
        DiscountCode.objects.filter(assigned_email="ann@x.example").update(active=False)
        run_sql(import_module("b2b.migrations.0019_end_hand_outs_of_dead_codes").END)
        assert open_addresses() == {"bo@x.example", "other@x.example"}

"""Handing out codes: who gets one and why not, never more people than seats, reminding and taking back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.core import mail

from b2b.enums import MailState
from b2b.errors.handouts import (
    CodeNotAssigned,
    CodeNotFree,
    CodeNotRevocable,
    CodesMissing,
    HandOutClosed,
    HandOutUnknown,
    MailServerAway,
    NobodyToGiveTo,
    NoCodesHere,
    NoSeatToGive,
    NoSharedCode,
    PersonRefused,
    RemindedToday,
    TooManyMails,
)
from b2b.models import ContractMembership, ContractPage, ContractRun, ContractTerms, HandOut, HandOutMail
from b2b.selectors.handouts import count_open_invitations
from b2b.services.handouts import mails
from b2b.services.handouts.assign import (
    HandOutRequest,
    assign_code,
    hand_out,
    plan_hand_out,
    remind,
    remind_code,
    replace_shared_code,
)
from b2b.services.handouts.mails import send_mails
from b2b.services.handouts.recipients import Recipient, RecipientOutcome
from b2b.services.handouts.revoke import cancel_invitation, revoke_code
from b2b.services.seats.membership import add_member, remove_member
from b2b.services.seats.redemption import redeem_enrollment_code
from ecommerce.errors.codes import CodeUnknown
from ecommerce.models import BasketCode, DiscountCode
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.services.baskets.baskets import add_products, apply_code
from mitxonline.coordinator.models import Delivery
from mitxonline.kernel import clock
from mitxonline.kernel.fingerprint import PlanChanged
from tests.factories import NOON, codes_of, make_code, make_contract, make_contract_run, make_user
from tests.support.counting import queries

TODAY = clock.date_of(NOON)


@pytest.fixture
def contract() -> ContractPage:
    return make_contract(seats=3)


@pytest.fixture
def run(contract: ContractPage) -> ContractRun:
    return make_contract_run(contract, codes=3)


@pytest.fixture
def open_run() -> ContractRun:
    """A run of a contract without a cap, with one shared code."""
    run = make_contract_run(make_contract())
    assert run.product is not None
    make_code(run.product.unlocked_by, max_uses=None)
    return run


def people(*names: str) -> list[Recipient]:
    return [Recipient(f"{name}@northgate.example", name.title()) for name in names]


def give(run: ContractRun, recipients: Sequence[Recipient], *, by_id: int | None = None, seen: str | None = None):  # type: ignore[no-untyped-def]
    return hand_out(HandOutRequest(contract_run_id=run.pk, recipients=recipients), by_id=by_id, now=NOON, seen=seen)


def send_all() -> None:
    send_mails(list(HandOutMail.objects.order_by("pk").values_list("pk", flat=True)))


class TestHandingOut:
    def test_each_person_gets_a_code_of_their_own_and_a_mail(self, run: ContractRun) -> None:
        dana = make_user("dana@northgate.example", name="Dana Whitfield")
        plan = give(run, people("ines", "samuel"), by_id=dana.pk)
        assert (plan.people_count, plan.free_before, plan.free_after) == (2, 3, 1)
        codes = DiscountCode.objects.exclude(assigned_email="").order_by("pk")
        assert [(code.assigned_email, code.assigned_name) for code in codes] == [
            ("ines@northgate.example", "Ines"),
            ("samuel@northgate.example", "Samuel"),
        ]
        assert {(code.assigned_by_id, code.assigned_at) for code in codes} == {(dana.pk, NOON)}
        assert [each.code_id for each in HandOut.objects.order_by("pk")] == [code.pk for code in codes]
        assert HandOutMail.objects.filter(state=MailState.QUEUED).count() == 2
        assert Delivery.objects.get().event_name == "HandOutMailsQueued"

    def test_each_recipient_has_an_outcome(self, run: ContractRun) -> None:
        add_member(contract_id=run.contract_id, user_id=make_user("luis@northgate.example").pk, now=NOON)
        give(run, people("given"))
        listed = [
            Recipient(" Ines@Northgate.example ", "Ines"),
            *people("luis", "given"),
            Recipient("ravi.menon@northgate"),
            Recipient("INES@northgate.example"),
            Recipient(""),
        ]
        plan = plan_hand_out(HandOutRequest(contract_run_id=run.pk, recipients=listed), now=NOON)
        assert [row.outcome for row in plan.rows] == [
            RecipientOutcome.GETS_CODE,
            RecipientOutcome.HAS_SEAT,
            RecipientOutcome.HAS_CODE,
            RecipientOutcome.INCOMPLETE,
            RecipientOutcome.DUPLICATE,
            RecipientOutcome.INCOMPLETE,
        ]
        assert plan.rows[0].email == "ines@northgate.example"
        assert (plan.people_count, plan.free_after, plan.refusal) == (1, 0, None)
        assert all(row.sentence for row in plan.rows)

    def test_looking_writes_nothing(self, run: ContractRun) -> None:
        plan_hand_out(HandOutRequest(contract_run_id=run.pk, recipients=people("ines")), now=NOON)
        assert not HandOut.objects.exists()
        assert not DiscountCode.objects.exclude(assigned_email="").exists()

    def test_one_person_too_many_stops_the_hand_out(self, run: ContractRun) -> None:
        add_member(contract_id=run.contract_id, user_id=make_user().pk, now=NOON)
        with pytest.raises(NoSeatToGive, match="3 people need a seat, but only 2 are free"):
            give(run, people("ines", "samuel", "nora"))
        assert not HandOut.objects.exists()
        give(run, people("ines", "samuel"))
        with pytest.raises(NoSeatToGive, match=r"No seats left\. Cancel an unused invitation"):
            give(run, people("nora"))

    def test_a_seat_that_waits_for_an_address_is_counted_once(self, contract: ContractPage, run: ContractRun) -> None:
        """Ines has a code of one course and gets one of another: that is still one person."""
        other = make_contract_run(contract, codes=3)
        give(run, people("ines", "samuel", "nora"))
        plan = give(other, people("ines", "samuel"))
        assert (plan.free_before, plan.free_after) == (0, 0)

    def test_a_used_code_frees_its_promised_seat(self, contract: ContractPage, run: ContractRun) -> None:
        give(run, people("ines"))
        code = DiscountCode.objects.get(assigned_email="ines@northgate.example")
        redeem_enrollment_code(text=code.text, user_id=make_user("private@mail.example").pk, now=NOON)
        plan = plan_hand_out(HandOutRequest(contract_run_id=run.pk, recipients=people("samuel")), now=NOON)
        assert plan.free_before == 2

    def test_every_seat_counts(self) -> None:
        run = make_contract_run(make_contract(seats=2, price="49"), codes=2)
        learner = make_user()
        ContractMembership.objects.create(
            contract=run.contract, user=learner, state="active", source="code", since=NOON
        )
        assert (
            plan_hand_out(HandOutRequest(contract_run_id=run.pk, recipients=people("ines")), now=NOON).free_before == 1
        )

    def test_where_courses_are_paid_a_member_gets_a_code_for_the_next_one(self) -> None:
        contract = make_contract(seats=1, price="49")
        one, other = make_contract_run(contract, codes=1), make_contract_run(contract, codes=1)
        add_member(contract_id=contract.pk, user_id=make_user("luis@northgate.example").pk, now=NOON)
        assert give(one, people("luis")).people_count == 1
        assert give(other, people("luis")).free_after == 0

    def test_fewer_codes_than_people(self, contract: ContractPage) -> None:
        run = make_contract_run(contract, codes=1)
        with pytest.raises(CodesMissing, match="This course has 1 free code, but 2 people"):
            give(run, people("ines", "samuel"))

    def test_codes_in_carts_are_assigned_last(self, run: ContractRun) -> None:
        first = codes_of(run)[0]
        owner = BasketOwner(user_id=make_user().pk)
        add_products(owner=owner, product_ids=[run.product_id or 0], now=NOON)
        apply_code(owner=owner, text=first.text, user_id=owner.user_id, now=NOON)
        give(run, people("ines", "samuel"))
        first.refresh_from_db()
        assert first.assigned_email == ""
        give(run, people("nora"))
        first.refresh_from_db()
        assert first.assigned_email == "nora@northgate.example"

    def test_a_changed_plan_sends_nothing(self, run: ContractRun) -> None:
        seen = plan_hand_out(
            HandOutRequest(contract_run_id=run.pk, recipients=people("ines", "samuel")), now=NOON
        ).fingerprint
        with pytest.raises(PlanChanged):
            give(run, people("ines", "ravi"), seen=seen)
        give(run, people("ines"))
        with pytest.raises(PlanChanged):
            give(run, people("ines", "samuel"), seen=seen)
        assert HandOut.objects.count() == 1
        with pytest.raises(NobodyToGiveTo):
            give(run, [Recipient("nonsense")])

    @pytest.mark.parametrize(
        ("terms", "refusal"),
        [
            ({"end": TODAY - timedelta(days=1)}, HandOutClosed),
            ({"active": False}, HandOutClosed),
            ({"integration_type": "sso"}, NoCodesHere),
            ({"start": TODAY + timedelta(days=9)}, None),
        ],
    )
    def test_a_code_that_opens_nothing_is_no_gift(
        self, run: ContractRun, terms: dict[str, object], refusal: type[Exception] | None
    ) -> None:
        ContractTerms.objects.update(**terms)
        if refusal is None:
            assert give(run, people("ines")).people_count == 1
            return
        with pytest.raises(refusal):
            give(run, people("ines"))

    def test_a_closed_course_is_not_given(self, run: ContractRun) -> None:
        run.course_run.enrollment_end = NOON - timedelta(days=1)
        run.course_run.save()
        with pytest.raises(HandOutClosed, match="Choose another course"):
            give(run, people("ines"))

    def test_an_hour_has_room_for_so_many_mails(self, run: ContractRun, settings: LazySettings) -> None:
        settings.RATE_LIMITS = settings.RATE_LIMITS | {"hand_outs": {"user": (2, 3600)}}
        dana = make_user()
        give(run, people("ines"), by_id=dana.pk)
        with pytest.raises(TooManyMails, match="You can send 2 invitations and reminders an hour"):
            give(run, people("samuel", "nora"), by_id=dana.pk)
        assert HandOut.objects.count() == 1
        later = NOON + timedelta(hours=1, seconds=1)
        hand_out(HandOutRequest(contract_run_id=run.pk, recipients=people("samuel", "nora")), by_id=dana.pk, now=later)

    @pytest.mark.parametrize("many", [1, 40])
    def test_handing_out_costs_the_same_for_one_and_for_many(self, many: int) -> None:
        run = make_contract_run(make_contract(seats=50), codes=50)
        with queries(exactly=20):  # two ask who was withdrawn and which codes were shared
            give(run, people(*(f"person{number}" for number in range(many))))

    def test_a_code_is_given_to_one_person_by_its_number(self, run: ContractRun) -> None:
        code = codes_of(run)[1]
        given = assign_code(code_id=code.pk, email="Ines@Northgate.example", by_id=None, now=NOON)
        assert (given.code_id, given.email) == (code.pk, "ines@northgate.example")
        with pytest.raises(CodeNotFree):
            assign_code(code_id=code.pk, email="samuel@northgate.example", by_id=None, now=NOON)
        with pytest.raises(PersonRefused, match="unused code for this course"):
            assign_code(code_id=codes_of(run)[2].pk, email="ines@northgate.example", by_id=None, now=NOON)
        with pytest.raises(PersonRefused, match="address is incomplete"):
            assign_code(code_id=codes_of(run)[2].pk, email="ines", by_id=None, now=NOON)

    def test_a_code_that_opens_no_contract_is_nothing_to_give(self) -> None:
        with pytest.raises(CodeNotFree):
            assign_code(code_id=make_code().pk, email="ines@northgate.example", by_id=None, now=NOON)


class TestTakingBack:
    def test_the_old_text_is_dead_and_the_code_free_again(self, run: ContractRun) -> None:
        give(run, people("ines"))
        code = DiscountCode.objects.get(assigned_email="ines@northgate.example")
        owner = BasketOwner(user_id=make_user().pk)
        add_products(owner=owner, product_ids=[run.product_id or 0], now=NOON)
        apply_code(owner=owner, text=code.text, user_id=owner.user_id, now=NOON)
        revoke_code(code_id=code.pk, by_id=None, now=NOON)
        with pytest.raises(CodeUnknown):
            redeem_enrollment_code(text=code.text, user_id=make_user().pk, now=NOON)
        old = code.text
        code.refresh_from_db()
        assert code.text != old
        assert (code.assigned_email, code.assigned_at, code.active) == ("", None, True)
        assert not BasketCode.objects.exists()
        assert HandOut.objects.get().ended_at == NOON
        assert HandOutMail.objects.get().state == MailState.CANCELED
        assert give(run, people("ines")).people_count == 1

    def test_only_what_was_given_and_not_used(self, run: ContractRun) -> None:
        free, used = codes_of(run)[:2]
        assign_code(code_id=used.pk, email="ines@northgate.example", by_id=None, now=NOON)
        redeem_enrollment_code(text=used.text, user_id=make_user().pk, now=NOON)
        with pytest.raises(CodeNotRevocable):
            revoke_code(code_id=used.pk, by_id=None, now=NOON)
        with pytest.raises(CodeNotAssigned):
            revoke_code(code_id=free.pk, by_id=None, now=NOON)
        with pytest.raises(CodeNotAssigned):
            revoke_code(code_id=0, by_id=None, now=NOON)

    def test_an_invitation_ends_and_the_shared_code_stays(self, open_run: ContractRun) -> None:
        give(open_run, people("ines", "samuel"))
        shared = codes_of(open_run)[0]
        first, second = HandOut.objects.order_by("pk")
        cancel_invitation(hand_out_id=first.pk, by_id=None, now=NOON)
        assert codes_of(open_run)[0].text == shared.text
        with pytest.raises(HandOutUnknown):
            cancel_invitation(hand_out_id=first.pk, by_id=None, now=NOON)
        second.refresh_from_db()
        assert second.ended_at is None
        assert redeem_enrollment_code(
            text=shared.text, user_id=make_user("ines@northgate.example").pk, now=NOON
        ).enrollment.active

    def test_deleting_a_code_forgets_it_here(self, run: ContractRun) -> None:
        """Reconcile deletes in SQL, past Django's cascade; the foreign key sets the column to null."""
        give(run, people("ines"))
        code = DiscountCode.objects.get(assigned_email="ines@northgate.example")
        revoke_code(code_id=code.pk, by_id=None, now=NOON)
        DiscountCode.objects.filter(pk=code.pk)._raw_delete(using="default")
        assert HandOut.objects.get().code_id is None


class TestInvitations:
    def test_without_a_cap_people_are_invited_with_the_shared_code(self, open_run: ContractRun) -> None:
        plan = give(open_run, people("ines", "samuel"))
        assert (plan.is_shared, plan.free_after) == (True, None)
        assert not DiscountCode.objects.exclude(assigned_email="").exists()
        assert {each.code_id for each in HandOut.objects.all()} == {codes_of(open_run)[0].pk}
        again = plan_hand_out(HandOutRequest(contract_run_id=open_run.pk, recipients=people("ines", "nora")), now=NOON)
        assert [row.outcome for row in again.rows] == [RecipientOutcome.HAS_CODE, RecipientOutcome.GETS_CODE]

    def test_withdrawn_people_are_not_invited(self, open_run: ContractRun) -> None:
        luis = make_user("luis@northgate.example")
        add_member(contract_id=open_run.contract_id, user_id=luis.pk, now=NOON)
        remove_member(contract_id=open_run.contract_id, user_id=luis.pk, reason="left", now=NOON)
        plan = plan_hand_out(HandOutRequest(contract_run_id=open_run.pk, recipients=people("luis")), now=NOON)
        assert plan.rows[0].outcome is RecipientOutcome.WITHDRAWN

    def test_another_shared_code_ends_open_invitations_and_the_old_link(self, open_run: ContractRun) -> None:
        give(open_run, people("ines", "samuel"))
        old = codes_of(open_run)[0]
        ines = make_user("ines@northgate.example")
        redeem_enrollment_code(text=old.text, user_id=ines.pk, now=NOON)
        assert count_open_invitations(open_run.pk) == 1
        new = replace_shared_code(contract_run_id=open_run.pk, by_id=None, now=NOON)
        assert new.pk != old.pk, "a code that was used keeps its text and its trace"
        with pytest.raises(CodeUnknown):
            redeem_enrollment_code(text=f"{old.text}x", user_id=make_user().pk, now=NOON)
        with pytest.raises(Exception, match="no longer active"):
            redeem_enrollment_code(text=old.text, user_id=make_user().pk, now=NOON)
        assert redeem_enrollment_code(text=new.text, user_id=make_user().pk, now=NOON).enrollment.active
        assert ContractMembership.objects.filter(user=ines).exists()
        assert list(HandOut.objects.open().values_list("email", flat=True)) == ["ines@northgate.example"]

    def test_an_unused_one_gets_another_text_and_nothing_is_left_to_come_alive_again(
        self, open_run: ContractRun
    ) -> None:
        old = codes_of(open_run)[0]
        new = replace_shared_code(contract_run_id=open_run.pk, by_id=None, now=NOON)
        assert (new.pk, len(codes_of(open_run))) == (old.pk, 1)
        assert new.text != old.text

    def test_the_invited_can_get_the_new_link(self, open_run: ContractRun) -> None:
        give(open_run, people("ines"))
        send_all()
        new = replace_shared_code(contract_run_id=open_run.pk, by_id=None, now=NOON, resend=True)
        send_all()
        assert HandOut.objects.open().count() == 1
        assert "A new link to your seat" in mail.outbox[1].subject
        assert new.text in mail.outbox[1].body

    def test_there_is_nothing_to_replace_where_each_has_their_own(self, run: ContractRun) -> None:
        with pytest.raises(NoSharedCode):
            replace_shared_code(contract_run_id=run.pk, by_id=None, now=NOON)


class TestReminding:
    def test_once_a_day(self, run: ContractRun) -> None:
        give(run, people("ines"))
        code = DiscountCode.objects.get(assigned_email="ines@northgate.example")
        remind_code(code_id=code.pk, by_id=None, now=NOON)
        with pytest.raises(RemindedToday):
            remind_code(code_id=code.pk, by_id=None, now=clock.end_of_day(TODAY))
        remind_code(code_id=code.pk, by_id=None, now=clock.end_of_day(TODAY) + timedelta(microseconds=1))
        assert HandOutMail.objects.filter(kind="reminder").count() == 2

    def test_several_at_once_with_a_report(self, run: ContractRun) -> None:
        give(run, people("ines", "samuel", "nora"))
        ines, samuel, nora = HandOut.objects.order_by("pk")
        remind(hand_out_ids=[samuel.pk], by_id=None, now=NOON)
        redeem_enrollment_code(text=nora.code.text, user_id=make_user().pk, now=NOON)  # type: ignore[union-attr]
        report = remind(hand_out_ids=[ines.pk, samuel.pk, nora.pk, 0], by_id=None, now=NOON)
        assert (report.sent, report.too_soon, report.over) == (1, 1, 2)

    def test_a_code_that_was_given_before_hand_outs_were_kept(self, run: ContractRun) -> None:
        code = codes_of(run)[0]
        DiscountCode.objects.filter(pk=code.pk).update(assigned_email="ines@northgate.example", assigned_at=NOON)
        remind_code(code_id=code.pk, by_id=None, now=NOON)
        assert HandOut.objects.get().email == "ines@northgate.example"

    def test_ended_contracts_send_no_reminders(self, run: ContractRun) -> None:
        give(run, people("ines"))
        code = DiscountCode.objects.get(assigned_email="ines@northgate.example")
        ContractTerms.objects.update(end=TODAY - timedelta(days=1))
        with pytest.raises(HandOutClosed):
            remind_code(code_id=code.pk, by_id=None, now=NOON)
        with pytest.raises(CodeNotAssigned):
            remind_code(code_id=codes_of(run)[2].pk, by_id=None, now=NOON)


class TestTheSharedCodeIsShared:
    def test_one_mail_to_the_invited_whose_first_one_waits_still(self, open_run: ContractRun) -> None:
        give(open_run, people("ines"))
        send_all()
        give(open_run, people("samuel"))
        new = replace_shared_code(contract_run_id=open_run.pk, by_id=None, now=NOON, resend=True)
        send_all()
        sent = [each.to[0] for each in mail.outbox]
        assert sorted(sent) == ["ines@northgate.example", "ines@northgate.example", "samuel@northgate.example"]
        assert all(new.text in str(each.body) for each in mail.outbox[1:])

    def test_replaced_while_a_mail_is_about_to_be_sent_the_mail_waits_for_the_new_link(
        self, open_run: ContractRun, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        give(open_run, people("samuel"))
        claim = mails._claim

        def replaced_before(*args: Any) -> bool:
            monkeypatch.setattr(mails, "_claim", claim)
            replace_shared_code(contract_run_id=open_run.pk, by_id=None, now=NOON, resend=True)
            return claim(*args)

        monkeypatch.setattr(mails, "_claim", replaced_before)
        with pytest.raises(MailServerAway):
            send_all()
        assert not mail.outbox
        send_all()
        text = DiscountCode.objects.get(active=True).text
        assert [text in str(each.body) for each in mail.outbox] == [True]

    def test_given_to_one_person_since_there_is_a_cap_it_has_another_text(self, open_run: ContractRun) -> None:
        """Everyone who was invited knows the old one."""
        give(open_run, people("ines", "samuel"))
        code = DiscountCode.objects.get()
        known = code.text
        ContractTerms.objects.update(max_learners=1)
        DiscountCode.objects.update(max_uses=1)
        give(open_run, people("ravi"))
        code.refresh_from_db()
        assert code.assigned_email == "ravi@northgate.example"
        assert code.text != known

    def test_no_one_is_invited_by_the_shared_code_once_there_is_a_cap(self, open_run: ContractRun) -> None:
        give(open_run, people("ines", "samuel"))
        ContractTerms.objects.update(max_learners=1)
        DiscountCode.objects.update(max_uses=1)
        assert remind(hand_out_ids=[HandOut.objects.order_by("pk")[0].pk], by_id=None, now=NOON).sent == 0
        send_all()
        assert not mail.outbox

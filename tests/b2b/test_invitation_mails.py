"""The outbox of hand-outs: claimed before sending, never sent twice automatically, resent by staff after failures."""

from __future__ import annotations

import smtplib
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend

from b2b.enums import MailState
from b2b.errors.handouts import MailServerAway, NobodyToGiveTo
from b2b.models import ContractRun, ContractTerms, HandOut, HandOutMail, OrganizationMembership
from b2b.services.handouts import mails
from b2b.services.handouts.assign import HandOutRequest, hand_out, remind
from b2b.services.handouts.mails import BATCH, MAX_ATTEMPTS, send_again, send_mails
from b2b.services.handouts.recipients import Recipient
from b2b.services.handouts.revoke import revoke_code
from b2b.services.seats.redemption import redeem_enrollment_code
from ecommerce.models import DiscountCode
from mitxonline.coordinator.deliveries import run_delivery
from mitxonline.coordinator.models import Delivery, DeliveryState
from mitxonline.kernel import clock
from mitxonline.kernel.mail import build_email
from mitxonline.kernel.remote import RemoteAvoided
from mitxonline.users.models import User
from tests.factories import NOON, make_code, make_contract, make_contract_run, make_user

INES = "ines.caldera@northgate.example"


class MailServer(BaseEmailBackend):
    """A mail server that answers as a test says."""

    def __init__(self, answer: Callable[[], int] = lambda: 1, *, is_there: bool = True) -> None:
        super().__init__()
        self.answer, self.is_there, self.asked = answer, is_there, 0

    def open(self) -> bool:
        if not self.is_there:
            raise ConnectionRefusedError
        return True

    def send_messages(self, messages: Sequence[Any]) -> int:
        self.asked += 1
        return self.answer()


@pytest.fixture
def run() -> ContractRun:
    return make_contract_run(make_contract(seats=200, end=clock.date_of(NOON) + timedelta(days=120)), codes=120)


@pytest.fixture
def dana(run: ContractRun) -> User:
    dana = make_user("dana.whitfield@northgate.example", name="Dana Whitfield")
    OrganizationMembership.objects.create(
        organization=run.contract.terms.organization, user=dana, source="staff", is_manager=True, since=NOON
    )
    return dana


def given(run: ContractRun, *emails: str, by: User | None = None) -> list[int]:
    people = [Recipient(email, "Ines Caldera") for email in emails or (INES,)]
    hand_out(HandOutRequest(contract_run_id=run.pk, recipients=people), by_id=by.pk if by else None, now=NOON)
    return mail_ids()


def mail_ids() -> list[int]:
    return list(HandOutMail.objects.order_by("pk").values_list("pk", flat=True))


def refuse(error: Exception) -> Callable[[], int]:
    def answer() -> int:
        raise error

    return answer


def states() -> list[str]:
    return list(HandOutMail.objects.order_by("pk").values_list("state", flat=True))


class TestTheMail:
    def test_the_mail_names_giver_course_and_last_day_and_links_to_the_seat(self, run: ContractRun, dana: User) -> None:
        send_mails(given(run, by=dana))
        sent = mail.outbox[0]
        code = DiscountCode.objects.get(assigned_email=INES)
        title = run.course_run.title
        assert sent.to == [INES]
        assert sent.subject == f"Your seat in “{title}” at Northgate Health"
        assert sent.reply_to == ["dana.whitfield@northgate.example"]
        for said in (
            "Hello Ines Caldera,",
            f"Dana Whitfield from Northgate Health gave you a seat in “{title}”. There’s nothing to pay.",
            "We’re holding a seat for you until 30 June 2026.",
            code.text,
            f"/enrollmentcode/{code.text}/",
        ):
            assert said in sent.body
        assert isinstance(sent, EmailMultiAlternatives)
        html = str(sent.alternatives[0][0])
        assert f"/enrollmentcode/{code.text}/" in html
        assert "Take my seat" in html
        assert not [line for line in sent.body.splitlines() if "&" in line], "plain text is not escaped"

    def test_someone_listed_by_their_family_name_is_greeted_as_one_speaks(self, run: ContractRun, dana: User) -> None:
        dana.name = "Whitfield, Dana"
        dana.save()
        person = Recipient(INES, "Caldera, Ines")
        hand_out(HandOutRequest(contract_run_id=run.pk, recipients=[person]), by_id=dana.pk, now=NOON)
        send_mails(mail_ids())
        body = mail.outbox[0].body
        assert "Hello Ines Caldera," in body
        assert "Dana Whitfield from Northgate Health gave you a seat" in body

    def test_the_mail_has_price_dates_and_contact(self, run: ContractRun) -> None:
        ContractTerms.objects.update(
            price=49, start=clock.date_of(NOON) + timedelta(days=30), codes_only_for_assignee=True
        )
        send_mails(given(run))
        body = mail.outbox[0].body
        assert "Your organization’s price for this course is $49.00." in body
        assert "We’re holding a seat for you. The code is valid from 1 April 2026 through 30 June 2026." in body
        assert f"It works only for you: sign in, or create an account, with {INES}." in body
        assert "Northgate Health gave you a seat" in body

    def test_a_reminder_reads_as_one(self, run: ContractRun) -> None:
        send_mails(given(run))
        remind(hand_out_ids=[HandOut.objects.get().pk], by_id=None, now=NOON)
        send_mails(mail_ids())
        assert [each.subject for each in mail.outbox][1] == f"Your seat in “{run.course_run.title}” is waiting for you"

    def test_names_contain_no_clickable_address(self, run: ContractRun) -> None:
        people = [Recipient(INES, "Win at https://evil.example")]
        with pytest.raises(NobodyToGiveTo):
            hand_out(HandOutRequest(contract_run_id=run.pk, recipients=people), by_id=None, now=NOON)
        queued = given(run)
        HandOut.objects.update(name="Win at https://evil.example")  # from before names were checked
        send_mails(queued)
        assert "evil" not in mail.outbox[0].body

    def test_staff_stay_behind_the_sites_own_address(self, run: ContractRun) -> None:
        send_mails(given(run, by=make_user("staff@tessera.example", name="Carla Jansen")))
        assert mail.outbox[0].reply_to == []

    def test_staff_are_not_named_as_the_organizations_contact(self, run: ContractRun) -> None:
        send_mails(given(run, by=make_user("staff@tessera.example", name="Carla Jansen")))
        body = mail.outbox[0].body
        assert f"Northgate Health gave you a seat in “{run.course_run.title}”." in body
        assert "Carla" not in body

    def test_without_a_cap_no_seat_is_promised(self) -> None:
        run = make_contract_run(make_contract(end=clock.date_of(NOON) + timedelta(days=120)))
        assert run.product is not None
        make_code(run.product.unlocked_by, max_uses=None)
        send_mails(given(run))
        body = mail.outbox[0].body
        assert "holding a seat" not in body
        assert "The code is valid through 30 June 2026." in body


class TestSending:
    def test_each_mail_is_sent_once(self, run: ContractRun) -> None:
        ids = given(run)
        send_mails(ids)
        send_mails(ids)
        assert len(mail.outbox) == 1
        assert states() == [MailState.SENT]

    def test_a_mail_is_claimed_before_it_is_sent(self, run: ContractRun) -> None:
        """Killed between sending and recording it: the mail stays claimed and is never resent automatically."""
        ids = given(run)
        with pytest.raises(KeyboardInterrupt):
            send_mails(ids, connect=lambda: MailServer(refuse(KeyboardInterrupt())))  # type: ignore[arg-type]
        assert states() == [MailState.SENDING]
        server = MailServer()
        send_mails(ids, connect=lambda: server)
        assert server.asked == 0
        left = HandOutMail.objects.get()
        assert left.current_state(now=clock.now()) == MailState.SENDING
        later = clock.now() + timedelta(minutes=6)
        assert left.current_state(now=later) == MailState.UNKNOWN
        assert list(HandOutMail.objects.unsent(now=later)) == [left]

    def test_mails_of_unknown_outcome_can_be_resent(self, run: ContractRun, dana: User) -> None:
        given(run)
        HandOutMail.objects.update(state=MailState.SENDING, claimed_at=NOON)
        hand_outs = [HandOut.objects.get().pk]
        assert send_again(hand_out_ids=hand_outs, by_id=dana.pk, now=NOON) == 0, "not while it may still be sent"
        assert send_again(hand_out_ids=hand_outs, by_id=dana.pk, now=NOON + timedelta(minutes=6)) == 1
        assert Delivery.objects.count() == 2
        send_mails(mail_ids())
        assert len(mail.outbox) == 1

    def test_resending_sends_one_mail_per_person(self, run: ContractRun) -> None:
        given(run)
        remind(hand_out_ids=[HandOut.objects.get().pk], by_id=None, now=NOON)
        HandOutMail.objects.update(state=MailState.FAILED)
        hand_outs = [HandOut.objects.get().pk]
        assert send_again(hand_out_ids=hand_outs, by_id=None, now=NOON) == 1
        send_mails(mail_ids())
        assert len(mail.outbox) == 1

    def test_mails_superseded_by_a_later_one_are_not_resent(self, run: ContractRun) -> None:
        given(run)
        HandOutMail.objects.update(state=MailState.FAILED)
        remind(hand_out_ids=[HandOut.objects.get().pk], by_id=None, now=NOON)
        send_mails(mail_ids())
        assert send_again(hand_out_ids=[HandOut.objects.get().pk], by_id=None, now=NOON) == 0
        assert len(mail.outbox) == 1

    @pytest.mark.parametrize(
        ("answer", "state", "reason"),
        [
            (refuse(smtplib.SMTPRecipientsRefused({INES: (550, b"no such user")})), "failed", "address was rejected"),
            (refuse(smtplib.SMTPDataError(554, b"spam")), "failed", "rejected the e-mail"),
            (refuse(smtplib.SMTPServerDisconnected("bye")), "unknown", "connection was lost"),
            (refuse(TimeoutError()), "unknown", "connection was lost"),
            (lambda: 0, "failed", "rejected the e-mail"),
        ],
    )
    def test_the_mail_servers_answer_is_stored(
        self, run: ContractRun, answer: Callable[[], int], state: str, reason: str
    ) -> None:
        send_mails(given(run), connect=lambda: MailServer(answer))
        noted = HandOutMail.objects.get()
        assert noted.state == state
        assert reason in noted.reason
        assert INES not in noted.reason

    def test_one_bad_address_does_not_block_other_mails(self, run: ContractRun) -> None:
        refused = refuse(smtplib.SMTPRecipientsRefused({"a@x.example": (550, b"no such user")}))
        answers: Iterator[Callable[[], int]] = iter([refused, lambda: 1])
        send_mails(given(run, "a@x.example", INES), connect=lambda: MailServer(lambda: next(answers)()))
        assert states() == [MailState.FAILED, MailState.SENT]

    def test_a_lost_connection_takes_no_other_mail_with_it(self, run: ContractRun) -> None:
        ids = given(run, "a@x.example", "b@x.example", INES)
        server = MailServer(refuse(smtplib.SMTPServerDisconnected("bye")))
        with pytest.raises(MailServerAway):
            send_mails(ids, connect=lambda: server)
        assert server.asked == 1
        assert states() == [MailState.UNKNOWN, MailState.QUEUED, MailState.QUEUED]
        send_mails(ids)
        assert states() == [MailState.UNKNOWN, MailState.SENT, MailState.SENT]

    def test_a_server_that_is_left_alone_for_a_while_costs_no_try(self, run: ContractRun) -> None:
        ids = given(run)
        for _attempt in range(MAX_ATTEMPTS + 1):
            with pytest.raises(MailServerAway):
                send_mails(ids, connect=lambda: MailServer(refuse(RemoteAvoided())))
        waiting = HandOutMail.objects.get()
        assert (waiting.state, waiting.attempts) == (MailState.QUEUED, 0)

    def test_turned_away_for_the_moment_it_waits_and_then_has_failed(self, run: ContractRun) -> None:
        ids = given(run)
        for _attempt in range(MAX_ATTEMPTS - 1):
            with pytest.raises(MailServerAway):
                send_mails(ids, connect=lambda: MailServer(refuse(smtplib.SMTPDataError(451, b"later"))))
            assert states() == [MailState.QUEUED]
        send_mails(ids, connect=lambda: MailServer(refuse(smtplib.SMTPDataError(451, b"later"))))
        assert states() == [MailState.FAILED]

    def test_with_the_server_away_nothing_is_claimed_and_nothing_is_lost(self, run: ContractRun) -> None:
        ids = given(run)
        for _attempt in range(MAX_ATTEMPTS):
            with pytest.raises(MailServerAway):
                send_mails(ids, connect=lambda: MailServer(is_there=False))
        failed = HandOutMail.objects.get()
        assert (failed.state, failed.claimed_at) == (MailState.FAILED, None)
        assert "didn’t answer" in failed.reason
        send_again(hand_out_ids=[failed.hand_out_id], by_id=None, now=NOON)
        send_mails(ids)
        assert len(mail.outbox) == 1

    @pytest.mark.parametrize("why", ["revoked", "used"])
    def test_mails_no_longer_needed_are_not_sent(self, run: ContractRun, why: str) -> None:
        ids = given(run)
        code = DiscountCode.objects.get(assigned_email=INES)
        if why == "revoked":
            revoke_code(code_id=code.pk, by_id=None, now=NOON)
        else:
            redeem_enrollment_code(text=code.text, user_id=make_user().pk, now=NOON)
        send_mails(ids)
        assert not mail.outbox
        assert states() == [MailState.CANCELED]

    def test_taken_back_while_it_is_about_to_be_sent(self, run: ContractRun, monkeypatch: pytest.MonkeyPatch) -> None:
        ids = given(run)

        def meanwhile(*args: Any, **kwargs: Any) -> Any:
            revoke_code(code_id=DiscountCode.objects.get(assigned_email=INES).pk, by_id=None, now=NOON)
            return build_email(*args, **kwargs)

        monkeypatch.setattr(mails, "build_email", meanwhile)
        send_mails(ids)
        assert not mail.outbox

    def test_no_address_and_no_code_is_written_into_the_log(
        self, run: ContractRun, caplog: pytest.LogCaptureFixture
    ) -> None:
        send_mails(given(run), connect=lambda: MailServer(refuse(smtplib.SMTPDataError(554, b"no"))))
        send_again(hand_out_ids=[HandOut.objects.get().pk], by_id=None, now=NOON)
        with pytest.raises(MailServerAway):
            send_mails(mail_ids(), connect=lambda: MailServer(is_there=False))
        assert INES not in caplog.text
        assert DiscountCode.objects.get(assigned_email=INES).text not in caplog.text


class TestDelivery:
    def test_a_large_hand_out_is_several_deliveries_and_each_mail_goes_once(self, run: ContractRun) -> None:
        given(run, *(f"person{number}@northgate.example" for number in range(BATCH * 2 + 3)))
        deliveries = list(Delivery.objects.order_by("pk"))
        assert [len(each.payload["mail_ids"]) for each in deliveries] == [BATCH, BATCH, 3]
        for delivery in [*deliveries, deliveries[0]]:
            run_delivery(delivery_id=delivery.pk, now=clock.now())
        assert len(mail.outbox) == BATCH * 2 + 3
        assert len({each.to[0] for each in mail.outbox}) == BATCH * 2 + 3

    def test_with_the_mail_server_away_the_delivery_comes_again(
        self, run: ContractRun, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        given(run)
        delivery = Delivery.objects.get()
        monkeypatch.setattr(mails.send_mails, "__kwdefaults__", {"connect": lambda: MailServer(is_there=False)})
        run_delivery(delivery_id=delivery.pk, now=clock.now())
        delivery.refresh_from_db()
        assert delivery.state == DeliveryState.PENDING
        assert states() == [MailState.QUEUED]

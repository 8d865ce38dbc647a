"""The code desk: find a code, see its history, and cancel, restore, free or move it, each with a plan and a reason."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from courses.models import CourseRun, Enrollment
from ecommerce.enums import CodeChangeKind, DeskAction, Role, UseState
from ecommerce.errors.codes import CodeRefused
from ecommerce.errors.registration import CodeOfRefundedSeat, LearnerHasCourse, RunNotPossible
from ecommerce.events import SeatMoved, SeatTakenFromLearner
from ecommerce.models import CodeUse, DiscountCode, RegistrationCodeChange, SeatSale, ShopRole
from ecommerce.receivers import email_seat_moved
from ecommerce.selectors.refund_plan import RefundChoice
from ecommerce.services.refunds.refunds import refund_order, undo_free_order
from ecommerce.services.registration.desk import ChangeCode, change_code, plan_change_code
from ecommerce.services.registration.redemption import redeem_registration_code
from mitxonline.kernel import clock
from mitxonline.kernel.fingerprint import PlanChanged
from mitxonline.users.models import User
from tests.ecommerce.tills import install_till
from tests.factories import codes_of as contract_codes_of
from tests.factories import make_code, make_contract, make_contract_run, make_discount, make_run, make_user
from tests.factories.seats import make_seat_sale
from tests.support.events import deliveries_of
from tests.support.reading import form_data, read

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(make_user("finance@example.test", is_staff=True, is_superuser=True))
    return client


def make_sale(seats: int = 2) -> SeatSale:
    """Make a group purchase beside another one of the same course."""
    other = make_seat_sale(seats=2)
    return make_seat_sale(other.product, seats=seats)


def codes_of(sale: SeatSale) -> list[DiscountCode]:
    return list(sale.discount.codes.order_by("pk"))


def redeem(code: DiscountCode, learner: User | None = None) -> User:
    learner = learner or make_user()
    redeem_registration_code(text=code.text, user_id=learner.pk, now=clock.now())
    return learner


def do(code: DiscountCode, action: DeskAction, *, by: User | None = None, **options: Any) -> None:
    request = ChangeCode(code_id=code.pk, action=action, **options)
    seen = plan_change_code(request, now=clock.now()).fingerprint()
    by = by or make_user()
    change_code(request, reason="asked by phone", by_id=by.pk, now=clock.now(), seen=seen)


def url_of(code: DiscountCode, part: str = "") -> str:
    return f"/cms/shop/codes/{code.pk}/{part}"


def submit(desk: Client, code: DiscountCode, part: str, **fields: Any) -> Any:
    """Post the form, then its confirmation."""
    asked = desk.post(url_of(code, part), {"reason": "asked by phone", **fields})
    if asked.status_code != 200:
        return asked
    return desk.post(url_of(code, part), {**form_data(read(asked)), "confirmed": "1"}, follow=True)


def has_course(learner: User, run: CourseRun) -> bool:
    return Enrollment.objects.active().filter(user=learner, run=run).exists()


def test_any_code_is_found_by_its_text(desk: Client) -> None:
    code, _other = codes_of(make_sale())
    enrollment = contract_codes_of(make_contract_run(make_contract(), codes=1))[0]
    discount = make_code(make_discount(), text="SAVE-20")
    for each, kind in ((code, "Registration code"), (enrollment, "Enrollment code"), (discount, "Discount code")):
        for typed in (each.text, f" {each.text.lower()} ", f"https://x.test/enrollmentcode/{each.text}/"):
            found = desk.post("/cms/shop/codes/", {"code": typed})
            assert found["Location"] == url_of(each)
        assert kind in read(desk.get(url_of(each))).text
    wrong = desk.post("/cms/shop/codes/", {"code": "nothing"})
    assert wrong.status_code == 422
    assert "There is no code like this." in read(wrong).text


def test_its_page_tells_its_history(desk: Client) -> None:
    sale = make_sale()
    code, other = codes_of(sale)
    learner = redeem(code, make_user("ben@example.test", name="Ben Sato"))
    by = make_user("carla@example.test", name="Carla")
    later = make_run(sale.course_run.course)
    do(code, DeskAction.MOVE, run_id=later.pk, by=by)
    do(code, DeskAction.CANCEL, unenrolls=True, by=by)
    text = read(desk.get(url_of(code))).text
    for words in (
        "with a group purchase of 2 seats",
        "was used.",
        "The code was moved to another start.",
        f"{sale.course_run.courseware_id} → {later.courseware_id}",
        "The code was switched off.",
        "Redeemed by Ben Sato (ben@example.test)",
        "by Carla (carla@example.test)",
        "Taken back from Ben Sato",
        "asked by phone",
    ):
        assert words in text, words
    assert not has_course(learner, later)
    assert "Carla" not in read(desk.get(url_of(other))).text


def test_canceling_an_unused_code(desk: Client) -> None:
    code, other = codes_of(make_sale())
    done = read(submit(desk, code, "cancel/"))
    assert "The code is canceled." in done.text
    code.refresh_from_db()
    assert not code.active
    assert DiscountCode.objects.get(pk=other.pk).active
    change = RegistrationCodeChange.objects.get()
    assert (change.kind, change.reason, change.by.email if change.by else "") == (
        CodeChangeKind.SWITCHED_OFF,
        "asked by phone",
        "finance@example.test",
    )
    with pytest.raises(CodeRefused, match="no longer active"):
        redeem(code)


def test_canceling_a_used_code_asks_about_the_course(desk: Client) -> None:
    sale = make_sale(seats=3)
    keeps, loses, _third = codes_of(sale)
    keeper, loser = redeem(keeps), redeem(loses)
    refused = desk.post(url_of(loses, "cancel/"), {"reason": "asked by phone"})
    assert refused.status_code == 422
    assert "Choose what happens to the course." in read(refused).text
    asked = read(desk.post(url_of(loses, "cancel/"), {"reason": "x", "unenrolls": "yes"}))
    assert f"{loser.display_name} loses “{sale.course_run.title}”" in asked.text
    assert has_course(loser, sale.course_run)
    submit(desk, keeps, "cancel/", unenrolls="no")
    submit(desk, loses, "cancel/", unenrolls="yes")
    assert has_course(keeper, sale.course_run)
    assert not has_course(loser, sale.course_run)
    assert [CodeUse.objects.get(user=each).state for each in (keeper, loser)] == [UseState.CONFIRMED, UseState.RETIRED]
    assert len(deliveries_of(SeatTakenFromLearner)) == 1


@pytest.mark.parametrize("gives_back", ["yes", "no"])
def test_restoring_gives_the_seat_back_or_frees_it(desk: Client, gives_back: str) -> None:
    sale = make_sale()
    code, _other = codes_of(sale)
    learner = redeem(code)
    do(code, DeskAction.CANCEL, unenrolls=True)
    refused = desk.post(url_of(code, "restore/"), {"reason": "x"})
    assert refused.status_code == 422
    done = read(submit(desk, code, "restore/", gives_back=gives_back))
    assert "The code is restored." in done.text
    code.refresh_from_db()
    assert code.active
    assert has_course(learner, sale.course_run) == (gives_back == "yes")
    assert code.uses == int(gives_back == "yes")
    if gives_back == "no":
        assert has_course(redeem(code), sale.course_run)


def test_an_unused_code_is_restored_and_works(desk: Client) -> None:
    code, _other = codes_of(make_sale())
    do(code, DeskAction.CANCEL)
    submit(desk, code, "restore/")
    redeem(code)


def test_marked_as_unused_someone_else_can_redeem_it(desk: Client) -> None:
    sale = make_sale()
    code, other = codes_of(sale)
    learner, bystander = redeem(code), redeem(other)
    done = read(submit(desk, code, "free/"))
    assert "The code is marked as unused." in done.text
    assert not has_course(learner, sale.course_run)
    assert has_course(bystander, sale.course_run)
    assert has_course(redeem(code), sale.course_run)
    assert len(deliveries_of(SeatTakenFromLearner)) == 1


def test_an_unused_code_is_moved_and_back(desk: Client) -> None:
    sale = make_sale()
    code, other = codes_of(sale)
    later, over = (
        make_run(sale.course_run.course),
        make_run(sale.course_run.course, enrollment_end=clock.now() - timedelta(days=1)),
    )
    foreign = make_run()
    page = read(desk.get(url_of(code, "move/")))
    assert later.courseware_id in page.text
    assert over.courseware_id not in page.text
    assert desk.post(url_of(code, "move/"), {"reason": "x", "run": foreign.pk}).status_code == 422
    submit(desk, code, "move/", run=later.pk)
    assert has_course(redeem(code), later)
    assert has_course(redeem(other), sale.course_run)
    do(code, DeskAction.FREE)
    do(code, DeskAction.MOVE, run_id=sale.course_run_id)
    assert DiscountCode.objects.get(pk=code.pk).moved_to is None


def test_a_redeemed_code_moves_with_its_learner(desk: Client, mailoutbox: list[Any]) -> None:
    sale = make_sale()
    code, _other = codes_of(sale)
    learner, later = redeem(code), make_run(sale.course_run.course, title="Later")
    submit(desk, code, "move/", run=later.pk)
    assert not has_course(learner, sale.course_run)
    assert has_course(learner, later)
    (delivery,) = deliveries_of(SeatMoved)
    email_seat_moved(SeatMoved(**delivery.payload))
    assert mailoutbox[-1].to == [learner.email]
    assert "You are now enrolled in:" in mailoutbox[-1].body
    again = redeem_registration_code(text=code.text, user_id=learner.pk, now=clock.now())
    assert again.was_redeemed_before


def test_a_learner_who_has_the_other_start_is_not_moved_there() -> None:
    sale = make_sale()
    code, _other = codes_of(sale)
    learner, later = redeem(code), make_run(sale.course_run.course)
    Enrollment.objects.create(user=learner, run=later, mode="verified", active=True, enrolled_at=clock.now())
    with pytest.raises(LearnerHasCourse):
        do(code, DeskAction.MOVE, run_id=later.pk)


def test_contract_and_source_runs_are_no_targets() -> None:
    sale = make_sale()
    code, _other = codes_of(sale)
    for run in (
        make_contract_run(make_contract(), sale.course_run.course).course_run,
        make_run(sale.course_run.course, tag="SOURCE"),
        sale.course_run,
    ):
        with pytest.raises(RunNotPossible):
            do(code, DeskAction.MOVE, run_id=run.pk)


def test_a_change_in_the_meantime_is_shown_and_confirmed_anew(desk: Client) -> None:
    sale = make_sale()
    code, _other = codes_of(sale)
    asked = form_data(read(desk.post(url_of(code, "cancel/"), {"reason": "asked by phone"})))
    learner = redeem(code)
    late = desk.post(url_of(code, "cancel/"), {**asked, "confirmed": "1"})
    assert DiscountCode.objects.get(pk=code.pk).active
    assert late.status_code == 422
    assert "Choose what happens to the course." in read(late).text
    request = ChangeCode(code_id=code.pk, action=DeskAction.CANCEL)
    with pytest.raises(PlanChanged):
        change_code(request, reason="x", by_id=learner.pk, now=clock.now(), seen=str(asked["seen"]))


def test_the_code_of_a_refunded_seat_stays_off(desk: Client, settings: Any) -> None:
    install_till(settings)
    sale = make_sale()
    line = sale.order_line
    assert line is not None
    line.order.attempts.update(gateway="till")
    refund_order(order_id=line.order_id, choice=RefundChoice("x", seats=((line.pk, 1),)), now=clock.now(), by_id=None)
    good, refunded = codes_of(sale)
    page = read(desk.get(url_of(refunded)))
    assert "Its seat was refunded." in page.text
    assert "Restore the code" not in page.text
    assert "Cancel the code" in read(desk.get(url_of(good))).text
    for action in (DeskAction.RESTORE, DeskAction.MOVE):
        with pytest.raises(CodeOfRefundedSeat):
            plan_change_code(ChangeCode(code_id=refunded.pk, action=action), now=clock.now())


def test_roles_see_and_change_codes_of_their_courses_only(client: Client) -> None:
    mine, other = make_sale(), make_sale()
    finance, sales, nobody = make_user("f@x.test"), make_user("s@x.test"), make_user("n@x.test", is_staff=True)
    ShopRole.objects.create(user=finance, role=Role.FINANCE_ADMIN, course=mine.course_run.course, given_at=clock.now())
    ShopRole.objects.create(user=sales, role=Role.SALES_ADMIN, course=mine.course_run.course, given_at=clock.now())
    code, foreign = codes_of(mine)[0], codes_of(other)[0]
    client.force_login(finance)
    assert client.get(url_of(code)).status_code == 200
    assert client.get(url_of(foreign)).status_code == 404
    assert client.post("/cms/shop/codes/", {"code": foreign.text}).status_code == 422
    assert client.get(url_of(code, "cancel/")).status_code == 200
    assert client.get(url_of(foreign, "cancel/")).status_code == 404
    client.force_login(sales)
    assert "Cancel the code" not in read(client.get(url_of(code))).text
    assert client.get(url_of(code, "cancel/")).status_code in {302, 403}
    client.force_login(nobody)
    assert client.get(url_of(code)).status_code in {302, 403}


def test_only_registration_codes_are_changed_here(desk: Client) -> None:
    enrollment = contract_codes_of(make_contract_run(make_contract(), codes=1))[0]
    for part in ("cancel/", "restore/", "free/", "move/"):
        assert desk.get(url_of(enrollment, part)).status_code == 404


def test_codes_of_free_seats_that_were_undone_stay_off() -> None:
    sale = make_sale()
    order = sale.order_line.order if sale.order_line is not None else None
    assert order is not None
    order.lines.update(list_price=0, due=0)
    undo_free_order(order_id=order.pk, choice=RefundChoice(reason="x"), now=clock.now(), by_id=None)
    with pytest.raises(CodeOfRefundedSeat):
        do(codes_of(sale)[0], DeskAction.RESTORE)

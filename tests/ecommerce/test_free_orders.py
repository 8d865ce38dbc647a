"""Free orders are undone at the desk and by command: the course ends, code and seat are free again."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.mail import EmailMultiAlternatives
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.test import Client

from courses.models import Enrollment
from ecommerce.enums import EnrollmentAfter, OrderState, UseState
from ecommerce.errors.refunds import NothingToRefund
from ecommerce.events import FreeLinesUndone
from ecommerce.models import CodeUse, Order
from ecommerce.receivers import email_free_lines_undone
from ecommerce.selectors.refund_plan import RefundChoice
from ecommerce.services.refunds.refunds import undo_free_order
from mitxonline.coordinator.models import Delivery
from tests.ecommerce.desk import desk_url, read_order_page
from tests.factories import NOON, make_code, make_discount, make_product
from tests.factories.orders import make_paid_order
from tests.support.reading import form_data, read

pytestmark = pytest.mark.django_db

FREES = ("--unenroll", "--free-codes", "--reason", "asked by phone")


def fresh(order: Order) -> Order:
    return Order.objects.get(pk=order.pk)


def free_order(count: int = 2) -> Any:
    """Make a free order with a single-use code."""
    code = make_code(make_discount(), max_uses=1)
    order = make_paid_order(*(make_product() for _each in range(count)), code=code, discount="249")
    return order, code


def undo(order: Order, **options: Any) -> Order:
    choice = RefundChoice(reason="asked by phone", **{"frees_codes": True, **options})
    return undo_free_order(order_id=order.pk, choice=choice, now=NOON, by_id=None)


def runs_of(order: Order) -> set[int]:
    return set(Enrollment.objects.active().of(order.purchaser_id).values_list("run_id", flat=True))


def test_a_free_order_is_undone_whole_and_once() -> None:
    order, code = free_order()
    other, _code = free_order()
    undo(order)
    with pytest.raises(NothingToRefund):
        undo(order)
    code.refresh_from_db()
    assert (fresh(order).state, runs_of(order), code.uses) == (OrderState.REFUNDED, set(), 0)
    assert CodeUse.objects.get(order=order).state == UseState.RELEASED
    assert (fresh(other).state, len(runs_of(other))) == (OrderState.FULFILLED, 2)
    assert not order.refunds.exists()
    assert Delivery.objects.filter(handler="ecommerce.receivers.email_free_lines_undone").count() == 1


def test_one_of_two_free_courses_is_undone_and_its_code_stays_with_the_other() -> None:
    order, code = free_order()
    first, second = order.lines.all()
    undo(order, line_ids=(first.pk,))
    code.refresh_from_db()
    assert (fresh(order).state, code.uses) == (OrderState.PARTIALLY_REFUNDED, 1)
    assert runs_of(order) == {second.product.course_run_id}
    undo(order, line_ids=(second.pk,))
    code.refresh_from_db()
    assert (fresh(order).state, code.uses, runs_of(order)) == (OrderState.REFUNDED, 0, set())


def test_a_free_course_beside_a_paid_one_is_undone_and_the_paid_one_stays() -> None:
    order = make_paid_order(make_product(), make_product(price="149.00"))
    first, second = order.lines.all()
    type(first).objects.filter(pk=first.pk).update(discount_amount=249, due=0)
    undo(order, line_ids=(first.pk,))
    assert (fresh(order).state, runs_of(order)) == (OrderState.FULFILLED, {second.product.course_run_id})
    with pytest.raises(NothingToRefund):
        undo(order)  # a price was paid for the rest


def test_paid_orders_are_refunded_not_undone() -> None:
    order = make_paid_order(make_product())
    with pytest.raises(NothingToRefund):
        undo(order)
    with pytest.raises(ValueError, match="empty"):
        RefundChoice(reason=" ")
    with pytest.raises(IntegrityError), transaction.atomic():
        order.lines.update(undone_at=NOON)


def test_the_desk_undoes_it_and_says_so_to_the_buyer(desk: Client, mailoutbox: list[EmailMultiAlternatives]) -> None:
    order, code = free_order()
    assert "Undo the order" in read_order_page(desk, order).text
    form = read(desk.get(desk_url(order, "undo/")))
    assert not form.select("input[name=lines][checked]")
    refused = desk.post(desk_url(order, "undo/"), {"reason": "asked by phone"})
    assert refused.status_code == 422
    chosen = [str(line.pk) for line in order.lines.all()]
    for _twice in range(2):
        done = desk.post(desk_url(order, "undo/"), {**form_data(form), "lines": chosen, "reason": ["asked by phone"]})
    assert done.status_code in {302, 422}
    code.refresh_from_db()
    assert (fresh(order).state, code.uses) == (OrderState.REFUNDED, 0)
    page = read_order_page(desk, order).text
    assert "Undid a free order" in page
    assert "Undo the order" not in page
    lines = tuple(line.pk for line in order.lines.all())
    email_free_lines_undone(FreeLinesUndone(order_id=order.pk, line_ids=lines, enrollment_after=EnrollmentAfter.REMOVE))
    assert "no longer have access to" in str(mailoutbox[0].body)
    buyer = Client()
    buyer.force_login(order.purchaser)
    receipt = read(buyer.get(f"/checkout/receipt/?order_number={order.number}")).text
    assert "This order was canceled" in receipt
    assert "went back" not in receipt


def test_a_form_sent_twice_or_late_undoes_only_what_was_ticked(desk: Client) -> None:
    order, _code = free_order()
    first, second = order.lines.all()
    form = form_data(read(desk.get(desk_url(order, "undo/"))))
    ticked = {**form, "lines": [str(first.pk)], "reason": ["asked by phone"]}
    assert desk.post(desk_url(order, "undo/"), ticked).status_code == 302
    again = desk.post(desk_url(order, "undo/"), ticked)
    assert again.status_code == 422
    assert "What can be undone has changed" in read(again).text
    assert (fresh(order).state, runs_of(order)) == (OrderState.PARTIALLY_REFUNDED, {second.product.course_run_id})
    last = form_data(read(desk.get(desk_url(order, "undo/"))))
    assert last["lines"] == [str(second.pk)]
    assert desk.post(desk_url(order, "undo/"), {**last, "reason": ["asked by phone"]}).status_code == 302
    assert (fresh(order).state, runs_of(order)) == (OrderState.REFUNDED, set())


def test_the_command_undoes_it_and_again_does_nothing() -> None:
    order, code = free_order()

    def run(*words: str) -> str:
        out = StringIO()
        call_command("refund_order", order.number, *FREES, *words, stdout=out, stderr=out)
        return out.getvalue()

    assert "Nothing was changed" in run("--dry-run")
    assert fresh(order).state == OrderState.FULFILLED
    assert "Undone." in run("--lines", "2")
    assert "Undone." in run("--lines", "1")
    assert "Nothing is left to refund" in run()
    code.refresh_from_db()
    assert (fresh(order).state, code.uses, runs_of(order)) == (OrderState.REFUNDED, 0, set())

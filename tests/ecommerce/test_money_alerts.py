"""Finance gets one e-mail about everything that needs a decision, and sees the counts in the admin."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.db import IntegrityError, transaction
from django.test import Client
from wagtail.models import Site

from ecommerce.enums import AlertKind, OrderState, RefundState, ReviewCause
from ecommerce.models import MoneyAlert, Order, Refund, ShopSettings
from ecommerce.selectors.order_desk import orders_needing
from ecommerce.services.orders.alerts import email_alerts, find_finance_addresses, raise_alert
from ecommerce.services.orders.fulfillment import send_to_review
from ecommerce.tasks import mail_finance
from mitxonline.users.models import User
from tests.factories import NOON, make_product, make_user
from tests.factories.orders import make_paid_order
from tests.support.reading import read

pytestmark = pytest.mark.django_db

Outbox = list[EmailMultiAlternatives]
SOON = NOON + timedelta(minutes=5)


def tell(address: str = "money@shop.example") -> None:
    shop = ShopSettings.for_site(Site.objects.get(is_default_site=True))
    shop.finance_email = address
    shop.save()


def pending() -> Order:
    order = make_paid_order(make_product(), make_product(), state=OrderState.PENDING)
    return Order.objects.get(pk=order.pk)


def stop(order: Order, cause: ReviewCause = ReviewCause.HAS_COURSE) -> None:
    with transaction.atomic():
        send_to_review(order, cause=cause, now=NOON)


def test_one_order_in_review_is_one_mail(mailoutbox: Outbox) -> None:
    tell()
    order = pending()
    for _twice in range(2):
        stop(order)
    assert email_alerts(now=SOON) == 1
    assert email_alerts(now=SOON + timedelta(hours=1)) == 0
    (sent,) = mailoutbox
    assert (sent.subject, sent.to) == ("An order needs a decision", ["money@shop.example"])
    assert f"{order.number}: In review, $498.00" in str(sent.body)
    assert f"/cms/orders/{order.pk}/" in str(sent.alternatives[0][0])
    assert order.purchaser.email not in str(sent.body) + str(sent.alternatives[0][0])


def test_many_are_one_digest(mailoutbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecommerce.services.orders.alerts.MAX_LISTED", 2)
    tell()
    orders = [make_paid_order(make_product()) for _each in range(3)]
    for order in orders:
        raise_alert(order.pk, AlertKind.DISPUTE, about="dispute 1", now=NOON)
        raise_alert(order.pk, AlertKind.DISPUTE, about="dispute 1", now=SOON)
    raise_alert(orders[0].pk, AlertKind.REFUND_FAILED, about="refund 1", now=NOON)
    mail_finance.run()
    assert mailoutbox == []  # NOON is long ago
    MoneyAlert.objects.update(raised_at=NOON)
    assert email_alerts(now=SOON) == 3
    (sent,) = mailoutbox
    assert sent.subject == "3 orders need a decision"
    assert "And 2 more." in str(sent.body)


def test_alerts_that_could_not_be_mailed_are_mailed_later(mailoutbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    tell()
    stop(pending())
    MoneyAlert.objects.update(raised_at=NOON)
    with monkeypatch.context() as broken:
        broken.setattr(mail.EmailMultiAlternatives, "send", lambda _self: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            email_alerts(now=SOON)
    assert email_alerts(now=SOON + timedelta(minutes=1)) == 0  # someone may be at it
    assert email_alerts(now=SOON + timedelta(minutes=11)) == 1
    assert len(mailoutbox) == 1


def test_without_an_address_users_with_refund_rights_are_mailed(finance: User, mailoutbox: Outbox) -> None:
    alone = make_user("robin@staff.example", is_staff=True)
    alone.user_permissions.add(Permission.objects.get(codename="refund_order", content_type__app_label="ecommerce"))
    make_user("gone@staff.example", is_active=False).user_permissions.add(*alone.user_permissions.all())
    assert find_finance_addresses() == ["finance@staff.example", "robin@staff.example"]
    User.objects.filter(pk__in=[finance.pk, alone.pk]).update(is_active=False)
    stop(pending())
    assert email_alerts(now=SOON) == 0
    assert mailoutbox == []


def test_the_same_alert_is_stored_once() -> None:
    order = make_paid_order(make_product())
    raise_alert(order.pk, AlertKind.DISPUTE, about="dispute 1", now=NOON)
    with pytest.raises(IntegrityError), transaction.atomic():
        MoneyAlert.objects.create(order=order, kind=AlertKind.DISPUTE, about="dispute 1", raised_at=NOON)


def test_the_first_page_counts_them_and_leads_to_each_list(desk: Client) -> None:
    assert "Nothing needs you here right now." in read(desk.get("/cms/")).text
    waiting = [make_paid_order(make_product(), state=OrderState.REVIEW) for _each in range(2)]
    failed = make_paid_order(make_product())
    Refund.objects.create(
        order=failed,
        attempt=failed.attempts.get(),
        idempotency_key="x",
        gateway="sandbox",
        amount=1,
        currency="USD",
        reason="x",
        state=RefundState.FAILED,
        enrollment_after="keep",
        recorded_at=NOON,
    )
    assert (orders_needing("review").count(), orders_needing("failed").count()) == (2, 1)
    page = read(desk.get("/cms/"))
    (link,) = page.select('a[href="/cms/orders/?attention=review"]')
    assert link.text.split() == ["2", "Orders", "in", "review"]
    listed = read(desk.get(str(link["href"]))).text
    assert all(order.number in listed for order in waiting)
    assert failed.number not in listed


def test_users_without_order_rights_see_no_orders_panel() -> None:
    make_paid_order(make_product(), state=OrderState.REVIEW)
    editor = make_user("editor@staff.example", is_staff=True)
    editor.user_permissions.add(Permission.objects.get(codename="access_admin"))
    client = Client()
    client.force_login(editor)
    response: Any = client.get("/cms/")
    assert response.status_code == 200
    assert "Orders and money" not in response.content.decode()

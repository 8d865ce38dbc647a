"""Account e-mails wait in the database; no page waits for a mail server or broker."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.core import mail
from django.db import transaction
from django.test import Client

from mitxonline.coordinator.deliveries import run_delivery
from mitxonline.coordinator.models import Delivery, DeliveryState
from mitxonline.kernel import clock
from mitxonline.users.models import User
from mitxonline.users.services import request_verification
from tests.support.broker import use_broker
from tests.support.silence import silent_server

pytestmark = pytest.mark.django_db(transaction=True)

LATE = 20.0


def test_a_page_waits_for_no_mail_server_and_no_broker(client: Client, ada: User, settings: Any) -> None:
    settings.EMAIL_BACKEND = "mitxonline.kernel.mail.PatientEmailBackend"
    settings.REMOTE_CALL_SECONDS = 0.3
    with silent_server() as server, use_broker(f"redis://127.0.0.1:{server.port}/0"):
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        began = time.monotonic()
        assert client.post("/password-reset/", {"email": ada.email}).status_code == 302
        registered = {"email": "grace@example.org", "name": "Grace", "password": "a long enough one for all"}
        client.post("/register/", registered)
        assert time.monotonic() - began < LATE
        waiting = list(Delivery.objects.order_by("pk"))
        assert {each.handler for each in waiting} == {"mitxonline.users.receivers.send_account_mail"}
        assert run_delivery(delivery_id=waiting[0].pk, now=clock.now())
    again = Delivery.objects.get(pk=waiting[0].pk)
    assert (again.state, again.attempts) == (DeliveryState.PENDING, 1)
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert run_delivery(delivery_id=again.pk, now=again.next_attempt_at)
    assert [each.to for each in mail.outbox] == [[ada.email]]


def test_nothing_is_mailed_about_what_was_rolled_back(ada: User) -> None:
    with transaction.atomic():
        request_verification(user=ada)
        transaction.set_rollback(True)
    assert not Delivery.objects.exists()

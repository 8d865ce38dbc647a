import pytest
from django.core import mail
from django.test import Client

from mitxonline.coordinator.deliveries import run_delivery
from mitxonline.kernel import clock
from mitxonline.users.models import User

PASSWORD = "a mosaic of tiles"


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_user("ada@example.org", PASSWORD, name="Ada Lovelace")


@pytest.fixture
def signed_in(client: Client, ada: User) -> Client:
    client.force_login(ada)
    return client


@pytest.fixture
def outbox(monkeypatch: pytest.MonkeyPatch) -> list[mail.EmailMessage]:
    """E-mails, delivered at once instead of through the broker."""

    def deliver(ids: list[int], queue: str) -> None:
        for pk in ids:
            run_delivery(delivery_id=pk, now=clock.now())

    monkeypatch.setattr("mitxonline.coordinator.sending.send_deliveries", deliver)
    mail.outbox.clear()
    return mail.outbox

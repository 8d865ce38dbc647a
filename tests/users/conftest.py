import pytest
from django.core import mail
from django.test import Client

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
    """Mails, sent at once: what the broker would carry is tested with a broker."""
    monkeypatch.setattr("mitxonline.users.mails.send_tasks", lambda name, arguments: 0)
    mail.outbox.clear()
    return mail.outbox

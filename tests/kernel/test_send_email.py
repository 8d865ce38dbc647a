"""Every e-mail of the product leaves through one function."""

from __future__ import annotations

import ast
import logging
from pathlib import Path

import pytest
from django.core.mail import EmailMultiAlternatives
from django.utils import translation
from wagtail.models import ModelLogEntry

from mitxonline.kernel.mail import send_email
from tests.factories import make_user

ROOT = Path(__file__).resolve().parents[2]
SENDERS = {"EmailMessage", "EmailMultiAlternatives", "send_mail", "send_mass_mail", "mail_admins", "mail_managers"}
CONTEXT = {"link": "https://shop.example/", "through": "", "provider": ""}


def test_nothing_else_builds_an_email() -> None:
    found = []
    for app in ("api", "b2b", "cms", "courses", "ecommerce", "frontend", "mitxonline", "reports"):
        for path in sorted((ROOT / app).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("django.core.mail"):
                    found += [path.relative_to(ROOT).as_posix() for alias in node.names if alias.name in SENDERS]
    assert set(found) == {"mitxonline/kernel/mail.py"}


@pytest.mark.django_db
class TestSendEmail:
    def send(self, email: str = "ada@example.com", **more: object) -> None:
        user = make_user(email, name="<b> Lovelace")
        send_email(
            "users/emails/verify_email",
            to=[user.email],
            context=CONTEXT | {"user": user},
            about=user,
            **more,  # type: ignore[arg-type]
        )

    def test_text_and_html_say_the_same_and_only_html_is_escaped(
        self, mailoutbox: list[EmailMultiAlternatives]
    ) -> None:
        self.send()
        (mail,) = mailoutbox
        html, mimetype = mail.alternatives[0]
        assert "Hello <b>," in mail.body
        assert "Hello &lt;b&gt;," in str(html)
        assert mimetype == "text/html"

    def test_robots_are_asked_not_to_answer(self, mailoutbox: list[EmailMultiAlternatives]) -> None:
        self.send()
        assert mailoutbox[0].extra_headers["Auto-Submitted"] == "auto-generated"

    def test_the_readers_language_counts_and_not_the_workers(self, mailoutbox: list[EmailMultiAlternatives]) -> None:
        with translation.override("es"):
            self.send()
            self.send("grace@example.com", language="de")
        languages = [str(mail.alternatives[0][0]).split('<html lang="')[1][:2] for mail in mailoutbox]
        assert languages == ["en", "de"]

    def test_the_record_has_no_address(
        self, mailoutbox: list[EmailMultiAlternatives], caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.INFO, logger="mitxonline.kernel.mail"):
            self.send()
        entry = ModelLogEntry.objects.get(action="email.send")
        assert entry.data == {"subject": mailoutbox[0].subject}
        assert [record.getMessage() for record in caplog.records if record.name == "mitxonline.kernel.mail"] == [
            "e-mail sent"
        ]

"""The shop's mails: a template for each, as text and as HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string


def send_mail(
    name: str, *, subject: str, context: Mapping[str, object], to: Iterable[str], reply_to: Iterable[str] = ()
) -> None:
    """Send one of the mails in ``ecommerce/emails/``, as text and as HTML."""
    mail = EmailMultiAlternatives(
        subject=subject,
        body=render_to_string(f"ecommerce/emails/{name}.txt", dict(context)),
        to=list(to),
        reply_to=list(reply_to),
    )
    mail.attach_alternative(render_to_string(f"ecommerce/emails/{name}.html", dict(context)), "text/html")
    mail.send()

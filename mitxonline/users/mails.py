"""The mails about an account. A page only notes them; the worker sends them."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext as _

from mitxonline.coordinator.bus import publish
from mitxonline.users.events import AccountMailQueued
from mitxonline.users.models import User
from mitxonline.users.next_page import with_next
from mitxonline.users.sso.linking import connections_of
from mitxonline.users.sso.providers import find_provider
from mitxonline.users.verification import make_connect_token, make_token

VERIFY, RESET, KNOWN, NO_PASSWORD = "verify_email", "password_reset", "already_registered", "no_password"
CONNECT = "connect_sign_in"


def queue_mail(kind: str, *, user: User, next_page: str = "", asked: str = "", provider: str = "") -> None:
    """Have a mail sent once this transaction is committed; `next_page` is where its link leads on to.

    A link that connects a provider also needs that one's name, and what was asked for. The mail waits in the database,
    so a broker or a mail server that is away costs the page nothing and the mail some time.
    """
    with transaction.atomic():
        publish(AccountMailQueued(kind=kind, user_id=user.pk, next_page=next_page, asked=asked, provider=provider))


def send_mail(kind: str, *, user_id: int, next_page: str = "", asked: str = "", provider: str = "") -> None:
    """Write and send the mail; to no one if the person is gone or switched off."""
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None:
        return
    known = find_provider(provider)
    context = {
        "user": user,
        "link": _link(kind, user, next_page, asked),
        "through": _ways_in(user),
        "provider": known.title if known else "",
    }
    subject = render_to_string(f"users/emails/{kind}_subject.txt", context)
    mail = EmailMultiAlternatives(
        subject=" ".join(subject.split()),
        body=render_to_string(f"users/emails/{kind}.txt", context),
        to=[user.email],
    )
    mail.attach_alternative(render_to_string(f"users/emails/{kind}.html", context), "text/html")
    mail.send()


def _link(kind: str, user: User, next_page: str, asked: str) -> str:
    if kind == CONNECT:
        return _absolute(reverse("sso_connect_link", args=[make_connect_token(user, asked=asked)]))
    if kind == VERIFY:
        return _absolute(reverse("verify_email", args=[make_token(user)]))
    if kind == RESET:
        uid = urlsafe_base64_encode(force_bytes(user.pk))
        address = reverse("password_reset_confirm", args=[uid, default_token_generator.make_token(user)])
        return _absolute(with_next(address, next_page))
    return _absolute(with_next(reverse("login"), next_page))


def _ways_in(user: User) -> str:
    """Through whom someone without a password signs in."""
    if user.has_usable_password():
        return ""
    names = [each.provider.title for each in connections_of(user) if each.id]
    return _(" or ").join(names)


def _absolute(address: str) -> str:
    return f"{settings.SITE_BASE_URL}{address}"

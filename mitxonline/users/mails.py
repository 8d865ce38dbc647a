"""The e-mails about an account. A page only queues them; the worker sends them."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.db import transaction
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import get_language, override

from mitxonline.coordinator.bus import publish
from mitxonline.kernel.mail import send_email
from mitxonline.kernel.shop import current_shop, current_site_id, use_shop_of_site
from mitxonline.users.events import AccountMailQueued
from mitxonline.users.models import User
from mitxonline.users.next_page import with_next
from mitxonline.users.sso.connections import has_password, name_providers
from mitxonline.users.sso.providers import find_provider
from mitxonline.users.verification import make_connect_token, make_delete_token, make_token

VERIFY, RESET, ALREADY_REGISTERED, NO_PASSWORD = "verify_email", "password_reset", "already_registered", "no_password"
CONNECT = "connect_sign_in"
CHANGE_OLD, CHANGE_NEW, EMAIL_CHANGED = "change_email_old", "change_email_new", "email_changed"
DELETE, ACCOUNT_DELETED = "delete_account", "account_deleted"


def queue_account_email(
    kind: str, *, user: User, next_page: str = "", asked: str = "", provider: str = "", to: str = ""
) -> None:
    """Have the worker send an e-mail after this transaction; its link leads on to ``next_page``.

    ``asked`` and ``provider`` are for the link that connects a provider. The request waits in the database, so the page
    waits neither for the broker nor for the mail server.
    """
    event = AccountMailQueued(
        kind=kind,
        user_id=user.pk,
        next_page=next_page,
        asked=asked,
        provider=provider,
        language=get_language() or "",
        to=to,
        site_id=current_site_id(),
    )
    with transaction.atomic():
        publish(event)


def send_account_email(event: AccountMailQueued) -> None:
    """Send the e-mail, unless the account is gone or deactivated. Sending it twice does no harm."""
    people = User.objects.filter(pk=event.user_id)
    user = (people if event.kind == ACCOUNT_DELETED else people.filter(is_active=True)).first()
    if user is None:
        return
    with use_shop_of_site(event.site_id):
        provider = find_provider(event.provider)
    with override(event.language or settings.LANGUAGE_CODE):
        asks_password = has_password(user)
        providers = "" if asks_password else name_providers(user)
    with use_shop_of_site(event.site_id):
        send_email(
            f"users/emails/{event.kind}",
            to=[event.to or user.email],
            context={
                "user": user,
                "link": _link(event.kind, user, event.next_page, event.asked),
                "through": providers,
                "has_password": asks_password,
                "provider": provider.title if provider else "",
            },
            language=event.language,
            about=user,
        )


def _link(kind: str, user: User, next_page: str, asked: str) -> str:
    if kind == CONNECT:
        path = reverse("sso_connect_link", args=[make_connect_token(user, asked=asked)])
    elif kind == DELETE:
        path = reverse("account_delete_link", args=[make_delete_token(user)])
    elif kind in (CHANGE_OLD, CHANGE_NEW):
        path = reverse("email_change_link", args=[asked])
    elif kind == VERIFY:
        path = reverse("verify_email", args=[make_token(user)])
    elif kind == RESET:
        uid = urlsafe_base64_encode(force_bytes(user.pk))
        reset = reverse("password_reset_confirm", args=[uid, default_token_generator.make_token(user)])
        path = with_next(reset, next_page)
    elif kind == ACCOUNT_DELETED:
        return ""
    else:
        path = with_next(reverse("login"), next_page)
    return f"{current_shop().base_url}{path}"

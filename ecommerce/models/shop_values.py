"""What the values of a site's shop have to be, for the admin and for `create_or_update_site`."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from babel.core import Locale
from django import forms
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import models
from django.utils.translation import gettext as _

from mitxonline.kernel.hosts import is_host, is_loopback, is_placeholder
from mitxonline.kernel.secrets import SecretUnreadable, decrypt, encrypt, is_of_present_key
from mitxonline.kernel.text import split_list
from mitxonline.settings.parts.mail import sender_address

PURPOSE = "shop secret"
MIN_DOMAIN_LABELS = 2


def is_development() -> bool:
    """Whether this installation answers over plain http, as on one’s own machine."""
    return urlsplit(settings.SITE_BASE_URL).scheme != "https"


def validate_address(text: str) -> None:
    """Raise ValidationError unless it is an address with https, or with http where people come by http too."""
    _refuse_placeholder(text)
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - raises for one that can't be
    except ValueError:
        parts = urlsplit("")
    host = parts.hostname or ""
    is_plain = not ("@" in parts.netloc or parts.query or parts.fragment)
    if parts.scheme not in ("https", "http") or not is_host(host) or not is_plain:
        sentence = _("“%(text)s” isn’t an address. Write it like https://lms.your-school.edu.")
        raise ValidationError(sentence % {"text": text})
    if not is_development() and (parts.scheme != "https" or is_loopback(host)):
        raise ValidationError(_("“%(text)s” has to be an https address that other machines reach.") % {"text": text})


def validate_sender(text: str) -> None:
    """Raise ValidationError unless e-mails can come from this: an address, or Name <address>."""
    _refuse_placeholder(text)
    try:
        sender_address(text)
    except ImproperlyConfigured:
        sentence = _("“%(text)s” isn’t a sender. Write an e-mail address, or Name <address>.")
        raise ValidationError(sentence % {"text": text}) from None


def validate_no_placeholder(text: str) -> None:
    _refuse_placeholder(text)


def validate_partner_code(text: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9]{1,8}", text):
        raise ValidationError(_("“%(text)s” isn’t a partner code. It has up to 8 letters and digits.") % {"text": text})


def validate_prefix(text: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9]{1,8}", text):
        raise ValidationError(_("“%(text)s” isn’t a prefix. It has up to 8 letters and digits.") % {"text": text})


def validate_cookie_domain(text: str) -> None:
    _refuse_placeholder(text)
    domain = text.removeprefix(".")
    if not is_host(domain) or domain.count(".") + 1 < MIN_DOMAIN_LABELS:
        sentence = _("“%(text)s” isn’t a domain that sites share, such as your-school.edu.")
        raise ValidationError(sentence % {"text": text})


def validate_currencies(text: str) -> None:
    from_world = set(Locale("en").currencies)
    codes = split_list(text)
    unknown = [code for code in codes if code not in from_world or code.startswith("X")]
    if unknown or len(set(codes)) < len(codes):
        sentence = _("“%(text)s” isn’t a list of currencies. Write codes in capitals with commas, such as USD, EUR.")
        raise ValidationError(sentence % {"text": text})


def _refuse_placeholder(text: str) -> None:
    if is_placeholder(text, in_development=is_development()):
        sentence = _("“%(text)s” is a placeholder from a document. Replace it with your own.")
        raise ValidationError(sentence % {"text": text})


class SecretFormField(forms.CharField):
    """Takes a new secret; never shows the present one. Left empty, it keeps it: the form gives it `stored`."""

    widget = forms.PasswordInput(attrs={"autocomplete": "new-password"})
    stored = ""

    def prepare_value(self, value: Any) -> Any:
        """Say which secret is stored, so that a form notices when it was replaced, without saying what it is."""
        return sha256(value.encode()).hexdigest()[:12] if value else ""

    def clean(self, value: Any) -> str:
        typed = super().clean(value)
        return encrypt(typed, purpose=PURPOSE) if typed else self.stored

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(data)


class SecretField(models.TextField[str, str]):
    """A secret, encrypted: attributes and the database have what `encrypt` made of it."""

    def formfield(self, **kwargs: Any) -> forms.Field:
        options = {name: each for name, each in kwargs.items() if name in ("label", "help_text", "required")}
        return SecretFormField(
            label=options.get("label", self.verbose_name),
            help_text=options.get("help_text", self.help_text),
            required=False,
            max_length=1000,
        )


def seal(secret: str) -> str:
    """Encrypt a secret as a `SecretField` stores it; nothing stays nothing."""
    return encrypt(secret, purpose=PURPOSE) if secret else ""


def unseal(stored: str) -> str:
    """Return a stored secret; nothing where there is none, or where it is of another SECRET_KEY."""
    try:
        return decrypt(stored, purpose=PURPOSE) if stored else ""
    except SecretUnreadable:
        return ""


def is_present(stored: str, secret: str) -> bool:
    """Whether this secret is stored, by the present SECRET_KEY."""
    return bool(stored) and unseal(stored) == secret and is_of_present_key(stored, purpose=PURPOSE)


def is_readable(stored: str) -> bool:
    return not stored or bool(unseal(stored))

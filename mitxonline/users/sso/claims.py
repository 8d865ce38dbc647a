"""What a provider says about a person, brought to a form that can be trusted as far as it goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mitxonline.kernel.addresses import is_email_address
from mitxonline.kernel.text import normalize_email

_LONGEST_NAME = 150


@dataclass(frozen=True, slots=True)
class Identity:
    """Someone at a provider. `issuer` and `subject` name them; address and name may change."""

    provider: str
    issuer: str
    subject: str
    email: str = ""
    is_email_verified: bool = False
    name: str = ""

    @property
    def uid(self) -> str:
        """Issuer and subject in one: an issuer's address has no fragment, so nothing else can read the same."""
        return f"{self.issuer}#{self.subject}"


def issuer_in(uid: str) -> str:
    """Who said it, of what names someone at a provider."""
    return uid.partition("#")[0]


def identity_in(claims: Mapping[str, Any], *, provider: str, issuer: str, subject: str) -> Identity:
    """Read name and address. An address counts as verified only if the provider says so: true, or the text of it.

    Text is what mappers and brokers make of it that were set up with the claim's type as a string.
    """
    email, is_plain = _email(claims.get("email"))
    return Identity(
        provider=provider,
        issuer=issuer,
        subject=subject,
        email=email,
        is_email_verified=bool(email) and is_plain and _is_true(claims.get("email_verified")),
        name=_name(claims),
    )


def _is_true(value: Any) -> bool:
    return value is True or value == "true"


def _email(value: Any) -> tuple[str, bool]:
    """The address as it is compared, and whether that changed no more than case.

    Letters that only look like others are made plain for comparing. What is plain to us need not be the same inbox
    to the provider, so such an address proves nothing.
    """
    if not isinstance(value, str):
        return "", False
    email = normalize_email(value)
    return (email, email == value.strip().lower()) if is_email_address(email) else ("", False)


def _name(claims: Mapping[str, Any]) -> str:
    whole = _text(claims.get("name"))
    return whole or " ".join(filter(None, (_text(claims.get("given_name")), _text(claims.get("family_name")))))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        return ""
    readable = "".join(char if char.isprintable() else " " for char in value)
    return " ".join(readable.split())[:_LONGEST_NAME]

"""Who someone is at a provider, read from its claims as far as these can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mitxonline.kernel.names import NAME_MAX_LENGTH, clean_sent_name
from mitxonline.kernel.people.lines import is_email_address
from mitxonline.kernel.text import decode_domain, normalize_email


@dataclass(frozen=True, slots=True)
class ProviderIdentity:
    """A person at a provider. `issuer` and `subject` name them for good; address and name may change."""

    provider: str
    issuer: str
    subject: str
    email: str = ""
    is_email_verified: bool = False
    name: str = ""

    @property
    def uid(self) -> str:
        # An issuer is a URL without a fragment, so no other pair gives the same text.
        return f"{self.issuer}#{self.subject}"


def issuer_of(uid: str) -> str:
    return uid.partition("#")[0]


def read_identity(claims: Mapping[str, Any], *, provider: str, issuer: str, subject: str) -> ProviderIdentity:
    """Read name and e-mail address.

    An address is verified only if the provider says so: by true, or by the text "true", which mappers and brokers send
    that are set up with a string as the type of the claim.
    """
    email, is_unchanged = _read_email(claims.get("email"))
    verified = claims.get("email_verified")
    full_name = _read_name(claims.get("name"))
    if not full_name:
        parts = (_read_name(claims.get("given_name")), _read_name(claims.get("family_name")))
        full_name = " ".join(filter(None, parts))[:NAME_MAX_LENGTH]
    return ProviderIdentity(
        provider=provider,
        issuer=issuer,
        subject=subject,
        email=email,
        is_email_verified=bool(email) and is_unchanged and (verified is True or verified == "true"),
        name=full_name,
    )


def _read_email(value: Any) -> tuple[str, bool]:
    """Return the normalized address, or an empty one, and whether normalizing changed no more than case.

    Normalizing turns letters that only look like others into those. That need not be the same inbox to the provider,
    so such an address proves nothing.
    """
    if not isinstance(value, str):
        return "", False
    email = normalize_email(value)
    if not is_email_address(email):
        return "", False
    return email, email == decode_domain(value.strip().lower())


def _read_name(value: Any) -> str:
    return clean_sent_name(value) if isinstance(value, str) else ""

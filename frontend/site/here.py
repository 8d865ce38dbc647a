"""A site calls itself through its public address, to learn whether that leads here and what proxies make of it."""

from __future__ import annotations

from dataclasses import dataclass
from secrets import token_hex

from django.core import signing
from django.http import HttpRequest

SALT = "frontend.site.here"
SECONDS = 60  # for so long a question is good


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """What this installation saw of a request: its host, whether it came by TLS, and how many proxies named it."""

    proof: str
    host: str
    is_secure: bool
    proxies: int


def ask() -> str:
    """Return a question that only this installation, by its SECRET_KEY, can ask and answer."""
    return signing.dumps(token_hex(8), salt=SALT)


def answer(question: str, request: HttpRequest) -> SeenRequest | None:
    """Return what was seen, with the proof that it was here; None for a question that isn't ours or is old."""
    try:
        nonce = signing.loads(question, salt=SALT, max_age=SECONDS)
    except signing.BadSignature:
        return None
    forwarded = [each for each in request.headers.get("X-Forwarded-For", "").split(",") if each.strip()]
    return SeenRequest(_prove(nonce), request.get_host(), request.is_secure(), len(forwarded))


def is_proof(proof: object, question: str) -> bool:
    nonce = signing.loads(question, salt=SALT, max_age=2 * SECONDS)
    return isinstance(proof, str) and proof == _prove(nonce)


def _prove(nonce: str) -> str:
    return signing.Signer(salt=f"{SALT}.proof").signature(nonce)

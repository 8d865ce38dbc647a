"""Whether PayPal sent a notice: verified here with PayPal's certificate, or else by asking PayPal.

PayPal signs `<transmission id>|<transmission time>|<webhook id>|<CRC32 of the body>` with the key of a certificate that
the notice names. So everything hangs on the certificate: it has to come from PayPal's own host, be signed down from an
authority this machine trusts, be valid now, and be made out to PayPal.

A notice may be old: PayPal repeats it for three days. A copy of one does no harm, because it is stored once, and what
it says is looked up.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
import zlib
from base64 import b64decode
from binascii import Error as NotBase64
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from django.conf import settings

from ecommerce.gateways.accounts import keys_of
from ecommerce.gateways.base import AVOIDED, NoticeForged, PaymentFailed
from ecommerce.gateways.paypal import client
from mitxonline.kernel import clock

logger = logging.getLogger(__name__)

LIVE_HOSTS = frozenset({"api.paypal.com", "api-m.paypal.com"})
TRIAL_HOSTS = frozenset({"api.sandbox.paypal.com", "api-m.sandbox.paypal.com"})
# A name alone: a client would take %2e%2e/ for the folder above.
_CERTIFICATE = re.compile(r"/v1/notifications/certs/[A-Za-z0-9_-]+")
# To whom the certificate is made out.
LIVE_NAME, TRIAL_NAME = "messageverificationcerts.paypal.com", "messageverificationcerts.sandbox.paypal.com"

ALGORITHM = "SHA256withRSA"
LONGEST_HEADER = 1000
LONGEST_CHAIN = 64 * 1024
MOST_CERTIFICATES = 8


@dataclass(frozen=True, slots=True)
class Transmission:
    """What PayPal sends beside a notice."""

    id: str
    time: str
    signature: str
    certificate_url: str
    algorithm: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate whose chain was verified."""

    key: rsa.RSAPublicKey
    begins: datetime
    ends: datetime


_certificates: dict[str, Certificate] = {}

# How many questions about notices a process asks PayPal in so many seconds. Anyone can post a notice that raises one,
# and buyers wait for the same PayPal. A certificate is asked for once, so PayPal's own notices seldom raise any.
MOST_QUESTIONS, QUESTION_TIME = 60, 60.0
_questions: deque[float] = deque()
_lock = threading.Lock()


def verify(body: bytes, headers: Mapping[str, str], *, account: str) -> None:
    """Return if PayPal sent this body to one of our webhooks. Raises NoticeForged if it didn't.

    Raises PaymentFailed where only PayPal could say, and doesn't answer.
    """
    sent = _read_headers(headers)
    webhooks = _webhooks(account)
    if not _is_object(body):
        raise NoticeForged("not a JSON object")
    if not _is_paypals_address(sent.certificate_url):
        raise NoticeForged("its certificate isn't at PayPal")
    certificate = _certificate(sent.certificate_url, account) if sent.algorithm == ALGORITHM else None
    if certificate is None:
        _ask_paypal(body, sent, webhooks, account=account)
    elif not any(_is_signed(certificate, body, sent, webhook) for webhook in webhooks):
        raise NoticeForged("not signed by PayPal for a webhook of ours")


def forget_certificates() -> None:
    _certificates.clear()
    _questions.clear()


def is_trial() -> bool:
    """Whether payments are made with PayPal's test money."""
    return bool(settings.PAYPAL_TEST_MODE)


def _read_headers(headers: Mapping[str, str]) -> Transmission:
    names = ("ID", "TIME", "SIG")
    values = [headers.get(f"PAYPAL-TRANSMISSION-{name}", "") for name in names]
    values += [headers.get("PAYPAL-CERT-URL", ""), headers.get("PAYPAL-AUTH-ALGO", "")]
    if not all(0 < len(value) <= LONGEST_HEADER for value in values):
        raise NoticeForged("without PayPal's signature")
    return Transmission(*values)


def _webhooks(account: str) -> list[str]:
    try:
        webhooks = list(keys_of(client.NAME, account)["webhook_ids"])
    except PaymentFailed as error:
        raise NoticeForged("no account to verify it for") from error
    if not webhooks:
        raise NoticeForged("no webhook id to verify it with")
    return webhooks


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body.decode()), dict)  # json.loads itself would take other encodings too
    except (RecursionError, ValueError):
        return False


def _is_paypals_address(address: str) -> bool:
    """Whether the certificate is at PayPal, or at what stands for it here (PAYPAL_API_BASE)."""
    try:
        parts, base = urlsplit(address), urlsplit(settings.PAYPAL_API_BASE)
        port, base_port = parts.port, base.port
    except ValueError:
        return False
    if parts.username or parts.password or parts.query or parts.fragment or not _CERTIFICATE.fullmatch(parts.path):
        return False
    hosts = TRIAL_HOSTS if is_trial() else LIVE_HOSTS
    is_paypal = parts.scheme == "https" and parts.hostname in hosts and port in (None, 443)
    return is_paypal or (parts.scheme, parts.hostname, port) == (base.scheme, base.hostname, base_port)


def _certificate(address: str, account: str) -> Certificate | None:
    """Return the verified certificate at this address; None where that can't be settled here.

    Raises NoticeForged where PayPal has none there.
    """
    now = clock.now()
    known = _certificates.get(address)
    if known is not None and known.begins <= now <= known.ends:
        return known
    _count_question()
    try:
        answer = client.fetch(address, account=account)
    except PaymentFailed:
        return None
    if answer.status_code == 404:
        raise NoticeForged("its certificate doesn't exist")
    if answer.status_code != 200 or len(answer.content) > LONGEST_CHAIN:
        return None
    found = _verify_chain(answer.content, now)
    if found is None:
        logger.warning("certificate of a notice not trusted", extra={"gateway": client.NAME})
        return None
    while len(_certificates) >= MOST_CERTIFICATES:
        _certificates.pop(next(iter(_certificates)), None)
    _certificates[address] = found
    return found


def _verify_chain(content: bytes, now: datetime) -> Certificate | None:
    try:
        chain = x509.load_pem_x509_certificates(content)
        name = x509.DNSName(TRIAL_NAME if is_trial() else LIVE_NAME)
        verifier = (
            PolicyBuilder().store(_roots(settings.PAYPAL_CERTIFICATE_ROOTS)).time(now).build_server_verifier(name)
        )
        verifier.verify(chain[0], chain[1:])
    except (ValueError, VerificationError):
        return None
    key = chain[0].public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        return None
    return Certificate(key, chain[0].not_valid_before_utc, chain[0].not_valid_after_utc)


@cache
def _roots(path: str) -> Store:
    return Store(x509.load_pem_x509_certificates(Path(path).read_bytes()))


def _is_signed(certificate: Certificate, body: bytes, sent: Transmission, webhook: str) -> bool:
    message = f"{sent.id}|{sent.time}|{webhook}|{zlib.crc32(body)}".encode()
    try:
        signature = b64decode(sent.signature, validate=True)
        certificate.key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, NotBase64, ValueError):
        return False
    return True


def _count_question() -> None:
    """Raise PaymentFailed where too many were asked lately: the notice is to come again."""
    now = time.monotonic()
    with _lock:
        while _questions and _questions[0] < now - QUESTION_TIME:
            _questions.popleft()
        if len(_questions) >= MOST_QUESTIONS:
            raise PaymentFailed("too many notices that only PayPal could verify", retriable=True, code=AVOIDED)
        _questions.append(now)


def _ask_paypal(body: bytes, sent: Transmission, webhooks: list[str], *, account: str) -> None:
    _count_question()
    for webhook in webhooks:
        asked = {
            "auth_algo": sent.algorithm,
            "cert_url": sent.certificate_url,
            "transmission_id": sent.id,
            "transmission_sig": sent.signature,
            "transmission_time": sent.time,
            "webhook_id": webhook,
        }
        # The notice goes back as it came: written anew, it would have another checksum.
        content = f'{json.dumps(asked)[:-1]}, "webhook_event": {body.decode()}}}'
        answer = client.ask("POST", "/v1/notifications/verify-webhook-signature", account=account, body=content)
        if answer.get("verification_status") == "SUCCESS":
            return
    raise NoticeForged("PayPal says that it didn't send this")

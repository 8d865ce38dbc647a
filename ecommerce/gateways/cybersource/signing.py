"""Signatures of Secure Acceptance: of the form that takes the buyer there, and of the answers that come back.

What is signed are lines “name=value” in the order of a list of names that is part of the message, joined by commas.
Nothing is escaped, so a value with a comma could pass for two fields. Both sides therefore sign the list itself, we
sign no free text, and an answer counts only if what is signed can be read in one way.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from urllib.parse import parse_qsl

from ecommerce.gateways.base import NoticeForged

NAMES, SIGNATURE = "signed_field_names", "signature"
# An answer has about sixty fields.
MAX_FIELDS = 300


def sign_fields(fields: Mapping[str, str], secret: str) -> str:
    """Return the signature of the fields that their list names. Raises KeyError where one of them is missing."""
    return b64encode(hmac.new(secret.encode(), _signed_text(fields).encode(), sha256).digest()).decode()


def sign_form(fields: Mapping[str, str], secret: str) -> dict[str, str]:
    """Return the form's fields with the list of their names and the signature. Every field is signed."""
    complete = {**fields, "unsigned_field_names": "", NAMES: ""}
    complete[NAMES] = ",".join(complete)
    return {**complete, SIGNATURE: sign_fields(complete, secret)}


def read_signed(body: bytes, *, needed: frozenset[str]) -> dict[str, str]:
    """Return the fields that an answer's signature covers; the others can't be trusted and are left out.

    Raises NoticeForged where that isn't its own list and the ``needed`` fields: without them, our own signed form would
    pass for an answer. Raises it too where the signed text has one of the names twice: a buyer who enters
    “x,decision=ACCEPT” as a name could choose which of the two counts.
    """
    fields = _parse(body)
    names = fields.get(NAMES, "").split(",")
    if not {NAMES, *needed}.issubset(names) or len(set(names)) != len(names):
        raise NoticeForged("the signature doesn't cover what an answer says")
    if missing := set(names) - fields.keys():
        raise NoticeForged(f"{len(missing)} of the signed fields are missing")
    text = f",{_signed_text(fields)}"
    if any(text.count(f",{name}=") != 1 for name in names):
        raise NoticeForged("what is signed can be read in two ways")
    return {name: fields[name] for name in names}


def verify(body: bytes, secrets: Sequence[str]) -> None:
    """Raise NoticeForged unless one of the secrets signed the answer."""
    fields = _parse(body)
    given = fields.get(SIGNATURE, "").encode()
    try:
        expected = [sign_fields(fields, secret).encode() for secret in secrets if secret]
    except (KeyError, UnicodeEncodeError) as error:
        raise NoticeForged("signed fields are missing") from error
    if not any(hmac.compare_digest(each, given) for each in expected):
        raise NoticeForged("not signed with a key of ours")


def _signed_text(fields: Mapping[str, str]) -> str:
    return ",".join(f"{name}={fields[name]}" for name in fields[NAMES].split(","))


def _parse(body: bytes) -> dict[str, str]:
    """Return the fields of a posted form. Raises NoticeForged for one that names a field twice."""
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise NoticeForged("not a form") from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise NoticeForged("a field comes twice")
    return fields

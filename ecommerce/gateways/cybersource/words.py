"""CyberSource's words and numbers, in ours."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from ecommerce.enums import Decline, RefundState
from ecommerce.gateways.base import PaymentOutcome
from mitxonline.kernel.money import Money, minor_digits

# What an answer of the payment page decides. ERROR decides nothing: the request may have been carried out.
DECISIONS = {
    "ACCEPT": PaymentOutcome.PAID,
    "REVIEW": PaymentOutcome.PROCESSING,
    "DECLINE": PaymentOutcome.DECLINED,
    "CANCEL": PaymentOutcome.EXPIRED,
    "ERROR": PaymentOutcome.OPEN,
}

# The request wasn't carried out, whatever the decision says: a field was missing or wrong.
NOT_DONE = frozenset({"101", "102"})

# Why a card was declined, by reason code (Secure Acceptance: Reason Codes).
DECLINES = {
    "202": Decline.CARD_EXPIRED,
    "200": Decline.WRONG_DETAILS,  # the address
    "211": Decline.WRONG_DETAILS,  # the security code
    "230": Decline.WRONG_DETAILS,
    "231": Decline.WRONG_DETAILS,
    "240": Decline.WRONG_DETAILS,
    "204": Decline.NO_FUNDS,
    "210": Decline.NO_FUNDS,  # its limit is reached
    "207": Decline.TRY_LATER,
    "236": Decline.TRY_LATER,
    "150": Decline.TRY_LATER,
    "475": Decline.NOT_CONFIRMED,  # 3-D Secure
    "476": Decline.NOT_CONFIRMED,
    "478": Decline.NOT_CONFIRMED,
    "102": Decline.OUR_FAULT,
    "233": Decline.OUR_FAULT,
    "234": Decline.OUR_FAULT,
}

# Anything else is on its way.
REFUND_STATES = {
    "TRANSMITTED": RefundState.SUCCEEDED,
    "SETTLED": RefundState.SUCCEEDED,
    "REFUNDED": RefundState.SUCCEEDED,
    "COMPLETED": RefundState.SUCCEEDED,
    "FAILED": RefundState.FAILED,
    "DECLINED": RefundState.FAILED,
    "REJECTED": RefundState.FAILED,
    "INVALID_REQUEST": RefundState.FAILED,
    "VOIDED": RefundState.CANCELED,
    "REVERSED": RefundState.CANCELED,
    "CANCELLED": RefundState.CANCELED,  # codespell:ignore cancelled
}

CARDS = {
    "001": "Visa",
    "002": "Mastercard",
    "003": "American Express",
    "004": "Discover",
    "005": "Diners Club",
    "006": "Carte Blanche",
    "007": "JCB",
    "014": "EnRoute",
    "021": "JAL",
    "024": "Maestro",
    "031": "Delta",
    "033": "Visa Electron",
    "034": "Dankort",
    "036": "Cartes Bancaires",
    "042": "Maestro",
    "050": "Hipercard",
    "054": "Elo",
    "062": "UnionPay",
}

# The languages of the payment page.
_LANGUAGES = (
    "ar-xn ca-es cs-cz da-dk de-at de-de el-gr en-au en-ca en-gb en-ie en-nz en-us es-ar es-cl es-co es-es es-mx es-pe"
    " es-us fr-ca fr-fr he-il hr-hr hu-hu id-id it-it ja-jp km-kh ko-kr lo-la ms-my nl-nl pl-pl pt-br ru-ru sk-sk sv-se"
    " th-th tl-ph tr-tr vi-vn zh-cn zh-hk zh-mo zh-sg zh-tw"
)
LOCALES = frozenset(_LANGUAGES.split())
# Where a language has several pages, the one for everybody else.
_MAIN = {
    "de": "de-de",
    "en": "en-us",
    "es": "es-es",
    "fr": "fr-fr",
    "zh": "zh-cn",
    "zh-hans": "zh-cn",
    "zh-hant": "zh-tw",
}


def page_locale(language: str) -> str:
    """Return the language of the payment page: the visitor's, a related one, or English."""
    wanted = language.replace("_", "-").lower()
    if wanted in LOCALES:
        return wanted
    base = wanted.partition("-")[0]
    related = (each for each in sorted(LOCALES) if each.startswith(f"{base}-"))
    return _MAIN.get(wanted) or _MAIN.get(base) or next(related, "en-us")


def read_money(amount: object, currency: object) -> Money:
    """Read an amount. Raises ValueError for one that its currency can't have, and for an unknown currency."""
    try:
        exact = Decimal(str(amount))
    except InvalidOperation:
        raise ValueError("not an amount") from None
    money = Money(exact, str(currency))
    if money.amount != exact:
        raise ValueError("an amount its currency can't have")
    return money


def write_amount(money: Money) -> str:
    """Write an amount with the digits of its currency: 249.00, 1500, 12.340."""
    return f"{money.amount:.{minor_digits(money.currency)}f}"


def outcome_of(answer: Mapping[str, str]) -> PaymentOutcome:
    if answer["decision"] == "ERROR" and answer.get("reason_code") in NOT_DONE:
        return PaymentOutcome.DECLINED
    return DECISIONS.get(answer["decision"], PaymentOutcome.UNKNOWN)


def is_done(transaction: Mapping[str, Any], service: str) -> bool:
    """Whether a transaction includes a service (“application”) that succeeded."""
    services = (transaction.get("applicationInformation") or {}).get("applications") or []
    return any(each.get("name") == service and each.get("rFlag") == "SOK" for each in services)


def was_asked(transaction: Mapping[str, Any], service: str) -> bool:
    services = (transaction.get("applicationInformation") or {}).get("applications") or []
    return any(each.get("name") == service for each in services)


def reason_code(transaction: Mapping[str, Any]) -> str:
    return str((transaction.get("applicationInformation") or {}).get("reasonCode") or "")

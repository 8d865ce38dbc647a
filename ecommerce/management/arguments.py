"""Types of command-line arguments."""

from __future__ import annotations

from argparse import ArgumentTypeError
from decimal import Decimal, InvalidOperation

from django.utils.translation import gettext as _

from mitxonline.kernel.text import require_text


def amount(text: str) -> Decimal:
    """Read an amount of money as an argparse type."""
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise ArgumentTypeError(_("“%(text)s” isn’t a number. Write it like 249 or 19.90.") % {"text": text})
    return number


def reason(text: str) -> str:
    """Read the reason of a decision as an argparse type."""
    try:
        return require_text(text)
    except ValueError:
        raise ArgumentTypeError(_("a reason is needed. It is kept in the log.")) from None

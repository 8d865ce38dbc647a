"""A checkout that waits for its buyer to sign in (ADR 0028).

The button was pressed, with our token, on the cart that the visitor saw. What they saw is kept in their own session, so
that the order can be placed after signing in without a second press: once, for that very cart and total, for a while.
No link can start it, because only the press writes the intent.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from django.http import HttpRequest

INTENT_LIFE = timedelta(minutes=30)
_SESSION_KEY = "frontend.checkout_intent"


@dataclass(frozen=True, slots=True)
class CheckoutIntent:
    """What the visitor saw when they pressed the button, as the form says it; ``until`` is a POSIX time."""

    expected_total: str
    seen: str
    until: float
    gateway: str = ""


def keep_intent(request: HttpRequest, *, now: datetime) -> None:
    """Keep the posted form for after signing in; another press replaces it."""
    intent = CheckoutIntent(
        expected_total=request.POST.get("expected_total", ""),
        seen=request.POST.get("seen", ""),
        until=(now + INTENT_LIFE).timestamp(),
        gateway=request.POST.get("gateway", ""),
    )
    request.session[_SESSION_KEY] = asdict(intent)


def take_intent(request: HttpRequest, *, now: datetime) -> CheckoutIntent | None:
    """Return the intent, which is used up by this, unless there is none or it is too old."""
    kept = request.session.pop(_SESSION_KEY, None)
    if kept is None:
        return None
    intent = CheckoutIntent(**kept)
    return intent if now.timestamp() <= intent.until else None


def drop_intent(request: HttpRequest) -> None:
    """Forget the intent: the visitor is back at the cart, and will press the button again."""
    if _SESSION_KEY in request.session:
        del request.session[_SESSION_KEY]

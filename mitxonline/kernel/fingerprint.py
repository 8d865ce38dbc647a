"""Fingerprints of plans: nothing is done that isn't what the person who confirmed it was shown.

A page that asks for confirmation sends the fingerprint of its plan along in the field ``seen``. If the plan has changed
by the time it is confirmed, the fingerprints differ: nothing is done, and the page shows the new plan.
"""

from __future__ import annotations

from hashlib import blake2b

from django.utils.translation import gettext_lazy as _

from mitxonline.kernel.errors import DomainError


class PlanChanged(DomainError):
    """The plan that was confirmed is no longer what would happen."""

    code = "plan_changed"
    message = _("Something changed in the meantime.")
    advice = _("Check what will happen now, then confirm it.")


def fingerprint(*facts: object) -> str:
    """Digest facts by their ``repr``: text, numbers, dates, tuples and dataclasses of these; never a model or a set."""
    return blake2b(repr(facts).encode(), digest_size=16).hexdigest()


def refuse_unless_seen(seen: str, current: str) -> None:
    """Raise PlanChanged unless the fingerprint that was confirmed is the one of the current plan."""
    if seen != current:
        raise PlanChanged

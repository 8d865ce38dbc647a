"""No gateway is named outside its own package, its settings and the table of labels (ADR 0009)."""

from __future__ import annotations

import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
APPS = ["api", "b2b", "cms", "courses", "ecommerce", "frontend", "mitxonline", "reports"]
OWN = re.compile(r"^(ecommerce/gateways/|mitxonline/settings/|[a-z0-9_]+/migrations/)")
NAME = re.compile(
    r"""["'](stripe|paypal|cybersource)["']|\b(STRIPE|PAYPAL|CYBERSOURCE)_|Stripe\b|Pay[Pp]al\b|Cyber[Ss]ource\b"""
    r"|\bimport stripe|check_(stripe|paypal|cybersource)"
)
# The system checks are registered by name, and the log has an example of a remote account.
ALLOWED = {"ecommerce/apps.py": {"check_cybersource", "check_paypal", "check_stripe"}}


def test_no_gateway_is_named_outside_its_package() -> None:
    found = []
    for app in APPS:
        for path in sorted((PROJECT / app).rglob("*")):
            place = path.relative_to(PROJECT).as_posix()
            if path.suffix not in {".py", ".html", ".txt"} or OWN.match(place):
                continue
            for number, line in enumerate(path.read_text().splitlines(), start=1):
                named = NAME.search(line)
                if named and named.group() not in ALLOWED.get(place, set()):
                    found.append(f"{place}:{number}: {line.strip()}")
    assert found == []


def test_the_guard_would_find_a_name() -> None:
    lines = ['if attempt.gateway == "stripe":', "settings.PAYPAL_ACCOUNTS", "At PayPal", "from x import Stripe"]
    assert all(NAME.search(line) for line in lines)
    assert not NAME.search('<rect class="seats-stripe">')

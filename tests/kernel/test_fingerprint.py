import ast
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mitxonline.kernel.fingerprint import PlanChanged, fingerprint, refuse_unless_seen

ROOT = Path(__file__).resolve().parents[2]
# These digest other things: locks, limits, file names, a product's SKU, a notice without an id, a sign-in challenge,
# the key of a token in the cache, trace ids, signatures, keys of requests, of shared pages and of secrets, versions.
OTHER_DIGESTS = {
    "b2b/services/products/runs.py",
    "courses/gateways/openedx/client.py",
    "ecommerce/gateways/cybersource/api.py",
    "ecommerce/gateways/cybersource/signing.py",
    "ecommerce/gateways/paypal/gateway.py",
    "ecommerce/gateways/stripe.py",
    "ecommerce/models/shop_values.py",
    "frontend/site/brand.py",
    "frontend/site/menus.py",
    "mitxonline/kernel/db.py",
    "mitxonline/kernel/fingerprint.py",
    "mitxonline/kernel/ratelimit.py",
    "mitxonline/kernel/secrets.py",
    "mitxonline/kernel/trace.py",
    "mitxonline/kernel/versions.py",
    "mitxonline/shared/code.py",
    "mitxonline/shared/entries.py",
    "mitxonline/shared/questions.py",
    "mitxonline/users/sso/diagnosis.py",
}


def test_equal_facts_have_one_fingerprint_and_others_another() -> None:
    shown = fingerprint(3, ("codes", 12), datetime(2030, 1, 1, tzinfo=UTC))
    assert fingerprint(3, ("codes", 12), datetime(2030, 1, 1, tzinfo=UTC)) == shown
    assert fingerprint(3, ("codes", 13), datetime(2030, 1, 1, tzinfo=UTC)) != shown
    assert fingerprint("a", "b") != fingerprint("ab")


@pytest.mark.parametrize("seen", ["", "0" * 32])
def test_another_plan_is_refused(seen: str) -> None:
    with pytest.raises(PlanChanged):
        refuse_unless_seen(seen, fingerprint("plan"))


def test_plans_are_compared_by_one_mechanism() -> None:
    digesting = set()
    for package in ("api", "b2b", "cms", "courses", "ecommerce", "frontend", "mitxonline", "reports"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ImportFrom | ast.Import):
                    names = [node.module] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names]
                    if "hashlib" in names:
                        digesting.add(path.relative_to(ROOT).as_posix())
    assert digesting <= OTHER_DIGESTS, "use mitxonline.kernel.fingerprint for what a person has seen and confirms"

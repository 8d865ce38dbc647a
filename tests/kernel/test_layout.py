"""The kernel's table of modules, and mechanisms that may exist only once."""

import re
from pathlib import Path

from mitxonline import kernel

ROOT = Path(__file__).resolve().parents[2]


def test_the_table_names_every_module() -> None:
    modules = {path.stem for path in Path(kernel.__file__).parent.glob("*.py")} - {"__init__", "apps"}
    assert modules - set(re.findall(r"\w+", kernel.__doc__ or "")) == set()


def test_only_rate_limits_and_the_breaker_count_in_the_cache() -> None:
    counting = {
        path.relative_to(ROOT).as_posix()
        for package in ("api", "b2b", "cms", "courses", "ecommerce", "frontend", "mitxonline", "reports")
        for path in (ROOT / package).rglob("*.py")
        if "cache.incr(" in path.read_text()
    }
    assert counting == {"mitxonline/kernel/breaker.py", "mitxonline/kernel/ratelimit.py"}

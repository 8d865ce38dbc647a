"""Inconsistencies between orders, codes and uses that no constraint can express."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext as _

from ecommerce.enums import OrderState, UseState
from ecommerce.models import CodeUse, OrderLine
from mitxonline.kernel.db import fetch_sql

# Compares each code's counter with its rows, in one pass over both tables. Unlimited codes have no counter.
MISCOUNTED = """
SELECT code.id, code.uses, coalesce(used.n, 0) FROM ecommerce_discountcode AS code
LEFT JOIN (
    SELECT code_id, count(*) AS n FROM ecommerce_codeuse WHERE state <> 'released' GROUP BY code_id
) AS used ON used.code_id = code.id
WHERE code.max_uses IS NOT NULL AND code.uses <> coalesce(used.n, 0)
ORDER BY code.id
"""


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """One inconsistency: the check that found it, the order or code, and what is wrong."""

    check: str
    subject: str
    detail: str


def find_discrepancies() -> Iterator[Discrepancy]:
    """Find every inconsistency, without locks and without changes."""
    return chain(_orders_without_uses(), _uses_held_for_nothing(), _miscounted_codes())


def _orders_without_uses() -> Iterator[Discrepancy]:
    uses = CodeUse.objects.filter(
        Q(order=OuterRef("order")) | Q(code__discount__unlocks__isnull=False),
        code=OuterRef("code"),
        user=OuterRef("order__purchaser"),
        state__in=(UseState.CONFIRMED, UseState.RETIRED),
    )
    sold = OrderLine.objects.standing().filter(
        order__state__in=(OrderState.FULFILLED, OrderState.PARTIALLY_REFUNDED), takes_use=True
    )
    lines = sold.filter(~Exists(uses)).order_by("order_id", "pk")
    for number, title, code_id in lines.values_list("order__number", "title", "code_id").iterator():
        detail = _("“%(title)s” was sold with code %(code)s, but the order has no use of it.")
        yield Discrepancy("use", number, detail % {"title": title, "code": code_id})


def _uses_held_for_nothing() -> Iterator[Discrepancy]:
    held = CodeUse.objects.filter(state=UseState.HELD).exclude(order__state=OrderState.PENDING).order_by("pk")
    for number, state, code_id in held.values_list("order__number", "order__state", "code_id").iterator():
        detail = _("A use of code %(code)s is still held, but the order is %(state)s.")
        yield Discrepancy("hold", number or "", detail % {"code": code_id, "state": OrderState(state).label})


def _miscounted_codes() -> Iterator[Discrepancy]:
    for code_id, counter, rows in fetch_sql(MISCOUNTED):
        detail = _("The counter says %(counter)d uses, but there are %(rows)d.")
        yield Discrepancy("count", str(code_id), detail % {"counter": counter, "rows": rows})

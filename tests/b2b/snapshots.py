"""Compare a contract's codes before and after a change with what its plan announced."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from b2b.models import ContractPage
from b2b.services.products.targets import CodeChange
from ecommerce.models import DiscountCode
from tests.b2b.worlds import codes_of


@dataclass(frozen=True)
class CodeSnapshot:
    """All codes of a contract at one moment, by primary key."""

    codes: dict[int, DiscountCode]

    @classmethod
    def now(cls, page: ContractPage) -> CodeSnapshot:
        return cls({code.pk: code for code in codes_of(page)})

    @property
    def facts(self) -> dict[int, tuple[object, ...]]:
        return {
            pk: (code.text, code.active, code.max_uses, code.uses, code.assigned_email)
            for pk, code in self.codes.items()
        }

    def what_became(self, after: CodeSnapshot) -> CodeChange:
        """Return the difference; codes switched off for any reason count as one kind."""
        both = [(code, after.codes[pk]) for pk, code in self.codes.items() if pk in after.codes]
        on = sum(not old.active and new.active for old, new in both)
        off = sum(old.active and not new.active for old, new in both)
        were_on = [(old, new) for old, new in both if old.active]
        return CodeChange(
            make=len(after.codes.keys() - self.codes.keys()),
            switch_on=on,
            switch_off=off,
            unlimit=sum(old.max_uses is not None and new.max_uses is None for old, new in were_on),
            limit=sum(old.max_uses is None and new.max_uses is not None for old, new in were_on),
            delete=len(self.codes.keys() - after.codes.keys()),
        )


def as_observed(planned: CodeChange) -> CodeChange:
    return CodeChange(
        make=planned.make,
        switch_on=planned.switch_on,
        switch_off=planned.switch_off + planned.retire + planned.withdraw,
        unlimit=planned.unlimit,
        limit=planned.limit,
        delete=planned.delete,
    )


@contextmanager
def rolled_back() -> Iterator[None]:
    """Roll back what happens inside, so that each Hypothesis example starts afresh."""
    case: Any = transaction.atomic()
    case._from_testcase = True
    with case:
        yield
        transaction.set_rollback(True)

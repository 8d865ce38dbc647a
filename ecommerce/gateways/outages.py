"""Skip an account after several calls in a row failed."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TypeAlias

from ecommerce.gateways.base import AVOIDED, NOT_YET, OUR_KEY, PaymentFailed

logger = logging.getLogger(__name__)

# A gateway's name, and which of our accounts there.
Account: TypeAlias = tuple[str, str]

# After so many failures in a row an account is skipped until the next run.
MAX_FAILURES = 3


class UnresponsiveAccounts:
    """The accounts that stopped answering during one run."""

    def __init__(self) -> None:
        self._failures = Counter[Account]()

    def __contains__(self, account: Account) -> bool:
        return self._failures[account] >= MAX_FAILURES

    def record(self, account: Account, failure: PaymentFailed | None) -> None:
        """Count a call that got no answer. An answer, or a refusal about one payment only, starts the count over."""
        if failure is not None and failure.code == AVOIDED:  # its breaker is open already
            self._failures[account] = MAX_FAILURES
        elif failure is not None and failure.code != NOT_YET and (failure.retriable or failure.code in OUR_KEY):
            self._failures[account] += 1
            if account in self:
                logger.error("gateway doesn't answer", extra={"gateway": account[0]})
        else:
            self._failures[account] = 0

"""Which accounts a sweep leaves alone: a gateway that doesn't answer one payment won't answer the next one."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TypeAlias

from ecommerce.gateways.base import AVOIDED, OUR_KEY, PaymentFailed

logger = logging.getLogger(__name__)

# A gateway, and which of our accounts there.
Account: TypeAlias = tuple[str, str]

# So many silences in a row, then the account is left alone until the next run.
BORNE = 3


class UnresponsiveAccounts:
    """The accounts that have been silent in this run."""

    def __init__(self) -> None:
        self._silences = Counter[Account]()

    def __contains__(self, account: Account) -> bool:
        return self._silences[account] >= BORNE

    def note(self, account: Account, failure: PaymentFailed | None) -> None:
        """Count how asking about one payment went; an answer, or a no about this one, begins anew."""
        if failure is not None and failure.code == AVOIDED:  # the breaker is open: known already
            self._silences[account] = BORNE
        elif failure is not None and (failure.retriable or failure.code in OUR_KEY):
            self._silences[account] += 1
            if account in self:
                logger.error("gateway doesn't answer", extra={"gateway": account[0]})
        else:
            self._silences[account] = 0

"""Claiming a delivery and ending its attempt, each in one statement, or both at once between two receivers."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError, IntegrityError, connection

from mitxonline.coordinator.models import AttemptOutcome, Delivery, DeliveryState
from mitxonline.kernel.db import fetch_sql

# The clocks of two machines differ a little, so a delivery may be claimed this early.
_SKEW = timedelta(seconds=2)
_HOST = socket.gethostname()[:80]

LOST = "worker lost"

# One conditional write: of two workers with the same task, the second finds a row that no longer matches. The attempt
# is opened with it, so that one whose worker is killed is in the history too. `DeliveryQuerySet.due` says what is due;
# a test compares the two.
_CLAIMED = """
    claimed AS (
        UPDATE coordinator_delivery AS delivery
        SET state = 'running', attempts = attempts + 1, lease_until = %(lease)s, sent_at = NULL
        WHERE id = %(id)s
            AND (state = 'pending' AND next_attempt_at <= %(soon)s OR state = 'running' AND lease_until < %(now)s)
            AND attempts < attempts_before_replay + %(most)s
            AND (order_key = '' OR NOT EXISTS (
                SELECT FROM coordinator_delivery AS other
                WHERE other.order_key = delivery.order_key AND other.order_key <> ''
                    AND other.state IN ('pending', 'running', 'dead')
                    AND (other.id < delivery.id OR other.id > delivery.id AND other.state = 'running')
            ))
        RETURNING delivery.*
    ), lost AS (
        UPDATE coordinator_deliveryattempt AS attempt
        SET outcome = 'lost', ended_at = %(now)s, result = %(lost)s, next_attempt_at = %(now)s
        FROM claimed WHERE attempt.delivery_id = claimed.id AND attempt.outcome = 'running'
        RETURNING attempt.id
    ), opened AS (
        INSERT INTO coordinator_deliveryattempt (delivery_id, number, started_at, process, outcome, result)
        SELECT id, attempts, %(now)s, %(process)s, 'running', '' FROM claimed
        WHERE (SELECT count(*) FROM lost) >= 0 -- first that one is closed: a delivery has one open attempt
        ON CONFLICT DO NOTHING
    )
"""

_FIELDS = [field.attname for field in Delivery._meta.concrete_fields]
_COLUMNS = ", ".join(f"claimed.{field.column}" for field in Delivery._meta.concrete_fields)
_CLAIM = f"WITH {_CLAIMED} SELECT {_COLUMNS} FROM claimed"  # noqa: S608 - our own column names
# The functions are in the migration `0006_claims_in_functions`.
_FRESH = "coordinator_claim_fresh(%(id)s, %(now)s, %(soon)s, %(lease)s, %(process)s) AS claimed"
_ENDED = """
    coordinator_end_attempt(%(over)s, %(number)s, %(state)s, %(error)s, %(finished)s, %(next)s, %(outcome)s, %(now)s,
        %(result)s)
"""
_CLAIM_FRESH = f"SELECT {_COLUMNS} FROM {_FRESH}"  # noqa: S608 - our own column names
_END = f"SELECT {_ENDED}"
_END_AND_CLAIM = f"SELECT ended, {_COLUMNS} FROM {_ENDED} AS ended LEFT JOIN {_FRESH} ON true"  # noqa: S608 - the same


@dataclass(frozen=True, slots=True)
class Ending:
    """What came of an attempt."""

    state: DeliveryState
    result: str
    at: datetime
    next_attempt_at: datetime | None = None


def claim_delivery(*, delivery_id: int, now: datetime) -> Delivery | None:
    """Claim a due delivery for `DELIVERY_LEASE` seconds at first, and open its next attempt.

    Return None if it is done, claimed, not due, or not its turn.
    """
    facts = _facts_of_claim(delivery_id, now)
    try:
        rows = fetch_sql(_CLAIM_FRESH, facts) or fetch_sql(_CLAIM, facts)
    except IntegrityError:  # Another one with its order key was claimed at this moment (`delivery_one_at_a_time`).
        return None
    return _read_claim(rows[0]) if rows else None


def end_attempt(delivery: Delivery, ending: Ending) -> bool:
    """Record what came of the delivery's attempt. Return False if its lease was over before."""
    return bool(fetch_sql(_END, _facts_of_end(delivery, ending))[0][0])


def end_attempt_and_claim(delivery: Delivery, ending: Ending, *, next_id: int) -> tuple[bool, Delivery | None]:
    """Record what came of the delivery's attempt, and claim the next one: one trip to the database, and one commit.

    A next one that was tried before, or that may have to wait for its turn, isn't claimed here.
    """
    try:
        row = fetch_sql(_END_AND_CLAIM, _facts_of_end(delivery, ending) | _facts_of_claim(next_id, ending.at))[0]
    except DatabaseError:
        if connection.in_atomic_block or not connection.is_usable():
            raise
        # Two workers ended what the other one claimed: a deadlock.
        return end_attempt(delivery, ending), None
    is_ours, *claim = row
    return bool(is_ours), None if claim[0] is None else _read_claim(claim)


def _facts_of_claim(delivery_id: int, now: datetime) -> dict[str, Any]:
    return {
        "id": delivery_id,
        "now": now,
        "soon": now + _SKEW,
        "lease": now + timedelta(seconds=settings.DELIVERY_LEASE),
        "most": settings.DELIVERY_MAX_ATTEMPTS,
        "process": f"{_HOST}:{os.getpid()}",
        "lost": LOST,
    }


def _facts_of_end(delivery: Delivery, ending: Ending) -> dict[str, Any]:
    is_done = ending.state == DeliveryState.DONE
    return {
        "over": delivery.pk,
        "number": delivery.attempts,
        "state": ending.state.value,
        "error": "" if is_done else ending.result,
        "outcome": (AttemptOutcome.DONE if is_done else AttemptOutcome.FAILED).value,
        "result": ending.result,
        "now": ending.at,
        "finished": None if ending.state == DeliveryState.PENDING else ending.at,
        "next": ending.next_attempt_at,
    }


def _read_claim(row: Sequence[Any]) -> Delivery:
    # As a raw query does it, at a fraction of its cost.
    values = [json.loads(value) if name == "payload" else value for name, value in zip(_FIELDS, row, strict=True)]
    return Delivery.from_db(connection.alias, _FIELDS, values)

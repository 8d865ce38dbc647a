"""The three audits by name."""

from __future__ import annotations

from reports.audits.base import Audit
from reports.audits.enrollments import ENROLLMENTS
from reports.audits.payments import PAYMENTS
from reports.audits.seats import SEATS
from reports.enums import AuditName

AUDITS: dict[AuditName, Audit] = {audit.name: audit for audit in (ENROLLMENTS, PAYMENTS, SEATS)}

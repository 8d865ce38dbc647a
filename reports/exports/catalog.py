"""The reports there are."""

from __future__ import annotations

from reports.exports.base import Report
from reports.exports.codes import Codes
from reports.exports.contracts import Contracts
from reports.exports.enrollments import Enrollments
from reports.exports.purchases import Purchases
from reports.exports.refunds import Refunds
from reports.exports.sales import SalesReport
from reports.exports.summary import Summary

REPORTS: dict[str, Report] = {
    each.slug: each for each in (Purchases(), Refunds(), Summary(), SalesReport(), Codes(), Enrollments(), Contracts())
}

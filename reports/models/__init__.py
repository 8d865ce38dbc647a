"""The tables of audits and reports: what gateways reported, and what was found."""

from reports.models.audit_run import AuditRun
from reports.models.gateway_report import GatewayEntry, GatewayReport
from reports.models.report_job import ReportJob

__all__ = ["AuditRun", "GatewayEntry", "GatewayReport", "ReportJob"]

"""The columns of what operators list."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from b2b.management.printing import Column

ORGANIZATION_COLUMNS = (
    Column("id", _("ID")),
    Column("name", _("Name")),
    Column("slug", _("Slug")),
    Column("key", _("Key")),
    Column("contracts", _("Contracts")),
)

CONTRACT_COLUMNS = (
    Column("id", _("ID")),
    Column("name", _("Name")),
    Column("slug", _("Slug")),
    Column("organization", _("Organization")),
    Column("type", _("Type")),
    Column("start", _("Start")),
    Column("end", _("End")),
    Column("active", _("Active")),
    Column("max_learners", _("Max learners"), _("Unlimited")),
    Column("members", _("Members")),
    Column("price", _("Price"), _("Free")),
)

COURSEWARE_COLUMNS = (
    Column("id", _("ID")),
    Column("contract_id", _("Contract")),
    Column("contract", _("Contract name")),
    Column("type", _("Type")),
    Column("readable_id", _("Readable ID")),
    Column("name", _("Name")),
    Column("start", _("Start")),
    Column("end", _("End")),
    Column("course_site", _("Course site")),
)

LEARNER_COLUMNS = (
    Column("email", _("Email")),
    Column("name", _("Name")),
    Column("contract_id", _("Contract")),
    Column("contract", _("Contract name")),
    Column("source", _("Came by")),
    Column("since", _("Since")),
)

RECONCILE_COLUMNS = (
    Column("contract_id", _("Contract")),
    Column("contract", _("Contract name")),
    Column("state", _("State")),
    Column("requested", _("Requested")),
    Column("by", _("By")),
    Column("reason", _("Reason")),
    Column("seconds", _("Seconds")),
    Column("codes_before", _("Codes before")),
    Column("codes_after", _("Codes after")),
    Column("error", _("Error")),
)

FILE_COLUMNS = (
    Column("contract_id", _("Contract")),
    Column("file", _("File")),
    Column("codes", _("Codes")),
)

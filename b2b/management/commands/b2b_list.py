"""List organizations, contracts, what they cover and who is in them; write a contract's codes into a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from b2b.management import tables
from b2b.management.arguments import contract_id
from b2b.management.progress import LateProgress
from b2b.models import OrganizationPage
from b2b.selectors.codes import write_codes
from b2b.selectors.contracts import (
    contract_rows,
    courseware_rows,
    find_contract,
    is_reconciling,
    learner_rows,
    organization_rows,
    reconcile_rows,
)
from b2b.services.organizations.organizations import find_organization
from mitxonline.kernel.console import Column, OperatorCommand, OperatorParser, add_format_option, write_rows
from mitxonline.kernel.files import refuse_unless_writable, replace_file


class Command(OperatorCommand):
    help = "List organizations, contracts, what they cover and who is in them; write a contract's codes into a file."

    def add_arguments(self, parser: CommandParser) -> None:
        lists = parser.add_subparsers(
            dest="what",
            metavar="organizations|contracts|courseware|learners|reconciles",
            required=True,
            parser_class=OperatorParser,
        )
        organizations = lists.add_parser("organizations", help="list organizations")
        contracts = lists.add_parser("contracts", help="list contracts, or write a contract's codes into a file")
        courses = lists.add_parser("courses", help="like courseware; with --codes like contracts")
        courseware = lists.add_parser("courseware", help="list what contracts cover")
        learners = lists.add_parser("learners", help="list who is in an organization's contracts, or in a contract")
        reconciles = lists.add_parser("reconciles", help="list the updates of contracts, and their results")
        for each in (organizations, contracts, courses, courseware, learners, reconciles):
            each.add_argument("--org", "--organization", dest="organization", help="an id, name, slug or key")
            add_format_option(each)
        for each in (courses, courseware, learners, reconciles):
            each.add_argument("--contract", metavar="CONTRACT_ID", type=contract_id, help="only this contract")
        for each in (contracts, courses):
            each.add_argument(
                "--codes", metavar="CONTRACT_ID", type=contract_id, help="write this contract's codes into a CSV file"
            )
            each.add_argument(
                "--codes-out",
                metavar="FILE",
                help="the file, or - for standard output; codes-<contract id>.csv if not given",
            )
            each.add_argument("--all", action="store_true", help="with the codes that were switched off")

    def handle(self, *args: Any, **options: Any) -> None:
        if options.get("codes") is not None:
            self.write_codes(options)
            return
        for option in ("codes_out", "all"):
            if options.get(option):
                name = option.replace("_", "-")
                raise CommandError(_("--%(option)s needs --codes with a contract's id.") % {"option": name})
        text, contract_id = options["organization"], options.get("contract")
        organization = find_organization(text) if text is not None else None
        if contract_id is not None:
            find_contract(contract_id)  # an empty list would look like an empty contract
        columns, rows = self._list(options["what"], organization, contract_id)
        if not rows:
            self.say(_("There is nothing to list."))
        write_rows(self.stdout, tables.cells(rows, columns), columns=columns, style=options["format"])

    def _list(
        self, what: str, organization: OrganizationPage | None, contract_id: int | None
    ) -> tuple[Sequence[Column], Sequence[object]]:
        if what == "organizations":
            return tables.ORGANIZATIONS, organization_rows(organization_id=organization.pk if organization else None)
        if what == "contracts":
            return tables.CONTRACTS, contract_rows(organization=organization)
        if what == "learners":
            if organization is None and contract_id is None:
                raise CommandError(
                    _("Choose whose learners to list: --org with an organization, or --contract with an id.")
                )
            return tables.LEARNERS, learner_rows(organization=organization, contract_id=contract_id)
        if what == "reconciles":
            return tables.RECONCILES, reconcile_rows(organization=organization, contract_id=contract_id)
        return tables.COURSEWARE, courseware_rows(organization=organization, contract_id=contract_id)

    def write_codes(self, options: Mapping[str, Any]) -> None:
        """Write the contract's codes; an existing file keeps its content until all codes are written."""
        for option in ("organization", "contract"):
            if options.get(option) is not None:
                raise CommandError(_("--codes already names the contract. Leave the other filters out."))
        contract_id = options["codes"]
        find_contract(contract_id)
        if options["codes_out"] == "-":
            write_codes(self.stdout, contract_id=contract_id, everything=options["all"])
            self._warn_of_missing_codes(contract_id)
            return
        path = Path(options["codes_out"] or f"codes-{contract_id}.csv")
        refuse_unless_writable(path)
        with replace_file(path) as file, LateProgress(self.stderr, label=_("Writing codes")) as progress:
            written = write_codes(file, contract_id=contract_id, everything=options["all"], progress=progress)
        self.say(
            ngettext("Wrote %(n)d code to %(file)s.", "Wrote %(n)d codes to %(file)s.", written)
            % {"n": written, "file": path}
        )
        if not written:
            self.say(_("This contract has no codes to hand out."))
        self._warn_of_missing_codes(contract_id)
        row = (contract_id, str(path), written)
        write_rows(self.stdout, [row], columns=tables.FILES, style=options["format"])

    def _warn_of_missing_codes(self, contract_id: int) -> None:
        if is_reconciling(contract_id):
            self.say(_("Warning: the worker is still creating this contract’s codes. Write the file again later."))

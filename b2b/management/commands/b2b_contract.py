"""Create contracts, change them, and say what they cover and who is in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from b2b.management import tables
from b2b.management.acting import acting, add_as_option
from b2b.management.arguments import (
    add_dry_run_option,
    contract_id,
    day,
    integration_type,
    learner_cap,
    name_of,
    price,
    refuse_dates_in_wrong_order,
    refuse_digits,
)
from b2b.management.people import add_file_options, read_addresses, read_membership_changes
from b2b.management.progress import LateProgress
from b2b.models import ContractPage
from b2b.requests import request_reconcile
from b2b.seats import count_seats
from b2b.selectors.contracts import contract_rows, find_contract, terms_in_force
from b2b.services.contracts.checks import Disagreement, check_contracts, fix_contract, fix_orphans
from b2b.services.contracts.contracts import (
    ModifyContract,
    PageChanges,
    WrittenTerms,
    as_rich_text,
    create_contract,
    find_equal_contract,
    modify_contract,
)
from b2b.services.contracts.reconcile import contract_lock, run_reconcile
from b2b.services.contracts.terms_plan import TermsPlan, no_cap_warning, plan_modify_contract
from b2b.services.contracts.wording import PlanLine, summarize
from b2b.services.courseware.courseware import (
    AddCourseware,
    RemoveCourseware,
    add_courseware,
    assigned_codes,
    plan_add_courseware,
    plan_remove_courseware,
    remove_courseware,
)
from b2b.services.courseware.wording import addition_lines, removal_lines
from b2b.services.organizations.organizations import OrganizationRequest, choose_organization, ensure_organization
from b2b.services.organizations.sign_in import leave_without_connection
from b2b.services.seats.bulk import COMING, ChangeMembers, MemberOutcome, change_members, plan_change_members
from b2b.services.seats.moving import MoveMembers, move_members, plan_move_members
from mitxonline.kernel import clock
from mitxonline.kernel.audit import current_origin
from mitxonline.kernel.console import Column, OperatorCommand, OperatorParser, add_format_option, write_rows
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.shop import current_shop
from mitxonline.users.models import User


class Command(OperatorCommand):
    help = "Create contracts, change them, say what they cover and who is in them, and check them."

    actor: User | None = None

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(
            dest="action",
            metavar="create|modify|courseware|members|move|check",
            required=True,
            parser_class=OperatorParser,
        )
        contract_name = name_of(_("The contract"))
        create = actions.add_parser("create", help="create a contract, and its organization if there is none")
        create.add_argument(
            "organization", metavar="ORGANIZATION", type=name_of(_("The organization")), help="the organization's name"
        )
        create.add_argument("name", metavar="NAME", type=contract_name, help="the contract's name")
        create.add_argument("type", metavar="sso|non-sso", type=integration_type, help="how learners join")
        create.add_argument(
            "--create", action="store_true", help="create the organization although a similar name exists"
        )
        create.add_argument(
            "--org-key", default="", help="the new organization's key, which becomes part of course keys"
        )
        _add_terms(create)
        _add_run_options(create)

        modify = actions.add_parser("modify", help="change a contract's terms")
        modify.add_argument("contract", metavar="CONTRACT_ID", type=contract_id)
        _add_terms(modify)
        modify.add_argument("--name", type=contract_name, help="another name; the address in Wagtail stays")
        modify.add_argument(
            "--type", metavar="sso|non-sso", type=integration_type, help="another way for learners to join"
        )
        modify.add_argument("--active", action="store_true", help="switch the contract on")
        modify.add_argument(
            "--inactive", "--delete", dest="inactive", action="store_true", help="switch the contract off"
        )
        modify.add_argument("--no-price", action="store_true", help="make it free for learners")
        modify.add_argument("--no-learner-cap", action="store_true", help="let in any number of learners")
        modify.add_argument("--no-start-date", action="store_true", help="remove the first day; runs keep theirs")
        modify.add_argument("--no-end-date", action="store_true", help="remove the last day; runs keep theirs")
        modify.add_argument("--over-draft", action="store_true", help="go on although someone has unpublished changes")
        _add_run_options(modify)

        courseware = actions.add_parser("courseware", help="add a course, a program or a run, or remove it")
        courseware.add_argument("contract", metavar="CONTRACT_ID", type=contract_id)
        courseware.add_argument("courseware", metavar="COURSEWARE_ID", help="the id of a course, a program or a run")
        courseware.add_argument("--remove", action="store_true", help="remove it, with its runs and unused codes")
        courseware.add_argument("--no-create-runs", action="store_true", help="list the courses without creating runs")
        courseware.add_argument("--rerun", action="store_true", help="create another run, with this year's key")
        courseware.add_argument("--prefix", help="begin the new runs' keys with this instead of the organization's key")
        _add_run_options(courseware)

        members = actions.add_parser("members", help="add many people to a contract, or remove them")
        members.add_argument("contract", metavar="CONTRACT_ID", type=contract_id)
        members.add_argument("--add", nargs="*", metavar="EMAIL", help="give these people a seat")
        members.add_argument("--remove", nargs="*", metavar="EMAIL", help="take these people's seats away")
        members.add_argument(
            "--file",
            metavar="FILE",
            help="a CSV file or workbook with a column “email”; - for standard input",
        )
        add_file_options(members)
        members.add_argument("--reason", default="", help="why, for the records")
        members.add_argument("--skip-unknown", action="store_true", help="go on without those who have no account")
        add_dry_run_option(members)
        add_as_option(members)
        add_format_option(members)

        move = actions.add_parser("move", help="move people to another contract with their courses")
        move.add_argument("contract", metavar="CONTRACT_ID", type=contract_id, help="the contract they leave")
        move.add_argument("target", metavar="TARGET_ID", type=contract_id, help="the contract they join")
        move.add_argument("emails", metavar="EMAIL", nargs="+", help="people who have a seat in the first contract")
        move.add_argument("--reason", default="", help="why, for the records")
        add_dry_run_option(move)
        add_as_option(move)
        add_format_option(move)

        check = actions.add_parser("check", help="find what disagrees with the terms; status 1 if anything does")
        check.add_argument("contract", metavar="CONTRACT_ID", type=contract_id, nargs="?", help="only this contract")
        check.add_argument("--fix", action="store_true", help="fix it")
        check.add_argument("--reset", action="store_true", help="with --fix: also dates and runs changed by hand")
        check.add_argument("--dry-run", action="store_true", help="with --fix: only look, as without it")
        add_as_option(check)
        add_format_option(check)

    def handle(self, *args: Any, **options: Any) -> None:
        actions = {
            "create": self.create,
            "modify": self.modify,
            "courseware": self.courseware,
            "members": self.members,
            "move": self.move,
            "check": self.check_terms,
        }
        action = options["action"]
        with acting(options["acting"], command=f"b2b_contract {action}") as user:
            self.actor = user
            actions[action](options)

    @property
    def by_id(self) -> int | None:
        return self.actor.pk if self.actor is not None else None

    # --- create ------------------------------------------------------------------------------------------------------

    def create(self, options: Mapping[str, Any]) -> None:
        """Create the contract; the same command again finds it."""
        name, currency = options["name"], current_shop().currency
        refuse_dates_in_wrong_order(options["start"], options["end"])
        refuse_digits(options["price"], currency=currency)
        terms = WrittenTerms(
            integration_type=options["type"],
            currency=currency,
            start=options["start"],
            end=options["end"],
            max_learners=options["max_learners"],
            price=options["price"],
            description=options["description"] or "",
        )
        request = OrganizationRequest(options["organization"], create=options["create"], org_key=options["org_key"])
        if options["dry_run"]:
            self._plan_create(request, name, terms, style=options["format"])
            return
        organization, is_new = ensure_organization(request, user=self.actor)
        if is_new:
            self.say(
                _("Made the organization “%(name)s” (id %(id)s, key %(key)s).")
                % {"name": organization.name, "id": organization.pk, "key": organization.org_key}
            )
        now = clock.now()
        created = create_contract(organization_id=organization.pk, name=name, terms=terms, now=now, user=self.actor)
        page = created.page
        if created.is_new:
            self.say(_("Made contract %(id)s, “%(name)s”.") % {"id": page.pk, "name": page.name})
        else:
            self.say(_("Contract %(id)s has these terms already; nothing was made.") % {"id": page.pk})
        self._say_remarks(terms, namesakes=created.namesakes)
        if not options["queue"]:
            run_reconcile(contract_id=page.pk, now=now, reason=current_origin(), requested_by_id=self.by_id)
        self._print(contract_rows(contract_id=page.pk), tables.CONTRACTS, style=options["format"])

    def _plan_create(self, request: OrganizationRequest, name: str, terms: WrittenTerms, *, style: str) -> None:
        organization, key = choose_organization(request)
        lines: list[PlanLine] = []
        equal: ContractPage | None = None
        namesakes: list[int] = []
        if organization is None:
            lines.append(PlanLine("make_organization", title=request.name, note=_("key %(key)s") % {"key": key}))
        else:
            equal, namesakes = find_equal_contract(organization_id=organization.pk, name=name, terms=terms)
        if equal is None:
            lines.append(PlanLine("make_contract", title=name))
        else:
            self.say(_("Contract %(id)s has these terms already; nothing would be made.") % {"id": equal.pk})
        self._say_remarks(terms, namesakes=tuple(pk for pk in namesakes if equal is None or pk != equal.pk))
        self._print_plan(lines, style=style)

    def _say_remarks(self, terms: WrittenTerms, *, namesakes: tuple[int, ...]) -> None:
        if namesakes:
            self.say(_("There is another contract with this name: %(ids)s.") % {"ids": ", ".join(map(str, namesakes))})
        if warning := no_cap_warning(terms.integration_type, terms.max_learners):
            self._warn([warning])

    # --- modify ------------------------------------------------------------------------------------------------------

    def modify(self, options: Mapping[str, Any]) -> None:
        """Publish the contract with other terms, and have runs and codes follow."""
        contract_id = options["contract"]
        page = find_contract(contract_id)
        changes = _changes(options, page)
        now = clock.now()
        request = ModifyContract(contract_id, changes, over_draft=options["over_draft"])
        if options["dry_run"]:
            plan = plan_modify_contract(request, now=now)
            self._say_changes(page, changes, plan)
            for sentence in plan.sentences:
                self.say(sentence)
            self._print_plan(plan.lines, style=options["format"], warnings=plan.warnings)
            return
        with nullcontext() if options["queue"] else contract_lock(contract_id):
            plan = plan_modify_contract(request, now=now)
            if modify_contract(request, now=now, user=self.actor):
                self._say_changes(page, changes, plan)
            else:
                self.say(_("The contract has these terms already."))
            self._follow(contract_id, plan.lines, options, now=now, warnings=plan.warnings)

    def _say_changes(self, page: ContractPage, changes: PageChanges, plan: TermsPlan) -> None:
        if "name" in changes and changes["name"] != page.name:
            self.say(_("name: %(before)s → %(after)s") % {"before": page.name, "after": changes["name"]})
        for change in plan.changes:
            self.say(f"{change.label}: {change.before} → {change.after}")

    # --- courseware --------------------------------------------------------------------------------------------------

    def courseware(self, options: Mapping[str, Any]) -> None:
        """Add something to the contract, or remove it, and have runs and codes follow."""
        contract_id = options["contract"]
        find_contract(contract_id)
        alone = nullcontext() if options["queue"] or options["dry_run"] else contract_lock(contract_id)
        with alone:
            if options["remove"]:
                self._remove(contract_id, options)
            else:
                self._add(contract_id, options)

    def _add(self, contract_id: int, options: Mapping[str, Any]) -> None:
        if options["no_create_runs"] and options["rerun"]:
            raise CommandError(_("--rerun can’t be used with --no-create-runs: it creates a run."))
        now = clock.now()
        request = AddCourseware(
            contract_id,
            options["courseware"],
            create_runs=not options["no_create_runs"],
            rerun=options["rerun"],
            prefix=options["prefix"],
        )
        addition, plan = plan_add_courseware(request, now=now)
        lines = addition_lines(addition, plan)
        warnings = (*addition.warnings, *plan.warnings)
        if options["dry_run"]:
            self._print_plan(lines, style=options["format"], warnings=warnings)
            return
        add_courseware(request, now=now, user_id=self.by_id)
        self._follow(contract_id, lines, options, now=now, warnings=warnings)

    def _remove(self, contract_id: int, options: Mapping[str, Any]) -> None:
        for option in ("no_create_runs", "rerun", "prefix"):
            if options[option]:
                raise CommandError(
                    _("--%(option)s can’t be used with --remove.") % {"option": option.replace("_", "-")}
                )
        now = clock.now()
        request = RemoveCourseware(contract_id, options["courseware"])
        removal, plan = plan_remove_courseware(request, now=now)
        lines = removal_lines(removal, plan, assigned=assigned_codes(removal.runs))
        if options["dry_run"]:
            self._print_plan(lines, style=options["format"])
            return
        remove_courseware(request, now=now, user_id=self.by_id)
        self._follow(contract_id, lines, options, now=now)

    # --- members -----------------------------------------------------------------------------------------------------

    def members(self, options: Mapping[str, Any]) -> None:
        """Give and take seats. All people are checked before anything is written."""
        contract_id = options["contract"]
        find_contract(contract_id)
        changes = read_membership_changes(
            add=options["add"],
            remove=options["remove"],
            file=options["file"],
            column=options["address_column"],
            encoding=options["encoding"],
            say=self.say,
        )
        now = clock.now()
        request = ChangeMembers(contract_id, changes, skip_unknown=options["skip_unknown"])
        plan = plan_change_members(request)
        if plan.with_outcome(*COMING) and not terms_in_force(contract_id).is_valid_on(clock.date_of(now)):
            self.say(_("Warning: the contract isn’t open today, so people with a new seat can’t start a course yet."))
        refusal = plan.refusal
        if refusal is None and not options["dry_run"]:
            with LateProgress(self.stderr, label=_("Seats")) as progress:
                reason = options["reason"].strip() or current_origin()
                plan = change_members(request, reason=reason, now=now, by_id=self.by_id, progress=progress)
            if plan.with_outcome(*COMING, MemberOutcome.LEAVES):
                # People who left or came back change how many codes there should be.
                run_reconcile(contract_id=contract_id, now=now, reason=reason, requested_by_id=self.by_id)
        write_rows(self.stdout, tables.people_cells(plan.rows), columns=tables.PEOPLE, style=options["format"])
        if refusal is not None:
            raise CommandError(str(refusal))
        counts = {
            "coming": len(plan.with_outcome(*COMING)),
            "going": len(plan.with_outcome(MemberOutcome.LEAVES)),
            "skipped": len(plan.with_outcome(MemberOutcome.NO_ACCOUNT)),
        }
        done = (
            _("%(coming)d get a seat, %(going)d lose theirs, %(skipped)d were skipped because they have no account.")
            % counts
        )
        self.say(_("Dry run: nothing was changed. It would be: %s") % done if options["dry_run"] else done)
        seats = count_seats([contract_id])[contract_id]
        self.say(_("Seats now: %(seats)s.") % {"seats": seats.sentence})

    # --- move --------------------------------------------------------------------------------------------------------

    def move(self, options: Mapping[str, Any]) -> None:
        """Move people with their courses, all of them or no one."""
        from_id, to_id = options["contract"], options["target"]
        request, now = MoveMembers(from_id, to_id, read_addresses(options["emails"])), clock.now()
        if options["dry_run"]:
            moves = plan_move_members(request)
        else:
            reason = options["reason"].strip() or current_origin()
            moves = move_members(request, reason=reason, now=now, by_id=self.by_id)
            for contract_id in sorted({from_id, to_id}):
                run_reconcile(contract_id=contract_id, now=now, reason=current_origin(), requested_by_id=self.by_id)
        for move in moves:
            if move.comes_back_by_sign_in:
                self.say(
                    _("Warning: %(email)s will get a seat in contract %(id)s again at the next single sign-on.")
                    % {"email": move.email, "id": from_id}
                )
        write_rows(self.stdout, tables.move_cells(moves), columns=tables.MOVES, style=options["format"])
        done = _("People moved: %(people)d. Courses that go on: %(going)d. Courses that end: %(ending)d.") % {
            "people": len(moves),
            "going": sum(len(move.continuing) for move in moves),
            "ending": sum(len(move.ending) for move in moves),
        }
        self.say(_("Dry run: nothing was changed. It would be: %s") % done if options["dry_run"] else done)

    # --- check -------------------------------------------------------------------------------------------------------

    def check_terms(self, options: Mapping[str, Any]) -> None:
        """List what disagrees with the terms, and fix it with --fix. Exits with status 1 if anything is wrong."""
        if options["reset"] and not options["fix"]:
            raise CommandError(_("--reset needs --fix."))
        contract_id = options["contract"]
        with LateProgress(self.stderr, label=_("Checking")):
            found = check_contracts(now=clock.now(), contract_id=contract_id)
        write_rows(self.stdout, tables.check_cells(found), columns=tables.CHECKS, style=options["format"])
        wanted = [each for each in found if options["reset"] or not each.is_note]
        if options["fix"] and not options["dry_run"] and wanted:
            found = self._fix(wanted, contract_id, reset=options["reset"])
        faults = [each for each in found if not each.is_note]
        if faults:
            raise CommandError(_summarize_faults(faults, fixed=options["fix"] and not options["dry_run"]))
        by_hand = len(found) - len(faults)
        if by_hand:
            self.say(
                ngettext(
                    "Nothing is wrong. %(n)d thing was set by hand and stays.",
                    "Nothing is wrong. %(n)d things were set by hand and stay.",
                    by_hand,
                )
                % {"n": by_hand}
            )
        else:
            self.say(_("Everything agrees with the terms."))

    def _fix(self, found: Sequence[Disagreement], contract_id: int | None, *, reset: bool) -> list[Disagreement]:
        """Fix contract by contract, and return what still disagrees."""
        now = clock.now()
        for pk in sorted({one.contract_id for one in found if one.contract_id is not None}):
            leave_without_connection(contract_id=pk, now=now)
            try:
                fix_contract(contract_id=pk, now=now, by_id=self.by_id, reset=reset)
            except DomainError as refusal:
                # The other contracts are fixed all the same; the check after this lists what is left of this one.
                self.say(_("Contract %(id)s: %(reason)s") % {"id": pk, "reason": str(refusal)})
        if contract_id is None:
            fix_orphans()
        left = check_contracts(now=clock.now(), contract_id=contract_id)
        before = sum(reset or not one.is_note for one in found)
        after = sum(not one.is_note for one in left)
        self.say(_("Fixed: %(n)d of %(total)d.") % {"n": max(before - after, 0), "total": before})
        return left

    # --- shared by the actions ----------------------------------------------------------------------------------------

    def _follow(
        self,
        contract_id: int,
        lines: Sequence[PlanLine],
        options: Mapping[str, Any],
        *,
        now: datetime,
        warnings: Sequence[str] = (),
    ) -> None:
        """Reconcile the contract now, or queue that for the worker, and print what was done."""
        if options["queue"]:
            request_reconcile(contract_id=contract_id, reason=current_origin(), now=now, requested_by_id=self.by_id)
        else:
            with LateProgress(self.stderr, label=_("Updating codes")) as progress:
                run_reconcile(
                    contract_id=contract_id,
                    now=now,
                    progress=progress,
                    reason=current_origin(),
                    requested_by_id=self.by_id,
                )
        self._warn(warnings)
        if options["queue"]:
            self.say(_("Queued for the worker: %(summary)s.") % {"summary": summarize(lines)})
        else:
            self.say(_("Done: %(summary)s.") % {"summary": summarize(lines)})
        self._print_lines(lines, style=options["format"])

    def _warn(self, warnings: Sequence[str]) -> None:
        for warning in dict.fromkeys(warnings):
            self.say(_("Warning: %(text)s") % {"text": warning})

    def _print(self, rows: Sequence[object], columns: Sequence[Column], *, style: str) -> None:
        write_rows(self.stdout, tables.cells(rows, columns), columns=columns, style=style)

    def _print_plan(self, lines: Sequence[PlanLine], *, style: str, warnings: Sequence[str] = ()) -> None:
        self._warn(warnings)
        self.say(_("Dry run: nothing was changed. It would be: %(summary)s.") % {"summary": summarize(lines)})
        self._print_lines(lines, style=style)

    def _print_lines(self, lines: Sequence[PlanLine], *, style: str) -> None:
        if lines or style == "json":
            write_rows(self.stdout, tables.plan_cells(lines, style=style), columns=tables.PLAN, style=style)


def _add_terms(parser: CommandParser) -> None:
    parser.add_argument("--start", metavar="DATE", type=day, help="the first day, like 2025-12-31")
    parser.add_argument("--end", metavar="DATE", type=day, help="the last day; the contract can be used through it")
    parser.add_argument("--max-learners", metavar="N", type=learner_cap, help="how many learners; 0 for any number")
    parser.add_argument(
        "--price", metavar="AMOUNT", type=price, help="what a learner pays for each course; 0 for nothing"
    )
    parser.add_argument("--description", help="a text about the contract")


def _add_run_options(parser: CommandParser) -> None:
    add_dry_run_option(parser)
    parser.add_argument("--queue", action="store_true", help="let the worker create runs and codes")
    add_as_option(parser)
    add_format_option(parser)


def _changes(options: Mapping[str, Any], page: ContractPage) -> PageChanges:
    """Read the changes. The --no-… options win over values, --inactive over --active; a cap or price of 0 is none."""
    changes: PageChanges = {}
    if options["start"] is not None or options["no_start_date"]:
        changes["contract_start"] = None if options["no_start_date"] else options["start"]
    if options["end"] is not None or options["no_end_date"]:
        changes["contract_end"] = None if options["no_end_date"] else options["end"]
    if options["max_learners"] is not None or options["no_learner_cap"]:
        changes["max_learners"] = None if options["no_learner_cap"] else options["max_learners"] or None
    if options["price"] is not None or options["no_price"]:
        refuse_digits(options["price"], currency=page.currency)
        changes["enrollment_fixed_price"] = None if options["no_price"] else options["price"] or None
    if options["description"] is not None:
        changes["description"] = as_rich_text(options["description"])
    if options["type"] is not None:
        changes["integration_type"] = options["type"]
    if options["name"] is not None:
        changes["name"] = changes["title"] = options["name"]
    if options["active"] or options["inactive"]:
        changes["active"] = not options["inactive"]
    refuse_dates_in_wrong_order(
        changes.get("contract_start", page.contract_start), changes.get("contract_end", page.contract_end)
    )
    return changes


def _summarize_faults(faults: Sequence[Disagreement], *, fixed: bool) -> str:
    count = len(faults)
    if fixed:
        sentence = ngettext(
            "%(n)d thing still disagrees with the terms. Look at it again, and at the record on the contract.",
            "%(n)d things still disagree with the terms. Look at them again, and at the record on the contract.",
            count,
        )
    else:
        sentence = ngettext(
            "%(n)d thing disagrees with the terms; --fix fixes it.",
            "%(n)d things disagree with the terms; --fix fixes them.",
            count,
        )
    return sentence % {"n": count}

"""Refund an order from the shell, as the Wagtail admin does."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from ecommerce.enums import EnrollmentAfter, OrderState, RefundState
from ecommerce.management import arguments
from ecommerce.models import Order, OrderLine, Refund
from ecommerce.models.fields import find_amount_problem
from ecommerce.selectors.payments import next_to_refund
from ecommerce.selectors.refund_plan import RefundChoice, RefundPlan, find_free_lines, plan_refund
from ecommerce.services.refunds.refunds import refund_order, undo_free_order
from mitxonline.kernel import clock
from mitxonline.kernel.console import OperatorCommand, add_format_option, write_rows
from mitxonline.kernel.money import Money

# The reference of a refund is made from its arguments, so running the command twice refunds once.
NAMESPACE = uuid.UUID("6f1b1a52-6a0e-4f0b-9a55-3e0f4b7f7a10")
COLUMNS = ("Order", "Course", "Goes back")
OVER = (RefundState.FAILED, RefundState.CANCELED)


class Command(OperatorCommand):
    help = (
        "Refund an order: everything that is left, the price of some of its lines, or an amount. Running it twice "
        "refunds once, unless you add --again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("number", metavar="ORDER", help="the order's number, as on its receipt")
        parser.add_argument(
            "--lines",
            nargs="+",
            metavar="LINE",
            help="only these lines: course keys, SKUs or their numbers on the receipt (1, 2, …)",
        )
        parser.add_argument("--amount", type=arguments.amount, help="only this much, in the currency paid, like 49.90")
        parser.add_argument(
            "--seats",
            type=int,
            metavar="N",
            help="only this many seats of a group; with --lines, if the order has several groups",
        )
        parser.add_argument(
            "--redeemed", action="store_true", help="also take back seats that were redeemed, if too few weren't"
        )
        parser.add_argument(
            "--reason", type=arguments.reason, required=True, help="the reason, kept in the order's log"
        )
        after = parser.add_mutually_exclusive_group(required=True)
        for flag, value, text in (
            ("--unenroll", EnrollmentAfter.REMOVE, "remove the courses, unless the buyer has them some other way"),
            ("--audit", EnrollmentAfter.AUDIT, "let the buyer audit the courses"),
            ("--keep", EnrollmentAfter.KEEP, "leave the courses as they are"),
        ):
            after.add_argument(flag, dest="after", action="store_const", const=value, help=text)
        parser.add_argument("--free-codes", action="store_true", help="codes used for them can be used again")
        parser.add_argument("--again", action="store_true", help="refund the same again")
        parser.add_argument("--dry-run", action="store_true", help="only print what would happen")
        add_format_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        order = Order.objects.filter(number__iexact=options["number"].strip()).first()
        if order is None:
            raise CommandError(_("There is no order %(number)s.") % {"number": options["number"]})
        choice = _read_choice(order, options)
        reference, known = _find_reference(order, choice, again=options["again"])
        free = find_free_lines(order, choice.line_ids) if choice.amount is None and not choice.seats else []
        if known is not None or (not free and _is_over(order, choice)):
            self.say(_describe_earlier_refund(order, known))
            return
        if free:
            self._undo(order, choice, free, is_dry=options["dry_run"], style=options["format"])
            return
        plan = plan_refund(order_id=order.pk, choice=choice)
        write_rows(self.stdout, _rows(plan), columns=COLUMNS, style=options["format"])
        if options["dry_run"]:
            self.say(_describe_plan(plan))
            return
        refund = refund_order(order_id=order.pk, choice=choice, now=clock.now(), by_id=None, reference=reference)
        self._report(refund)

    def _undo(self, order: Order, choice: RefundChoice, lines: list[OrderLine], *, is_dry: bool, style: str) -> None:
        rows = [(order.number, line.item_id, str(line.money)) for line in lines]
        write_rows(self.stdout, rows, columns=COLUMNS, style=style)
        if is_dry:
            self.say(_("Would undo the lines above. Nothing was paid for them. Nothing was changed."))
            return
        undo_free_order(order_id=order.pk, choice=choice, now=clock.now(), by_id=None)
        self.say(_("Undone. Nothing was paid, so there’s nothing to refund."))

    def _report(self, refund: Refund) -> None:
        amount = {"amount": refund.money.formatted()}
        if refund.state == RefundState.FAILED:
            raise CommandError(_("The gateway refused: %(why)s Nothing was refunded.") % {"why": refund.failure})
        if refund.state == RefundState.DIFFERS and refund.reported_money is not None:
            amount |= {"told": refund.reported_money.formatted()}
            raise CommandError(
                _("You requested %(amount)s, but the gateway says that it refunded %(told)s. Check there.") % amount
            )
        if refund.state == RefundState.SUCCEEDED:
            self.say(_("%(amount)s was refunded.") % amount)
        elif refund.state == RefundState.PENDING:
            self.say(_("The refund of %(amount)s is on its way. The courses change once it arrives.") % amount)
        else:
            self.say(_("The gateway hasn’t answered. %(amount)s is set aside, and the worker keeps asking.") % amount)


def _read_choice(order: Order, options: dict[str, Any]) -> RefundChoice:
    amount = None
    if options["amount"] is not None:
        payment = next_to_refund(order.attempts.all())
        currency = order.currency if payment is None else payment.paid_money.currency
        if (problem := find_amount_problem(options["amount"], currency)) is not None:
            raise CommandError(problem)
        amount = Money(options["amount"], currency)
    line_ids = _find_line_ids(order, options["lines"]) if options["lines"] else None
    return RefundChoice(
        reason=options["reason"],
        enrollment_after=options["after"],
        frees_codes=options["free_codes"],
        amount=amount,
        line_ids=line_ids,
        seats=() if options["seats"] is None else ((_find_group(order, line_ids), options["seats"]),),
        takes_redeemed=options["redeemed"],
    )


def _find_group(order: Order, line_ids: tuple[int, ...] | None) -> int:
    """Return the id of the one line for a group, among the chosen ones."""
    groups = order.lines.filter(seats__isnull=False)
    found = list(groups.filter(pk__in=line_ids) if line_ids is not None else groups)
    if len(found) != 1:
        raise CommandError(_("--seats needs exactly one line for a group: choose it with --lines and its number."))
    return found[0].pk


def _find_line_ids(order: Order, names: Sequence[str]) -> tuple[int, ...]:
    lines = list(order.lines.order_by("pk"))
    by_name: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        by_name[str(number)] = line.pk
        for name in {line.item_id, line.sku}:
            # The same course for the buyer and for a group: only the number tells them apart.
            if sum(name in {each.item_id, each.sku} for each in lines) == 1:
                by_name[name] = line.pk
    unknown = [name for name in names if name not in by_name]
    if unknown:
        existing = ", ".join(f"{number}: {line.item_id}" for number, line in enumerate(lines, start=1))
        raise CommandError(
            _("Order %(number)s has no line %(unknown)s. Its lines: %(existing)s.")
            % {"number": order.number, "unknown": ", ".join(unknown), "existing": existing}
        )
    return tuple(sorted({by_name[name] for name in names}))


def _find_reference(order: Order, choice: RefundChoice, *, again: bool) -> tuple[uuid.UUID, Refund | None]:
    """Return the reference of this refund, and the refund that already has it. Failed refunds are tried again."""
    what = (
        f"{order.number}|{choice.line_ids}|{choice.amount}|{choice.enrollment_after}|{choice.frees_codes}"
        f"|{choice.reason}"
    )
    if choice.seats:
        what += f"|{choice.seats}|{choice.takes_redeemed}"
    count = 0
    while True:
        reference = uuid.uuid5(NAMESPACE, f"{what}|{count}")
        known = Refund.objects.filter(reference=reference).first()
        if known is None or not (again or known.state in OVER):
            return reference, known
        count += 1


def _is_over(order: Order, choice: RefundChoice) -> bool:
    """Whether the whole order should be refunded and already was, in whatever way."""
    left = any(not attempt.refundable.is_zero for attempt in order.attempts.all())
    return order.state == OrderState.REFUNDED and choice.amount is None and not left


def _describe_earlier_refund(order: Order, known: Refund | None) -> str:
    if known is None:
        return _("Order %(number)s was already refunded. Nothing is left to refund.") % {"number": order.number}
    return _("This refund already exists: %(amount)s, %(state)s. Add --again to refund the same again.") % {
        "amount": known.money.formatted(),
        "state": str(known.get_state_display()).lower(),
    }


def _rows(plan: RefundPlan) -> list[Sequence[object]]:
    if not plan.is_in_prices:
        return [(plan.order.number, "–", str(plan.amount))]
    return [(plan.order.number, share.line.item_id, str(share.amount)) for share in plan.shares]


def _describe_plan(plan: RefundPlan) -> str:
    return _("Would refund %(amount)s through %(gateway)s. Nothing was changed.") % {
        "amount": plan.amount.formatted(),
        "gateway": plan.attempt.gateway_name,
    }

"""What contracts tell on timelines: seats, hand-outs and their e-mails, sign-ins, withdrawals and updates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Q
from django.urls import reverse
from django.utils.translation import gettext as _

from b2b.enums import JoinState, MailState, MembershipState, ReconcileState, SignInChange
from b2b.models import (
    ContractMembership,
    ContractPage,
    ContractRun,
    HandOut,
    HandOutMail,
    KeycloakJoin,
    Reconcile,
    SeatRequest,
    SignInFact,
    Withdrawal,
)
from courses.models import EnrollmentGrant
from courses.selectors.timeline import tell_grants
from ecommerce.models import CodeUse
from ecommerce.selectors.timeline import CODE, SEE_CONTRACTS, link_code, shorten_code, tell_uses
from mitxonline.kernel import clock
from mitxonline.kernel.timeline import (
    Entry,
    EntryKind,
    EntryLink,
    Scope,
    Source,
    Subject,
    SubjectKind,
    Viewer,
    nest_rows,
    read_moment,
)

IN_CONTRACT = "code__discount__unlocks__contract_run__contract"
_BAD_CHANGES = frozenset({SignInChange.CONTRACT_FULL, SignInChange.WITHDRAWN, SignInChange.FAILED})
_BAD_JOINS = frozenset({JoinState.IMPOSSIBLE, JoinState.REFUSED})


class ContractsSource(Source):
    def find(self, text: str) -> Iterator[Subject]:
        named = Q(name__iexact=text)
        if text.isdecimal() and len(text) < 10:
            named |= Q(pk=int(text))
        yield from map(_subject_of, ContractPage.objects.filter(named).order_by("pk")[:10])

    def get(self, kind: SubjectKind, key: str) -> Subject | None:
        contracts = ContractPage.objects.filter(pk=key) if kind == SubjectKind.CONTRACT and key.isdecimal() else None
        contract = contracts.first() if contracts is not None else None
        return _subject_of(contract) if contract is not None else None

    def may_see(self, subject: Subject, viewer: Viewer) -> bool:
        """Let those read who see codes and members too: their rights to this very page decide."""
        if not viewer.may(SEE_CONTRACTS):
            return False
        contract: ContractPage | None = None
        if subject.kind == SubjectKind.CONTRACT:
            contract = ContractPage.objects.filter(pk=subject.pk).first()
        elif subject.kind == SubjectKind.CODE:
            run = ContractRun.objects.filter(product__unlocked_by__codes=subject.pk).select_related("contract").first()
            contract = run.contract if run is not None else None
        return contract is not None and bool(contract.permissions_for_user(viewer.user).can_edit())

    def tell(self, scope: Scope) -> Iterator[Entry]:
        if scope.is_about(SubjectKind.CONTRACT):
            yield from _tell_contract(scope)
            seats = Q(contract=scope.subject.pk)
            hand_outs = Q(contract_run__contract=scope.subject.pk)
            people = Q(contract=scope.subject.pk)
        elif scope.is_about(SubjectKind.PERSON):
            seats = people = Q(user=scope.subject.pk)
            own = Q(code__code_uses__user=scope.subject.pk, is_shared=False)
            hand_outs = Q(email__in=scope.get("address")) | own
            yield from _tell_joins(scope)
        elif scope.is_about(SubjectKind.CODE):
            seats = Q(code_use__code=scope.subject.pk) | Q(order__in=scope.get("order"))
            hand_outs = Q(code=scope.subject.pk)
            people = Q(pk__in=[])
        elif scope.get("code") or scope.get("order"):
            of_code = Q(code_use__code__in=scope.get("code"))
            of_person = Q(user__in=scope.get("person"))
            seats = of_code & of_person | Q(order__in=scope.get("order"))
            # A shared code was handed out to others too, who have nothing to do with these orders.
            hand_outs = Q(code__in=scope.get("code")) & (Q(is_shared=False) | Q(email__in=scope.get("address")))
            people = Q(pk__in=[])
        else:
            return
        yield from _tell_seats(seats, scope)
        yield from _tell_hand_outs(hand_outs, scope)
        if scope.is_about(SubjectKind.CONTRACT, SubjectKind.PERSON):
            yield from _tell_withdrawals(people, scope)
            yield from _tell_sign_ins(people, scope)


def _subject_of(contract: ContractPage) -> Subject:
    url = reverse("b2b_contracts:terms", args=[contract.pk])
    return Subject(SubjectKind.CONTRACT, str(contract.pk), name=contract.name, url=url)


def _tell_contract(scope: Scope) -> Iterator[Entry]:
    contract_id = scope.subject.pk
    scope.add("contract", [contract_id])
    scope.expect_log(ContractPage, [contract_id])
    scope.expect_event("contract_id", [contract_id])
    scope.expect_event("contract_ids", [contract_id], is_many=True)
    uses = CodeUse.objects.filter(**{IN_CONTRACT: contract_id}).select_related(CODE, "user", "order")
    yield from tell_uses(scope.read(uses, "uses"), scope)
    yield from tell_grants(EnrollmentGrant.objects.filter(enrollment__run__contract_run__contract=contract_id), scope)
    requests = SeatRequest.objects.filter(contract=contract_id).select_related("asked_by", "closed_by")
    for request in scope.read(requests, "requests"):
        scope.expect_event("request_id", [request.pk], event_type="b2b.events.SeatsRequested")
        scope.expect_event("request_id", [request.pk], event_type="b2b.events.SeatRequestClosed")
        yield from _tell_request(request, scope)
    updates = Reconcile.objects.filter(contract=contract_id).select_related("requested_by")
    for update in scope.read(updates, "updates"):
        yield from _tell_update(update, scope)


def _tell_request(request: SeatRequest, scope: Scope) -> Iterator[Entry]:
    said = Entry(
        at=request.asked_at,
        kind=EntryKind.SEAT,
        sentence=_("%(seats)d more seats were asked for.") % {"seats": request.seats},
        details=tuple(filter(None, [request.message])),
        person=scope.viewer.name_person(request.asked_by),
    )
    yield said
    if request.closed_at is not None:
        answer, person = tuple(filter(None, [request.answer])), scope.viewer.name_person(request.closed_by)
        sentence = _("The request for seats was answered.")
        yield replace(said, at=request.closed_at, sentence=sentence, details=answer, person=person)


def _tell_update(update: Reconcile, scope: Scope) -> Iterator[Entry]:
    yield Entry(
        at=update.finished_at or update.requested_at,
        kind=EntryKind.WORK,
        sentence=_("Runs, products and codes followed the terms: %(state)s.") % {"state": update.get_state_display()},
        details=tuple(filter(None, [update.reason, update.error])),
        person=scope.viewer.name_person(update.requested_by),
        is_problem=update.state == ReconcileState.FAILED,
    )


def _contract_links(scope: Scope, contract: Any) -> tuple[EntryLink, ...]:
    if contract is None or scope.is_about(SubjectKind.CONTRACT) or not scope.viewer.may(SEE_CONTRACTS):
        return ()
    return (scope.link(contract.name, SubjectKind.CONTRACT, contract.pk),)


def _tell_seats(wanted: Q, scope: Scope) -> Iterator[Entry]:
    seats = ContractMembership.objects.filter(wanted).select_related("user", "contract", "added_by").distinct()
    for seat in scope.read(seats, "seats"):
        words = {
            "learner": scope.viewer.name_person(seat.user),
            "contract": seat.contract.name,
            "source": seat.get_source_display(),
        }
        sentence = _("%(learner)s took a seat of %(contract)s.")
        if seat.state == MembershipState.HELD:
            sentence = _("A seat of %(contract)s was held for %(learner)s while they pay.")
        yield Entry(
            at=seat.since,
            kind=EntryKind.SEAT,
            sentence=sentence % words,
            details=(_("by: %(source)s") % words,),
            person=scope.viewer.name_person(seat.added_by),
            links=_contract_links(scope, seat.contract),
        )


def _tell_hand_outs(wanted: Q, scope: Scope) -> Iterator[Entry]:
    rows = HandOut.objects.filter(pk__in=HandOut.objects.filter(wanted).values("pk"))
    rows = rows.select_related(CODE, "given_by", "ended_by", "contract_run__contract", "seat_sale").annotate(
        mail_rows=_MAILS
    )
    for row in scope.read(rows, "hand-outs"):
        for mail in row.mail_rows:
            scope.expect_event("mail_ids", [mail["pk"]], is_many=True)
            yield _tell_mail(mail, row, scope)
        address = scope.viewer.show_address(row.email)
        words = {"code": shorten_code(row.code.text) if row.code is not None else "–", "address": address}
        links = _contract_links(scope, row.contract_run.contract if row.contract_run is not None else None)
        links += link_code(scope, row.code)
        said = Entry(
            at=row.given_at,
            kind=EntryKind.CODE,
            sentence=_("The code %(code)s was handed out to %(address)s.") % words,
            person=scope.viewer.name_person(row.given_by),
            links=links,
            trace_id=row.trace_id,
        )
        yield said
        if row.ended_at is not None:
            sentence = _("The hand-out of the code %(code)s to %(address)s was revoked.") % words
            person = scope.viewer.name_person(row.ended_by)
            yield replace(said, at=row.ended_at, sentence=sentence, person=person, trace_id="")


_MAILS = nest_rows(
    HandOutMail.objects.filter(hand_out=OuterRef("pk")),
    pk="pk",
    kind="kind",
    state="state",
    reason="reason",
    queued_at="queued_at",
    claimed_at="claimed_at",
    finished_at="finished_at",
)


def _tell_mail(row: Mapping[str, Any], hand_out: HandOut, scope: Scope) -> Entry:
    claimed_at = read_moment(row["claimed_at"])
    mail = HandOutMail(pk=row["pk"], kind=row["kind"], state=row["state"], claimed_at=claimed_at)
    state = mail.current_state(now=clock.now())
    words = {
        "kind": mail.get_kind_display(),
        "address": scope.viewer.show_address(hand_out.email),
        "state": MailState(state).label,
    }
    sentence = _("%(kind)s to %(address)s: %(state)s.")
    if state == MailState.SENT:
        sentence = _("%(kind)s to %(address)s: the mail server accepted it.")
    return Entry(
        at=read_moment(row["finished_at"]) or claimed_at or datetime.fromisoformat(row["queued_at"]),
        kind=EntryKind.MAIL,
        sentence=sentence % words,
        details=tuple(filter(None, [row["reason"]])),
        is_problem=state in {MailState.FAILED, MailState.UNKNOWN},
    )


def _tell_withdrawals(wanted: Q, scope: Scope) -> Iterator[Entry]:
    scope.said.update({"b2b.seat.withdraw", "b2b.withdrawal.lift"})
    rows = Withdrawal.objects.filter(wanted).select_related("user", "by", "lifted_by", "contract")
    for row in scope.read(rows, "withdrawals"):
        words = {"learner": scope.viewer.name_person(row.user), "contract": row.contract.name}
        said = Entry(
            at=row.at,
            kind=EntryKind.SEAT,
            sentence=_("%(learner)s’s access to %(contract)s was withdrawn.") % words,
            details=tuple(filter(None, [row.reason])),
            person=scope.viewer.name_person(row.by),
            links=_contract_links(scope, row.contract),
            trace_id=row.trace_id,
            is_problem=row.lifted_at is None,
        )
        yield said
        if row.lifted_at is not None:
            sentence = _("%(learner)s may enter %(contract)s again.") % words
            person = scope.viewer.name_person(row.lifted_by)
            yield replace(said, at=row.lifted_at, sentence=sentence, details=(), person=person, trace_id="")


def _tell_sign_ins(wanted: Q, scope: Scope) -> Iterator[Entry]:
    rows = SignInFact.objects.filter(wanted).select_related("user", "organization", "contract")
    for row in scope.read(rows, "sign-ins"):
        about = row.contract or row.organization
        words = {
            "person": scope.viewer.name_person(row.user),
            "change": row.get_change_display(),
            "about": about.name if about is not None else "–",
        }
        yield Entry(
            at=row.at,
            kind=EntryKind.SEAT,
            sentence=_("At a sign-in of %(person)s: %(change)s (%(about)s).") % words,
            details=tuple(filter(None, [row.detail])),
            links=_contract_links(scope, row.contract),
            trace_id=row.trace_id,
            is_problem=row.change in _BAD_CHANGES,
        )


def _tell_joins(scope: Scope) -> Iterator[Entry]:
    rows = KeycloakJoin.objects.filter(user=scope.subject.pk).select_related("organization")
    for row in scope.read(rows, "additions"):
        scope.expect_event("join_id", [row.pk])
        words = {"organization": row.organization.name, "state": row.get_state_display()}
        yield Entry(
            at=row.settled_at or row.asked_at,
            kind=EntryKind.ACCOUNT,
            sentence=_("Added to %(organization)s in Keycloak: %(state)s.") % words,
            is_problem=row.state in _BAD_JOINS,
        )


CONTRACTS = ContractsSource()

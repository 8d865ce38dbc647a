"""Receivers of events about orders, sign-ins and e-mails. Those for orders run in the transaction of the order."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.db.models import F
from django.db.models.functions import Lower
from django.http import HttpRequest
from django.utils.translation import gettext as _
from social_django.models import UserSocialAuth

from b2b.enums import MembershipSource, MembershipState
from b2b.errors.contracts import ContractNotPublished, ContractUnknown
from b2b.events import (
    ExampleRequested,
    HandOutMailsQueued,
    HelperNamed,
    HoldsEnded,
    KeycloakJoinRequested,
    ReconcileRequested,
    SeatRequestClosed,
    SeatsRequested,
)
from b2b.gateways.keycloak import KeycloakGateway
from b2b.models import ContractPage, ContractRun
from b2b.requests import request_reconciles
from b2b.rules import contacts_of
from b2b.seats import (
    activate_held_seats,
    claim_seat,
    end_code_seats,
    join_organizations,
    lock_terms,
    release_held_seats,
    uses_of_order,
)
from b2b.services.contracts.reconcile import run_reconcile
from b2b.services.groups.helpers import email_helper
from b2b.services.groups.lists import end_sharing_of, leave_groups
from b2b.services.handouts.mails import send_example, send_mails
from b2b.services.handouts.revoke import end_hand_outs_of, reopen_hand_outs_of
from b2b.services.organizations.claims import claim_of
from b2b.services.organizations.keycloak_joins import ask_again_for, is_keycloak_configured
from b2b.services.organizations.keycloak_joins import join_in_keycloak as add_in_keycloak
from b2b.services.organizations.leaving import leave_everything, rename_hand_outs
from b2b.services.organizations.sign_in import (
    ClaimChanges,
    confirm_claim,
    follow_claim,
    leave_disconnected,
    note_failure,
)
from b2b.services.seats.redemption import apply_assigned_codes
from b2b.services.seats.requests import email_seat_answer, email_seat_request
from ecommerce.errors.codes import CodeUsed
from ecommerce.events import (
    LinesRefunded,
    LinesRestored,
    LinkBasketClaimed,
    OrderClosed,
    OrderFulfilled,
    OrderInReview,
    RegistrationCodesSwitched,
    SeatsChangedBuyer,
)
from ecommerce.models import Basket, DiscountCode, OrderLine
from mitxonline.coordinator.bus import publish
from mitxonline.kernel import clock
from mitxonline.users.events import AccountClosed, ConnectionUndone
from mitxonline.users.models import User

logger = logging.getLogger(__name__)

SSO_BACKEND = "keycloak"


def reconcile_contract(event: ReconcileRequested) -> None:
    """Reconcile the contract. Raises LockTaken if another worker is doing it, so that the delivery is repeated shortly.

    Creating many codes may hit the time limit; the next attempt continues where this one stopped.
    """
    try:
        run_reconcile(contract_id=event.contract_id, now=clock.now(), wait=False)
    except (ContractNotPublished, ContractUnknown) as refusal:
        # The contract was deleted or unpublished after the request, so a repeated delivery wouldn't help.
        logger.info("nothing to reconcile", extra={"contract": event.contract_id, "reason": refusal.code})


def join_in_keycloak(event: KeycloakJoinRequested) -> None:
    """Add someone who joined by code to their organization in Keycloak; repeated if Keycloak doesn't answer."""
    add_in_keycloak(join_id=event.join_id, keycloak=KeycloakGateway.from_settings(), now=clock.now())


def claim_seats(event: OrderFulfilled | LinesRestored) -> None:
    """Make the buyer a member of the contracts whose codes the order used.

    Held seats become active. A seat whose hold has ended is claimed again under the lock; ContractFull and
    AccessWithdrawn then stop the fulfillment.
    """
    lines = OrderLine.objects.standing().filter(order_id=event.order_id, code__isnull=False)
    runs = ContractRun.objects.filter(product__order_lines__in=lines)
    organizations = dict(runs.values_list("contract_id", "contract__terms__organization_id"))
    if not organizations:
        return
    activated = activate_held_seats(order_id=event.order_id, now=event.at)
    if activated < len(organizations):
        _claim_released_seats(event, list(organizations))
    join_organizations(
        organization_ids=organizations.values(), user_id=event.purchaser_id, source=MembershipSource.CODE, now=event.at
    )


def release_seats(event: OrderClosed | OrderInReview) -> None:
    """Free the seats of an order that was closed or sent to review."""
    runs = ContractRun.objects.filter(
        product__order_lines__order_id=event.order_id, product__order_lines__code__isnull=False
    )
    contract_ids = tuple(sorted(set(runs.values_list("contract_id", flat=True))))
    if contract_ids:
        release_held_seats(order_id=event.order_id)
        # Not requested right here: this transaction may still lock terms for another order, and terms come first in
        # the lock order.
        publish(HoldsEnded(contract_ids=contract_ids))


def follow_ended_holds(event: HoldsEnded) -> None:
    """Request the contracts: above a lowered cap, a code that an order held may now be one too many."""
    request_reconciles(event.contract_ids, reason=_("Checkout ended"), now=clock.now())


def apply_given_codes(event: LinkBasketClaimed) -> None:
    """Apply the codes assigned to a confirmed address to the link basket its owner signed in with."""
    basket, user = Basket.objects.get(pk=event.basket_id), User.objects.get(pk=event.user_id)
    apply_assigned_codes(basket=basket, user=user, now=event.at)


def free_seats_after_refund(event: LinesRefunded) -> None:
    """End the seats whose codes the refund freed; a seat stays as long as one of its codes stays used."""
    runs = ContractRun.objects.filter(product__unlocked_by__codes__in=event.freed_code_ids)
    contract_ids = sorted(set(runs.values_list("contract_id", flat=True)))
    end_code_seats(contract_ids=contract_ids, user_id=event.purchaser_id, now=event.at)


def leave_with_connection(event: ConnectionUndone) -> None:
    """End the memberships and seats someone had only because Keycloak named them."""
    if event.provider == SSO_BACKEND:
        leave_disconnected(user_id=event.user_id, now=event.at)


def leave_with_account(event: AccountClosed) -> None:
    """Free the seats of a deleted account and end its memberships. May refuse the deletion."""
    leave_everything(user_id=event.user_id, email=event.email, now=event.at)
    leave_groups(user_id=event.user_id, email=event.email, now=event.at)


def forget_address(event: AccountClosed) -> None:
    """Take the address of a deleted account off what was handed out to it."""
    rename_hand_outs(user_id=event.user_id, email=event.email, alias=event.alias)


def send_hand_out_mails(event: HandOutMailsQueued) -> None:
    """Send e-mails about codes. Raises MailServerAway if some have to wait, so that the delivery is repeated."""
    send_mails(event.mail_ids)


def tell_helper(event: HelperNamed) -> None:
    """E-mail someone whom a buyer lets hand out codes."""
    email_helper(event)


def email_example(event: ExampleRequested) -> None:
    """E-mail what invited people get to whom a manager names."""
    send_example(event)


def tell_staff_of_seat_request(event: SeatsRequested) -> None:
    """E-mail the people who look after the contract."""
    email_seat_request(event.request_id)


def tell_manager_of_answer(event: SeatRequestClosed) -> None:
    """E-mail the manager who asked for seats."""
    email_seat_answer(event.request_id)


def end_sharing(event: SeatsChangedBuyer) -> None:
    """End what the former buyer of invoiced seats shared: helpers, and the company list."""
    end_sharing_of(event.sale_ids)


def follow_switched_codes(event: RegistrationCodesSwitched) -> None:
    """End what was handed out of codes that are off, and open it again where they come back."""
    if event.is_on:
        reopen_hand_outs_of(event.code_ids)
    else:
        end_hand_outs_of(event.code_ids, by_id=event.by_id, now=event.at)


def _claim_released_seats(event: OrderFulfilled | LinesRestored, contract_ids: list[int]) -> None:
    """Claim the seats whose hold has ended; members keep theirs."""
    terms = lock_terms(contract_ids)
    _refuse_reassigned_codes(event)
    contacts = contacts_of(each.organization_id for each in terms.values())
    uses = uses_of_order(event.order_id)
    codes = DiscountCode.objects.filter(order_lines__order_id=event.order_id).distinct()
    code_ids = list(codes.values_list("pk", flat=True))
    for each in terms.values():
        claim_seat(
            terms=each,
            user_id=event.purchaser_id,
            state=MembershipState.ACTIVE,
            source=MembershipSource.CODE,
            code_ids=code_ids,
            code_use_id=uses.get(each.pk),
            now=event.at,
            contact=contacts.get(each.organization_id, ""),
        )


def _refuse_reassigned_codes(event: OrderFulfilled | LinesRestored) -> None:
    """Raise CodeUsed if a code of the order was assigned to someone else afterwards: it now belongs to them."""
    codes = DiscountCode.objects.filter(
        order_lines__order_id=event.order_id, assigned_at__gt=F("order_lines__order__placed_at")
    )
    if codes.exclude(assigned_email=Lower("order_lines__order__purchaser__email")).exists():
        raise CodeUsed


def follow_organizations(
    *,
    strategy: Any,
    backend: Any,
    user: User | None = None,
    response: Mapping[str, Any] | None = None,
    social: UserSocialAuth | None = None,
    **_kwargs: Any,
) -> None:
    """Sign-in pipeline step: update someone's organizations and seats from Keycloak's claim.

    An error doesn't keep anyone out. They sign in with what they had and see a message, the operator finds the error in
    the log and in the record, and the next sign-in tries again.
    """
    if user is None or backend.name != SSO_BACKEND:
        return
    request, now = strategy.request, clock.now()
    try:
        claim = confirm_claim(user_id=user.pk, claim=claim_of(response), now=now)
        followed = follow_claim(user_id=user.pk, claim=claim, now=now, connection_id=social.pk if social else None)
        if is_keycloak_configured():
            ask_again_for(user_id=user.pk, now=now)
    except Exception as error:
        logger.exception("organizations could not be followed", extra={"user": user.pk})
        note_failure(user_id=user.pk, reason=type(error).__name__, now=now)
        _add_message(
            request,
            messages.WARNING,
            _("You’re signed in, but we couldn’t look up your organizations. Sign in again later to get your seats."),
        )
    else:
        _warn_about_full_contracts(request, followed)


def _warn_about_full_contracts(request: HttpRequest | None, followed: ClaimChanges) -> None:
    if not followed.full_contracts:
        return
    contracts = list(
        ContractPage.objects.filter(pk__in=followed.full_contracts)
        .select_related("terms__organization")
        .order_by("name", "pk")
    )
    contacts = contacts_of(each.terms.organization_id for each in contracts)
    for each in contracts:
        sentence = _(
            "All seats of “%(contract)s” are taken or promised to others, so there isn’t one for you yet. "
            "Ask %(contact)s for a seat."
        )
        contact = contacts.get(each.terms.organization_id) or each.terms.organization.name
        _add_message(request, messages.WARNING, sentence % {"contract": each.name, "contact": contact})


def _add_message(request: HttpRequest | None, level: int, sentence: str) -> None:
    if request is not None:  # a token can be redeemed without a browser
        messages.add_message(request, level, sentence)

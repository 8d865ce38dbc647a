"""What contracts do when they hear of orders, in the transaction of whoever tells them; and of their own mails."""

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
from b2b.events import HandOutMailsQueued, HoldsEnded
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
from b2b.services.handouts.mails import send_mails
from b2b.services.organizations.claims import claim_of
from b2b.services.organizations.keycloak_joins import ask_again_for, may_ask_keycloak
from b2b.services.organizations.sign_in import (
    Followed,
    confirm_claim,
    follow_claim,
    leave_disconnected,
    note_failure,
)
from b2b.services.seats.redemption import apply_assigned_codes
from ecommerce.errors.codes import CodeUsed
from ecommerce.events import LinesRefunded, LinesRestored, LinkBasketClaimed, OrderClosed, OrderFulfilled, OrderInReview
from ecommerce.models import Basket, DiscountCode, OrderLine
from mitxonline.coordinator.bus import publish
from mitxonline.kernel import clock
from mitxonline.users.events import ConnectionUndone
from mitxonline.users.models import User

logger = logging.getLogger(__name__)

SSO_BACKEND = "keycloak"


def claim_seats(event: OrderFulfilled | LinesRestored) -> None:
    """Make the buyer a member of the contracts whose codes the order used.

    A seat that was held becomes theirs. Where the hold was given up meanwhile it is claimed again under the lock, and
    ContractFull, or AccessWithdrawn for someone whose seat was taken away since, stops the fulfillment.
    """
    lines = OrderLine.objects.standing().filter(order_id=event.order_id, code__isnull=False)
    runs = ContractRun.objects.filter(product__order_lines__in=lines)
    organizations = dict(runs.values_list("contract_id", "contract__terms__organization_id"))
    if not organizations:
        return
    activated = activate_held_seats(order_id=event.order_id, now=event.at)
    if activated < len(organizations):
        _claim_again(event, list(organizations))
    join_organizations(
        organization_ids=organizations.values(), user_id=event.purchaser_id, source=MembershipSource.CODE, now=event.at
    )


def release_seats(event: OrderClosed | OrderInReview) -> None:
    """Free the seats that were held for an order that came to nothing, or for which nothing is held any more."""
    runs = ContractRun.objects.filter(
        product__order_lines__order_id=event.order_id, product__order_lines__code__isnull=False
    )
    contract_ids = tuple(sorted(set(runs.values_list("contract_id", flat=True))))
    if contract_ids:
        release_held_seats(order_id=event.order_id)
        # Not asked for here: another order may lock the contracts' terms in this transaction, which come first.
        publish(HoldsEnded(contract_ids=contract_ids))


def follow_ended_holds(event: HoldsEnded) -> None:
    """Have the contracts brought in line: above a lowered cap, a code that an order held is one too many now."""
    request_reconciles(event.contract_ids, reason=_("Checkout ended"), now=clock.now())


def apply_given_codes(event: LinkBasketClaimed) -> None:
    """Apply the codes given to someone's confirmed address to the contract's cart they signed in with."""
    basket, user = Basket.objects.get(pk=event.basket_id), User.objects.get(pk=event.user_id)
    apply_assigned_codes(basket=basket, user=user, now=event.at)


def free_seats_after_refund(event: LinesRefunded) -> None:
    """End the seats whose only code was given back with the money; where codes stay used, seats stay (design 5.3)."""
    runs = ContractRun.objects.filter(product__unlocked_by__codes__in=event.freed_code_ids)
    contract_ids = sorted(set(runs.values_list("contract_id", flat=True)))
    end_code_seats(contract_ids=contract_ids, user_id=event.purchaser_id, now=event.at)


def leave_with_connection(event: ConnectionUndone) -> None:
    """Leave the organizations and give up the seats someone had because Keycloak named them."""
    if event.provider == SSO_BACKEND:
        leave_disconnected(user_id=event.user_id, now=event.at)


def send_hand_out_mails(event: HandOutMailsQueued) -> None:
    """Send the mails about codes. MailServerAway where some have to wait: the delivery comes again shortly."""
    send_mails(event.mail_ids)


def _claim_again(event: OrderFulfilled | LinesRestored, contract_ids: list[int]) -> None:
    """Claim the seats that were not held any more; a member keeps theirs, which only gets stronger."""
    terms = lock_terms(contract_ids)
    _refuse_given_since(event)
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


def _refuse_given_since(event: OrderFulfilled | LinesRestored) -> None:
    """Raise CodeUsed where the order's code was given to someone else after the order: it waits for them by mail."""
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
    """A step of signing in: bring someone's organizations and seats in line with what Keycloak says of them.

    What goes wrong here keeps no one out: they sign in with what they had, are told so, and the operator finds it in
    the log and in the record. It is tried again at the next sign-in.
    """
    if user is None or backend.name != SSO_BACKEND:
        return
    request, now = strategy.request, clock.now()
    try:
        claim = confirm_claim(user_id=user.pk, claim=claim_of(response), now=now)
        followed = follow_claim(user_id=user.pk, claim=claim, now=now, connection_id=social.pk if social else None)
        if may_ask_keycloak():
            ask_again_for(user_id=user.pk, now=now)
    except Exception as error:
        logger.exception("organizations could not be followed", extra={"user": user.pk})
        note_failure(user_id=user.pk, reason=type(error).__name__, now=now)
        _tell(
            request,
            messages.WARNING,
            _("You are signed in, but we could not look up your organizations. Sign in again later to get your seats."),
        )
    else:
        _tell_what_is_full(request, followed)


def _tell_what_is_full(request: HttpRequest | None, followed: Followed) -> None:
    """Say which contracts had no seat, and whom to ask."""
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
            "All seats of “%(contract)s” are taken or kept for others, so there is none for you yet. "
            "Ask %(contact)s for one."
        )
        contact = contacts.get(each.terms.organization_id) or each.terms.organization.name
        _tell(request, messages.WARNING, sentence % {"contract": each.name, "contact": contact})


def _tell(request: HttpRequest | None, level: int, sentence: str) -> None:
    """A message on the next page; where a token is taken without a browser there is no one to tell."""
    if request is not None:
        messages.add_message(request, level, sentence)

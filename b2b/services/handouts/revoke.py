"""Revoke codes that were handed out and not used: the code gets a new text, so the old link stops working.

Callers of the functions that begin with `end` hold the lock of the lot.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from b2b.codes import IN_CONTRACT
from b2b.enums import MailState
from b2b.errors.handouts import CodeNotAssigned, CodeNotRevocable, HandOutUnknown
from b2b.models import ContractTerms, HandOut, HandOutMail
from b2b.requests import request_reconcile
from b2b.selectors.lots import ContractLot, Lot, SaleLot
from b2b.services.handouts.lots import lock_lots, record_in_lot
from ecommerce.models import DiscountCode
from ecommerce.services.discounts.batches import unassign_codes
from ecommerce.services.registration.codes import draw_unused_texts
from mitxonline.kernel.text import normalize_email


def revoke_code(*, code_id: int, by_id: int | None, now: datetime) -> None:
    """Revoke an assigned code that isn't used; raises CodeNotAssigned, CodeNotRevocable."""
    contract_id = DiscountCode.objects.filter(pk=code_id).values_list(IN_CONTRACT, flat=True).first()
    if contract_id is None:
        raise CodeNotAssigned
    if not revoke_codes(ContractLot(contract_id), code_ids=[code_id], by_id=by_id, now=now):
        is_assigned = DiscountCode.objects.filter(pk=code_id).exclude(assigned_email="").exists()
        raise CodeNotRevocable if is_assigned else CodeNotAssigned


def revoke_codes(lot: Lot, *, code_ids: Sequence[int], by_id: int | None, now: datetime) -> int:
    """Revoke those of these codes that are assigned and unused; return how many."""
    with transaction.atomic():
        lock_lots([lot])
        codes = list(lot.codes().filter(pk__in=code_ids).values_list("pk", flat=True))
        # Registration codes have texts that people can type.
        texts = draw_unused_texts(len(codes)) if isinstance(lot, SaleLot) else ()
        revoked = end_codes(codes, texts=texts, by_id=by_id, now=now)
        if revoked:
            record_in_lot(lot, "b2b.code.revoke", by_id=by_id, data={"codes": revoked})
        if revoked and isinstance(lot, ContractLot):
            # Only the assignment kept it active if the cap was lowered or the contract no longer has codes.
            request_reconcile(contract_id=lot.contract_id, reason=_("Code revoked"), now=now, requested_by_id=by_id)
    return len(revoked)


def cancel_invitation(*, hand_out_id: int, by_id: int | None, now: datetime) -> None:
    """Cancel an invitation; raises HandOutUnknown. The shared code still works, because others have it too."""
    contract_id = HandOut.objects.filter(pk=hand_out_id).values_list("contract_run__contract_id", flat=True).first()
    if contract_id is None or not cancel_invitations(
        ContractLot(contract_id), hand_out_ids=[hand_out_id], by_id=by_id, now=now
    ):
        raise HandOutUnknown


def cancel_invitations(lot: Lot, *, hand_out_ids: Sequence[int], by_id: int | None, now: datetime) -> int:
    """Cancel those of these invitations that are open; return how many."""
    with transaction.atomic():
        lock_lots([lot])
        mine = lot.hand_outs().filter(pk__in=hand_out_ids, is_shared=True)
        ended = end_hand_outs(list(mine.values_list("pk", flat=True)), by_id=by_id, now=now)
        if ended:
            record_in_lot(lot, "b2b.invitation.cancel", by_id=by_id, data={"invitations": ended})
    return len(ended)


def take_back(lot: Lot, *, hand_out_ids: Sequence[int], by_id: int | None, now: datetime) -> int:
    """Cancel invitations and revoke unused codes among these hand-outs of the lot; return how many."""
    with transaction.atomic():
        lock_lots([lot])
        mine = lot.hand_outs().filter(pk__in=hand_out_ids, is_shared=False)
        own = list(DiscountCode.objects.filter(hand_outs__in=mine).values_list("pk", flat=True))
        revoked = revoke_codes(lot, code_ids=own, by_id=by_id, now=now) if own else 0
        return revoked + cancel_invitations(lot, hand_out_ids=hand_out_ids, by_id=by_id, now=now)


def end_hand_outs_to(*, terms: ContractTerms, email: str, by_id: int | None, now: datetime) -> int:
    """Revoke every unused code and invitation of this address in the contract; return how many."""
    address = normalize_email(email)
    codes = DiscountCode.objects.filter(assigned_email=address, **{IN_CONTRACT: terms.pk})
    revoked = end_codes(list(codes.values_list("pk", flat=True)), by_id=by_id, now=now)
    invited = HandOut.objects.open().filter(email=address, is_shared=True, contract_run__contract_id=terms.pk)
    return len(revoked) + len(end_hand_outs(list(invited.values_list("pk", flat=True)), by_id=by_id, now=now))


def end_codes(code_ids: Sequence[int], *, texts: Sequence[str] = (), by_id: int | None, now: datetime) -> list[int]:
    """Unassign the unused ones of these codes, give them a new text (one of `texts`), and return their ids."""
    if not code_ids:
        return []
    revoked = unassign_codes(code_ids, texts=texts)
    end_hand_outs_of(revoked, by_id=by_id, now=now)
    return revoked


def end_hand_outs_of(code_ids: Collection[int], *, by_id: int | None, now: datetime) -> None:
    """End the open hand-outs of these codes, which no longer work."""
    hand_outs = HandOut.objects.open().filter(code__in=code_ids, is_shared=False)
    end_hand_outs(list(hand_outs.values_list("pk", flat=True)), by_id=by_id, now=now)


def reopen_hand_outs_of(code_ids: Collection[int]) -> None:
    """Open the hand-outs that ended when these codes were switched off. E-mails that were canceled stay so.

    Codes that were taken back from someone have no address any more, so their hand-outs stay ended.
    """
    mine = HandOut.objects.filter(code__in=code_ids, is_shared=False, email=F("code__assigned_email"))
    newest = mine.order_by("code_id", "-pk").distinct("code_id")
    HandOut.objects.filter(pk__in=list(newest.values_list("pk", flat=True))).update(ended_at=None, ended_by=None)


def end_hand_outs(hand_out_ids: Sequence[int], *, by_id: int | None, now: datetime) -> list[int]:
    """End the open ones of these hand-outs, cancel their queued e-mails, and return their ids."""
    if not hand_out_ids:
        return []
    ended = HandOut.objects.open().filter(pk__in=hand_out_ids)
    ids = sorted(ended.values_list("pk", flat=True))
    HandOut.objects.open().filter(pk__in=ids).update(ended_at=now, ended_by_id=by_id)
    HandOutMail.objects.filter(hand_out__in=ids, state=MailState.QUEUED).update(
        state=MailState.CANCELED, finished_at=now
    )
    return ids

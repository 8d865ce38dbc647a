"""Making and keeping discounts and their codes. Contracts make and keep theirs themselves (b2b).

What is wrong with a draft is found all at once, each problem at its field, before anything is written. Each act is in
the log with who did it.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ecommerce.enums import LIVE_USE_STATES, RedemptionType, UseState
from ecommerce.errors.admin import DiscountRefused
from ecommerce.models import CodeUse, Discount, DiscountCode, DiscountPerson
from ecommerce.selectors.discount_access import DiscountAccess
from ecommerce.services.discounts.discount_checks import CodeWish, DiscountDraft, Problem, problems_of
from mitxonline.kernel import audit
from mitxonline.kernel.errors import Forbidden, NotFound
from mitxonline.kernel.text import normalize_code, normalize_email

# Letters and digits that no one takes for one another.
ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
GROUPS, GROUP = 2, 5
BATCH = 2000

# A discount's use counts: what keeps others out, and what was taken away and stays spent.
COUNTED = (*LIVE_USE_STATES, UseState.RETIRED)


@dataclass(frozen=True, slots=True)
class MadeDiscount:
    """A discount and the codes that were made for it; none for one that applies by itself."""

    discount: Discount
    codes: tuple[DiscountCode, ...]


def make_discount(*, draft: DiscountDraft, wish: CodeWish, access: DiscountAccess, now: datetime) -> MadeDiscount:
    """Make a discount with its codes, all or nothing.

    Raises DiscountRefused with the first problem, Forbidden for someone who may make none.
    """
    if not access.may_make:
        raise Forbidden
    _refuse(problems_of(draft, wish, access=access, now=now))
    with transaction.atomic():
        discount = Discount.objects.create(**_columns(draft), is_bulk=wish.is_bulk, made_by_id=access.user_id)
        _set_products(discount, draft)
        _set_people(discount, draft.people, now)
        codes = _make_codes(discount, wish, max_uses=draft.uses_of_each, access=access, now=now)
        audit.record(discount, "ecommerce.discount.make", by_id=access.user_id, data={"codes": len(codes)})
    return MadeDiscount(discount=discount, codes=tuple(codes))


def find_same(*, draft: DiscountDraft, wish: CodeWish) -> MadeDiscount | None:
    """What the same words made before; None where they made nothing yet, or something else.

    The one code by its text; codes made in number by the discount's name, with as many codes (or the same addresses).
    """
    if wish.text:
        codes = DiscountCode.objects.matching(wish.text).select_related("discount")
    else:
        bulk = Discount.objects.of_the_shop().filter(name=draft.name.strip(), is_bulk=wish.is_bulk)
        first = next((each for each in bulk.order_by("-pk") if _is_same(each, draft)), None)
        codes = DiscountCode.objects.filter(discount=first).order_by("pk") if first else DiscountCode.objects.none()
        if first is not None and draft.automatic:
            return MadeDiscount(discount=first, codes=())
    found = list(codes)
    given = sorted({code.assigned_email for code in found} - {""})
    as_many = len(found) == wish.number and given == sorted({normalize_email(each) for each in wish.addresses})
    if not found or not as_many or not _is_same(found[0].discount, draft):
        return None
    return MadeDiscount(discount=found[0].discount, codes=tuple(found))


def change_discount(*, discount_id: int, draft: DiscountDraft, access: DiscountAccess, now: datetime) -> Discount:
    """Change what a discount takes off, for what, for whom and until when. Orders that were placed keep their price.

    Its type, currency and how often codes can be used stay. Raises DiscountRefused, NotFound for one that isn't theirs.
    """
    with transaction.atomic():
        discount = _lock_discount(discount_id, access)
        kept = {name: getattr(discount, name) for name in KEPT}
        draft = replace(draft, **kept, max_uses=uses_of_each(discount))
        _refuse(problems_of(draft, None, access=access, now=now))
        columns = _columns(draft)
        changed = [name for name in CHANGEABLE if getattr(discount, name) != columns[name]]
        for name in changed:
            setattr(discount, name, columns[name])
        discount.save(update_fields=[*changed, "updated_at"])
        if _set_products(discount, draft):
            changed.append("products")
        if _set_people(discount, draft.people, now):
            changed.append("people")
        if changed:
            audit.record(discount, "ecommerce.discount.change", by_id=access.user_id, data={"fields": changed})
    return discount


def add_codes(*, discount_id: int, wish: CodeWish, access: DiscountAccess, now: datetime) -> list[DiscountCode]:
    """Make more codes for a discount, each to be used as often as its other ones."""
    with transaction.atomic():
        discount = _lock_discount(discount_id, access)
        _refuse(problems_of(draft_of(discount), wish, access=access, now=now, only_codes=True))
        codes = _make_codes(discount, wish, max_uses=uses_of_each(discount), access=access, now=now)
        audit.record(discount, "ecommerce.discount.add_codes", by_id=access.user_id, data={"codes": len(codes)})
    return codes


def pause_discounts(*, discount_ids: Sequence[int], access: DiscountAccess) -> int:
    """Stop discounts from being used, orders that are being paid for apart; how many were in use until now."""
    return _switch(discount_ids, access, to=False, action="ecommerce.discount.pause")


def resume_discounts(*, discount_ids: Sequence[int], access: DiscountAccess) -> int:
    """Let paused discounts be used again, within their dates; how many were paused."""
    return _switch(discount_ids, access, to=True, action="ecommerce.discount.resume")


def extend_discounts(
    *, discount_ids: Sequence[int], until: datetime | None, access: DiscountAccess, now: datetime
) -> int:
    """Give discounts another end, or none; how many have another one now.

    Raises DiscountRefused where the end has passed, or comes before the start of one of them.
    """
    if until is not None and until <= now:
        raise DiscountRefused("expires_at", _("This moment has passed. Pause a discount to stop it at once."))
    with transaction.atomic():
        changed = 0
        for discount in access.to_keep().filter(pk__in=discount_ids).locked():
            if until is not None and discount.activates_at is not None and until <= discount.activates_at:
                sentence = _("“%(name)s” begins later than that.") % {"name": discount}
                raise DiscountRefused("expires_at", sentence)
            if discount.expires_at == until:
                continue
            discount.expires_at = until
            discount.save(update_fields=["expires_at", "updated_at"])
            data = {"until": until.isoformat() if until is not None else None}
            audit.record(discount, "ecommerce.discount.extend", by_id=access.user_id, data=data)
            changed += 1
    return changed


def switch_code(*, code_id: int, active: bool, access: DiscountAccess) -> DiscountCode:
    """Pause or resume one code; the others of its discount go on. Pausing what is paused is no error."""
    with transaction.atomic():
        code = _lock_code(code_id, access)
        if code.active != active:
            code.active = active
            code.save(update_fields=["active"])
            action = "ecommerce.discount.resume" if active else "ecommerce.discount.pause"
            audit.record(code.discount, action, by_id=access.user_id, data={"code": code.pk})
    return code


def limit_code(*, code_id: int, max_uses: int | None, access: DiscountAccess) -> DiscountCode:
    """Say how often a code can be used in all; None takes the limit away.

    An unlimited code has no counter: its uses are counted here, with its row locked against everyone who is about to
    use it (``CLAIM`` waits at the same row). Raises DiscountRefused where it was used more often already.
    """
    with transaction.atomic():
        code = _lock_code(code_id, access)
        if max_uses == code.max_uses:
            return code
        uses = CodeUse.objects.filter(code=code, state__in=COUNTED).count()
        if max_uses is not None and max_uses < max(1, uses):
            raise DiscountRefused("max_uses", _too_low(uses))
        before, code.max_uses, code.uses = code.max_uses, max_uses, uses
        code.save(update_fields=["max_uses", "uses"])
        data = {"code": code.pk, "before": before, "after": max_uses}
        audit.record(code.discount, "ecommerce.discount.limit", by_id=access.user_id, data=data)
    return code


def note_export(*, discount_id: int, access: DiscountAccess) -> None:
    """Write down who takes a discount's codes away in a file; NotFound for one that isn't theirs to see."""
    discount = access.discounts().filter(pk=discount_id).first()
    if discount is None:
        raise NotFound
    audit.record(discount, "ecommerce.discount.export", by_id=access.user_id)


def draft_of(discount: Discount) -> DiscountDraft:
    """A discount as it could have been typed."""
    return DiscountDraft(
        name=discount.name,
        discount_type=discount.discount_type,
        amount=discount.amount,
        currency=discount.currency,
        payment_type=discount.payment_type,
        redemption_type=discount.redemption_type,
        max_uses=uses_of_each(discount),
        activates_at=discount.activates_at,
        expires_at=discount.expires_at,
        for_all_products=discount.for_all_products,
        product_ids=tuple(discount.products.order_by("pk").values_list("pk", flat=True)),
        for_chosen_people=discount.for_chosen_people,
        people=tuple(discount.people.values_list("email", flat=True)),
        automatic=discount.automatic,
        course_id=discount.course_id,
    )


def uses_of_each(discount: Discount) -> int | None:
    """How often each code of a discount can be used in all: as often as the first one that was made."""
    return discount.codes.order_by("pk").values_list("max_uses", flat=True).first()


# What a discount is made with and keeps; a course's in particular stays that course's.
KEPT = ("discount_type", "currency", "redemption_type", "automatic", "course_id")
CHANGEABLE = (
    "name",
    "amount",
    "payment_type",
    "activates_at",
    "expires_at",
    "for_all_products",
    "for_chosen_people",
)


def _is_same(discount: Discount, draft: DiscountDraft) -> bool:
    if discount.unlocks_id is not None:
        return False
    one, other = draft_of(discount), draft
    return replace(one, name="", max_uses=one.uses_of_each, product_ids=(), people=()) == replace(
        other, name="", max_uses=other.uses_of_each, product_ids=(), people=()
    ) and (set(one.product_ids), set(one.people)) == (
        set(other.product_ids),
        {normalize_email(each) for each in other.people},
    )


def _columns(draft: DiscountDraft) -> dict[str, object]:
    return {
        "name": draft.name.strip(),
        "discount_type": draft.discount_type,
        "amount": Decimal(draft.amount),
        "currency": draft.currency,
        "redemption_type": RedemptionType.UNLIMITED if draft.automatic else draft.redemption_type,
        "payment_type": draft.payment_type,
        "activates_at": draft.activates_at,
        "expires_at": draft.expires_at,
        "automatic": draft.automatic,
        "for_all_products": draft.for_all_products,
        "for_chosen_people": draft.for_chosen_people,
        "course_id": draft.course_id,
    }


def _set_products(discount: Discount, draft: DiscountDraft) -> bool:
    wanted = set() if draft.for_all_products else set(draft.product_ids)
    if wanted == set(discount.products.values_list("pk", flat=True)):
        return False
    discount.products.set(sorted(wanted))
    return True


def _set_people(discount: Discount, people: Sequence[str], now: datetime) -> bool:
    wanted = {normalize_email(email) for email in people}
    before = set(discount.people.values_list("email", flat=True))
    if wanted == before:
        return False
    discount.people.filter(email__in=before - wanted).delete()
    DiscountPerson.objects.bulk_create(
        [DiscountPerson(discount=discount, email=email, added_at=now) for email in sorted(wanted - before)]
    )
    return True


def _make_codes(
    discount: Discount, wish: CodeWish, *, max_uses: int | None, access: DiscountAccess, now: datetime
) -> list[DiscountCode]:
    if wish.text:
        return _one_code(discount, wish.text.strip(), max_uses)
    addresses = list(dict.fromkeys(normalize_email(address) for address in wish.addresses)) or [""] * wish.count
    texts = _free_texts(len(addresses), wish.prefix)
    return DiscountCode.objects.bulk_create(
        [
            DiscountCode(
                discount=discount,
                text=text,
                max_uses=max_uses,
                assigned_email=address,
                assigned_at=now if address else None,
                assigned_by_id=access.user_id if address else None,
            )
            for text, address in zip(texts, addresses, strict=True)
        ],
        batch_size=BATCH,
    )


def _free_texts(number: int, prefix: str) -> list[str]:
    """So many texts that no code has yet."""
    free: dict[str, str] = {}
    while len(free) < number:
        fresh = {normalize_code(text): text for text in (random_code(prefix) for _each in range(number - len(free)))}
        taken = set(DiscountCode.objects.filter(normalized__in=fresh).values_list("normalized", flat=True))
        free |= {key: text for key, text in fresh.items() if key not in taken}
    return list(free.values())


def _one_code(discount: Discount, text: str, max_uses: int | None) -> list[DiscountCode]:
    try:
        with transaction.atomic():
            return [DiscountCode.objects.create(discount=discount, text=text, max_uses=max_uses)]
    except IntegrityError as error:  # someone made the same in this moment
        raise DiscountRefused(
            "code", _("This code exists already (capitals, blanks and dashes don’t count).")
        ) from error


def random_code(prefix: str = "") -> str:
    """A code no one guesses (more than 10^14 of them), in groups that can be read aloud."""
    groups = ["".join(secrets.choice(ALPHABET) for _each in range(GROUP)) for _group in range(GROUPS)]
    return "-".join([*([prefix.strip("-").upper()] if prefix else []), *groups])


def _switch(discount_ids: Sequence[int], access: DiscountAccess, *, to: bool, action: str) -> int:
    with transaction.atomic():
        switched = list(access.to_keep().filter(pk__in=discount_ids, is_active=not to).locked())
        for discount in switched:
            discount.is_active = to
            discount.save(update_fields=["is_active", "updated_at"])
            audit.record(discount, action, by_id=access.user_id)
    return len(switched)


def _lock_discount(discount_id: int, access: DiscountAccess) -> Discount:
    discount = access.to_keep().filter(pk=discount_id).locked().first()
    if discount is None:
        raise NotFound
    return discount


def _lock_code(code_id: int, access: DiscountAccess) -> DiscountCode:
    """A code, locked with its key: whoever inserts a use of it waits too."""
    codes = DiscountCode.objects.select_for_update(of=("self",)).select_related("discount")
    code = codes.filter(pk=code_id, discount__in=access.to_keep()).first()
    if code is None:
        raise NotFound
    return code


def _refuse(problems: Sequence[Problem]) -> None:
    for problem in problems:
        raise DiscountRefused(problem.field, problem.sentence)


def _too_low(uses: int) -> str:
    if uses < 1:
        return _("A code can be used once at the least. Pause it to stop it.")
    return ngettext(
        "It has been used %(uses)d time already, so the limit can’t be lower.",
        "It has been used %(uses)d times already, so the limit can’t be lower.",
        uses,
    ) % {"uses": uses}

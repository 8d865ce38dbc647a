"""Create and change discounts and their codes. Contracts manage their own (b2b).

A draft is validated as a whole before anything is written, and every action goes to the log with who did it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ecommerce.enums import LIVE_USE_STATES, UseState
from ecommerce.errors.admin import DiscountRefused, DiscountShared
from ecommerce.models import CodeUse, Discount, DiscountCode, DiscountPerson
from ecommerce.models.discount import CODE_EXISTS, validate_max_uses
from ecommerce.selectors.discount_access import DiscountAccess
from ecommerce.services.discounts.validation import DiscountDraft, NewCodes, validate_codes, validate_discount
from mitxonline.kernel import audit
from mitxonline.kernel.errors import Forbidden, NotFound
from mitxonline.kernel.text import normalize_code, normalize_email

# No letters and digits that people mistake for one another.
ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
GROUPS, GROUP = 2, 5
BATCH = 2000

# A retired use still counts: its course was taken away, but its code stays used.
COUNTED = (*LIVE_USE_STATES, UseState.RETIRED)


@dataclass(frozen=True, slots=True)
class CreatedDiscount:
    """A discount with its new codes; one that applies automatically has none."""

    discount: Discount
    codes: tuple[DiscountCode, ...]


def create_discount(*, draft: DiscountDraft, codes: NewCodes, access: DiscountAccess, now: datetime) -> CreatedDiscount:
    """Create a discount with its codes, all or nothing.

    Raises DiscountRefused with the first problem, Forbidden for users who may not create any.
    """
    if not access.may_make:
        raise Forbidden
    with refuse_invalid():
        validate_discount(draft, codes, access=access, now=now)
    with transaction.atomic():
        discount = Discount.objects.create(**draft.columns(), is_bulk=codes.is_bulk, made_by_id=access.user_id)
        _set_products(discount, draft)
        _set_people(discount, draft.people, now)
        created = _create_codes(discount, codes, max_uses=draft.uses_per_code, access=access, now=now)
        audit.record(discount, "ecommerce.discount.make", by_id=access.user_id, data={"codes": len(created)})
    return CreatedDiscount(discount=discount, codes=tuple(created))


def find_identical(*, draft: DiscountDraft, codes: NewCodes) -> CreatedDiscount | None:
    """Find what the same command created before; None if there is nothing, or something else under that name.

    A single code is found by its text, codes in bulk by the discount's name and their number or addresses.
    """
    if codes.text:
        rows = DiscountCode.objects.matching(codes.text).select_related("discount")
    else:
        discounts = Discount.objects.of_the_shop().filter(name=draft.name.strip(), is_bulk=codes.is_bulk)
        discount = next((each for each in discounts.order_by("-pk") if _is_identical(each, draft)), None)
        if discount is None:
            return None
        if draft.automatic:
            return CreatedDiscount(discount=discount, codes=())
        rows = discount.codes.order_by("pk")
    found = list(rows)
    addresses = sorted({code.assigned_email for code in found} - {""})
    has_same_codes = len(found) == codes.total and addresses == sorted({normalize_email(e) for e in codes.addresses})
    if not found or not has_same_codes or not _is_identical(found[0].discount, draft):
        return None
    return CreatedDiscount(discount=found[0].discount, codes=tuple(found))


def change_discount(*, discount_id: int, draft: DiscountDraft, access: DiscountAccess, now: datetime) -> Discount:
    """Change what a discount takes off, for what, for whom and when. Orders already placed keep their price.

    Its type, its currency and how often its codes can be used never change. Raises DiscountRefused, and NotFound for
    a discount that isn't the user's.
    """
    with transaction.atomic():
        return _change(_lock_discount(discount_id, access), draft, access=access, now=now)


def amend_discount(
    *, discount_id: int, amend: Callable[[DiscountDraft], DiscountDraft], access: DiscountAccess, now: datetime
) -> Discount:
    """Change a discount that has one code or none, from what it is under its lock.

    Raises DiscountShared if it has several codes, and what `change_discount` raises.
    """
    with transaction.atomic():
        discount = _lock_discount(discount_id, access)
        before = draft_of(discount)
        after = amend(before)
        if after == before:
            return discount
        if (count := discount.codes.count()) > 1:
            raise DiscountShared(count=count)
        return _change(discount, after, access=access, now=now)


def add_codes(*, discount_id: int, codes: NewCodes, access: DiscountAccess, now: datetime) -> list[DiscountCode]:
    """Create more codes for a discount. Each can be used as often as its other codes."""
    with transaction.atomic():
        discount = _lock_discount(discount_id, access)
        with refuse_invalid():
            validate_codes(draft_of(discount), codes, access=access)
        created = _create_codes(discount, codes, max_uses=uses_per_code(discount), access=access, now=now)
        audit.record(discount, "ecommerce.discount.add_codes", by_id=access.user_id, data={"codes": len(created)})
    return created


def pause_discounts(*, discount_ids: Sequence[int], access: DiscountAccess) -> int:
    """Pause discounts, except for orders in payment. Return how many were active."""
    return _switch(discount_ids, access, to=False, action="ecommerce.discount.pause")


def resume_discounts(*, discount_ids: Sequence[int], access: DiscountAccess) -> int:
    """Let paused discounts be used again, within their dates. Return how many were paused."""
    return _switch(discount_ids, access, to=True, action="ecommerce.discount.resume")


def extend_discounts(
    *, discount_ids: Sequence[int], until: datetime | None, access: DiscountAccess, now: datetime
) -> int:
    """Change when discounts end; None is no end. Return how many changed.

    Raises DiscountRefused if the end has passed, or comes before the start of one of them.
    """
    if until is not None and until <= now:
        raise DiscountRefused(field="expires_at", sentence=_("This time has passed. Pause a discount to stop it now."))
    with transaction.atomic():
        changed = 0
        for discount in access.manageable().filter(pk__in=discount_ids).locked():
            if until is not None and discount.activates_at is not None and until <= discount.activates_at:
                sentence = _("“%(name)s” starts later than that.") % {"name": discount}
                raise DiscountRefused(field="expires_at", sentence=sentence)
            if discount.expires_at == until:
                continue
            discount.expires_at = until
            discount.save(update_fields=["expires_at", "updated_at"])
            data = {"until": until.isoformat() if until is not None else None}
            audit.record(discount, "ecommerce.discount.extend", by_id=access.user_id, data=data)
            changed += 1
    return changed


def switch_code(*, code_id: int, active: bool, access: DiscountAccess) -> DiscountCode:
    """Pause or resume one code of a discount. Pausing a paused code does nothing."""
    with transaction.atomic():
        code = _lock_code(code_id, access)
        if code.active != active:
            code.active = active
            code.save(update_fields=["active"])
            action = "ecommerce.discount.resume" if active else "ecommerce.discount.pause"
            audit.record(code.discount, action, by_id=access.user_id, data={"code": code.pk})
    return code


def limit_code(*, code_id: int, max_uses: int | None, access: DiscountAccess) -> DiscountCode:
    """Limit how often a code can be used in total; None removes the limit.

    Raises DiscountRefused if it was already used more often.
    """
    with transaction.atomic():
        code = _lock_code(code_id, access)
        if max_uses == code.max_uses:
            return code
        # An unlimited code has no counter. Counting its uses is safe because everyone who uses it waits for its row
        # (`CLAIM` in codes.py), which is locked here.
        uses = CodeUse.objects.filter(code=code, state__in=COUNTED).count()
        if max_uses is not None:
            with refuse_invalid("max_uses"):
                validate_max_uses(max_uses)
            if max_uses < uses:
                sentence = ngettext(
                    "It has already been used %(uses)d time, so the limit can’t be lower.",
                    "It has already been used %(uses)d times, so the limit can’t be lower.",
                    uses,
                )
                raise DiscountRefused(field="max_uses", sentence=sentence % {"uses": uses})
        before, code.max_uses, code.uses = code.max_uses, max_uses, uses
        code.save(update_fields=["max_uses", "uses"])
        data = {"code": code.pk, "before": before, "after": max_uses}
        audit.record(code.discount, "ecommerce.discount.limit", by_id=access.user_id, data=data)
    return code


def record_export(*, discount_id: int, access: DiscountAccess) -> None:
    """Log who exports a discount's codes. Raises NotFound for a discount the user may not see."""
    discount = access.discounts().filter(pk=discount_id).first()
    if discount is None:
        raise NotFound
    audit.record(discount, "ecommerce.discount.export", by_id=access.user_id)


def draft_of(discount: Discount) -> DiscountDraft:
    """Return a discount as staff could have entered it."""
    return DiscountDraft(
        name=discount.name,
        discount_type=discount.discount_type,
        amount=discount.amount,
        currency=discount.currency,
        payment_type=discount.payment_type,
        redemption_type=discount.redemption_type,
        max_uses=uses_per_code(discount),
        activates_at=discount.activates_at,
        expires_at=discount.expires_at,
        for_all_products=discount.for_all_products,
        product_ids=tuple(discount.products.order_by("pk").values_list("pk", flat=True)),
        for_chosen_people=discount.for_chosen_people,
        people=tuple(discount.people.values_list("email", flat=True)),
        for_groups=discount.for_groups,
        automatic=discount.automatic,
        course_id=discount.course_id,
        site_id=discount.site_id,
    )


def uses_per_code(discount: Discount) -> int | None:
    """Return how often new codes of a discount can be used: as often as its first one."""
    return discount.codes.order_by("pk").values_list("max_uses", flat=True).first()


# Set once. A course's discount in particular stays that course's.
KEPT = ("discount_type", "currency", "redemption_type", "automatic", "course_id")
CHANGEABLE = (
    "name",
    "amount",
    "payment_type",
    "activates_at",
    "expires_at",
    "for_all_products",
    "for_chosen_people",
    "for_groups",
    "site_id",
)


def _change(discount: Discount, draft: DiscountDraft, *, access: DiscountAccess, now: datetime) -> Discount:
    kept = {name: getattr(discount, name) for name in KEPT}
    draft = replace(draft, **kept, max_uses=uses_per_code(discount))
    with refuse_invalid():
        validate_discount(draft, None, access=access, now=now)
    columns = draft.columns()
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


def _is_identical(discount: Discount, draft: DiscountDraft) -> bool:
    if discount.unlocks_id is not None:
        return False
    return _comparable(draft_of(discount)) == _comparable(draft)


def _comparable(draft: DiscountDraft) -> DiscountDraft:
    """Drop what doesn't tell two discounts apart: their names, and the order of products and people."""
    return replace(
        draft,
        name="",
        max_uses=draft.uses_per_code,
        product_ids=tuple(sorted(set(draft.product_ids))),
        people=tuple(sorted({normalize_email(email) for email in draft.people})),
    )


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


def _create_codes(
    discount: Discount, codes: NewCodes, *, max_uses: int | None, access: DiscountAccess, now: datetime
) -> list[DiscountCode]:
    if codes.text:
        return [_create_code(discount, codes.text, max_uses)]
    addresses = list(dict.fromkeys(normalize_email(address) for address in codes.addresses)) or [""] * codes.generate
    texts = _generate_texts(len(addresses), codes.prefix)
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


def _generate_texts(number: int, prefix: str) -> list[str]:
    free: dict[str, str] = {}
    while len(free) < number:
        fresh = {normalize_code(text): text for text in (random_code(prefix) for _each in range(number - len(free)))}
        taken = set(DiscountCode.objects.filter(normalized__in=fresh).values_list("normalized", flat=True))
        free |= {key: text for key, text in fresh.items() if key not in taken}
    return list(free.values())


def _create_code(discount: Discount, text: str, max_uses: int | None) -> DiscountCode:
    try:
        with transaction.atomic():
            return DiscountCode.objects.create(discount=discount, text=text, max_uses=max_uses)
    except IntegrityError as error:  # someone else created the same code since it was validated
        raise DiscountRefused(field="code", sentence=str(CODE_EXISTS)) from error


def random_code(prefix: str = "") -> str:
    """Generate a code that can't be guessed (31^10 of them), in groups that can be read aloud."""
    groups = ["".join(secrets.choice(ALPHABET) for _each in range(GROUP)) for _group in range(GROUPS)]
    return "-".join([*([prefix.strip("-").upper()] if prefix else []), *groups])


def _switch(discount_ids: Sequence[int], access: DiscountAccess, *, to: bool, action: str) -> int:
    with transaction.atomic():
        switched = list(access.manageable().filter(pk__in=discount_ids, is_active=not to).locked())
        for discount in switched:
            discount.is_active = to
            discount.save(update_fields=["is_active", "updated_at"])
            audit.record(discount, action, by_id=access.user_id)
    return len(switched)


def _lock_discount(discount_id: int, access: DiscountAccess) -> Discount:
    discount = access.manageable().filter(pk=discount_id).locked().first()
    if discount is None:
        raise NotFound
    return discount


def _lock_code(code_id: int, access: DiscountAccess) -> DiscountCode:
    # FOR UPDATE also blocks inserts of uses, which take a key share lock on the code.
    codes = DiscountCode.objects.select_for_update(of=("self",)).select_related("discount")
    code = codes.filter(pk=code_id, discount__in=access.manageable()).first()
    if code is None:
        raise NotFound
    return code


@contextmanager
def refuse_invalid(field: str = "") -> Iterator[None]:
    """Turn the first message of a ValidationError into a DiscountRefused, at its field or at the one given."""
    try:
        yield
    except ValidationError as error:
        if field:
            raise DiscountRefused(field=field, sentence=error.messages[0]) from error
        name, messages = next(iter(error.message_dict.items()))
        raise DiscountRefused(field=name, sentence=messages[0]) from error

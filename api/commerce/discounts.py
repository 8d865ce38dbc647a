"""Operations on discounts, for staff. A discount is one code, or one discount that applies automatically."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Query, Router, Status

from api.commerce import schemas
from api.commerce.drawing import discount_type_of, draw_entry, redemption_type_of
from api.http.callers import COMMERCE, person
from api.http.errors import InvalidRequest, refuse_fields
from api.http.paging import PageOfList, paginate_by_offset
from api.http.shapes import SignedId
from ecommerce.enums import DiscountType, RedemptionType
from ecommerce.errors.admin import DiscountRefused
from ecommerce.selectors.discount_access import DiscountAccess, discount_access_of
from ecommerce.selectors.discount_entries import DiscountEntries, DiscountEntry, EntryFilters
from ecommerce.services.discounts.discounts import create_discount
from ecommerce.services.discounts.entries import change_entry, pause_entry
from ecommerce.services.discounts.validation import DiscountDraft, NewCodes
from mitxonline.kernel import clock
from mitxonline.kernel.errors import Forbidden
from mitxonline.kernel.shop import current_shop, current_site_id, has_several_sites
from mitxonline.kernel.text import normalize_code

router = Router(auth=COMMERCE.signed_in, tags=["discounts"])

_TYPES: Mapping[schemas.DiscountTypeEnum, DiscountType] = {
    schemas.DiscountTypeEnum.PERCENT_OFF: DiscountType.PERCENT_OFF,
    schemas.DiscountTypeEnum.DOLLARS_OFF: DiscountType.AMOUNT_OFF,
    schemas.DiscountTypeEnum.FIXED_PRICE: DiscountType.FIXED_PRICE,
}
_REDEMPTIONS: Mapping[schemas.RedemptionTypeEnum, RedemptionType] = {
    schemas.RedemptionTypeEnum.ONE_TIME: RedemptionType.ONE_TIME,
    schemas.RedemptionTypeEnum.ONE_TIME_PER_USER: RedemptionType.ONE_TIME_PER_USER,
    schemas.RedemptionTypeEnum.UNLIMITED: RedemptionType.UNLIMITED,
}
# The fields of requests by the columns of a draft that they change.
_COLUMNS: Mapping[str, str] = {
    "amount": "amount",
    "payment_type": "payment_type",
    "activates_at": "activation_date",
    "expires_at": "expiration_date",
    "max_uses": "max_redemptions",
}
# Those that refusals are about, besides.
_FIELDS: Mapping[str, str] = {
    **_COLUMNS,
    "name": "discount_code",
    "code": "discount_code",
    "prefix": "discount_code",
    "currency": "amount",
    "products": "product",
    "people": "user",
}


@router.get("/v0/discounts/", operation_id="discounts_list", response=schemas.PaginatedV0DiscountList)
def list_discounts(request: HttpRequest, asked: Query[schemas.DiscountFilters]) -> PageOfList[schemas.V0Discount]:
    """List discounts that can be used: those that apply automatically, then codes, the newest of each first."""
    filters = EntryFilters(
        text=asked.q or "",
        payment_type=asked.payment_type or "",
        redemption_type=_REDEMPTIONS.get(asked.redemption_type, ""),
        is_redeemed={"yes": True, "no": False}.get(asked.is_redeemed),
    )
    entries = DiscountEntries(discount_access_of(person(request)), filters)
    return paginate_by_offset(
        request, entries, lambda rows: [draw_entry(each) for each in rows], limit=asked.limit, offset=asked.offset
    )


@router.post("/v0/discounts/", operation_id="discounts_create", response={201: schemas.V0Discount})
def create_one_discount(request: HttpRequest, body: schemas.V0DiscountRequest) -> Status[schemas.V0Discount]:
    """Create a discount on all products with one code, or without a code if it is automatic.

    Where there are several sites, the discount is for the site of the request.
    """
    (drawn,) = _create(request, body, NewCodes(text="" if body.automatic else body.discount_code))
    return Status(201, drawn)


@router.post(
    "/v0/discounts/create_batch/", operation_id="discounts_create_batch_create", response=schemas.DiscountBatch
)
def create_batch(request: HttpRequest, body: schemas.DiscountBatchRequest) -> schemas.DiscountBatch:
    """Create a discount with several codes. They share it: what is changed of it later changes for all of them."""
    codes = NewCodes(generate=body.count, prefix=body.discount_code) if body.count else NewCodes(body.discount_code)
    drawn = _create(request, body, codes)
    return schemas.DiscountBatch(**drawn[0].model_dump(), codes=drawn)


@router.get("/v0/discounts/{id}/", operation_id="discounts_retrieve", response=schemas.V0Discount)
def get_discount(request: HttpRequest, id: SignedId) -> schemas.V0Discount:
    return draw_entry(find_visible(request, id))


@router.put("/v0/discounts/{id}/", operation_id="discounts_update", response=schemas.V0Discount)
def update_discount(request: HttpRequest, id: SignedId, body: schemas.V0DiscountRequest) -> schemas.V0Discount:
    """Change a discount. Its code, its type and how often it can be redeemed stay. Orders keep their price."""
    return _change(request, id, body)


@router.patch("/v0/discounts/{id}/", operation_id="discounts_partial_update", response=schemas.V0Discount)
def update_part_of_discount(
    request: HttpRequest, id: SignedId, body: schemas.PatchedV0DiscountRequest
) -> schemas.V0Discount:
    """Change what is sent of a discount. Its code, its type and how often it can be redeemed stay."""
    return _change(request, id, body)


@router.delete("/v0/discounts/{id}/", operation_id="discounts_destroy", response={204: None})
def delete_discount(request: HttpRequest, id: SignedId) -> Status[None]:
    """Pause a discount, except for orders in payment. It is no longer here; staff may resume it in the admin."""
    entry, access = find_manageable(request, id)
    pause_entry(entry=entry, access=access)
    return Status(204, None)


def find_visible(request: HttpRequest, number: int) -> DiscountEntry:
    """Return a discount. Raises Forbidden for callers who may see none, NotFound for one they may not see."""
    return DiscountEntries(discount_access_of(person(request))).get(number)


def find_manageable(request: HttpRequest, number: int) -> tuple[DiscountEntry, DiscountAccess]:
    """Return a discount to change. Raises Forbidden for one that the caller may only see."""
    access = discount_access_of(person(request))
    entry = DiscountEntries(access).get(number)
    if not access.may_change(entry.discount):
        raise Forbidden
    return entry, access


@contextmanager
def naming_fields() -> Iterator[None]:
    """Name the field of a request that a refusal of staff's forms is about."""
    try:
        yield
    except DiscountRefused as refused:
        raise refuse_fields(**{_FIELDS.get(refused.field, refused.field): refused.sentence}) from refused


def _create(request: HttpRequest, body: schemas.V0DiscountRequest, codes: NewCodes) -> list[schemas.V0Discount]:
    access = discount_access_of(person(request))
    if not access.can_manage_all:
        raise Forbidden
    if body.payment_type is None:
        raise refuse_fields(payment_type=_("Say why the discount is given; reports ask for it."))
    kind = _TYPES[body.discount_type]
    draft = DiscountDraft(
        name=body.discount_code,
        discount_type=kind,
        amount=body.amount,
        currency="" if kind == DiscountType.PERCENT_OFF else current_shop().currency,
        payment_type=body.payment_type,
        redemption_type=_REDEMPTIONS[body.redemption_type],
        max_uses=body.max_redemptions or None,
        activates_at=body.activation_date,
        expires_at=body.expiration_date,
        for_all_products=True,
        automatic=bool(body.automatic),
        site_id=current_site_id() if has_several_sites() else None,
    )
    with naming_fields():
        created = create_discount(draft=draft, codes=codes, access=access, now=clock.now())
    entries: Iterable[DiscountEntry] = [DiscountEntry(created.discount, each, False) for each in created.codes]
    return [draw_entry(each) for each in entries or [DiscountEntry(created.discount, None, False)]]


def _change(request: HttpRequest, number: int, body: schemas.PatchedV0DiscountRequest) -> schemas.V0Discount:
    entry, access = find_manageable(request, number)
    sent = body.model_fields_set
    _refuse_fixed(entry, body)
    if "payment_type" in sent and body.payment_type is None:
        raise refuse_fields(payment_type=_("Say why the discount is given; reports ask for it."))
    changes: dict[str, Any] = {column: getattr(body, name) for column, name in _COLUMNS.items() if name in sent}
    if "max_uses" in changes:
        changes["max_uses"] = changes["max_uses"] or None
    if entry.code is None and "discount_code" in sent:
        changes["name"] = body.discount_code
    with naming_fields():
        change_entry(entry=entry, changes=changes, access=access, now=clock.now())
    return draw_entry(find_visible(request, number))


def _refuse_fixed(entry: DiscountEntry, body: schemas.PatchedV0DiscountRequest) -> None:
    """Refuse what never changes. What a request sends as it is, changes nothing."""
    discount, code = entry.discount, entry.code
    kept: dict[str, object] = {
        "discount_type": discount_type_of(discount),
        "redemption_type": redemption_type_of(discount),
        "automatic": discount.automatic,
    }
    wrong = [name for name, value in kept.items() if name in body.model_fields_set and getattr(body, name) != value]
    if code is not None and body.discount_code and normalize_code(body.discount_code) != normalize_code(code.text):
        wrong.append("discount_code")
    if wrong:
        sentence = _("This stays as it was created. Create another discount.")
        raise InvalidRequest(errors={name: [sentence] for name in wrong})

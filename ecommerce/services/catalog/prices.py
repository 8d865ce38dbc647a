"""Put course runs and programs on sale and change their prices. Contracts price their own products (b2b).

Every change of a price leaves a row that says who made it, when, from what and to what. Orders already placed keep
their price. Baskets show the new one, and checkout asks the buyer again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from courses.enums import EnrollmentMode
from courses.models import CourseRun, Program
from ecommerce.errors.admin import ProductRefused
from ecommerce.models import PriceChange, Product
from mitxonline.kernel import audit
from mitxonline.kernel.errors import NotFound
from mitxonline.kernel.money import Money


@dataclass(frozen=True, slots=True)
class ProductDraft:
    """A run or program to put on sale, by its key. None leaves a column of an existing product as it is."""

    item: str
    price: Decimal
    currency: str
    mode: str = EnrollmentMode.VERIFIED
    sku: str = ""
    description: str | None = None
    is_active: bool | None = None


@dataclass(frozen=True, slots=True)
class ProductChange:
    """A product that was created, or the columns of it that changed."""

    product: Product
    is_new: bool
    changed: tuple[str, ...]


def put_on_sale(
    *, draft: ProductDraft, by_id: int | None, now: datetime, reason: str = "", only_new: bool = False
) -> ProductChange:
    """Create the product of a run or program in a mode, or give it this price. Doing it twice changes nothing.

    Without a SKU a new product gets the key of its run or program. With `only_new` one that exists is refused. Raises
    ProductRefused with the first problem.
    """
    run = CourseRun.all_objects.filter(courseware_id=draft.item).first()
    program = None if run is not None else Program.objects.filter(readable_id=draft.item).first()
    if run is None and program is None:
        sentence = _("There is no course run or program “%(key)s”. Use its key, like course-v1:ORG+NUMBER+RUN.")
        raise ProductRefused(field="item", sentence=sentence % {"key": draft.item})
    with transaction.atomic():
        product = Product.objects.locked().filter(course_run=run, program=program, mode=draft.mode).first()
        is_new, before = product is None, product.money if product is not None else None
        if product is None:
            product = Product(course_run=run, program=program, mode=draft.mode, sku=draft.item)
        elif product.requires_code:
            raise ProductRefused(field="item", sentence=_("This product belongs to a contract, which sets its price."))
        elif only_new:
            sentence = _("“%(key)s” is product %(id)d already. Change that one.")
            raise ProductRefused(field="item", sentence=sentence % {"key": draft.item, "id": product.pk})
        columns: dict[str, object] = {"price": draft.price, "currency": draft.currency}
        columns |= {"sku": draft.sku} if draft.sku else {}
        changed = _set_columns(product, columns, description=draft.description, is_active=draft.is_active)
        if is_new or changed:
            _validate(product)
            product.save()
            record_price(product, before=before, by_id=by_id, now=now, reason=reason)
    return ProductChange(product=product, is_new=is_new, changed=() if is_new else changed)


def change_product(
    *,
    product_id: int,
    price: Decimal | None = None,
    description: str | None = None,
    is_active: bool | None = None,
    by_id: int | None,
    now: datetime,
) -> Product:
    """Change a product's price, description or sale; None leaves them as they are.

    Raises NotFound, also for a contract's product, and ProductRefused with the first problem.
    """
    with transaction.atomic():
        product = Product.objects.filter(requires_code=False, pk=product_id).locked().first()
        if product is None:
            raise NotFound
        before = product.money
        prices = {"price": price} if price is not None else {}
        changed = _set_columns(product, prices, description=description, is_active=is_active)
        if changed:
            _validate(product)
            product.save(update_fields=[*changed, "updated_at"])
            record_price(product, before=before, by_id=by_id, now=now)
        if others := [name for name in changed if name != "price"]:
            audit.record(product, "ecommerce.product.change", by_id=by_id, data={"fields": others})
    return product


def _set_columns(
    product: Product, columns: Mapping[str, object], *, description: str | None, is_active: bool | None
) -> tuple[str, ...]:
    """Set what differs. Return its names."""
    wanted = dict(columns)
    wanted |= {"description": description} if description is not None else {}
    wanted |= {"is_active": is_active} if is_active is not None else {}
    changed = tuple(name for name, value in wanted.items() if getattr(product, name) != value)
    for name in changed:
        setattr(product, name, wanted[name])
    return changed


def record_price(
    product: Product, *, before: Money | None, by_id: int | None, now: datetime, reason: str = ""
) -> PriceChange | None:
    """Record a new price, in the log too. Return None if the price is the same."""
    if before == product.money:
        return None
    has_new_currency = before is not None and before.currency != product.currency
    change = PriceChange.objects.create(
        product=product,
        old_price=before.amount if before is not None else None,
        old_currency=before.currency if before is not None and has_new_currency else "",
        new_price=product.price,
        currency=product.currency,
        changed_at=now,
        changed_by_id=by_id,
        reason=reason[:255],
    )
    action = "ecommerce.product.make" if before is None else "ecommerce.product.price"
    audit.record(product, action, by_id=by_id, data={"change": change.pk, "reason": reason[:255]})
    return change


def _validate(product: Product) -> None:
    try:
        product.full_clean(exclude=["course_run", "program"], validate_constraints=False)
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise ProductRefused(field=field, sentence=messages[0]) from error

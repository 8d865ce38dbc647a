"""The exported file of a contract's codes, read and written row by row.

One query with a cursor on the server: neither the number of queries nor the memory grows with the codes.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q

from ecommerce.enums import UseState
from ecommerce.models import CodeUse, DiscountCode
from mitxonline.kernel.text import escape_formula

COLUMNS = ("Code", "Product", "Redeemed", "Product URL", "Redeem URL")
CHUNK = 5_000


class Writable(Protocol):
    """What lines can be written to."""

    def write(self, text: str, /) -> object: ...


@dataclass(frozen=True, slots=True)
class CodeRow:
    """One code as it is exported."""

    code: str
    product: str
    redeemed: bool
    product_id: int

    @property
    def product_url(self) -> str:
        """What to send a learner who shall see the cart: it opens with this product, and asks for the code."""
        return f"{settings.SITE_BASE_URL}/cart/add/?product_id={self.product_id}"

    @property
    def redeem_url(self) -> str:
        """What to send a learner who shall only press a button."""
        return f"{settings.SITE_BASE_URL}/enrollmentcode/{self.code}/"


def code_rows(*, contract_id: int, everything: bool = False) -> Iterator[CodeRow]:
    """The codes that can be used or were; with ``everything`` those switched off, withdrawn or of removed runs as well.

    To be used up inside a transaction, which is what gives all rows of one moment.
    """
    redeemed = CodeUse.objects.filter(code=OuterRef("pk"), state=UseState.CONFIRMED)
    codes = DiscountCode.objects.filter(discount__unlocks__contract_run__contract_id=contract_id).annotate(
        redeemed=Exists(redeemed)
    )
    if not everything:
        usable = Q(active=True) & (Q(max_uses__isnull=True) | Q(uses__lt=F("max_uses")) | Q(_is_held()))
        codes = codes.filter(Q(redeemed=True) | usable, discount__unlocks__contract_run__removed_at__isnull=True)
    found = codes.order_by("discount_id", "pk").values_list(
        "text",
        "discount__unlocks__course_run__title",
        "discount__unlocks__course_run__courseware_id",
        "redeemed",
        "discount__unlocks_id",
    )
    for text, title, key, is_redeemed, product_id in found.iterator(chunk_size=CHUNK):
        yield CodeRow(code=text, product=f"{title} ({key})", redeemed=is_redeemed, product_id=product_id)


def write_codes(
    out: Writable, *, contract_id: int, everything: bool = False, progress: Callable[[int], None] | None = None
) -> int:
    """Write the file; how many codes are in it. ``progress`` hears now and then how many there are so far."""
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    written = 0
    with transaction.atomic():
        for row in code_rows(contract_id=contract_id, everything=everything):
            cells = (row.code, row.product, "Yes" if row.redeemed else "No", row.product_url, row.redeem_url)
            writer.writerow([escape_formula(cell) for cell in cells])
            written += 1
            if progress is not None and written % CHUNK == 0:
                progress(written)
    return written


def _is_held() -> Exists:
    """A code in someone's checkout is in use, though not redeemed."""
    return Exists(CodeUse.objects.filter(code=OuterRef("pk"), state=UseState.HELD))

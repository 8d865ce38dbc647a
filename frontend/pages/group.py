"""Buying seats of a course for a group: the page that says what they cost before anything is in the cart."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.http import QueryDict
from django.utils.translation import gettext as _

from cms.selectors.addresses import page_urls
from courses.models import CourseRun
from ecommerce.errors.checkout import ProductUnknown, SeatsNotSold
from ecommerce.models import Product
from ecommerce.pricing import Price
from ecommerce.rules import refuse_closed_products
from ecommerce.selectors.basket_prices import quote_seats
from ecommerce.selectors.receipts import seats_text
from frontend.pages.buy_panel import StartChoice, seat_choices
from frontend.pages.seats_form import GROUP, SEATS_OFFERED, SeatsForm
from mitxonline.kernel.shop import current_site_id


@dataclass(frozen=True, slots=True)
class GroupPage:
    """Seats of one start of a course. ``price`` is that of the number in the form; None while it has none."""

    product: Product
    run: CourseRun
    form: SeatsForm
    price: Price | None
    choices: tuple[StartChoice, ...]
    course_url: str
    now: datetime

    @property
    def sum_text(self) -> str:
        """“40 seats × $249.00”."""
        return seats_text(self.form.cleaned_data["seats"], self.product.money) if self.price is not None else ""

    @property
    def discount_text(self) -> str:
        """The discount that counts without a code, and what it takes off; nothing where there is none."""
        if self.price is None or self.price.offer is None:
            return ""
        return _("%(name)s: −%(amount)s") % {
            "name": self.price.offer.label,
            "amount": self.price.discount.formatted(),
        }


def group_page(data: QueryDict, *, user_id: int | None, now: datetime, product_id: int | None) -> GroupPage:
    """What seats of a product cost. Raises ProductUnknown, SeatsNotSold, or why it isn’t open."""
    product = Product.objects.public().of_site(current_site_id()).with_item().filter(pk=product_id or 0).first()
    if product is None:
        raise ProductUnknown
    run = product.course_run
    if run is None or not product.sells_seats:
        raise SeatsNotSold(title=product.title)
    refuse_closed_products([product], user_id=user_id, now=now, seats=1)
    is_asked = "seats" in data
    form = SeatsForm(
        {"who": GROUP, "seats": data["seats"]} if is_asked else None, initial={"seats": SEATS_OFFERED, "who": GROUP}
    )
    is_known = is_asked and form.is_valid()
    return GroupPage(
        product=product,
        run=run,
        form=form,
        price=(quote_seats(product, seats=form.cleaned_data["seats"], user_id=user_id, now=now) if is_known else None),
        choices=seat_choices(run.course_id, chosen=product.pk, now=now),
        course_url=page_urls([product]).get(product.pk, ""),
        now=now,
    )

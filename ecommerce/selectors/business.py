"""The business details of orders: who buys for a group, as receipts and invoices print it."""

from __future__ import annotations

from dataclasses import asdict, astuple, dataclass

from ecommerce.models import Order


@dataclass(frozen=True, slots=True)
class BusinessDetails:
    """What a buyer says of the company they buy for. All of it may be empty."""

    company: str = ""
    contact_name: str = ""
    contact_email: str = ""
    street: str = ""
    city: str = ""
    region: str = ""
    postal_code: str = ""
    country: str = ""
    tax_id: str = ""
    po_number: str = ""

    @property
    def is_empty(self) -> bool:
        return not any(astuple(self))

    @property
    def names_payer(self) -> bool:
        """Whether they say who pays, so that what the gateway says of a card's owner isn't printed in their place."""
        address = (self.street, self.city, self.region, self.postal_code, self.country)
        return bool(self.company or self.tax_id or any(address))

    def columns(self) -> dict[str, str]:
        """Return the columns of an order that hold them, with their values."""
        return {column_of(name): value for name, value in asdict(self).items()}


# Address and tax number have been columns of orders since gateways report them.
_COLUMNS = {name: f"billing_{name}" for name in ("street", "city", "region", "postal_code", "country", "tax_id")}


def column_of(name: str) -> str:
    """Return the column of an order that holds this detail."""
    return _COLUMNS.get(name, name)


def business_details(order: Order) -> BusinessDetails:
    return BusinessDetails(
        company=order.company,
        contact_name=order.contact_name,
        contact_email=order.contact_email,
        street=order.billing_street,
        city=order.billing_city,
        region=order.billing_region,
        postal_code=order.billing_postal_code,
        country=order.billing_country,
        tax_id=order.billing_tax_id,
        po_number=order.po_number,
    )


def last_business_details(user_id: int) -> BusinessDetails:
    """Return what the buyer said of their company last, without the number of that purchase order."""
    order = Order.objects.of(user_id).exclude(company="").order_by("-placed_at", "-pk").first()
    if order is None:
        return BusinessDetails()
    found = asdict(business_details(order))
    return BusinessDetails(**found | {"po_number": ""})

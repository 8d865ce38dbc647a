"""What becomes of carts, orders and codes when their owner deletes the account. All in the caller's transaction."""

from __future__ import annotations

from ecommerce.enums import AttemptState
from ecommerce.models import DiscountCode, DiscountPerson, Order, RefundRequest
from ecommerce.rules import lock_courses_of
from ecommerce.selectors.accounts import find_obstacles
from ecommerce.selectors.business import BusinessDetails
from ecommerce.services.baskets.baskets import lock_baskets_of
from mitxonline.users.closing import AccountNeeded
from mitxonline.users.models import User

_NAMES_PAYER = ("billing_name", *BusinessDetails().columns())


def close_carts_and_orders(*, user_id: int, email: str) -> None:
    """Delete the person's carts and discounts, and what orders don't need for the books. Raises AccountNeeded.

    ``email`` is their confirmed address, or empty. Locks the carts and orders first, so that no checkout and no payment
    is under way.
    """
    baskets = lock_baskets_of(user_id)
    orders = Order.objects.locked().of(user_id)
    ids = list(orders.values_list("pk", flat=True))
    lock_courses_of(user_id)
    if obstacles := find_obstacles(User.objects.get(pk=user_id)):
        raise AccountNeeded(obstacles=tuple(obstacles))
    for basket in baskets:
        basket.delete()
    # Tax law wants to know who paid. An order that was never paid says so for no one.
    unpaid = Order.objects.filter(pk__in=ids).exclude(attempts__state=AttemptState.PAID)
    unpaid.update(**dict.fromkeys(_NAMES_PAYER, ""))
    RefundRequest.objects.filter(order__in=ids).update(text="")
    if email:
        DiscountPerson.objects.filter(email=email).delete()


def rename_codes(*, user_id: int, email: str, alias: str) -> None:
    """Put the alias in place of the address and name on codes that were the person's own.

    They stay assigned, so that neither someone else gets them nor a new account with the address.
    """
    used = DiscountCode.objects.filter(code_uses__user=user_id).exclude(assigned_email="")
    given = DiscountCode.objects.filter(assigned_email=email) if email else DiscountCode.objects.none()
    ids = {*used.values_list("pk", flat=True), *given.values_list("pk", flat=True)}
    locked = DiscountCode.objects.locked().filter(pk__in=ids)
    DiscountCode.objects.filter(pk__in=list(locked.values_list("pk", flat=True))).update(
        assigned_email=alias, assigned_name=""
    )

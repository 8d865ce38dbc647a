"""Enrollments, discounts and an order of the demo."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from courses.enums import EnrollmentMode, EnrollmentSource
from courses.models import CourseRun, Enrollment
from courses.services.enrollments import enroll
from dev.demo.people import ADMIN, AMARA, LEA
from ecommerce.enums import DiscountType, PaymentType, RedemptionType
from ecommerce.models import Discount, DiscountCode, Order, Product
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.services.baskets.baskets import add_products, apply_code
from ecommerce.services.checkout.checkout import begin_checkout
from mitxonline.kernel.shop import current_shop
from mitxonline.users.models import User

WELCOME, SPRING, COLLEAGUE, SUMMER = "WELCOME10", "SPRING25", "COLLEAGUE", "SUMMER15"
REASON = "Demonstration"

DISCOUNTS = (
    (WELCOME, "10% off everything", DiscountType.PERCENT_OFF, 10, RedemptionType.ONE_TIME_PER_USER),
    (SPRING, "$25 off", DiscountType.AMOUNT_OFF, 25, RedemptionType.UNLIMITED),
    (COLLEAGUE, "Free for colleagues", DiscountType.PERCENT_OFF, 100, RedemptionType.UNLIMITED),
    (SUMMER, "15% off, last summer", DiscountType.PERCENT_OFF, 15, RedemptionType.UNLIMITED),
)


def ensure_discounts(*, now: datetime) -> None:
    """Create codes for a percentage, an amount and the full price, and one that has expired."""
    for text, name, kind, amount, redemption in DISCOUNTS:
        if DiscountCode.objects.matching(text).exists():
            continue
        discount = Discount.objects.create(
            name=name,
            discount_type=kind,
            amount=Decimal(amount),
            currency="" if kind == DiscountType.PERCENT_OFF else current_shop().currency,
            redemption_type=redemption,
            payment_type=PaymentType.STAFF if text == COLLEAGUE else PaymentType.MARKETING,
            for_all_products=True,
            expires_at=now - timedelta(days=60) if text == SUMMER else None,
        )
        DiscountCode.objects.create(discount=discount, text=text)


def ensure_enrollments(people: Mapping[str, User], *, now: datetime) -> None:
    """Enroll Amara in courses that have ended, are running or start later."""
    amara, admin = people[AMARA.email], people[ADMIN.email]
    if Enrollment.objects.filter(user=amara, grants__reason=REASON).exists():
        return
    for number, when in (("PY101", "running"), ("CL110", "upcoming"), ("BU260", "past"), ("DE105", "past")):
        run = _find_run(number, when, now)
        if run is not None:
            enroll(
                user_id=amara.pk,
                run_id=run.pk,
                mode=EnrollmentMode.VERIFIED,
                source=EnrollmentSource.MANUAL,
                reference=REASON,
                granted_by_id=admin.pk,
                reason=REASON,
                now=now,
            )


def ensure_order(people: Mapping[str, User], *, now: datetime) -> None:
    """Place an order for Lea with the code for colleagues, so that there is a receipt."""
    lea = people[LEA.email]
    product = Product.objects.public().filter(sku="WR101-ANY").first()
    if product is None or Order.objects.of(lea.pk).exists():
        return
    owner = BasketOwner(user_id=lea.pk)
    add_products(owner=owner, product_ids=[product.pk], now=now)
    apply_code(owner=owner, text=COLLEAGUE, user_id=lea.pk, now=now)
    begin_checkout(owner=owner, user_id=lea.pk, now=now, gateway="sandbox")


def _find_run(number: str, when: str, now: datetime) -> CourseRun | None:
    runs = CourseRun.objects.live().filter(course__readable_id__endswith=f"+{number}", is_self_paced=False)
    candidates = {
        "past": runs.filter(end_date__lt=now).order_by("-end_date"),
        "running": runs.filter(start_date__lte=now, end_date__gte=now).order_by("-start_date"),
        "upcoming": runs.filter(start_date__gt=now).order_by("start_date"),
    }
    return candidates[when].first()

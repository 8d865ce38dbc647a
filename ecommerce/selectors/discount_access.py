"""Who manages discounts: finance all of them, course staff those of their courses."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q

from ecommerce.models import Discount, Product
from ecommerce.models.discount import DiscountQuerySet
from ecommerce.models.product import ProductQuerySet
from ecommerce.roles import Action, scope_of
from mitxonline.users.models import User


@dataclass(frozen=True, slots=True)
class DiscountAccess:
    """The discounts that a user may see, create and change. Contracts manage their own.

    `may_see` and `can_manage_all` are about all discounts, `courses` are the courses whose discounts they manage.
    """

    user_id: int | None
    may_see: bool = False
    can_manage_all: bool = False
    courses: frozenset[int] = frozenset()

    @property
    def exists(self) -> bool:
        """Whether the user has any discounts to see."""
        return self.may_see or bool(self.courses)

    @property
    def may_make(self) -> bool:
        return self.can_manage_all or bool(self.courses)

    @property
    def is_of_courses(self) -> bool:
        return bool(self.courses) and not self.can_manage_all

    def may_change(self, discount: Discount) -> bool:
        return discount.unlocks_id is None and (self.can_manage_all or discount.course_id in self.courses)

    def discounts(self) -> DiscountQuerySet:
        discounts = Discount.objects.of_the_shop()
        return discounts if self.may_see else discounts.filter(course_id__in=self.courses)

    def manageable(self) -> DiscountQuerySet:
        discounts = Discount.objects.of_the_shop()
        return discounts if self.can_manage_all else discounts.filter(course_id__in=self.courses)

    def products(self) -> ProductQuerySet:
        """Return the products that the user's discounts may be for."""
        public = Product.objects.filter(requires_code=False)
        return public if self.can_manage_all else public.filter(of_courses(self.courses))


OPERATOR = DiscountAccess(user_id=None, may_see=True, can_manage_all=True)


def of_courses(course_ids: frozenset[int]) -> Q:
    return Q(course_run__course_id__in=course_ids)


def discount_access_of(user: User | AnonymousUser) -> DiscountAccess:
    """Read a user's access to discounts (`ecommerce.roles`)."""
    if not user.is_authenticated or not user.is_active:
        return DiscountAccess(user_id=None)
    seen, made = scope_of(user, Action.COUPON_VIEW), scope_of(user, Action.COUPON_CREATE)
    return DiscountAccess(
        user_id=user.pk,
        may_see=seen.is_whole or made.is_whole,
        can_manage_all=made.is_whole,
        courses=made.courses,
    )

"""Who looks after discounts: finance after all of them, a course's staff after those of their course."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q

from courses.models import Course, CourseStaff
from ecommerce.models import Discount, Product
from ecommerce.models.discount import DiscountQuerySet
from ecommerce.models.product import ProductQuerySet
from mitxonline.users.models import User

MAKE, CHANGE, VIEW = "ecommerce.add_discount", "ecommerce.change_discount", "ecommerce.view_discount"
# What the group of course staff has: who hasn't is not asked for their courses.
LOOK_AFTER = "courses.view_coursestaff"


@dataclass(frozen=True, slots=True)
class DiscountAccess:
    """Someone, and which discounts they may see, make and change.

    ``may_see`` and ``can_manage_all`` are about all discounts; ``courses`` about those of single courses. Contracts
    make and keep theirs themselves.
    """

    user_id: int | None
    may_see: bool = False
    can_manage_all: bool = False
    courses: frozenset[int] = frozenset()

    @property
    def exists(self) -> bool:
        """Whether there is anything for them here."""
        return self.may_see or bool(self.courses)

    @property
    def may_make(self) -> bool:
        """Whether they may make discounts, be it of one course."""
        return self.can_manage_all or bool(self.courses)

    @property
    def is_of_courses(self) -> bool:
        """Whether only the discounts of single courses are theirs to make."""
        return bool(self.courses) and not self.can_manage_all

    def may_change(self, discount: Discount) -> bool:
        """Whether this one is theirs to change."""
        return discount.unlocks_id is None and (self.can_manage_all or discount.course_id in self.courses)

    def discounts(self) -> DiscountQuerySet:
        """Those they may see."""
        shops = Discount.objects.of_the_shop()
        return shops if self.may_see else shops.filter(course_id__in=self.courses)

    def to_keep(self) -> DiscountQuerySet:
        """Those they may change."""
        shops = Discount.objects.of_the_shop()
        return shops if self.can_manage_all else shops.filter(course_id__in=self.courses)

    def products(self) -> ProductQuerySet:
        """What their discounts may be for."""
        public = Product.objects.filter(requires_code=False)
        return public if self.can_manage_all else public.filter(of_courses(self.courses))

    def course_choices(self) -> list[Course]:
        """The courses they look after."""
        return list(Course.objects.filter(pk__in=self.courses).order_by("title"))


OPERATOR = DiscountAccess(user_id=None, may_see=True, can_manage_all=True)


def of_courses(course_ids: frozenset[int]) -> Q:
    """Products that sell a public run of these courses."""
    return Q(course_run__course_id__in=course_ids)


def discount_access_of(user: User | AnonymousUser) -> DiscountAccess:
    """What someone may do with discounts; beside their permissions one query, for the staff of courses alone."""
    if not user.is_authenticated or not user.is_active:
        return DiscountAccess(user_id=None)
    can_manage_all = user.has_perms([MAKE, CHANGE])
    courses: Iterable[int] = ()
    if not can_manage_all and user.has_perm(LOOK_AFTER):
        courses = CourseStaff.objects.filter(user=user).values_list("course_id", flat=True)
    return DiscountAccess(
        user_id=user.pk,
        may_see=can_manage_all or user.has_perm(VIEW),
        can_manage_all=can_manage_all,
        courses=frozenset(courses),
    )

"""Who may do what in the shop: one table of roles and actions, and the one question that is asked of it.

An action is allowed to whoever has its permission (superusers, the group Finance, people with permissions of their own)
and to whoever has a role with that action, for the whole shop or for the course in question. Roles are rows that staff
gave by hand (`ShopRole`), roles at a provider (`users.GivenRight`), and looking after a course (`courses.CourseStaff`).
They are read anew for every request, so they begin and end in every open session at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db.models import CharField, Exists, F, IntegerField, OuterRef, Q, Subquery, Value
from django.db.models.functions import Cast

from courses.models import Course, CourseStaff
from ecommerce.enums import Role
from ecommerce.models import ShopRole
from mitxonline.users.models import GivenRight, RightKind

# Whoever looks after a course has this role there. It is never assigned like the others.
COURSE_STAFF = "course_staff"
ACCESS_ADMIN = "wagtailadmin.access_admin"

_CACHE = "_shop_roles"


class Action(StrEnum):
    ORDER_VIEW = "order.view"
    ORDER_REFUND = "order.refund"
    ORDER_FULFILL = "order.fulfill"
    ORDER_CANCEL = "order.cancel"
    COUPON_VIEW = "coupon.view"
    COUPON_CREATE = "coupon.create"
    CODE_VIEW = "code.view"
    CODE_CANCEL = "code.cancel"
    INVOICE_VIEW = "invoice.view"
    INVOICE_ISSUE = "invoice.issue"
    INVOICE_PAY = "invoice.pay"
    INVOICE_VOID = "invoice.void"
    AUDIT_VIEW = "audit.view"
    REPORT_VIEW = "report.view"
    REPORT_CODES = "report.codes"
    PRODUCT_PRICE = "product.price"
    ENROLLMENT_CHANGE = "enrollment.change"
    SHOP_CONFIGURE = "shop.configure"


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may take an action: whoever has all `needed` permissions, or one of the roles.

    A role for the whole shop brings `needed` and `seen`. Without `of_courses` only such a role counts: the action is
    about more than one course.
    """

    needed: tuple[str, ...]
    roles: frozenset[str]
    seen: tuple[str, ...] = ()
    of_courses: bool = True


FINANCE, SALES = Role.FINANCE_ADMIN.value, Role.SALES_ADMIN.value


def _rule(needed: str, *roles: str, seen: str = "", of_courses: bool = True) -> Rule:
    return Rule(_names(needed), frozenset(roles), _names(seen), of_courses)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name if "." in name else f"ecommerce.{name}" for name in text.split())


_WITH_ORDERS = "view_orderline view_paymentattempt view_codeuse view_refund view_refundrequest view_dispute"

TABLE: Mapping[Action, Rule] = {
    Action.ORDER_VIEW: _rule("view_order", FINANCE, SALES, seen=_WITH_ORDERS),
    Action.ORDER_REFUND: _rule("refund_order", FINANCE),
    Action.ORDER_FULFILL: _rule("fulfill_order", FINANCE),
    Action.ORDER_CANCEL: _rule("cancel_order", FINANCE),
    Action.COUPON_VIEW: _rule("view_discount", FINANCE, SALES, COURSE_STAFF),
    Action.COUPON_CREATE: _rule("add_discount change_discount", FINANCE, SALES, COURSE_STAFF),
    Action.CODE_VIEW: _rule("view_discountcode", FINANCE, SALES),
    Action.CODE_CANCEL: _rule("cancel_code", FINANCE),
    Action.INVOICE_VIEW: _rule("view_invoice", FINANCE, SALES, seen="view_customer"),
    Action.INVOICE_ISSUE: _rule("issue_invoice", FINANCE, SALES, seen="add_customer change_customer"),
    Action.INVOICE_PAY: _rule("pay_invoice", FINANCE),
    Action.INVOICE_VOID: _rule("void_invoice", FINANCE),
    Action.AUDIT_VIEW: _rule("view_audit", FINANCE),
    Action.REPORT_VIEW: _rule("view_report", FINANCE),
    Action.REPORT_CODES: _rule("view_codereport", FINANCE, SALES),
    Action.PRODUCT_PRICE: _rule(
        "add_product change_product", FINANCE, seen="view_product view_pricechange", of_courses=False
    ),
    Action.ENROLLMENT_CHANGE: _rule(
        "courses.change_enrollment", FINANCE, seen="courses.view_enrollment", of_courses=False
    ),
    Action.SHOP_CONFIGURE: _rule("change_shopsettings", FINANCE, of_courses=False),
}


@dataclass(frozen=True, slots=True)
class HeldRole:
    """A role that someone has; without a course, for the whole shop."""

    role: str
    course_id: int | None


@dataclass(frozen=True, slots=True)
class ShopScope:
    """Where someone may take an action: in the whole shop, or in these courses. False if nowhere."""

    is_whole: bool = False
    courses: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        return self.is_whole or bool(self.courses)

    def has(self, course_id: int | None) -> bool:
        """Whether it covers a course; without one, the whole shop."""
        return self.is_whole or course_id in self.courses

    def has_all(self, course_ids: Collection[int | None]) -> bool:
        return self.is_whole or (bool(course_ids) and all(self.has(each) for each in course_ids))


NOWHERE, WHOLE_SHOP = ShopScope(), ShopScope(is_whole=True)


def may(user: Any, action: Action | str, course_id: int | None = None) -> bool:
    """Whether the user may take the action in this course; without a course, in the whole shop."""
    return scope_of(user, action).has(course_id)


def may_somewhere(user: Any, action: Action | str) -> bool:
    """Whether the user may take the action in the shop or in any course: what menus and lists ask."""
    return bool(scope_of(user, action))


def scope_of(user: Any, action: Action | str) -> ShopScope:
    rule = TABLE[Action(action)]
    if not user.is_authenticated or not user.is_active:
        return NOWHERE
    if user.has_perms(rule.needed):
        return WHOLE_SHOP
    held = [each for each in roles_of(user) if each.role in rule.roles]
    if any(each.course_id is None for each in held):
        return WHOLE_SHOP
    if not rule.of_courses:
        return NOWHERE
    return ShopScope(courses=frozenset(each.course_id for each in held if each.course_id is not None))


def roles_of(user: Any) -> tuple[HeldRole, ...]:
    """Return the roles someone has, in one query per request. The user of the next request is another object.

    Whoever has none is spared the query: `SIGNED_IN_FACTS` already says so.
    """
    held: tuple[HeldRole, ...] | None = getattr(user, _CACHE, None)
    if held is None:
        held = _find_roles(user.pk) if getattr(user, "has_shop_roles", True) else ()
        setattr(user, _CACHE, held)
    return held


def holds_any_role() -> Q:
    """Return the condition that a user has a role, for the query that fetches them."""
    mine = {"user": OuterRef("pk")}
    by_sign_in = GivenRight.objects.filter(**mine, kind=RightKind.ROLE)
    return (
        Q(Exists(ShopRole.objects.filter(**mine)))
        | Q(Exists(CourseStaff.objects.filter(**mine)))
        | Q(Exists(by_sign_in))
    )


def has_any_role(user: Any) -> bool:
    """Whether an account has a role, so that no e-mail address alone opens it (`ACCOUNT_RIGHTS`)."""
    return bool(_find_roles(user.pk))


def permissions_of(roles: Iterable[str]) -> frozenset[str]:
    """Return the permissions that come with roles for the whole shop."""
    roles = set(roles)
    return frozenset(name for rule in TABLE.values() if rule.roles & roles for name in (*rule.needed, *rule.seen))


def _find_roles(user_id: int) -> tuple[HeldRole, ...]:
    by_hand = ShopRole.objects.filter(user_id=user_id).annotate(held=Cast("role", CharField()), where=F("course_id"))
    looked_after = CourseStaff.objects.filter(user_id=user_id).annotate(
        held=Value(COURSE_STAFF, output_field=CharField()), where=F("course_id")
    )
    named = Course.objects.filter(readable_id=OuterRef("course_key")).values("pk")[:1]
    by_sign_in = (
        GivenRight.objects.filter(user_id=user_id, kind=RightKind.ROLE, role__in=Role.values)
        .annotate(held=Cast("role", CharField()), where=Subquery(named, output_field=IntegerField()))
        # A key that names no course gives nothing: it must never come to mean the whole shop.
        .filter(Q(course_key="") | Q(where__isnull=False))
    )
    columns = ("held", "where")
    rows = (
        by_hand.order_by()
        .values_list(*columns)
        .union(looked_after.order_by().values_list(*columns), by_sign_in.values_list(*columns))
    )
    return tuple(sorted((HeldRole(*row) for row in rows), key=lambda each: (each.role, each.course_id or 0)))

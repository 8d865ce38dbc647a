"""Giving people roles in the shop, and taking them away. Both are logged on the person."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from courses.models import Course
from ecommerce.enums import Role
from ecommerce.errors.admin import AccountIsClosed
from ecommerce.models import ShopRole
from mitxonline.kernel import audit
from mitxonline.users.models import User

GIVEN, TAKEN = "ecommerce.role.give", "ecommerce.role.take"


def assign_role(*, user_id: int, role: Role, course_id: int | None, by_id: int | None, now: datetime) -> bool:
    """Give someone a role, for one course or the whole shop. Return whether it is new. Raises AccountIsClosed."""
    with transaction.atomic():
        person = User.objects.select_for_update(of=("self",), no_key=True).get(pk=user_id)
        if not person.is_active:
            raise AccountIsClosed(person=person.display_name)
        course = Course.objects.get(pk=course_id) if course_id is not None else None
        row, is_new = ShopRole.objects.get_or_create(
            user=person, role=role, course=course, defaults={"given_by_id": by_id, "given_at": now}
        )
        if is_new:
            _record(row, GIVEN, by_id=by_id)
    return is_new


def remove_role(*, role_id: int, by_id: int | None) -> ShopRole | None:
    """Take a role away and return it; None if it is gone already."""
    with transaction.atomic():
        row = ShopRole.objects.select_for_update(of=("self",)).filter(pk=role_id).first()
        if row is not None:
            _record(row, TAKEN, by_id=by_id)
            ShopRole.objects.filter(pk=role_id).delete()
    return row


def _record(row: ShopRole, action: str, *, by_id: int | None) -> None:
    course = row.course.readable_id if row.course is not None else ""
    audit.record(row.user, action, by_id=by_id, data={"role": row.role, "course": course})

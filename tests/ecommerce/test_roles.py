"""Roles in the shop: what each allows and where, and that they begin and end at once."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.contrib.auth.models import AnonymousUser, Group, Permission
from django.db import IntegrityError, transaction

from cms.services.groups import FINANCE, RIGHTS, ensure_group
from courses.models import Course, CourseStaff
from ecommerce.enums import Role
from ecommerce.models import ShopRole
from ecommerce.roles import COURSE_STAFF, TABLE, Action, may, may_somewhere, permissions_of, scope_of
from mitxonline.kernel import clock
from mitxonline.settings.parts.sso import _RIGHT
from mitxonline.users.backends import EmailBackend
from mitxonline.users.closing import close_account
from mitxonline.users.models import GivenRight, RightKind, User
from mitxonline.users.sso.rights import follow_roles, has_rights
from tests.factories import NOON, make_course, make_user
from tests.support.counting import queries

pytestmark = pytest.mark.django_db

ISSUER = "https://sso.example/realms/x"

# For finance administrators, sales administrators and course staff of a course: what they may do there, and the first
# two of the whole shop.
CELLS: dict[Action, tuple[bool, bool, bool]] = {
    Action.ORDER_VIEW: (True, True, False),
    Action.ORDER_REFUND: (True, False, False),
    Action.ORDER_FULFILL: (True, False, False),
    Action.ORDER_CANCEL: (True, False, False),
    Action.COUPON_VIEW: (True, True, True),
    Action.COUPON_CREATE: (True, True, True),
    Action.CODE_VIEW: (True, True, False),
    Action.CODE_CANCEL: (True, False, False),
    Action.INVOICE_VIEW: (True, True, False),
    Action.INVOICE_ISSUE: (True, True, False),
    Action.INVOICE_PAY: (True, False, False),
    Action.INVOICE_VOID: (True, False, False),
    Action.AUDIT_VIEW: (True, False, False),
    Action.REPORT_VIEW: (True, False, False),
    Action.REPORT_CODES: (True, True, False),
    Action.PRODUCT_PRICE: (True, False, False),
    Action.ENROLLMENT_CHANGE: (True, False, False),
    Action.SHOP_CONFIGURE: (True, False, False),
}
NEVER_OF_A_COURSE = {Action.PRODUCT_PRICE, Action.ENROLLMENT_CHANGE, Action.SHOP_CONFIGURE}


def give(user: User, role: str, course: Course | None = None) -> User:
    """Give the role, and return the user as the next request sees them."""
    if role == COURSE_STAFF:
        assert course is not None
        CourseStaff.objects.create(user=user, course=course)
    else:
        ShopRole.objects.create(user=user, role=role, course=course, given_at=NOON)
    return fresh(user)


def fresh(user: User) -> User:
    return User.objects.get(pk=user.pk)


def sign_in_with(user: User, *rights: str) -> User:
    follow_roles(user=user, issuer=ISSUER, roles={"r"}, mapping={"r": rights}, now=NOON)
    return fresh(user)


def test_the_table_has_a_cell_for_every_action() -> None:
    assert set(CELLS) == set(TABLE) == set(Action)


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize(("place", "role"), list(enumerate((Role.FINANCE_ADMIN, Role.SALES_ADMIN, COURSE_STAFF))))
def test_a_role_of_a_course_counts_there_and_nowhere_else(action: Action, place: int, role: str) -> None:
    mine, other = make_course(), make_course()
    user = give(make_user(), role, mine)
    expected = CELLS[action][place] and action not in NEVER_OF_A_COURSE
    assert may(user, action, mine.pk) is expected
    assert may_somewhere(user, action) is expected
    assert not may(user, action, other.pk)
    assert not may(user, action)


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize(("place", "role"), list(enumerate((Role.FINANCE_ADMIN, Role.SALES_ADMIN))))
def test_a_role_of_the_shop_counts_in_every_course(action: Action, place: int, role: str) -> None:
    course = make_course()
    user = give(make_user(), role)
    expected = CELLS[action][place]
    assert may(user, action) is expected
    assert may(user, action, course.pk) is expected
    assert may_somewhere(user, action) is expected
    assert user.has_perms(TABLE[action].needed) is expected, "pages that ask for permissions say the same"


@pytest.mark.parametrize("action", Action)
def test_superusers_may_everything_and_others_nothing(action: Action) -> None:
    course = make_course()
    assert may(make_user(is_superuser=True), action)
    for nobody in (make_user(), make_user(is_superuser=True, is_active=False), AnonymousUser()):
        assert not may(nobody, action)
        assert not may(nobody, action, course.pk)
        assert not may_somewhere(nobody, action)


def test_the_group_finance_is_the_role_of_the_whole_shop() -> None:
    ensure_group(RIGHTS[FINANCE], pages=[], renew=True)
    group = Group.objects.get(name=FINANCE)
    user = make_user()
    user.groups.add(group)
    for action in Action:
        # Part of these is made by the pages about invoices.
        missing = {name for name in TABLE[action].needed if not Permission.objects.filter(codename=name.split(".")[1])}
        assert may(fresh(user), action) or missing, action
    assert set(RIGHTS[FINANCE].permissions) == {"wagtailadmin.access_admin", *permissions_of([Role.FINANCE_ADMIN])}


def test_roles_add_up() -> None:
    mine, theirs = make_course(), make_course()
    user = give(give(make_user(), Role.SALES_ADMIN, mine), Role.FINANCE_ADMIN, theirs)
    assert scope_of(user, Action.INVOICE_ISSUE).courses == {mine.pk, theirs.pk}
    assert scope_of(user, Action.ORDER_REFUND).courses == {theirs.pk}
    assert scope_of(user, Action.ORDER_REFUND).has_all([theirs.pk])
    assert not scope_of(user, Action.ORDER_REFUND).has_all([theirs.pk, mine.pk])
    assert not scope_of(user, Action.ORDER_REFUND).has_all([theirs.pk, None]), "None: a line of a program"
    assert not scope_of(user, Action.ORDER_REFUND).has_all([])


def test_any_role_opens_the_wagtail_admin_and_nothing_else() -> None:
    course = make_course()
    for role in (Role.FINANCE_ADMIN, Role.SALES_ADMIN):
        assert give(make_user(), role, course).get_all_permissions() == {"wagtailadmin.access_admin"}
    assert not make_user().has_perm("wagtailadmin.access_admin")
    sales = give(make_user(), Role.SALES_ADMIN)
    assert sales.has_perm("ecommerce.issue_invoice")
    assert not sales.has_perm("ecommerce.refund_order")
    assert not sales.has_perm("ecommerce.refund_order", obj=course)


def test_a_role_is_read_once_per_request() -> None:
    user = give(make_user(), Role.FINANCE_ADMIN, make_course())
    # Two of them are Django's, for the permissions of the user and of the groups.
    with queries(3):
        for action in Action:
            may_somewhere(user, action)


def test_the_database_keeps_one_row_per_role_and_place() -> None:
    course, user = make_course(), make_user()
    for place in (course, None):
        give(user, Role.SALES_ADMIN, place)
        with pytest.raises(IntegrityError), transaction.atomic():
            give(user, Role.SALES_ADMIN, place)
    with pytest.raises(IntegrityError), transaction.atomic():
        give(user, "owner")


class TestBySignIn:
    def test_a_role_at_the_provider_is_one_here(self) -> None:
        user = sign_in_with(make_user(), "sales_admin")
        assert may(user, Action.INVOICE_ISSUE)
        assert not may(user, Action.ORDER_REFUND)
        assert has_rights(user)
        assert not may(sign_in_with(user, "Editors"), Action.INVOICE_ISSUE)

    def test_for_one_course(self) -> None:
        mine, other = make_course(), make_course()
        user = sign_in_with(make_user(), f"finance_admin@{mine.readable_id}", f"sales_admin@{other.readable_id}")
        assert scope_of(user, Action.ORDER_REFUND).courses == {mine.pk}
        assert scope_of(user, Action.INVOICE_ISSUE).courses == {mine.pk, other.pk}
        user = sign_in_with(user, f"sales_admin@{other.readable_id}")
        assert not may_somewhere(user, Action.ORDER_REFUND)

    def test_a_course_that_does_not_exist_gives_nothing(self) -> None:
        user = sign_in_with(make_user(), "finance_admin@course-v1:X+404")
        assert not any(may_somewhere(user, action) for action in Action)

    def test_it_ends_twelve_hours_after_the_last_sign_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        user, backend = make_user(), EmailBackend()
        sign_in_with(user, "finance_admin")
        monkeypatch.setattr(clock, "now", lambda: NOON + timedelta(hours=11, minutes=59))
        assert may(backend.get_user(user.pk), Action.ORDER_REFUND)
        monkeypatch.setattr(clock, "now", lambda: NOON + timedelta(hours=12))
        assert not may(backend.get_user(user.pk), Action.ORDER_REFUND)
        assert not GivenRight.objects.exists()

    def test_a_role_by_hand_outlives_the_one_by_sign_in(self) -> None:
        user = give(make_user(), Role.FINANCE_ADMIN)
        user = sign_in_with(user, "finance_admin")
        assert GivenRight.objects.filter(user=user, kind=RightKind.ROLE).count() == 1
        assert may(sign_in_with(user, "Editors"), Action.ORDER_REFUND)

    def test_the_settings_can_name_a_course(self) -> None:
        assert set(django_settings.SIGN_IN_SHOP_ROLES) == set(Role.values)
        text = "Finance+finance_admin@course-v1:X+101+sales_admin@course-v1:X+2.02+staff"
        assert _RIGHT.findall(text) == [
            "Finance", "finance_admin@course-v1:X+101", "sales_admin@course-v1:X+2.02", "staff",
        ]  # fmt: skip


def test_a_role_proves_that_an_account_has_rights() -> None:
    user = make_user()
    assert not has_rights(user)
    assert has_rights(give(user, Role.SALES_ADMIN, make_course()))


def test_deleting_the_account_takes_its_roles() -> None:
    user, other = make_user(), make_user()
    for each in (user, other):
        give(give(each, Role.SALES_ADMIN, make_course()), Role.FINANCE_ADMIN)
    close_account(user_id=user.pk, now=clock.now(), by_id=None)
    assert set(ShopRole.objects.values_list("user", flat=True)) == {other.pk}
    with pytest.raises(IntegrityError), transaction.atomic():
        give(user, Role.FINANCE_ADMIN)


def test_finance_of_existing_sites_gets_the_new_rights_once() -> None:
    migration = import_module("cms.migrations.0009_finance_may_invoice_and_report")
    ensure_group(RIGHTS[FINANCE], pages=[], renew=True)
    group = Group.objects.get(name=FINANCE)
    new = {
        "cancel_code",
        "issue_invoice",
        "pay_invoice",
        "void_invoice",
        "view_audit",
        "view_report",
        "view_codereport",
    }
    group.permissions.remove(*Permission.objects.filter(codename__in=new))
    migration.give_new_rights(apps, None)
    names = set(group.permissions.values_list("codename", flat=True))
    assert names >= new | {"view_invoice", "refund_order"}
    group.permissions.clear()
    migration.give_new_rights(apps, None)
    assert not group.permissions.exists(), "a group of this name that isn't ours"

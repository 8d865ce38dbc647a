from io import StringIO

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command

from mitxonline.users.models import User

pytestmark = pytest.mark.django_db


def promote(*arguments: str) -> list[str]:
    out = StringIO()
    call_command("promote_user", *arguments, stdout=out)
    return out.getvalue().splitlines()


@pytest.fixture
def finance() -> Group:
    return Group.objects.create(name="Finance")


def test_rights_are_given_and_reported(ada: User, finance: Group) -> None:
    assert promote("ADA@example.org", "--superuser", "--group", "Finance") == [
        "ada@example.org becomes staff.",
        "ada@example.org becomes superuser.",
        "ada@example.org joins the group Finance.",
    ]
    ada.refresh_from_db()
    assert (ada.is_staff, ada.is_superuser, ada.groups.get()) == (True, True, finance)


def test_the_second_time_there_is_nothing_to_do(ada: User, finance: Group) -> None:
    promote("ada@example.org", "--staff", "--group", "Finance", "--group", "Finance")
    assert promote("ada@example.org", "--staff", "--group", "Finance") == ["ada@example.org: nothing to change."]


def test_a_dry_run_changes_nothing(ada: User) -> None:
    assert promote("ada@example.org", "--staff", "--dry-run") == ["ada@example.org becomes staff."]
    ada.refresh_from_db()
    assert not ada.is_staff


def test_rights_are_taken_away(ada: User, finance: Group) -> None:
    promote("ada@example.org", "--superuser", "--group", "Finance")
    assert promote("ada@example.org", "--superuser", "--group", "Finance", "--revoke") == [
        "ada@example.org is no longer superuser.",
        "ada@example.org leaves the group Finance.",
    ]
    ada.refresh_from_db()
    assert (ada.is_staff, ada.is_superuser, ada.groups.count()) == (True, False, 0)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nobody@example.org", "--staff"], "No one has the address nobody@example.org"),
        (["ada@example.org"], "Say which rights"),
        (["ada@example.org", "--group", "Finanz"], "There is no group Finanz. Known groups: "),
    ],
)
def test_errors_are_reported_in_a_sentence(ada: User, arguments: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        promote(*arguments)
    ada.refresh_from_db()
    assert not ada.is_staff

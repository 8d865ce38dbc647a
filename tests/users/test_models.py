import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from mitxonline.kernel.db import run_sql
from mitxonline.users.models import User


def test_this_is_the_user_model() -> None:
    assert get_user_model() is User


@pytest.mark.django_db
def test_an_address_is_kept_in_lower_case_however_it_came() -> None:
    made = User.objects.create_user(" Ada@Example.ORG ")
    assert made.email == "ada@example.org"
    made.email = "ADA@Example.org"
    made.save()
    made.refresh_from_db()
    assert made.email == "ada@example.org"


@pytest.mark.django_db
def test_one_address_is_one_person() -> None:
    User.objects.create_user("ada@example.org")
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create_user("ADA@example.org")


@pytest.mark.django_db
def test_the_database_itself_ignores_case() -> None:
    User.objects.create_user("ada@example.org")
    other = User.objects.create_user("grace@example.org")
    with pytest.raises(IntegrityError, match="user_email_once"), transaction.atomic():
        run_sql("UPDATE users_user SET email = 'ADA@example.org' WHERE id = %s", [other.pk])


@pytest.mark.django_db
def test_a_user_saved_without_normalization_is_still_found() -> None:
    made = User.objects.create_user("ada@example.org")
    run_sql("UPDATE users_user SET email = 'Ada@Example.org'")
    assert User.objects.with_email("aDA@example.org").get() == made
    assert User.objects.get_by_natural_key("ada@EXAMPLE.org") == made


@pytest.mark.django_db
def test_a_second_account_is_refused_with_a_sentence() -> None:
    User.objects.create_user("ada@example.org")
    with pytest.raises(ValidationError, match="There is already an account"):
        User(email="Ada@example.org", password="x").full_clean()


@pytest.mark.parametrize("email", ["", "  "])
def test_a_user_needs_an_address(email: str) -> None:
    with pytest.raises(ValueError, match="needs an e-mail address"):
        User.objects.create_user(email)


@pytest.mark.django_db
def test_an_account_without_a_password_accepts_none() -> None:
    assert not User.objects.create_user("ada@example.org").has_usable_password()


@pytest.mark.django_db
def test_a_superuser_may_do_everything() -> None:
    root = User.objects.create_superuser("root@example.org", "secret")
    assert (root.is_staff, root.is_superuser, root.has_perm("users.change_user")) == (True, True, True)


@pytest.mark.parametrize(
    ("name", "first", "last", "initials", "shown"),
    [
        ("Ada Lovelace", "Ada", "Lovelace", "AL", "Ada Lovelace"),
        ("  Ada   King  Lovelace ", "Ada", "King Lovelace", "AL", "  Ada   King  Lovelace "),
        ("King Lovelace, Ada", "Ada", "King Lovelace", "AL", "King Lovelace, Ada"),
        ("ada", "ada", "", "A", "ada"),
        ("", "ada.l", "", "A", "ada.l@example.org"),
        ("Émile", "Émile", "", "É", "Émile"),
    ],
)
def test_names_and_initials_of_a_user(name: str, first: str, last: str, initials: str, shown: str) -> None:
    person = User(email="ada.l@example.org", name=name)
    assert (person.first_name, person.last_name, person.display_initials) == (first, last, initials)
    assert (person.display_name, person.get_short_name(), person.get_full_name()) == (shown, first, name)
    assert str(person) == "ada.l@example.org"

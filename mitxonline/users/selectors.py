"""People as others may find them."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from mitxonline.kernel.errors import Forbidden, NotFound
from mitxonline.users.models import User

VIEW_PEOPLE = "users.view_user"


def search_people(words: str, *, viewer: User) -> QuerySet[User]:
    """Return the people whose name or address has every word, deleted accounts excepted. Raises Forbidden."""
    if not viewer.has_perm(VIEW_PEOPLE):
        raise Forbidden
    people = User.objects.filter(closed_at=None).order_by("name", "email", "pk")
    for word in words.split():
        people = people.filter(Q(email__icontains=word) | Q(name__icontains=word))
    return people


def find_person(pk: int, *, viewer: User) -> User:
    """Return oneself, or for staff anyone. Raises NotFound for everyone else, whether or not there is such a person."""
    if pk == viewer.pk:
        return viewer
    person = User.objects.filter(pk=pk, closed_at=None).first() if viewer.has_perm(VIEW_PEOPLE) else None
    if person is None:
        raise NotFound
    return person

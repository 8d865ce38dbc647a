"""Who a request's session belongs to: with no right that a role gave and no sign-in has proved in time."""

from __future__ import annotations

from typing import Any

from django.db.models import OuterRef, Subquery

from mitxonline.kernel import clock
from mitxonline.users.models import GivenRight, User
from mitxonline.users.sso.rights import end_overdue_rights, is_overdue


class ProvenRights:
    """For every backend a session may name.

    Rights are flags of the account, so a session older than the role would have them for as long as it lives. The sweep
    may be late or stopped; this looks with the query that fetches the person.
    """

    def get_user(self, user_id: Any) -> User | None:
        """The person, if they are switched on."""
        first = GivenRight.objects.filter(user=OuterRef("pk")).order_by("proved_at").values("proved_at")[:1]
        people = User.objects.annotate(first_proved_at=Subquery(first)).filter(pk=user_id, is_active=True)
        user, now = people.first(), clock.now()
        if user is None or not is_overdue(user.first_proved_at, now=now):
            return user
        end_overdue_rights(now=now, user_id=user.pk)
        return people.first()

"""What accounts tell on timelines: when they began, and the sign-ins connected with them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db.models import OuterRef
from django.urls import reverse
from django.utils.translation import gettext as _
from social_django.models import UserSocialAuth

from mitxonline.kernel.text import normalize_email
from mitxonline.kernel.timeline import Entry, EntryKind, Scope, Source, Subject, SubjectKind, Viewer, nest_rows
from mitxonline.users.models import EmailChange, User


class AccountsSource(Source):
    def find(self, text: str) -> Iterator[Subject]:
        if "@" in text:
            yield from map(_subject_of, User.objects.filter(email=normalize_email(text)))

    def get(self, kind: SubjectKind, key: str) -> Subject | None:
        person = User.objects.filter(pk=key).first() if kind == SubjectKind.PERSON and key.isdecimal() else None
        return _subject_of(person) if person is not None else None

    def may_see(self, subject: Subject, viewer: Viewer) -> bool:
        return subject.kind == SubjectKind.PERSON and viewer.may("users.view_user")

    def tell(self, scope: Scope) -> Iterator[Entry]:
        if not scope.is_about(SubjectKind.PERSON):
            return
        person: Any = User.objects.annotate(**_NESTED).get(pk=scope.subject.pk)
        scope.add("person", [person.pk])
        scope.add("address", [person.email])
        scope.expect_log(User, {person.pk: scope.viewer.name_person(person)})
        scope.expect_event("user_id", [person.pk])
        scope.expect_event("purchaser_id", [person.pk])
        yield Entry(at=person.date_joined, kind=EntryKind.ACCOUNT, sentence=_("The account was created."))
        if person.email_verified_at is not None:
            sentence = _("The e-mail address was confirmed.")
            yield Entry(at=person.email_verified_at, kind=EntryKind.ACCOUNT, sentence=sentence)
        if person.last_login is not None:
            yield Entry(at=person.last_login, kind=EntryKind.ACCOUNT, sentence=_("They last signed in."))
        for row in person.connection_rows:
            sentence = _("A sign-in through %(provider)s was connected.") % {"provider": row["provider"]}
            yield Entry(at=datetime.fromisoformat(row["at"]), kind=EntryKind.ACCOUNT, sentence=sentence)
        for row in person.change_rows:
            sentence = _("A change of the e-mail address was requested; both addresses have to confirm it.")
            yield Entry(at=datetime.fromisoformat(row["at"]), kind=EntryKind.ACCOUNT, sentence=sentence)


_NESTED = {
    "connection_rows": nest_rows(UserSocialAuth.objects.filter(user=OuterRef("pk")), provider="provider", at="created"),
    "change_rows": nest_rows(EmailChange.objects.filter(user=OuterRef("pk")), at="asked_at"),
}


def _subject_of(person: User) -> Subject:
    url = reverse("wagtailusers_users:edit", args=[person.pk])
    return Subject(SubjectKind.PERSON, str(person.pk), name=person.display_name, url=url)


ACCOUNTS = AccountsSource()

"""What Wagtail's log tells on timelines: who did what, why, and which e-mails the mail server accepted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db.models import Q
from django.utils.translation import gettext as _
from wagtail.models import ModelLogEntry, Page, PageLogEntry

from mitxonline.kernel import audit
from mitxonline.kernel.mail import MAIL_SENT
from mitxonline.kernel.timeline import Entry, EntryKind, Scope, Source

# What an entry's action begins with, and the kind of what it tells of. The longest beginning counts.
KINDS: Mapping[str, EntryKind] = {
    "ecommerce.notice": EntryKind.PAYMENT,
    "ecommerce.order": EntryKind.ORDER,
    "ecommerce.refund": EntryKind.REFUND,
    "ecommerce.invoice": EntryKind.INVOICE,
    "ecommerce.customer": EntryKind.INVOICE,
    "ecommerce.discount": EntryKind.CODE,
    "b2b.code": EntryKind.CODE,
    "b2b.invitation": EntryKind.CODE,
    "b2b": EntryKind.SEAT,
    "coordinator": EntryKind.WORK,
    "wagtail": EntryKind.SEAT,
    MAIL_SENT: EntryKind.MAIL,
}
PROBLEMS = frozenset({"ecommerce.refund.fail", "ecommerce.refund.differ", "b2b.seat.withdraw"})
# Never told: an editor's every save.
QUIET = frozenset({"wagtail.edit"})


class LogSource(Source):
    def tell(self, scope: Scope) -> Iterator[Entry]:
        pages = {pk for model, keys in scope.logged.items() if issubclass(model, Page) for pk in keys}
        models = {model: keys for model, keys in scope.logged.items() if not issubclass(model, Page) and keys}
        if models:
            types = ContentType.objects.get_for_models(*models)
            wanted = Q()
            for model, keys in models.items():
                wanted |= Q(content_type=types[model], object_id__in=[str(pk) for pk in keys])
            rows = ModelLogEntry.objects.filter(wanted).exclude(action__in=scope.said).select_related("user")
            readers = {types[model].pk: keys for model, keys in models.items()}
            for row in scope.read(rows, "log"):
                yield _tell(row, scope, reader=readers[row.content_type_id].get(int(row.object_id), ""))
        if pages:
            about = PageLogEntry.objects.filter(page__in=pages).exclude(action__in=QUIET | scope.said)
            for row in scope.read(about.select_related("user"), "log"):
                yield _tell(row, scope)


def _tell(row: Any, scope: Scope, *, reader: str = "") -> Entry:
    data: Mapping[str, Any] = row.data or {}
    if row.action == MAIL_SENT:
        words = {"subject": data.get("subject", ""), "reader": reader or _("its reader")}
        sentence = _("“%(subject)s” was e-mailed to %(reader)s: the mail server accepted it.") % words
    else:
        sentence = f"{row.message}."
    details = [str(data[key]) for key in ("reason", "amount", "failure", "way") if data.get(key)]
    beginnings = [each for each in KINDS if row.action.startswith(each)]
    return Entry(
        at=row.timestamp,
        kind=KINDS[max(beginnings, key=len)] if beginnings else EntryKind.ACCOUNT,
        sentence=sentence,
        details=tuple(details),
        person=scope.viewer.name_person(row.user),
        trace_id=str(data.get(audit.TRACE, "")),
        is_problem=row.action in PROBLEMS,
    )


LOG = LogSource()

"""Publishes and unpublishes what is due. A page that can't be published doesn't hold up the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _
from wagtail.models import DraftStateMixin, Page, PageLogEntry, Revision

from mitxonline.kernel.audit import record
from mitxonline.kernel.errors import DomainError

logger = logging.getLogger(__name__)

NOT_PUBLISHED = "cms.publish.late"


def publish_due(*, now: datetime) -> None:
    """Unpublish what has expired, then publish what is due. What fails is tried again the next time."""
    for expired in _find_expired(now):
        _try(expired, partial(_expire, expired, now))
    for revision in Revision.objects.filter(approved_go_live_at__lt=now).order_by("approved_go_live_at", "pk"):
        _try(revision.content_object, partial(_publish, revision.pk, now))


def _find_expired(now: datetime) -> Iterator[Any]:
    others = (
        model for model in apps.get_models() if issubclass(model, DraftStateMixin) and not issubclass(model, Page)
    )
    for model in (Page, *others):
        yield from list(model.objects.filter(live=True, expire_at__lt=now).order_by("expire_at", "pk"))


def _publish(revision_id: int, now: datetime) -> None:
    # Meanwhile an editor may have taken it off the schedule, or another worker has published it.
    if (revision := Revision.objects.filter(pk=revision_id, approved_go_live_at__lt=now).first()) is not None:
        revision.publish(log_action="wagtail.publish.scheduled")


def _expire(instance: Any, now: datetime) -> None:
    instance = type(instance).objects.filter(pk=instance.pk, live=True, expire_at__lt=now).first()
    if instance is None:
        return
    # Unpublishing clears every schedule. Whoever lets a page expire on Monday and go live on Friday means both.
    scheduled = list(instance.revisions.filter(approved_go_live_at__isnull=False))
    instance.unpublish(set_expired=True, log_action="wagtail.unpublish.scheduled")
    Revision.objects.bulk_update(scheduled, ["approved_go_live_at"])


def _try(instance: Any, change: Callable[[], Any]) -> None:
    """Make one change and record why it failed. Whatever it is, those after it have their time too."""
    try:
        with transaction.atomic():
            change()
    except (ValidationError, DomainError) as refusal:
        why = " ".join(refusal.messages) if isinstance(refusal, ValidationError) else str(refusal)
        logger.warning("not published in time", extra={"page": instance.pk, "reason": why})
        _record_once(instance, why)
    except Exception:
        logger.exception("not published in time", extra={"page": instance.pk})
        _record_once(instance, _("something went wrong, which is in the log."))


def _record_once(instance: Any, why: str) -> None:
    """Tell it in the page's history, and not again every minute."""
    if not isinstance(instance, Page):
        return
    last = PageLogEntry.objects.filter(page=instance.pk).order_by("-timestamp", "-pk").first()
    if last is None or last.action != NOT_PUBLISHED or last.data.get("why") != why:
        record(instance, NOT_PUBLISHED, by_id=None, data={"why": why})

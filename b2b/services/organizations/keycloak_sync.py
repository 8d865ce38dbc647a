"""Synchronizing organizations with those of Keycloak: each becomes a page here, found again by its id."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from django.db import DatabaseError, transaction
from django.utils.text import slugify

from b2b.enums import SyncState
from b2b.errors.organizations import (
    KeycloakShowsNone,
    LinkedToAnother,
    LooksLikeAnother,
    OrganizationUnknown,
    OrgKeyImpossible,
    SimilarOrganization,
)
from b2b.gateways.keycloak import RemoteOrganization, keycloak_id_of, read_organization
from b2b.models import KeycloakOrganization, KeycloakSync, OrganizationPage
from b2b.services.contracts.contracts import as_rich_text, refuse_over_draft
from b2b.services.contracts.pages import add_child, lock_page, publish_changed, publish_new
from b2b.services.organizations.organizations import (
    ensure_organization_index,
    find_organization,
    new_org_key,
    refuse_if_similar,
)
from mitxonline.kernel import clock
from mitxonline.kernel.db import named_lock
from mitxonline.kernel.errors import DomainError

logger = logging.getLogger(__name__)

LOCK = "b2b.keycloak_sync"


class SyncOutcome(StrEnum):
    """What the synchronization did, or would do, with an organization."""

    CREATED = "created"
    LINKED = "linked"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    DISABLED = "disabled"
    GONE = "gone"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class SyncLine:
    """An organization with its outcome; ``page_id`` is None where it has no page."""

    outcome: SyncOutcome
    alias: str
    name: str
    page_id: int | None = None
    org_key: str = ""
    sentence: str = ""


@dataclass(slots=True)
class SyncReport:
    """What a synchronization did, or would do."""

    lines: list[SyncLine] = field(default_factory=list)

    def with_outcome(self, outcome: SyncOutcome) -> list[SyncLine]:
        return [line for line in self.lines if line.outcome == outcome]

    def page_ids(self, outcome: SyncOutcome) -> list[int]:
        return [line.page_id for line in self.with_outcome(outcome) if line.page_id is not None]


class ListsOrganizations(Protocol):
    """The part of ``KeycloakGateway`` that this needs."""

    def organizations(self) -> list[Any]:
        """All organizations, as Keycloak describes them."""


def sync_organizations(
    *,
    keycloak: ListsOrganizations,
    now: datetime,
    links: Mapping[str, str] | None = None,
    dry_run: bool = False,
    all_gone: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> SyncReport:
    """Create and update a page for each organization of Keycloak, and report those that are gone.

    The key of an organization never changes. ``links`` maps an alias in Keycloak to an organization here. An
    organization that can't be synchronized is reported, and the others go on. A dry run writes nothing; every other run
    is recorded. An empty list is believed only with ``all_gone`` if organizations were known: a service account without
    the role to see them gets an empty list too. Only one synchronization runs at a time. Raises KeycloakShowsNone,
    LockTaken, and what the gateway raises.
    """
    with named_lock(LOCK, "all", wait=False):
        if dry_run:
            return _sync(
                _list_organizations(keycloak, all_gone=all_gone),
                links=links or {},
                now=now,
                act=False,
                progress=progress,
            )
        record = KeycloakSync.objects.create(started_at=now)
        try:
            raws = _list_organizations(keycloak, all_gone=all_gone)
        except DomainError as refusal:
            record.state, record.problems, record.finished_at = SyncState.FAILED, [str(refusal)], clock.now()
            record.save()
            raise
        ensure_organization_index()
        report = _sync(raws, links=links or {}, now=now, act=True, progress=progress)
        _save_record(record, report, found=len(raws))
        return report


def count_known_organizations() -> int:
    return KeycloakOrganization.objects.filter(gone_since__isnull=True).count()


def refuse_if_none(raws: Sequence[Any]) -> None:
    """Raise KeycloakShowsNone for an empty list where organizations were known."""
    if not raws and (known := count_known_organizations()):
        raise KeycloakShowsNone(known=known)


def _list_organizations(keycloak: ListsOrganizations, *, all_gone: bool) -> list[Any]:
    raws = keycloak.organizations()
    if not all_gone:
        refuse_if_none(raws)
    return raws


def _sync(
    raws: Sequence[Any],
    *,
    links: Mapping[str, str],
    now: datetime,
    act: bool,
    progress: Callable[[int, int], None],
) -> SyncReport:
    report = SyncReport()
    for number, raw in enumerate(raws, start=1):
        report.lines.append(_sync_one(raw, links=links, now=now, act=act))
        progress(number, len(raws))
    report.lines += _unused_links(raws, links)
    report.lines += _missing_organizations({keycloak_id_of(raw) for raw in raws}, now=now, act=act)
    return report


# --- One organization -----------------------------------------------------------------------------------------------


def _sync_one(raw: Any, *, links: Mapping[str, str], now: datetime, act: bool) -> SyncLine:
    """Synchronize one organization in its own transaction: what goes wrong is reported on its line."""
    remote = None
    try:
        remote = read_organization(raw)
        with transaction.atomic():
            line = _match_and_sync(remote, link=links.get(remote.alias, ""), now=now, act=act)
    except DomainError as refusal:
        return _problem(remote, str(refusal))
    except DatabaseError as error:
        logger.exception("organization of Keycloak not synchronized")
        return _problem(remote, type(error).__name__)
    return line


def _match_and_sync(remote: RemoteOrganization, *, link: str, now: datetime, act: bool) -> SyncLine:
    known = KeycloakOrganization.objects.filter(keycloak_id=remote.keycloak_id).select_related("organization").first()
    if known is not None:
        return _update(known.organization, remote, SyncOutcome.UNCHANGED, now=now, act=act)
    ours = find_organization(link) if link else _find_unlinked(remote.alias)
    if ours is not None:
        _refuse_if_linked(ours)
        return _update(ours, remote, SyncOutcome.LINKED, now=now, act=act)
    if not remote.enabled:
        return _line(SyncOutcome.DISABLED, remote)
    return _create(remote, now=now, act=act)


def _find_unlinked(alias: str) -> OrganizationPage | None:
    """Find the organization that has this alias as its key and isn't linked to Keycloak yet."""
    found: OrganizationPage | None = OrganizationPage.objects.filter(org_key=alias, keycloak__isnull=True).first()
    return found


def _refuse_if_linked(ours: OrganizationPage) -> None:
    """Raise LinkedToAnother, unless the linked organization is gone: recreated in Keycloak it has a new id."""
    linked = KeycloakOrganization.objects.filter(organization=ours).first()
    if linked is not None and linked.gone_since is None:
        raise LinkedToAnother(organization=ours.name, alias=linked.alias)


def _create(remote: RemoteOrganization, *, now: datetime, act: bool) -> SyncLine:
    try:
        refuse_if_similar(remote.name)
    except SimilarOrganization as refusal:
        similar = OrganizationPage.objects.get(pk=refusal.organization_id)
        raise LooksLikeAnother(alias=remote.alias, organization=similar.name, key=similar.org_key) from refusal
    key = _key_for(remote)
    if not act:
        return _line(SyncOutcome.CREATED, remote, org_key=key)
    index = ensure_organization_index()
    page = add_child(
        parent_id=index.pk,
        make=lambda: OrganizationPage(
            title=remote.name,
            name=remote.name,
            description=as_rich_text(remote.description),
            org_key=key,
            slug="" if slugify(remote.name) else slugify(key),
            live=False,
        ),
    )
    publish_new(page, user=None)
    _save_link(page.pk, remote, now=now)
    return _line(SyncOutcome.CREATED, remote, page_id=page.pk, org_key=key)


def _key_for(remote: RemoteOrganization) -> str:
    """Make a key of the alias, or of the name where no letter of the alias may be in a course key."""
    try:
        return new_org_key(remote.alias)
    except OrgKeyImpossible:
        return new_org_key(remote.name)


def _update(
    page: OrganizationPage, remote: RemoteOrganization, unchanged: SyncOutcome, *, now: datetime, act: bool
) -> SyncLine:
    """Publish the page with Keycloak's name and description where they differ. A page that isn't live stays as it is.

    ``unchanged`` is the outcome where nothing is published.
    """
    changes = _changes(page, remote) if page.live and remote.enabled else {}
    if not remote.enabled:
        outcome = SyncOutcome.DISABLED
    elif changes and unchanged is not SyncOutcome.LINKED:
        outcome = SyncOutcome.UPDATED
    else:
        outcome = unchanged
    line = _line(outcome, remote, page_id=page.pk, org_key=page.org_key)
    if act:
        _save_link(page.pk, remote, now=now)
    if not changes:
        return line
    if act:
        lock_page(page.pk)
    page = OrganizationPage.objects.get(pk=page.pk)
    refuse_over_draft(page)
    if act:
        for name, value in changes.items():
            setattr(page, name, value)
        publish_changed(page, user=None)
    return line


def _changes(page: OrganizationPage, remote: RemoteOrganization) -> dict[str, str]:
    wanted = {"name": remote.name}
    if page.title == page.name:
        wanted["title"] = remote.name
    if remote.description:
        wanted["description"] = as_rich_text(remote.description)
    return {name: value for name, value in wanted.items() if getattr(page, name) != value}


def _save_link(page_id: int, remote: RemoteOrganization, *, now: datetime) -> None:
    KeycloakOrganization.objects.update_or_create(
        organization_id=page_id,
        defaults={
            "keycloak_id": remote.keycloak_id,
            "alias": remote.alias,
            "enabled": remote.enabled,
            "seen_at": now,
            "gone_since": None,
        },
    )


# --- Organizations that are gone, and the record ---------------------------------------------------------------------


def _missing_organizations(seen: set[UUID | None], *, now: datetime, act: bool) -> Iterator[SyncLine]:
    """Report organizations that are no longer in Keycloak. Their pages, contracts and members stay."""
    missing = KeycloakOrganization.objects.exclude(keycloak_id__in=[each for each in seen if each is not None])
    if act:
        missing.filter(gone_since__isnull=True).update(gone_since=now)
    for each in missing.select_related("organization").order_by("pk"):
        yield SyncLine(
            outcome=SyncOutcome.GONE,
            alias=each.alias,
            name=each.organization.name,
            page_id=each.organization_id,
            org_key=each.organization.org_key,
        )


def _unused_links(raws: Sequence[Any], links: Mapping[str, str]) -> Iterator[SyncLine]:
    aliases = [raw.get("alias") for raw in raws if isinstance(raw, dict)]
    for alias, organization in links.items():
        if alias not in aliases:
            yield SyncLine(
                SyncOutcome.PROBLEM, alias=alias, name=organization, sentence=str(OrganizationUnknown(text=alias))
            )


def _line(
    outcome: SyncOutcome, remote: RemoteOrganization, *, page_id: int | None = None, org_key: str = ""
) -> SyncLine:
    return SyncLine(outcome=outcome, alias=remote.alias, name=remote.name, page_id=page_id, org_key=org_key)


def _problem(remote: RemoteOrganization | None, sentence: str) -> SyncLine:
    return SyncLine(
        outcome=SyncOutcome.PROBLEM,
        alias=remote.alias if remote else "",
        name=remote.name if remote else "",
        sentence=sentence,
    )


def _save_record(record: KeycloakSync, report: SyncReport, *, found: int) -> None:
    record.found = found
    record.created = report.page_ids(SyncOutcome.CREATED)
    record.linked = report.page_ids(SyncOutcome.LINKED)
    record.updated = report.page_ids(SyncOutcome.UPDATED)
    record.disabled = report.page_ids(SyncOutcome.DISABLED)
    record.gone = report.page_ids(SyncOutcome.GONE)
    record.problems = [line.sentence for line in report.with_outcome(SyncOutcome.PROBLEM)]
    record.state = SyncState.PROBLEMS if record.problems else SyncState.DONE
    record.finished_at = clock.now()
    record.save()

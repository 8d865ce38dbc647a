"""Organizations that are kept in Keycloak become pages here, found again by their id."""

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


class Outcome(StrEnum):
    """What the synchronization did, or would do, with one organization."""

    CREATED = "created"
    LINKED = "linked"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    DISABLED = "disabled"
    GONE = "gone"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Line:
    """One organization and what came of it; ``page_id`` is None where there is no page (yet)."""

    outcome: Outcome
    alias: str
    name: str
    page_id: int | None = None
    org_key: str = ""
    sentence: str = ""


@dataclass(slots=True)
class SyncReport:
    """What one run did, or would do."""

    lines: list[Line] = field(default_factory=list)

    def of(self, outcome: Outcome) -> list[Line]:
        """The organizations of which this is true."""
        return [line for line in self.lines if line.outcome == outcome]

    def pages(self, outcome: Outcome) -> list[int]:
        """Their pages."""
        return [line.page_id for line in self.of(outcome) if line.page_id is not None]


class ListsOrganizations(Protocol):
    """What the synchronization needs of Keycloak."""

    def organizations(self) -> list[Any]:
        """All of them, as Keycloak describes them."""


def sync_organizations(
    *,
    keycloak: ListsOrganizations,
    now: datetime,
    links: Mapping[str, str] | None = None,
    dry_run: bool = False,
    all_gone: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> SyncReport:
    """Create and update a page for each organization of Keycloak, and report those that are gone; one at a time.

    The key of an organization never changes. ``links`` says for an alias which organization here it is. One that can't
    be brought in line is reported, and the rest go on. A dry run writes nothing. Otherwise there is one record of
    each run. An empty list where organizations were known is believed with ``all_gone`` alone: an account without the
    role to see them is shown one too. Raises KeycloakShowsNone, LockTaken, and what asking Keycloak raises.
    """
    with named_lock(LOCK, "all", wait=False):
        if dry_run:
            return _sync(_listed(keycloak, all_gone=all_gone), links=links or {}, now=now, act=False, progress=progress)
        record = KeycloakSync.objects.create(started_at=now)
        try:
            raws = _listed(keycloak, all_gone=all_gone)
        except DomainError as refusal:
            record.state, record.problems, record.finished_at = SyncState.FAILED, [str(refusal)], clock.now()
            record.save()
            raise
        ensure_organization_index()
        report = _sync(raws, links=links or {}, now=now, act=True, progress=progress)
        _write_down(record, report, found=len(raws))
        return report


def known_organizations() -> int:
    """How many organizations of Keycloak are known here and not gone."""
    return KeycloakOrganization.objects.filter(gone_since__isnull=True).count()


def refuse_if_none(raws: Sequence[Any]) -> None:
    """KeycloakShowsNone for an empty list where organizations were known."""
    if not raws and (known := known_organizations()):
        raise KeycloakShowsNone(known=known)


def _listed(keycloak: ListsOrganizations, *, all_gone: bool) -> list[Any]:
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
        report.lines.append(_one(raw, links=links, now=now, act=act))
        progress(number, len(raws))
    report.lines += _unused_links(raws, links)
    report.lines += _missing_organizations({keycloak_id_of(raw) for raw in raws}, now=now, act=act)
    return report


# --- One organization -----------------------------------------------------------------------------------------------


def _one(raw: Any, *, links: Mapping[str, str], now: datetime, act: bool) -> Line:
    """Bring one organization in line by itself: what goes wrong with it is its own line."""
    remote = None
    try:
        remote = read_organization(raw)
        with transaction.atomic():
            line = _bring_in_line(remote, link=links.get(remote.alias, ""), now=now, act=act)
    except DomainError as refusal:
        return _problem(remote, str(refusal))
    except DatabaseError as error:
        logger.exception("organization of Keycloak not brought in line")
        return _problem(remote, type(error).__name__)
    return line


def _bring_in_line(remote: RemoteOrganization, *, link: str, now: datetime, act: bool) -> Line:
    known = KeycloakOrganization.objects.filter(keycloak_id=remote.keycloak_id).select_related("organization").first()
    if known is not None:
        return _update(known.organization, remote, Outcome.UNCHANGED, now=now, act=act)
    ours = find_organization(link) if link else _without_keycloak(remote.alias)
    if ours is not None:
        _refuse_if_linked(ours)
        return _update(ours, remote, Outcome.LINKED, now=now, act=act)
    if not remote.enabled:
        return _line(Outcome.DISABLED, remote)
    return _create(remote, now=now, act=act)


def _without_keycloak(alias: str) -> OrganizationPage | None:
    """The organization that has this alias as its key and no id of Keycloak yet."""
    found: OrganizationPage | None = OrganizationPage.objects.filter(org_key=alias, keycloak__isnull=True).first()
    return found


def _refuse_if_linked(ours: OrganizationPage) -> None:
    """An organization that was made anew in Keycloak has a new id; the page may follow it once the old one is gone."""
    linked = KeycloakOrganization.objects.filter(organization=ours).first()
    if linked is not None and linked.gone_since is None:
        raise LinkedToAnother(organization=ours.name, alias=linked.alias)


def _create(remote: RemoteOrganization, *, now: datetime, act: bool) -> Line:
    try:
        refuse_if_similar(remote.name)
    except SimilarOrganization as refusal:
        similar = OrganizationPage.objects.get(pk=refusal.organization_id)
        raise LooksLikeAnother(alias=remote.alias, organization=similar.name, key=similar.org_key) from refusal
    key = _key_for(remote)
    if not act:
        return _line(Outcome.CREATED, remote, org_key=key)
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
    _remember(page.pk, remote, now=now)
    return _line(Outcome.CREATED, remote, page_id=page.pk, org_key=key)


def _key_for(remote: RemoteOrganization) -> str:
    """The alias, cut and made unique; the name where nothing of the alias may stand in a course key."""
    try:
        return new_org_key(remote.alias)
    except OrgKeyImpossible:
        return new_org_key(remote.name)


def _update(
    page: OrganizationPage, remote: RemoteOrganization, otherwise: Outcome, *, now: datetime, act: bool
) -> Line:
    """Publish the page with Keycloak's name and description where they differ; one that isn't live stays as it is."""
    changes = _changes(page, remote) if page.live and remote.enabled else {}
    outcome = otherwise if otherwise is Outcome.LINKED else Outcome.UPDATED if changes else otherwise
    outcome = outcome if remote.enabled else Outcome.DISABLED
    line = _line(outcome, remote, page_id=page.pk, org_key=page.org_key)
    if act:
        _remember(page.pk, remote, now=now)
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


def _remember(page_id: int, remote: RemoteOrganization, *, now: datetime) -> None:
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


# --- The rest -------------------------------------------------------------------------------------------------------


def _missing_organizations(seen: set[UUID | None], *, now: datetime, act: bool) -> Iterator[Line]:
    """Organizations that were in Keycloak and aren't any more. Their pages, contracts and members stay."""
    missing = KeycloakOrganization.objects.exclude(keycloak_id__in=[each for each in seen if each is not None])
    if act:
        missing.filter(gone_since__isnull=True).update(gone_since=now)
    for each in missing.select_related("organization").order_by("pk"):
        yield Line(
            outcome=Outcome.GONE,
            alias=each.alias,
            name=each.organization.name,
            page_id=each.organization_id,
            org_key=each.organization.org_key,
        )


def _unused_links(raws: Sequence[Any], links: Mapping[str, str]) -> Iterator[Line]:
    aliases = [raw.get("alias") for raw in raws if isinstance(raw, dict)]
    for alias, organization in links.items():
        if alias not in aliases:
            yield Line(Outcome.PROBLEM, alias=alias, name=organization, sentence=str(OrganizationUnknown(text=alias)))


def _line(outcome: Outcome, remote: RemoteOrganization, *, page_id: int | None = None, org_key: str = "") -> Line:
    return Line(outcome=outcome, alias=remote.alias, name=remote.name, page_id=page_id, org_key=org_key)


def _problem(remote: RemoteOrganization | None, sentence: str) -> Line:
    return Line(
        outcome=Outcome.PROBLEM,
        alias=remote.alias if remote else "",
        name=remote.name if remote else "",
        sentence=sentence,
    )


def _write_down(record: KeycloakSync, report: SyncReport, *, found: int) -> None:
    record.found = found
    record.created = report.pages(Outcome.CREATED)
    record.linked = report.pages(Outcome.LINKED)
    record.updated = report.pages(Outcome.UPDATED)
    record.disabled = report.pages(Outcome.DISABLED)
    record.gone = report.pages(Outcome.GONE)
    record.problems = [line.sentence for line in report.of(Outcome.PROBLEM)]
    record.state = SyncState.PROBLEMS if record.problems else SyncState.DONE
    record.finished_at = clock.now()
    record.save()

"""Organizations of Keycloak become pages, matched by their id."""

from __future__ import annotations

import logging
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from b2b.enums import SyncState
from b2b.errors.organizations import KeycloakNotConfigured, KeycloakShowsNone, KeycloakUnavailable
from b2b.gateways.keycloak import KeycloakGateway
from b2b.models import KeycloakOrganization, KeycloakSync, OrganizationMembership, OrganizationPage
from b2b.services.organizations.keycloak_sync import SyncOutcome, SyncReport, sync_organizations
from b2b.tasks import sync_keycloak_orgs
from mitxonline.kernel.db import LockTaken
from tests.b2b.worlds import ensure_organization_page, make_learner
from tests.factories import NOON


class Organizations:
    """A fake listing, for shapes a real Keycloak can't be made to list."""

    def __init__(self, *raws: Any) -> None:
        self.raws = list(raws)

    def organizations(self) -> list[Any]:
        return self.raws


class Silent:
    def organizations(self) -> list[Any]:
        raise KeycloakUnavailable


def raw(name: str = "Acme", **facts: Any) -> dict[str, Any]:
    return {"id": str(uuid4()), "name": name, "alias": name.lower(), "enabled": True, **facts}


def sync(*raws: Any, **options: Any) -> SyncReport:
    return sync_organizations(keycloak=Organizations(*raws), now=NOON, **options)


def outcomes(report: SyncReport) -> list[str]:
    return [line.outcome.value for line in report.lines]


def the_page() -> OrganizationPage:
    page: OrganizationPage = OrganizationPage.objects.get()
    return page


def rewrite(page: OrganizationPage, **columns: Any) -> None:
    page = OrganizationPage.objects.get(pk=page.pk)
    for name, value in columns.items():
        setattr(page, name, value)
    page.save_revision().publish()


# --- Creating -------------------------------------------------------------------------------------------------------


def test_a_new_organization_gets_a_published_page() -> None:
    acme = raw("Acme", alias="acme", description="Makes <things>\n\nand more")
    report = sync(acme)
    page = the_page()
    assert outcomes(report) == ["created"]
    assert (page.name, page.title, page.org_key, page.slug, page.live) == ("Acme", "Acme", "acme", "acme", True)
    assert page.description == "<p>Makes &lt;things&gt;</p>\n\n<p>and more</p>"
    assert page.latest_revision is not None
    assert page.org_key_prefix == "UAI_"
    known = KeycloakOrganization.objects.get()
    assert (str(known.keycloak_id), known.alias, known.enabled, known.gone_since) == (acme["id"], "acme", True, None)


def test_again_changes_nothing() -> None:
    acme = raw(description="Makes things")
    sync(acme)
    revisions = the_page().revisions.count()
    assert outcomes(sync(acme)) == ["unchanged"]
    assert the_page().revisions.count() == revisions


@pytest.mark.parametrize(
    ("alias", "key"),
    [
        ("a" * 40, "a" * 30),
        ("müller & söhne", "mullersohne"),
        ("数学", "MathInstitute"),
    ],
)
def test_a_key_is_made_of_the_alias(alias: str, key: str) -> None:
    sync(raw("Math Institute", alias=alias))
    assert the_page().org_key == key


def test_a_key_that_is_taken_gets_a_number() -> None:
    ensure_organization_page("Globex")
    OrganizationPage.objects.update(org_key="ACME")
    KeycloakOrganization.objects.create(
        organization=OrganizationPage.objects.get(), keycloak_id=uuid4(), alias="globex", seen_at=NOON
    )
    assert sync(raw("Acme", alias="acme")).with_outcome(SyncOutcome.CREATED)[0].org_key == "acme2"


# --- Updating -------------------------------------------------------------------------------------------------------


def test_name_and_description_follow_and_the_key_never() -> None:
    acme = raw("Acme")
    sync(acme)
    report = sync(acme | {"name": "Acme Inc.", "alias": "renamed", "description": "New"})
    page = the_page()
    assert outcomes(report) == ["updated"]
    assert (page.name, page.title, page.description) == ("Acme Inc.", "Acme Inc.", "<p>New</p>")
    assert (page.org_key, page.slug) == ("acme", "acme")
    assert KeycloakOrganization.objects.get().alias == "renamed"
    assert page.live
    assert not page.has_unpublished_changes


def test_fields_keycloak_does_not_have_are_kept() -> None:
    acme = raw("Acme")
    sync(acme)
    rewrite(the_page(), title="Acme’s learning portal", description="<p>Ours</p>", org_key_prefix="X_")
    assert outcomes(sync(acme | {"name": "Acme Inc."})) == ["updated"]
    page = the_page()
    assert (page.name, page.title) == ("Acme Inc.", "Acme’s learning portal")
    assert (page.description, page.org_key_prefix) == ("<p>Ours</p>", "X_")


def test_an_open_draft_is_not_overwritten() -> None:
    acme = raw("Acme")
    sync(acme)
    page = the_page()
    page.description = "<p>Not ready</p>"
    page.save_revision()
    report = sync(acme | {"name": "Acme Inc."}, raw("Globex"))
    assert outcomes(report) == ["problem", "created"]
    assert "Acme" in report.lines[0].sentence
    assert OrganizationPage.objects.get(pk=page.pk).name == "Acme"
    assert KeycloakSync.objects.first().state == SyncState.PROBLEMS  # type: ignore[union-attr]


def test_a_withdrawn_page_stays_withdrawn() -> None:
    acme = raw("Acme")
    sync(acme)
    the_page().unpublish()
    assert outcomes(sync(acme | {"name": "Acme Inc."})) == ["unchanged"]
    assert (the_page().live, the_page().name) == (False, "Acme")


# --- Finding what is there already ----------------------------------------------------------------------------------


def test_a_page_whose_key_is_the_alias_is_taken_over() -> None:
    ours = ensure_organization_page("Larkfield University")
    assert outcomes(sync(raw("Larkfield", alias="LarkfieldUniversity"))) == ["linked"]
    assert the_page().pk == ours.pk
    assert the_page().name == "Larkfield"


def test_a_page_that_has_another_id_is_not() -> None:
    sync(raw("Acme", alias="acme"))
    report = sync(raw("Acme Two", alias="acme"))
    assert outcomes(report) == ["created", "gone"]
    assert set(OrganizationPage.objects.values_list("org_key", flat=True)) == {"acme", "acme2"}


def test_one_that_looks_like_ours_is_left_to_the_operator() -> None:
    ours = ensure_organization_page("Larkfield University")
    acme = raw("Larkfield university", alias="larkfield")
    report = sync(acme)
    assert outcomes(report) == ["problem"]
    assert "--link larkfield=LarkfieldUniversity" in report.lines[0].sentence
    assert OrganizationPage.objects.count() == 1

    assert outcomes(sync(acme, links={"larkfield": "LarkfieldUniversity"})) == ["linked"]
    assert KeycloakOrganization.objects.get().organization_id == ours.pk
    assert outcomes(sync(acme)) == ["unchanged"]


def test_a_link_follows_a_recreated_organization_and_takes_none_from_another() -> None:
    old = raw("Acme", alias="acme")
    sync(old)
    new = raw("Acme Corporation", alias="acme-new")
    refused = sync(old, new, links={"acme-new": "acme"})
    assert outcomes(refused) == ["unchanged", "problem"]
    assert "still exists" in refused.lines[1].sentence
    sync(all_gone=True)
    assert outcomes(sync(new, links={"acme-new": "acme"})) == ["linked"]
    assert str(KeycloakOrganization.objects.get().keycloak_id) == new["id"]
    assert (the_page().org_key, the_page().name) == ("acme", "Acme Corporation")


@pytest.mark.parametrize(("links", "says"), [({"nobody": "Acme"}, "nobody"), ({"globex": "nobody"}, "nobody")])
def test_broken_links_are_reported(links: dict[str, str], says: str) -> None:
    ensure_organization_page("Acme")
    report = sync(raw("Globex"), links=links)
    assert any(says in line.sentence for line in report.with_outcome(SyncOutcome.PROBLEM))
    assert KeycloakSync.objects.get().problems


# --- An empty list --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dry_run", [False, True])
def test_an_empty_list_where_organizations_were_known_is_a_problem(dry_run: bool) -> None:
    """What an account sees that has the role query-organizations alone."""
    sync(raw("Acme"), raw("Globex"))
    with pytest.raises(KeycloakShowsNone) as refused:
        sync(dry_run=dry_run)
    assert refused.value.known == 2
    assert "shows none of the 2 organizations" in str(refused.value)
    assert "role view-organizations of realm-management" in str(refused.value)
    assert not KeycloakOrganization.objects.filter(gone_since__isnull=False).exists()
    if not dry_run:
        last = KeycloakSync.objects.first()
        assert last is not None
        assert (last.state, last.problems, last.gone) == (SyncState.FAILED, [str(refused.value)], [])


def test_the_command_fails_on_an_empty_list_unless_told_that_all_are_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sync(raw("Acme"), raw("Globex"))
    monkeypatch.setattr(KeycloakGateway, "from_settings", Organizations)
    with pytest.raises(CommandError, match="shows none of the 2 organizations"):
        call_command("sync_keycloak_orgs", stdout=StringIO())
    assert not KeycloakOrganization.objects.filter(gone_since__isnull=False).exists()
    call_command("sync_keycloak_orgs", "--all-gone", stdout=StringIO())
    assert KeycloakOrganization.objects.filter(gone_since__isnull=False).count() == 2
    # Then there is nothing left to miss.
    assert outcomes(sync()) == ["gone", "gone"]


def test_an_empty_list_is_none_of_a_problem_where_none_were_known() -> None:
    assert outcomes(sync()) == []


# --- Gone, disabled, broken -----------------------------------------------------------------------------------------


def test_gone_is_reported_and_nothing_removed() -> None:
    acme, globex = raw("Acme"), raw("Globex")
    sync(acme, globex)
    sam = make_learner()
    for page in OrganizationPage.objects.all():
        OrganizationMembership.objects.create(organization=page, user=sam, source="sso", since=NOON)
    report = sync(globex)
    assert [(line.outcome, line.alias) for line in report.lines] == [("unchanged", "globex"), ("gone", "acme")]
    assert OrganizationPage.objects.live().count() == 2
    assert OrganizationMembership.objects.count() == 2
    assert KeycloakOrganization.objects.get(alias="acme").gone_since == NOON
    assert KeycloakSync.objects.first().gone == report.page_ids(SyncOutcome.GONE)  # type: ignore[union-attr]
    assert outcomes(sync(acme, globex)) == ["unchanged", "unchanged"]
    assert KeycloakOrganization.objects.get(alias="acme").gone_since is None


def test_disabled_is_reported_and_a_disabled_one_gets_no_page() -> None:
    acme = raw("Acme")
    sync(acme)
    report = sync(acme | {"enabled": False, "name": "Renamed"}, raw("Globex", enabled=False))
    assert outcomes(report) == ["disabled", "disabled"]
    assert (the_page().name, the_page().live) == ("Acme", True)
    assert not KeycloakOrganization.objects.get().enabled
    assert KeycloakSync.objects.first().disabled == [the_page().pk]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "broken",
    [
        {"id": "no-uuid", "name": "Bad", "alias": "bad"},
        {"name": "Bad", "alias": "bad"},
        {"id": str(uuid4()), "name": "Bad"},
        {"id": str(uuid4()), "name": " ", "alias": "bad"},
        {"id": str(uuid4()), "name": "数学", "alias": "数学"},
        {"id": 7, "name": ["Bad"], "alias": {}},
        {"id": str(uuid4()), "name": "\ud800", "alias": "bad"},
        {"id": "no-uuid", "name": "Bad", "alias": "b\0d"},
        {"id": "no-uuid", "name": "Bad", "alias": "b\ud800d"},
        {"id": str(uuid4()), "name": "Acme", "alias": "bad"},
        "Bad",
        None,
    ],
)
def test_one_that_can_not_be_brought_in_line_does_not_stop_the_rest(broken: Any) -> None:
    report = sync(raw("Acme"), broken, raw("Globex"))
    assert outcomes(report) == ["created", "problem", "created"]
    assert report.lines[1].sentence
    record = KeycloakSync.objects.get()
    assert (record.state, record.found, len(record.created), len(record.problems)) == (SyncState.PROBLEMS, 3, 2, 1)


def test_a_database_refusal_is_one_reported_problem(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        report = sync(raw("Acme"), raw("Globex", alias="a\0b"), raw("Initech", description="x\0y"))
    assert outcomes(report) == ["created", "created", "created"]
    assert caplog.records == []


# --- Asking first, the record, one at a time ------------------------------------------------------------------------


def test_a_dry_run_says_and_does_nothing() -> None:
    acme = raw("Acme")
    sync(acme, raw("Globex"))
    before = list(OrganizationPage.objects.order_by("pk").values())
    report = sync(acme | {"name": "Renamed"}, raw("Initech"), dry_run=True)
    assert outcomes(report) == ["updated", "created", "gone"]
    assert report.lines[1].org_key == "initech"
    assert list(OrganizationPage.objects.order_by("pk").values()) == before
    assert not KeycloakOrganization.objects.filter(gone_since__isnull=False).exists()
    assert KeycloakSync.objects.count() == 1


def test_a_dry_run_writes_nothing_on_an_empty_site() -> None:
    assert outcomes(sync(raw("Acme"), dry_run=True)) == ["created"]
    assert not OrganizationPage.objects.exists()


def test_each_run_has_one_record_also_if_keycloak_was_silent() -> None:
    sync(raw("Acme"))
    with pytest.raises(KeycloakUnavailable):
        sync_organizations(keycloak=Silent(), now=NOON)
    last, first = KeycloakSync.objects.all()
    assert (first.state, first.found, first.finished_at is None) == (SyncState.DONE, 1, False)
    assert (last.state, len(last.problems), last.finished_at is None) == (SyncState.FAILED, 1, False)
    assert KeycloakOrganization.objects.get().gone_since is None


def test_one_at_a_time(together: Any) -> None:
    answers: list[Any] = []

    class Nested(Organizations):
        def organizations(self) -> list[Any]:
            answers.extend(together(lambda: sync(raw("Globex"))))
            return super().organizations()

    sync_organizations(keycloak=Nested(raw("Acme")), now=NOON)
    assert [type(each) for each in answers] == [LockTaken]


def test_the_record_can_be_read(admin_client: Client) -> None:
    sync(raw("Acme"), None, raw("Globex"))
    record = KeycloakSync.objects.get()
    assert "Done, with problems" in admin_client.get("/admin/b2b/keycloaksync/").text
    page = admin_client.get(f"/admin/b2b/keycloaksync/{record.pk}/change/").text
    assert "<p>Keycloak describes “?” without an id, an alias or a name.</p>" in page


# --- Settings -------------------------------------------------------------------------------------------------------


def test_missing_settings_are_named(settings: Any) -> None:
    settings.KEYCLOAK_URL, settings.KEYCLOAK_REALM = "https://id.example", ""
    settings.KEYCLOAK_CLIENT_ID, settings.KEYCLOAK_CLIENT_SECRET = "sync", ""
    with pytest.raises(KeycloakNotConfigured) as refused:
        KeycloakGateway.from_settings()
    assert refused.value.missing == ("KEYCLOAK_REALM", "KEYCLOAK_CLIENT_SECRET")
    assert "KEYCLOAK_REALM, KEYCLOAK_CLIENT_SECRET" in str(refused.value)


def test_the_periodic_task_reports_what_it_could_not_do(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.KEYCLOAK_URL = ""
    with caplog.at_level(logging.WARNING):
        sync_keycloak_orgs()
    assert [record.reason for record in caplog.records] == ["keycloak_not_configured"]  # type: ignore[attr-defined]

"""Every way Wagtail's admin could publish a contract: through the plan, or not at all."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from wagtail.actions.create_alias import CreatePageAliasAction
from wagtail.models import Page, Task, Workflow, WorkflowPage, WorkflowState
from wagtail.test.utils.form_data import inline_formset, nested_form_data, rich_text

from b2b.enums import ReconcileState
from b2b.models import ContractPage, ContractTerms, OrganizationPage, Reconcile
from b2b.services.contracts.contracts import ModifyContract, modify_contract
from tests.b2b.admin_people import sign_in_as
from tests.b2b.worlds import (
    NOW,
    active_codes_of,
    codes_of,
    ensure_organization_page,
    make_source_course,
    publish_contract,
    reconcile_contract,
    redeem_code,
    terms_of,
)
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager() -> Client:
    ensure_organization_page()
    return sign_in_as("manager")


@pytest.fixture
def page() -> ContractPage:
    return publish_contract(make_source_course(), cap=4)


def form(**fields: object) -> dict[str, str]:
    """Return the data the contract's form posts."""
    given: dict[str, object] = {
        "title": "A contract",
        "name": "A contract",
        "slug": "a-contract",
        "description": rich_text(""),
        "welcome_message": "",
        "welcome_message_extra": rich_text(""),
        "integration_type": "non-sso",
        "max_learners": "4",
        "enrollment_fixed_price": "",
        "currency": "USD",
        "active": "on",
        "contract_start": "",
        "contract_end": "",
        "go_live_at": "",
        "expire_at": "",
        "comments": inline_formset([]),
    }
    posted: dict[str, str] = nested_form_data(given | fields)
    return posted


def edit_url(page: Page) -> str:
    return reverse("wagtailadmin_pages:edit", args=[page.pk])


def review_url(page: ContractPage, revision_id: int | None = None) -> str:
    latest = ContractPage.objects.get(pk=page.pk).latest_revision_id
    return reverse("b2b_contracts:review", args=[page.pk, revision_id or latest])


def add_url(parent: Page) -> str:
    return reverse("wagtailadmin_pages:add", args=["b2b", "contractpage", parent.pk])


def seen(answer: Any) -> str:
    """Return the fingerprint in the shown page's confirmation form."""
    found = re.search(r'name="seen" value="(\w+)"', answer.content.decode())
    assert found is not None, answer.content.decode()[-3000:]
    return found.group(1)


def said(answer: Any) -> str:
    return unescape(" ".join(str(each) for each in get_messages(answer.wsgi_request)))


def publish(client: Client, page: ContractPage, **fields: object) -> Any:
    """Press “Publish” in the editor and return the plan's page."""
    answer = client.post(edit_url(page), form(**fields) | {"action-publish": "publish"})
    assert answer.status_code == 302, answer.content.decode()
    shown = client.get(answer["Location"])
    assert shown.status_code == 200
    return shown


class TestCreating:
    def test_publishing_a_new_contract_saves_a_draft_and_shows_its_plan(self, manager: Client) -> None:
        answer = manager.post(add_url(ensure_organization_page()), form(max_learners="7") | {"action-publish": "1"})
        made = ContractPage.objects.get()
        assert answer["Location"] == review_url(made)
        assert not made.live
        assert not ContractTerms.objects.exists()
        shown = manager.get(answer["Location"])
        assert "Publish these terms?" in shown.content.decode()
        manager.post(review_url(made), {"seen": seen(shown)})
        assert terms_of(made).max_learners == 7
        assert ContractPage.objects.get().live

    def test_an_incomplete_contract_is_not_saved_and_nothing_typed_is_lost(self, manager: Client) -> None:
        answer = manager.post(
            add_url(ensure_organization_page()), form(currency="XQX", name="Typed by hand") | {"action-publish": "1"}
        )
        assert "Typed by hand" in answer.content.decode()
        assert not ContractPage.objects.exists()

    def test_a_new_contract_is_not_submitted_to_moderation(self, manager: Client) -> None:
        manager.post(add_url(ensure_organization_page()), form() | {"action-submit": "1"})
        made = ContractPage.objects.get()
        assert not made.live
        assert not WorkflowState.objects.exists()

    def test_a_draft_is_made_and_nothing_is_in_force(self, manager: Client) -> None:
        answer = manager.post(add_url(ensure_organization_page()), form())
        made = ContractPage.objects.get()
        assert answer["Location"] == edit_url(made)
        assert not made.live
        assert not ContractTerms.objects.exists()
        assert not Reconcile.objects.exists()

    def test_the_first_publication_shows_its_plan(self, manager: Client) -> None:
        manager.post(add_url(ensure_organization_page()), form())
        made = ContractPage.objects.get()
        shown = publish(manager, made, max_learners="7")
        made.refresh_from_db()
        assert not made.live
        manager.post(review_url(made), {"seen": seen(shown)})
        made.refresh_from_db()
        assert made.live
        assert terms_of(made).max_learners == 7


class TestPublishing:
    def test_publish_saves_the_draft_and_shows_what_it_does(self, manager: Client, page: ContractPage) -> None:
        words = publish(manager, page, max_learners="6").content.decode()
        assert "Publish these terms?" in words
        assert "2 codes" in words
        assert terms_of(page).max_learners == 4
        assert len(codes_of(page)) == 4

    def test_confirming_publishes_and_runs_and_codes_follow(self, manager: Client, page: ContractPage) -> None:
        shown = publish(manager, page, max_learners="6")
        answer = manager.post(review_url(page), {"seen": seen(shown)})
        assert answer["Location"] == reverse("b2b_contracts:terms", args=[page.pk])
        assert terms_of(page).max_learners == 6
        assert Reconcile.objects.get(state=ReconcileState.WAITING).requested_by is not None
        reconcile_contract(page)
        assert len(active_codes_of(page)) == 6

    def test_lowering_says_how_many_go_off(self, manager: Client, page: ContractPage) -> None:
        words = publish(manager, page, max_learners="1").content.decode()
        assert re.search(r"[Ss]witches off 3 codes", words), words

    def test_confirming_another_plan_than_the_one_shown_shows_it_again(
        self, manager: Client, page: ContractPage
    ) -> None:
        old = seen(publish(manager, page, max_learners="1"))
        redeem_code(page, active_codes_of(page)[0])
        redeem_code(page, active_codes_of(page)[1])
        answer = manager.post(review_url(page), {"seen": old})
        assert "Something changed in the meantime" in answer.content.decode()
        assert terms_of(page).max_learners == 4
        manager.post(review_url(page), {"seen": seen(answer)})
        assert terms_of(page).max_learners == 1

    def test_a_newer_draft_is_shown(self, manager: Client, page: ContractPage) -> None:
        shown = publish(manager, page, max_learners="6")
        old, url = seen(shown), review_url(page)
        manager.post(edit_url(page), form(max_learners="9"))
        answer = manager.post(url, {"seen": old})
        assert "This includes your latest changes." in said(answer)
        assert answer["Location"] == review_url(page) != url
        assert terms_of(page).max_learners == 4

    def test_a_newer_draft_by_someone_else_names_them(self, manager: Client, page: ContractPage) -> None:
        shown, url = publish(manager, page, max_learners="6"), review_url(page)
        written = ContractPage.objects.get(pk=page.pk).get_latest_revision_as_object()
        written.max_learners = 9
        written.save_revision(user=make_user("bert@x.example", name="Bert Moser"))
        answer = manager.post(url, {"seen": seen(shown)})
        assert "There is a newer draft by Bert Moser." in said(answer)
        assert terms_of(page).max_learners == 4

    def test_the_same_revision_saved_over_by_autosave_is_not_the_one_shown(
        self, manager: Client, page: ContractPage
    ) -> None:
        shown = publish(manager, page, max_learners="6")
        revision = ContractPage.objects.get(pk=page.pk).latest_revision
        written = revision.as_object()
        written.max_learners = 40
        written.save_revision(overwrite_revision=revision, user=revision.user)
        answer = manager.post(review_url(page), {"seen": seen(shown)})
        assert "Something changed in the meantime" in answer.content.decode()
        assert terms_of(page).max_learners == 4

    def test_terms_changed_by_a_command_meanwhile_are_shown(self, manager: Client, page: ContractPage) -> None:
        shown, old = publish(manager, page, max_learners="6"), review_url(page)
        modify_contract(ModifyContract(contract_id=page.pk, changes={"max_learners": 5}, over_draft=True), now=NOW)
        answer = manager.post(old, {"seen": seen(shown)})
        assert "There is a newer draft." in said(answer)
        assert terms_of(page).max_learners == 5

    def test_an_old_draft_may_be_looked_at_again_without_publishing(self, manager: Client, page: ContractPage) -> None:
        answer = manager.get(review_url(page))
        assert "These terms are already in force." in answer.content.decode()

    def test_a_draft_that_is_not_complete_is_refused_with_what_is_missing(
        self, manager: Client, page: ContractPage
    ) -> None:
        written = ContractPage.objects.get(pk=page.pk)
        written.currency = "XQX"
        written.save_revision(clean=False)
        answer = manager.get(review_url(page), follow=True)
        assert "The draft is incomplete. Fix it, then publish. currency:" in unescape(answer.content.decode())
        assert manager.post(review_url(page), {"seen": ""}).status_code == 302
        assert terms_of(page).currency == "USD"

    def test_a_revision_of_another_contract_is_not_found(self, manager: Client, page: ContractPage) -> None:
        other = publish_contract(name="Another")
        url = reverse("b2b_contracts:review", args=[page.pk, other.latest_revision_id])
        assert manager.get(url).status_code == 404

    def test_an_old_version_is_published_by_its_plan(self, manager: Client, page: ContractPage) -> None:
        first = ContractPage.objects.get(pk=page.pk).latest_revision_id
        modify_contract(ModifyContract(contract_id=page.pk, changes={"max_learners": 6}), now=NOW)
        revert = reverse("wagtailadmin_pages:revisions_revert", args=[page.pk, first])
        assert manager.get(revert).status_code == 200
        answer = manager.post(revert, form(max_learners="4") | {"action-publish": "publish"})
        assert answer["Location"] == review_url(page)
        assert terms_of(page).max_learners == 6
        manager.post(review_url(page), {"seen": seen(manager.get(review_url(page)))})
        assert terms_of(page).max_learners == 4


class TestScheduling:
    def tomorrow(self) -> str:
        return (timezone.localtime() + timedelta(days=1)).strftime("%Y-%m-%d %H:%M")

    def test_a_schedule_is_confirmed_like_anything_else(self, manager: Client, page: ContractPage) -> None:
        shown = publish(manager, page, max_learners="6", go_live_at=self.tomorrow())
        assert "Publish on that day" in shown.content.decode()
        manager.post(review_url(page), {"seen": seen(shown)})
        assert terms_of(page).max_learners == 4
        terms = manager.get(reverse("b2b_contracts:terms", args=[page.pk])).content.decode()
        assert "Other terms take effect automatically" in terms

    def test_scheduled_terms_come_into_force_automatically(self, manager: Client, page: ContractPage) -> None:
        shown = publish(manager, page, max_learners="6", go_live_at=self.tomorrow())
        manager.post(review_url(page), {"seen": seen(shown)})
        revision = ContractPage.objects.get(pk=page.pk).scheduled_revision
        past = timezone.now() - timedelta(minutes=1)
        revision.content |= {"go_live_at": past.isoformat()}
        revision.approved_go_live_at = past
        revision.save()
        call_command("publish_scheduled")
        assert terms_of(page).max_learners == 6
        assert Reconcile.objects.filter(state=ReconcileState.WAITING).exists()

    def test_the_plan_shows_a_scheduled_expiry(self, manager: Client, page: ContractPage) -> None:
        shown = publish(manager, page, expire_at=self.tomorrow())
        assert "unpublished automatically, which makes it inactive" in shown.content.decode()

    def test_an_expired_contract_is_inactive(self, page: ContractPage) -> None:
        ContractPage.objects.get(pk=page.pk).unpublish(set_expired=True)
        assert terms_of(page).active is False


class TestInBulk:
    def act(self, client: Client, action: str, page: Page, **posted: str) -> Any:
        address = reverse("wagtail_bulk_action", args=["wagtailcore", "page", action])
        return client.post(f"{address}?id={page.pk}", posted, follow=True)

    def test_a_contract_is_not_published(self, manager: Client, page: ContractPage) -> None:
        manager.post(edit_url(page), form(max_learners="6"))
        answer = self.act(manager, "publish", page)
        assert "Contracts are published one by one" in answer.content.decode()
        assert terms_of(page).max_learners == 4

    def test_contracts_are_not_published_in_bulk_with_their_organization(self, manager: Client) -> None:
        manager.post(add_url(ensure_organization_page()), form())
        answer = self.act(manager, "publish", ensure_organization_page(), include_descendants="on")
        assert "Contracts are published one by one" in answer.content.decode()
        assert not ContractPage.objects.get().live

    def test_an_organization_alone_is_published(self, manager: Client) -> None:
        ensure_organization_page().unpublish()
        self.act(manager, "publish", ensure_organization_page())
        assert ensure_organization_page().live

    def test_a_contract_is_not_unpublished_unseen(self, manager: Client, page: ContractPage) -> None:
        answer = self.act(manager, "unpublish", page)
        assert "Live contracts are unpublished one by one" in answer.content.decode()
        assert terms_of(page).active is True

    @pytest.mark.parametrize("posted", [{}, {"include_descendants": "on"}])
    def test_contracts_are_not_unpublished_in_bulk_with_their_organization(
        self, manager: Client, page: ContractPage, posted: dict[str, str]
    ) -> None:
        answer = self.act(manager, "unpublish", ensure_organization_page(), **posted)
        assert "Live contracts are unpublished one by one" in answer.content.decode()
        assert ensure_organization_page().live
        assert terms_of(page).active is True

    def test_an_organization_without_live_contracts_is_unpublished(self, manager: Client, page: ContractPage) -> None:
        ContractPage.objects.get(pk=page.pk).unpublish()
        self.act(manager, "unpublish", ensure_organization_page())
        assert not ensure_organization_page().live


class TestUnpublishing:
    def test_a_contract_becomes_inactive_after_its_plan_was_shown(self, manager: Client, page: ContractPage) -> None:
        url = reverse("wagtailadmin_pages:unpublish", args=[page.pk])
        assert "Unpublishing makes the contract inactive." in manager.get(url).content.decode()
        manager.post(url)
        assert terms_of(page).active is False
        assert len(active_codes_of(page)) == 4

    def test_an_organization_goes_with_its_contracts(self, manager: Client, page: ContractPage) -> None:
        url = reverse("wagtailadmin_pages:unpublish", args=[ensure_organization_page().pk])
        assert "1 contract will be unpublished too" in manager.get(url).content.decode()
        manager.post(url)
        assert not ensure_organization_page().live
        assert not ContractPage.objects.get(pk=page.pk).live
        assert terms_of(page).active is False

    def test_an_organization_has_no_schedule(self, manager: Client) -> None:
        words = manager.get(edit_url(ensure_organization_page())).content.decode()
        assert 'name="expire_at"' not in words


class TestModeration:
    @pytest.fixture(autouse=True)
    def _workflow_for_the_site(self) -> None:
        workflow = Workflow.objects.first() or Workflow.objects.create(name="Moderation")
        task = Task.objects.first()
        if task is not None:
            workflow.workflow_tasks.get_or_create(task=task, defaults={"sort_order": 0})
        root = Page.objects.get(depth=1)
        WorkflowPage.objects.get_or_create(page=root, defaults={"workflow": workflow})

    def test_no_contract_is_moderated(self, manager: Client, page: ContractPage) -> None:
        assert Page.objects.get(pk=page.pk).has_workflow
        assert not ContractPage.objects.get(pk=page.pk).has_workflow
        assert "action-submit" not in manager.get(edit_url(page)).content.decode()

    @pytest.mark.parametrize("action", ["action-submit", "action-restart-workflow", "action-workflow-action"])
    def test_submitting_saves_a_draft(self, manager: Client, page: ContractPage, action: str) -> None:
        manager.post(edit_url(page), form(max_learners="6") | {action: "1"})
        latest = ContractPage.objects.get(pk=page.pk)
        assert latest.get_latest_revision_as_object().max_learners == 6
        assert not latest.workflow_in_progress
        assert terms_of(page).max_learners == 4

    def test_approving_a_workflow_task_publishes_nothing(self, page: ContractPage) -> None:
        written = ContractPage.objects.get(pk=page.pk)
        written.max_learners = 6
        written.save_revision()
        state = Workflow.objects.get().start(written, make_user())
        url = reverse("wagtailadmin_pages:workflow_action", args=[page.pk, "approve", state.current_task_state.pk])
        answer = sign_in_as("superuser").post(url)
        assert "is not currently awaiting moderation" in said(answer)
        approved = {"action-workflow-action": "1", "workflow-action-name": "approve"}
        sign_in_as("superuser").post(edit_url(page), form(max_learners="6") | approved)
        assert terms_of(page).max_learners == 4


@pytest.mark.parametrize("action", ["publish", "unpublish", "copy", "move", "delete", "create_alias"])
def test_the_api_of_the_admin_changes_no_page(page: ContractPage, action: str) -> None:
    written = ContractPage.objects.get(pk=page.pk)
    written.max_learners = 6
    written.save_revision()
    address = reverse("wagtailadmin_api:pages:action", args=[page.pk, action])
    answer = sign_in_as("superuser").post(address, {}, content_type="application/json")
    assert answer.status_code == 404
    assert (terms_of(page).active, terms_of(page).max_learners) == (True, 4)


class TestLocking:
    def test_a_locked_contract_is_not_published(self, manager: Client, page: ContractPage) -> None:
        shown = publish(manager, page, max_learners="6")
        ContractPage.objects.filter(pk=page.pk).update(locked=True, locked_by=make_user(), locked_at=timezone.now())
        answer = manager.post(review_url(page), {"seen": seen(shown)})
        assert "This contract is locked" in said(answer)
        assert terms_of(page).max_learners == 4
        manager.post(edit_url(page), form(max_learners="9") | {"action-publish": "publish"})
        assert ContractPage.objects.get(pk=page.pk).get_latest_revision_as_object().max_learners == 6

    def test_locking_and_unlocking_work(self, page: ContractPage) -> None:
        client = sign_in_as("superuser")
        client.post(reverse("wagtailadmin_pages:lock", args=[page.pk]))
        assert ContractPage.objects.get(pk=page.pk).locked
        client.post(reverse("wagtailadmin_pages:unlock", args=[page.pk]))
        assert not ContractPage.objects.get(pk=page.pk).locked


def test_comments_are_kept_on_the_way_to_the_plan(manager: Client, page: ContractPage) -> None:
    comment = {"text": "Is 6 right?", "contentpath": "max_learners", "replies": inline_formset([])}
    comment |= dict.fromkeys(("position", "deleted", "resolved", "id"), "")
    publish(manager, page, max_learners="6", comments=inline_formset([comment]))
    assert ContractPage.objects.get(pk=page.pk).wagtail_admin_comments.get().text == "Is 6 right?"


class TestAliases:
    def test_an_alias_is_no_contract_and_stays_one(self, manager: Client, page: ContractPage) -> None:
        alias = CreatePageAliasAction(page, parent=ensure_organization_page(), update_slug="alias", user=None).execute(
            skip_permission_checks=True
        )
        assert not ContractTerms.objects.filter(pk=alias.pk).exists()
        convert = reverse("wagtailadmin_pages:convert_alias", args=[alias.pk])
        answer = sign_in_as("superuser").post(convert)
        assert "can’t be converted" in said(answer)
        assert ContractPage.objects.get(pk=alias.pk).alias_of_id == page.pk
        assert not ContractTerms.objects.filter(pk=alias.pk).exists()


def test_drafts_can_be_looked_at(manager: Client, page: ContractPage) -> None:
    for each in (page, ensure_organization_page()):
        assert manager.get(reverse("wagtailadmin_pages:view_draft", args=[each.pk])).status_code == 200


def test_an_organization_is_published_and_saved_as_ever(manager: Client) -> None:
    assert OrganizationPage.objects.get().live
    assert manager.get(edit_url(ensure_organization_page())).status_code == 200

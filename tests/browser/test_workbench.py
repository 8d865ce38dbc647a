"""Contract staff go from a new organization to exported codes in Wagtail's admin."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from playwright.sync_api import Locator, Page, expect

from b2b.models import ContractPage, OrganizationPage
from b2b.services.contracts.reconcile import run_reconcile
from cms.services.groups import B2B_MANAGERS
from ecommerce.models import DiscountCode
from mitxonline.kernel import clock
from tests.b2b.moving import MovingWorld
from tests.browser.axe import assert_accessible
from tests.browser.conftest import OpenVisitor, Visitor
from tests.factories import (
    PASSWORD,
    make_contract,
    make_contract_run,
    make_course,
    make_organization,
    make_run,
    make_user,
)

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.django_db(transaction=True)]

COURSE = "Statistics for people who make decisions"


def signed_in(open_visitor: OpenVisitor) -> Visitor:
    """Sign in to the admin as a member of the contracts group."""
    call_command("configure_wagtail", verbosity=0)
    user = make_user("carla@tessera.example", name="Carla Jansen")
    user.set_password(PASSWORD)
    user.save()
    user.groups.add(Group.objects.get(name=B2B_MANAGERS))
    visitor = open_visitor()
    visitor.opens("/cms/login/?next=/cms/organizations/")
    visitor.page.get_by_label("Email").fill(user.email)
    visitor.page.get_by_label("Password").fill(PASSWORD)
    visitor.page.get_by_role("button", name="Sign in").click()
    expect(visitor.page.get_by_role("heading", level=1, name="Organizations")).to_be_attached()
    return visitor


def looks(page: Page) -> None:
    """Run axe once Wagtail's messages have finished sliding in."""
    page.evaluate(
        """() => Promise.all(document.getAnimations()
          .filter((each) => each.effect.getComputedTiming().endTime !== Infinity)
          .map((each) => each.finished.catch(() => null)))"""
    )
    assert_accessible(page)


def entitles(page: Page, title: str, *, slug: str) -> None:
    """Type a title once the form's scripts run; name and slug follow it."""
    page.wait_for_load_state("networkidle")
    page.locator("[name=title]").fill(title)
    page.keyboard.press("Tab")
    expect(page.locator("[name=slug]")).to_have_value(slug)
    page.locator("[name=name]").fill(title)


def publishes(page: Page) -> None:
    """Press “Publish” in the editor's menu."""
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("button", name="Publish", exact=True).click()


def test_from_a_new_organization_to_exported_codes(open_visitor: OpenVisitor) -> None:
    make_run(make_course(title=COURSE), tag="SOURCE")
    visitor = signed_in(open_visitor)
    page = visitor.page
    looks(page)

    page.get_by_role("link", name="Add organization").click()
    entitles(page, "Northgate Health", slug="northgate-health")
    page.locator("[name=org_key]").fill("NorthgateHealth")
    publishes(page)
    expect(page.get_by_text("Northgate Health").first).to_be_visible()
    organization = OrganizationPage.objects.get()
    assert organization.live

    visitor.opens(f"/cms/organizations/{organization.pk}/")
    looks(page)
    page.get_by_role("link", name="Add contract").click()
    entitles(page, "Clinical skills", slug="clinical-skills")
    page.locator("[name=max_learners]").fill("3")
    page.get_by_role("button", name="Save draft").click()
    expect(page.get_by_role("link", name="Codes, members, courseware")).to_be_visible()
    publishes(page)

    expect(page.get_by_role("heading", name="Publish these terms?")).to_be_visible()
    looks(page)
    contract = ContractPage.objects.get()
    assert not contract.live
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(page.get_by_text("these terms are in force")).to_be_visible()
    contract.refresh_from_db()
    assert contract.live
    looks(page)

    tab(page, "Courseware").click()
    page.get_by_role("link", name="Add courseware").click()
    page.get_by_role("button", name="Choose course", exact=True).click()
    page.get_by_role("dialog").get_by_role("link", name=COURSE).click()
    page.get_by_role("button", name="See the plan").click()
    expect(page.get_by_text("1 run made, 3 codes made")).to_be_visible()
    looks(page)
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("Waiting for the worker").first).to_be_visible()
    assert not DiscountCode.objects.exists()

    run_reconcile(contract_id=contract.pk, now=clock.now())
    tab(page, "Codes").click()
    expect(page.get_by_role("link", name="Assign", exact=False)).to_have_count(4)  # one for each code, one for many
    looks(page)
    assigns(page)
    exports(page)
    tab(page, "Activity").click()
    expect(page.get_by_text("Assigned a code to someone")).to_be_visible()
    expect(page.get_by_text("active codes 0 → 3")).to_be_visible()
    looks(page)


def tab(page: Page, name: str) -> Locator:
    """Open a tab of the contract."""
    return page.get_by_role("navigation", name="Parts of the contract").get_by_role("link", name=name)


def assigns(page: Page) -> None:
    """Assign the first code to a person and find it by their name."""
    page.get_by_role("row").nth(1).get_by_role("link", name="Assign").click()
    page.get_by_label("E-mail").fill("amara.okafor@northgate.example")
    page.get_by_label("Name").fill("Amara Okafor")
    looks(page)
    page.get_by_role("button", name="Assign and send").click()
    expect(page.get_by_text("An e-mail with the link is on its way")).to_be_visible()
    page.get_by_role("searchbox").or_(page.get_by_placeholder("Search…")).first.fill("okafor")
    expect(page.get_by_role("row")).to_have_count(2)
    expect(page.get_by_role("row").nth(1).get_by_text("amara.okafor@northgate.example").first).to_be_visible()


def exports(page: Page) -> None:
    """Export the codes that were searched for."""
    page.get_by_role("button", name="Actions").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download these (CSV)").click()
    with Path(download.value.path()).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["Given to"] for row in rows] == ["amara.okafor@northgate.example"]
    assert DiscountCode.objects.get(text=rows[0]["Code"]).assigned_name == "Amara Okafor"


def test_a_member_is_moved_to_another_contract(open_visitor: OpenVisitor) -> None:
    page = signed_in(open_visitor).page
    world = MovingWorld()
    page.goto(page.url.partition("/cms/")[0] + f"/cms/contracts/{world.old.pk}/members/")
    looks(page)
    row = page.get_by_role("row").filter(has_text=world.lea.email)
    row.get_by_role("link", name=f"Move to another contract {world.lea.name}").click()
    page.get_by_label("Move to").select_option(str(world.new.pk))
    looks(page)
    page.get_by_role("button", name="Show what moves").click()
    page.get_by_label("Reason").fill("Next year")
    looks(page)
    page.get_by_role("button", name="Move", exact=True).click()
    expect(page.get_by_text("moved to “Clinical skills 2027”")).to_be_visible()


def test_the_workbench_works_with_the_keyboard_only(open_visitor: OpenVisitor) -> None:
    visitor = signed_in(open_visitor)
    page = visitor.page
    contract = make_contract(make_organization("Larkfield University"), seats=2)
    make_contract_run(contract, codes=2)
    visitor.opens(f"/cms/contracts/{contract.pk}/")
    reach(page, "Codes")
    follows(page)
    expect(tab(page, "Codes")).to_have_attribute("aria-current", "page")
    reach(page, "Copy link")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").get_by_text("Link copied")).to_be_attached()
    assert "/enrollmentcode/" in page.evaluate("navigator.clipboard.readText()")
    reach(page, "Assign")
    follows(page)
    reach(page, "", selector="input[name=email]")
    page.keyboard.type("amara.okafor@northgate.example")
    follows(page)
    expect(page.get_by_text("An e-mail with the link is on its way")).to_be_visible()
    reach(page, "Revoke")
    follows(page)
    reach(page, "Revoke", selector="button")
    follows(page)
    expect(page.get_by_text("can be assigned again")).to_be_visible()
    assert not DiscountCode.objects.exclude(assigned_email="").exists()


def follows(page: Page) -> None:
    """Press Enter and wait for the next page."""
    with page.expect_navigation():
        page.keyboard.press("Enter")


def reach(page: Page, words: str, *, selector: str = "a, button") -> None:
    """Press Tab until an element with this text has the focus, and check that the focus is visible."""
    for _stop in range(150):
        page.keyboard.press("Tab")
        found = page.evaluate(
            """([words, selector]) => {
              const at = document.activeElement;
              return at.matches(selector) && (at.textContent || "").trim().startsWith(words)
                && !at.closest("[data-wagtail-sidebar]") && at.checkVisibility();
            }""",
            [words, selector],
        )
        if found:
            return
    raise AssertionError(f"The focus never came to “{words}” on {page.url}")

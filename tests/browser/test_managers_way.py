"""A manager hands out codes, reminds people and takes codes back, with and without scripts."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from b2b.models import ContractPage, HandOut
from b2b.services.handouts.assign import HandOutRequest, hand_out
from b2b.services.handouts.recipients import Recipient
from b2b.services.organizations.managers import set_manager
from ecommerce.models import DiscountCode
from mitxonline.kernel import clock
from mitxonline.users.models import User
from tests.browser.axe import assert_accessible
from tests.browser.conftest import MakeContract, OpenVisitor, Visitor
from tests.browser.walking import assert_fits, stops
from tests.factories import PASSWORD, make_user

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.django_db(transaction=True)]

with_and_without_scripts = pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])

LIST = "Ines Caldera, ines@northgate.example\nsamuel@northgate.example\nravi.menon@northgate"


def looks(visitor: Visitor) -> None:
    if visitor.scripts:
        assert_accessible(visitor.page)


def dana_signs_in(visitor: Visitor) -> User:
    """Sign Dana in, as manager of the first organization."""
    dana = make_user("dana.whitfield@northgate.example", name="Dana Whitfield")
    dana.set_password(PASSWORD)
    dana.save()
    organization = ContractPage.objects.get().terms.organization
    set_manager(organization_id=organization.pk, user_id=dana.pk, is_manager=True, by_id=None, now=clock.now())
    visitor.opens("/login/")
    page = visitor.page
    page.get_by_label("Email").fill(dana.email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{visitor.base}/dashboard/")
    return dana


def sees_codes(visitor: Visitor) -> None:
    visitor.opens("/manage-seats/")
    visitor.page.get_by_role("link", name="See the codes").click()
    expect(visitor.page.get_by_role("heading", level=1, name="Codes")).to_be_visible()


@with_and_without_scripts
def test_from_the_dashboard_to_codes_handed_out(
    open_visitor: OpenVisitor, make_contract: MakeContract, scripts: bool
) -> None:
    make_contract("--max-learners", "3")
    visitor = open_visitor(scripts=scripts)
    page = visitor.page
    dana_signs_in(visitor)
    looks(visitor)
    page.get_by_role("link", name="Manage seats Northgate Health").click()
    expect(page.get_by_role("heading", level=1, name="Seats of Northgate Health")).to_be_visible()
    looks(visitor)
    page.get_by_role("link", name="See the codes").click()
    expect(page.get_by_role("img", name="0 joined, 0 in checkout, 0 invited, 3 free")).to_be_visible()
    looks(visitor)

    page.get_by_role("link", name="Hand out codes", exact=True).click()
    heading = "Hand out codes by e-mail"
    if scripts:
        expect(page.get_by_role("dialog", name=heading)).to_be_visible()
    else:
        expect(page.get_by_role("heading", level=1, name=heading)).to_be_visible()
    page.get_by_label("E-mail addresses").fill(LIST)
    if not scripts:
        page.get_by_role("button", name="Check the list").click()
    expect(page.get_by_text("2 people will get a code by e-mail.")).to_be_visible()
    expect(page.get_by_text("1 address is incomplete:")).to_be_visible()
    expect(page.get_by_text("1 seat will be left after this.")).to_be_visible()
    expect(page.get_by_label("E-mail addresses")).to_have_value(LIST)
    looks(visitor)
    assert not HandOut.objects.exists()
    page.get_by_role("button", name="Send 2 codes").click()
    expect(page.get_by_text("Codes sent to 2 people. 1 seat is free.")).to_be_visible()
    expect(page.get_by_role("cell", name="ines@northgate.example")).to_be_visible()
    expect(page.get_by_role("img", name="0 joined, 0 in checkout, 2 invited, 1 free")).to_be_visible()
    assert HandOut.objects.count() == 2


@with_and_without_scripts
def test_several_are_reminded_and_taken_back(
    open_visitor: OpenVisitor, make_contract: MakeContract, scripts: bool
) -> None:
    make_contract("--max-learners", "5")
    visitor = open_visitor(scripts=scripts)
    page = visitor.page
    dana = dana_signs_in(visitor)
    given_by(dana, "ines", "samuel", "nora")
    sees_codes(visitor)
    if scripts:
        expect(page.get_by_text("None selected")).to_be_visible()
        expect(page.get_by_role("button", name="Remind", exact=True)).to_be_disabled()
    boxes = page.get_by_role("checkbox", name="Select code")
    boxes.nth(0).check()
    boxes.nth(1).check()
    if scripts:
        expect(page.get_by_text("2 selected")).to_be_visible()
        looks(visitor)
    page.get_by_role("button", name="Remind", exact=True).click()
    expect(page.get_by_text("Reminder sent to 2 people.")).to_be_visible()

    boxes.nth(0).check()
    page.get_by_role("button", name="Take back", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="Take 1 code back")).to_be_visible()
    looks(visitor)
    page.get_by_role("button", name="Take back").click()
    expect(page.get_by_text("1 code is free again.")).to_be_visible()
    assert DiscountCode.objects.exclude(assigned_email="").count() == 2

    row = page.get_by_role("row").filter(has_text="samuel@northgate.example")
    row.locator("summary").click()
    row.get_by_role("button", name="Take back").click()
    expect(page.get_by_role("heading", level=1, name="Take 1 code back")).to_be_visible()
    page.get_by_role("link", name="Go back").click()
    expect(page.get_by_role("heading", level=1, name="Codes")).to_be_visible()


@with_and_without_scripts
def test_a_file_is_read_into_the_list(
    open_visitor: OpenVisitor, make_contract: MakeContract, scripts: bool, tmp_path: Path
) -> None:
    make_contract("--max-learners", "5")
    visitor = open_visitor(scripts=scripts)
    page = visitor.page
    dana_signs_in(visitor)
    sees_codes(visitor)
    file = tmp_path / "people.csv"
    file.write_bytes("\ufeffName;E-Mail\r\nZoë Müller;zoe@northgate.example\r\n".encode())
    page.get_by_role("link", name="Hand out codes", exact=True).click()
    page.get_by_label("Or a file").set_input_files(file)
    if not scripts:
        page.get_by_role("button", name="Check the list").click()
    expect(page.get_by_label("E-mail addresses")).to_have_value("Zoë Müller, zoe@northgate.example")
    page.get_by_role("button", name="Send 1 code").click()
    expect(page.get_by_text("Codes sent to 1 person.")).to_be_visible()
    assert HandOut.objects.get().name == "Zoë Müller"


def test_without_a_cap_people_are_invited(open_visitor: OpenVisitor, make_contract: MakeContract) -> None:
    make_contract()
    visitor = open_visitor(width=390)
    page = visitor.page
    dana_signs_in(visitor)
    visitor.opens("/manage-seats/")
    page.get_by_role("link", name="See the invitations").click()
    expect(page.get_by_text("No one has been invited yet.")).to_be_visible()
    looks(visitor)
    page.get_by_role("link", name="Invite people").click()
    page.get_by_label("E-mail addresses").fill("ines@northgate.example")
    page.get_by_role("button", name="Send 1 invitation").click()
    expect(page.get_by_text("ines@northgate.example", exact=True)).to_be_visible()
    page.get_by_role("link", name="Replace the link of").first.click()
    expect(page.get_by_text("1 invitation is open.")).to_be_visible()
    looks(visitor)
    page.get_by_role("button", name="Replace the link").click()
    expect(page.get_by_text("has a new link")).to_be_visible()


@pytest.mark.parametrize("width", [1280, 390])
def test_everything_fits_and_can_be_reached_by_keyboard(
    open_visitor: OpenVisitor, make_contract: MakeContract, width: int
) -> None:
    make_contract("--max-learners", "5")
    visitor = open_visitor(width=width)
    page = visitor.page
    given_by(dana_signs_in(visitor), "a-rather-long-name-that-someone-has-for-an-address", "samuel")
    sees_codes(visitor)
    assert_fits(page)
    found = stops(page)
    for wanted in (
        "summary Download",
        "a Hand out codes",
        "button Search",
        "input Select code",
        "summary More for code",
    ):
        assert any(stop.startswith(wanted) for stop in found), (wanted, found)
    visitor.opens("/manage-seats/")
    assert_fits(page)
    stops(page)


def given_by(dana: User, *names: str) -> None:
    run = ContractPage.objects.get().contract_runs.first()
    assert run is not None
    people = [Recipient(f"{name}@northgate.example") for name in names]
    hand_out(HandOutRequest(contract_run_id=run.pk, recipients=people), by_id=dana.pk, now=clock.now())


def test_the_foot_of_the_hand_out_dialog_stays_in_sight(open_visitor: OpenVisitor, make_contract: MakeContract) -> None:
    make_contract("--max-learners", "9")
    visitor = open_visitor(width=1280, height=800)
    page = visitor.page
    dana_signs_in(visitor)
    page.get_by_role("link", name="Manage seats Northgate Health").click()
    page.get_by_role("link", name="See the codes").click()
    page.get_by_role("link", name="Hand out codes", exact=True).click()
    several = [f"person{number}@northgate.example" for number in range(6)]
    incomplete = [f"person{number}" for number in range(60)]
    page.get_by_label("E-mail addresses").fill("\n".join([*several, *several, *incomplete]))
    send = page.get_by_role("button", name="Send 6 codes")
    expect(send).to_be_in_viewport(ratio=1)
    expect(page.get_by_text("3 seats will be left after this.")).to_be_in_viewport(ratio=1)
    page.get_by_label("E-mail addresses").focus()
    expect(page.get_by_label("E-mail addresses")).to_be_in_viewport()

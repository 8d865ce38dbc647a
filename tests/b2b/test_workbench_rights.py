"""Rights to organizations and contracts in the Wagtail admin, address by address."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse
from wagtail.models import GroupPagePermission

from b2b.models import ContractCourseware, ContractPage, ContractRun, HandOut, SeatRequest
from b2b.services.contracts.contracts import ModifyContract, modify_contract
from b2b.services.handouts.assign import HandOutRequest, hand_out
from b2b.services.handouts.recipients import Recipient
from b2b.wagtail_hooks.viewsets import ContractViewSet, OrganizationViewSet
from cms.services.groups import B2B_MANAGERS
from tests.b2b.admin_people import EVERYBODY, sign_in_as
from tests.b2b.worlds import (
    NOW,
    codes_of,
    ensure_organization_page,
    make_learner,
    make_source_course,
    publish_contract,
    take_seat,
)

pytestmark = pytest.mark.django_db

BULK = ("delete", "move", "publish", "unpublish")
PRICE = "4321.00"  # a number that stands nowhere else
SIGN_IN, AWAY, SHOWN = "sign in", "refused", "shown"
NOBODY_ELSE = dict.fromkeys(EVERYBODY, AWAY) | {"anonymous": SIGN_IN, "manager": SHOWN, "superuser": SHOWN}
EDITORS_TOO = NOBODY_ELSE | {"editor": SHOWN}
FINANCE_ONLY = NOBODY_ELSE | {"manager": AWAY, "finance": SHOWN}

# What stands behind each address, and who gets it. Every address of the two sections is here (the last test).
TABLE = {
    "b2b_organizations:index": EDITORS_TOO,
    "b2b_organizations:index_results": EDITORS_TOO,
    "b2b_organizations:detail": EDITORS_TOO,
    "b2b_organizations:people": NOBODY_ELSE,
    "b2b_organizations:people_results": NOBODY_ELSE,
    "b2b_organizations:add_manager": NOBODY_ELSE,
    "b2b_contracts:failed_mails": NOBODY_ELSE,
    "b2b_contracts:failed_mails_results": NOBODY_ELSE,
    "b2b_contracts:seat_requests": NOBODY_ELSE,
    "b2b_contracts:seat_requests_results": NOBODY_ELSE,
    "b2b_contracts:seat_request": NOBODY_ELSE,
    "b2b_contracts:index": NOBODY_ELSE,
    "b2b_contracts:index_results": NOBODY_ELSE,
    "b2b_contracts:terms": NOBODY_ELSE,
    "b2b_contracts:review": NOBODY_ELSE,
    "b2b_contracts:courseware": NOBODY_ELSE,
    "b2b_contracts:add_courseware": NOBODY_ELSE,
    "b2b_contracts:remove_courseware": NOBODY_ELSE,
    "b2b_contracts:codes": NOBODY_ELSE,
    "b2b_contracts:codes_results": NOBODY_ELSE,
    "b2b_contracts:hand_out": NOBODY_ELSE,
    "b2b_contracts:assign": NOBODY_ELSE,
    "b2b_contracts:revoke": NOBODY_ELSE,
    "b2b_contracts:export_csv": NOBODY_ELSE,
    "b2b_contracts:export_xlsx": NOBODY_ELSE,
    "b2b_contracts:replace": NOBODY_ELSE,
    "b2b_contracts:invitations": NOBODY_ELSE,
    "b2b_contracts:invitations_results": NOBODY_ELSE,
    "b2b_contracts:cancel_invitation": NOBODY_ELSE,
    "b2b_contracts:members": NOBODY_ELSE,
    "b2b_contracts:members_results": NOBODY_ELSE,
    "b2b_contracts:add_member": NOBODY_ELSE,
    "b2b_contracts:remove_member": NOBODY_ELSE,
    "b2b_contracts:move_member": NOBODY_ELSE,
    "b2b_contracts:activity": NOBODY_ELSE,
    "b2b_contracts:invoices": FINANCE_ONLY,
    "b2b_contracts:add_invoice": FINANCE_ONLY,
}
ONLY_POST = {
    "b2b_contracts:remind",
    "b2b_contracts:send_mail_again",
    "b2b_organizations:make_manager",
    "b2b_organizations:remove_manager",
}
ACTS = (
    "add_courseware",
    "remove_courseware",
    "hand_out",
    "assign",
    "revoke",
    "remind",
    "replace",
    "cancel_invitation",
    "add_member",
    "remove_member",
    "move_member",
)


@pytest.fixture
def page() -> ContractPage:
    made = publish_contract(make_source_course(), cap=3, price=PRICE)
    take_seat(made, make_learner("member@example.com"))
    shared = publish_contract(make_source_course(), name="Without a cap")
    run = ContractRun.objects.get(contract=shared)
    hand_out(
        HandOutRequest(contract_run_id=run.pk, recipients=[Recipient(email="ada@example.com")]), by_id=None, now=NOW
    )
    return made


def address(name: str, page: ContractPage) -> str:
    further = {
        "review": [page.latest_revision_id],
        "remove_courseware": [ContractCourseware.objects.get(contract=page).pk],
        "remove_member": [page.memberships.get().pk],
        "move_member": [page.memberships.get().pk],
        **{part: [codes_of(page)[0].pk] for part in ("assign", "revoke", "remind")},
    }
    section, _colon, part = name.partition(":")
    if part in ("replace", "cancel_invitation"):
        page = ContractPage.objects.get(name="Without a cap")
        further[part] = [codes_of(page)[0].pk if part == "replace" else HandOut.objects.get().pk]
    if part.startswith(("index", "failed_mails", "seat_requests", "add_invoice")):
        return reverse(name)
    if part == "seat_request":
        further[part] = [SeatRequest.objects.create(contract=page, seats=1, asked_at=NOW).pk]
    if section == "b2b_organizations":
        return reverse(name, args=[ensure_organization_page().pk])
    return reverse(name, args=[page.pk, *further.get(part, [])])


def outcome(client: Client, url: str, *, post: bool = False) -> str:
    answer = client.post(url) if post else client.get(url)
    if answer.streaming:
        b"".join(answer)  # to the end, which closes the file
    if answer.status_code == 302 and "/login/" in answer["Location"]:
        return SIGN_IN
    if answer.status_code in (200, 422):
        return SHOWN
    assert answer.status_code in (302, 403), f"{url}: {answer.status_code}"
    return AWAY


@pytest.mark.parametrize("who", EVERYBODY)
def test_each_role_gets_the_answers_of_the_table(page: ContractPage, who: str) -> None:
    client = sign_in_as(who)
    got = {name: outcome(client, address(name, page)) for name in TABLE}
    # A learner who isn't staff is sent to the admin's sign-in.
    expected = {name: SIGN_IN if who == "learner" else row[who] for name, row in TABLE.items()}
    assert got == expected


@pytest.mark.parametrize("who", ["anonymous", "learner", "editor", "finance"])
def test_other_roles_cannot_act(page: ContractPage, who: str) -> None:
    client = sign_in_as(who)
    shared = ContractPage.objects.get(name="Without a cap")
    before = [(code.text, code.active, code.assigned_email) for code in codes_of(page) + codes_of(shared)]
    for part in ACTS:
        assert outcome(client, address(f"b2b_contracts:{part}", page), post=True) in (SIGN_IN, AWAY)
    assert [(code.text, code.active, code.assigned_email) for code in codes_of(page) + codes_of(shared)] == before
    assert HandOut.objects.get().ended_at is None
    assert page.memberships.count() == 1
    assert ContractCourseware.objects.get(contract=page).removed_at is None


def test_a_refusal_is_the_same_for_a_contract_that_there_is_not(page: ContractPage) -> None:
    editor = sign_in_as("editor")
    there = editor.get(address("b2b_contracts:codes", page))
    nowhere = editor.get(reverse("b2b_contracts:codes", args=[99_999]))
    assert (there.status_code, there["Location"]) == (nowhere.status_code, nowhere["Location"])


def test_a_code_of_another_contract_is_not_found(page: ContractPage) -> None:
    other = publish_contract(make_source_course(), cap=1, name="Another")
    manager = sign_in_as("manager")
    for part in ("assign", "revoke"):
        url = reverse(f"b2b_contracts:{part}", args=[page.pk, codes_of(other)[0].pk])
        assert manager.get(url).status_code == 404
        assert manager.post(url).status_code == 404


def test_an_editor_reads_about_an_organization_without_its_contracts(page: ContractPage) -> None:
    words = sign_in_as("editor").get(address("b2b_organizations:detail", page)).content.decode()
    assert "UniversityX" in words
    assert page.name not in words
    assert "4321" not in words


def leaks(words: str, page: ContractPage) -> bool:
    return "4321" in words or any(code.text in words for code in codes_of(page))


def test_wagtails_own_pages_tell_an_editor_no_terms_and_no_codes(page: ContractPage) -> None:
    modify_contract(ModifyContract(contract_id=page.pk, changes={"max_learners": 2}), now=NOW)
    editor = sign_in_as("editor")
    revisions = list(page.revisions.order_by("pk").values_list("pk", flat=True))
    own = [
        reverse("wagtailadmin_explore", args=[ensure_organization_page().pk]),
        reverse("wagtailadmin_explore", args=[page.pk]),
        reverse("wagtailadmin_pages:edit", args=[page.pk]),
        reverse("wagtailadmin_pages:view_draft", args=[page.pk]),
        reverse("wagtailadmin_pages:preview_on_edit", args=[page.pk]),
        reverse("wagtailadmin_pages:history", args=[page.pk]),
        reverse("wagtailadmin_pages:usage", args=[page.pk]),
        reverse("wagtailadmin_pages:workflow_history", args=[page.pk]),
        reverse("wagtailadmin_pages:revisions_view", args=[page.pk, revisions[0]]),
        reverse("wagtailadmin_pages:revisions_revert", args=[page.pk, revisions[0]]),
        reverse("wagtailadmin_pages:revisions_compare", args=[page.pk, revisions[0], revisions[-1]]),
        reverse("wagtailadmin_pages:revisions_compare", args=[page.pk, "earliest", "live"]),
        reverse("wagtailadmin_pages:search") + "?q=contract",
        reverse("wagtailadmin_choose_page") + "?q=contract",
        reverse("wagtailadmin_choose_page_child", args=[ensure_organization_page().pk]),
        reverse("wagtailadmin_reports:site_history"),
        reverse("wagtailadmin_reports:aging_pages"),
        reverse("wagtailadmin_reports:page_types_usage"),
        reverse("wagtailadmin_api:pages:detail", args=[page.pk]) + "?fields=*",
        reverse("wagtailadmin_api:pages:listing") + "?type=b2b.ContractPage&fields=*",
        reverse("wagtailadmin_home"),
    ]
    for url in own:
        answer = editor.get(url)
        assert answer.status_code in (200, 302, 403, 404, 400), url
        words = b"".join(answer).decode() if answer.streaming else answer.content.decode()
        assert not leaks(words, page), url


def test_wagtails_own_pages_never_name_a_contract_to_an_editor(page: ContractPage) -> None:
    ContractPage.objects.filter(pk=page.pk).update(
        title="Secret terms", draft_title="Secret terms", name="Secret terms"
    )
    bulk = [reverse("wagtail_bulk_action", args=["wagtailcore", "page", name]) for name in BULK]
    own = [reverse("wagtailadmin_explore", args=[page.pk]), *(f"{url}?id={page.pk}" for url in bulk)]
    for who, is_named in (("editor", False), ("manager", True)):
        client = sign_in_as(who)
        for url in own:
            words = client.get(url, follow=True).content.decode()
            assert ("Secret terms" in words) is is_named, (who, url)


def test_the_same_reading_as_a_manager_does_find_the_price(page: ContractPage) -> None:
    """The control: a page that shows the price is noticed."""
    words = sign_in_as("manager").get(reverse("wagtailadmin_pages:edit", args=[page.pk])).content.decode()
    assert leaks(words, page)


def test_nothing_links_to_a_contract(page: ContractPage) -> None:
    manager = sign_in_as("manager")
    chooser = manager.get(reverse("wagtailadmin_choose_page_child", args=[ensure_organization_page().pk])).json()[
        "html"
    ]
    assert page.name not in chooser


def test_a_group_may_look_after_one_organization_alone(page: ContractPage) -> None:
    """Rights to pages decide which contracts are worked on; the others can be read about."""
    other = publish_contract(make_source_course(), cap=1, of=ensure_organization_page("Harbor Council"), name="Another")
    client = sign_in_as("manager")
    group = Group.objects.get(name=B2B_MANAGERS)
    GroupPagePermission.objects.filter(group=group).delete()
    for right in Permission.objects.filter(codename__in=["add_page", "change_page", "publish_page"]):
        GroupPagePermission.objects.create(group=group, page=other.get_parent(), permission=right)
    assert outcome(client, reverse("b2b_contracts:codes", args=[other.pk])) == SHOWN
    assert outcome(client, reverse("b2b_contracts:codes", args=[page.pk])) == AWAY
    assert outcome(client, reverse("b2b_contracts:terms", args=[page.pk])) == SHOWN
    assert "Codes</a>" not in client.get(reverse("b2b_contracts:terms", args=[page.pk])).content.decode()
    seat = take_seat(other, make_learner("ada@example.com"))
    move = reverse("b2b_contracts:move_member", args=[other.pk, seat.pk])
    assert f": {page.name}<" not in client.get(move).content.decode()
    assert client.post(move, {"target": page.pk, "reason": "Theirs now"}).status_code == 422
    seat.refresh_from_db()
    assert seat.contract_id == other.pk


def test_the_menu_has_the_section_for_those_who_may_see_it() -> None:
    ensure_organization_page()
    for who, shown in {"editor": True, "manager": True, "superuser": True, "finance": False}.items():
        words = sign_in_as(who).get("/cms/").content.decode()
        assert ('"/cms/organizations/"' in words) is shown, who
        assert ('"/cms/contracts/"' in words) is (shown and who != "editor"), who


def test_every_address_is_in_the_table() -> None:
    names = {
        f"{viewset.name}:{pattern.name}"
        for viewset in (ContractViewSet(), OrganizationViewSet())
        for pattern in viewset.get_urlpatterns()
    }
    assert names == set(TABLE) | ONLY_POST

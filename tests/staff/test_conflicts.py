"""Two people open the same form; whoever saves second sees what the first one changed, and undoes nothing unawares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.db import models
from django.test import Client, RequestFactory
from django.urls import resolve, reverse
from wagtail import hooks
from wagtail.contrib.settings.registry import registry as settings_registry
from wagtail.contrib.settings.views import get_setting_edit_handler
from wagtail.models import GroupPagePermission, Page, RevisionMixin, Site
from wagtail.snippets.models import get_snippet_models

from b2b.models import OrganizationMembership
from cms.models import Instructor, SiteBrand
from courses.models import CourseRun, Program
from courses.services.requirements import Group as Requirement
from courses.services.requirements import set_requirements
from ecommerce.models import Discount, DiscountCode
from ecommerce.models.shop_settings import ShopSettings
from mitxonline.kernel.admin import ReadOnlyAdminMixin
from mitxonline.staff.conflicts import ConflictAdminMixin, ConflictEditMixin, ConflictFormMixin
from mitxonline.staff.pages import StaffFormPage
from mitxonline.staff.settings import SettingForm
from mitxonline.users.models import User
from tests.factories import (
    NOON,
    make_code,
    make_course,
    make_department,
    make_discount,
    make_organization,
    make_product,
    make_run,
    make_user,
)
from tests.support.forms import open_form, read_form, send_form
from tests.support.reading import words
from tests.support.together import MeetAt, Together

pytestmark = pytest.mark.django_db


def administrator(email: str, name: str) -> Client:
    client = Client()
    client.force_login(make_user(email, name=name, is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def anna() -> Client:
    return administrator("anna@x.example", "Anna Lind")


@pytest.fixture
def bert() -> Client:
    return administrator("bert@x.example", "Bert Moser")


def snippet_url(row: models.Model) -> str:
    return reverse(type(row).snippet_viewset.get_url_name("edit"), args=[row.pk])  # type: ignore[attr-defined]


def shown(response: Any) -> str:
    return words(BeautifulSoup(response.content.decode(), "html.parser"))


@dataclass(frozen=True)
class Case:
    """A form, what one person changes in it and what the other does; `read` returns what is stored of both."""

    make: Callable[[], models.Model]
    url: Callable[[Any], str]
    theirs: dict[str, Any]
    mine: dict[str, Any]
    read: Callable[[Any], tuple[Any, Any]]
    stored: tuple[Any, Any]
    difference: str
    merged: tuple[Any, Any]


def _site_setting(model: type[models.Model]) -> models.Model:
    return model.objects.get_or_create(site=Site.objects.get())[0]  # type: ignore[attr-defined,no-any-return]


def _setting_url(row: Any) -> str:
    return reverse("wagtailsettings:edit", args=[row._meta.app_label, row._meta.model_name, row.site_id])


CASES = {
    "product": Case(
        make=lambda: make_product(price="777"),
        url=snippet_url,
        theirs={"price": "555"},
        mine={"description": "Eight weeks"},
        read=lambda row: (f"{row.price:f}", row.description),
        stored=("555.000", ""),
        difference="Changed from “777” to “555”",
        merged=("555.000", "Eight weeks"),
    ),
    "course": Case(
        make=lambda: make_course(title="Old title"),
        url=snippet_url,
        theirs={"title": "Their title"},
        mine={"summary": "Mine"},
        read=lambda row: (row.title, row.summary),
        stored=("Their title", ""),
        difference="Changed from “Old title” to “Their title”",
        merged=("Their title", "Mine"),
    ),
    "run": Case(
        make=lambda: make_run(title="A run"),
        url=snippet_url,
        theirs={"live": []},
        mine={"title": "Another title"},
        read=lambda row: (row.live, row.title),
        stored=(False, "A run"),
        difference="Changed from “yes” to “no”",
        merged=(False, "Another title"),
    ),
    "department": Case(
        make=lambda: make_department("Computing"),
        url=snippet_url,
        theirs={"position": "7"},
        mine={"name": "Computing and data"},
        read=lambda row: (row.position, row.name),
        stored=(7, "Computing"),
        difference="Changed from “0” to “7”",
        merged=(7, "Computing and data"),
    ),
    "program": Case(
        make=lambda: Program.objects.create(
            readable_id="program-v1:TesseraX+P", title="A program", department=make_department()
        ),
        url=snippet_url,
        theirs={"live": [], "requirements-count": "0"},
        mine={"title": "My program", "requirements-count": "0"},
        read=lambda row: (row.live, row.title),
        stored=(False, "A program"),
        difference="Changed from “yes” to “no”",
        merged=(False, "My program"),
    ),
    "instructor": Case(
        make=lambda: Instructor.objects.create(name="Mirela"),
        url=snippet_url,
        theirs={"about": "Theirs"},
        mine={"name": "Mirela Radu"},
        read=lambda row: (row.about, row.name),
        stored=("Theirs", "Mirela"),
        difference="Changed from “empty” to “Theirs”",
        merged=("Theirs", "Mirela Radu"),
    ),
    "discount": Case(
        make=lambda: make_discount(amount="20", name="Autumn"),
        url=lambda row: reverse("discounts:edit", args=[row.pk]),
        theirs={"amount": "35"},
        mine={"name": "Fall"},
        read=lambda row: (f"{row.amount:f}", row.name),
        stored=("35.000", "Autumn"),
        difference="Changed from “20” to “35”",
        merged=("35.000", "Fall"),
    ),
    "shop": Case(
        make=lambda: _site_setting(ShopSettings),
        url=_setting_url,
        theirs={"refund_window_days": "30"},
        mine={"seller_name": "Tessera, Inc."},
        read=lambda row: (row.refund_window_days, row.seller_name),
        stored=(30, ""),
        difference="Changed from “empty” to “30”",
        merged=(30, "Tessera, Inc."),
    ),
    "brand": Case(
        make=lambda: _site_setting(SiteBrand),
        url=_setting_url,
        theirs={"tagline": "Theirs"},
        mine={"brand_name": "Mine"},
        read=lambda row: (row.tagline, row.brand_name),
        stored=("Theirs", "Tessera"),
        difference="to “Theirs”",
        merged=("Theirs", "Mine"),
    ),
    "person in Wagtail": Case(
        make=lambda: make_user("p@x.example", name="Person"),
        url=lambda row: reverse("wagtailusers_users:edit", args=[row.pk]),
        theirs={"is_active": []},
        mine={"name": "New name"},
        read=lambda row: (row.is_active, row.name),
        stored=(False, "Person"),
        difference="Changed from “yes” to “no”",
        merged=(False, "New name"),
    ),
    "person in Django": Case(
        make=lambda: make_user("p@x.example", name="Person"),
        url=lambda row: reverse("admin:users_user_change", args=[row.pk]),
        theirs={"is_staff": "on"},
        mine={"name": "New name"},
        read=lambda row: (row.is_staff, row.name),
        stored=(True, "Person"),
        difference="Changed from “no” to “yes”",
        merged=(True, "New name"),
    ),
    "group in Wagtail": Case(
        make=lambda: Group.objects.create(name="Helpers"),
        url=lambda row: reverse("wagtailusers_groups:edit", args=[row.pk]),
        theirs={"permissions": lambda: [_permission()]},
        mine={"name": "All helpers"},
        read=lambda row: (row.permissions.count(), row.name),
        stored=(1, "Helpers"),
        difference="Added: ",
        merged=(1, "All helpers"),
    ),
    "group in Django": Case(
        make=lambda: Group.objects.create(name="Helpers"),
        url=lambda row: reverse("admin:auth_group_change", args=[row.pk]),
        theirs={"permissions": lambda: [_permission()]},
        mine={"name": "All helpers"},
        read=lambda row: (row.permissions.count(), row.name),
        stored=(1, "Helpers"),
        difference="Added: ",
        merged=(1, "All helpers"),
    ),
}


def _permission() -> str:
    return str(Permission.objects.get(codename="add_product", content_type__app_label="ecommerce").pk)


def _drawn_by_script(case: Case) -> dict[str, Any]:
    return {name: value for name, value in case.mine.items() if name == "requirements-count"}


def _resolve(changes: dict[str, Any]) -> dict[str, Any]:
    return {name: each() if callable(each) else each for name, each in changes.items()}


def _stored(row: Any) -> Any:
    return type(row)._base_manager.get(pk=row.pk)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
class TestLostUpdates:
    def test_the_second_to_save_sees_what_the_first_changed(self, case: Case, anna: Client, bert: Client) -> None:
        row = case.make()
        url = case.url(row)
        page = open_form(anna, url)
        send_form(bert, url, open_form(bert, url), **_resolve(case.theirs))
        refused = send_form(anna, url, page, **case.mine)
        assert case.read(_stored(row)) == case.stored
        said = shown(refused)
        assert "changed this while you had it open, so nothing was saved" in said
        assert case.difference in said
        again = read_form(refused.content.decode())
        send_form(anna, url, again, **_drawn_by_script(case))
        assert case.read(_stored(row)) == case.merged

    def test_the_one_who_changed_it_is_named(self, case: Case, anna: Client, bert: Client) -> None:
        url = case.url(case.make())
        page = open_form(anna, url)
        send_form(bert, url, open_form(bert, url), **_resolve(case.theirs))
        assert "Bert Moser changed this" in shown(send_form(anna, url, page, **case.mine))

    def test_what_was_typed_over_the_same_field_is_kept(self, case: Case, anna: Client, bert: Client) -> None:
        row = case.make()
        url = case.url(row)
        page = open_form(anna, url)
        name, mine = next(iter(case.mine.items()))
        send_form(bert, url, open_form(bert, url), **{name: "From Bert"}, **_drawn_by_script(case))
        refused = send_form(anna, url, page, **case.mine)
        assert case.read(_stored(row))[1] == "From Bert"
        assert "The field shows yours" in shown(refused)
        send_form(anna, url, read_form(refused.content.decode()), **_drawn_by_script(case))
        assert case.read(_stored(row))[1] == mine

    def test_the_same_form_sent_twice_is_no_conflict(self, case: Case, anna: Client, bert: Client) -> None:
        row = case.make()
        url = case.url(row)
        page = open_form(anna, url)
        send_form(anna, url, page, **case.mine)
        assert "changed this while" not in shown(send_form(anna, url, page, **case.mine))
        assert case.read(_stored(row))[1] == next(iter(case.mine.values()))

    def test_a_script_that_opened_no_form_can_write(self, case: Case, anna: Client, bert: Client) -> None:
        row = case.make()
        url = case.url(row)
        page = {name: value for name, value in open_form(anna, url).items() if not name.endswith("seen")}
        send_form(anna, url, page, **case.mine)
        assert case.read(_stored(row))[1] == next(iter(case.mine.values()))

    def test_what_was_tampered_with_does_not_count(self, case: Case, anna: Client, bert: Client) -> None:
        row = case.make()
        url = case.url(row)
        before = case.read(_stored(row))
        said = shown(send_form(anna, url, open_form(anna, url), **case.mine, seen="e30:nonsense"))
        assert "doesn’t say what it showed you" in said
        assert case.read(_stored(row)) == before

    def test_what_another_row_showed_does_not_count(self, case: Case, anna: Client, bert: Client) -> None:
        row = case.make()
        url = case.url(row)
        other = open_form(anna, snippet_url(make_product()))["seen"]
        before = case.read(_stored(row))
        send_form(anna, url, open_form(anna, url), **case.mine, seen=other)
        assert case.read(_stored(row)) == before


class TestOtherForms:
    def test_a_program_with_requirements_can_be_saved(self, anna: Client) -> None:
        program = Program.objects.create(
            readable_id="program-v1:TesseraX+Q", title="A program", department=make_department()
        )
        course = make_course()
        set_requirements(program=program, groups=[Requirement(title="All", course_ids=(course.pk,))])
        url = snippet_url(program)
        block = {
            "requirements-count": "1",
            "requirements-0-deleted": "",
            "requirements-0-order": "0",
            "requirements-0-type": "all_of",
            "requirements-0-id": "",
            "requirements-0-value-title": "All",
            "requirements-0-value-courses-count": "1",
            "requirements-0-value-courses-0-deleted": "",
            "requirements-0-value-courses-0-order": "0",
            "requirements-0-value-courses-0-type": "item",
            "requirements-0-value-courses-0-value": str(course.pk),
        }
        said = shown(send_form(anna, url, open_form(anna, url), title="New title", **block))
        assert "while you had it open" not in said
        program.refresh_from_db()
        assert program.title == "New title"

    def test_rights_of_a_group_to_pages_are_part_of_what_was_seen(self, anna: Client) -> None:
        group = Group.objects.create(name="Helpers")
        url = reverse("wagtailusers_groups:edit", args=[group.pk])
        page = open_form(anna, url)
        permission = Permission.objects.get(codename="change_page", content_type__app_label="wagtailcore")
        GroupPagePermission.objects.create(group=group, page=Page.get_first_root_node(), permission=permission)
        said = shown(send_form(anna, url, page, name="All helpers"))
        assert "Page permissions: Added: Root: Can change page." in said
        assert Group.objects.get(pk=group.pk).name == "Helpers"
        assert GroupPagePermission.objects.filter(group=group).count() == 1

    def test_who_manages_an_organization_is_not_undone(self, anna: Client, bert: Client) -> None:
        person = make_user("p@x.example", name="Person")
        first, second = make_organization("One"), make_organization("Two")
        rows = [
            OrganizationMembership.objects.create(organization=each, user=person, source="staff", since=NOON)
            for each in (first, second)
        ]
        url = reverse("admin:users_user_change", args=[person.pk])
        page = open_form(anna, url)
        theirs = open_form(bert, url)
        name = next(each for each in theirs if each.endswith("-0-id") and each.startswith("organization"))
        prefix = name.removesuffix("-0-id")
        send_form(bert, url, theirs, **{f"{prefix}-1-is_manager": "on"})
        assert [OrganizationMembership.objects.get(pk=each.pk).is_manager for each in rows] == [False, True]
        said = shown(send_form(anna, url, page, name="Another"))
        assert "Changed from “no” to “yes”" in said
        assert [OrganizationMembership.objects.get(pk=each.pk).is_manager for each in rows] == [False, True]
        person.refresh_from_db()
        assert person.name == "Person"

    def test_the_limit_of_a_code(self, anna: Client, bert: Client) -> None:
        code = make_code(make_discount(amount="20"))
        url = reverse("discounts:code", args=[code.pk])
        page = open_form(anna, url)
        send_form(bert, url, open_form(bert, url), max_uses="5")
        said = shown(send_form(anna, url, page, max_uses="9"))
        assert "Changed from “empty” to “5”" in said
        assert DiscountCode.objects.get(pk=code.pk).max_uses == 5

    def test_the_end_of_several_discounts(self, anna: Client, bert: Client) -> None:
        one, two = make_discount(amount="20", name="One"), make_discount(amount="20", name="Two")
        url = f"/cms/bulk/ecommerce/discount/extend/?id={one.pk}&id={two.pk}&next=/cms/"
        page = open_form(anna, url)
        send_form(bert, url.replace(f"id={one.pk}&", ""), open_form(bert, url), expires_at="2090-06-30")
        send_form(bert, reverse("discounts:edit", args=[two.pk]), {})
        change = reverse("discounts:edit", args=[two.pk])
        send_form(bert, change, open_form(bert, change), expires_at="2091-06-30")
        ends = [Discount.objects.get(pk=each.pk).expires_at for each in (one, two)]
        said = shown(send_form(anna, url, page, expires_at="2092-06-30"))
        assert "changed the end of “Two” while you had this open" in said
        assert [Discount.objects.get(pk=each.pk).expires_at for each in (one, two)] == ends

    def test_columns_that_a_form_does_not_show_are_not_written_back(self, anna: Client) -> None:
        run = make_run()
        url = snippet_url(run)
        page = open_form(anna, url)
        CourseRun.all_objects.filter(pk=run.pk).update(lms_state="there")
        send_form(anna, url, page, title="Another title")
        run.refresh_from_db()
        assert (run.title, run.lms_state) == ("Another title", "there")

    def test_a_deleted_row_is_said_to_be_gone(self, anna: Client) -> None:
        department = make_department("Soon gone")
        url = snippet_url(department)
        page = open_form(anna, url)
        department.delete()
        assert anna.post(url, page).status_code == 404


def test_settings_saved_at_the_same_moment_show_the_difference(
    together: Together, meet_at: MeetAt, anna: Client, bert: Client
) -> None:
    brand = _site_setting(SiteBrand)
    url = _setting_url(brand)
    forms = [open_form(client, url) | {"tagline": text} for client, text in ((anna, "Ours"), (bert, "Theirs"))]
    meet_at(SettingForm, "refuse_if_changed", parties=2)
    answers = together(partial(anna.post, url, forms[0]), partial(bert.post, url, forms[1]))
    assert sorted(answer.status_code for answer in answers) == [200, 302]
    refused = next(answer for answer in answers if answer.status_code == 200)
    assert "changed this while you had it open" in refused.content.decode()
    assert "Ours" in refused.content.decode()
    assert "Theirs" in refused.content.decode()


# Forms without the check, and why they need none.
SNIPPETS_WITHOUT: dict[type[models.Model], str] = {}
VIEWS_WITHOUT = {
    "Site": "the address of the site: one administrator, no money, date or right",
}
ADMINS_WITHOUT = {
    "CourseStaff": "staff are appointed and dismissed, never changed",
    "Document": "Wagtail's own page; no money, date or right",
    "Image": "Wagtail's own page; no money, date or right",
    "Tag": "no money, date or right",
}
STAFF_FORMS_WITHOUT = {
    "CopyRunView": "copies a run; its plan is shown first",
    "OrderView": "adds a note",
    "SeatRequestView": "closes an open request; one that was closed meanwhile stays as it is",
    "AddCoursewareView": "adds; its plan is confirmed by its fingerprint",
    "AddManagersView": "its plan is confirmed by its fingerprint",
    "AddMembersView": "adds; the seats are counted under the contract's lock",
    "AssignView": "shows and locks the code; a code that is assigned is refused",
    "HandOutView": "its plan is confirmed by its fingerprint",
    "RemoveMemberView": "removes one; a seat that is gone is refused",
    "CreateDiscountView": "creates",
    "CodeSearchView": "finds a code",
    "CodeView": "shows a code",
    "CancelCodeView": "its plan is confirmed by its fingerprint",
    "RestoreCodeView": "its plan is confirmed by its fingerprint",
    "FreeCodeView": "its plan is confirmed by its fingerprint",
    "MoveCodeView": "its plan is confirmed by its fingerprint",
    "StatementView": "adds a file of what a gateway reported; the same file again changes nothing",
    "AssignRoleView": "adds; someone who has the role already keeps it as it is",
    "RemoveRoleView": "removes one; a role that is gone stays so",
    "MoreCodesView": "creates",
    "RefundView": "its plan is confirmed by its fingerprint",
    "RefundSeatsView": "a refund whose seats were said is refused under the lock",
    "DenyView": "a request that was decided is refused under its lock",
    "FulfillView": "the order's state is checked under its lock",
    "CancelView": "the order's state is checked under its lock",
    "UndoView": "the order's lines are checked under its lock",
    "RefundSecondPaymentView": "the payment's state is checked under its lock",
    "KeepSecondPaymentView": "the payment's state is checked under its lock",
    "AcceptRefundView": "the refund's state is checked under its lock",
    "EnrollmentView": "the enrollment's state is checked under its lock",
    "GiveUpView": "the delivery's state is checked under its lock",
    "AddInvoiceView": "creates",
    "EditInvoiceView": "the draft is compared by its fingerprint, under its lock",
    "IssueView": "its plan is confirmed by its fingerprint",
    "DeleteDraftView": "deletes; a draft that was issued is refused under its lock",
    "PayoutView": "adds an entry; the balance is checked under the invoice's lock",
    "ReversePaymentView": "adds an entry; a payment that was reversed is refused under the invoice's lock",
    "CreditView": "its plan is confirmed by its fingerprint",
    "VoidView": "its plan is confirmed by its fingerprint",
    "AddContractInvoiceView": "creates",
    "SearchView": "changes nothing",
}


class TestEveryForm:
    """A new form is covered by the check, or listed above with the reason why it needs none."""

    def test_snippets(self) -> None:
        for model in get_snippet_models():
            viewset = model.snippet_viewset
            assert model in SNIPPETS_WITHOUT or issubclass(viewset.edit_view_class, ConflictEditMixin), model

    def test_settings(self) -> None:
        for model in settings_registry:
            form = get_setting_edit_handler(model).get_form_class()
            assert issubclass(form, ConflictFormMixin), model
            view: Any = resolve(f"/cms/settings/{model._meta.app_label}/{model._meta.model_name}/1/").func
            assert issubclass(view.view_class, ConflictEditMixin), model

    def test_other_views_of_wagtail(self) -> None:
        for register in hooks.get_hooks("register_admin_viewset"):
            found = register()
            for viewset in found if isinstance(found, list | tuple) else [found]:
                view, model = getattr(viewset, "edit_view_class", None), getattr(viewset, "model", None)
                if view is None or model is None or issubclass(view, ConflictEditMixin):
                    continue
                if issubclass(model, Page | RevisionMixin):  # Wagtail compares their revisions
                    continue
                assert model.__name__ in VIEWS_WITHOUT, (viewset, model)

    def test_the_django_admin(self) -> None:
        request = RequestFactory().get("/admin/")
        request.user = User(is_superuser=True, is_staff=True, is_active=True)
        for model, page in admin.site._registry.items():
            if isinstance(page, ReadOnlyAdminMixin) or model.__name__ in ADMINS_WITHOUT:
                continue
            assert isinstance(page, ConflictAdminMixin), model
            assert issubclass(page.form, ConflictFormMixin), model
            assert page.list_editable == (), model
            for inline in page.get_inlines(request, None):
                may_change = inline(model, admin.site).has_change_permission(request)
                assert not may_change or issubclass(inline.form, ConflictFormMixin), inline

    def test_staff_forms(self) -> None:
        def leaves(view: type[Any]) -> Iterator[type[Any]]:
            for each in view.__subclasses__():
                yield from leaves(each)
            if not view.__subclasses__():
                yield view

        for view in leaves(StaffFormPage):
            assert view.__name__ in STAFF_FORMS_WITHOUT or issubclass(view, ConflictEditMixin), view


def test_a_moment_that_changed_is_named_with_its_zone_once(anna: Client, bert: Client) -> None:
    run = make_run(title="A run")
    url = snippet_url(run)
    page = open_form(anna, url)
    send_form(bert, url, open_form(bert, url), start_date="2027-03-28 09:30")
    said = shown(send_form(anna, url, page, title="Another"))
    assert "to “28 March 2027, 09:30 UTC”" in said

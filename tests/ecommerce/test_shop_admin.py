"""The shop in the Wagtail admin: rights, actions and query counts."""

from __future__ import annotations

import csv
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth.models import Group, Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from openpyxl import load_workbook
from wagtail.models import ModelLogEntry

from cms.services.groups import B2B_MANAGERS, EDITORS, FINANCE, RIGHTS, ensure_group
from courses.models import CourseStaff
from courses.services.staff import appoint
from ecommerce.models import Discount, DiscountCode, Product
from ecommerce.selectors.discount_access import OPERATOR
from ecommerce.services.discounts.codes import use_code
from ecommerce.services.discounts.discounts import create_discount
from ecommerce.services.discounts.validation import NewCodes
from mitxonline.users.models import User
from tests.ecommerce.drafts import TEN_PERCENT
from tests.factories import (
    NOON,
    make_code,
    make_contract,
    make_contract_run,
    make_course,
    make_discount,
    make_product,
    make_run,
    make_user,
)
from tests.support.counting import queries

pytestmark = pytest.mark.django_db

LIST = "/cms/shop/discounts/"


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def member_of(group: str, **fields: Any) -> User:
    user = make_user(**fields)
    Group.objects.filter(name=group).delete()
    ensure_group(RIGHTS[group], pages=[], renew=True)
    user.groups.add(Group.objects.get(name=group))
    return user


@pytest.fixture
def finance() -> Client:
    return signed_in(member_of(FINANCE))


@pytest.fixture
def mine() -> Product:
    return make_product(make_run(make_course(title="My course")), price="200")


@pytest.fixture
def staff(mine: Product) -> Client:
    user = make_user("cora@x.example")
    assert mine.course_run is not None
    appoint(course_id=mine.course_run.course_id, user_id=user.pk, by_id=None)
    return signed_in(user)


def text_of(response: Any) -> str:
    return " ".join(BeautifulSoup(response.content.decode(), "html.parser").get_text(" ").split())


def file_of(data: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile("people.csv", data)


def form(**fields: Any) -> dict[str, Any]:
    return {
        "name": "Autumn",
        "discount_type": "percent_off",
        "amount": "20",
        "currency": "USD",
        "payment_type": "marketing",
        "scope": "all",
        "audience": "all",
        "people": "",
        "activates_at": "",
        "expires_at": "",
        "codes": "one",
        "code": "AUTUMN20",
        "count": "",
        "begins": "",
        "addresses": "",
        "often": "unlimited",
        "max_uses": "",
        **fields,
    }


class TestFinance:
    def test_makes_a_code(self, finance: Client) -> None:
        response = finance.post(f"{LIST}new/", form(expires_at="2090-06-30"), follow=True)
        assert "Created “Autumn” with 1 code." in text_of(response)
        assert "20% off" in text_of(response)
        assert "Until 30 June 2090, 23:59 UTC." in text_of(response)
        assert DiscountCode.objects.get().text == "AUTUMN20"

    def test_chooses_whether_a_discount_is_also_for_groups(self, finance: Client) -> None:
        finance.post(f"{LIST}new/", form(name="Alone"))
        response = finance.post(f"{LIST}new/", form(name="Together", code="GROUP20", for_groups="on"), follow=True)
        assert "also for groups" in text_of(response)
        alone, together = Discount.objects.order_by("pk")
        assert (alone.for_groups, together.for_groups) == (False, True)
        names = ("Alone", "Together")
        for chosen, shown in (("true", "Together"), ("false", "Alone")):
            listed = text_of(finance.get(f"{LIST}results/?for_groups={chosen}"))
            assert [name for name in names if name in listed] == [shown]
        file: Any = finance.get(f"{LIST}?export=csv")
        exported = list(csv.DictReader(b"".join(file.streaming_content).decode("utf-8-sig").splitlines()))
        assert {row["Name"]: row["Also for groups"] for row in exported} == {"Alone": "No", "Together": "Yes"}
        page = BeautifulSoup(finance.get(f"{LIST}{together.pk}/change/").content.decode(), "html.parser")
        assert len(page.select("[name=for_groups][checked]")) == 1

    @pytest.mark.parametrize(
        ("fields", "sentence"),
        [
            ({"scope": "all", "products": "chosen"}, "This doesn’t go with “All products”."),
            ({"audience": "all", "people": "a@x.example"}, "This doesn’t go with “Everyone”."),
            ({"codes": "many", "count": "3"}, "This doesn’t go with “Several generated codes”."),
            ({"codes": "none"}, "This doesn’t go with “No codes: the discount applies automatically”."),
            ({"count": "3"}, "This doesn’t go with “One code with this text”."),
            ({"begins": "SPRING"}, "This doesn’t go with “One code with this text”."),
            ({"addresses": "a@x.example"}, "This doesn’t go with “One code with this text”."),
            ({"max_uses": "3"}, "This doesn’t go with “Unlimited”."),
            ({"scope": ""}, "Choose which products the discount is for."),
        ],
    )
    def test_contradictions_are_refused_not_ignored(
        self, finance: Client, fields: dict[str, Any], sentence: str
    ) -> None:
        if "products" in fields:
            fields = fields | {"products": [make_product().pk, make_product().pk]}
        response = finance.post(f"{LIST}new/", form(**fields))
        assert response.status_code == 422
        assert sentence in text_of(response)
        assert not Discount.objects.exists()

    def test_nothing_of_whom_it_is_for_is_chosen_beforehand(self, finance: Client) -> None:
        page = BeautifulSoup(finance.get(f"{LIST}new/").content.decode(), "html.parser")
        assert page.select("[name=scope][checked]") == []

    def test_makes_codes_in_number_and_takes_them_away_as_files(self, finance: Client) -> None:
        page = BeautifulSoup(finance.get(f"{LIST}new/?codes=many").content.decode(), "html.parser")
        assert [each["value"] for each in page.select("[name=codes][checked]")] == ["many"]
        finance.post(f"{LIST}new/", form(codes="many", code="", count="3", begins="SPRING", often="once"))
        discount = Discount.objects.get()
        use_code(code=discount.codes.order_by("pk")[0], user_id=make_user().pk, now=NOON)
        file: Any = finance.get(f"{LIST}{discount.pk}/?export=csv")
        lines = b"".join(file.streaming_content).decode("utf-8-sig").splitlines()
        assert lines[0] == "Code,Discount,Can be used,Used,In checkout,Given to,State"
        assert lines[1].endswith(",Autumn,Once,1,0,,Used up")
        workbook: Any = finance.get(f"{LIST}{discount.pk}/?export=xlsx")
        sheet = load_workbook(BytesIO(b"".join(workbook.streaming_content)))
        assert len(list(sheet.active.rows)) == 4
        assert ModelLogEntry.objects.filter(action="ecommerce.discount.export").count() == 2
        workbook.close()  # it closes the connection too

    def test_the_list_can_be_exported_without_formulas(self, finance: Client) -> None:
        make_discount(name="=1+1", amount="10")
        body = b"".join(finance.get(f"{LIST}?export=csv").streaming_content).decode()  # type: ignore[attr-defined]
        assert "'=1+1" in body
        workbook: Any = finance.get(f"{LIST}?export=xlsx")
        assert workbook.status_code == 200
        workbook.close()

    @pytest.mark.parametrize(
        ("fields", "sentence"),
        [
            ({"name": ""}, "This field is required"),
            ({"amount": "120"}, "at most 100"),
            ({"amount": "x"}, "Enter a number"),
            ({"code": ""}, "This field is required"),
            ({"code": "ÄBCDE"}, "at least 4 letters"),
            ({"codes": "many", "count": ""}, "This field is required"),
            ({"codes": "many", "code": "", "count": "3", "begins": "-"}, "A prefix has"),
            ({"codes": "people", "code": "", "addresses": "nobody"}, "isn’t an e-mail address"),
            ({"often": "limited"}, "This field is required"),
            ({"scope": "chosen"}, "Choose at least one product"),
            ({"audience": "chosen"}, "Enter at least one e-mail address"),
            ({"expires_at": "2020-01-01"}, "has passed"),
            ({"expires_at": "2090-02-30"}, "Enter a day like 2027-06-30."),
            ({"codes": "none", "name": "x\0"}, "Null characters"),
            ({"discount_type": "amount_off", "currency": "XXY"}, "not a currency"),
            ({"payment_type": "financial-assistance"}, "for named people"),
        ],
    )
    def test_errors_are_shown_at_their_field_and_input_is_kept(
        self, finance: Client, fields: dict[str, Any], sentence: str
    ) -> None:
        response = finance.post(f"{LIST}new/", form(**({"name": "Kept as typed"} | fields)))
        assert sentence in text_of(response)
        assert "Not saved." in text_of(response)
        assert ("Kept as typed" in response.content.decode()) is ("name" not in fields)
        assert not Discount.objects.exists()

    def test_a_pasted_table_with_two_columns_of_addresses_asks_which_one(self, finance: Client) -> None:
        table = "Name\tWork Email\tManager\nJane Doe\tjane@x.example\tboss@x.example\n"
        fields = form(codes="people", code="", addresses=table, often="once")
        page = BeautifulSoup(finance.post(f"{LIST}new/", fields).content.decode(), "html.parser")
        assert "More than one column has e-mail addresses." in page.get_text()
        values = [each["value"] for each in page.select("[name=addresses_typed_column]")]
        assert values == ["2:Work Email", "3:Manager"]
        answered = fields | {"addresses_typed_column": values[0]}
        kept = BeautifulSoup(finance.post(f"{LIST}new/", answered | {"name": ""}).content.decode(), "html.parser")
        assert kept.select("[name=addresses]")[0].text.strip() == "Jane Doe, jane@x.example"
        finance.post(f"{LIST}new/", answered)
        assert DiscountCode.objects.get().assigned_email == "jane@x.example"

    def test_a_file_of_addresses_gives_each_its_code(self, finance: Client) -> None:
        page = BeautifulSoup(finance.get(f"{LIST}new/").content.decode(), "html.parser")
        assert page.select_one("form[enctype='multipart/form-data'] [name=addresses_file]")
        table = "Nachname;Vorname;E-Mail (geschäftlich)\nGroß;Jürgen;j@x.example\nDoe;Jane;jane@x.example\n"
        fields = form(codes="people", code="", addresses="rick@x.example", often="once")
        finance.post(f"{LIST}new/", fields | {"addresses_file": file_of(table.encode("cp1252"))})
        assigned = DiscountCode.objects.order_by("assigned_email").values_list("assigned_email", flat=True)
        assert list(assigned) == ["j@x.example", "jane@x.example", "rick@x.example"]

    def test_a_file_with_two_columns_of_addresses_is_kept_for_the_answer(self, finance: Client) -> None:
        table = b"Name,Work Email,Manager\nJane Doe,jane@x.example,boss@x.example\nRick,rick@x.example,boss@x.example\n"
        fields = form(codes="people", code="", addresses="", often="once")
        asked = finance.post(f"{LIST}new/", fields | {"addresses_file": file_of(table)})
        page = BeautifulSoup(asked.content.decode(), "html.parser")
        assert not DiscountCode.objects.exists()
        values = [each["value"] for each in page.select("[name=addresses_file_column]")]
        kept = page.select("[name=addresses_kept_file]")[0]["value"]
        answer = fields | {"addresses_kept_file": kept, "addresses_file_column": values[0]}
        finance.post(f"{LIST}new/", answer)
        assigned = DiscountCode.objects.order_by("assigned_email").values_list("assigned_email", flat=True)
        assert list(assigned) == ["jane@x.example", "rick@x.example"]

    def test_after_another_error_the_people_of_the_file_are_in_the_list(self, finance: Client) -> None:
        fields = form(codes="people", code="", addresses="", often="once", name="")
        sent = finance.post(
            f"{LIST}new/", fields | {"addresses_file": file_of(b"E-mail\njane@x.example\nrick@x.example")}
        )
        page = BeautifulSoup(sent.content.decode(), "html.parser")
        assert page.select("[name=addresses]")[0].text.split() == ["jane@x.example", "rick@x.example"]
        assert not page.select("[name=addresses_kept_file]")[0].get("value")

    def test_a_discount_can_be_limited_to_the_people_of_a_file(self, finance: Client) -> None:
        people = file_of(b"Jane Doe|jane@x.example\nRick Roe|rick@x.example\n")
        finance.post(f"{LIST}new/", form(audience="chosen", people_file=people))
        assert sorted(Discount.objects.get().people.values_list("email", flat=True)) == [
            "jane@x.example",
            "rick@x.example",
        ]

    def test_an_automatic_discount_can_be_made(self, finance: Client) -> None:
        response = finance.post(f"{LIST}new/", form(codes="none", code=""), follow=True)
        assert "It applies automatically." in text_of(response)
        assert Discount.objects.get().automatic

    def test_changes_pauses_and_resumes(self, finance: Client) -> None:
        discount = create_discount(draft=TEN_PERCENT, codes=NewCodes(text="TENTH"), access=OPERATOR, now=NOON).discount
        page = finance.get(f"{LIST}{discount.pk}/change/")
        assert "In use" in text_of(page)
        changed = form(name="A fifth", amount="20")
        assert "Saved “A fifth”." in text_of(finance.post(f"{LIST}{discount.pk}/change/", changed, follow=True))
        discount.refresh_from_db()
        assert (discount.name, discount.amount) == ("A fifth", 20)
        assert "is paused" in text_of(finance.post(f"{LIST}{discount.pk}/pause/", follow=True))
        assert "Paused" in text_of(finance.get(LIST))
        assert "can be used again" in text_of(finance.post(f"{LIST}{discount.pk}/resume/", follow=True))
        history = text_of(finance.get(f"{LIST}{discount.pk}/history/"))
        assert "Paused a discount" in history
        assert "Changed a discount" in history
        assert finance.get(f"{LIST}{discount.pk}/pause/").status_code == 405

    def test_more_codes_and_the_limit_of_one(self, finance: Client) -> None:
        discount = create_discount(draft=TEN_PERCENT, codes=NewCodes(generate=1), access=OPERATOR, now=NOON).discount
        response = finance.post(f"{LIST}{discount.pk}/more/", {"count": "2", "begins": "X"}, follow=True)
        assert "Created 2 more codes." in text_of(response)
        assert "A prefix has" in text_of(finance.post(f"{LIST}{discount.pk}/more/", {"count": "2", "begins": "-"}))
        code = discount.codes.order_by("pk")[0]
        for _each in range(2):
            use_code(code=code, user_id=make_user().pk, now=NOON)
        assert "already been used 2 times" in text_of(finance.post(f"{LIST}code/{code.pk}/", {"max_uses": "1"}))
        finance.post(f"{LIST}code/{code.pk}/", {"max_uses": "7"})
        code.refresh_from_db()
        assert (code.max_uses, code.uses) == (7, 2)
        assert "The code is paused." in text_of(finance.post(f"{LIST}code/{code.pk}/pause/", follow=True))
        assert "can be used again" in text_of(finance.post(f"{LIST}code/{code.pk}/resume/", follow=True))

    def test_several_at_once(self, finance: Client) -> None:
        one, other = make_discount(name="One"), make_discount(name="Other", is_active=False)
        chosen = f"?id={one.pk}&id={other.pk}&next={LIST}"
        page = finance.get(f"/cms/bulk/ecommerce/discount/pause/{chosen}")
        assert "2 discounts selected:" in text_of(page)
        finance.post(f"/cms/bulk/ecommerce/discount/pause/{chosen}")
        assert not Discount.objects.filter(is_active=True).exists()
        finance.post(f"/cms/bulk/ecommerce/discount/resume/{chosen}")
        assert Discount.objects.filter(is_active=True).count() == 2
        response = finance.post(f"/cms/bulk/ecommerce/discount/extend/{chosen}", {"expires_at": "2020-01-01"})
        assert "This time has passed" in text_of(response)
        finance.post(f"/cms/bulk/ecommerce/discount/extend/{chosen}", {"expires_at": "2090-06-30"})
        assert {discount.expires_at.day for discount in Discount.objects.all() if discount.expires_at} == {30}

    def test_finds_by_name_code_state_and_type(self, finance: Client) -> None:
        make_discount(name="Alpha sale")
        make_code(make_discount(name="Beta sale", is_active=False), text="HIDDEN-77")
        make_discount(name="Gamma sale", kind="amount_off", amount="5")

        def found(query: str) -> set[str]:
            text = text_of(finance.get(f"{LIST}?{query}"))
            return {name for name in ("Alpha", "Beta", "Gamma") if f"{name} sale" in text}

        assert found("") == {"Alpha", "Beta", "Gamma"}
        assert found("q=alpha") == {"Alpha"}
        assert found("q=hidden7") == {"Beta"}
        assert found("q=-") == set()
        assert found("state=paused") == {"Beta"}
        assert found("discount_type=amount_off") == {"Gamma"}
        assert found("state=nonsense") == {"Alpha", "Beta", "Gamma"}

    def test_a_contracts_discount_is_nowhere(self, finance: Client) -> None:
        run = make_contract_run(make_contract(name="Secret contract"), codes=2)
        discount = Discount.objects.get(unlocks=run.product)
        assert "Secret contract" not in text_of(finance.get(LIST))
        for address in ("", "change/", "more/", "history/"):
            assert finance.get(f"{LIST}{discount.pk}/{address}").status_code in {302, 404}
        assert finance.post(f"{LIST}{discount.pk}/pause/").status_code == 404
        assert finance.get(f"{LIST}code/{discount.codes.all()[0].pk}/").status_code == 404
        finance.post(f"/cms/bulk/ecommerce/discount/pause/?id={discount.pk}&next={LIST}")
        discount.refresh_from_db()
        assert discount.is_active

    def test_changes_a_price_and_reads_its_history(self, finance: Client) -> None:
        product = make_product(price="249")
        address = f"/cms/snippets/ecommerce/product/edit/{product.pk}/"
        fields = {
            "course_run": product.course_run_id, "program": "", "mode": "verified", "sku": product.sku,
            "description": "", "price": "260", "currency": "USD", "is_active": "on", "reason": "Autumn list",
        }  # fmt: skip
        assert finance.post(address, fields).status_code == 302
        text = text_of(finance.get(address))
        assert "$249.00 $260.00 Amara Okafor Autumn list" in text

    @pytest.mark.parametrize("number", [1, 12])
    def test_the_list_costs_the_same_for_any_number(self, finance: Client, number: int) -> None:
        for each in range(number):
            discount = make_discount(name=f"Sale {each}", products=[make_product()])
            for _code in range(each % 3):
                use_code(code=make_code(discount), user_id=make_user().pk, now=NOON)
        finance.get(LIST)
        with queries(14):
            finance.get(LIST)

    @pytest.mark.parametrize("number", [1, 12])
    def test_a_discounts_page_costs_the_same_for_any_number_of_codes(self, finance: Client, number: int) -> None:
        discount = make_discount(name="Sale")
        for each in range(number):
            code = make_code(discount)
            for _use in range(each % 3):
                use_code(code=code, user_id=make_user().pk, now=NOON)
        finance.get(f"{LIST}{discount.pk}/")
        with queries(15):
            finance.get(f"{LIST}{discount.pk}/")


class TestCourseStaff:
    def course_form(self, mine: Product, **fields: Any) -> dict[str, Any]:
        assert mine.course_run is not None
        course = {"course": mine.course_run.course_id, "scope": "chosen", "products": [mine.pk]}
        return form(**(course | fields))

    def test_make_a_code_for_their_course_and_see_only_theirs(self, staff: Client, mine: Product) -> None:
        make_discount(name="Everyone’s sale")
        other = make_product()
        page = staff.get(f"{LIST}new/").content.decode()
        assert mine.sku in page
        assert other.sku not in page
        assert "Fixed price" not in page
        response = staff.post(f"{LIST}new/", self.course_form(mine), follow=True)
        assert "Created “Autumn” with 1 code." in text_of(response)
        text = text_of(staff.get(LIST))
        assert "Autumn" in text
        assert "My course" in text
        assert "Everyone’s sale" not in text

    @pytest.mark.parametrize(
        "fields",
        [
            {"amount": "51"},
            {"scope": "all"},
            {"discount_type": "fixed_price"},
            {"payment_type": "sales"},
            {"codes": "none"},
            {"codes": "many", "count": "201"},
            {"course": ""},
        ],
    )
    def test_no_more_than_is_theirs(self, staff: Client, mine: Product, fields: dict[str, Any]) -> None:
        assert staff.post(f"{LIST}new/", self.course_form(mine, **fields)).status_code == 422
        assert not Discount.objects.exists()

    def test_no_other_course(self, staff: Client, mine: Product) -> None:
        other = make_product()
        assert other.course_run is not None
        for fields in ({"products": [other.pk]}, {"course": other.course_run.course_id}):
            assert staff.post(f"{LIST}new/", self.course_form(mine, **fields)).status_code == 422
        assert not Discount.objects.exists()

    def test_others_discounts_are_like_none(self, staff: Client) -> None:
        code = make_code(make_discount(name="Everyone’s sale"))
        pk = code.discount_id
        for address in ("", "change/", "more/", "history/", "?export=csv"):
            assert staff.get(f"{LIST}{pk}/{address}").status_code == 404, address
        for address in (f"{pk}/pause/", f"{pk}/resume/", f"code/{code.pk}/pause/", f"code/{code.pk}/resume/"):
            assert staff.post(f"{LIST}{address}").status_code == 404
        assert staff.post(f"{LIST}{pk}/more/", {"count": "1"}).status_code == 404
        assert staff.post(f"{LIST}code/{code.pk}/", {"max_uses": "1"}).status_code == 404
        for act in ("pause", "extend"):
            page = staff.get(f"/cms/bulk/ecommerce/discount/{act}/?id={pk}&next={LIST}")
            assert "Everyone’s sale" not in text_of(page)
            staff.post(f"/cms/bulk/ecommerce/discount/{act}/?id={pk}&next={LIST}", {"expires_at": "2090-01-01"})
        staff.post(f"/cms/bulk/ecommerce/discount/pause/?id=all&next={LIST}")
        code.refresh_from_db()
        code.discount.refresh_from_db()
        assert (code.discount.is_active, code.discount.expires_at, code.active) == (True, None, True)

    def test_nothing_else_of_the_shop_is_theirs(self, staff: Client) -> None:
        menu = staff.get(LIST).content.decode()
        assert "/cms/shop/discounts/" in menu
        assert "/cms/snippets/ecommerce/product/" not in menu
        assert staff.get("/cms/snippets/ecommerce/product/").status_code == 302

    def test_dismissed_in_the_django_admin_they_are_out(self, staff: Client, admin_client: Client) -> None:
        row = CourseStaff.objects.get()
        admin_client.post(f"/admin/courses/coursestaff/{row.pk}/delete/", {"post": "yes"})
        assert not CourseStaff.objects.exists()
        assert staff.get(LIST).status_code == 302

    def test_appointed_in_the_django_admin_they_are_in(self, mine: Product, admin_client: Client) -> None:
        user = make_user()
        assert mine.course_run is not None
        admin_client.post("/admin/courses/coursestaff/add/", {"course": mine.course_run.course_id, "user": user.pk})
        assert signed_in(user).get(LIST).status_code == 200


class TestOthers:
    @pytest.mark.parametrize("group", [EDITORS, B2B_MANAGERS])
    def test_other_groups_have_no_such_section(self, group: str) -> None:
        client, discount = signed_in(member_of(group)), make_discount(name="Sale")
        assert "/cms/shop/discounts/" not in client.get("/cms/").content.decode()
        for address in ("", "new/", f"{discount.pk}/", f"{discount.pk}/change/", f"{discount.pk}/history/"):
            response = client.get(f"{LIST}{address}")
            assert response.status_code in {302, 403, 404}, address
            assert "Sale" not in response.content.decode()
        assert client.post(f"{LIST}{discount.pk}/pause/").status_code in {302, 403}
        client.post(f"/cms/bulk/ecommerce/discount/pause/?id={discount.pk}&next=/cms/")
        discount.refresh_from_db()
        assert discount.is_active

    def test_a_learner_is_asked_to_sign_in_to_the_admin(self) -> None:
        for client in (Client(), signed_in(make_user())):
            assert client.get(LIST).status_code in {302, 403}

    def test_view_permission_allows_no_change(self) -> None:
        group = Group.objects.create(name="Auditors")
        user = make_user()
        user.groups.add(group)
        from_app = {"content_type__app_label__in": ["ecommerce", "wagtailadmin"]}
        group.permissions.set(Permission.objects.filter(codename__in=["view_discount", "access_admin"], **from_app))
        client, discount = signed_in(user), make_discount(name="Sale", expires_at=timezone.now() + timedelta(days=1))
        assert "Sale" in text_of(client.get(LIST))
        assert client.get(f"{LIST}{discount.pk}/").status_code == 200
        assert client.get(f"{LIST}new/").status_code == 302
        assert client.post(f"{LIST}{discount.pk}/pause/").status_code == 302
        discount.refresh_from_db()
        assert discount.is_active

"""Roles in the Wagtail admin: who assigns them, and what each opens at the real pages."""

from __future__ import annotations

from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from wagtail.models import ModelLogEntry

from courses.services.staff import appoint
from ecommerce.enums import Role
from ecommerce.models import Customer, Discount, Invoice, Order, Product, Refund, ShopRole
from ecommerce.roles import COURSE_STAFF
from mitxonline.kernel import clock
from mitxonline.users.models import User
from mitxonline.users.sso.rights import follow_roles
from tests.ecommerce.desk import submit_refund
from tests.factories import NOON, make_course, make_product, make_run, make_user
from tests.factories.invoices import line_of, make_customer, make_draft
from tests.factories.orders import make_paid_order
from tests.support.counting import queries
from tests.support.forms import read_form
from tests.support.reading import words

pytestmark = pytest.mark.django_db

LIST = "/cms/shop/roles/"
ORDERS = "/cms/orders/"


def text_of(response: Any) -> str:
    return words(BeautifulSoup(response.content.decode(), "html.parser"))


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def admin() -> Client:
    return signed_in(make_user("boss@x.example", name="The Boss", is_superuser=True))


def product_of(title: str, price: str = "200") -> Product:
    return make_product(make_run(make_course(title=title), title=title), price=price)


def course_id_of(product: Product) -> int:
    assert product.course_run is not None
    return product.course_run.course_id


def holder(role: str, product: Product | None = None) -> Client:
    user = make_user()
    course_id = course_id_of(product) if product is not None else None
    if role == COURSE_STAFF:
        assert course_id is not None
        appoint(course_id=course_id, user_id=user.pk, by_id=None)
    else:
        ShopRole.objects.create(user=user, role=role, course_id=course_id, given_at=NOON)
    return signed_in(user)


class TestAssigning:
    def test_a_person_is_found_and_gets_a_role_for_a_course(self, admin: Client) -> None:
        ida, other = make_user("ida@x.example", name="Ida Berg"), make_user("olga@x.example", name="Olga Berg")
        course = make_course(title="Botany")
        page = text_of(admin.get(f"{LIST}new/?q=ida berg"))
        assert "Ida Berg (ida@x.example)" in page
        assert "Olga" not in page
        answer = admin.post(
            f"{LIST}new/?q=ida berg",
            {"person": ida.pk, "role": "finance_admin", "course": course.pk},
            follow=True,
        )
        assert "Ida Berg is now finance administrator for Botany." in text_of(answer)
        row = ShopRole.objects.get()
        assert (row.user, row.role, row.course, row.given_by) == (
            ida, "finance_admin", course, User.objects.get(email="boss@x.example"),
        )  # fmt: skip
        entry = ModelLogEntry.objects.get(action="ecommerce.role.give")
        assert entry.object_id == str(ida.pk)
        assert entry.data["course"] == course.readable_id
        page = text_of(admin.get(LIST))
        for part in ("Ida Berg", "Finance administrator", "Botany", "The Boss"):
            assert part in page
        assert not ShopRole.objects.filter(user=other).exists()

    def test_again_changes_nothing_and_says_so(self, admin: Client) -> None:
        ida = make_user("ida@x.example", name="Ida Berg")
        for _time in range(2):
            answer = admin.post(
                f"{LIST}new/?q=ida", {"person": ida.pk, "role": "sales_admin", "course": ""}, follow=True
            )
        assert "already is sales administrator for the whole shop" in text_of(answer)
        assert ShopRole.objects.count() == 1
        assert ModelLogEntry.objects.filter(action="ecommerce.role.give").count() == 1

    @pytest.mark.parametrize(
        ("fields", "sentence"),
        [
            ({"person": ""}, "Search for the person and choose them."),
            ({"role": ""}, "Choose a role."),
            ({"role": "owner"}, "Select a valid choice"),
            ({"course": "99999"}, "Select a valid choice"),
        ],
    )
    def test_what_is_missing_is_said(self, admin: Client, fields: dict[str, str], sentence: str) -> None:
        ida = make_user("ida@x.example")
        typed = {"person": str(ida.pk), "role": "sales_admin", "course": ""} | fields
        answer = admin.post(f"{LIST}new/?q=ida", typed)
        assert answer.status_code == 422
        assert sentence in text_of(answer)
        assert not ShopRole.objects.exists()

    def test_nobody_outside_what_was_found_and_no_closed_account(self, admin: Client) -> None:
        ida, gone = make_user("ida@x.example"), make_user("ida.gone@x.example", is_active=False)
        other = make_user("other@x.example")
        for person in (gone, other):
            answer = admin.post(f"{LIST}new/?q=ida", {"person": person.pk, "role": "sales_admin", "course": ""})
            assert "isn’t among those found" in text_of(answer)
        assert "No one with an active account matches" in text_of(admin.get(f"{LIST}new/?q=nobody"))
        assert ida.email in text_of(admin.get(f"{LIST}new/?q=ida"))
        assert not ShopRole.objects.exists()

    def test_taken_away_it_ends_in_the_open_session(self, admin: Client) -> None:
        theirs = holder(Role.FINANCE_ADMIN)
        row = ShopRole.objects.get()
        assert theirs.get(ORDERS).status_code == 200
        assert "on every device" in text_of(admin.get(f"{LIST}{row.pk}/remove/"))
        assert ShopRole.objects.exists()
        admin.post(f"{LIST}{row.pk}/remove/")
        assert not ShopRole.objects.exists()
        assert theirs.get(ORDERS).status_code == 302
        assert ModelLogEntry.objects.filter(action="ecommerce.role.take").count() == 1
        assert admin.get(f"{LIST}{row.pk}/remove/").status_code == 404

    def test_roles_by_sign_in_are_listed_too(self, admin: Client) -> None:
        user = make_user("kc@x.example", name="Kay C")
        session = signed_in(user)
        assert session.get(ORDERS).status_code == 302
        follow_roles(user=user, issuer="x", roles={"r"}, mapping={"r": ["sales_admin"]}, now=clock.now())
        assert "Kay C" in text_of(admin.get(LIST))
        assert session.get(ORDERS).status_code == 200

    @pytest.mark.parametrize("role", Role.values)
    def test_a_role_assigns_no_roles(self, role: str) -> None:
        theirs = holder(role)
        pk = ShopRole.objects.get().pk
        for address in (LIST, f"{LIST}new/?q=x", f"{LIST}{pk}/remove/", f"{LIST}?export=csv"):
            assert theirs.get(address).status_code == 302
        theirs.post(f"{LIST}new/?q=x", {"person": make_user().pk, "role": "finance_admin"})
        theirs.post(f"{LIST}{pk}/remove/")
        assert ShopRole.objects.count() == 1

    def test_the_list_is_a_file_and_costs_the_same_for_any_number(self, admin: Client) -> None:
        for _round in range(2):
            for _time in range(3):
                give = make_user()
                ShopRole.objects.create(user=give, role="sales_admin", course=make_course(), given_at=NOON)
            admin.get(LIST)
            with queries(COST_OF_LIST):
                admin.get(LIST)
        rows = b"".join(admin.get(f"{LIST}?export=csv").streaming_content).decode().splitlines()  # type: ignore[attr-defined]
        assert len(rows) == 7


COST_OF_LIST = 11


class TestMenus:
    def test_whoever_has_only_a_role_sees_only_its_items(self) -> None:
        mine = product_of("Mine")
        sales = (
            "/cms/orders/",
            "/cms/refunds/",
            "/cms/shop/discounts/",
            "/cms/shop/reports/",
            "/cms/invoices/",
            "/cms/snippets/ecommerce/customer/",
        )
        shown = {
            (Role.FINANCE_ADMIN, True): (*sales, "/cms/audits/"),
            (Role.SALES_ADMIN, True): sales,
            (COURSE_STAFF, True): ("/cms/shop/discounts/",),
            (Role.SALES_ADMIN, False): sales,
        }
        every = {
            "/cms/orders/",
            "/cms/refunds/",
            "/cms/shop/discounts/",
            "/cms/shop/roles/",
            "/cms/shop/reports/",
            "/cms/invoices/",
            "/cms/audits/",
            "/cms/snippets/ecommerce/customer/",
            '/cms/snippets/"',
            "/cms/users/",
        }
        for (role, is_of_course), urls in shown.items():
            page = holder(role, mine if is_of_course else None).get("/cms/").content.decode()
            assert {url for url in every if f'"{url}' in page} == set(urls), (role, is_of_course)


class TestOrders:
    """Two courses, an order of each, and one of both."""

    @pytest.fixture
    def mine(self) -> Product:
        return product_of("Botany", "200")

    @pytest.fixture
    def other(self) -> Product:
        return product_of("Zoology", "333")

    def test_the_list_shows_orders_of_the_course_and_their_own_lines_only(self, mine: Product, other: Product) -> None:
        own, others, both = make_paid_order(mine), make_paid_order(other), make_paid_order(mine, other)
        finance = holder(Role.FINANCE_ADMIN, mine)
        page = text_of(finance.get(ORDERS))
        assert own.number in page
        assert both.number in page
        assert others.number not in page
        assert "Zoology" not in page
        assert "533" not in page
        file = b"".join(finance.get(f"{ORDERS}?export=csv").streaming_content).decode()  # type: ignore[attr-defined]
        assert file.count("Botany") == 2
        assert "Zoology" not in file
        assert others.number not in file

    def test_the_pages_of_other_orders_are_like_none(self, mine: Product, other: Product) -> None:
        order = make_paid_order(other)
        finance = holder(Role.FINANCE_ADMIN, mine)
        for address in ("", "refund/", "undo/", "deny/", "fulfill/", "cancel/"):
            assert finance.get(f"{ORDERS}{order.pk}/{address}").status_code == 404, address
            assert finance.post(f"{ORDERS}{order.pk}/{address}", {"reason": "x", "text": "x"}).status_code == 404, (
                address
            )
        for address in ("check/", "receipt/"):
            assert finance.post(f"{ORDERS}{order.pk}/{address}").status_code == 404, address

    def test_of_an_order_of_both_only_the_own_line_is_seen_and_refunded(self, mine: Product, other: Product) -> None:
        order = make_paid_order(mine, other)
        line, foreign = order.lines.get(product=mine), order.lines.get(product=other)
        finance = holder(Role.FINANCE_ADMIN, mine)
        page = text_of(finance.get(f"{ORDERS}{order.pk}/"))
        assert "Botany" in page
        assert "1 more line, of another course" in page
        for hidden in ("Zoology", "533", "333", "pi_"):
            assert hidden not in page, hidden
        refund = text_of(finance.get(f"{ORDERS}{order.pk}/refund/"))
        assert "Everything that is left" not in refund
        assert "Zoology" not in refund
        form: dict[str, Any] = {
            "reason": "Ill", "enrollment_after": "end", "reference": "11111111-1111-4111-8111-111111111111",
        }  # fmt: skip
        for bad in (
            {"scope": "all"},
            {"scope": "lines", "lines": [foreign.pk]},
            {"scope": "lines", "lines": [line.pk, foreign.pk]},
            {"scope": "amount", "amount": "10"},
        ):
            assert finance.post(f"{ORDERS}{order.pk}/refund/", form | bad).status_code == 422, bad
        assert not Refund.objects.exists()
        for address in ("fulfill/", "cancel/"):
            assert finance.get(f"{ORDERS}{order.pk}/{address}").status_code in {302, 403}
        for address in ("check/", "receipt/"):
            assert finance.post(f"{ORDERS}{order.pk}/{address}").status_code in {302, 403}

    def test_of_an_order_of_both_the_own_line_can_be_refunded(self, mine: Product, other: Product) -> None:
        order = make_paid_order(mine, other)
        line = order.lines.get(product=mine)
        finance = holder(Role.FINANCE_ADMIN, mine)
        submit_refund(finance, order, scope="lines", lines=[line.pk])
        refund = Refund.objects.get()
        assert (refund.amount, [part.line_id for part in refund.lines.all()]) == (200, [line.pk])
        assert "$200" in text_of(finance.get("/cms/refunds/"))
        other_finance = holder(Role.FINANCE_ADMIN, other)
        assert order.number not in text_of(other_finance.get("/cms/refunds/"))

    def test_a_sales_administrator_sees_orders_and_refunds_none(self, mine: Product) -> None:
        order = make_paid_order(mine)
        for product in (mine, None):
            sales = holder(Role.SALES_ADMIN, product)
            page = sales.get(f"{ORDERS}{order.pk}/")
            assert order.number in text_of(page)
            assert f"{ORDERS}{order.pk}/refund/" not in page.content.decode()
            for address in ("refund/", "undo/", "deny/", "fulfill/", "cancel/"):
                assert sales.get(f"{ORDERS}{order.pk}/{address}").status_code == 302, address
                assert sales.post(f"{ORDERS}{order.pk}/{address}", {"reason": "x"}).status_code == 302, address
            for address in ("check/", "receipt/"):
                assert sales.post(f"{ORDERS}{order.pk}/{address}").status_code == 302, address
        assert Order.objects.get().state == "fulfilled"

    def test_course_staff_see_no_orders_but_make_coupons(self, mine: Product) -> None:
        order = make_paid_order(mine)
        staff = holder(COURSE_STAFF, mine)
        for address in (ORDERS, f"{ORDERS}{order.pk}/", "/cms/refunds/"):
            assert staff.get(address).status_code == 302
        assert staff.get("/cms/shop/discounts/new/").status_code == 200

    def test_roles_of_a_course_make_coupons_for_it_only(self, mine: Product, other: Product) -> None:
        for role in Role.values:
            page = holder(role, mine).get("/cms/shop/discounts/new/").content.decode()
            assert mine.sku in page
            assert other.sku not in page
        assert not Discount.objects.exists()

    def test_the_list_costs_the_same_for_any_number(self, mine: Product) -> None:
        finance = holder(Role.FINANCE_ADMIN, mine)
        for number in (1, 6):
            for _order in range(number):
                make_paid_order(mine)
            finance.get(ORDERS)
            with queries(COST_OF_ORDERS):
                finance.get(ORDERS)


COST_OF_ORDERS = 15


class TestCustomers:
    """Two courses with an invoice each, an invoice over both, and a customer without any."""

    CUSTOMERS = "/cms/snippets/ecommerce/customer/"
    CHOOSER = "/cms/snippets/choose/ecommerce/customer/"

    @pytest.fixture
    def mine(self) -> Product:
        return product_of("Botany")

    @pytest.fixture
    def world(self, mine: Product) -> dict[str, Customer]:
        other = product_of("Zoology")
        names = ("Ownfield", "Otherfield", "Bothfield", "Newfield")
        customers = {name: make_customer(name) for name in names}
        make_draft(line_of(mine), customer=customers["Ownfield"])
        make_draft(line_of(other), customer=customers["Ownfield"])
        make_draft(line_of(other), customer=customers["Otherfield"])
        make_draft(line_of(mine), line_of(other), customer=customers["Bothfield"])
        return customers

    def named(self, page: str) -> set[str]:
        return {name for name in ("Ownfield", "Otherfield", "Bothfield", "Newfield") if name in page}

    @pytest.mark.parametrize("role", Role.values)
    def test_lists_choosers_and_files_have_those_of_the_own_courses(
        self, role: str, mine: Product, world: dict[str, Customer]
    ) -> None:
        theirs, whole = holder(role, mine), holder(role)
        for address in (self.CUSTOMERS, f"{self.CUSTOMERS}?q=field", f"{self.CUSTOMERS}?export=csv", self.CHOOSER):
            seen = [content_of(client.get(address)) for client in (theirs, whole)]
            assert [self.named(each) for each in seen] == [{"Ownfield"}, set(world)], address

    @pytest.mark.parametrize("role", Role.values)
    def test_others_are_like_none(self, role: str, mine: Product, world: dict[str, Customer]) -> None:
        theirs, own = holder(role, mine), world["Ownfield"].pk
        for pk in (world["Otherfield"].pk, world["Bothfield"].pk, world["Newfield"].pk, 987654):
            for address in (
                f"{self.CUSTOMERS}edit/{pk}/",
                f"{self.CUSTOMERS}history/{pk}/",
                f"{self.CUSTOMERS}usage/{pk}/",
                f"{self.CHOOSER}chosen/{pk}/",
            ):
                assert theirs.get(address).status_code == 404, address
            assert theirs.post(f"{self.CUSTOMERS}edit/{pk}/", {"company": "Changed"}).status_code == 404
            assert self.named(content_of(theirs.get(f"{self.CHOOSER}chosen-multiple/?id={pk}&id={own}"))) == {
                "Ownfield"
            }
            for address in (f"/cms/invoices/add/?customer={pk}", f"/cms/invoices/?customer={pk}"):
                assert not self.named(content_of(theirs.get(address))) - {"Ownfield"}, address
        for address in (f"edit/{own}/", f"history/{own}/", f"usage/{own}/"):
            assert theirs.get(f"{self.CUSTOMERS}{address}").status_code == 200, address
        assert not Customer.objects.filter(company="Changed").exists()

    def test_a_draft_for_another_customer_is_refused_like_one_for_none(
        self, mine: Product, world: dict[str, Customer]
    ) -> None:
        sales, said = holder(Role.SALES_ADMIN, mine), set()
        form = read_form(content_of(sales.get("/cms/invoices/add/")), having="csrfmiddlewaretoken")
        line = {"lines-0-product": mine.pk, "lines-0-seats": "2", "lines-0-unit_price": "10"}
        for pk in (world["Otherfield"].pk, 987654):
            page = content_of(sales.post("/cms/invoices/add/", {**form, **line, "customer": pk}))
            assert not self.named(page)
            assert "Select a valid choice" in page
            said.add(page.count("error"))
        assert len(said) == 1
        assert not Invoice.objects.filter(customer=world["Otherfield"], lines__product=mine).exists()

    def test_who_makes_a_new_one_finds_it(self, mine: Product, world: dict[str, Customer]) -> None:
        sales, colleague = holder(Role.SALES_ADMIN, mine), holder(Role.SALES_ADMIN, mine)
        form = read_form(content_of(sales.get(f"{self.CUSTOMERS}add/")), having="company")
        sales.post(f"{self.CUSTOMERS}add/", {**form, "company": "Freshfield", "city": "Cork"})
        fresh = Customer.objects.get(company="Freshfield")
        assert "Freshfield" in content_of(sales.get(self.CUSTOMERS))
        assert sales.get(f"{self.CUSTOMERS}edit/{fresh.pk}/").status_code == 200
        assert colleague.get(f"{self.CUSTOMERS}edit/{fresh.pk}/").status_code == 404
        make_draft(line_of(mine), customer=fresh)
        assert colleague.get(f"{self.CUSTOMERS}edit/{fresh.pk}/").status_code == 200


def content_of(response: Any) -> str:
    parts = response.streaming_content if response.streaming else [response.content]
    return b"".join(parts).decode()

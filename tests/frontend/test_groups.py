"""Group purchases on pages: counts, handing out, helpers, company lists, files. Everyone else finds nothing."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest
from django.core import mail
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from b2b.events import HelperNamed
from b2b.models import CompanyList, HandOut, HandOutMail, Helper, ListedSale
from b2b.receivers import tell_helper
from b2b.services.groups.helpers import name_helper, name_list_helper
from b2b.services.groups.lists import create_list, list_sale
from b2b.services.handouts.assign import SaleHandOutRequest, hand_out
from b2b.services.handouts.mails import send_mails
from b2b.services.handouts.recipients import Recipient
from ecommerce.models import DiscountCode, SeatSale
from ecommerce.services.discounts.codes import use_code
from ecommerce.services.registration.codes import switch_off_unredeemed
from mitxonline.kernel import clock
from mitxonline.users.models import User
from tests.factories import NOON, make_product, make_user
from tests.factories.seats import make_seat_sale
from tests.frontend.conftest import SignIn
from tests.support.counting import queries

pytestmark = pytest.mark.django_db


@pytest.fixture
def bea() -> User:
    return make_user("bea@acme.example", name="Bea Buyer")


@pytest.fixture
def sam() -> User:
    return make_user("sam@acme.example", name="Sam Helper")


@pytest.fixture
def sale(bea: User) -> SeatSale:
    make_seat_sale(seats=2, buyer=bea)
    return make_seat_sale(seats=6, buyer=bea)


@pytest.fixture
def client(sign_in: SignIn, bea: User) -> Client:
    cache.clear()
    return sign_in(bea)


def url(sale: SeatSale, rest: str = "") -> str:
    return f"/group-purchases/{sale.pk}/{rest}"


def give(sale: SeatSale, *emails: str) -> None:
    people = [Recipient(email) for email in emails]
    hand_out(SaleHandOutRequest(sale.pk, recipients=people), by_id=sale.buyer_id, now=clock.now())


def codes_of(sale: SeatSale) -> list[DiscountCode]:
    return list(DiscountCode.objects.filter(discount=sale.discount_id).order_by("pk"))


def text_of(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def seen(page: str) -> str:
    found = re.search(r'name="seen" value="([^"]*)"', page)
    return found[1] if found else ""


def fill_every_state(sale: SeatSale) -> None:
    give(sale, "a@x.example", "b@x.example", "c@x.example")
    use_code(code=codes_of(sale)[0], user_id=make_user("someone@x.example").pk, now=NOON)
    switch_off_unredeemed(sale, seats=1, reason="Refunded", by_id=None, now=NOON)


class TestPages:
    def test_the_counts_add_up_on_the_list_and_on_the_page(self, client: Client, sale: SeatSale) -> None:
        fill_every_state(sale)
        for address in ("/group-purchases/", url(sale)):
            text = text_of(client.get(address))
            assert "Bought 6 Used 1 Invited 2 Not handed out 2 Off 1" in text

    def test_the_page_shows_who_has_which_code(self, client: Client, sale: SeatSale) -> None:
        fill_every_state(sale)
        page = client.get(url(sale)).content.decode()
        for code in codes_of(sale):
            assert code.text in page
        assert "Used by someone@x.example" in page
        assert "b@x.example" in text_of(client.get(url(sale, "?state=invited")))
        assert "a@x.example" not in text_of(client.get(url(sale, "?state=invited")))
        found = text_of(client.get(url(sale, f"?q={codes_of(sale)[1].text.lower()}")))
        assert "b@x.example" in found
        assert "c@x.example" not in found
        assert "No code matches." in text_of(client.get(url(sale, "?q=nobody")))

    def test_tabs_count_what_the_search_leaves_in_the_words_of_the_counters(
        self, client: Client, sale: SeatSale
    ) -> None:
        fill_every_state(sale)
        text = text_of(client.get(url(sale)))
        assert "All 6 Not handed out 2 Invited 2 Used 1 Off 1" in text
        text = text_of(client.get(url(sale, "?q=b@x.example")))
        assert "All 1 Not handed out 0 Invited 1 Used 0" in text
        assert "Showing 1–1 of 1" in text
        assert "Bought 6" in text

    def test_a_list_without_purchases_says_how_they_come(self, sign_in: SignIn, sam: User) -> None:
        assert "No group purchases yet." in text_of(sign_in(sam).get("/group-purchases/"))

    def test_once_enrollment_has_closed_the_page_says_so(self, client: Client, sale: SeatSale) -> None:
        sale.course_run.enrollment_end = NOON
        sale.course_run.save()
        page = text_of(client.get(url(sale)))
        assert "Enrollment has closed. Write to us: we can move unused codes" in page
        assert "Buy more seats" not in page
        assert "No codes to send." in text_of(client.get(url(sale, "hand-out/")))

    def test_more_seats_go_into_the_cart(self, client: Client, sale: SeatSale) -> None:
        page = client.get(url(sale)).content.decode()
        assert f'name="product_id" value="{sale.product_id}"' in page
        assert 'name="who" value="group"' in page

    @pytest.mark.parametrize("kind", ["csv", "xlsx"])
    def test_the_codes_are_downloaded_as_a_file(self, client: Client, sale: SeatSale, kind: str) -> None:
        hand_out(
            SaleHandOutRequest(sale.pk, recipients=[Recipient("a@x.example", "=1+1")]),
            by_id=sale.buyer_id,
            now=clock.now(),
        )
        response = client.get(url(sale, f"codes.{kind}"))
        content = b"".join(response) if response.streaming else response.content
        assert response.status_code == 200
        if kind == "csv":
            rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
            assert len(rows) == 7
            assert rows[0][:2] == ["Code", "Link"]
            given = next(row for row in rows if "a@x.example" in row)
            assert f"/enrollmentcode/{given[0]}/" in given[1]
            assert not any(cell.startswith("=") for row in rows for cell in row)

    def test_the_queries_do_not_grow_with_codes_and_purchases(self, client: Client, bea: User) -> None:
        counted = []
        for seats in (3, 200):
            sale = make_seat_sale(make_product(), seats=seats, buyer=bea)
            give(sale, *(f"p{number}@s{seats}.example" for number in range(seats - 1)))
            counted.append([url(sale), "/group-purchases/"])
        client.get(url(sale))
        with queries(exactly=PAGE_QUERIES):
            client.get(counted[0][0])
        with queries(exactly=PAGE_QUERIES):
            client.get(counted[1][0])
        with queries(exactly=LIST_QUERIES):
            client.get("/group-purchases/")


PAGE_QUERIES = 14
LIST_QUERIES = 9


class TestHandingOut:
    def test_a_list_is_checked_and_then_sent(self, client: Client, sale: SeatSale) -> None:
        data = {"people": "Ines Caldera, ines@x.example\nines@\nsam@x.example", "action": "check"}
        page = client.post(url(sale, "hand-out/"), data).content.decode()
        assert "<strong>2 people</strong> will get a code by e-mail." in page
        assert "<strong>1 address is incomplete:</strong>" in page
        assert not HandOut.objects.exists()
        sent = client.post(url(sale, "hand-out/"), data | {"action": "send", "seen": seen(page)}, follow=True)
        assert "Codes sent to 2 people. 4 seats are free." in text_of(sent)
        assert sorted(HandOut.objects.values_list("email", flat=True)) == ["ines@x.example", "sam@x.example"]

    def test_a_double_post_sends_nothing_twice(self, client: Client, sale: SeatSale) -> None:
        data = {"people": "ines@x.example"}
        page = client.post(url(sale, "hand-out/"), data).content.decode()
        data |= {"action": "send", "seen": seen(page)}
        assert client.post(url(sale, "hand-out/"), data).status_code == 302
        again = client.post(url(sale, "hand-out/"), data)
        assert again.status_code in (409, 422)
        assert HandOutMail.objects.count() == 1

    def test_a_plan_that_changed_meanwhile_is_shown_again(self, client: Client, sale: SeatSale) -> None:
        data = {"people": "ines@x.example\nsam@x.example"}
        page = client.post(url(sale, "hand-out/"), data).content.decode()
        give(sale, "ines@x.example")
        stale = client.post(url(sale, "hand-out/"), data | {"action": "send", "seen": seen(page)})
        assert stale.status_code == 409
        assert HandOut.objects.count() == 1

    def test_a_file_is_read_as_managers_files_are(self, client: Client, sale: SeatSale) -> None:
        file = SimpleUploadedFile("people.csv", b"Name;E-mail\nInes Caldera;ines@x.example\nNo One;not-an-address\n")
        page = client.post(url(sale, "hand-out/"), {"people": "", "file": file}).content.decode()
        assert "Ines Caldera, ines@x.example" in page
        assert "<strong>1 person</strong> will get a code by e-mail." in page

    def test_too_many_people_are_told_how_many_seats_are_free(self, client: Client, sale: SeatSale) -> None:
        people = "\n".join(f"p{number}@x.example" for number in range(7))
        page = text_of(client.post(url(sale, "hand-out/"), {"people": people}))
        assert "7 people need a seat, but only 6 are free." in page
        assert "Buy more seats" in page

    def test_htmx_gets_only_the_report(self, client: Client, sale: SeatSale) -> None:
        response = client.post(url(sale, "hand-out/"), {"people": "a@x.example"}, headers={"HX-Request": "true"})
        page = response.content.decode()
        assert "<html" not in page
        assert "Send 1 code" in page

    def test_checked_lines_are_reminded_and_taken_back(self, client: Client, sale: SeatSale) -> None:
        give(sale, "a@x.example", "b@x.example")
        first = codes_of(sale)[0]
        reminded = client.post(url(sale, "selected/"), {"action": "remind", "id": [first.pk]}, follow=True)
        assert "Reminder sent to 1 person." in text_of(reminded)
        asked = client.post(url(sale, "selected/"), {"only": f"revoke-{first.pk}"})
        assert "Take 1 code back" in text_of(asked)
        assert codes_of(sale)[0].text == first.text
        data = {"action": "revoke", "sure": "yes", "id": [first.pk]}
        done = client.post(url(sale, "selected/"), data, follow=True)
        assert "1 code is free again. Its old link no longer works." in text_of(done)
        again = client.post(url(sale, "selected/"), data, follow=True)
        assert "None of these has an unused code" in text_of(again)

    def test_no_code_of_another_purchase_is_touched(self, client: Client, sale: SeatSale) -> None:
        other = make_seat_sale(seats=1)
        give(other, "a@x.example")
        before = codes_of(other)[0]
        for action in ("remind", "again", "revoke", "withdraw"):
            client.post(url(sale, "selected/"), {"action": action, "sure": "yes", "id": [before.pk]})
        after = codes_of(other)[0]
        assert (after.text, after.assigned_email) == (before.text, "a@x.example")
        assert HandOutMail.objects.count() == 1


class TestHelpers:
    def test_a_helper_hands_out_and_is_named_in_the_mail(
        self, client: Client, sale: SeatSale, sign_in: SignIn, sam: User
    ) -> None:
        named = client.post(url(sale, "helpers/"), {"email": " SAM@acme.example "}, follow=True)
        assert "sam@acme.example can hand out these codes now." in text_of(named)
        theirs = sign_in(sam)
        assert "Bea Buyer bought these seats and lets you hand them out." in text_of(theirs.get(url(sale)))
        assert "Bought by Bea Buyer" in text_of(theirs.get("/group-purchases/"))
        page = theirs.post(url(sale, "hand-out/"), {"people": "ines@x.example"}).content.decode()
        theirs.post(url(sale, "hand-out/"), {"people": "ines@x.example", "action": "send", "seen": seen(page)})
        send_mails(list(HandOutMail.objects.values_list("pk", flat=True)))
        assert "Sam Helper gave you a seat in" in str(mail.outbox[-1].body)
        assert mail.outbox[-1].reply_to == ["sam@acme.example"]

    def test_a_helper_names_no_one_and_asks_for_no_refund(
        self, sale: SeatSale, sign_in: SignIn, bea: User, sam: User
    ) -> None:
        helper = name_helper(user_id=bea.pk, sale_id=sale.pk, email=sam.email, now=NOON)
        theirs = sign_in(sam)
        page = text_of(theirs.get(url(sale)))
        assert "Helpers" not in page
        assert "Company list" not in page
        assert theirs.post(url(sale, "helpers/"), {"email": "more@acme.example"}).status_code == 404
        assert theirs.post(url(sale, f"helpers/{helper.pk}/remove/")).status_code == 404
        assert theirs.post(url(sale, "list/"), {"list": "1"}).status_code == 404
        assert sale.order_line is not None
        number = sale.order_line.order.number
        assert theirs.get(f"/orders/refund/?order_number={number}").status_code == 404
        assert theirs.get(f"/checkout/receipt/?order_number={number}").status_code == 404
        assert list(Helper.objects.values_list("email", flat=True)) == [sam.email]

    def test_removing_a_helper_works_at_once(
        self, client: Client, sale: SeatSale, sign_in: SignIn, bea: User, sam: User
    ) -> None:
        helper = name_helper(user_id=bea.pk, sale_id=sale.pk, email=sam.email, now=NOON)
        theirs = sign_in(sam)
        assert theirs.get(url(sale)).status_code == 200
        for _twice in range(2):
            client.post(url(sale, f"helpers/{helper.pk}/remove/"))
            assert theirs.get(url(sale)).status_code == 404
            assert theirs.get(url(sale, "codes.csv")).status_code == 404
            assert theirs.post(url(sale, "hand-out/"), {"people": "a@x.example"}).status_code == 404
        assert theirs.get("/group-purchases/").status_code == 200

    def test_only_the_confirmed_address_helps(self, sale: SeatSale, sign_in: SignIn, bea: User, sam: User) -> None:
        name_helper(user_id=bea.pk, sale_id=sale.pk, email=sam.email, now=NOON)
        User.objects.filter(pk=sam.pk).update(email_verified_at=None)
        assert sign_in(User.objects.get(pk=sam.pk)).get(url(sale)).status_code == 404

    def test_a_buyer_whose_account_is_closed_is_helped_by_no_one(
        self, sale: SeatSale, sign_in: SignIn, bea: User, sam: User
    ) -> None:
        name_helper(user_id=bea.pk, sale_id=sale.pk, email=sam.email, now=NOON)
        User.objects.filter(pk=bea.pk).update(is_active=False)
        assert sign_in(sam).get(url(sale)).status_code == 404

    @pytest.mark.parametrize(
        ("email", "sentence"),
        [
            ("", "Enter an e-mail address."),
            ("Sam Lee <sam@acme.example>, rick@acme.example", "Enter one person."),
            ("Twice <twice@acme.example>", "twice@acme.example can already hand out these codes."),
            ("sam@", "Enter a complete e-mail address, such as sam@example.com."),
            ("bea@acme.example", "That’s your own address."),
            ("twice@acme.example", "twice@acme.example can already hand out these codes."),
        ],
    )
    def test_a_mistake_is_told_at_the_field(
        self, client: Client, sale: SeatSale, bea: User, email: str, sentence: str
    ) -> None:
        name_helper(user_id=bea.pk, sale_id=sale.pk, email="twice@acme.example", now=NOON)
        response = client.post(url(sale, "helpers/"), {"email": email})
        assert response.status_code == 422
        assert sentence in text_of(response)
        assert Helper.objects.count() == 1

    def test_twenty_people_help_and_naming_is_limited(self, client: Client, sale: SeatSale) -> None:
        for number in range(20):
            client.post(url(sale, "helpers/"), {"email": f"h{number}@acme.example"})
        more = client.post(url(sale, "helpers/"), {"email": "more@acme.example"})
        assert "Up to 20 people can help. Remove someone first." in text_of(more)
        Helper.objects.all().delete()
        answers = [client.post(url(sale, "helpers/"), {"email": f"i{number}@acme.example"}) for number in range(11)]
        assert answers[-1].status_code == 429
        assert int(answers[-1].headers["Retry-After"]) > 0

    def test_a_helper_is_told_in_the_buyers_language(self, sale: SeatSale, bea: User) -> None:
        helper = name_helper(user_id=bea.pk, sale_id=sale.pk, email="new@acme.example", now=NOON)
        tell_helper(HelperNamed(helper_id=helper.pk, language="en"))
        message = mail.outbox[-1]
        assert message.to == ["new@acme.example"]
        assert "Bea Buyer bought seats in" in str(message.body)
        assert f"/group-purchases/{sale.pk}/" in str(message.body)
        helper.delete()
        tell_helper(HelperNamed(helper_id=10**9, language="en"))
        assert len(mail.outbox) == 1


class TestCompanyLists:
    def test_colleagues_see_what_each_of_them_put_on_the_list(
        self, client: Client, sale: SeatSale, sign_in: SignIn, bea: User, sam: User
    ) -> None:
        made = client.post("/group-purchases/lists/new/", {"name": "Acme Bearings"})
        company_list = CompanyList.objects.get()
        assert made.headers["Location"] == f"/group-purchases/lists/{company_list.pk}/"
        client.post(url(sale, "list/"), {"list": company_list.pk})
        client.post(f"/group-purchases/lists/{company_list.pk}/helpers/", {"email": sam.email})
        theirs, sams = sign_in(sam), make_seat_sale(seats=3, buyer=sam)
        assert client.get(url(sams)).status_code == 404
        theirs.post(url(sams, "list/"), {"list": company_list.pk})
        for one in (client, theirs):
            page = text_of(one.get(f"/group-purchases/lists/{company_list.pk}/"))
            assert page.count("Bought 6") == 1
            assert page.count("Bought 3") == 1
            assert "Bought 2" not in page  # Bea's other purchase
            assert one.get(url(sams)).status_code == one.get(url(sale)).status_code == 200

    def test_the_same_company_name_shares_nothing(self, sale: SeatSale, sign_in: SignIn, bea: User, sam: User) -> None:
        mine = create_list(owner_id=bea.pk, name="Acme", now=NOON)
        list_sale(user_id=bea.pk, sale_id=sale.pk, company_list_id=mine.pk, now=NOON)
        theirs = create_list(owner_id=sam.pk, name="Acme", now=NOON)
        client = sign_in(sam)
        assert "Bought 6" not in text_of(client.get(f"/group-purchases/lists/{theirs.pk}/"))
        assert client.get(f"/group-purchases/lists/{mine.pk}/").status_code == 404
        assert client.get(url(sale)).status_code == 404

    def test_only_a_buyer_puts_a_purchase_on_a_list_they_are_on(
        self, sale: SeatSale, client: Client, sign_in: SignIn, bea: User, sam: User
    ) -> None:
        strange = create_list(owner_id=sam.pk, name="Strange", now=NOON)
        assert client.post(url(sale, "list/"), {"list": strange.pk}).status_code == 404
        assert sign_in(sam).post(url(sale, "list/"), {"list": strange.pk}).status_code == 404
        assert not ListedSale.objects.exists()

    def test_someone_removed_takes_their_purchases_along(
        self, sale: SeatSale, client: Client, sign_in: SignIn, bea: User, sam: User
    ) -> None:
        company_list = create_list(owner_id=bea.pk, name="Acme", now=NOON)
        helper = name_list_helper(user_id=bea.pk, company_list_id=company_list.pk, email=sam.email, now=NOON)
        sams = make_seat_sale(seats=3, buyer=sam)
        for each in (sale, sams):
            list_sale(user_id=each.buyer_id or 0, sale_id=each.pk, company_list_id=company_list.pk, now=NOON)
        client.post(f"/group-purchases/lists/{company_list.pk}/helpers/{helper.pk}/remove/")
        assert sign_in(sam).get(url(sale)).status_code == 404
        assert client.get(url(sams)).status_code == 404
        assert client.get(url(sale)).status_code == 200

    def test_the_owner_takes_purchases_off_and_deletes_the_list(
        self, sale: SeatSale, client: Client, sign_in: SignIn, bea: User, sam: User
    ) -> None:
        company_list = create_list(owner_id=bea.pk, name="Acme", now=NOON)
        name_list_helper(user_id=bea.pk, company_list_id=company_list.pk, email=sam.email, now=NOON)
        sams = make_seat_sale(seats=3, buyer=sam)
        list_sale(user_id=sam.pk, sale_id=sams.pk, company_list_id=company_list.pk, now=NOON)
        address = f"/group-purchases/lists/{company_list.pk}/"
        theirs = sign_in(sam)
        for forbidden in (f"{sams.pk}/remove/", "delete/", "helpers/"):
            assert theirs.post(f"{address}{forbidden}", {"email": "x@x.example"}).status_code == 404
        client.post(f"{address}{sams.pk}/remove/")
        assert not ListedSale.objects.exists()
        assert "Keep the list" in text_of(client.get(f"{address}delete/"))
        client.post(f"{address}delete/")
        assert not CompanyList.objects.exists()
        assert not Helper.objects.exists()

    def test_a_list_needs_a_name_without_a_link(self, client: Client) -> None:
        for name, sentence in (("", "Enter the company’s name."), ("www.evil.example", "A name can’t have a web")):
            response = client.post("/group-purchases/lists/new/", {"name": name})
            assert response.status_code == 422
            assert sentence in text_of(response)
        assert not CompanyList.objects.exists()


def test_a_code_waits_on_the_dashboard_of_its_person_until_it_is_used(
    sale: SeatSale, sign_in: SignIn, bea: User, sam: User
) -> None:
    give(sale, sam.email, "other@x.example")
    theirs = sign_in(sam)
    assert f"Bea Buyer gave you a seat in “{sale.course_run.title}”." in text_of(theirs.get("/dashboard/"))
    assert "waiting for you" not in text_of(sign_in(bea).get("/dashboard/"))
    code = DiscountCode.objects.get(assigned_email=sam.email)
    assert f"/enrollmentcode/{code.text}/" in theirs.get("/dashboard/").content.decode()
    theirs.post(f"/enrollmentcode/{code.text}/")
    assert "A code is waiting for you" not in text_of(theirs.get("/dashboard/"))


def test_a_purchase_is_on_the_dashboard_of_those_who_hand_it_out(client: Client, sale: SeatSale) -> None:
    assert "0 of 6 seats used, 6 codes free" in text_of(client.get("/dashboard/"))


def test_strangers_get_the_same_answer_as_for_nothing(sale: SeatSale, sign_in: SignIn, sam: User) -> None:
    stranger = sign_in(sam)
    gone = SeatSale(pk=10**9)
    for rest in ("", "hand-out/", "codes.csv", "codes.xlsx"):
        theirs, nothing = stranger.get(url(sale, rest)), stranger.get(url(gone, rest))
        assert theirs.status_code == nothing.status_code == 404
        assert re.sub(r"\d+", "", text_of(theirs)) == re.sub(r"\d+", "", text_of(nothing))
    for rest in ("hand-out/", "selected/", "helpers/", "helpers/1/remove/", "list/"):
        assert stranger.post(url(sale, rest)).status_code == 404

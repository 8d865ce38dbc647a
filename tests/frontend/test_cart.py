"""The cart: links, codes and malformed requests."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from django.utils import timezone

from b2b.models import OrganizationMembership
from ecommerce.models import Basket, DiscountCode, Order, OrderLine, Product
from ecommerce.services.payment.payments import confirm_attempt
from mitxonline.kernel import clock
from mitxonline.kernel.dates import format_day, format_deadline, format_moment
from mitxonline.users.models import User
from tests.factories import (
    NOON,
    PASSWORD,
    codes_of,
    make_code,
    make_contract_run,
    make_course,
    make_discount,
    make_product,
    make_program_product,
    make_run,
    make_user,
)
from tests.factories.orders import make_paid_order
from tests.factories.pages import make_course_page, make_program_page
from tests.frontend.conftest import make_northgate
from tests.support.counting import queries
from tests.support.reading import Page, page_text, read, words
from tests.support.stripe import StripeServer

pytestmark = pytest.mark.django_db


def test_an_empty_cart_says_what_to_do(client: Client) -> None:
    page = read(client.get("/cart/"))
    assert page.title == "Your cart · Tessera"
    assert page.h1 == "Your cart"
    assert "Your cart is empty. Browse courses, or redeem a code from your organization." in page.text
    assert not Basket.objects.exists()


def test_a_product_link_opens_a_cart_with_only_that_product(client: Client) -> None:
    ordinary, contract = make_product(), make_northgate()
    client.get(f"/cart/add/?product_id={ordinary.pk}")
    response = client.get(contract.link, follow=True)
    page = read(response)
    assert response.redirect_chain == [("/cart/", 302)]
    assert page.headings(2) == ["Statistics for people who make decisions", "Summary", "Where is my code?"]
    assert "Needs your enrollment code" in page.text
    assert "Apply your code to check out." in page.text
    assert "We’ve kept your other cart. Back to my cart (1 course)" in page.text
    assert page.buttons() == ["Back to my cart (1 course)", f"Remove {contract.product.title}", "Apply"]
    assert page.label_of("code") == "Enrollment or discount code"


def test_organizations_are_named_only_to_members_and_code_holders(
    client: Client, learners_client: Client, learner: User
) -> None:
    contract = make_northgate()
    for visitor in (client, learners_client):
        page = read(visitor.get(contract.link, follow=True))
        assert "Northgate" not in page.text
        assert "Dana" not in page.text
    client.post("/cart/code/", {"code": contract.code})
    assert "Northgate Health · your organization" in read(client.get("/cart/")).text
    OrganizationMembership.objects.create(organization=contract.organization, user=learner, source="sso", since=NOON)
    page = read(learners_client.get("/cart/"))
    assert "Northgate Health · your organization" in page.text
    assert "Ask Dana Whitfield" in page.text


def test_a_course_added_during_a_contracts_cart_goes_to_the_ordinary_cart(client: Client) -> None:
    client.get(make_northgate().link)
    page = read(client.post("/cart/add/", {"product_id": make_product().pk}, follow=True))
    assert "We added it to your own cart" in page.text
    assert "Back to my cart (1 course)" in page.text


@pytest.mark.parametrize("address", ["/cart/add/", "/basket/add/"])
def test_both_addresses_and_skus_lead_to_the_same_cart(client: Client, address: str) -> None:
    one, other = make_product(), make_product()
    page = read(client.get(f"{address}?sku={quote(one.sku)}&product_id={other.pk}", follow=True))
    assert page.headings(2)[:2] == [one.title, other.title]
    assert client.post(address, {"product_id": one.pk}).status_code == 302


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?product_id=",
        "?product_id=0",
        "?product_id=-1",
        "?product_id=999999",
        "?product_id=abc",
        "?product_id=1e3",
        "?product_id=9223372036854775808",
        "?product_id=" + "9" * 400,
        "?product_id=%00",
        "?product_id=²",
        "?product_id={inactive}",
        "?product_id={known}&product_id=999999",
        "?sku=",
        "?sku=%00",
        "?sku=nothing",
        "?sku=" + "x" * 3000,
        "?product_id={known}&sku=nothing",
    ],
)
def test_a_link_that_leads_nowhere_leaves_the_cart_as_it_was(client: Client, query: str) -> None:
    kept, known, inactive = make_product(), make_product(), make_product(is_active=False)
    client.get(f"/cart/add/?product_id={kept.pk}")
    query = query.format(known=known.pk, inactive=inactive.pk)
    page = read(client.get(f"/cart/add/{query}", follow=True))
    assert "Your cart hasn’t changed." in page.text
    assert page.headings(2)[0] == kept.title
    assert known.title not in page.headings(2)[1:]


def test_looking_and_prefetching_put_nothing_in(client: Client) -> None:
    product = make_product()
    assert client.head(f"/cart/add/?product_id={product.pk}").status_code == 405
    assert not Basket.objects.exists()


def test_a_wrong_code_is_refused_at_the_field_and_nothing_is_lost(client: Client) -> None:
    contract = make_northgate()
    client.get(contract.link)
    response = client.post("/cart/code/", {"code": "b81d4e02-6c55-47aa-9f13-0d2e7c9916aa"})
    page = read(response)
    assert response.status_code == 422
    assert page.title == "Error: Your cart · Tessera"
    assert page.error_summary == (
        "The code wasn’t applied",
        "We can’t find this code. Check it against the message you got it in. Capitals and dashes don’t matter. "
        "If it’s right, sign in and we’ll tell you more.",
        "#id_code",
    )
    field = page.one("input[name=code]")
    assert field["value"] == "b81d4e02-6c55-47aa-9f13-0d2e7c9916aa"
    assert field["aria-invalid"] == "true"
    assert set(str(field["aria-describedby"]).split()) == {"id_code_helptext", "id_code_error"}
    assert page.headings(2)[1] == contract.product.title
    assert "Check out" not in page.buttons()


def test_an_empty_field_is_no_try(client: Client) -> None:
    client.get(make_northgate().link)
    for _each in range(12):
        response = client.post("/cart/code/", {"code": "  "})
        assert response.status_code == 422
    assert "Enter your code first." in page_text(response)


@pytest.mark.parametrize("code", ["\0", "x" * 5000, "'; drop table", "👩🏽‍🎓", "-", "../../etc"])
def test_junk_in_the_field_gets_a_sentence(client: Client, code: str) -> None:
    client.get(make_northgate().link)
    assert client.post("/cart/code/", {"code": code}).status_code == 422
    assert client.post("/cart/code/", {}).status_code == 422


def test_the_right_code_makes_it_free_and_shows_the_button(client: Client) -> None:
    contract = make_northgate()
    client.get(contract.link)
    page = read(client.post("/cart/code/", {"code": f"  {contract.code.upper()} "}, follow=True))
    assert page.h1 == "Ready to start"
    assert "Your code works. There’s nothing to pay." in page.text
    assert "Northgate Health pays for this course. Check out to take your seat." in page.text
    assert "1 course, paid by Northgate Health $0.00" in page.text
    assert "Total $0.00" in page.text
    assert "Next: sign in or create an account. We’ll keep your cart." in page.text
    assert "Check out" in page.buttons()
    assert not page.select("input[name=code]")
    page = read(client.post("/cart/code/remove/", {"code_id": contract.codes[0].pk}, follow=True))
    assert page.h1 == "Your cart"
    assert "Check out" not in page.buttons()


def test_a_redeem_link_pasted_into_the_field_is_its_code(client: Client) -> None:
    contract = make_northgate()
    client.get(contract.link)
    pasted = f"https://learn.example{contract.redeem_link}?utm=mail"
    assert read(client.post("/cart/code/", {"code": pasted}, follow=True)).h1 == "Ready to start"


def test_signed_in_learners_are_told_which_course_it_is(learners_client: Client) -> None:
    contract = make_northgate()
    other = make_contract_run(contract.contract, make_course(title="Reading a changing climate"), codes=1)
    learners_client.get(contract.link)
    page = read(learners_client.post("/cart/code/", {"code": codes_of(other)[0].text}))
    assert "This code is for another course, “Reading a changing climate”. Enter the code for this course." in page.text


def test_a_signed_out_visitor_gets_one_answer_for_all(client: Client) -> None:
    contract = make_northgate()
    other = make_contract_run(contract.contract, make_course(title="Reading a changing climate"), codes=1)
    DiscountCode.objects.filter(pk=contract.codes[1].pk).update(active=False)
    client.get(contract.link)
    answers = {
        read(client.post("/cart/code/", {"code": code})).error_summary
        for code in (codes_of(other)[0].text, contract.codes[1].text, "no-such-code")
    }
    assert len(answers) == 1


def test_a_priced_contract_shows_its_price(learners_client: Client) -> None:
    contract = make_northgate(price="49.00")
    learners_client.get(contract.link)
    page = read(learners_client.post("/cart/code/", {"code": contract.code}, follow=True))
    assert page.h1 == "Ready to start"
    assert "Your code works. You pay $49.00." in page.text
    assert "Total $49.00" in page.text
    assert "There’s nothing to pay" not in page.text


def test_an_assigned_code_is_applied_automatically(learners_client: Client, learner: User) -> None:
    contract = make_northgate(price="49.00")
    DiscountCode.objects.filter(pk=contract.codes[1].pk).update(assigned_email=learner.email)
    page = read(learners_client.get(contract.link, follow=True))
    assert page.h1 == "Ready to start"
    assert "Total $49.00" in page.text


def test_a_public_discount_shows_old_and_new_price(client: Client) -> None:
    product = make_product(price="249.00")
    code = make_code(make_discount(amount="20"), text="AUTUMN20")
    client.get(f"/cart/add/?product_id={product.pk}")
    page = read(client.post("/cart/code/", {"code": "autumn20"}, follow=True))
    assert "$199.20 was $249.00" in page.text
    assert "Discount −$49.80" in page.text
    assert "Total $199.20" in page.text
    DiscountCode.objects.filter(pk=code.pk).update(active=False)
    page = read(client.get("/cart/"))
    assert "Code AUTUMN20 no longer works" in page.text
    assert "Total $249.00" in page.text


def by_bank(api: StripeServer, buyers_client: Client) -> Order:
    """Check out and pay by a bank method that takes days."""
    buyers_client.post("/checkout/")
    order = Order.objects.latest("pk")
    attempt = order.attempts.get()
    api.pay_later(attempt.session_id)
    return confirm_attempt(attempt_id=attempt.pk, now=timezone.now())


def test_a_code_in_use_names_its_order(stripe_api: StripeServer, learners_client: Client) -> None:
    first, second, code = make_product(), make_product(price="80"), make_code(make_discount(amount="50"), max_uses=1)
    learners_client.get(f"/cart/add/?product_id={first.pk}")
    learners_client.post("/cart/code/", {"code": code.text})
    order = by_bank(stripe_api, learners_client)
    learners_client.post("/cart/remove/", {"product_id": first.pk})
    page = read(learners_client.get(f"/cart/add/?product_id={second.pk}", follow=True))
    assert "wasn’t applied" in page.text
    assert f"This code is in use for your order {order.number}. We’re waiting for its payment." in page.text
    assert page.select(f"a[href='/checkout/receipt/?order_number={order.number}']")
    assert "Total $80.00" in page.text
    answer = learners_client.post("/cart/code/", {"code": code.text})
    assert answer.status_code == 422
    field = read(answer).select(".field-error")
    assert any(f"in use for your order {order.number}" in each.get_text() for each in field)
    assert any(each.select_one(f"a[href='/checkout/receipt/?order_number={order.number}']") for each in field)


def test_a_contract_code_in_use_names_its_order(stripe_api: StripeServer, learners_client: Client) -> None:
    contract = make_northgate(price="49.00")
    link = f"/enrollmentcode/{contract.codes[0].text}/"
    learners_client.post(link)
    order = by_bank(stripe_api, learners_client)
    answer = learners_client.get(link)
    page = read(answer)
    assert answer.status_code == 409
    assert page.h1 == f"This code is in use for your order {order.number}"
    assert page.select(f"a[href='/checkout/receipt/?order_number={order.number}']")
    assert order.number in read(learners_client.get("/cart/")).text
    assert order.number not in read(Client().get(link)).text


def test_removing_and_leaving(client: Client) -> None:
    ordinary, contract = make_product(), make_northgate()
    client.get(f"/cart/add/?product_id={ordinary.pk}")
    client.get(contract.link)
    page = read(client.post("/cart/leave/", follow=True))
    assert page.headings(2)[0] == ordinary.title
    client.get(contract.link)
    page = read(client.post("/cart/remove/", {"product_id": contract.product.pk}, follow=True))
    assert page.headings(2)[0] == ordinary.title
    page = read(client.post("/cart/remove/", {"product_id": ordinary.pk}, follow=True))
    assert "Your cart is empty." in page.text


@pytest.mark.parametrize(
    ("address", "field"), [("/cart/remove/", "product_id"), ("/cart/code/remove/", "code_id"), ("/cart/leave/", "x")]
)
@pytest.mark.parametrize("value", ["", "abc", "0", "9" * 30, "\0"])
def test_junk_changes_nothing(client: Client, address: str, field: str, value: str) -> None:
    product = make_product()
    client.get(f"/cart/add/?product_id={product.pk}")
    assert client.get(address).status_code == 405
    page = read(client.post(address, {field: value}, follow=True))
    assert page.headings(2)[0] == product.title


def test_htmx_gets_the_part_that_moves(client: Client) -> None:
    contract = make_northgate()
    client.get(contract.link)
    htmx = {"headers": {"HX-Request": "true"}}
    refused = client.post("/cart/code/", {"code": "wrong"}, **htmx)  # type: ignore[arg-type]
    page = read(refused)
    assert refused.status_code == 422
    assert refused["HX-Retarget"] == "#cart"
    assert page.title == "Error: Your cart · Tessera"
    assert not page.select("header")
    assert not page.select(".error-summary")
    assert page.one("input[name=code]")["aria-invalid"] == "true"
    applied = read(client.post("/cart/code/", {"code": contract.code}, follow=True, **htmx))  # type: ignore[arg-type]
    assert words(applied.one("#live")) == "Ready to start. Total: $0.00."
    assert words(applied.one("h1[data-focus-after-swap]")) == "Ready to start"


def test_the_refusal_names_the_limit_that_was_reached(client: Client, settings: Any) -> None:
    settings.RATE_LIMITS = settings.RATE_LIMITS | {
        "codes": {"user": (10, 600), "session": (3, 600), "address": (200, 600)}
    }
    client.get(make_northgate().link)
    for each in range(3):
        client.post("/cart/code/", {"code": f"wrong-{each}"})
    assert "You’ve entered 3 codes that didn’t work." in read(client.post("/cart/code/", {"code": "wrong"})).text


def test_ten_wrong_codes_are_enough(client: Client) -> None:
    contract = make_northgate()
    client.get(contract.link)
    for each in range(10):
        assert client.post("/cart/code/", {"code": f"wrong-{each}"}).status_code == 422
    response = client.post("/cart/code/", {"code": contract.code})
    page = read(response)
    assert response.status_code == 429
    assert 0 < int(response["Retry-After"]) <= 600
    assert (
        "You’ve entered 10 codes that didn’t work. Wait 10 minutes, then try again. We’ve kept your cart." in page.text
    )
    assert page.headings(2)[1] == contract.product.title
    assert client.get(contract.redeem_link).status_code == 429


def test_foreign_cart_items_cannot_be_changed(client: Client) -> None:
    product = make_product()
    client.get(f"/cart/add/?product_id={product.pk}")
    for other in (Client(), _signed_in(make_user()), _signed_in(make_user(is_staff=True, is_superuser=True))):
        assert "Your cart is empty." in read(other.get("/cart/")).text
        other.post("/cart/remove/", {"product_id": product.pk})
    assert read(client.get("/cart/")).headings(2)[0] == product.title


def test_the_cart_is_never_cached(client: Client) -> None:
    response = client.get("/cart/")
    assert "no-store" in response["Cache-Control"]
    assert "private" in response["Cache-Control"]
    assert response["X-Robots-Tag"] == "noindex"


@pytest.mark.parametrize("lines", [1, 4])
def test_the_cart_costs_the_same_for_any_number_of_lines(learners_client: Client, lines: int) -> None:
    for _each in range(lines):
        learners_client.get(f"/cart/add/?product_id={make_product().pk}")
    learners_client.get("/cart/")
    with queries(13):
        learners_client.get("/cart/")


@pytest.mark.parametrize("lines", [1, 4])
def test_a_contracts_cart_costs_the_same_for_any_number_of_lines(learners_client: Client, lines: int) -> None:
    contract = make_northgate()
    runs = [contract.run, *(make_contract_run(contract.contract, codes=1) for _each in range(lines - 1))]
    learners_client.get("/cart/add/", {"product_id": [run.product_id or 0 for run in runs]})
    for run in runs:
        learners_client.post("/cart/code/", {"code": codes_of(run)[0].text})
    learners_client.get("/cart/")  # what is shown for the first time is noted, in one write
    with queries(16):
        page = read(learners_client.get("/cart/"))
    assert page.h1 == "Ready to start"


@pytest.mark.parametrize("lines", [1, 4])
def test_adding_costs_the_same_beside_any_number_of_lines(learners_client: Client, lines: int) -> None:
    for _each in range(lines):
        learners_client.get(f"/cart/add/?product_id={make_product().pk}")
    link = make_northgate().link
    with queries(7):
        learners_client.get(link)


@pytest.mark.parametrize("lines", [1, 4])
def test_applying_a_code_costs_the_same_for_any_number_of_lines(learners_client: Client, lines: int) -> None:
    contract = make_northgate()
    runs = [contract.run, *(make_contract_run(contract.contract) for _each in range(lines - 1))]
    learners_client.get("/cart/add/", {"product_id": [run.product_id or 0 for run in runs]})
    with queries(14):
        learners_client.post("/cart/code/", {"code": contract.code})


def header(response: Any) -> tuple[str, str]:
    """Return the header's cart count and its text for screen readers."""
    link = read(response).one("#cart-link")
    count = link.select_one(".cart-count")
    spoken = link.select_one(".visually-hidden")
    assert spoken is not None
    return (words(count) if count else "", words(spoken))


def test_every_page_says_how_much_is_in_the_cart_and_what_it_costs(client: Client) -> None:
    assert header(client.get("/cart/")) == ("", "Cart")
    one, other = make_product(price="249"), make_product(price="100")
    client.get(f"/cart/add/?product_id={one.pk}")
    assert header(client.get("/redeem/")) == ("1", "Cart, 1 course")  # the total wasn't shown yet
    client.get(f"/cart/add/?product_id={other.pk}", follow=True)
    assert header(client.get("/redeem/")) == ("2", "Cart, 2 courses, $349.00")
    client.post("/cart/keep/", {"product_id": one.pk}, follow=True)
    assert header(client.get("/login/")) == ("1", "Cart, 1 course, $100.00")


def test_a_cached_page_refreshes_its_header_by_cookie(client: Client) -> None:
    assert "cart" not in client.get("/cart/").cookies or not client.get("/cart/").cookies["cart"].value
    client.get(f"/cart/add/?product_id={make_product(price='249').pk}", follow=True)
    cookie = client.cookies["cart"]
    assert cookie.value == "1"
    assert (cookie["httponly"], cookie["samesite"]) == ("", "Lax")
    answer = client.get("/cart/header/")
    assert header(answer) == ("1", "Cart, 1 course, $249.00")
    assert "no-store" in answer["Cache-Control"]
    assert not read(answer).select("header")
    assert client.post("/cart/header/").status_code == 405
    product_id = Basket.objects.get().items.get().product_id
    emptied = client.post("/cart/remove/", {"product_id": product_id}, follow=True)
    assert emptied.cookies["cart"].value == ""
    assert "Cookie" not in (client.get("/brand.css").get("Vary") or "")  # what caches keep varies as before


def test_the_header_alone_sets_nothing_aside(client: Client) -> None:
    gone, stays = make_product(price="200"), make_product(price="100")
    client.get("/cart/add/", {"product_id": [gone.pk, stays.pk]})
    Product.objects.filter(pk=gone.pk).update(is_active=False)
    assert header(client.get("/cart/header/")) == ("2", "Cart, 2 courses")
    assert "We moved it to “Saved for later”" in read(client.get("/cart/")).text
    assert header(client.get("/cart/header/")) == ("1", "Cart, 1 course, $100.00")


def test_htmx_responses_refresh_the_header(client: Client) -> None:
    client.get(f"/cart/add/?product_id={make_product(price='249').pk}", follow=True)
    make_code(make_discount(amount="20"), text="AUTUMN20")
    applied = client.post("/cart/code/", {"code": "AUTUMN20"}, headers={"HX-Request": "true"}, follow=True)
    assert header(applied) == ("1", "Cart, 1 course, $199.20")
    assert read(applied).one("#cart-link")["hx-swap-oob"] == "true"


def test_a_discount_says_what_it_does_and_until_when(client: Client) -> None:
    until = clock.now() + timedelta(days=400)
    make_discount(amount="10", automatic=True, name="Black week", expires_at=until)
    client.get(f"/cart/add/?product_id={make_product(price='100').pk}")
    page = read(client.get("/cart/"))
    assert f"Black week: 10% off, until {format_moment(until)}" in page.text
    assert "$90.00 was $100.00" in page.text
    make_code(make_discount(amount="5"), text="FIVEOFF")
    refused = read(client.post("/cart/code/", {"code": "FIVEOFF"}))
    assert "doesn’t lower your total" in refused.text


def test_a_code_replaced_by_a_better_discount_is_explained(client: Client) -> None:
    make_code(make_discount(amount="5"), text="FIVEOFF")
    client.get(f"/cart/add/?product_id={make_product(price='100').pk}")
    client.post("/cart/code/", {"code": "FIVEOFF"})
    make_discount(amount="10", automatic=True, name="Black week")
    page = read(client.get("/cart/"))
    assert "Code FIVEOFF wasn’t applied" in page.text
    assert "Total $90.00" in page.text


def test_unavailable_items_are_set_aside_and_not_bought(learners_client: Client) -> None:
    gone, stays = make_product(price="200"), make_product(price="0", mode="audit")
    learners_client.get("/cart/add/", {"product_id": [gone.pk, stays.pk]})
    Product.objects.filter(pk=gone.pk).update(is_active=False)
    page = read(learners_client.get("/cart/"))
    assert (
        f"“{gone.title}” is no longer available. We moved it to “Saved for later”. It isn’t in your total." in page.text
    )
    assert "Total $0.00" in page.text
    again = read(learners_client.get("/cart/"))
    assert "We moved it to" not in again.text
    assert "Saved for later" in again.headings(2)
    assert again.buttons().count(f"Remove {gone.title}") == (2 if gone.title == stays.title else 1)
    assert f"Move to cart {gone.title}" not in again.buttons()
    learners_client.post("/checkout/", shown(again))
    assert [line.product for line in OrderLine.objects.all()] == [stays]


def test_kept_for_later_and_put_back(client: Client) -> None:
    product = make_product(price="249")
    client.get(f"/cart/add/?product_id={product.pk}")
    page = read(client.post("/cart/keep/", {"product_id": product.pk}, follow=True))
    assert "Your cart is empty." in page.text
    assert "$249.00 before discounts." in page.text
    page = read(client.post("/cart/back/", {"product_id": product.pk}, follow=True))
    assert "Total $249.00" in page.text
    assert "Saved for later" not in page.headings(2)


def test_another_currency_is_refused_with_a_sentence(client: Client) -> None:
    dollars, yen = make_product(), make_product(price="9000", currency="JPY")
    client.get(f"/cart/add/?product_id={dollars.pk}")
    page = read(client.get(f"/cart/add/?product_id={yen.pk}", follow=True))
    assert "is sold in JPY, and your cart has prices in USD" in page.text
    client.post("/cart/keep/", {"product_id": dollars.pk})
    page = read(client.get(f"/cart/add/?product_id={yen.pk}", follow=True))
    assert "Total ¥9,000" in page.text
    page = read(client.post("/cart/back/", {"product_id": dollars.pk}, follow=True))
    assert "your cart has prices in JPY" in page.text


def test_sign_in_explains_how_the_carts_were_merged(client: Client) -> None:
    user = make_user("lea@mail.example")
    user.set_password(PASSWORD)
    user.save()
    signed_in = _signed_in(user)
    signed_in.get("/cart/add/", {"product_id": [make_product().pk, make_product().pk]})
    client.get(f"/cart/add/?product_id={make_product().pk}")
    page = read(client.post("/login/?next=/cart/", {"username": user.email, "password": PASSWORD}, follow=True))
    assert "We added 1 course that you chose before signing in. 2 were already in your cart." in page.text
    assert "3 courses" in page.text
    assert "that you chose before signing in" not in read(client.get("/cart/")).text


def test_a_total_that_changed_is_shown_before_it_is_paid(learners_client: Client) -> None:
    product = make_product(price="249")
    learners_client.get(f"/cart/add/?product_id={product.pk}")
    seen = shown(read(learners_client.get("/cart/")))
    Product.objects.filter(pk=product.pk).update(price=260)
    answer = learners_client.post("/checkout/", seen, headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (409, "total_changed")
    assert answer.json()["data"] == {"shown": "$249.00", "now": "$260.00"}
    page = read(learners_client.post("/checkout/", seen, follow=True))
    assert "The total was $249.00 and is now $260.00." in page.text
    assert "Total $260.00" in page.text
    assert not OrderLine.objects.exists()
    learners_client.post("/checkout/", shown(page))
    assert OrderLine.objects.get().due == 260


def test_changed_items_with_the_same_total_are_shown_again(learners_client: Client) -> None:
    one, other = make_product(price="100"), make_product(price="100")
    learners_client.get(f"/cart/add/?product_id={one.pk}")
    seen = shown(read(learners_client.get("/cart/")))
    learners_client.get(f"/cart/add/?product_id={other.pk}")
    learners_client.post("/cart/remove/", {"product_id": one.pk})
    answer = learners_client.post("/checkout/", seen, headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (409, "basket_changed")
    page = read(learners_client.post("/checkout/", seen, follow=True))
    assert "Your cart has changed since you saw it." in page.text
    assert not OrderLine.objects.exists()


def shown(page: Page) -> dict[str, str]:
    """Return the fields the cart's button posts."""
    fields = page.select("form[action='/checkout/'] input[type=hidden]")
    return {str(field["name"]): str(field["value"]) for field in fields if field["name"] != "csrfmiddlewaretoken"}


@pytest.mark.parametrize("address", ["/cart/keep/", "/cart/back/"])
@pytest.mark.parametrize("value", ["", "abc", "0", "9" * 30, "\0"])
def test_junk_keeps_nothing_for_later(client: Client, address: str, value: str) -> None:
    product = make_product()
    client.get(f"/cart/add/?product_id={product.pk}")
    assert client.get(address).status_code == 405
    assert read(client.post(address, {"product_id": value}, follow=True)).headings(2)[0] == product.title


@pytest.mark.parametrize("lines", [1, 4])
def test_the_header_costs_the_same_for_any_number_of_lines(learners_client: Client, lines: int) -> None:
    for _each in range(lines):
        learners_client.get(f"/cart/add/?product_id={make_product().pk}")
    learners_client.get("/cart/header/")
    with queries(11):
        learners_client.get("/cart/header/")


def _signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_a_course_beside_its_program_can_be_resolved_with_one_button(learners_client: Client) -> None:
    course, other = make_product(price="249"), make_product(price="100")
    program = make_program_product(course.course_run.course, other.course_run.course, sku="P1")  # type: ignore[union-attr]
    extra = make_product(make_run(make_course(title="Knots")), price="10")
    learners_client.get("/cart/add/", {"product_id": [course.pk, program.pk, extra.pk]})
    page = read(learners_client.get("/cart/"))
    assert f"“{course.title}” is part of “{program.title}”, which is in your cart too." in page.text
    assert page.text.count("is part of") == 1
    assert "to check out" not in page.text
    assert "Check out" not in page.buttons()
    assert page.buttons().count(f"Remove “{course.title}”") == 1
    page = read(learners_client.post("/cart/remove/", {"product_id": course.pk}, follow=True))
    assert "Check out" in page.buttons()
    assert "Total $700.00" in page.text


def test_titles_lead_to_their_pages(learners_client: Client) -> None:
    shown, kept, hidden = (make_product(make_run(make_course(title=title))) for title in ("Knots", "Ropes", "Sails"))
    program = make_program_product(make_product().course_run.course, sku="P1")  # type: ignore[union-attr]
    for each in (shown, kept):
        make_course_page(each.course_run.course)  # type: ignore[union-attr]
    make_program_page(program.program)
    learners_client.get("/cart/add/", {"product_id": [shown.pk, kept.pk, hidden.pk, program.pk]})
    learners_client.post("/cart/keep/", {"product_id": kept.pk})
    links = read(learners_client.get("/cart/")).links()
    assert links["Knots"] == f"/courses/{shown.course_run.course.readable_id}/"  # type: ignore[union-attr]
    assert links["Ropes"] == f"/courses/{kept.course_run.course.readable_id}/"  # type: ignore[union-attr]
    assert links[program.title] == f"/programs/{program.program.readable_id}/"  # type: ignore[union-attr]
    assert "Sails" not in links


def test_two_starts_of_a_course_are_told_apart_by_their_buttons(learners_client: Client) -> None:
    course = make_course(title="Python")
    for run in (make_run(course, is_self_paced=True), make_run(course, start_date=clock.now() + timedelta(days=30))):
        page = read(learners_client.get(f"/cart/add/?product_id={make_product(run).pk}", follow=True))
    dated = f"Starts {format_day(run.start_date or clock.now())}"
    assert "“Python” is in your cart twice. You need it only once." in page.text
    assert {"Remove Python · At your own pace", f"Remove Python · {dated}"} <= set(page.buttons())
    assert f"Remove “Python · {dated}”" in page.buttons()


def test_several_courses_beside_their_program_are_one_problem(learners_client: Client) -> None:
    courses = [make_product(make_run(make_course(title=title)), price="249") for title in ("Knots", "Ropes", "Sails")]
    program = make_program_product(*(each.course_run.course for each in courses), sku="P1")  # type: ignore[union-attr]
    learners_client.get("/cart/add/", {"product_id": [courses[0].pk, program.pk, courses[1].pk]})
    page = read(learners_client.get("/cart/"))
    sentence = f"“{program.title}” is in your cart with 2 of its courses. You’d pay for those twice."
    assert page.text.count(sentence) == page.text.count("twice") == 1
    assert [text for text in page.buttons() if "these" in text] == ["Remove these 2"]
    assert "to check out" not in page.text
    removed = [field["value"] for field in page.select(".alert input[name=product_id]")]
    assert removed == [str(courses[0].pk), str(courses[1].pk)]
    page = read(learners_client.post("/cart/remove/", {"product_id": removed}, follow=True))
    assert "Check out" in page.buttons()
    assert "Total $690.00" in page.text


def test_only_what_has_to_go_is_removed_from_a_chain_of_doubles(learners_client: Client) -> None:
    one, two, three = (make_course(title=title) for title in ("Knots", "Ropes", "Sails"))
    for each in (one, two):
        make_product(make_run(each))
    single = make_product(make_run(three), price="100")
    first, second = make_program_product(one, two, sku="P1"), make_program_product(two, three, sku="P2")
    learners_client.get("/cart/add/", {"product_id": [first.pk, second.pk, single.pk]})
    page = read(learners_client.get("/cart/"))
    removed = [field["value"] for field in page.select(".alert input[name=product_id]")]
    assert removed == [str(second.pk)]
    page = read(learners_client.post("/cart/remove/", {"product_id": removed}, follow=True))
    assert "Check out" in page.buttons()
    assert "Total $790.00" in page.text


def test_courses_bought_meanwhile_are_removed_with_a_message(learners_client: Client, learner: User) -> None:
    mine, kept = make_product(), make_product(price="20")
    learners_client.get("/cart/add/", {"product_id": [mine.pk, kept.pk]})
    learners_client.post("/cart/keep/", {"product_id": kept.pk})
    make_paid_order(mine, kept, buyer=learner)
    page = read(learners_client.get("/cart/"))
    assert page.text.count(f"You already have “{mine.title}”. We removed it from your cart.") == 2
    assert page.text.count("Your cart is empty.") == 1
    assert "Saved for later" not in page.headings(2)
    assert "You already have" not in read(learners_client.get("/cart/")).text


def test_each_line_says_its_own_refund(learners_client: Client) -> None:
    dated = make_product(make_run(start_date=clock.now() + timedelta(days=30)))
    any_time = make_product(make_run(is_self_paced=True))
    learners_client.get("/cart/add/", {"product_id": [dated.pk, any_time.pk]})
    page = read(learners_client.get("/cart/"))
    for days in (44, 14):
        last = clock.date_of(clock.now() + timedelta(days=days))
        assert f"Full refund until {format_deadline(last, today=clock.today())}" in page.text

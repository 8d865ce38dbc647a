"""The cart: what a link puts in, what a code does, and what junk can't do."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from django.test import Client

from b2b.models import OrganizationMembership
from ecommerce.models import Basket, DiscountCode
from mitxonline.users.models import User
from tests.factories import (
    NOON,
    codes_of,
    make_code,
    make_contract_run,
    make_course,
    make_discount,
    make_product,
    make_user,
)
from tests.frontend.conftest import northgate
from tests.frontend.counting import queries
from tests.frontend.reading import page_text, read, words

pytestmark = pytest.mark.django_db


def test_an_empty_cart_says_what_to_do(client: Client) -> None:
    page = read(client.get("/cart/"))
    assert page.title == "Your cart · Tessera"
    assert page.h1 == "Your cart"
    assert "Your cart is empty. Browse courses, or redeem a code from your organization." in page.text
    assert not Basket.objects.exists()


def test_a_product_link_opens_a_cart_with_that_product_alone(client: Client) -> None:
    ordinary, contract = make_product(), northgate()
    client.get(f"/cart/add/?product_id={ordinary.pk}")
    response = client.get(contract.link, follow=True)
    page = read(response)
    assert response.redirect_chain == [("/cart/", 302)]
    assert page.headings(2) == ["Statistics for people who make decisions", "Summary", "Where is my code?"]
    assert "Needs your enrollment code" in page.text
    assert "You can check out once your code is applied." in page.text
    assert "Your other cart is kept. Back to my cart (1 course)" in page.text
    assert page.buttons() == ["Back to my cart (1 course)", f"Remove {contract.product.title}", "Apply"]
    assert page.label_of("code") == "Enrollment or discount code"


def test_whose_customer_is_whose_is_told_to_its_own_people_and_to_whoever_has_a_code(
    client: Client, learners_client: Client, learner: User
) -> None:
    contract = northgate()
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


def test_a_course_added_beside_a_contracts_cart_is_said_to_be_in_the_other_one(client: Client) -> None:
    client.get(northgate().link)
    page = read(client.post("/cart/add/", {"product_id": make_product().pk}, follow=True))
    assert "It is in your other cart" in page.text
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
    assert "Your cart is as it was." in page.text
    assert page.headings(2)[0] == kept.title
    assert known.title not in page.headings(2)[1:]


def test_looking_and_prefetching_put_nothing_in(client: Client) -> None:
    product = make_product()
    assert client.head(f"/cart/add/?product_id={product.pk}").status_code == 405
    assert not Basket.objects.exists()


def test_a_wrong_code_is_refused_at_the_field_and_nothing_is_lost(client: Client) -> None:
    contract = northgate()
    client.get(contract.link)
    response = client.post("/cart/code/", {"code": "b81d4e02-6c55-47aa-9f13-0d2e7c9916aa"})
    page = read(response)
    assert response.status_code == 422
    assert page.title == "Error: Your cart · Tessera"
    assert page.error_summary == (
        "The code was not applied",
        "We don't know this code. Check it against your invitation: it has 36 characters, in five groups.",
        "#id_code",
    )
    field = page.one("input[name=code]")
    assert field["value"] == "b81d4e02-6c55-47aa-9f13-0d2e7c9916aa"
    assert field["aria-invalid"] == "true"
    assert set(str(field["aria-describedby"]).split()) == {"id_code_helptext", "id_code_error"}
    assert page.headings(2)[1] == contract.product.title
    assert "Check out" not in page.buttons()


def test_an_empty_field_is_no_try(client: Client) -> None:
    client.get(northgate().link)
    for _each in range(12):
        response = client.post("/cart/code/", {"code": "  "})
        assert response.status_code == 422
    assert "Type or paste your code into the field first." in page_text(response)


@pytest.mark.parametrize("code", ["\0", "x" * 5000, "'; drop table", "👩🏽‍🎓", "-", "../../etc"])
def test_junk_in_the_field_gets_a_sentence(client: Client, code: str) -> None:
    client.get(northgate().link)
    assert client.post("/cart/code/", {"code": code}).status_code == 422
    assert client.post("/cart/code/", {}).status_code == 422


def test_the_right_code_makes_it_free_and_shows_the_button(client: Client) -> None:
    contract = northgate()
    client.get(contract.link)
    page = read(client.post("/cart/code/", {"code": f"  {contract.code.upper()} "}, follow=True))
    assert page.h1 == "Ready to start"
    assert "Your code works. There is nothing to pay." in page.text
    assert "Northgate Health pays for this course. Check out to take your seat." in page.text
    assert "1 course, paid by Northgate Health $0.00" in page.text
    assert "Total $0.00" in page.text
    assert "Next, sign in or create an account. Your cart is kept." in page.text
    assert "Check out" in page.buttons()
    assert not page.select("input[name=code]")
    page = read(client.post("/cart/code/remove/", {"code_id": contract.codes[0].pk}, follow=True))
    assert page.h1 == "Your cart"
    assert "Check out" not in page.buttons()


def test_a_redeem_link_pasted_into_the_field_is_its_code(client: Client) -> None:
    contract = northgate()
    client.get(contract.link)
    pasted = f"https://learn.example{contract.redeem_link}?utm=mail"
    assert read(client.post("/cart/code/", {"code": pasted}, follow=True)).h1 == "Ready to start"


def test_a_signed_in_learner_is_told_which(learners_client: Client) -> None:
    contract = northgate()
    other = make_contract_run(contract.contract, make_course(title="Reading a changing climate"), codes=1)
    learners_client.get(contract.link)
    page = read(learners_client.post("/cart/code/", {"code": codes_of(other)[0].text}))
    assert "This code is for another course, “Reading a changing climate”. Enter the code for this course." in page.text


def test_a_signed_out_visitor_gets_one_answer_for_all(client: Client) -> None:
    contract = northgate()
    other = make_contract_run(contract.contract, make_course(title="Reading a changing climate"), codes=1)
    DiscountCode.objects.filter(pk=contract.codes[1].pk).update(active=False)
    client.get(contract.link)
    answers = {
        read(client.post("/cart/code/", {"code": code})).error_summary
        for code in (codes_of(other)[0].text, contract.codes[1].text, "no-such-code")
    }
    assert len(answers) == 1


def test_a_priced_contract_shows_its_price(learners_client: Client) -> None:
    contract = northgate(price="49.00")
    learners_client.get(contract.link)
    page = read(learners_client.post("/cart/code/", {"code": contract.code}, follow=True))
    assert page.h1 == "Ready to start"
    assert "Your code works. You pay $49.00." in page.text
    assert "Total $49.00" in page.text
    assert "There is nothing to pay" not in page.text


def test_a_code_that_was_given_to_the_learner_is_applied_by_itself(learners_client: Client, learner: User) -> None:
    contract = northgate(price="49.00")
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
    assert "Code AUTUMN20 doesn’t work any more" in page.text
    assert "Total $249.00" in page.text


def test_removing_and_leaving(client: Client) -> None:
    ordinary, contract = make_product(), northgate()
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
    contract = northgate()
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


def test_ten_wrong_codes_are_enough(client: Client) -> None:
    contract = northgate()
    client.get(contract.link)
    for each in range(10):
        assert client.post("/cart/code/", {"code": f"wrong-{each}"}).status_code == 422
    response = client.post("/cart/code/", {"code": contract.code})
    page = read(response)
    assert response.status_code == 429
    assert 0 < int(response["Retry-After"]) <= 600
    assert "You have tried 10 codes that didn’t work. Wait 10 minutes, then try again. Your cart is kept." in page.text
    assert page.headings(2)[1] == contract.product.title
    assert client.get(contract.redeem_link).status_code == 429


def test_somebody_elses_cart_is_out_of_reach(client: Client) -> None:
    product = make_product()
    client.get(f"/cart/add/?product_id={product.pk}")
    for other in (Client(), _signed_in(make_user()), _signed_in(make_user(is_staff=True, is_superuser=True))):
        assert "Your cart is empty." in read(other.get("/cart/")).text
        other.post("/cart/remove/", {"product_id": product.pk})
    assert read(client.get("/cart/")).headings(2)[0] == product.title


def test_the_page_is_kept_by_nobody(client: Client) -> None:
    response = client.get("/cart/")
    assert "no-store" in response["Cache-Control"]
    assert "private" in response["Cache-Control"]
    assert response["X-Robots-Tag"] == "noindex"


@pytest.mark.parametrize("lines", [1, 4])
def test_the_cart_costs_the_same_for_any_number_of_lines(learners_client: Client, lines: int) -> None:
    for _each in range(lines):
        learners_client.get(f"/cart/add/?product_id={make_product().pk}")
    learners_client.get("/cart/")
    with queries(10):
        learners_client.get("/cart/")


@pytest.mark.parametrize("lines", [1, 4])
def test_a_contracts_cart_too(learners_client: Client, lines: int) -> None:
    contract = northgate()
    runs = [contract.run, *(make_contract_run(contract.contract, codes=1) for _each in range(lines - 1))]
    learners_client.get("/cart/add/", {"product_id": [run.product_id or 0 for run in runs]})
    for run in runs:
        learners_client.post("/cart/code/", {"code": codes_of(run)[0].text})
    learners_client.get("/cart/")  # what is shown for the first time is noted, in one write
    with queries(15):
        page = read(learners_client.get("/cart/"))
    assert page.h1 == "Ready to start"


@pytest.mark.parametrize("lines", [1, 4])
def test_adding_costs_the_same_beside_any_number_of_lines(learners_client: Client, lines: int) -> None:
    for _each in range(lines):
        learners_client.get(f"/cart/add/?product_id={make_product().pk}")
    link = northgate().link
    with queries(7):
        learners_client.get(link)


@pytest.mark.parametrize("lines", [1, 4])
def test_applying_a_code_costs_the_same_for_any_number_of_lines(learners_client: Client, lines: int) -> None:
    contract = northgate()
    runs = [contract.run, *(make_contract_run(contract.contract) for _each in range(lines - 1))]
    learners_client.get("/cart/add/", {"product_id": [run.product_id or 0 for run in runs]})
    with queries(13):
        learners_client.post("/cart/code/", {"code": contract.code})


def _signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client

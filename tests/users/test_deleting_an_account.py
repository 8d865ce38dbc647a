"""Deleting an account: nothing of the person stays but what the books need, and no one else loses anything."""

from __future__ import annotations

import re
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.mail import EmailMessage
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from social_django.models import UserSocialAuth
from wagtail.models import APIToken, ModelLogEntry
from wagtail.users.models import UserProfile

from b2b.enums import MembershipSource
from b2b.models import CompanyList, ContractMembership, HandOut, Helper, OrganizationMembership, Reconcile
from b2b.selectors.groups import GroupCounts, count_seats_of
from b2b.services.groups.helpers import name_helper
from b2b.services.groups.lists import create_list, list_sale
from b2b.services.handouts.assign import SaleHandOutRequest, assign_code, hand_out
from b2b.services.handouts.recipients import Recipient
from b2b.services.seats.membership import add_member
from courses.models import CourseStaff, Enrollment
from courses.services.enrollments import enroll
from ecommerce.enums import (
    AttemptState,
    DisputeState,
    EnrollmentAfter,
    OrderState,
    RefundRequestState,
    RefundState,
    RefundWhy,
    UseState,
)
from ecommerce.models import (
    Basket,
    BasketItem,
    CodeUse,
    DiscountPerson,
    Dispute,
    Order,
    Refund,
    RefundRequest,
    SeatSale,
)
from mitxonline.kernel import audit, clock
from mitxonline.kernel.mail import send_email
from mitxonline.users.closing import AccountNeeded, close_account, plan_closing
from mitxonline.users.models import EmailChange, ProviderSession, User
from tests.factories import (
    NOON,
    codes_of,
    make_contract,
    make_contract_run,
    make_organization,
    make_product,
    make_run,
    make_user,
)
from tests.factories.orders import make_paid_order
from tests.factories.seats import make_seat_sale
from tests.users.conftest import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)

ADDRESS = "/account/delete/"


def make_person(email: str = "ada@example.org", **fields: Any) -> User:
    person = make_user(email, name=f"{email.split('@')[0].title()} Lovelace", **fields)
    person.set_password(PASSWORD)
    person.save()
    return person


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def seen(client: Client, address: str = ADDRESS) -> str:
    match = re.search(r'name="seen" value="(\w+)"', client.get(address).content.decode())
    assert match is not None
    return match[1]


def delete(client: Client, password: str = PASSWORD) -> Any:
    return client.post(ADDRESS, {"password": password, "seen": seen(client)})


def close(user: User) -> None:
    close_account(user_id=user.pk, now=clock.now(), by_id=user.pk)


def give_group_purchases(user: User) -> tuple[SeatSale, SeatSale]:
    """A purchase on a list of their own, with a helper; one of someone else that they help with and have codes of."""
    mine, theirs = make_seat_sale(seats=2, buyer=user), make_seat_sale(seats=3)
    company_list = create_list(owner_id=user.pk, name="Ockham Works", now=NOON)
    list_sale(user_id=user.pk, sale_id=mine.pk, company_list_id=company_list.pk, now=NOON)
    name_helper(user_id=user.pk, sale_id=mine.pk, email="sam@example.org", now=NOON)
    name_helper(user_id=theirs.buyer_id or 0, sale_id=theirs.pk, email=user.email, now=NOON)
    people = [Recipient(user.email, user.name), Recipient("other@example.org")]
    hand_out(SaleHandOutRequest(theirs.pk, recipients=people), by_id=user.pk, now=clock.now())
    return mine, theirs


def give_everything(user: User) -> Order:
    """Two orders, two seats with used codes, unused codes, a cart, discounts, connections, logs."""
    for name in ("Clinical skills", "Lab skills"):
        contract = make_contract(name=f"{name} of {user.pk}", seats=3)
        run = make_contract_run(contract, codes=3)
        used = codes_of(run)[0]
        unused = codes_of(make_contract_run(make_contract(seats=3), codes=3))[0]
        assert run.product is not None
        assign_code(code_id=used.pk, email=user.email, by_id=None, now=clock.now())
        make_paid_order(run.product, buyer=user, code=used)
        add_member(contract_id=contract.pk, user_id=user.pk, source=MembershipSource.STAFF, now=clock.now())
        HandOut.objects.filter(code=used).update(name=user.name)
        assign_code(code_id=unused.pk, email=user.email, by_id=None, now=clock.now())
        DiscountPerson.objects.create(discount=used.discount, email=user.email, added_at=NOON)
        UserSocialAuth.objects.create(user=user, provider=name, uid=f"https://sso.example.org#{name}{user.pk}")
    give_group_purchases(user)
    make_paid_order(make_product(make_run()), buyer=user, paid="249.00")
    order = make_paid_order(make_product(make_run()), buyer=user, paid="249.00")
    Order.objects.filter(pk=order.pk).update(billing_name=user.name, billing_street="1 Ockham Park")
    RefundRequest.objects.create(
        order=order,
        asked_at=NOON,
        why=RefundWhy.OTHER,
        text="I am ill",
        state=RefundRequestState.DENIED,
        answer="No",
        decided_at=NOON,
    )
    basket = Basket.objects.create(user=user, opened_at=NOON)
    BasketItem.objects.create(basket=basket, product=make_product(make_run()), added_at=NOON)
    EmailChange.objects.create(user=user, new_email=f"new-{user.email}", asked_at=NOON)
    ProviderSession.objects.create(session_key=f"k{user.pk}", user=user, provider="keycloak", issuer="x", subject="y")
    APIToken.objects.create(user=user, name="mine", key_hash=f"hash {user.pk}")
    UserProfile.get_for_user(user)
    CourseStaff.objects.create(course=make_run().course, user=user)
    audit.record(user, "email.send", by_id=None)
    kind = ContentType.objects.get_for_model(User)
    LogEntry.objects.create(
        user=user, content_type=kind, object_id=str(user.pk), object_repr=str(user), action_flag=CHANGE
    )
    return order


def find_traces(word: str) -> list[str]:
    """Return the columns of the whole database in which a word is, deliveries of e-mails aside."""
    found = []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' "
            "AND data_type IN ('text', 'character varying', 'json', 'jsonb')"
        )
        for table, column in cursor.fetchall():
            cursor.execute(f'SELECT count(*) FROM "{table}" WHERE "{column}"::text ILIKE %s', [f"%{word}%"])  # noqa: S608 - the database's own names
            if cursor.fetchone()[0] and not table.startswith("coordinator_"):
                found.append(f"{table}.{column}")
    return found


def test_a_learner_deletes_the_account_and_is_signed_out_everywhere(outbox: list[EmailMessage]) -> None:
    ada = make_person()
    client, phone = client_of(ada), client_of(ada)
    page = client.get("/account/").content.decode()
    assert f'href="{ADDRESS}"' in page
    response = delete(client)
    assert (response.status_code, response["Location"]) == (HTTPStatus.FOUND, "/account/deleted/")
    goodbye = client.get("/account/deleted/")
    assert "Your account has been deleted" in goodbye.content.decode()
    for each in (client, phone):
        assert each.get("/account/").status_code == HTTPStatus.FOUND
    [last] = outbox
    assert last.to == ["ada@example.org"]
    assert "has been deleted" in last.subject
    assert "Ada" not in str(last.body)
    ada.refresh_from_db()
    assert re.fullmatch(r"deleted-[0-9a-f]{24}@deleted\.invalid", ada.email)
    assert (ada.is_active, ada.has_usable_password(), ada.name, ada.display_name) == (
        False, False, "", "Deleted account",
    )  # fmt: skip
    assert (
        "don’t match"
        in Client().post("/login/", {"username": "ada@example.org", "password": PASSWORD}).content.decode()
    )


def test_nothing_names_the_person_afterwards_and_no_one_else_loses_anything(outbox: list[EmailMessage]) -> None:
    ada, bob = make_person(), make_person("bob@example.org")
    order = give_everything(ada)
    give_everything(bob)
    before = find_traces("bob@example.org"), Enrollment.objects.active().of(bob.pk).count()
    assert find_traces("ada@example.org")
    close(ada)
    assert find_traces("ada@example.org") == []
    assert find_traces("Ada Lovelace") == ["ecommerce_order.billing_name"], "tax law wants to know who paid"
    order.refresh_from_db()
    assert (order.billing_name, order.billing_street) == ("Ada Lovelace", "1 Ockham Park")
    assert (order.state, order.total, order.purchaser_id) == (OrderState.FULFILLED, 249, ada.pk)
    assert order.refund_requests.get().text == ""
    assert (find_traces("bob@example.org"), Enrollment.objects.active().of(bob.pk).count()) == before
    models: tuple[type[Model], ...] = (
        Basket, UserSocialAuth, ContractMembership, OrganizationMembership, EmailChange, ProviderSession, APIToken,
        UserProfile, CourseStaff,
    )  # fmt: skip
    for model in models:
        assert not model._default_manager.filter(user=ada).exists(), model
        assert model._default_manager.filter(user=bob).exists(), model
    assert not Enrollment.objects.active().of(ada.pk).exists()
    assert set(CodeUse.objects.filter(user=ada).values_list("state", flat=True)) == {UseState.RETIRED}
    [label] = set(
        ModelLogEntry.objects.filter(object_id=str(ada.pk), content_type__model="user").values_list("label", flat=True)
    )
    assert label == User.objects.get(pk=ada.pk).email


def test_seats_are_free_and_unused_codes_are_revoked_as_when_staff_remove_someone() -> None:
    ada = make_person()
    contract = make_contract(seats=3)
    run = make_contract_run(contract, codes=3)
    code = codes_of(run)[0]
    assign_code(code_id=code.pk, email=ada.email, by_id=None, now=clock.now())
    add_member(contract_id=contract.pk, user_id=ada.pk, source=MembershipSource.STAFF, now=clock.now())
    plan = plan_closing(ada)
    assert any(contract.name in each for each in plan.losses)
    assert "A code you were sent and didn’t use is revoked." in plan.losses
    text = code.text
    Reconcile.objects.all().delete()
    close(ada)
    code.refresh_from_db()
    assert code.text != text
    assert code.assigned_email == ""
    assert not ContractMembership.objects.exists()
    assert Reconcile.objects.exists()


def test_group_purchases_are_shared_and_helped_with_no_longer() -> None:
    ada = make_person()
    mine, theirs = give_group_purchases(ada)
    losses = plan_closing(ada).losses
    assert "The company list “Ockham Works” is deleted." in losses
    assert any(each.startswith("2 codes of your group purchases aren’t handed out yet.") for each in losses)
    close(ada)
    assert not Helper.objects.exists()
    assert not CompanyList.objects.exists()
    assert count_seats_of([mine], now=NOON)[mine.discount_id] == GroupCounts(free=2)
    assert count_seats_of([theirs], now=NOON)[theirs.discount_id] == GroupCounts(free=2, handed_out=1)
    assert HandOut.objects.open().get().email == "other@example.org"


def test_codes_of_an_address_that_was_never_confirmed_stay() -> None:
    stranger = make_person(email_verified_at=None)
    code = codes_of(make_contract_run(make_contract(seats=3), codes=3))[0]
    assign_code(code_id=code.pk, email=stranger.email, by_id=None, now=clock.now())
    DiscountPerson.objects.create(discount=code.discount, email=stranger.email, added_at=NOON)
    close(stranger)
    code.refresh_from_db()
    assert code.assigned_email == "ada@example.org"
    assert HandOut.objects.open().get().email == "ada@example.org"
    assert DiscountPerson.objects.exists()


def test_the_same_address_registers_anew_and_inherits_nothing(outbox: list[EmailMessage]) -> None:
    ada = make_person()
    give_everything(ada)
    close(ada)
    client = Client()
    client.post("/register/", {"name": "Ada Again", "email": "ada@example.org", "password": "another good one 4"})
    again = User.objects.get(email="ada@example.org")
    assert again.pk != ada.pk
    User.objects.filter(pk=again.pk).update(email_verified_at=NOON)
    data = client.get("/account/data/").json()
    assert data["courses"] == {"enrollments": [], "programs": [], "looks_after": []}
    assert data["shop"] == {"orders": [], "codes_used": [], "carts": [], "discounts_for_you": []}
    assert not any(data["organizations"].values())


def make_open_order(buyer: User, state: str, attempt: str = AttemptState.PAID) -> Order:
    order = make_paid_order(make_product(make_run()), buyer=buyer, state=state)
    order.attempts.update(state=attempt)
    return order


def make_refund(buyer: User, state: str) -> Order:
    order = make_paid_order(make_product(make_run()), buyer=buyer)
    Refund.objects.create(
        order=order, attempt=order.attempts.get(), idempotency_key=f"key {order.pk}", gateway="sandbox", amount=20,
        currency="USD", reason="asked", state=state, enrollment_after=EnrollmentAfter.KEEP, recorded_at=NOON,
        settled_at=NOON if state == RefundState.SUCCEEDED else None,
    )  # fmt: skip
    return order


def make_dispute(buyer: User, state: str) -> Order:
    order = make_paid_order(make_product(make_run()), buyer=buyer)
    Dispute.objects.create(
        order=order, attempt=order.attempts.get(), gateway="sandbox", dispute_id=f"dp_{order.pk}", state=state,
        amount=20, currency="USD", opened_at=NOON,
    )  # fmt: skip
    return order


def make_request(buyer: User) -> Order:
    order = make_paid_order(make_product(make_run()), buyer=buyer)
    RefundRequest.objects.create(order=order, asked_at=NOON, why=RefundWhy.OTHER, state=RefundRequestState.ASKED)
    return order


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda ada: make_open_order(ada, OrderState.PENDING, AttemptState.STARTED), "The payment for order"),
        (lambda ada: make_open_order(ada, OrderState.PENDING, AttemptState.PROCESSING), "The payment for order"),
        (lambda ada: make_open_order(ada, OrderState.CANCELED, AttemptState.CLOSING), "The payment for order"),
        (lambda ada: make_open_order(ada, OrderState.REVIEW), "We’re looking into order"),
        (lambda ada: make_refund(ada, RefundState.MARKED), "A refund of order"),
        (lambda ada: make_refund(ada, RefundState.RECORDED), "A refund of order"),
        (lambda ada: make_refund(ada, RefundState.PENDING), "A refund of order"),
        (make_request, "A refund of order"),
        (lambda ada: make_dispute(ada, DisputeState.NEEDS_RESPONSE), "Your bank hasn’t decided"),
    ],
)
def test_money_under_way_is_an_obstacle_with_a_link(make: Any, words: str) -> None:
    ada, bob = make_person(), make_person("bob@example.org")
    order = make(ada)
    make_paid_order(make_product(make_run()), buyer=ada)
    client = client_of(ada)
    page = client.get(ADDRESS).content.decode()
    assert words in page
    assert f"/checkout/receipt/?order_number={order.number}" in page
    assert 'name="password"' not in page
    response = client.post(ADDRESS, {"password": PASSWORD, "seen": "x"})
    assert response.status_code == HTTPStatus.CONFLICT
    with pytest.raises(AccountNeeded, match=words):
        close(ada)
    ada.refresh_from_db()
    assert (ada.email, ada.closed_at) == ("ada@example.org", None)
    close(bob)


@pytest.mark.parametrize("state", [RefundState.SUCCEEDED, RefundState.FAILED, RefundState.CANCELED])
def test_money_that_is_settled_is_no_obstacle(state: str) -> None:
    ada = make_person()
    make_refund(ada, state)
    make_dispute(ada, DisputeState.LOST)
    make_open_order(ada, OrderState.CANCELED, AttemptState.EXPIRED)
    close(ada)
    assert User.objects.get(pk=ada.pk).closed_at


def test_staff_and_the_only_manager_of_an_organization_stay() -> None:
    ada, bob = make_person(), make_person("bob@example.org")
    stone, water = make_organization("Stone"), make_organization("Water", org_key="WATER")
    for organization, person in ((stone, ada), (water, ada), (water, bob)):
        OrganizationMembership.objects.create(
            organization=organization, user=person, is_manager=True, source=MembershipSource.STAFF, since=NOON
        )
    page = client_of(ada).get(ADDRESS).content.decode()
    assert "only manager of Stone" in page
    assert "only manager of Water" not in page
    with pytest.raises(AccountNeeded, match="Stone"):
        close(ada)
    close(bob)
    with pytest.raises(AccountNeeded, match="Water"):
        close(ada)
    admin = make_person("root@example.org", is_superuser=True)
    assert "staff rights" in client_of(admin).get(ADDRESS).content.decode()


def test_a_wrong_password_and_a_plan_that_changed_delete_nothing() -> None:
    ada = make_person()
    client = client_of(ada)
    assert "This is not your current password." in delete(client, "wrong").content.decode()
    shown = seen(client)
    enroll(user_id=ada.pk, run_id=make_run().pk, mode="audit", source="free", now=clock.now())
    response = client.post(ADDRESS, {"password": PASSWORD, "seen": shown})
    assert response.status_code == HTTPStatus.CONFLICT
    assert "Something changed in the meantime" in response.content.decode()
    assert User.objects.get(pk=ada.pk).closed_at is None
    assert delete(client).status_code == HTTPStatus.FOUND


def link_in(outbox: list[EmailMessage]) -> str:
    match = re.search(r"https?://[^/]+(/account/delete/\S+/)", str(outbox[-1].body))
    assert match is not None
    return match[1]


def test_without_a_password_a_mailed_link_confirms_it_for_the_same_person(outbox: list[EmailMessage]) -> None:
    ada, bob = make_user("ada@example.org"), make_user("bob@example.org")
    for person in (ada, bob):
        person.set_unusable_password()
        person.save()
    client = client_of(ada)
    assert "Check your inbox" in client.post(ADDRESS).content.decode()
    assert outbox[-1].to == ["ada@example.org"]
    link = link_in(outbox)
    assert Client().get(link)["Location"].startswith("/login/")
    assert Client().post(link)["Location"].startswith("/login/")
    other = client_of(bob)
    for response in (other.get(link), other.post(link, {"seen": "x"})):
        assert response.status_code == HTTPStatus.SEE_OTHER
    assert not User.objects.filter(closed_at__isnull=False).exists()
    assert "Delete my account" in client.get(link).content.decode()
    assert User.objects.get(pk=ada.pk).closed_at is None, "mail scanners follow links"
    assert client.post(link, {"seen": seen(client, link)})["Location"] == "/account/deleted/"
    assert User.objects.get(pk=ada.pk).closed_at


def test_a_link_works_for_an_hour(outbox: list[EmailMessage], monkeypatch: pytest.MonkeyPatch) -> None:
    ada = make_user("ada@example.org")
    ada.set_unusable_password()
    ada.save()
    client = client_of(ada)
    client.post(ADDRESS)
    later = clock.now() + timedelta(hours=1, seconds=5)
    monkeypatch.setattr("django.core.signing.time.time", later.timestamp)
    assert client.get(link_in(outbox)).status_code in (HTTPStatus.SEE_OTHER, HTTPStatus.FOUND)


def test_the_dead_address_never_gets_an_e_mail(outbox: list[EmailMessage]) -> None:
    ada = make_person()
    close(ada)
    outbox.clear()
    ada.refresh_from_db()
    logs = ModelLogEntry.objects.count()
    send_email(
        "users/emails/email_changed", to=[ada.email], context={"user": ada, "link": "x", "through": ""}, about=ada
    )
    assert outbox == []
    assert ModelLogEntry.objects.count() == logs


def test_the_database_gives_a_deleted_account_nothing_new() -> None:
    ada = make_person()
    close(ada)
    run, contract = make_run(), make_contract(seats=3)
    with pytest.raises(IntegrityError, match="account was deleted"):
        enroll(user_id=ada.pk, run_id=run.pk, mode="audit", source="free", now=clock.now())
    with pytest.raises(IntegrityError, match="account was deleted"):
        add_member(contract_id=contract.pk, user_id=ada.pk, source=MembershipSource.STAFF, now=clock.now())
    with pytest.raises(IntegrityError, match="account was deleted"):
        Basket.objects.create(user=ada, opened_at=NOON)


def test_deleting_twice_changes_nothing_more() -> None:
    ada = make_person()
    close(ada)
    first = User.objects.get(pk=ada.pk).email
    close(ada)
    assert User.objects.get(pk=ada.pk).email == first


def test_operators_delete_an_account_by_the_same_mechanism(capsys: pytest.CaptureFixture[str]) -> None:
    ada, bob = make_person(), make_person("bob@example.org")
    order = give_everything(ada)
    call_command("delete_account", "Ada@Example.org")
    out, err = capsys.readouterr()
    assert "Your cart and what you saved for later are deleted." in out
    assert "Your orders stay in our books" in out
    assert "Nothing is deleted" in err
    assert User.objects.get(pk=ada.pk).closed_at is None
    request = order.refund_requests.get()
    RefundRequest.objects.filter(pk=request.pk).update(state=RefundRequestState.ASKED, decided_at=None, answer="")
    with pytest.raises(CommandError, match="can’t be deleted yet"):
        call_command("delete_account", "ada@example.org", "--yes")
    RefundRequest.objects.filter(pk=request.pk).update(state=RefundRequestState.APPROVED, decided_at=NOON)
    call_command("delete_account", "ada@example.org", "--yes")
    assert User.objects.get(pk=ada.pk).closed_at
    assert User.objects.get(pk=bob.pk).closed_at is None
    with pytest.raises(CommandError, match="No one has the address"):
        call_command("delete_account", "ada@example.org", "--yes")


def test_staff_cannot_bring_a_deleted_account_back(admin_client: Client) -> None:
    ada, bob = make_person(), make_person("bob@example.org", is_active=False)
    close(ada)
    ada.refresh_from_db()
    form = {"name": "Ada", "email": "ada@example.org", "is_active": "on"}
    for person, words in ((ada, "This account was deleted."), (bob, "")):
        page = admin_client.post(f"/cms/users/edit/{person.pk}/", form, follow=True).content.decode()
        assert words in page
    ada.refresh_from_db()
    bob.refresh_from_db()
    assert (ada.is_active, ada.name) == (False, "")
    with pytest.raises(IntegrityError, match="user_deleted_stays_so"):
        User.objects.filter(pk=ada.pk).update(is_active=True)


def test_the_plan_takes_the_same_queries_however_much_there_is() -> None:
    ada = make_person()
    client, numbers = client_of(ada), []
    give_everything(ada)
    client.get(ADDRESS)  # loads what Wagtail and Django remember
    for _size in range(2):
        with CaptureQueriesContext(connection) as queries:
            assert client.get(ADDRESS).status_code == HTTPStatus.OK
        numbers.append(len(queries))
        for _more in range(3):
            make_paid_order(make_product(make_run()), make_product(make_run()), buyer=ada)
            contract = make_contract(seats=3)
            add_member(contract_id=contract.pk, user_id=ada.pk, source=MembershipSource.STAFF, now=clock.now())
    assert numbers[0] == numbers[1]

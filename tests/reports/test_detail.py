"""Who is enrolled and why, and how contracts are used."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse

from b2b.models import ContractMembership
from b2b.services.seats.membership import add_member
from cms.services.groups import B2B_MANAGERS, RIGHTS, ensure_group
from courses.models import CourseStaff, Enrollment
from courses.services.enrollments import enroll
from ecommerce.enums import Role, UseState
from ecommerce.models import CodeUse, OrderLine, SeatSale
from ecommerce.services.registration.redemption import redeem_registration_code
from mitxonline.kernel import clock
from tests.factories import codes_of, make_contract, make_contract_run, make_organization, make_user
from tests.factories.seats import make_group_order
from tests.reports.world import (
    BASE,
    Shop,
    client_of,
    course_id_of,
    file_of,
    holder,
    make_shop,
    moment,
    product_of,
    refund_at,
    sell_at,
    text_of,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss() -> Any:
    return client_of(make_user(is_superuser=True))


def run_id_of(product: Any) -> int:
    return product.course_run.pk  # type: ignore[no-any-return]


class TestEnrollments:
    @pytest.fixture
    def shop(self) -> Shop:
        return make_shop()

    def rows(self, boss: Any, **asked: str) -> dict[str, dict[str, str]]:
        days = {"first": "2020-01-01", "last": clock.today().isoformat()}
        return {row["E-mail"]: row for row in file_of(boss, "enrollments", **days, **asked)}

    def test_each_source_is_told_with_what_was_paid(self, boss: Any) -> None:
        botany = product_of("Botany", "200")
        now, run_id = clock.now(), run_id_of(botany)
        buyer, manual, guest, coded = (make_user(f"{name}@x.example") for name in ("buyer", "manual", "guest", "coded"))
        order = sell_at(now, botany, buyer=buyer)
        enroll(
            user_id=manual.pk, run_id=run_id, mode="verified", source="manual", now=now,
            granted_by_id=make_user("desk@x.example").pk, reason="VIP",
        )  # fmt: skip
        enroll(user_id=guest.pk, run_id=run_id, mode="audit", source="free", now=now)
        group = make_group_order(botany, seats=3)
        code = SeatSale.objects.get(order_line__order=group).discount.codes.order_by("pk")[0]
        redeem_registration_code(text=code.text, user_id=coded.pk, now=now)
        CourseStaff.objects.create(course_id=course_id_of(botany), user=guest)
        rows = self.rows(boss)
        assert {email: row["Source"] for email, row in rows.items()} == {
            "buyer@x.example": "Bought",
            "manual@x.example": "Manually enrolled",
            "guest@x.example": "Free enrollment",
            "coded@x.example": "Used registration code",
        }
        assert (rows["manual@x.example"]["By"], rows["manual@x.example"]["Reason"]) == ("desk@x.example", "VIP")
        assert (rows["guest@x.example"]["Role"], rows["buyer@x.example"]["Role"]) == ("Course staff", "Learner")
        bought, seat = rows["buyer@x.example"], rows["coded@x.example"]
        assert (bought["Payment"], bought["Paid"], bought["Reference"]) == ("Paid", "200.00", order.number)
        assert (seat["Payment"], seat["Paid"], seat["List price"]) == (f"In order {group.number}", "200.00", "200.00")

    @pytest.mark.parametrize(("back", "state"), [("50", "Partly refunded"), ("200", "Refunded")])
    def test_refunds_are_told(self, boss: Any, back: str, state: str) -> None:
        botany = product_of("Botany", "200")
        order = sell_at(clock.now(), botany, buyer=make_user("buyer@x.example"))
        refund_at(clock.now(), order, {botany: back})
        OrderLine.objects.filter(order=order).update(refunded=back)
        assert self.rows(boss)["buyer@x.example"]["Payment"] == state

    def test_finance_of_a_course_sees_that_course_only(self, shop: Shop) -> None:
        finance = holder(Role.FINANCE_ADMIN, shop.botany)
        rows = file_of(finance, "enrollments", first="2020-01-01", last=clock.today().isoformat())
        assert {row["Course"] for row in rows} == {"Botany"}
        assert Enrollment.objects.exclude(run=shop.botany.course_run).exists()

    def test_sales_administrators_see_none(self, shop: Shop) -> None:
        assert holder(Role.SALES_ADMIN).get(f"{BASE}enrollments/").status_code == 302


class TestContracts:
    @pytest.fixture
    def contract(self) -> Any:
        """Two contracts; this one with members of two weeks and a redeemed code."""
        other = make_contract(make_organization("Harbor"), seats=9)
        add_member(contract_id=other.pk, user_id=make_user().pk, now=moment("2026-03-03"))
        contract = make_contract(make_organization("Northgate"), seats=5)
        for day in ("2026-02-20", "2026-03-03", "2026-03-08", "2026-03-09"):
            user = make_user()
            add_member(contract_id=contract.pk, user_id=user.pk, now=moment(day, "23:30:00"))
            ContractMembership.objects.filter(user=user).update(since=moment(day, "23:30:00"))
        run = make_contract_run(contract, codes=2)
        at = moment("2026-03-10")
        CodeUse.objects.create(
            code=codes_of(run)[0], user=make_user(), state=UseState.CONFIRMED, created_at=at, changed_at=at
        )
        return contract

    def test_of_one_week_by_week(self, boss: Any, contract: Any) -> None:
        rows = file_of(boss, "contracts", contract=str(contract.pk), first="2026-03-02", last="2026-03-15")
        assert [tuple(row.values())[1:] for row in rows] == [
            ("2026-03-02", "2", "3", "0"),
            ("2026-03-09", "1", "4", "1"),
        ]
        page = boss.get(f"{BASE}contracts/?contract={contract.pk}&first=2026-03-02&last=2026-03-15")
        assert "Seats taken, by week" in text_of(page)

    def test_of_all(self, boss: Any, contract: Any) -> None:
        rows = file_of(boss, "contracts", first="2026-03-01", last="2026-03-31")
        assert [tuple(row.values()) for row in rows] == [
            ("Harbor", rows[0]["Contract"], "9", "1", "1", "0"),
            ("Northgate", rows[1]["Contract"], "5", "4", "3", "1"),
        ]

    def test_the_page_of_the_contract_shows_its_own_usage(
        self, boss: Any, contract: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(clock, "now", lambda: moment("2026-03-12"))
        page = text_of(boss.get(reverse("b2b_contracts:terms", args=[contract.pk])))
        assert "Seats taken, by week" in page
        assert "The highest is 9 March 2026 with 4." in page
        assert "Codes redeemed, by week" in page
        assert "The highest is 9 March 2026 with 1." in page

    def test_who_sees_them(self, contract: Any) -> None:
        ensure_group(RIGHTS[B2B_MANAGERS], pages=[], renew=True)
        manager = make_user()
        manager.groups.add(Group.objects.get(name=B2B_MANAGERS))
        client = client_of(manager)
        assert client.get(f"{BASE}contracts/").status_code == 200
        assert "Executive summary" not in text_of(client.get(BASE))
        assert client.get(f"{BASE}summary/").status_code == 302
        assert holder(Role.FINANCE_ADMIN).get(f"{BASE}contracts/").status_code == 200
        assert holder(Role.FINANCE_ADMIN, product_of("X", "1")).get(f"{BASE}contracts/").status_code == 302

    def test_a_contract_that_is_none_is_a_mistake(self, boss: Any, contract: Any) -> None:
        for value in ("99999", "x"):
            assert boss.get(f"{BASE}contracts/", {"contract": value}).status_code == 422

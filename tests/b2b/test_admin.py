"""Organizations and contracts in the Django admin."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from wagtail.models import PageLogEntry

from b2b.models import ContractMembership, ContractPage, OrganizationMembership, Withdrawal
from b2b.seats import Seats
from ecommerce.enums import UseState
from ecommerce.models import CodeUse
from mitxonline.users.models import User
from tests.b2b.worlds import (
    codes_of,
    ensure_organization_page,
    make_learner,
    make_source_course,
    publish_contract,
    redeem_code,
    take_seat,
)


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create(email="admin@example.com", is_staff=True, is_superuser=True))
    return client


def test_organizations_and_contracts_are_listed_with_a_link_to_wagtail(staff: Client) -> None:
    page = publish_contract(make_source_course(), name="Seats for all", cap=2)
    lists = {"organizationpage": "UniversityX", "contractpage": "Seats for all"}
    for model, name in lists.items():
        answer = staff.get(reverse(f"admin:b2b_{model}_changelist"), {"q": name})
        assert name in answer.text
        assert "Open in Wagtail" in answer.text
    assert reverse("wagtailadmin_pages:edit", args=[page.pk]) in answer.text


def test_organizations_and_contracts_are_read_only(staff: Client) -> None:
    page = publish_contract(make_source_course(), cap=2)
    for model, pk in (("organizationpage", ensure_organization_page().pk), ("contractpage", page.pk)):
        url = reverse(f"admin:b2b_{model}_change", args=[pk])
        answer = staff.get(url)
        assert answer.status_code == 200
        assert 'name="_save"' not in answer.text
        assert staff.post(url, {"name": "Changed"}).status_code == 403
        assert staff.get(reverse(f"admin:b2b_{model}_add")).status_code == 403


def test_a_contract_shows_what_it_covers_and_what_was_done(staff: Client) -> None:
    page = publish_contract(make_source_course("course-v1:TesX+1x"), cap=2)
    shown = staff.get(reverse("admin:b2b_contractpage_change", args=[page.pk])).text
    assert "course-v1:TesX+1x" in shown
    assert f"course-v1:UAI_UniversityX+1x+2025_C{page.pk}" in shown
    assert "Done" in shown


class TestSeatsOnAPersonsPage:
    def form(
        self, user: User, *, seats: list[dict[str, object]], organizations: list[dict[str, object]]
    ) -> dict[str, object]:
        posted: dict[str, object] = {"email": user.email, "name": user.name, "theme": user.theme, "is_active": "on"}
        for prefix, forms in (("contract_memberships", seats), ("organization_memberships", organizations)):
            there = sum("id" in form for form in forms)
            posted |= {f"{prefix}-TOTAL_FORMS": len(forms), f"{prefix}-INITIAL_FORMS": there}
            for number, form in enumerate(forms):
                posted |= {f"{prefix}-{number}-{name}": value for name, value in form.items()}
        return posted

    def post(self, staff: Client, user: User, **forms: list[dict[str, object]]) -> str:
        given: dict[str, Any] = {"seats": [], "organizations": []} | forms
        url = reverse("admin:users_user_change", args=[user.pk])
        return staff.post(url, self.form(user, **given), follow=True).text

    def test_a_seat_is_given_and_the_organization_follows(self, staff: Client) -> None:
        page, user = publish_contract(make_source_course(), cap=2), make_learner()
        self.post(staff, user, seats=[{"contract": page.pk}])
        seat = ContractMembership.objects.get(user=user)
        assert (seat.contract_id, seat.source, seat.state) == (page.pk, "staff", "active")
        assert seat.added_by is not None
        assert OrganizationMembership.objects.get(user=user).organization_id == ensure_organization_page().pk

    def test_a_full_contract_is_refused_beside_the_field(self, staff: Client) -> None:
        page, user = publish_contract(make_source_course(), cap=1), make_learner()
        take_seat(page, make_learner())
        assert "1 seat is needed, but 0 are free." in self.post(staff, user, seats=[{"contract": page.pk}])
        assert not ContractMembership.objects.filter(user=user).exists()

    def test_the_lock_has_the_last_word(self, staff: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        """The last seat is taken between form validation and save: the whole page is rolled back, the name included."""
        page, user = publish_contract(make_source_course(), cap=1), make_learner()
        take_seat(page, make_learner())
        monkeypatch.setattr("b2b.admin.seats_for", lambda contract_ids, user_id: {page.pk: Seats()})
        user.name = "Changed"
        assert "1 seat is needed, but 0 are free." in self.post(staff, user, seats=[{"contract": page.pk}])
        assert not ContractMembership.objects.filter(user=user).exists()
        assert User.objects.get(pk=user.pk).name != "Changed"

    def test_a_draft_has_no_seats(self, staff: Client) -> None:
        draft, user = ContractPage(title="Begun", name="Begun", live=False), make_learner()
        ensure_organization_page().add_child(instance=draft)
        assert "was never published" in self.post(staff, user, seats=[{"contract": draft.pk}])

    def test_a_seat_is_taken_away_as_everywhere(self, staff: Client) -> None:
        page, user = publish_contract(make_source_course(), cap=1), make_learner()
        redeem_code(page, codes_of(page)[0], user)
        seat = ContractMembership.objects.get(user=user)
        self.post(staff, user, seats=[{"id": seat.pk, "user": user.pk, "DELETE": "on"}])
        assert not ContractMembership.objects.exists()
        assert Withdrawal.objects.get(user=user).by is not None
        assert CodeUse.objects.get(user=user).state == UseState.RETIRED

    def test_managers_can_be_appointed_and_dismissed(self, staff: Client) -> None:
        user = make_learner()
        self.post(staff, user, organizations=[{"organization": ensure_organization_page().pk, "is_manager": "on"}])
        membership = OrganizationMembership.objects.get(user=user)
        assert membership.is_manager
        row = {"id": membership.pk, "user": user.pk, "organization": ensure_organization_page().pk}
        self.post(staff, user, organizations=[row])
        membership.refresh_from_db()
        assert not membership.is_manager

    def test_removing_a_member_without_a_seat_is_logged(self, staff: Client) -> None:
        user = make_learner()
        self.post(staff, user, organizations=[{"organization": ensure_organization_page().pk}])
        membership = OrganizationMembership.objects.get(user=user)
        row = {"id": membership.pk, "user": user.pk, "organization": ensure_organization_page().pk, "DELETE": "on"}
        self.post(staff, user, organizations=[row])
        assert not OrganizationMembership.objects.exists()
        assert PageLogEntry.objects.get(action="b2b.member.remove").page_id == ensure_organization_page().pk

    def test_members_with_a_seat_cannot_be_removed(self, staff: Client) -> None:
        page, user = publish_contract(make_source_course(), cap=1), make_learner()
        self.post(staff, user, seats=[{"contract": page.pk}])
        membership = OrganizationMembership.objects.get(user=user)
        seat = ContractMembership.objects.get(user=user)
        row = {"id": membership.pk, "user": user.pk, "organization": ensure_organization_page().pk, "DELETE": "on"}
        kept = self.post(staff, user, organizations=[row], seats=[{"id": seat.pk, "user": user.pk}])
        assert "Remove it first." in kept
        assert OrganizationMembership.objects.filter(user=user).exists()

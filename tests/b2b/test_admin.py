"""Organizations and contracts in the Django admin."""

import pytest
from django.test import Client
from django.urls import reverse

from mitxonline.users.models import User
from tests.b2b.worlds import contract, course, organization


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create(email="admin@example.com", is_staff=True, is_superuser=True))
    return client


def test_they_are_listed_with_a_link_to_where_they_are_written(staff: Client) -> None:
    page = contract(course(), name="Seats for all", cap=2)
    lists = {"organizationpage": "UniversityX", "contractpage": "Seats for all"}
    for model, name in lists.items():
        answer = staff.get(reverse(f"admin:b2b_{model}_changelist"), {"q": name})
        assert name in answer.text
        assert "Open in Wagtail" in answer.text
    assert reverse("wagtailadmin_pages:edit", args=[page.pk]) in answer.text


def test_they_are_for_looking(staff: Client) -> None:
    page = contract(course(), cap=2)
    for model, pk in (("organizationpage", organization().pk), ("contractpage", page.pk)):
        url = reverse(f"admin:b2b_{model}_change", args=[pk])
        answer = staff.get(url)
        assert answer.status_code == 200
        assert 'name="_save"' not in answer.text
        assert staff.post(url, {"name": "Changed"}).status_code == 403
        assert staff.get(reverse(f"admin:b2b_{model}_add")).status_code == 403


def test_a_contract_shows_what_it_covers_and_what_was_done(staff: Client) -> None:
    page = contract(course("course-v1:TesX+1x"), cap=2)
    shown = staff.get(reverse("admin:b2b_contractpage_change", args=[page.pk])).text
    assert "course-v1:TesX+1x" in shown
    assert f"course-v1:UAI_UniversityX+1x+2025_C{page.pk}" in shown
    assert "Done" in shown

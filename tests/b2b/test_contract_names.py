"""Names of contracts, for people who may not see contracts."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from cms.services.groups import B2B_MANAGERS, EDITORS, RIGHTS, ensure_group
from tests.factories import make_contract, make_user
from tests.factories.pages import make_home

pytestmark = pytest.mark.django_db


def client_in(name: str) -> Client:
    ensure_group(RIGHTS[name], pages=[make_home().get_root()], renew=True)
    user, client = make_user(), Client()
    user.groups.add(Group.objects.get(name=name))
    client.force_login(user)
    return client


@pytest.mark.parametrize(("group", "is_shown"), [(EDITORS, False), (B2B_MANAGERS, True)])
def test_editors_see_no_contract_in_explorer_search_and_reports(group: str, is_shown: bool) -> None:
    contract = make_contract(name="Service design")
    make_contract(contract.get_parent(), name="Other")
    contract.save_revision().publish()
    client = client_in(group)
    for address in (
        f"/cms/pages/{contract.get_parent().pk}/",
        "/cms/pages/search/?q=service",
        "/cms/reports/page-types-usage/",
        "/cms/reports/page-types-usage/results/",
        f"/cms/api/main/pages/?child_of={contract.get_parent().pk}&for_explorer=1",
    ):
        response = client.get(address)
        assert response.status_code == 200, address
        assert ("Service design" in response.content.decode()) is is_shown, address

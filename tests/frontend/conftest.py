"""Signed-in visitors, and a contract they can join."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.test import Client

from b2b.models import ContractPage, ContractRun, OrganizationMembership, OrganizationPage
from ecommerce.models import DiscountCode, Product
from mitxonline.users.models import User
from tests.factories import (
    NOON,
    codes_of,
    make_contract,
    make_contract_run,
    make_course,
    make_department,
    make_organization,
    make_user,
)

SignIn = Callable[[User], Client]


@dataclass(frozen=True)
class Northgate:
    """A contract with one course, and the manager of its organization."""

    organization: OrganizationPage
    manager: User
    contract: ContractPage
    run: ContractRun
    codes: list[DiscountCode]

    @property
    def product(self) -> Product:
        assert self.run.product is not None
        return self.run.product

    @property
    def link(self) -> str:
        """The product URL of the exported file."""
        return f"/cart/add/?product_id={self.product.pk}"

    @property
    def code(self) -> str:
        return self.codes[0].text

    @property
    def redeem_link(self) -> str:
        return f"/enrollmentcode/{self.code}/"


def make_northgate(*, codes: int = 2, seats: int | None = None, price: str | None = None, **terms: object) -> Northgate:
    organization = OrganizationPage.objects.first() or make_organization()
    manager = User.objects.filter(name="Dana Whitfield").first() or make_user(
        "dana.whitfield@northgate.example", name="Dana Whitfield"
    )
    OrganizationMembership.objects.get_or_create(
        organization=organization,
        user=manager,
        defaults={"source": "staff", "is_manager": True, "since": NOON},
    )
    contract = make_contract(organization, seats=seats, price=price, **terms)  # type: ignore[arg-type]
    course = make_course(
        title="Statistics for people who make decisions", department=make_department("Data & statistics")
    )
    run = make_contract_run(contract, course, codes=codes)
    return Northgate(organization, manager, contract, run, codes_of(run))


@pytest.fixture
def learner(db: None) -> User:
    return make_user("amara.okafor@northgate.example")


@pytest.fixture
def sign_in() -> SignIn:
    def signed_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return signed_in


@pytest.fixture
def learners_client(sign_in: SignIn, learner: User) -> Client:
    return sign_in(learner)

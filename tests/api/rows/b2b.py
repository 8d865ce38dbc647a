"""Organizations and contracts."""

from __future__ import annotations

from b2b.models import ContractMembership
from tests.api.world import Row, World
from tests.factories import NOON, codes_of, make_contract, make_contract_run

ROWS: tuple[Row, ...] = (
    Row("b2b_organizations_list", "fooooofo"),
    Row("b2b_organizations_retrieve", "fnnonnfo", {"organization_slug": "{organization}"}),
    Row("b2b_contracts_list", "fooooofo"),
    Row("b2b_contracts_retrieve", "fonnnnfo", {"contract_slug": "{contract}"}),
    Row("b2b_attach_create", "fooooofo", {"enrollment_code": "{code}"}),
    Row("b2b_attach_create", "fnnnnnfn", {"enrollment_code": "no-such-code"}),
    Row("b2b_enroll_create", "fobbbbfb", {"readable_id": "{contract_run}"}),
)


def make_things(world: World) -> None:
    """A contract of the manager's organization, in which the learner has a seat, and one of the other's."""
    for name, organization in (("contract", world.organization), ("other_contract", world.other_organization)):
        contract = make_contract(organization, name=f"{organization.name} 2026", seats=5)
        run = make_contract_run(contract, codes=3)
        world.things |= {
            name: contract.slug,
            f"{name}_id": str(contract.pk),
            f"{name}_run": run.course_run.courseware_id,
            "code" if name == "contract" else "other_code": codes_of(run)[0].text,
        }
        if name == "contract":
            ContractMembership.objects.create(
                contract=contract, user=world.people["learner"], source="staff", since=NOON
            )
    world.things |= {
        "organization": world.organization.slug,
        "organization_id": str(world.organization.pk),
        "other_organization_id": str(world.other_organization.pk),
    }

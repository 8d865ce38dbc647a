"""Organizations and contracts."""

from __future__ import annotations

from b2b.models import ContractMembership
from b2b.services.handouts.assign import assign_code
from tests.api.world import Row, World
from tests.factories import NOON, codes_of, make_contract, make_contract_run

CONTRACT = {"parent_lookup_organization": "{organization_id}", "id": "{contract_id}"}
PERSON = {"email": "new@people.example", "name": "New Person"}

ROWS: tuple[Row, ...] = (
    Row("b2b_organizations_list", "fooooofo"),
    Row("b2b_organizations_retrieve", "fnnonnfo", {"organization_slug": "{organization}"}),
    Row("b2b_contracts_list", "fooooofo"),
    Row("b2b_contracts_retrieve", "fonnnnfo", {"contract_slug": "{contract}"}),
    Row("b2b_contracts_all_variant_runs_list", "fobbbbfo", {"contract_slug": "{contract}"}),
    Row("b2b_attach_create", "fooooofo", {"enrollment_code": "{code}"}),
    Row("b2b_attach_create", "fnnnnnfn", {"enrollment_code": "no-such-code"}),
    Row("b2b_enroll_create", "fobbbbfb", {"readable_id": "{contract_run}"}),
    Row("b2b_manager_organizations_list", "fooooofo"),
    Row("b2b_manager_organizations_detail", "fnnonnfn", {"id": "{organization_id}"}),
    Row("b2b_manager_organizations_contracts_list", "fnnonnfn", {"parent_lookup_organization": "{organization_id}"}),
    Row("b2b_manager_organizations_contracts_retrieve", "fnnonnfn", CONTRACT),
    # A contract isn't found below another organization, even one that the caller manages.
    Row(
        "b2b_manager_organizations_contracts_retrieve",
        "fnnnnnfn",
        {"parent_lookup_organization": "{organization_id}", "id": "{other_contract_id}"},
    ),
    Row("b2b_manager_organizations_contracts_course_runs_list", "fnnonnfn", CONTRACT),
    Row(
        "b2b_manager_organizations_contracts_course_runs_enrollments_list",
        "fnnonnfn",
        {**CONTRACT, "course_run_id": "{contract_run}"},
    ),
    Row("b2b_manager_organizations_contracts_codes_list", "fnnonnfn", CONTRACT),
    Row("b2b_manager_organizations_contracts_codes_bulk_assign_create", "fnnonnfn", CONTRACT, body=[PERSON]),
    Row("b2b_manager_organizations_contracts_codes_send_test_email_create", "fnnonnfn", CONTRACT, body=PERSON),
    Row(
        "b2b_manager_organizations_contracts_codes_assign_create",
        "fnnonnfn",
        {**CONTRACT, "code": "{code}"},
        body=PERSON,
    ),
    Row(
        "b2b_manager_organizations_contracts_codes_assign_create",
        "fnnnnnfn",
        {**CONTRACT, "code": "{other_code}"},
        body=PERSON,
    ),
    Row(
        "b2b_manager_organizations_contracts_codes_reassign_update",
        "fnnonnfn",
        {**CONTRACT, "code": "{given_code}"},
        body=PERSON,
    ),
    Row("b2b_manager_organizations_contracts_codes_remind_create", "fnnonnfn", {**CONTRACT, "code": "{given_code}"}),
    Row("b2b_manager_organizations_contracts_codes_revoke_destroy", "fnnonnfn", {**CONTRACT, "code": "{given_code}"}),
    Row(
        "b2b_service_organization_manager_check",
        "ffffffof",
        query="?sso_organization_id=7c0e1a52-9d3b-4a55-8a57-1f2f8a2f4a10&user_global_id=nobody",
    ),
    Row("b2b_service_organization_manager_check", "ffffffbf", query="?sso_organization_id=x&user_global_id=nobody"),
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
            given = codes_of(run)[1]
            assign_code(code_id=given.pk, email="given@people.example", by_id=None, now=NOON)
            world.things["given_code"] = given.text
            ContractMembership.objects.create(
                contract=contract, user=world.people["learner"], source="staff", since=NOON
            )
    world.things |= {
        "organization": world.organization.slug,
        "organization_id": str(world.organization.pk),
        "other_organization_id": str(world.other_organization.pk),
    }

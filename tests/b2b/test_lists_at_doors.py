"""One reader of lists of people at the staff's doors: assigning codes, adding people, and the command."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from b2b.management.people import read_membership_changes
from b2b.models import ContractMembership, ContractPage, ContractRun, HandOut
from b2b.wagtail_hooks.handouts import HandOutForm
from b2b.wagtail_hooks.seats import AccountsForm
from ecommerce.forms.discounts import NewDiscountForm
from ecommerce.models import DiscountCode
from ecommerce.selectors.discount_access import DiscountAccess
from frontend.pages.handout_form import RecipientsForm
from mitxonline.kernel.text import normalize_email
from tests.b2b.worlds import make_learner, make_source_course, publish_contract
from tests.factories import make_user
from tests.support.commands import refusal_of, run_command

pytestmark = pytest.mark.django_db

HR = (
    "Employee ID,Legal Name,Work Email,Location,Manager\n"
    '0012,"Doe, Jane",jane@x.example,Berlin,boss@x.example\n'
    '0013,"Roe, Rick",rick@x.example,Paris,boss@x.example\n'
)
PASTED = """\
"Cee, C." <cee@x.example>
Amara Okafor <amara@x.example>; Lea Moreau, lea@x.example
mailto:zed@x.example
Sam Lee\tsam@x.example
"""


@pytest.fixture
def client() -> Client:
    client = Client()
    client.force_login(make_user(is_superuser=True, is_staff=True))
    return client


@pytest.fixture
def page() -> ContractPage:
    return publish_contract(make_source_course(), cap=9, name="Capped")


def url(name: str, page: ContractPage) -> str:
    return reverse(f"b2b_contracts:{name}", args=[page.pk])


def html(answer: Any) -> str:
    return str(answer.content.decode())


def hidden(page: str, name: str) -> str:
    found = re.search(rf'<input type="hidden" name="{name}" value="([^"]*)"', page)
    return found[1] if found else ""


def choices(page: str, name: str) -> list[str]:
    return re.findall(rf'<input type="radio" name="{name}" value="([^"]*)"', page)


def upload(text: str | bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile("people.csv", text.encode() if isinstance(text, str) else text)


def typed(page: str) -> str:
    found = re.search(r"<textarea[^>]*>\s*(.*?)</textarea>", page, re.DOTALL)
    return found[1].replace("&quot;", '"').replace("&lt;", "<").replace("&gt;", ">") if found else ""


def test_staff_paste_what_mail_programs_and_spreadsheets_write(client: Client, page: ContractPage) -> None:
    asked = {"run": ContractRun.objects.get(contract=page).pk, "people": PASTED}
    shown = html(client.post(url("hand_out", page), asked))
    assert "Send 5 codes" in shown
    seen = re.findall(r'name="seen" value="([^"]+)"', shown)[0]
    client.post(url("hand_out", page), asked | {"seen": seen})
    assert set(HandOut.objects.values_list("email", "name")) == {
        ("cee@x.example", "Cee, C."),
        ("amara@x.example", "Amara Okafor"),
        ("lea@x.example", "Lea Moreau"),
        ("zed@x.example", ""),
        ("sam@x.example", "Sam Lee"),
    }


def test_staff_choose_a_column_and_the_file_is_kept_meanwhile(client: Client, page: ContractPage) -> None:
    run = ContractRun.objects.get(contract=page).pk
    asked = client.post(url("hand_out", page), {"run": run, "people": "", "file": upload(HR)})
    assert asked.status_code == 422
    assert "More than one column has e-mail addresses." in html(asked)
    kept, columns = hidden(html(asked), "kept_file"), choices(html(asked), "file_column")
    assert columns == ["3:Work Email", "5:Manager"]
    data = {"run": run, "people": "", "kept_file": kept, "file_column": columns[0]}
    shown = html(client.post(url("hand_out", page), data))
    assert "Send 2 codes" in shown
    assert "boss@x.example" not in shown
    assert typed(shown).splitlines() == ['"Doe, Jane" <jane@x.example>', '"Roe, Rick" <rick@x.example>']
    seen = re.findall(r'name="seen" value="([^"]+)"', shown)[0]
    client.post(url("hand_out", page), {"run": run, "people": typed(shown), "seen": seen})
    assert set(HandOut.objects.values_list("email", flat=True)) == {"jane@x.example", "rick@x.example"}


def test_a_name_with_an_address_in_it_gets_no_code_and_is_shown(client: Client, page: ContractPage) -> None:
    run = ContractRun.objects.get(contract=page).pk
    people = "https://evil.example/win, victim@x.example\nJane Doe, jane@x.example"
    shown = html(client.post(url("hand_out", page), {"run": run, "people": people}))
    assert "Send 1 code" in shown
    assert "A name can’t have a web or e-mail address in it." in shown


def test_people_are_added_from_a_file_too(client: Client, page: ContractPage) -> None:
    for name in ("jane", "rick"):
        make_learner(f"{name}@x.example")
    data = {"emails": "", "file": upload(HR), "file_column": "3:Work Email"}
    assert client.post(url("add_member", page), data).status_code == 302
    seats = ContractMembership.objects.filter(contract=page)
    assert set(seats.values_list("user__email", flat=True)) == {"jane@x.example", "rick@x.example"}


def test_adding_people_asks_for_the_column_and_loses_nothing_when_refused(client: Client, page: ContractPage) -> None:
    make_learner("jane@x.example")
    asked = html(client.post(url("add_member", page), {"emails": "", "file": upload(HR)}))
    data = {"emails": "", "kept_file": hidden(asked, "kept_file"), "file_column": choices(asked, "file_column")[0]}
    answer = client.post(url("add_member", page), data)
    assert answer.status_code == 422
    assert "No one has an account with this address: rick@x.example." in html(answer)
    assert "rick@x.example" in typed(html(answer))
    assert not ContractMembership.objects.exists()


def test_the_command_asks_which_column_and_takes_a_number_or_a_heading(page: ContractPage, tmp_path: Path) -> None:
    for name in ("jane", "rick"):
        make_learner(f"{name}@x.example")
    file = tmp_path / "people.csv"
    file.write_text(HR)
    line = f"b2b_contract members {page.pk} --file {file}"
    refused = refusal_of(line)
    assert "--address-column" in refused
    assert "3  Work Email (jane@x.example)" in refused
    assert not ContractMembership.objects.exists()
    for answer in ("3", "'work email'"):
        said = run_command(f"{line} --address-column {answer} --dry-run --format json")
        assert [row["email"] for row in said.rows] == ["jane@x.example", "rick@x.example"]


def test_the_command_asks_how_letters_are_spelled(page: ContractPage, tmp_path: Path) -> None:
    make_learner("lea@x.example")
    file = tmp_path / "people.csv"
    file.write_bytes("Nom;Courriel\nHélène Lefèvre;lea@x.example\n".encode("cp1252"))
    line = f"b2b_contract members {page.pk} --file {file} --dry-run --format json"
    assert "cp1252  Hélène, Lefèvre" in refusal_of(line)
    assert [row["email"] for row in run_command(f"{line} --encoding cp1252").rows] == ["lea@x.example"]


def test_the_command_takes_pasted_addresses_and_tells_of_a_heading(page: ContractPage, tmp_path: Path) -> None:
    make_learner("lea@x.example")
    said = run_command(f"b2b_contract members {page.pk} --add 'Lea Moreau <lea@x.example>' --dry-run --format json")
    assert [row["email"] for row in said.rows] == ["lea@x.example"]
    file = tmp_path / "people.csv"
    file.write_text("Who goes\nlea@x.example\n")
    said = run_command(f"b2b_contract members {page.pk} --file {file} --dry-run")
    assert "The first line was taken for a heading: “Who goes”." in said.messages


# What people copy together: names with commas, mail programs, semicolons, the same one twice, a heading, and a mistake.
HOSTILE = """\
Name, E-mail
"Okafor, Amara" <amara@x.example>
Moreau, Lea <lea@x.example>
Doe, Jane, jane@x.example
bob@x.example; Carl Roe <carl@x.example>
AMARA@x.example
dan@@x.example
"""
OUR_EXPORT = (
    "Name\tE-mail\tContracts\tJoined by\tSince\n"
    "Okafor, Amara\tamara@x.example\tCapped, Open\tCode\t2026-03-01 10:00\n"
    "Lea Moreau\tlea@x.example\t–\tCode\t2026-03-01 10:00\n"
)


def read_at_managers_hand_out(text: str) -> list[str]:
    form = RecipientsForm(None, {"people": text})
    assert form.is_valid(), form.errors
    return [each.email for each in form.recipients]


def read_at_staff_hand_out(text: str) -> list[str]:
    form = HandOutForm({"people": text, "run": "1"}, runs=[])
    assert "people" not in form.errors
    return [each.email for each in form.recipients]


def read_at_contract_people(text: str) -> list[str]:
    form = AccountsForm({"emails": text})
    assert not form.is_valid()  # they have no accounts
    before, _colon, addresses = str(form.errors["emails"][0]).partition(": ")
    assert before == "No one has an account with these addresses"
    return addresses.removesuffix(".").split(", ")


def read_at_discount(text: str, field: str = "people") -> list[str]:
    form = NewDiscountForm({field: text}, access=DiscountAccess(user_id=None, can_manage_all=True))
    assert field not in form.errors
    return list(form.cleaned_data[field])


def read_at_personal_codes(text: str) -> list[str]:
    return read_at_discount(text, "addresses")


def read_at_command(text: str) -> list[str]:
    with NamedTemporaryFile(suffix=".csv") as file:
        file.write(text.encode())
        file.flush()
        return [each.email for each in read_membership_changes(add=[], remove=None, file=file.name)]


DOORS = (
    read_at_managers_hand_out,
    read_at_staff_hand_out,
    read_at_contract_people,
    read_at_discount,
    read_at_personal_codes,
    read_at_command,
)


@pytest.mark.parametrize("read", DOORS)
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HOSTILE, ["amara", "lea", "jane", "bob", "carl", "dan@"]),
        (OUR_EXPORT, ["amara", "lea"]),
        (OUR_EXPORT.replace("Okafor, Amara", '"Okafor, Amara"').replace("\t", ";"), ["amara", "lea"]),
    ],
)
def test_a_hostile_list_is_read_alike_at_each_door(
    read: Callable[[str], list[str]], text: str, expected: list[str]
) -> None:
    found = list(dict.fromkeys(map(normalize_email, read(text))))
    assert found == [f"{name}@x.example" for name in expected]


@pytest.mark.parametrize("written", ["Doe, Jane <Jane@x.example>", "Jane Doe, jane@x.example", "mailto:jane@x.example"])
def test_one_code_is_assigned_to_what_a_mail_program_writes(client: Client, page: ContractPage, written: str) -> None:
    code = DiscountCode.objects.filter(discount__unlocks__contract_run__contract=page).first()
    assert code is not None
    address = reverse("b2b_contracts:assign", args=[page.pk, code.pk])
    answer = client.post(address, {"email": written, "name": ""})
    assert answer.status_code == 302, html(answer)
    given = HandOut.objects.get()
    assert given.email == "jane@x.example"
    assert given.name == {"D": "Doe, Jane", "J": "Jane Doe", "m": ""}[written[0]]


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("jane@x.example, rick@x.example", "Enter one person."),
        ("Jane Doe", "Enter a complete e-mail address, such as sam@example.com."),
        ("jane@@x.example", "Enter a complete e-mail address, such as sam@example.com."),
        ("ask jane@x.example of Acme", "Enter a complete e-mail address, such as sam@example.com."),
    ],
)
def test_one_code_is_for_one_person(client: Client, page: ContractPage, written: str, sentence: str) -> None:
    code = DiscountCode.objects.filter(discount__unlocks__contract_run__contract=page).first()
    assert code is not None
    answer = client.post(reverse("b2b_contracts:assign", args=[page.pk, code.pk]), {"email": written})
    assert answer.status_code == 422
    assert sentence in html(answer)
    assert f'value="{written}"' in html(answer)  # nothing typed is lost
    assert not HandOut.objects.exists()

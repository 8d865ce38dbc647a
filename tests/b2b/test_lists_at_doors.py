"""One reader of lists of people at the staff's doors: assigning codes, adding people, and the command."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from b2b.models import ContractMembership, ContractPage, ContractRun, HandOut
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

"""Lists of people on the managers' page: what a file leaves open is asked, and the file stays meanwhile."""

from __future__ import annotations

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from b2b.models import HandOut
from tests.frontend.conftest import Northgate, SignIn, make_northgate

HR = (
    "Employee ID,Legal Name,Work Email,Location,Manager\n"
    '0012,"Doe, Jane",jane@x.example,Berlin,boss@x.example\n'
    '0013,"Roe, Rick",rick@x.example,Paris,boss@x.example\n'
)
HTMX = {"HX-Request": "true"}


@pytest.fixture
def world(db: None) -> Northgate:
    return make_northgate(codes=9, seats=9)


@pytest.fixture
def dana(world: Northgate, sign_in: SignIn) -> Client:
    return sign_in(world.manager)


def page_of(world: Northgate) -> str:
    return f"/organizations/{world.organization.slug}/manage/{world.contract.pk}/hand-out/"


def upload(data: bytes | str) -> SimpleUploadedFile:
    return SimpleUploadedFile("people.csv", data.encode() if isinstance(data, str) else data)


def kept(page: str) -> str:
    found = re.search(r'name="kept_file" value="([^"]*)"', page)
    return found[1] if found else ""


def choices(page: str, name: str) -> list[str]:
    return re.findall(rf'<input type="radio" name="{name}" value="([^"]*)"', page)


def test_the_column_is_asked_for_and_the_file_kept_without_scripts(world: Northgate, dana: Client) -> None:
    response = dana.post(page_of(world), {"run": world.run.pk, "people": "", "file": upload(HR)})
    page = response.content.decode()
    assert response.status_code == 422
    assert "More than one column has e-mail addresses. Which one should we use?" in page
    assert "Work Email (jane@x.example)" in page
    assert "will get a code" not in page
    answer = choices(page, "file_column")[0]
    data = {"run": world.run.pk, "people": "", "kept_file": kept(page), "file_column": answer}
    page = dana.post(page_of(world), data).content.decode()
    assert "<strong>2 people</strong> will get a code" in page
    assert "boss@x.example" not in page
    assert not HandOut.objects.exists()


def test_the_column_is_asked_for_while_the_list_is_checked(world: Northgate, dana: Client) -> None:
    data: dict[str, object] = {"run": world.run.pk, "people": "", "file": upload(HR)}
    page = dana.post(page_of(world), data, headers=HTMX).content.decode()
    answers = choices(page, "file_column")
    assert len(answers) == 2
    assert 'type="file"' not in page
    assert "aria-invalid" not in page  # which would take the focus from the list
    data = {"run": world.run.pk, "people": "", "file": upload(HR), "file_column": answers[0]}
    page = dana.post(page_of(world), data, headers=HTMX).content.decode()
    assert "Send 2 codes" in page
    assert "jane@x.example" in page
    assert 'type="file"' in page


def test_a_pasted_table_is_asked_about_and_becomes_a_list(world: Northgate, dana: Client) -> None:
    pasted = HR.replace('"Doe, Jane"', "Jane Doe").replace('"Roe, Rick"', "Rick Roe").replace(",", "\t")
    data = {"run": world.run.pk, "people": pasted}
    page = dana.post(page_of(world), data).content.decode()
    data["typed_column"] = choices(page, "typed_column")[0]
    page = dana.post(page_of(world), data | {"action": "send", "seen": "x"}).content.decode()
    assert "Jane Doe, jane@x.example\nRick Roe, rick@x.example" in page
    assert "boss@x.example" not in page
    assert not HandOut.objects.exists()


def test_the_spelling_and_then_the_column_are_asked_for(world: Northgate, dana: Client) -> None:
    file = "Nom;Courriel;Chef\nHélène Lefèvre;lea@x.example;boss@x.example\n".encode("cp1252")
    page = dana.post(page_of(world), {"run": world.run.pk, "people": "", "file": upload(file)}).content.decode()
    assert "Which spelling is right?" in page
    assert "cp1252" in choices(page, "file_spelling")
    data = {"run": world.run.pk, "people": "", "kept_file": kept(page), "file_spelling": "cp1252"}
    page = dana.post(page_of(world), data).content.decode()
    assert "Which one should we use?" in page
    assert 'name="file_spelling" value="cp1252"' in page
    data |= {"kept_file": kept(page), "file_column": choices(page, "file_column")[0]}
    assert "Hélène Lefèvre, lea@x.example" in dana.post(page_of(world), data).content.decode()


def test_a_mistake_beside_a_file_loses_no_one(world: Northgate, dana: Client) -> None:
    file = upload("Name,E-mail\nJane Doe,jane@x.example\n")
    page = dana.post(page_of(world), {"run": "", "people": "rick@x.example", "file": file}).content.decode()
    assert "Choose a course." in page
    assert "rick@x.example\nJane Doe, jane@x.example" in page


def test_what_was_not_understood_is_shown(world: Northgate, dana: Client) -> None:
    people = "Whom to invite\nJane Doe, Acme, jane@x.example\nwww.evil.example, rick@x.example\nsam@x.example"
    page = dana.post(page_of(world), {"run": world.run.pk, "people": people}).content.decode()
    assert "<strong>1 person</strong> will get a code" in page
    assert "We took “Whom to invite” for a heading, not for a person." in page
    assert "We can’t tell the name from the address. Write one person per line: name, address." in page
    assert "Jane Doe, Acme, jane@x.example" in page
    assert "A name can’t have a web or e-mail address in it." in page


@pytest.mark.parametrize("junk", ["nonsense!", "UEsDBA==", "=" * 50])
def test_a_kept_file_that_someone_made_up_is_refused_or_ignored(world: Northgate, dana: Client, junk: str) -> None:
    response = dana.post(page_of(world), {"run": world.run.pk, "people": "", "kept_file": junk})
    assert response.status_code == 422

"""Collections of programs: made by editors, read by anyone."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from cms.models import ProgramCollection, ProgramCollectionItem
from cms.services.groups import EDITORS
from courses.models import Program
from tests.api.client import ApiClient
from tests.factories import make_user
from tests.factories.pages import make_program, make_program_page
from tests.support.counting import queries

pytestmark = pytest.mark.django_db

COLLECTIONS = "/api/v2/program-collections/"


def visible_program(name: str) -> Program:
    program = make_program(name, title=name)
    make_program_page(program)
    return program


def collect(title: str, *programs: Program) -> ProgramCollection:
    collection: ProgramCollection = ProgramCollection.objects.create(title=title, description="For teams")
    for order, program in enumerate(programs):
        ProgramCollectionItem.objects.create(collection=collection, program=program, sort_order=order)
    return collection


def test_a_collection_has_its_programs_in_order() -> None:
    first, hidden, last = visible_program("Z"), make_program("HID"), visible_program("A")
    collection = collect("Public services", first, hidden, last)
    other = collect("Another", last)
    found = ApiClient().get(COLLECTIONS).json()
    assert [each["id"] for each in found["results"]] == [other.pk, collection.pk]
    shown = found["results"][1]
    assert (shown["title"], shown["description"]) == ("Public services", "For teams")
    assert shown["programs"] == [
        {"id": first.pk, "title": "Z", "order": 0},
        {"id": last.pk, "title": "A", "order": 1},
    ]
    assert ApiClient().get(f"{COLLECTIONS}{collection.pk}/").json() == shown
    assert ApiClient().get(f"{COLLECTIONS}0/").status_code == 404
    assert ApiClient().get(f"{COLLECTIONS}?page_size=1&page=2").json()["results"] == [shown]
    programs = {each["id"]: each["collections"] for each in ApiClient().get("/api/v2/programs/").json()["results"]}
    assert programs == {first.pk: [collection.pk], last.pk: [other.pk, collection.pk]}


def test_a_program_is_in_a_collection_once() -> None:
    program = make_program()
    collection = collect("One", program)
    with pytest.raises(IntegrityError), transaction.atomic():
        ProgramCollectionItem.objects.create(collection=collection, program=program)


def test_a_list_costs_the_same_for_any_number() -> None:
    for number in range(2):
        collect(f"Collection {number}", visible_program(f"P{number}"), visible_program(f"Q{number}"))
        with queries(3):
            ApiClient().get(COLLECTIONS)


# --- In the admin ----------------------------------------------------------------------------------------------------


@pytest.fixture
def editor() -> Client:
    call_command("configure_wagtail", verbosity=0)
    user = make_user()
    user.groups.add(Group.objects.get(name=EDITORS))
    client = Client()
    client.force_login(user)
    return client


def fields(title: str, *programs: Program) -> dict[str, Any]:
    posted = {
        "title": title,
        "description": "",
        "items-TOTAL_FORMS": str(len(programs)),
        "items-INITIAL_FORMS": "0",
        "items-MIN_NUM_FORMS": "0",
        "items-MAX_NUM_FORMS": "1000",
    }
    for order, program in enumerate(programs):
        posted |= {
            f"items-{order}-program": str(program.pk),
            f"items-{order}-ORDER": str(order + 1),
            f"items-{order}-DELETE": "",
            f"items-{order}-id": "",
        }
    return posted


def url(action: str, *args: object) -> str:
    return reverse(f"wagtailsnippets_cms_programcollection:{action}", args=args)


def test_editors_make_collections(editor: Client) -> None:
    first, second = visible_program("Z"), visible_program("A")
    response = editor.post(url("add"), fields("Teams", first, second))
    assert response.status_code == 302, response.context["form"].errors
    assert [each.program for each in ProgramCollection.objects.get().items.all()] == [first, second]
    assert "Teams" in editor.get(url("list")).content.decode()
    assert "For teams" not in editor.get(url("edit", ProgramCollection.objects.get().pk)).content.decode()


def test_a_program_twice_is_refused_in_a_sentence(editor: Client) -> None:
    program = visible_program("Z")
    response = editor.post(url("add"), fields("Teams", program, program))
    assert response.status_code == 200
    assert "duplicate" in response.content.decode()
    assert not ProgramCollection.objects.exists()

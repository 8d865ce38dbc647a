"""Every address has a row in the table of rights, and gives each role exactly that answer."""

from __future__ import annotations

import pytest

from tests.security.addresses import Address, every_address
from tests.security.table import LEFT_OUT, LIBRARIES, ROWS, Prefix, Row
from tests.security.world import ROLES, World, example, make_world

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(900)]

LIBRARY_ROLES = ("anonymous", "learner", "editor", "contracts", "finance")
ADMINISTRATIONS = ("admin/", "cms/")
API = "api/"  # whose callers, such as services with a token, have a table of their own: tests/api/rows


def ours() -> list[Address]:
    """Return the addresses that need a row: our own, and any library's outside the two admins."""
    found = [each for each in every_address() if each.is_ours or not each.route.startswith(ADMINISTRATIONS)]
    return [each for each in found if not each.route.startswith(API)]


def libraries() -> list[Address]:
    """What Wagtail and Django answer in their administrations."""
    covered = {each.route for each in ours()} | LEFT_OUT  # ours come first and hide the libraries' own
    found = [each for each in every_address() if not each.is_ours and each.route.startswith(ADMINISTRATIONS)]
    return [each for each in found if "(?P<" not in each.route and each.route not in covered]


def test_every_address_has_a_row_and_every_row_an_address() -> None:
    rows, there = {row.route for row in ROWS}, {each.route: each for each in ours()}
    missing = [
        f"{each.route} ({each.module}): add a row to tests/security/table.py that says what each of "
        f"{', '.join(ROLES)} gets, looking and posting; the letters are explained there."
        for each in there.values()
        if each.route not in rows
    ]
    gone = [f"{route}: no such address any more; take the row out." for route in rows - set(there)]
    assert not missing + gone, "\n".join(missing + gone)
    assert len(ROWS) == len(rows), "two rows for one address"


def test_each_role_gets_the_answers_of_the_table() -> None:
    world = make_world()
    wrong = [said for row in ROWS for said in differences(row, world)]
    assert not wrong, "\n".join(wrong)


def test_library_addresses_refuse_users_without_rights() -> None:
    world = make_world()
    wrong = []
    for address in libraries():
        expected, path = prefix_of(address.route).who, example(address.route, "", world.things)
        wrong += [
            f"{path}: {role} gets {now!r}, the table says {letter!r}"
            for role, letter in zip(LIBRARY_ROLES, expected, strict=True)
            if letter != "*" and not fits(now := world.answer(role, "GET", path), letter)
        ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("model", "who"), [("ecommerce/shopsettings", "llxx*"), ("cms/sitebrand", "llxxx"), ("wagtailcore/site", "llxxx")]
)
def test_the_shops_settings_are_for_finance(model: str, who: str) -> None:
    world = make_world()
    got = "".join(world.answer(role, "GET", f"/cms/settings/{model}/1/") for role in LIBRARY_ROLES)
    assert all(fits(now, letter) for now, letter in zip(got, who, strict=True)), got


def differences(row: Row, world: World) -> list[str]:
    """Return the answers that differ from the row."""
    path = example(row.route, row.path, world.things)
    found = []
    for method, expected in (("GET", row.get), ("POST", row.post)):
        got = "".join(world.answer(role, method, path) for role in ROLES)
        if got != expected:
            who = ", ".join(role for role, now, then in zip(ROLES, got, expected, strict=False) if now != then)
            found.append(f"{method} {path}: {got}, the table says {expected} ({who})")
    return found


def prefix_of(route: str) -> Prefix:
    """The longest prefix that covers a library's address; the row for all of it is always there."""
    exact = next((each for each in LIBRARIES if each.start == f"={route}"), None)
    return exact or max((each for each in LIBRARIES if route.startswith(each.start)), key=lambda each: len(each.start))


def fits(now: str, letter: str) -> bool:
    """Whether an answer is what the letter allows. Kept out is everything but being shown something."""
    if letter == "*":
        return now in "olrnfmbc"
    return now != "o" if letter == "x" else now == letter

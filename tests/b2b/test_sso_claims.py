"""Every form in which Keycloak's releases have sent a user's organizations."""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

import pytest

from b2b.services.organizations.claims import UNKNOWN, Claim, ClaimedOrganization, claim_of, parse_claim

ACME = UUID("42c3e46f-2477-44d7-a85b-d3b43f6b31fa")
GLOBEX = UUID("7b1a3c9e-0f5d-4d0a-9c51-1f6f6f1f2a02")

NAMELESS = [None, 7, True, 3.5]


def claim(*organizations: str | tuple[str, UUID], complete: bool = True) -> Claim:
    return Claim(
        organizations=frozenset(
            ClaimedOrganization(each) if isinstance(each, str) else ClaimedOrganization(*each) for each in organizations
        ),
        complete=complete,
    )


SHAPES = {
    "no organization": ([], claim()),
    "no organization, as a map": ({}, claim()),
    "aliases": (["acme", "globex"], claim("acme", "globex")),
    "a map of nothing (Keycloak 25)": ({"acme": {}}, claim("acme")),
    "with ids": ({"acme": {"id": str(ACME)}, "globex": {"id": str(GLOBEX)}}, claim(("acme", ACME), ("globex", GLOBEX))),
    "with attributes": ({"acme": {"id": str(ACME), "size": ["large"]}}, claim(("acme", ACME))),
    "attributes without an id": ({"acme": {"size": ["large"]}}, claim("acme")),
    "an attribute that is called id": ({"acme": {"id": [str(GLOBEX)]}}, claim("acme")),
    "an id that is none": ({"acme": {"id": "acme-1"}}, claim("acme")),
    "an id in capitals": ({"acme": {"id": str(ACME).upper()}}, claim(("acme", ACME))),
    "an id in braces": ({"acme": {"id": f"{{{ACME}}}"}}, claim("acme")),
    "an id that is a number": ({"acme": {"id": 7}}, claim("acme")),
    "one alias, not in a list": ("acme", claim("acme")),
    "a list of one map": ([{"acme": {"id": str(ACME)}}], claim(("acme", ACME))),
    "a list of maps": (
        [{"acme": {"id": str(ACME)}}, {"globex": {"id": str(GLOBEX)}}],
        claim(("acme", ACME), ("globex", GLOBEX)),
    ),
    "aliases and maps": (["globex", {"acme": {"id": str(ACME)}}], claim("globex", ("acme", ACME))),
    "an alias, and again with its id": (["acme", {"acme": {"id": str(ACME)}}], claim(("acme", ACME))),
    "one alias with two ids": (
        [{"acme": {"id": str(ACME)}}, {"acme": {"id": str(GLOBEX)}}],
        claim(("acme", ACME), ("acme", GLOBEX)),
    ),
    "groups": ({"acme": {"id": str(ACME), "groups": ["/engineering"]}}, claim(("acme", ACME))),
    "roles": ({"acme": {"id": str(ACME), "roles": ["owner"]}}, claim(("acme", ACME))),
    "no facts": ({"acme": None, "globex": "x"}, claim("acme", "globex")),
    "other letters": (["müller-söhne"], claim("müller-söhne")),
    # Whoever is named in what could not be read must not be taken for gone.
    "half of it unreadable": (["acme", 7, None], claim("acme", complete=False)),
    "a blank among aliases": (["acme", " "], claim("acme", complete=False)),
    "a list in the list": (["acme", ["globex"]], claim("acme", complete=False)),
    "what no database takes": (["acme", "a\0b"], claim("acme", complete=False)),
    "half a letter": (["acme", "a\ud800"], claim("acme", complete=False)),
    "nothing readable in a list": ([7, None], UNKNOWN),
    "an empty text": ("", UNKNOWN),
    **{f"{type(value).__name__}, not in a list": (value, UNKNOWN) for value in NAMELESS},
}


@pytest.mark.parametrize(("said", "meant"), SHAPES.values(), ids=SHAPES.keys())
def test_every_shape_is_understood(said: Any, meant: Claim) -> None:
    assert parse_claim(said) == meant


def test_absent_is_unknown_and_empty_is_none() -> None:
    assert claim_of({"email": "sam@example.com"}).organizations is None
    assert claim_of(None).organizations is None
    assert claim_of({"organization": []}) == claim()
    assert claim_of({"organization": []}).organizations is not None


def test_the_claim_may_have_another_name(settings: Any) -> None:
    settings.KEYCLOAK_ORGANIZATION_CLAIM = "org"
    assert claim_of({"org": ["acme"], "organization": ["globex"]}) == claim("acme")


@pytest.mark.parametrize(
    ("granted", "meant"),
    [
        # Keycloak 26 drops the scope for those who are in no organization, and says nothing else about it.
        ("openid profile email", claim()),
        ("openid profile email organization:*", UNKNOWN),  # granted, and then not said: the mapper is set up wrongly
        ("openid profile email organization", UNKNOWN),
        (None, UNKNOWN),  # all that was asked for was granted
        ("", UNKNOWN),
        (["openid"], UNKNOWN),
    ],
)
def test_an_absent_claim_is_none_where_the_scope_was_withheld(granted: Any, meant: Claim) -> None:
    assert claim_of({"email": "sam@example.com", "scope": granted}) == meant


@pytest.mark.parametrize(
    ("asked", "granted", "is_complete"),
    [
        (["organization:*"], None, True),
        (["organization:*"], "openid organization:* email", True),
        (["phone", "organization:*"], "openid phone organization:* email", True),
        (["organization:*"], "openid organization email", False),
        (["organization:*"], "openid organization:acme email", False),
        (["organization:*"], "openid email", False),
        (["organization"], None, False),
        (["organization"], "openid organization email", False),
        (["organization:acme"], None, False),
        ([], None, False),
        ([], "openid organization:* email", False),
    ],
)
def test_only_a_claim_of_all_organizations_says_who_left(
    settings: Any, asked: list[str], granted: str | None, is_complete: bool
) -> None:
    settings.SOCIAL_AUTH_KEYCLOAK_SCOPE = asked
    said = claim_of({"organization": ["acme"], **({"scope": granted} if granted else {})})
    assert (said.organizations, said.complete) == (claim("acme").organizations, is_complete)


@pytest.mark.parametrize("asked", [[], ["organization"], ["organization:acme"]])
def test_a_claim_not_asked_for_all_organizations_is_unknown(settings: Any, asked: list[str]) -> None:
    settings.SOCIAL_AUTH_KEYCLOAK_SCOPE = asked
    assert claim_of({"scope": "openid profile email"}).organizations is None


@pytest.mark.parametrize(
    ("said", "types"),
    [
        (["acme", 7, {"globex": {}}, None], "['NoneType', 'int']"),
        (["sam@example.com", ["secret"]], "['list']"),
        ([" "], "['unusable alias']"),
    ],
)
def test_ignored_values_are_logged_by_type_only(caplog: pytest.LogCaptureFixture, said: Any, types: str) -> None:
    with caplog.at_level(logging.INFO):
        parse_claim(said)
    (record,) = caplog.records
    assert str(record.types) == types  # type: ignore[attr-defined]
    assert "secret" not in record.getMessage()
    assert "example.com" not in str(record.__dict__)


def test_understood_claims_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        parse_claim({"acme": {"id": str(ACME), "groups": ["/engineering"], "size": ["large"]}})
    assert caplog.records == []

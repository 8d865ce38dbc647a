"""Every page type and snippet, through every action Wagtail offers, as administrator and as editor.

Types and snippets come from Wagtail's registries, so a new one is taken through them as well. Each action works, or
says in a sentence why not, and does the same as before: `outcomes.csv` is what each did, `make actions` renews it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from http.cookies import SimpleCookie
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoDbBlocker
from wagtail.models import Page, get_page_models
from wagtail.snippets.models import get_snippet_models

from tests.cms.actions import pages
from tests.cms.actions.outcomes import RENEWING, ROLES, Outcome, compare_outcome, read_outcomes
from tests.cms.actions.things import SNIPPETS, THING_ACTIONS, THINGS, site_settings, snippets
from tests.cms.actions.walker import Answer, Walker, form_of
from tests.cms.actions.world import World, make_world

# Wagtail's own base type, of which no page is made.
PAGE_TYPES = [model for model in get_page_models() if model.is_creatable]


@pytest.fixture(scope="module")
def world(django_db_setup: Any, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    """One world for all, because each case rolls back what it did."""
    with django_db_blocker.unblock(), transaction.atomic():
        Client().get("/cms/")  # registers what the admin's URLs register
        yield make_world()
        transaction.set_rollback(True)


@pytest.fixture(scope="module")
def cookies(world: World, django_db_blocker: DjangoDbBlocker) -> dict[str, SimpleCookie]:
    """What each role has after signing in, which takes as long as a case."""
    with django_db_blocker.unblock():
        return {role: Walker(world.users[role]).client.cookies for role in ROLES}


@pytest.fixture
def walkers(world: World, cookies: dict[str, SimpleCookie]) -> Iterator[dict[str, Walker]]:
    with transaction.atomic():
        yield {role: Walker(world.users[role], cookies[role]) for role in ROLES}
        transaction.set_rollback(True)


@pytest.fixture
def tell(record_property: Any) -> Any:
    """Report what a case came to, and fail where it came to something else before."""

    def tell(case: tuple[str, str, str], works: bool, said: Answer) -> None:
        outcome = Outcome.WORKS if works else Outcome.ABSENT if said.is_absent else Outcome.REFUSED
        why = "" if works else said.why
        # Plain text, which parallel workers can send.
        record_property("case", tuple(str(each) for each in (*case, outcome, why)))
        assert works or why, f"nothing happened, and the page doesn't say why ({said.status})"
        wrong = compare_outcome(case, outcome, why)
        assert not wrong, wrong

    return tell


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("action", pages.ACTIONS)
@pytest.mark.parametrize("model", PAGE_TYPES, ids=lambda model: model._meta.label)
def test_an_action_on_a_page_works_or_is_refused_in_a_sentence(
    model: type[Page], action: str, role: str, world: World, walkers: dict[str, Walker], tell: Any
) -> None:
    assert model in world.kinds, (
        f"Say in tests/cms/actions/world.py how a page of the type {model._meta.label} is made."
    )
    walker = walkers[role]
    works = pages.ACTIONS[action](walker, world.kinds[model])
    tell((model._meta.label, action, role), works, walker.said)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("action", THING_ACTIONS)
@pytest.mark.parametrize("number", range(len(THINGS) + len(SNIPPETS)))
def test_an_action_on_anything_else_works_or_is_refused_in_a_sentence(
    number: int, action: str, role: str, world: World, walkers: dict[str, Walker], tell: Any
) -> None:
    thing = [*THINGS, *snippets()][number]
    works = THING_ACTIONS[action](walkers[role], thing)
    tell((thing.model._meta.label, action, role), works, walkers[role].said)


@pytest.mark.skipif(RENEWING in os.environ, reason="the table is being renewed")
def test_the_table_of_outcomes_has_no_row_of_something_that_is_gone(world: World) -> None:
    kinds = {model._meta.label for model in PAGE_TYPES} | {thing.model._meta.label for thing in (*THINGS, *snippets())}
    actions = {*pages.ACTIONS, *THING_ACTIONS}
    gone = {(kind, action) for kind, action, _role in read_outcomes() if kind not in kinds or action not in actions}
    assert not gone, f"Renew the table with `make actions`: {gone}"


def test_every_snippet_is_described(world: World) -> None:
    missing = [model._meta.label for model in get_snippet_models() if model not in SNIPPETS]
    assert not missing, "Say in tests/cms/actions/things.py how these are made."


@pytest.mark.parametrize("role", ROLES)
def test_every_setting_opens_and_saves_or_is_refused_in_a_sentence(
    role: str, world: World, walkers: dict[str, Walker]
) -> None:
    for model in site_settings():
        path = reverse("wagtailsettings:edit", args=[model._meta.app_label, model._meta.model_name])
        answer = walkers[role].look(path)
        assert answer.status == 200
        form = form_of(answer.content)
        assert (form is not None) or answer.sentences, path

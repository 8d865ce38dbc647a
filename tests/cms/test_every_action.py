"""Every page type and snippet, through every action Wagtail offers, as administrator and as editor.

Types and snippets come from Wagtail's registries, so a new one is taken through them as well. Each action works, or
says in a sentence why not. `python -m tests.cms.actions` prints what each did.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoDbBlocker
from wagtail.models import Page, get_page_models
from wagtail.snippets.models import get_snippet_models

from tests.cms.actions import pages
from tests.cms.actions.things import SNIPPETS, THING_ACTIONS, THINGS, site_settings, snippets
from tests.cms.actions.walker import Walker, form_of
from tests.cms.actions.world import ROLES, World, make_world

# Wagtail's own base type, of which no page is made.
PAGE_TYPES = [model for model in get_page_models() if model.is_creatable]


@pytest.fixture(scope="module")
def world(django_db_setup: Any, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    """One world for all, because each case rolls back what it did."""
    with django_db_blocker.unblock(), transaction.atomic():
        Client().get("/cms/")  # registers what the admin's URLs register
        yield make_world()
        transaction.set_rollback(True)


@pytest.fixture
def walkers(world: World) -> Iterator[dict[str, Walker]]:
    with transaction.atomic():
        yield {role: Walker(world.users[role]) for role in ROLES}
        transaction.set_rollback(True)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("action", pages.ACTIONS)
@pytest.mark.parametrize("model", PAGE_TYPES, ids=lambda model: model._meta.label)
def test_an_action_on_a_page_works_or_is_refused_in_a_sentence(
    model: type[Page], action: str, role: str, world: World, walkers: dict[str, Walker], record_property: Any
) -> None:
    assert model in world.kinds, (
        f"Say in tests/cms/actions/world.py how a page of the type {model._meta.label} is made."
    )
    walker = walkers[role]
    works = pages.ACTIONS[action](walker, world.kinds[model])
    outcome = "works" if works else walker.said.why
    record_property("case", (model._meta.label, action, role, outcome))
    assert outcome, f"nothing happened, and the page doesn't say why ({walker.said.status})"


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("action", THING_ACTIONS)
@pytest.mark.parametrize("number", range(len(THINGS) + len(SNIPPETS)))
def test_an_action_on_anything_else_works_or_is_refused_in_a_sentence(
    number: int, action: str, role: str, world: World, walkers: dict[str, Walker], record_property: Any
) -> None:
    thing = [*THINGS, *snippets()][number]
    works = THING_ACTIONS[action](walkers[role], thing)
    outcome = "works" if works else walkers[role].said.why
    record_property("case", (thing.model._meta.label, action, role, outcome))
    assert outcome, f"nothing happened, and the page doesn't say why ({walkers[role].said.status})"


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
